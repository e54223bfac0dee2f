#include "engine/question/shard_scan.h"

#include <algorithm>
#include <bit>

namespace korrel {
namespace {

constexpr uint64_t kMatchBudgetMin = kTurnWorkUnits / 64;
constexpr uint64_t kMatchBudgetMax = kTurnWorkUnits * 3 / 4;
constexpr size_t kSliceRows = 1'024;  // rows offered to Take at once

}  // namespace

// Where rows are read as well as judged, the budget is shared: judging must not run far ahead of reading, or most of it would be
// done again in the next turn. AdaptBudget finds the ratio.
ShardScan::ShardScan(Core& core, size_t shard, const CompiledQuestion& question, bool takes_rows, Row from)
    : core_(core),
      shard_(shard),
      question_(question),
      takes_rows_(takes_rows),
      mark_(from),
      bits_(kBlockWords),
      match_budget_(takes_rows ? kTurnWorkUnits / 2 : kTurnWorkUnits) {}

TurnEnd ShardScan::RunTurn(uint64_t* work) {
  TurnEnd end;
  {
    Turn turn(core_, shard_, *question_.catalog);
    end = JudgeRows(&turn);
    *work = turn.work();
  }
  AfterTurn();
  return end;
}

TurnEnd ShardScan::JudgeRows(Turn* turn) {
  if (!turn->fresh()) return TurnEnd::kStale;
  WorkMeter match_meter(match_budget_), take_meter(takes_rows_ ? kTurnWorkUnits - match_budget_ : UINT64_MAX);
  Evaluator evaluator(*question_.plan, turn->view(), &match_meter);
  if (evaluator.PlanIsStale() || !BeginTurn(turn->view(), &take_meter)) return TurnEnd::kStale;
  take_meter_ = &take_meter;
  now_us_ = std::min(now_us_, turn->now_us());

  const uint32_t row_end = turn->table().block_count() * kBlockRows;
  Step step = Step::kGoOn;
  while (mark_.value < row_end && step == Step::kGoOn && !match_meter.exhausted() && !take_meter.exhausted()) {
    step = JudgeRange(&evaluator, *turn);
  }
  EndTurn();
  take_meter_ = nullptr;
  turn->AddWork(match_meter.used() + (takes_rows_ ? take_meter.used() : 0));
  if (takes_rows_) AdaptBudget(step != Step::kNotAllTaken, match_meter.exhausted());
  if (step == Step::kStop) return TurnEnd::kStopped;
  return mark_.value < row_end ? TurnEnd::kMore : TurnEnd::kDone;
}

ShardScan::Step ShardScan::JudgeRange(Evaluator* evaluator, const Turn& turn) {
  const uint32_t block = mark_.value / kBlockRows;
  uint32_t matches = 0;
  const uint32_t end = evaluator->Match(block, mark_.value % kBlockRows, bits_.data(), &matches);
  if (matches > 0 && takes_rows_) {
    const Step step = TakeMatches(turn, block * kBlockRows);
    if (step != Step::kGoOn) return step;
  } else if (matches > 0) {
    match_count_ += matches;
    CountTruncatedBits(turn.table(), block);
  }
  mark_ = Row(block * kBlockRows + end);
  return Step::kGoOn;
}

ShardScan::Step ShardScan::TakeMatches(const Turn& turn, uint32_t block_start) {
  for (uint32_t word = mark_.value % kBlockRows / 64; word < kBlockWords;) {
    rows_.clear();
    for (; word < kBlockWords && rows_.size() < kSliceRows; ++word) {
      for (uint64_t bits = bits_[word]; bits != 0; bits &= bits - 1) {
        rows_.push_back(Row(block_start + word * 64 + static_cast<uint32_t>(std::countr_zero(bits))));
      }
    }
    const Step step = TakeSlice(turn);
    if (step != Step::kGoOn) return step;
  }
  return Step::kGoOn;
}

ShardScan::Step ShardScan::TakeSlice(const Turn& turn) {
  for (std::span<const Row> left = rows_; !left.empty();) {
    if (take_meter_->exhausted()) return Step::kNotAllTaken;
    // No more than the budget is enough for, so that a turn ends at most one row late.
    const size_t offered = std::clamp<uint64_t>(take_meter_->left() / WorkPerRow(), 1, left.size());
    const Taken taken = Take(turn.view(), left.first(offered));
    take_meter_->Add(taken.rows * WorkPerRow());
    match_count_ += taken.rows;
    CountTruncated(turn.table(), left.first(taken.rows));
    if (taken.rows > 0) mark_ = Row(left[taken.rows - 1].value + 1);
    if (taken.stop) return Step::kStop;
    left = left.subspan(taken.rows);
  }
  return Step::kGoOn;
}

void ShardScan::CountTruncated(const ProfileTable& table, std::span<const Row> rows) {
  for (EventTypeId type : question_.event_types) cut_.push_back(table.TruncatedRows(type));
  std::erase(cut_, nullptr);
  if (!cut_.empty()) {
    for (Row row : rows) truncated_count_ += std::ranges::any_of(cut_, [row](const RowBits* bits) { return bits->Test(row); });
  }
  cut_.clear();
}

void ShardScan::CountTruncatedBits(const ProfileTable& table, uint32_t block) {
  for (EventTypeId type : question_.event_types) {
    const RowBits* rows = table.TruncatedRows(type);
    if (rows && rows->Block(block)) cut_blocks_.push_back(rows->Block(block));
  }
  if (!cut_blocks_.empty()) {
    for (uint32_t word = 0; word < kBlockWords; ++word) {
      uint64_t cut = 0;
      for (const uint64_t* words : cut_blocks_) cut |= words[word];
      truncated_count_ += std::popcount(cut & bits_[word]);
    }
  }
  cut_blocks_.clear();
}

void ShardScan::AdaptBudget(bool all_taken, bool match_exhausted) {
  if (!all_taken) {
    match_budget_ = std::max(match_budget_ / 2, kMatchBudgetMin);
  } else if (match_exhausted) {
    match_budget_ = std::min(match_budget_ * 2, kMatchBudgetMax);
  }
}

}  // namespace korrel
