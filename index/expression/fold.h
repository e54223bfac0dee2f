// index/expression/fold.h
//
// Arithmetic on constants, by the rules of the language: exact in 128 bits, absent instead of failure.
#pragma once

#include <compare>
#include <optional>

#include "index/expression/node.h"

namespace korrel {

// What a bound part of an expression is worth when nothing but constants, parameters and arithmetic is in it; nullopt for any other.
// A result that is absent (1 / 0, an overflow) is a Constant without a value.
std::optional<Constant> FoldConstant(const Node& node);

bool IsAbsent(const Constant& constant);
// Comparison by the language's rules; both present, of kinds that compare.
std::partial_ordering CompareConstants(const Constant& a, const Constant& b);

// An exact number, timestamp or duration as unscaled / 10^scale; bools are 0 and 1. nullopt for doubles, strings and sets.
struct ExactNumber {
  int128 unscaled = 0;
  int scale = 0;
};
std::optional<ExactNumber> ExactOf(const Constant& constant);
// Any number as the nearest double.
double DoubleOf(const Constant& constant);

}  // namespace korrel
