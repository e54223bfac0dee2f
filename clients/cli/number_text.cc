#include "clients/cli/number_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "storage/value.h"

namespace korrel::cli {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The parts of `[+-] digits [point digits] [e [+-] digits]`, at least one digit before or after the point.
struct Parts {
  bool valid = false;
  bool negative = false;
  bool plus = false;
  bool has_point = false;
  bool has_exponent = false;
  std::string_view whole;
  std::string_view fraction;
  int exponent = 0;
};

std::string_view TakeDigits(std::string_view& text) {
  size_t n = 0;
  while (n < text.size() && IsDigit(text[n])) ++n;
  const std::string_view digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

bool TakeSign(std::string_view& text, bool* negative) {
  if (text.empty() || (text.front() != '-' && text.front() != '+')) return false;
  *negative = text.front() == '-';
  text.remove_prefix(1);
  return true;
}

Parts SplitNumber(std::string_view text, char point) {
  Parts parts;
  const bool sign = TakeSign(text, &parts.negative);
  parts.plus = sign && !parts.negative;
  parts.whole = TakeDigits(text);
  if (!text.empty() && text.front() == point) {
    text.remove_prefix(1);
    parts.has_point = true;
    parts.fraction = TakeDigits(text);
    if (parts.fraction.empty()) return parts;
  }
  if (parts.whole.empty() && parts.fraction.empty()) return parts;
  if (!text.empty() && (text.front() | 0x20) == 'e') {
    text.remove_prefix(1);
    bool negative = false;
    TakeSign(text, &negative);
    const std::string_view digits = TakeDigits(text);
    if (digits.empty()) return parts;
    constexpr int kExponentMax = 100'000;  // beyond any number of digits a cell can balance
    int magnitude = 0;
    for (const char c : digits) magnitude = std::min(kExponentMax, magnitude * 10 + (c - '0'));
    parts.exponent = negative ? -magnitude : magnitude;
    parts.has_exponent = true;
  }
  parts.valid = text.empty();
  return parts;
}

// Digits as an integer times a power of ten. Past 36 digits only whether something was left is remembered.
struct Mantissa {
  int128 digits = 0;
  int kept = 0;
  int dropped = 0;
  bool sticky = false;

  void Add(std::string_view text) {
    for (const char c : text) {
      if (kept == 0 && c == '0') continue;
      if (kept == 36) {
        ++dropped;
        sticky |= c != '0';
      } else {
        digits = digits * 10 + (c - '0');
        ++kept;
      }
    }
  }
};

constexpr Problem kTooLarge = "the number is too large for its type";
constexpr Problem kTooManyDigits = "the number has more digits after the point than its type holds";

}  // namespace

NumberScan ScanNumber(std::string_view text, char point) {
  NumberScan scan;
  if (text.empty() || text.size() > 400 || (!IsDigit(text[0]) && text[0] != '-' && text[0] != point)) return scan;
  const Parts parts = SplitNumber(text, point);
  if (!parts.valid || parts.plus) return scan;
  if (parts.whole.size() > 1 && parts.whole[0] == '0') return scan;  // a code: postcode, telephone number
  scan.int_digits = parts.whole == "0" ? 0 : static_cast<int>(parts.whole.size());
  scan.scale = static_cast<int>(parts.fraction.size());
  if (parts.has_exponent) {
    double value = 0;
    if (ParseDouble(text, point, &value).empty()) scan.kind = NumberScan::kDouble;
  } else if (!parts.has_point) {
    if (scan.int_digits > 18) return scan;
    scan.kind = NumberScan::kInt;
    if (scan.int_digits > 15) {
      int64_t value = 0;
      ParseScaled(text, point, 0, false, &value);
      scan.exact_double = static_cast<int64_t>(static_cast<double>(value)) == value;
    }
  } else if (scan.scale <= 18 && scan.int_digits + scan.scale <= 18) {
    scan.kind = NumberScan::kDecimal;
  } else {
    double value = 0;
    if (ParseDouble(text, point, &value).empty()) scan.kind = NumberScan::kDouble;
  }
  return scan;
}

Problem ParseScaled(std::string_view text, char point, int scale, bool round, int64_t* unscaled) {
  const Parts parts = SplitNumber(text, point);
  if (!parts.valid) return "not a number";
  Mantissa mantissa;
  mantissa.Add(parts.whole);
  mantissa.Add(parts.fraction);
  if (mantissa.kept == 0) {
    *unscaled = 0;
    return {};
  }
  int128 value = mantissa.digits;
  // The number is value × 10^shift in units of 10^-scale.
  int64_t shift = int64_t{parts.exponent} - static_cast<int64_t>(parts.fraction.size()) + mantissa.dropped + scale;
  for (; shift > 0; --shift) {
    if (value > std::numeric_limits<int64_t>::max()) return kTooLarge;
    value *= 10;
  }
  int last = 0;  // the digit cut off last, which alone decides half away from zero
  bool lost = mantissa.sticky;
  for (; shift < 0 && (value != 0 || last != 0); ++shift) {
    lost |= last != 0;
    last = static_cast<int>(value % 10);
    value /= 10;
  }
  if ((lost || last != 0) && !round) return kTooManyDigits;
  if (last >= 5) ++value;
  if (value > std::numeric_limits<int64_t>::max()) return kTooLarge;
  *unscaled = static_cast<int64_t>(parts.negative ? -value : value);
  return {};
}

Problem ParseDouble(std::string_view text, char point, double* value) {
  if (!SplitNumber(text, point).valid) return "not a number";
  std::string copy;
  if (point != '.') {
    copy = text;
    std::replace(copy.begin(), copy.end(), point, '.');
    text = copy;
  }
  if (text.front() == '+') text.remove_prefix(1);
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value);
  // Out of range says neither which way: strtod gives 0 for what is too small, and infinity for what is too large.
  if (result.ec == std::errc::result_out_of_range) *value = std::strtod(std::string(text).c_str(), nullptr);
  if (!std::isfinite(*value)) return "the number is too large for a double";
  if (*value == 0) *value = 0;  // -0.0 is 0.0
  return {};
}

}  // namespace korrel::cli
