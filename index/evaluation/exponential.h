// index/evaluation/exponential.h
//
// Powers and logarithms of two, our own: what decays must have the same bits on every machine and in every way it is worked out, and
// the C library's exp2 and log2 differ between its versions by the last bit. Nothing here but additions, multiplications and
// divisions of doubles, each rounded once: the file is compiled without contraction into fused operations.
//
// Method  2^f for |f| <= 1/2 by the Taylor series of e^(f ln 2) up to its 13th power, whose remainder is below 2^-57.
//         log2(a/b) by the series of the inverse hyperbolic tangent, log2(a/b) = 2/ln 2 · (s + s^3/3 + s^5/5 + …), s = (a-b)/(a+b),
//         after a/b was brought between sqrt(1/2) and sqrt(2), where a - b is exact; its remainder is below 2^-58.
//         Both series: Abramowitz and Stegun, Handbook of Mathematical Functions, 4.2.1 and 4.6.22.
// Errors  Below three units in the last place of the result (measured: 2.1), which are those of the exponent and of one product more.
#pragma once

#include <cstdint>

namespace korrel {

// x · 2^(-elapsed / half_life): what is left of x. elapsed >= 0, half_life > 0 and below 2^53; not x itself only where elapsed > 0.
double Halved(double x, int64_t elapsed, int64_t half_life);

// log2(a / b) = whole + part, |part| <= 1/2 but for rounding; a and b positive and finite. In two parts, so that a multiple of it loses
// nothing.
struct BinaryLogarithm {
  int whole;
  double part;
};
BinaryLogarithm Log2Quotient(double a, double b);

}  // namespace korrel
