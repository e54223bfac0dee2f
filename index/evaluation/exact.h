// index/evaluation/exact.h
//
// The language's exact arithmetic on scalars: 128 bits inside, nothing where the result does not fit. Units: an int is a decimal
// of scale 0.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "storage/value.h"

namespace korrel::exact {

inline std::optional<int64_t> Fit(int128 x) {
  if (x < INT64_MIN || x > INT64_MAX) return std::nullopt;
  return static_cast<int64_t>(x);
}
// NaN and infinities are nothing, -0.0 is 0.0.
std::optional<double> Finite(double x);

// x of scale `from` at the larger scale `to`: fits 128 bits always.
inline int128 Widen(int64_t x, int from, int to) { return static_cast<int128>(x) * kPowersOf10[to - from]; }
std::strong_ordering Compare(int64_t a, int scale_a, int64_t b, int scale_b);

// x of scale `from` rounded half away from zero to scale `to`, which may be larger.
std::optional<int64_t> Round(int64_t x, int from, int to);
// x rounded half away from zero to `scale` decimals: of the double's exact value, not of its shortest text.
std::optional<int64_t> Round(double x, int scale);
std::optional<int64_t> Floor(int64_t x, int scale);
std::optional<int64_t> Ceil(int64_t x, int scale);
std::optional<int64_t> ToInt(double integral);  // an already integral double

}  // namespace korrel::exact
