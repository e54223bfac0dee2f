// index/expression/intervals.h
//
// Intervals is what a test against constants allows its operand to be: a sorted union of half-open intervals of the operand's type.
// Every type is a row of discrete values (a double too has a next one; the next string is the one with a zero byte behind it), so that
// x > 4 and x >= 5 are the same set for an int, and one representation serves all: cuts between values, as bytes that sort like them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "index/expression/node.h"

namespace korrel {

class Intervals {
 public:
  static Intervals None() { return {}; }
  static Intervals All(Type type);
  // Values x of `type` for which `x op constant` holds; the constant is present and comparable with the type.
  static Intervals Where(Type type, Op op, const Constant& constant);
  static Intervals Between(Type type, const Constant& low, const Constant& high);

  void Unite(const Intervals& other);
  // Puts parts beside the others as they come; Unite, last, brings them into order. For thousands of items.
  void Append(const Intervals& other) { parts_.insert(parts_.end(), other.parts_.begin(), other.parts_.end()); }
  bool empty() const { return parts_.empty(); }
  // Whether the one value is in the set.
  bool Holds(Type type, const Constant& value) const;
  std::string Bytes() const;

 private:
  // The cut before the first value it leaves on its right; nullopt: behind all values.
  using Cut = std::optional<std::string>;
  static Cut First(Type type);
  static Cut Before(Type type, const Constant& constant);
  static Cut Behind(Type type, const Constant& constant);
  static bool Less(const Cut& a, const Cut& b);
  void Add(Cut from, Cut to);

  std::vector<std::pair<Cut, Cut>> parts_;
};

}  // namespace korrel
