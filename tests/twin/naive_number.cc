#include "tests/twin/naive_number.h"

#include <cmath>
#include <limits>

namespace korrel::twin {
namespace {

using uint128 = unsigned __int128;

bool FitsInt64(int128 x) { return x >= std::numeric_limits<int64_t>::min() && x <= std::numeric_limits<int64_t>::max(); }
uint128 Magnitude(int128 x) { return x < 0 ? -static_cast<uint128>(x) : static_cast<uint128>(x); }

int HighestBit(uint128 x) {
  int bit = 0;
  while (x >>= 1) ++bit;
  return bit;
}

bool IsDouble(const Value& v) { return std::holds_alternative<double>(v); }

Value ExactResult(int128 unscaled, const Value& a, const Value& b, int scale) {
  bool ints = std::holds_alternative<int64_t>(a) && std::holds_alternative<int64_t>(b);
  return ints ? IntResult(unscaled) : DecimalResult(unscaled, scale);
}

// |numerator| / denominator, both non-negative here, rounded by the rule to an integer with the given sign.
int128 RoundQuotient(uint128 quotient, bool above_half, bool exactly_half, bool exact, bool negative, Rounding rounding) {
  bool away = false;
  if (rounding == Rounding::kHalfAway) away = above_half || exactly_half;
  if (rounding == Rounding::kFloor) away = negative && !exact;
  if (rounding == Rounding::kCeil) away = !negative && !exact;
  int128 magnitude = static_cast<int128>(quotient) + (away ? 1 : 0);
  return negative ? -magnitude : magnitude;
}

std::optional<int64_t> RoundExact(Exact x, int digits, Rounding rounding) {
  if (digits >= x.scale) {
    int128 scaled = x.unscaled * PowerOf10(digits - x.scale);
    return FitsInt64(scaled) ? std::optional(static_cast<int64_t>(scaled)) : std::nullopt;
  }
  uint128 divisor = static_cast<uint128>(PowerOf10(x.scale - digits));
  uint128 quotient = Magnitude(x.unscaled) / divisor, rest = Magnitude(x.unscaled) % divisor;
  int128 rounded = RoundQuotient(quotient, 2 * rest > divisor, 2 * rest == divisor, rest == 0, x.unscaled < 0, rounding);
  return FitsInt64(rounded) ? std::optional(static_cast<int64_t>(rounded)) : std::nullopt;
}

// A double is mantissa * 2^exponent exactly, so x * 10^digits is too, with a mantissa below 2^53 * 10^18 < 2^113.
std::optional<int64_t> RoundDouble(double x, int digits, Rounding rounding) {
  int exponent = 0;
  int128 mantissa = static_cast<int128>(std::ldexp(std::frexp(x, &exponent), 53)) * PowerOf10(digits);
  exponent -= 53;
  if (mantissa == 0) return 0;
  uint128 magnitude = Magnitude(mantissa);
  bool negative = mantissa < 0;
  if (exponent >= 0) {
    if (HighestBit(magnitude) + exponent > 64) return std::nullopt;
    int128 whole = static_cast<int128>(magnitude << exponent);
    if (negative) whole = -whole;
    return FitsInt64(whole) ? std::optional(static_cast<int64_t>(whole)) : std::nullopt;
  }
  int shift = -exponent;
  uint128 quotient = shift > 127 ? 0 : magnitude >> shift;
  uint128 rest = shift > 127 ? magnitude : magnitude - (quotient << shift);
  uint128 half = shift > 127 ? 0 : uint128{1} << (shift - 1);
  bool above = shift <= 127 && rest > half, tie = shift <= 127 && rest == half;
  int128 rounded = RoundQuotient(quotient, above, tie, rest == 0, negative, rounding);
  return FitsInt64(rounded) ? std::optional(static_cast<int64_t>(rounded)) : std::nullopt;
}

}  // namespace

int128 PowerOf10(int n) {
  int128 power = 1;
  for (int i = 0; i < n; ++i) power *= 10;
  return power;
}

std::optional<Exact> ExactOf(const Value& value) {
  if (auto* i = std::get_if<int64_t>(&value)) return Exact{*i, 0};
  if (auto* d = std::get_if<Decimal>(&value)) return Exact{d->unscaled, d->scale};
  return std::nullopt;
}

Exact Rescaled(Exact x, int scale) { return {x.unscaled * PowerOf10(scale - x.scale), scale}; }

int CompareExact(Exact a, Exact b) {
  int scale = std::max(a.scale, b.scale);
  int128 x = Rescaled(a, scale).unscaled, y = Rescaled(b, scale).unscaled;
  return x < y ? -1 : x > y ? 1 : 0;
}

double NearestDouble(int128 numerator, int128 denominator) {
  if (numerator == 0) return 0.0;
  bool negative = (numerator < 0) != (denominator < 0);
  uint128 a = Magnitude(numerator), b = Magnitude(denominator);
  uint128 quotient = a / b, rest = a % b;
  int exponent = 0;
  // The value is (quotient + rest / b) * 2^exponent throughout: one more binary digit a step.
  while (quotient < (uint128{1} << 100)) {
    quotient *= 2;
    rest *= 2;
    if (rest >= b) rest -= b, quotient += 1;
    --exponent;
  }
  int dropped = HighestBit(quotient) + 1 - 53;
  uint128 kept = quotient >> dropped, low = quotient - (kept << dropped), half = uint128{1} << (dropped - 1);
  if (low > half || (low == half && (rest != 0 || kept % 2 == 1))) ++kept;
  double magnitude = std::ldexp(static_cast<double>(kept), exponent + dropped);
  return negative ? -magnitude : magnitude;
}

Value IntResult(int128 x) { return FitsInt64(x) ? Value(static_cast<int64_t>(x)) : Value(); }

Value DecimalResult(int128 unscaled, int scale) {
  return FitsInt64(unscaled) ? Value(Decimal{static_cast<int64_t>(unscaled), static_cast<uint8_t>(scale)}) : Value();
}

Value DoubleResult(double x) {
  if (!std::isfinite(x)) return {};
  return x == 0 ? Value(0.0) : Value(x);
}

double AsDouble(const Value& number) {
  if (auto* d = std::get_if<double>(&number)) return *d;
  Exact x = *ExactOf(number);
  return NearestDouble(x.unscaled, PowerOf10(x.scale));
}

Value Promoted(const Value& value, Type type) {
  std::optional<Exact> exact = ExactOf(value);
  if (!exact.has_value()) return value;
  if (type.kind == ValueKind::kDouble) return AsDouble(value);
  if (type.kind == ValueKind::kDecimal) return DecimalResult(Rescaled(*exact, type.scale).unscaled, type.scale);
  return value;
}

Value Add(const Value& a, const Value& b) {
  if (IsDouble(a) || IsDouble(b)) return DoubleResult(AsDouble(a) + AsDouble(b));
  Exact x = *ExactOf(a), y = *ExactOf(b);
  int scale = std::max(x.scale, y.scale);
  return ExactResult(Rescaled(x, scale).unscaled + Rescaled(y, scale).unscaled, a, b, scale);
}

Value Subtract(const Value& a, const Value& b) {
  if (IsDouble(a) || IsDouble(b)) return DoubleResult(AsDouble(a) - AsDouble(b));
  Exact x = *ExactOf(a), y = *ExactOf(b);
  int scale = std::max(x.scale, y.scale);
  return ExactResult(Rescaled(x, scale).unscaled - Rescaled(y, scale).unscaled, a, b, scale);
}

Value Multiply(const Value& a, const Value& b) {
  if (IsDouble(a) || IsDouble(b)) return DoubleResult(AsDouble(a) * AsDouble(b));
  Exact x = *ExactOf(a), y = *ExactOf(b);
  return ExactResult(x.unscaled * y.unscaled, a, b, x.scale + y.scale);
}

Value Divide(const Value& a, const Value& b) {
  if (IsDouble(a) || IsDouble(b)) {
    double divisor = AsDouble(b);
    return divisor == 0 ? Value() : DoubleResult(AsDouble(a) / divisor);
  }
  Exact x = *ExactOf(a), y = *ExactOf(b);
  if (y.unscaled == 0) return {};
  return NearestDouble(x.unscaled * PowerOf10(y.scale), y.unscaled * PowerOf10(x.scale));
}

Value Modulo(const Value& a, const Value& b) {
  Exact x = *ExactOf(a), y = *ExactOf(b);
  if (y.unscaled == 0) return {};
  int scale = std::max(x.scale, y.scale);
  return ExactResult(Rescaled(x, scale).unscaled % Rescaled(y, scale).unscaled, a, b, scale);
}

std::optional<int64_t> RoundedTo(const Value& x, int digits, Rounding rounding) {
  if (auto* d = std::get_if<double>(&x)) return RoundDouble(*d, digits, rounding);
  return RoundExact(*ExactOf(x), digits, rounding);
}

double ExactSum(const std::vector<double>& values) {
  std::vector<double> partials;  // non-overlapping, ascending by magnitude; their sum is exact
  for (double x : values) {
    size_t kept = 0;
    for (double y : partials) {
      if (std::fabs(x) < std::fabs(y)) std::swap(x, y);
      double high = x + y, low = y - (high - x);
      if (low != 0) partials[kept++] = low;
      x = high;
    }
    partials.resize(kept);
    partials.push_back(x);
  }
  if (partials.empty()) return 0.0;
  double high = partials.back(), low = 0;
  size_t left = partials.size() - 1;
  while (left > 0) {
    double x = high, y = partials[--left];
    high = x + y;
    low = y - (high - x);
    if (low != 0) break;
  }
  // Exactly between two doubles: the next partial decides to which side.
  if (left > 0 && ((low < 0) == (partials[left - 1] < 0))) {
    double doubled = low * 2, moved = high + doubled;
    if (doubled == moved - high) high = moved;
  }
  return high == 0 ? 0.0 : high;
}

}  // namespace korrel::twin
