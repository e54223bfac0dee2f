// index/evaluation/explain.h
//
// Explanations: the tree of a condition as it was written, with what every part holds and costs over all live rows, or, for one
// row, what was needed and what was there.
//
// Every part is evaluated for the same rows. Where the budget ends inside a part, the rows it did not reach are taken from all
// parts, so that any row can be the last of a turn.
#pragma once

#include "absl/container/flat_hash_set.h"
#include "index/evaluation/block_evaluator.h"
#include "index/evaluation/plan.h"

namespace korrel {

class Explainer {
 public:
  // Rows of the block at hand whose kept values the clock has overtaken; they are read in the plain form.
  struct Due {
    const uint64_t* rows;  // kBlockWords words
    const CompiledPlan* plan;
    VectorMachine* machine;
  };
  Explainer(const CompiledForm& form, const ShardView& view, BlockEvaluator* bits, VectorMachine* machine,
            std::optional<Due> due = std::nullopt)
      : form_(form), view_(view), bits_(bits), machine_(machine), due_(due) {}

  // The live rows [first_row, end_row) of a block, or as many of them as the meter allows, at least one; end says how many.
  ExplainNode ExplainRows(uint32_t block, uint32_t first_row, uint32_t end_row, const WorkMeter& meter, uint32_t* end);
  ExplainNode ExplainRow(Row row);

 private:
  using Words = std::vector<uint64_t>;  // of the rows that were at hand at first: words [first_word_, end_word_) of the block
  // What was found of a part, kept until it is known which rows all parts were evaluated for.
  struct Found {
    Words holding, absent;
  };
  ExplainNode NodeOf(const Term& term) const;
  ExplainNode ExplainPart(const Term& term, Found* found);
  void Combine(const Term& term, ExplainNode* node, Found* found);
  void Leaf(const Term& term, ExplainNode* node, Found* found);
  Words AbsentRows(const Term& term);
  // Rows at hand for which a term is present; with must_hold: is present and true.
  Words RowsWith(const Term& term, bool must_hold);
  Words RowsRead(VectorMachine* machine, const Term& term, bool must_hold, const Words& among);
  // Puts right what the kept form said of rows that are due.
  void CorrectDue(const Term& term, bool must_hold, Words* rows);
  // Counts for the rows at hand at last; a part's inputs come before it in found_, from *next on.
  void CountFound(ExplainNode* node, size_t* next) const;
  // Leaves the rows from `row` on to another turn.
  void EndAt(uint32_t row);
  // To be said before anything is evaluated: with the budget used up, only the first row is finished.
  void KeepToBudget();
  ExplainNode ExplainRowPart(const Term& term, Row row);

  const CompiledForm& form_;
  const ShardView& view_;
  BlockEvaluator* bits_;
  VectorMachine* machine_;
  std::optional<Due> due_;
  absl::flat_hash_set<const Term*> explained_;  // definitions: each is opened once
  const WorkMeter* meter_ = nullptr;
  uint32_t block_ = 0, first_row_ = 0, end_row_ = 0;  // at hand; fewer as the budget runs out
  uint32_t first_word_ = 0, end_word_ = 0;
  Words live_;                        // the live ones at hand
  std::vector<Found> found_;          // of every part, inputs first
  std::vector<uint64_t> block_bits_;  // for one part, over the whole block
};

}  // namespace korrel
