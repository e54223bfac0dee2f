// index/calendar.h
//
// Local time: the calendar readings and boundaries the language needs, over Abseil's civil time. One door to absl::TimeZone.
//
// A local day begins at its first instant: where midnight is skipped that is the jump, where midnight comes twice it is the first.
//
// Threads  Zones are loaded once per name and kept; lookups take a small mutex, so resolve a constant zone once per plan.
// Cost     Find: a hash and a mutex, for unknown names too: names are checked against a list read once, never against the disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "index/expression/node.h"

namespace korrel {

// What is looked at in a local reading. A week is that of its Monday.
enum class ReadingUnit : uint8_t { kHour = 1, kDay, kWeek, kMonth, kQuarter, kYear };
ReadingUnit ReadingUnitOf(CalendarUnit unit);

class Zone {
 public:
  // nullptr for a name the machine's time zone database does not know ("" and offsets are not names). Lives forever.
  static const Zone* Find(std::string_view name);
  // Every name that Find knows, sorted; for suggestions.
  static const std::vector<std::string>& Names();
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
  // First instant at which the local reading is the given one or later: the first of a repeated reading, the jump over a skipped one.
  virtual int64_t InstantOf(int year, int month, int day, int hour, int minute, int second) const = 0;
  // The next instant at which the local reading is of another hour (day, …): a boundary, or a transition of the zone that jumps over one,
  // backwards too.
  virtual int64_t NextChange(int64_t time_us, ReadingUnit unit) const = 0;
  // The next instant at which local time may jump; INT64_MAX: none.
  virtual int64_t NextTransition(int64_t time_us) const = 0;
};

// Whole units from ts to now (age_in), rounded down: k from the instant ts + k units on, for negative k too, so that just before ts it
// is -1. second … week have fixed lengths. For month and year that instant is the first whose local reading of (month,) day and time
// of day is reached or passed: what began on 29 February is a year older on 1 March. Turning the local clock back takes nothing away.
int64_t AgeIn(int64_t ts_us, int64_t now_us, AgeUnit unit, const Zone& zone);
// The other way round: the first instant now at which AgeIn(ts, now) is `units` or more. INT64_MAX and INT64_MIN: beyond what any clock shows.
int64_t InstantOfAge(int64_t ts_us, int64_t units, AgeUnit unit, const Zone& zone);
// For a ts that runs with the clock, ts = now - behind_us: an instant later than now up to which AgeIn(ts, now) stays what it is. It is
// one at which a local reading that decides it begins anew, or the zone changes.
int64_t NextMovingAge(int64_t now_us, int64_t behind_us, AgeUnit unit, const Zone& zone);

}  // namespace korrel
