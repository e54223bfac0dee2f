// index/calendar.h
//
// Local time: the calendar readings and boundaries the language needs, over Abseil's civil time. One door to absl::TimeZone.
//
// Threads  Zones are loaded once per name and kept; lookups take a small mutex, so resolve a constant zone once per plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "index/expression/node.h"

namespace korrel {

class Zone {
 public:
  // nullptr for a name the machine's time zone database does not know ("" and offsets are not names). Lives forever.
  static const Zone* Find(std::string_view name);
  virtual ~Zone() = default;

  struct Reading {
    int year, month, day, weekday /* 1 = Monday */, hour, minute, second;
    int32_t microsecond;
  };
  virtual Reading At(int64_t time_us) const = 0;
  // First instant of the local day that holds time_us; the next local day's first instant.
  virtual int64_t DayStart(int64_t time_us) const = 0;
  // First instant of the unit that holds time_us, moved by `offset` units (-1: the one before). Weeks begin on Monday.
  virtual int64_t UnitStart(int64_t time_us, CalendarUnit unit, int offset) const = 0;
  // First instant of a local date.
  virtual int64_t DateStart(int year, int month, int day) const = 0;
};

// Whole units from ts to now (age_in): negative before ts. second … week have fixed lengths; month and year count local
// calendar readings; 29 February is reached on 1 March. Truncated toward zero for fixed units and toward the past-complete
// unit for calendar ones; see docs/expressions.md.
int64_t AgeIn(int64_t ts_us, int64_t now_us, AgeUnit unit, const Zone& zone);

}  // namespace korrel
