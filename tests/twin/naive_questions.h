// tests/twin/naive_questions.h
//
// The twin's answers to questions over everybody: sorted whole, grouped in a map, counted pair by pair.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/database.h"
#include "tests/twin/naive_profile.h"

namespace korrel::twin {

// Everybody who matches, ordered by an expression: absent last, ties by profile id.
std::vector<uint64_t> OrderedMatches(NaiveStore& twin, const Expression& where, const Expression& by, bool descending);

struct NaiveMeasure {
  ExpressionRef of;
  std::vector<double> quantiles;
  std::vector<Value> bounds;  // a value equal to a bound is counted above it
};
struct NaiveGroup {
  std::vector<Value> by;
  uint64_t count = 0;
  std::vector<Value> figures;  // per measure: sum, avg, min, max, quantiles…, histogram…
};
// By falling count, then by value, absent last. A set-valued group is one group per item.
std::vector<NaiveGroup> GroupsOf(NaiveStore& twin, const Expression& where, const std::vector<ExpressionRef>& by,
                                 const std::vector<NaiveMeasure>& measures);

// How many match both, for every pair, row by row.
std::vector<uint64_t> OverlapOf(NaiveStore& twin, const std::vector<ExpressionRef>& selections);

}  // namespace korrel::twin
