#include "clients/cli/time_text.h"

#include <fmt/format.h>

#include <limits>

#include "storage/value.h"

namespace korrel::cli {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kDayUs = 86'400 * kSecondUs;
constexpr int64_t kDurationMaxUs = 36'500 * kDayUs;  // 100 years, as in expressions

// Reads a text from left to right; every step says whether it found what it wanted.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}
  bool AtEnd() const { return at_ == text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  bool Take(char c) {
    if (Peek() != c || AtEnd()) return false;
    ++at_;
    return true;
  }
  // The lower-cased next character, if it is `c`.
  bool TakeLetter(char c) {
    if (AtEnd() || (text_[at_] | 0x20) != c) return false;
    ++at_;
    return true;
  }
  // min to max digits as a number; false if there are fewer.
  bool Digits(int min, int max, int* value) {
    int count = 0;
    *value = 0;
    while (count < max && Peek() >= '0' && Peek() <= '9') {
      *value = *value * 10 + (text_[at_++] - '0');
      ++count;
    }
    return count >= min;
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

struct LocalTime {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  int64_t fraction_us = 0;
  std::optional<int> offset_minutes;  // absent: the zone of the caller
  char separator = '-';
};

bool ReadDate(Cursor& in, DateFormat format, LocalTime* t) {
  int first = 0;
  Cursor probe = in;
  const bool year_first = probe.Digits(4, 4, &first) && (probe.Peek() == '-' || probe.Peek() == '/');
  int* fields[3] = {&t->year, &t->month, &t->day};
  if (!year_first) {
    if (format == DateFormat::kYearFirst) return false;
    fields[0] = format == DateFormat::kDayFirst ? &t->day : &t->month;
    fields[1] = format == DateFormat::kDayFirst ? &t->month : &t->day;
    fields[2] = &t->year;
  }
  for (int i = 0; i < 3; ++i) {
    const bool is_year = fields[i] == &t->year;
    if (!in.Digits(is_year ? 4 : 1, is_year ? 4 : 2, fields[i])) return false;
    if (i == 2) break;
    const char separator = in.Peek();
    if (separator != '-' && separator != '/' && (separator != '.' || year_first)) return false;
    if (i == 1 && separator != t->separator) return false;
    if (separator == '.' && format == DateFormat::kMonthFirst) return false;
    t->separator = separator;
    in.Take(separator);
  }
  return t->year >= 1 && t->month >= 1 && t->month <= 12 && t->day >= 1 && t->day <= 31;
}

// Six digits of a second; further ones only where they are zeros, so that nothing is lost.
bool ReadFraction(Cursor& in, int64_t* us) {
  int digits = 0;
  for (; in.Peek() >= '0' && in.Peek() <= '9'; ++digits) {
    int digit = 0;
    in.Digits(1, 1, &digit);
    if (digits < 6) {
      *us = *us * 10 + digit;
    } else if (digit != 0) {
      return false;
    }
  }
  for (int i = digits; i < 6; ++i) *us *= 10;
  return digits > 0;
}

bool ReadHalfDay(Cursor& in, LocalTime* t) {
  Cursor probe = in;
  probe.Take(' ');
  const bool pm = probe.TakeLetter('p');
  if (!pm && !probe.TakeLetter('a')) return true;
  if (!probe.TakeLetter('m') || t->hour < 1 || t->hour > 12) return false;
  t->hour = t->hour % 12 + (pm ? 12 : 0);
  in = probe;
  return true;
}

bool ReadOffset(Cursor& in, LocalTime* t) {
  Cursor probe = in;
  probe.Take(' ');
  if (probe.TakeLetter('z')) {
    t->offset_minutes = 0;
    in = probe;
    return true;
  }
  const int sign = probe.Peek() == '-' ? -1 : 1;
  if (probe.Peek() != '-' && probe.Peek() != '+') return true;
  probe.Take(probe.Peek());
  int hours = 0, minutes = 0;
  if (!probe.Digits(2, 2, &hours) || hours > 23) return false;
  if (probe.Take(':') || !probe.AtEnd()) {
    if (!probe.Digits(2, 2, &minutes) || minutes > 59) return false;
  }
  t->offset_minutes = sign * (hours * 60 + minutes);
  in = probe;
  return true;
}

bool ReadClock(Cursor& in, LocalTime* t) {
  if (!in.Digits(1, 2, &t->hour) || !in.Take(':') || !in.Digits(2, 2, &t->minute)) return false;
  if (in.Take(':')) {
    if (!in.Digits(2, 2, &t->second)) return false;
    if ((in.Take('.') || in.Take(',')) && !ReadFraction(in, &t->fraction_us)) return false;
  }
  return t->hour <= 23 && t->minute <= 59 && t->second <= 60 && ReadHalfDay(in, t) && ReadOffset(in, t);
}

std::optional<LocalTime> ReadLocalTime(std::string_view text, DateFormat format) {
  LocalTime t;
  Cursor in(text);
  if (!ReadDate(in, format, &t)) return std::nullopt;
  if (!in.AtEnd()) {
    if (!in.TakeLetter('t') && !in.Take(' ')) return std::nullopt;
    if (!ReadClock(in, &t) || !in.AtEnd()) return std::nullopt;
  }
  if (absl::CivilDay(t.year, t.month, t.day).day() != t.day) return std::nullopt;  // the 30th of February
  return t;
}

std::optional<int64_t> ParseUnix(std::string_view text, int64_t unit_us) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > 18) return std::nullopt;
  int64_t count = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    count = count * 10 + (c - '0');
  }
  int64_t us = 0;
  if (__builtin_mul_overflow(negative ? -count : count, unit_us, &us) || !InTimestampRange(us)) return std::nullopt;
  return us;
}

}  // namespace

