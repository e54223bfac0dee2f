#include "index/calendar.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "storage/status.h"
#include "storage/value.h"

namespace korrel {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kMonthsMax = 12 * 10'000;                                      // more than any two timestamps are apart
constexpr int64_t kCalendarPeriodUs = int64_t{146'097} * 86'400 * kSecondUs;     // 400 years
constexpr int64_t kSpelledOutUs = -int64_t{70 * 365 + 17} * 86'400 * kSecondUs;  // 1900: no zone's rule for good is older

class AbseilZone final : public Zone {
 public:
  explicit AbseilZone(absl::TimeZone zone) : zone_(zone) {}

  Reading At(int64_t time_us) const override {
    absl::TimeZone::CivilInfo info = zone_.At(absl::FromUnixMicros(time_us));
    Reading reading;
    reading.year = static_cast<int>(info.cs.year());
    reading.month = info.cs.month();
    reading.day = info.cs.day();
    reading.weekday = static_cast<int>(absl::GetWeekday(info.cs)) + 1;
    reading.hour = info.cs.hour();
    reading.minute = info.cs.minute();
    reading.second = info.cs.second();
    reading.microsecond = static_cast<int32_t>(absl::ToInt64Microseconds(info.subsecond));
    return reading;
  }

  int64_t DayStart(int64_t time_us) const override { return FirstInstant(absl::CivilSecond(DayOf(time_us))); }

  int64_t UnitStart(int64_t time_us, CalendarUnit unit, int offset) const override {
    absl::CivilDay day = DayOf(time_us);
    switch (unit) {
      case CalendarUnit::kDay:
        day += offset;
        break;
      case CalendarUnit::kWeek:
        day -= static_cast<int>(absl::GetWeekday(day));
        day += 7 * static_cast<int64_t>(offset);
        break;
      case CalendarUnit::kMonth:
        day = absl::CivilDay(absl::CivilMonth(day) + offset);
        break;
      case CalendarUnit::kQuarter:
        day = absl::CivilDay(absl::CivilMonth(day.year(), (day.month() - 1) / 3 * 3 + 1) + 3 * static_cast<int64_t>(offset));
        break;
      case CalendarUnit::kYear:
        day = absl::CivilDay(absl::CivilYear(day) + offset);
        break;
    }
    return FirstInstant(absl::CivilSecond(day));
  }

  int64_t DateStart(int year, int month, int day) const override { return FirstInstant(absl::CivilSecond(year, month, day)); }

  int64_t InstantOf(int year, int month, int day, int hour, int minute, int second) const override {
    return FirstInstant(absl::CivilSecond(year, month, day, hour, minute, second));
  }

  int64_t NextChange(int64_t time_us, ReadingUnit unit) const override {
    absl::TimeZone::CivilInfo info = zone_.At(absl::FromUnixMicros(time_us));
    const absl::CivilSecond begin = UnitBegin(info.cs, unit);
    // From one transition to the next local time runs like any other.
    while (true) {
      const int64_t boundary = InstantAt(UnitBegin(UnitBegin(info.cs, unit, 1), unit), info.offset);
      const int64_t transition = TransitionAfter(time_us, info.offset);
      if (boundary < transition) return boundary;
      info = zone_.At(absl::FromUnixMicros(transition));
      if (UnitBegin(info.cs, unit) != begin) return transition;
      time_us = transition;
    }
  }

  int64_t NextTransition(int64_t time_us) const override {
    return TransitionAfter(time_us, zone_.At(absl::FromUnixMicros(time_us)).offset);
  }

 private:
  absl::CivilDay DayOf(int64_t time_us) const { return absl::CivilDay(zone_.At(absl::FromUnixMicros(time_us)).cs); }

  // Where the unit that holds a reading begins, moved by `offset` units.
  static absl::CivilSecond UnitBegin(absl::CivilSecond reading, ReadingUnit unit, int offset = 0) {
    const absl::CivilDay day(reading);
    switch (unit) {
      case ReadingUnit::kHour:
        return absl::CivilHour(reading) + offset;
      case ReadingUnit::kDay:
        return absl::CivilSecond(day + offset);
      case ReadingUnit::kWeek:
        return absl::CivilSecond(day - static_cast<int>(absl::GetWeekday(day)) + 7 * offset);
      case ReadingUnit::kMonth:
        return absl::CivilSecond(absl::CivilMonth(day) + offset);
      case ReadingUnit::kQuarter:
        return absl::CivilSecond(absl::CivilMonth(day.year(), (day.month() - 1) / 3 * 3 + 1) + 3 * offset);
      case ReadingUnit::kYear:
        break;
    }
    return absl::CivilSecond(absl::CivilYear(day) + offset);
  }

  static int64_t InstantAt(absl::CivilSecond reading, int utc_offset_s) {
    return (reading - absl::CivilSecond() - utc_offset_s) * kSecondUs;
  }

  // The zone's next transition after time_us, where its offset from UTC is `utc_offset_s`; INT64_MAX. It may be one that changes nothing.
  // Rules are spelled out for 400 years, in which the calendar repeats itself, and so do they.
  int64_t TransitionAfter(int64_t time_us, int utc_offset_s) const {
    absl::TimeZone::CivilTransition transition;
    for (int64_t shift_us = 0; time_us - shift_us >= kSpelledOutUs || shift_us == 0; shift_us += kCalendarPeriodUs) {
      if (zone_.NextTransition(absl::FromUnixMicros(time_us - shift_us), &transition))
        return std::max(InstantAt(transition.from, utc_offset_s) + shift_us, time_us + 1);
    }
    return INT64_MAX;
  }

  int64_t FirstInstant(absl::CivilSecond reading) const {
    absl::TimeZone::TimeInfo info = zone_.At(reading);
    bool skipped = info.kind == absl::TimeZone::TimeInfo::SKIPPED;
    return absl::ToUnixMicros(skipped ? info.trans : info.pre);
  }

  absl::TimeZone zone_;
};

// Names come from the machine's database, listed once: Abseil keeps every name it was ever asked for, known or not, so names out of
// profiles must not reach it unchecked. Copies with leap seconds and the machine's own zone are left out.
std::vector<std::string> ListZoneNames() {
  namespace fs = std::filesystem;
  const char* folder = std::getenv("TZDIR");
  fs::path root = folder && *folder ? folder : "/usr/share/zoneinfo";
  std::vector<std::string> names = {"UTC"};
  std::error_code error;
  for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().lexically_relative(root).generic_string();
    if (name == "posix" || name == "right") it.disable_recursion_pending();
    if (name == "localtime" || name == "posixrules" || name == "Factory" || name == "UTC" || !it->is_regular_file()) continue;
    char magic[4] = {};
    std::ifstream(it->path(), std::ios::binary).read(magic, sizeof magic);
    if (std::string_view(magic, sizeof magic) == "TZif") names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

struct Zones {
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<AbseilZone>, std::less<>> loaded;
};

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Of the units that follow the calendar; 0 for those of fixed length.
int MonthsIn(AgeUnit unit) { return unit == AgeUnit::kMonth ? 1 : unit == AgeUnit::kYear ? 12 : 0; }

int64_t LengthOf(AgeUnit unit) {
  switch (unit) {
    case AgeUnit::kMinute:
      return 60 * kSecondUs;
    case AgeUnit::kHour:
      return 3'600 * kSecondUs;
    case AgeUnit::kDay:
      return 86'400 * kSecondUs;
    case AgeUnit::kWeek:
      return 7 * 86'400 * kSecondUs;
    default:
      return kSecondUs;
  }
}

int64_t TimeOfDay(const Zone::Reading& r) { return ((r.hour * int64_t{60} + r.minute) * 60 + r.second) * kSecondUs + r.microsecond; }

auto ReadingOf(const Zone::Reading& r) { return std::tuple(r.day, r.hour, r.minute, r.second, r.microsecond); }

// The first instant at which `months` have passed since the local reading `from`.
int64_t MonthsLater(const Zone::Reading& from, int64_t months, const Zone& zone) {
  absl::CivilMonth month = absl::CivilMonth(from.year, from.month) + months;
  absl::CivilDay day(month.year(), month.month(), from.day);
  if (day.day() != from.day) {  // no such day: the reading is passed when the next month begins
    day = absl::CivilDay(month + 1);
    return zone.DateStart(static_cast<int>(day.year()), day.month(), day.day());
  }
  int64_t second = zone.InstantOf(static_cast<int>(day.year()), day.month(), day.day(), from.hour, from.minute, from.second);
  // Over a skipped reading the jump itself is the instant; it has no microseconds of its own.
  Zone::Reading reached = zone.At(second);
  bool exact = std::tuple(reached.hour, reached.minute, reached.second) == std::tuple(from.hour, from.minute, from.second);
  return exact ? second + from.microsecond : second;
}

int64_t MonthsBetween(int64_t from_us, int64_t to_us, const Zone& zone, int months_per_unit) {
  Zone::Reading from = zone.At(from_us), to = zone.At(to_us);
  int64_t months = (int64_t{to.year} - from.year) * 12 + to.month - from.month;
  if (ReadingOf(to) < ReadingOf(from)) months--;
  int64_t units = FloorDivide(months, months_per_unit);
  // After the clock was turned back the reading may be behind one that has been reached already.
  while (MonthsLater(from, (units + 1) * months_per_unit, zone) <= to_us) units++;
  return units;
}

}  // namespace

const std::vector<std::string>& Zone::Names() {
  static const auto& names = *new std::vector<std::string>(ListZoneNames());
  return names;
}

const Zone* Zone::Find(std::string_view name) {
  static auto& zones = *new Zones;
  std::lock_guard lock(zones.mutex);
  if (auto found = zones.loaded.find(name); found != zones.loaded.end()) return found->second.get();
  if (!std::binary_search(Names().begin(), Names().end(), name, std::less<>())) return nullptr;
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(Abseil(name), &zone)) return nullptr;
  return zones.loaded.emplace(name, std::make_unique<AbseilZone>(zone)).first->second.get();
}

ReadingUnit ReadingUnitOf(CalendarUnit unit) {
  switch (unit) {
    case CalendarUnit::kDay:
      return ReadingUnit::kDay;
    case CalendarUnit::kWeek:
      return ReadingUnit::kWeek;
    case CalendarUnit::kMonth:
      return ReadingUnit::kMonth;
    case CalendarUnit::kQuarter:
      return ReadingUnit::kQuarter;
    case CalendarUnit::kYear:
      break;
  }
  return ReadingUnit::kYear;
}

int64_t AgeIn(int64_t ts_us, int64_t now_us, AgeUnit unit, const Zone& zone) {
  if (const int months = MonthsIn(unit)) return MonthsBetween(ts_us, now_us, zone, months);
  return FloorDivide(now_us - ts_us, LengthOf(unit));  // both within years 1–9999
}

int64_t InstantOfAge(int64_t ts_us, int64_t units, AgeUnit unit, const Zone& zone) {
  const int months = MonthsIn(unit);
  if (months == 0) {
    const int128 instant = ts_us + int128{units} * LengthOf(unit);
    return instant > kTimestampMaxUs ? INT64_MAX : instant < kTimestampMinUs ? INT64_MIN : static_cast<int64_t>(instant);
  }
  if (units > kMonthsMax) return INT64_MAX;
  if (units < -kMonthsMax) return INT64_MIN;
  return MonthsLater(zone.At(ts_us), units * months, zone);
}

int64_t NextMovingAge(int64_t now_us, int64_t behind_us, AgeUnit unit, const Zone& zone) {
  if (MonthsIn(unit) == 0) return INT64_MAX;
  const int64_t from_us = now_us - behind_us;
  int64_t next = INT64_MAX;
  auto offer = [&](int64_t from_reaches_us) {
    if (from_reaches_us > from_us && from_reaches_us < INT64_MAX - kCalendarPeriodUs) next = std::min(next, from_reaches_us + behind_us);
  };
  // Within one day of both, and no transition, the readings run side by side.
  for (const int64_t time_us : {from_us, now_us}) {
    const int64_t change = std::min(zone.NextChange(time_us, ReadingUnit::kDay), zone.NextTransition(time_us));
    next = std::min(next, now_us + (change - time_us));
  }
  // But where the reading of ts is sought again on the day of a transition, it stands still while it passes over what is skipped there.
  const int64_t day_us = LengthOf(AgeUnit::kDay);
  for (int64_t jump = zone.NextTransition(now_us - 2 * day_us); jump <= now_us + 2 * day_us; jump = zone.NextTransition(jump)) {
    const int64_t of_day = TimeOfDay(zone.At(from_us));
    offer(from_us + TimeOfDay(zone.At(jump)) - of_day);
    offer(from_us + TimeOfDay(zone.At(jump - 1)) + 1 - of_day);
  }
  return next;
}

}  // namespace korrel
