#include "tests/twin/naive_calendar.h"

namespace korrel::twin {
namespace {

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// The first instant at which the local clock shows `reading` or, where the clocks jump over it, anything later.
int64_t FirstInstantOf(absl::CivilSecond reading, const absl::TimeZone& zone, bool* skipped) {
  absl::TimeZone::TimeInfo info = zone.At(reading);
  *skipped = info.kind == absl::TimeZone::TimeInfo::SKIPPED;
  return absl::ToUnixMicros(*skipped ? info.trans : info.pre);
}

// The instant at which the k-th month after ts is complete: the same day and time of day, or the first instant after a month
// too short to have that day.
int64_t MonthInstant(int64_t ts_us, int64_t k, const absl::TimeZone& zone) {
  absl::CivilSecond from = LocalReading(ts_us, zone);
  absl::CivilMonth month = absl::CivilMonth(from) + k;
  absl::CivilDay day = absl::CivilDay(month) + (from.day() - 1);
  if (absl::CivilMonth(day) != month) return FirstInstant(absl::CivilDay(month + 1), zone);
  bool skipped = false;
  int64_t at =
      FirstInstantOf(absl::CivilSecond(day.year(), day.month(), day.day(), from.hour(), from.minute(), from.second()), zone, &skipped);
  return skipped ? at : at + (ts_us - FloorDivide(ts_us, 1'000'000) * 1'000'000);
}

int64_t FixedUnit(AgeUnit unit) {
  int64_t second = 1'000'000;
  switch (unit) {
    case AgeUnit::kSecond:
      return second;
    case AgeUnit::kMinute:
      return 60 * second;
    case AgeUnit::kHour:
      return 3'600 * second;
    case AgeUnit::kDay:
      return 86'400 * second;
    case AgeUnit::kWeek:
      return 7 * 86'400 * second;
    default:
      return 0;
  }
}

}  // namespace

std::optional<absl::TimeZone> FindZone(const std::string& name) {
  if (name.empty() || name.rfind("Fixed/", 0) == 0 || name == "localtime") return std::nullopt;
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(name, &zone)) return std::nullopt;
  return zone;
}

absl::CivilSecond LocalReading(int64_t time_us, const absl::TimeZone& zone) { return zone.At(absl::FromUnixMicros(time_us)).cs; }

int WeekdayNumber(absl::CivilDay day) { return static_cast<int>(absl::GetWeekday(day)) + 1; }

int64_t FirstInstant(absl::CivilDay day, const absl::TimeZone& zone) {
  bool skipped = false;
  return FirstInstantOf(absl::CivilSecond(day), zone, &skipped);
}

int64_t UnitStart(int64_t time_us, CalendarUnit unit, int offset, const absl::TimeZone& zone) {
  absl::CivilDay day(LocalReading(time_us, zone));
  switch (unit) {
    case CalendarUnit::kDay:
      return FirstInstant(day + offset, zone);
    case CalendarUnit::kWeek:
      return FirstInstant(day - (WeekdayNumber(day) - 1) + 7 * offset, zone);
    case CalendarUnit::kMonth:
      return FirstInstant(absl::CivilDay(absl::CivilMonth(day) + offset), zone);
    case CalendarUnit::kQuarter: {
      absl::CivilMonth month(day);
      return FirstInstant(absl::CivilDay(month - (month.month() - 1) % 3 + 3 * offset), zone);
    }
    case CalendarUnit::kYear:
      return FirstInstant(absl::CivilDay(absl::CivilYear(day) + offset), zone);
  }
  return 0;
}

int64_t AgeInUnits(int64_t ts_us, int64_t now_us, AgeUnit unit, const absl::TimeZone& zone) {
  if (unit != AgeUnit::kMonth && unit != AgeUnit::kYear) return FloorDivide(now_us - ts_us, FixedUnit(unit));
  int64_t months_each = unit == AgeUnit::kYear ? 12 : 1;
  absl::CivilSecond from = LocalReading(ts_us, zone), to = LocalReading(now_us, zone);
  int64_t k = unit == AgeUnit::kYear ? to.year() - from.year() : absl::CivilMonth(to) - absl::CivilMonth(from);
  for (++k;; --k) {
    int64_t complete_at = k == 0 ? ts_us : MonthInstant(ts_us, k * months_each, zone);
    if (complete_at <= now_us) return k;
  }
}

}  // namespace korrel::twin
