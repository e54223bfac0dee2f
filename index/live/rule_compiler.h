// index/live/rule_compiler.h
//
// RuleCompiler takes conditions apart into disjunctions of conjunctions of "variable v is in set s", and names the variables on the way:
// what two rules test of one column is one variable, and so are predicates of one sharing key.
//
//   not (a or b >= 3)   ─▶   {a = false} and {b: absent, (…, 2]}
//
// A conjunction holds each variable once. Conjunctions that differ in one variable alone are one.
//
// Lifetime  Conditions outlive whatever is made of them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "index/live/rule_table.h"
#include "index/live/value_set.h"

namespace korrel {

inline constexpr size_t kConjunctionsMax = 64;     // of one rule; a longer one is a single predicate
inline constexpr size_t kCodeTestsMax = 16;        // of one column, answered once per code; further ones are predicates
inline constexpr size_t kTextsOfOneTestMax = 256;  // a list of more is a test of codes
inline constexpr size_t kItemsOfOneTestMax = 64;   // elements; a list of more is a predicate

struct RuleLiteral {
  uint32_t variable;
  ValueSet set;
  friend bool operator==(const RuleLiteral&, const RuleLiteral&) = default;
};
using RuleConjunction = std::vector<RuleLiteral>;      // ascending by variable
using RuleDisjunction = std::vector<RuleConjunction>;  // empty: never; one empty conjunction: always

// A variable with what a test of codes is, if it is one: cell 1 false, cell 2 true.
struct CompiledVariable {
  RuleVariable variable;
  const Term* code_test = nullptr;
};

// Slots an evaluator of the term needs.
uint32_t SlotsOf(const Term& root);

class RuleCompiler {
 public:
  // time_zone: see RuleTable::Make.
  RuleCompiler(std::span<const RuleTable::Rule> rules, std::string_view time_zone);

  RuleDisjunction Compile(const Condition& condition);
  std::vector<CompiledVariable>& variables() { return variables_; }
  // The number of a live segment's rule; nullopt: it is not among them.
  std::optional<uint32_t> RuleOf(SegmentId id) const;

 private:
  using Disjunction = std::optional<RuleDisjunction>;  // nullopt: too long
  Disjunction Take(const Condition& condition, bool complement);
  Disjunction TakeNew(const Condition& condition, bool complement);
  Disjunction TakeLeaf(const Condition& leaf, bool complement);
  std::optional<RuleLiteral> TestOfColumn(const Predicate& predicate);
  std::optional<RuleLiteral> TestOfNumbers(const Predicate& predicate);
  std::optional<RuleLiteral> TestOfCodes(const Predicate& predicate);
  Disjunction TakeSetItems(const Condition& leaf, bool complement);
  RuleLiteral TestOfSegment(const Condition& leaf);
  RuleLiteral TestOfPredicate(const Condition& condition, const std::string& key);

  uint32_t Variable(const std::string& key, RuleVariable variable, const Term* code_test = nullptr);
  uint32_t Column(const Term& value);

  absl::flat_hash_map<uint32_t, uint32_t> rule_by_segment_;
  const std::string time_zone_;
  std::vector<CompiledVariable> variables_;
  absl::flat_hash_map<std::string, uint32_t> variable_by_key_;
  absl::flat_hash_map<std::string, size_t> code_tests_;                        // of a column
  absl::flat_hash_map<std::pair<const Condition*, bool>, Disjunction> taken_;  // of the rule at hand
};

}  // namespace korrel
