// tests/twin/naive_number.h
//
// The twin's arithmetic: fixed point in 128 bits, and doubles rounded once by long division. Written from the rules of the
// language alone and sharing no code with the database.
//
// Errors  nullopt or an absent Value where a result does not exist or does not fit.
#pragma once

#include <optional>
#include <vector>

#include "storage/value.h"

namespace korrel::twin {

// unscaled / 10^scale.
struct Exact {
  int128 unscaled = 0;
  int scale = 0;
};

// An int or decimal; nullopt for every other value.
std::optional<Exact> ExactOf(const Value& value);
// The same number with a larger or equal scale.
Exact Rescaled(Exact x, int scale);
// -1, 0, 1. Both from 64-bit values, so that rescaling cannot overflow.
int CompareExact(Exact a, Exact b);

// numerator / denominator as the nearest double, ties to even. denominator != 0; |both| < 2^127.
double NearestDouble(int128 numerator, int128 denominator);
int128 PowerOf10(int n);

// The result of an operation as a value: absent where it does not fit 64 bits or is not finite; -0.0 becomes 0.0.
Value IntResult(int128 x);
Value DecimalResult(int128 unscaled, int scale);
Value DoubleResult(double x);

// A number as double: itself, or the nearest one.
double AsDouble(const Value& number);
// `value` in a type of at least its own rank (int < decimal of larger scale < double); absent where it overflows.
Value Promoted(const Value& value, Type type);

// How a + b and a * b come out: int, decimal (larger scale, sum of scales), or double as soon as one of them is.
Value Add(const Value& a, const Value& b);
Value Subtract(const Value& a, const Value& b);
Value Multiply(const Value& a, const Value& b);
Value Divide(const Value& a, const Value& b);
Value Modulo(const Value& a, const Value& b);

enum class Rounding { kHalfAway, kFloor, kCeil };
// x rounded to `digits` digits after the point, as an unscaled integer; nullopt where it leaves 64 bits.
std::optional<int64_t> RoundedTo(const Value& x, int digits, Rounding rounding);

// The sum of doubles with one rounding at the end, in any order (Shewchuk's partial sums).
double ExactSum(const std::vector<double>& values);

}  // namespace korrel::twin
