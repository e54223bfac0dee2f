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

namespace korrel {
namespace {

constexpr int64_t kSecondUs = 1'000'000;

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

 private:
  absl::CivilDay DayOf(int64_t time_us) const { return absl::CivilDay(zone_.At(absl::FromUnixMicros(time_us)).cs); }

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

int64_t AgeIn(int64_t ts_us, int64_t now_us, AgeUnit unit, const Zone& zone) {
  int64_t passed_us = now_us - ts_us;  // both within years 1–9999
  switch (unit) {
    case AgeUnit::kSecond:
      return FloorDivide(passed_us, kSecondUs);
    case AgeUnit::kMinute:
      return FloorDivide(passed_us, 60 * kSecondUs);
    case AgeUnit::kHour:
      return FloorDivide(passed_us, 3'600 * kSecondUs);
    case AgeUnit::kDay:
      return FloorDivide(passed_us, 86'400 * kSecondUs);
    case AgeUnit::kWeek:
      return FloorDivide(passed_us, 7 * 86'400 * kSecondUs);
    case AgeUnit::kMonth:
      return MonthsBetween(ts_us, now_us, zone, 1);
    case AgeUnit::kYear:
      break;
  }
  return MonthsBetween(ts_us, now_us, zone, 12);
}

}  // namespace korrel
