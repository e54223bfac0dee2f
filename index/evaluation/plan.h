// index/evaluation/plan.h
//
// CompiledPlan is what Plan::Make makes: the terms of an expression, its condition program if it is a bool, and what an evaluator
// must check before it trusts a shard's columns.
#pragma once

#include <tuple>
#include <vector>

#include "index/evaluation/code_truth.h"
#include "index/evaluation/condition.h"
#include "index/evaluation/term.h"
#include "index/evaluator.h"

namespace korrel {

class CompiledPlan final : public Plan {
 public:
  explicit CompiledPlan(ExpressionRef expression);
  const Expression& expression() const override { return *expression_; }

  const Term& root() const { return *root_; }
  const Condition* condition() const { return condition_; }  // null unless a bool
  const Condition* ConditionOf(const Term& term) const { return conditions_.Find(term); }
  uint32_t slot_count() const { return terms_.slot_count(); }
  uint32_t condition_count() const { return conditions_.condition_count(); }
  uint32_t rows_per_batch() const { return rows_per_batch_; }
  // Whether columns or properties have other types by now than the ones the plan was made for.
  bool IsStale(const ShardView& view) const;
  CodeTruthCache* truths() const { return &truths_; }

 private:
  ExpressionRef expression_;
  TermBuilder terms_;
  ConditionBuilder conditions_;
  const Term* root_;
  const Condition* condition_ = nullptr;
  uint32_t rows_per_batch_;
  std::vector<std::pair<AttributeId, Type>> attributes_;
  std::vector<std::tuple<EventTypeId, PropertyId, Type>> properties_;
  std::vector<EventTypeId> event_types_;
  mutable CodeTruthCache truths_;  // what was found out about codes; never changes an answer
};

}  // namespace korrel
