// index/expression/literal.h
//
// The text of literals and their values: durations, timestamps, doubles.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "index/expression/expression.h"

namespace korrel {

enum class DurationText { kGood, kMalformed, kWrongOrder, kTooLong };
// "1d12h" → microseconds. kTooLong: over kDurationMaxUs.
DurationText ReadDuration(std::string_view text, int64_t* us);

// A date "2017-03-01"; nullopt where it is none or the calendar has no such day.
struct CivilDate {
  int year, month, day;
};
std::optional<CivilDate> ReadDate(std::string_view text);

// The shortest text that reads back the same, always with an exponent: "1e-1". The exponent is what makes it a double.
std::string DoubleLiteral(double value);

}  // namespace korrel
