// index/evaluation/block_evaluator.h
//
// BlockEvaluator runs a Condition over the rows of one shard, block by block: bit operands first and fused, then narrow scans,
// then tables of codes, then everything that needs a row looked at; each only for rows that are still candidates.
//
// A predicate's bits are  (test ∧ present) ∨ (absent_truth ∧ ¬present),  always among the candidates given.
//
// Threads   One. Lives inside one turn of the shard's lock.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "index/evaluation/code_truth.h"
#include "index/evaluation/condition.h"
#include "index/evaluation/vector_machine.h"
#include "index/evaluator.h"
#include "index/kernel.h"

namespace korrel {

class BlockEvaluator {
 public:
  BlockEvaluator(const ShardView& view, uint32_t condition_count, CodeTruthCache* truths, VectorMachine* machine, WorkMeter* meter,
                 uint32_t rows_per_batch);
  ~BlockEvaluator();

  // Rows of a block whose kept values the clock has overtaken, and who answers for them: the same condition in its plain form.
  struct Due {
    const uint64_t* rows;  // kBlockWords words
    BlockEvaluator* evaluator;
    const Condition* condition;
  };
  // As Evaluator::Match. `due` may be null: none are.
  uint32_t Match(const Condition& condition, uint32_t block, uint32_t first_row, uint64_t* bits, uint32_t* matches, const Due* due);
  // The condition over the live rows [first_row, end_row) of a block, at least one row; words that hold none of them are not
  // touched. Returns the end of the rows that are answered: end_row unless it may stop, which it does where the budget is used up,
  // but not before the second row. With `among` (kBlockWords words) only rows in it are looked at, the others are not in the result.
  uint32_t MatchRows(const Condition& condition, uint32_t block, uint32_t first_row, uint32_t end_row, bool may_stop, uint64_t* bits,
                     const uint64_t* among = nullptr);

  // How a predicate is answered in this shard, for explanations.
  std::string AccessOf(const Condition& leaf);

 private:
  using Words = std::array<uint64_t, kBlockWords>;
  struct DoubleRange {
    double low, high;
    bool low_open, high_open;
  };
  // One operand of an AND of bits: rows of a bitmap or of any of some postings, or all others.
  struct BitSource {
    const RowBits* rows = nullptr;
    std::vector<const Posting*> postings;
    bool complement = false;
  };
  enum class Access : uint8_t { kNever, kAlways, kBits, kNarrowScan, kDoubleScan, kCodeTable, kSetScan, kListScan, kRows };
  struct Bound {
    Access access = Access::kRows;
    bool complement = false;  // of what the sources hold together (kBits alone)
    std::vector<BitSource> sources;
    const AttributeColumn* column = nullptr;
    std::vector<RawInterval> intervals;
    std::vector<DoubleRange> doubles;
    std::shared_ptr<CodeTruth> truth;
    bool inverted = false;  // what the scan finds is left out
    const StaticList* list = nullptr;
    double cost = 1;      // units for one candidate
    double fraction = 1;  // of the candidates that pass, estimated
  };
  // A shared definition's bits for the words at hand.
  struct Remembered {
    uint64_t serial = 0;
    std::unique_ptr<Words> bits;
  };

  // bind.cc
  Bound& BoundOf(const Condition& leaf);
  void Bind(const Predicate& predicate, Bound* bound);
  void BindRowFree(const Predicate& predicate, Bound* bound);
  void BindIntervals(const Predicate& predicate, Bound* bound);
  void BindDoubles(const Predicate& predicate, Bound* bound);
  void BindStringEquals(const Predicate& predicate, Bound* bound);
  void BindCodeTest(const Predicate& predicate, Bound* bound);
  void BindCodes(const Predicate& predicate, const std::vector<Code>& holding, const std::vector<Code>& others, Bound* bound);
  void UsePostings(std::vector<const Posting*> postings, Bound* bound);
  void UseAllBut(std::vector<const Posting*> postings, Bound* bound);
  void ScanCodes(std::vector<Code> codes, bool others, Bound* bound);
  void BindSetItems(const Predicate& predicate, Bound* bound);
  void KnowAllCodes(const Predicate& predicate, const AttributeColumn& column, CodeTruth* truth);
  bool PostingsOf(const Term& column, const std::vector<Code>& codes, std::vector<const Posting*>* postings) const;
  std::shared_ptr<CodeTruth> TruthOf(const Predicate& predicate, uint32_t codes) const;
  std::vector<Scalar> ScalarsOf(const std::vector<const Term*>& operands);
  struct Estimate {
    bool known = false;
    double cost = 0, fraction = 0;
  };
  const Estimate& EstimateOf(const Condition& condition);
  const std::vector<const Condition*>& OrderOf(const Condition& condition);

