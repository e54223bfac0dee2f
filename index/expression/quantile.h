// index/expression/quantile.h
//
// `quantile(VALUE, Q)`: what a figure about everybody is defined by. It is no expression, since it speaks of all profiles at once: VALUE
// is one, of each of them, and Q says which place in their order is meant.
//
//   quantile(spend_90d, 0.9)   the smallest value with at least nine tenths of all at or below it (nearest rank)
//
// Errors  As for expressions, located in the whole text.
#pragma once

#include <string>
#include <string_view>

#include "index/expression/expression.h"

namespace korrel {

struct Quantile {
  ExpressionRef of;  // an int, decimal, double or timestamp
  Decimal q;         // from 0 to 1, as written
  std::string normal_form() const;
  // The place among n > 0 values in ascending order, from 0: ceil(q * n), exactly, and at least the first.
  size_t RankAmong(size_t n) const;
};

StatusOr<Quantile> CompileQuantile(std::string_view text, const CompileOptions& options);

// The names that VALUE mentions; none where the text cannot be parsed.
MentionedNames NamesInQuantile(std::string_view text);

}  // namespace korrel
