// clients/cli/number_text.h
//
// Numbers as files write them, read exactly: `-12.50`, `12,50` with a decimal comma, `4.440892e-16`.
//
// Two questions are kept apart. ScanNumber says what an *undeclared* text would be guessed as, and follows the rule that
// text of digits with a leading zero, a plus sign or more than 18 digits is no number but a code. ParseScaled and ParseDouble
// read text that somebody *declared* to be a number, and take leading zeros and a plus sign as such.
#pragma once

#include <cstdint>
#include <string_view>

namespace korrel::cli {

struct NumberScan {
  enum Kind : uint8_t { kNotANumber, kInt, kDecimal, kDouble };
  Kind kind = kNotANumber;
  int int_digits = 0;        // digits before the point, without leading zeros
  int scale = 0;             // digits after the point
  bool exact_double = true;  // ints: the nearest double is equal
};

// `point` is the decimal sign, '.' or ','.
NumberScan ScanNumber(std::string_view text, char point);

// Why a text could not be read; empty: it could. The texts are literals.
using Problem = std::string_view;

// The text as unscaled / 10^scale. With `round`, surplus digits round half away from zero; without, they are a problem.
Problem ParseScaled(std::string_view text, char point, int scale, bool round, int64_t* unscaled);
// The nearest double. Never NaN or infinite, never -0.0.
Problem ParseDouble(std::string_view text, char point, double* value);

}  // namespace korrel::cli
