// index/evaluation/explain.h
//
// Explanations: the tree of a condition as it was written, with what every part holds and costs over all live rows, or, for one
// row, what was needed and what was there.
#pragma once

#include "absl/container/flat_hash_set.h"
#include "index/evaluation/block_evaluator.h"
#include "index/evaluation/plan.h"

namespace korrel {

class Explainer {
 public:
  Explainer(const CompiledPlan& plan, const ShardView& view, BlockEvaluator* bits, VectorMachine* machine)
      : plan_(plan), view_(view), bits_(bits), machine_(machine) {}

  // The live rows of words [first_word, end_word) of a block, of which those before first_row are left out.
  ExplainNode ExplainWords(uint32_t block, uint32_t first_word, uint32_t end_word, uint32_t first_row);
  ExplainNode ExplainRow(Row row);

 private:
  using Words = std::vector<uint64_t>;
  ExplainNode NodeOf(const Term& term) const;
  ExplainNode ExplainPart(const Term& term, Words* bits);
  void Combine(const Term& term, ExplainNode* node, Words* bits);
  void Leaf(const Term& term, ExplainNode* node, Words* bits);
  uint64_t AbsentRows(const Term& term);
  // Rows at hand for which a term is present.
  Words PresentRows(const Term& term);
  ExplainNode ExplainRowPart(const Term& term, Row row);

  const CompiledPlan& plan_;
  const ShardView& view_;
  BlockEvaluator* bits_;
  VectorMachine* machine_;
  absl::flat_hash_set<const Term*> explained_;  // definitions: each is opened once
  uint32_t block_ = 0, first_word_ = 0, end_word_ = 0;
  Words live_;
};

}  // namespace korrel
