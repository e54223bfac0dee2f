#include "index/evaluation/exact.h"

#include <algorithm>
#include <cmath>

namespace korrel::exact {
namespace {

int128 DivideHalfAway(int128 x, int128 divisor) {
  int128 quotient = x / divisor;
  const int128 rest = x % divisor;
  const int128 twice = (rest < 0 ? -rest : rest) * 2;
  if (twice >= divisor) quotient += x < 0 ? -1 : 1;
  return quotient;
}

}  // namespace

std::optional<double> Finite(double x) {
  if (!std::isfinite(x)) return std::nullopt;
  return x + 0.0;  // -0.0 + 0.0 is 0.0
}

std::strong_ordering Compare(int64_t a, int scale_a, int64_t b, int scale_b) {
  const int scale = std::max(scale_a, scale_b);
  return Widen(a, scale_a, scale) <=> Widen(b, scale_b, scale);
}

std::optional<int64_t> Round(int64_t x, int from, int to) {
  if (to >= from) return Fit(Widen(x, from, to));
  return Fit(DivideHalfAway(x, kPowersOf10[from - to]));
}

std::optional<int64_t> Round(double x, int scale) {
  if (!std::isfinite(x)) return std::nullopt;
  // x = mantissa · 2^exponent with |mantissa| < 2^53, so that mantissa · 10^18 fits 113 bits.
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);
  const auto mantissa = static_cast<int64_t>(std::ldexp(fraction, 53));
  exponent -= 53;
  const int128 scaled = static_cast<int128>(mantissa) * kPowersOf10[scale];
  if (scaled == 0) return 0;
  if (exponent >= 64) return std::nullopt;
  if (exponent >= 0) {
    const int128 limit = (static_cast<int128>(1) << 64) >> exponent;
    if (scaled > limit || scaled < -limit) return std::nullopt;
    return Fit(scaled * (static_cast<int128>(1) << exponent));
  }
  if (exponent < -120) return 0;  // less than 2^113 / 2^121: below one half
  return Fit(DivideHalfAway(scaled, static_cast<int128>(1) << -exponent));
}

std::optional<int64_t> Floor(int64_t x, int scale) {
  const int64_t divisor = kPowersOf10[scale];
  return x / divisor - (x % divisor < 0 ? 1 : 0);
}

std::optional<int64_t> Ceil(int64_t x, int scale) {
  const int64_t divisor = kPowersOf10[scale];
  return x / divisor + (x % divisor > 0 ? 1 : 0);
}

std::optional<int64_t> ToInt(double integral) {
  // Both bounds are exact doubles; 2^63 itself does not fit.
  if (!(integral >= -0x1p63 && integral < 0x1p63)) return std::nullopt;
  return static_cast<int64_t>(integral);
}

}  // namespace korrel::exact
