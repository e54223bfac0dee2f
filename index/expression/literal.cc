#include "index/expression/literal.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "absl/time/civil_time.h"
#include "index/calendar.h"

namespace korrel {
namespace {

struct DurationUnit {
  std::string_view name;
  int64_t us;
};
constexpr std::array kDurationUnits = {
    DurationUnit{"w", int64_t{7} * 86'400'000'000},
    DurationUnit{"d", 86'400'000'000},
    DurationUnit{"h", 3'600'000'000},
    DurationUnit{"m", 60'000'000},
    DurationUnit{"s", 1'000'000},
    DurationUnit{"ms", 1'000},
    DurationUnit{"us", 1},
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes exactly `digits` digits from the front.
std::optional<int> TakeDigits(std::string_view* text, size_t digits) {
  if (text->size() < digits) return std::nullopt;
  int number = 0;
  for (size_t i = 0; i < digits; i++) {
    if (!IsDigit((*text)[i])) return std::nullopt;
    number = number * 10 + ((*text)[i] - '0');
  }
  text->remove_prefix(digits);
  return number;
}

bool Take(std::string_view* text, char c) {
  if (text->empty() || text->front() != c) return false;
  text->remove_prefix(1);
  return true;
}

std::optional<CivilDate> TakeDate(std::string_view* text) {
  auto year = TakeDigits(text, 4);
  if (!year || !Take(text, '-')) return std::nullopt;
  auto month = TakeDigits(text, 2);
  if (!month || !Take(text, '-')) return std::nullopt;
  auto day = TakeDigits(text, 2);
  if (!day || *year < 1 || *month < 1 || *month > 12 || *day < 1) return std::nullopt;
  if (absl::CivilDay(*year, *month, *day).day() != *day) return std::nullopt;
  return CivilDate{*year, *month, *day};
}

struct TimeOfDay {
  int hour = 0, minute = 0, second = 0;
  int64_t microsecond = 0;
};

std::optional<TimeOfDay> TakeTime(std::string_view* text) {
  auto hour = TakeDigits(text, 2);
  if (!hour || *hour > 23 || !Take(text, ':')) return std::nullopt;
  auto minute = TakeDigits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  TimeOfDay time{*hour, *minute, 0, 0};
  if (!Take(text, ':')) return time;
  auto second = TakeDigits(text, 2);
  if (!second || *second > 60) return std::nullopt;
  time.second = *second;
  if (!Take(text, '.')) return time;
  int64_t place = 100'000;
  size_t digits = 0;
  for (; !text->empty() && IsDigit(text->front()); text->remove_prefix(1), place /= 10, digits++) {
    time.microsecond += (text->front() - '0') * place;
  }
  if (digits < 1 || digits > 6) return std::nullopt;
  return time;
}

// The rest of a text after its time: a zone, as seconds east of UTC; `local` where there is none.
std::optional<int> ReadOffset(std::string_view text, bool* local) {
  *local = text.empty();
  if (text.empty() || text == "Z" || text == "z") return 0;
  int sign = text.front() == '-' ? -1 : 1;
  if (!Take(&text, '+') && !Take(&text, '-')) return std::nullopt;
  auto hours = TakeDigits(&text, 2);
  if (!hours || *hours > 23 || !Take(&text, ':')) return std::nullopt;
  auto minutes = TakeDigits(&text, 2);
  if (!minutes || *minutes > 59 || !text.empty()) return std::nullopt;
  return sign * (*hours * 3600 + *minutes * 60);
}

Status NotATimestamp(std::string_view text) {
  std::string shown(text.substr(0, 40));
  return InvalidArgument("LITERAL", "", fmt::format("'{}' is not a timestamp; write it as 2017-03-01T12:00:00Z", shown));
}

StatusOr<Timestamp> InRange(int64_t us, std::string_view text) {
  if (InTimestampRange(us)) return Timestamp{us};
  return InvalidArgument("LITERAL", "", fmt::format("'{}' lies outside the years 0001 to 9999 UTC", text.substr(0, 40)));
}

}  // namespace

DurationText ReadDuration(std::string_view text, int64_t* us) {
  int128 total = 0;
  size_t next_unit = 0;
  bool ordered = true;
  if (text.empty()) return DurationText::kMalformed;
  while (!text.empty()) {
    int128 number = 0;
    size_t digits = 0;
    for (; digits < text.size() && IsDigit(text[digits]); digits++) {
      if (number <= kDurationMaxUs) number = number * 10 + (text[digits] - '0');
    }
    text.remove_prefix(digits);
    size_t letters = 0;
    while (letters < text.size() && !IsDigit(text[letters])) letters++;
    std::string_view name = text.substr(0, letters);
    size_t unit = 0;
    while (unit < kDurationUnits.size() && kDurationUnits[unit].name != name) unit++;
    if (digits == 0 || unit == kDurationUnits.size()) return DurationText::kMalformed;
    ordered = ordered && unit >= next_unit;
    next_unit = unit + 1;
    if (total <= kDurationMaxUs) total += number * kDurationUnits[unit].us;
    text.remove_prefix(letters);
  }
  if (!ordered) return DurationText::kWrongOrder;
  if (total > kDurationMaxUs) return DurationText::kTooLong;
  *us = static_cast<int64_t>(total);
  return DurationText::kGood;
}

std::optional<int64_t> ParseDuration(std::string_view text) {
  int64_t us = 0;
  if (ReadDuration(text, &us) != DurationText::kGood) return std::nullopt;
  return us;
}

std::string FormatDuration(int64_t us) {
  if (us == 0) return "0s";
  for (const DurationUnit& unit : kDurationUnits) {
    if (unit.name != "w" && us % unit.us == 0) return fmt::format("{}{}", us / unit.us, unit.name);
  }
  return fmt::format("{}us", us);
}

std::optional<CivilDate> ReadDate(std::string_view text) {
  auto date = TakeDate(&text);
  return text.empty() ? date : std::nullopt;
}

StatusOr<Timestamp> ParseTimestamp(std::string_view text, std::string_view time_zone) {
  const Zone* zone = Zone::Find(time_zone);
  if (!zone) return InvalidArgument("LITERAL", "", fmt::format("unknown time zone '{}'", time_zone));
  std::string_view rest = text;
  auto date = TakeDate(&rest);
  if (!date) return NotATimestamp(text);
  if (rest.empty()) return InRange(zone->DateStart(date->year, date->month, date->day), text);
  if (!Take(&rest, 'T') && !Take(&rest, 't') && !Take(&rest, ' ')) return NotATimestamp(text);
  auto time = TakeTime(&rest);
  bool local = false;
  auto offset = time ? ReadOffset(rest, &local) : std::nullopt;
  if (!offset) return NotATimestamp(text);
  // Civil time carries a second 60 over into the next minute.
  absl::CivilSecond reading(date->year, date->month, date->day, time->hour, time->minute, time->second);
  int64_t us = (reading - absl::CivilSecond(1970, 1, 1)) * 1'000'000;
  if (local) {
    us = zone->InstantOf(static_cast<int>(reading.year()), reading.month(), reading.day(), reading.hour(), reading.minute(),
                         reading.second());
  }
  return InRange(us - int64_t{*offset} * 1'000'000 + time->microsecond, text);
}

bool IsTimeZone(std::string_view name) { return Zone::Find(name) != nullptr; }

std::string DoubleLiteral(double value) {
  char buffer[64];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string_view text(buffer, end - buffer);
  size_t e = text.find('e');
  std::string_view exponent = text.substr(e + 1);
  bool negative = exponent.front() == '-';
  exponent.remove_prefix(1);
  while (exponent.size() > 1 && exponent.front() == '0') exponent.remove_prefix(1);
  return fmt::format("{}e{}{}", text.substr(0, e), negative ? "-" : "", exponent);
}

}  // namespace korrel