std::string_view DateFormatName(DateFormat format) {
  constexpr std::string_view kNames[] = {"ymd", "dmy", "mdy", "unix", "unix_ms", "unix_us"};
  return kNames[static_cast<int>(format)];
}

std::optional<DateFormat> ParseDateFormatName(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(DateFormat::kUnixMicros); ++i) {
    if (DateFormatName(static_cast<DateFormat>(i)) == text) return static_cast<DateFormat>(i);
  }
  return std::nullopt;
}

std::optional<int64_t> ParseTimeUs(std::string_view text, DateFormat format, const absl::TimeZone& zone) {
  if (format == DateFormat::kUnixSeconds) return ParseUnix(text, kSecondUs);
  if (format == DateFormat::kUnixMillis) return ParseUnix(text, 1'000);
  if (format == DateFormat::kUnixMicros) return ParseUnix(text, 1);
  const auto t = ReadLocalTime(text, format);
  if (!t) return std::nullopt;
  const absl::CivilSecond civil(t->year, t->month, t->day, t->hour, t->minute, t->second);  // second 60 is the next second
  int64_t seconds = 0;
  if (t->offset_minutes) {
    seconds = (civil - absl::CivilSecond(1970, 1, 1)) - int64_t{*t->offset_minutes} * 60;
  } else {
    seconds = absl::ToUnixSeconds(absl::FromCivil(civil, zone));
  }
  const int64_t us = seconds * kSecondUs + t->fraction_us;
  if (!InTimestampRange(us)) return std::nullopt;
  return us;
}

uint8_t DateFormatsOf(std::string_view text) {
  if (text.size() < 8 || text.size() > 40 || text[0] < '0' || text[0] > '9') return 0;
  uint8_t formats = 0;
  for (const DateFormat format : {DateFormat::kYearFirst, DateFormat::kDayFirst, DateFormat::kMonthFirst}) {
    if (ReadLocalTime(text, format)) formats |= static_cast<uint8_t>(1u << static_cast<int>(format));
  }
  return formats;
}

namespace {
struct Unit {
  std::string_view name;
  int64_t us;
};
constexpr Unit kUnits[] = {{"w", 7 * kDayUs}, {"d", kDayUs}, {"h", 3'600 * kSecondUs}, {"m", 60 * kSecondUs}, {"s", kSecondUs},
                           {"ms", 1'000},     {"us", 1}};
}  // namespace

std::optional<int64_t> ParseDurationUs(std::string_view text) {
  int64_t total = 0;
  int64_t previous = std::numeric_limits<int64_t>::max();
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    int64_t count = 0;
    size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
      if (digits >= 17) return std::nullopt;
      count = count * 10 + (text[digits++] - '0');
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
    size_t letters = 0;
    while (letters < text.size() && text[letters] >= 'a' && text[letters] <= 'z') ++letters;
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits) {
      if (candidate.name == text.substr(0, letters)) unit = &candidate;
    }
    if (unit == nullptr || unit->us >= previous) return std::nullopt;
    int64_t part = 0;
    if (__builtin_mul_overflow(count, unit->us, &part) || __builtin_add_overflow(total, part, &total)) return std::nullopt;
    if (total > kDurationMaxUs) return std::nullopt;
    previous = unit->us;
    text.remove_prefix(letters);
  }
  return total;
}

std::string FormatDurationUs(int64_t us) {
  if (us == 0) return "0s";
  std::string text = us < 0 ? "-" : "";
  uint64_t rest = us < 0 ? uint64_t{0} - static_cast<uint64_t>(us) : static_cast<uint64_t>(us);
  for (const Unit& unit : kUnits) {
    if (unit.name == "w" || rest < static_cast<uint64_t>(unit.us)) continue;
    text += fmt::format("{}{}", rest / unit.us, unit.name);
    rest %= unit.us;
  }
  return text;
}

}  // namespace korrel::cli
