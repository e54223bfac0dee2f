// index/evaluation/plan.h
//
// CompiledPlan is what Plan::Make makes: an expression in one or two forms, and what an evaluator must check before it trusts a
// shard's columns.
//
//   plain   every definition and aggregate from the profile's records; right in any shard
//   kept    what shards keep current is read (kept.h); only there if the expression uses any of it. Right in a shard where all of
//           its units are ready, for rows that are not due.
#pragma once

#include <optional>
#include <tuple>
#include <vector>

#include "index/evaluation/code_truth.h"
#include "index/evaluation/condition.h"
#include "index/evaluation/term.h"
#include "index/evaluator.h"

namespace korrel {

// The terms of an expression, and its condition program if it is a bool.
class CompiledForm {
 public:
  CompiledForm(const Expression& expression, const KeptNames* kept);

  const Term& root() const { return *root_; }
  const Condition* condition() const { return condition_; }  // null unless a bool
  const Condition* ConditionOf(const Term& term) const { return conditions_.Find(term); }
  const std::deque<Term>& terms() const { return terms_.terms(); }
  uint32_t slot_count() const { return terms_.slot_count(); }
  uint32_t condition_count() const { return conditions_.condition_count(); }
  uint32_t rows_per_batch() const { return rows_per_batch_; }
  CodeTruthCache* truths() const { return &truths_; }

 private:
  TermBuilder terms_;
  ConditionBuilder conditions_;
  const Term* root_;
  const Condition* condition_ = nullptr;
  uint32_t rows_per_batch_;
  mutable CodeTruthCache truths_;  // what was found out about codes; never changes an answer
};

class CompiledPlan final : public Plan {
 public:
  CompiledPlan(ExpressionRef expression, const KeptNames* kept);
  const Expression& expression() const override { return *expression_; }

  const CompiledForm& plain() const { return plain_; }
  // The kept form, if it can be used in a shard now; else nullptr.
  const CompiledForm* KeptIn(const ShardView& view) const;
  // What a term of the kept form is in the plain one.
  const Term& PlainOf(const Term& kept) const { return *plain_by_node_.at(kept.node); }
  // Whether columns or properties have other types by now than the ones the plan was made for.
  bool IsStale(const ShardView& view) const;

 private:
  using TypedAttributes = std::vector<std::pair<AttributeId, Type>>;

  ExpressionRef expression_;
  CompiledForm plain_;
  std::optional<CompiledForm> kept_;
  // What the plain form reads of the profile; of stored things the kept one reads no others.
  TypedAttributes attributes_;
  std::vector<std::tuple<EventTypeId, PropertyId, Type>> properties_;
  std::vector<EventTypeId> event_types_;
  // What the kept form reads beside.
  std::vector<uint64_t> units_;
  TypedAttributes kept_attributes_;
  absl::flat_hash_map<const Node*, const Term*> plain_by_node_;  // only where there is a kept form
};

}  // namespace korrel
