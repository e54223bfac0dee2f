// index/evaluation/condition.h
//
// Condition is a plan's program for bits: and, or and complement over predicates, each in the form that storage and postings can
// answer fastest. Whatever has no such form is a kTerm predicate and is evaluated row by row, last.
//
// Immutable after building, shared by all shards. What is found in one shard (codes, postings, counts) is bound per evaluator,
// see block_evaluator.h.
#pragma once

#include <deque>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "index/evaluation/intervals.h"
#include "index/evaluation/term.h"

namespace korrel {

struct Predicate {
  enum class Kind : uint8_t {
    kRowFree,       // the same for all rows: evaluated once per turn
    kPresence,      // a column is present
    kIntervals,     // an int, decimal or timestamp column against row-free operands
    kDoubles,       // a double column against row-free operands
    kStringEquals,  // a string column is one of a few constants, or present and not the one (op kNotEqual)
    kCodeTest,      // any test of one string or bool column: once per code
    kSetItems,      // a set column against constants
    kIdentifier,    // has_identifier
    kStaticList,    // in segment of a static one
    kMembers,       // in segment of a live one that is kept
    kTerm,          // everything else
  };
  Kind kind = Kind::kTerm;
  const Term* term = nullptr;    // the whole test
  const Term* value = nullptr;   // the column it is about: ColumnOf (vector_machine.h) finds it in a shard
  bool absent_truth = false;     // kCodeTest: whether it holds for rows without a value
  bool intervals_known = false;  // kIntervals: else made from operands that read now(), once per turn
  IntervalSet intervals;
  Op op = Op::kEqual;                   // kIntervals, kDoubles: with the column on the left; kSetItems: kHasAny/All/None; kStringEquals
  std::vector<const Term*> operands;    // kIntervals, kDoubles: the row-free ones
  std::vector<std::string_view> texts;  // kStringEquals, kSetItems: distinct
};

struct Condition {
  enum class Kind : uint8_t { kAnd, kOr, kLeaf } kind = Kind::kLeaf;
  uint32_t id = 0;          // dense from 0
  bool complement = false;  // live rows where the rest is false
  bool shared = false;      // a definition that stands in more than one place
  std::vector<const Condition*> inputs;
  Predicate predicate;
  bool has_aggregate = false;
};

class ConditionBuilder {
 public:
  // `term` is a bool; absent counts as false.
  const Condition* Build(const Term& term);
  // The condition that was built for a term; nullptr if none was.
  const Condition* Find(const Term& term) const;
  uint32_t condition_count() const { return static_cast<uint32_t>(conditions_.size()); }

 private:
  Condition* Add(Condition::Kind kind);
  const Condition* Not(const Term& operand);

  std::deque<Condition> conditions_;
  const Condition* BuildNew(const Term& term);

  absl::flat_hash_map<const Term*, const Condition*> built_;
};

Predicate MakePredicate(const Term& term);

}  // namespace korrel
