// clients/cli/time_text.h
//
// Times and durations as people and files write them: RFC 3339, ISO dates, day-first and month-first dates with optional
// clock time (24 h or AM/PM), Unix counts, and durations such as `1d12h`.
//
// A text without a zone is read in the zone given (the catalog's); of a local time that happens twice, the first; one that
// is skipped becomes the instant of the change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace korrel::cli {

enum class DateFormat : uint8_t { kYearFirst, kDayFirst, kMonthFirst, kUnixSeconds, kUnixMillis, kUnixMicros };

// "ymd", "dmy", "mdy", "unix", "unix_ms", "unix_us".
std::string_view DateFormatName(DateFormat format);
std::optional<DateFormat> ParseDateFormatName(std::string_view text);

// Microseconds since 1970 UTC; nullopt where the text is not wholly a time of that format, within years 0001–9999.
// kDayFirst and kMonthFirst also read year-first text, which cannot be mistaken.
std::optional<int64_t> ParseTimeUs(std::string_view text, DateFormat format, const absl::TimeZone& zone);

// On the wire 0 is "not given", mostly now: the instant 1970-01-01T00:00:00Z cannot be sent, and must not become another one.
inline constexpr int64_t kTimeNotGiven = 0;
inline constexpr std::string_view kTimeNotGivenProblem =
    "1970-01-01T00:00:00Z, the one instant that cannot be given; one microsecond beside it can";

// The formats among year-, day- and month-first that read the text as a time, one bit each (1 << DateFormat); 0 for none.
// Unix counts are never guessed. `03.04.2017` is day-first, as wherever points are used.
uint8_t DateFormatsOf(std::string_view text);

// "1d12h", "90s", "10us": parts joined from large to small, a day of 86,400 s, at most 100 years of 365 days, as in
// expressions. In microseconds.
std::optional<int64_t> ParseDurationUs(std::string_view text);
// The inverse, in as few parts as possible from days down: "1200d", "36h" is "1d12h".
std::string FormatDurationUs(int64_t us);

}  // namespace korrel::cli
