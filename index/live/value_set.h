// index/live/value_set.h
//
// ValueSet is what a predicate of a rule allows one variable to be: absent or not, and which values. Sets of one variable are joined and
// cut like any sets, so that `a >= 3 and a < 9` is one test and so is `c = 'x' or c = 'y'`.
//
//   kNumbers   disjoint intervals of raw values (ints, unscaled decimals, microseconds, doubles by DoubleKey); also of variables that
//              are yes or no: absent is no, everything else yes
//   kTexts     a list of texts, or all texts but those
//
// Lifetime  Texts are views into the conditions.
// Invariants  Equal sets have equal representations.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "index/evaluation/intervals.h"

namespace korrel {

class ValueSet {
 public:
  enum class Domain : uint8_t { kNumbers, kTexts };

  static ValueSet None(Domain domain) { return ValueSet(domain); }
  static ValueSet Absent(Domain domain);   // absent and nothing else
  static ValueSet Present(Domain domain);  // every value
  static ValueSet Of(const IntervalSet& intervals);
  static ValueSet Of(int64_t low, int64_t high);
  static ValueSet Of(std::vector<std::string_view> texts);

  ValueSet Or(const ValueSet& other) const;
  ValueSet And(const ValueSet& other) const;
  ValueSet Not() const;
  bool empty() const;
  bool full() const;

  Domain domain() const { return domain_; }
  bool absent() const { return absent_; }
  const std::vector<RawInterval>& intervals() const { return intervals_; }
  bool other_texts() const { return other_texts_; }
  const std::vector<std::string_view>& texts() const { return texts_; }  // ascending; exceptions where other_texts()
  friend bool operator==(const ValueSet&, const ValueSet&) = default;

 private:
  explicit ValueSet(Domain domain) : domain_(domain) {}
  bool HasText(std::string_view text) const;
  template <class Combine>
  ValueSet CombineTexts(const ValueSet& other, const Combine& combine) const;

  Domain domain_;
  bool absent_ = false;
  bool other_texts_ = false;
  std::vector<RawInterval> intervals_;
  std::vector<std::string_view> texts_;
};

// Doubles as integers in the same order; both zeros are one.
int64_t DoubleKey(double value);

}  // namespace korrel
