// index/evaluation/intervals.h
//
// IntervalSet is the set of raw values (ints, unscaled decimals, microseconds, 0 and 1) of an exact type for which a comparison
// with constants holds: comparing is monotone in the raw value, even where both sides become doubles, so every test is a union
// of intervals.
#pragma once

#include <cstdint>
#include <vector>

#include "index/expression/node.h"
#include "storage/value.h"

namespace korrel {

struct RawInterval {
  int64_t low = 0, high = 0;  // both included
  friend bool operator==(const RawInterval&, const RawInterval&) = default;
};

class IntervalSet {
 public:
  void Add(RawInterval interval);  // in any order; call Finish after the last
  void Finish();                   // sorts and joins
  bool Contains(int64_t raw) const;
  const std::vector<RawInterval>& intervals() const { return intervals_; }

 private:
  std::vector<RawInterval> intervals_;
};

// A present constant in the physical form of its type.
struct Scalar {
  Type type;
  int64_t i = 0;
  double d = 0;
};

// All raw x of the exact type with x <op> constant; op is one of = != < <= > >=. Both sides are numbers, or of one kind.
void AddComparison(Type type, Op op, const Scalar& constant, IntervalSet* set);
// The same between raw bounds of two comparisons: low <= x and x <= high.
void AddBetween(Type type, const Scalar& low, const Scalar& high, IntervalSet* set);

}  // namespace korrel