  // block_evaluator.cc: all keep in `bits` (the words at hand) only rows for which the condition is true, and return how many.
  uint32_t Narrow(const Condition& condition, uint64_t* bits);
  uint32_t NarrowShared(const Condition& condition, uint64_t* bits);
  uint32_t NarrowInner(const Condition& condition, uint64_t* bits);
  uint32_t NarrowAnd(const Condition& condition, uint64_t* bits);
  uint32_t NarrowOr(const Condition& condition, uint64_t* bits);
  uint32_t NarrowLeaf(const Condition& leaf, uint64_t* bits);
  uint32_t NarrowTest(const Predicate& predicate, Bound& bound, uint64_t* bits);
  bool CopyLive(uint64_t* bits) const;
  uint32_t AddDue(const Due& due, uint64_t* bits);
  const uint64_t* LayOut(const std::vector<const Posting*>& postings);
  // Adds the sources as operands of a fused AND; false: one of them is empty here.
  bool AddOperands(const Bound& bound, bool complement, std::vector<kernel::BitOperand>* operands);
  uint32_t AndOperands(const std::vector<kernel::BitOperand>& operands, uint64_t* bits);

  // scans.cc
  uint32_t NarrowByIntervals(const Bound& bound, uint64_t* bits);
  uint32_t NarrowByDoubles(const Bound& bound, uint64_t* bits);
  uint32_t NarrowByCodes(const Predicate& predicate, const Bound& bound, uint64_t* bits);
  uint32_t NarrowBySets(const Predicate& predicate, const Bound& bound, uint64_t* bits);
  uint32_t NarrowByList(const Bound& bound, uint64_t* bits);
  uint32_t NarrowByRows(const Predicate& predicate, uint64_t* bits);
  bool SetHolds(const Predicate& predicate, const Bound& bound, Row row);
  bool EvaluateRows(const Term& term, const std::vector<Row>& rows, bool may_stop, std::vector<uint8_t>* truth);
  template <class Test>
  uint32_t KeepRows(uint64_t* bits, uint64_t units, const Test& test);
  bool MustStopBefore(uint32_t row);

  uint64_t* Scratch();  // kBlockWords words, of which the ones at hand may be used; given back by ~ScratchMark
  struct ScratchMark {
    explicit ScratchMark(BlockEvaluator* evaluator) : evaluator(evaluator), used(evaluator->scratch_used_) {}
    ~ScratchMark() { evaluator->scratch_used_ = used; }
    BlockEvaluator* evaluator;
    size_t used;
  };

  const ShardView& view_;
  CodeTruthCache* truths_;
  VectorMachine* machine_;
  WorkMeter* meter_;
  const uint32_t rows_per_batch_;
  std::vector<std::unique_ptr<Bound>> bound_;
  std::vector<std::vector<const Condition*>> orders_;
  std::vector<Estimate> estimates_;
  std::vector<Remembered> remembered_;
  std::vector<std::unique_ptr<Words>> scratch_;
  size_t scratch_used_ = 0;
  uint32_t slice_words_ = kBlockWords / 16;

  // The words and rows at hand, and the first row (of the block) that is not answered for want of budget.
  uint32_t block_ = 0, first_word_ = 0, end_word_ = 0;
  uint32_t first_row_ = 0, end_row_ = 0, stop_row_ = kBlockRows;
  bool bounded_ = true;
  kernel::BitOperand among_ = {nullptr, false};  // rows that count as live; null: all
  uint64_t serial_ = 0;
};

}  // namespace korrel
