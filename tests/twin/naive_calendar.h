// tests/twin/naive_calendar.h
//
// The twin's local time: civil readings and unit starts over Abseil's civil time, the slow and plain way.
//
// Errors  nullopt where the zone's name is unknown.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "index/expression/node.h"

namespace korrel::twin {

std::optional<absl::TimeZone> FindZone(const std::string& name);

absl::CivilSecond LocalReading(int64_t time_us, const absl::TimeZone& zone);
// 1 = Monday … 7.
int WeekdayNumber(absl::CivilDay day);
// The first instant of a local date: where the clocks jump over midnight, the instant of the jump.
int64_t FirstInstant(absl::CivilDay day, const absl::TimeZone& zone);
// First instant of the unit that holds time_us by its local reading, moved by `offset` units.
int64_t UnitStart(int64_t time_us, CalendarUnit unit, int offset, const absl::TimeZone& zone);
// Whole units from ts to now: the largest k whose unit is complete at now; negative before ts.
int64_t AgeInUnits(int64_t ts_us, int64_t now_us, AgeUnit unit, const absl::TimeZone& zone);

}  // namespace korrel::twin
