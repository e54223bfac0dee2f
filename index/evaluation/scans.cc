// Tests that look at columns or rows, for the rows that are still candidates.

#include <algorithm>
#include <bit>

#include "index/evaluation/block_evaluator.h"
#include "index/evaluation/work.h"

namespace korrel {
namespace {

constexpr size_t kKernelIntervalsMax = 4;  // more are looked up row by row

// [low, high] of raw values as offsets from the block's base; nothing where no offset of that width can be inside.
struct Offsets {
  bool any = false;
  uint64_t low = 0, high = 0;
};

Offsets OffsetsOf(const RawInterval& interval, const NarrowColumn::BlockView& view) {
  const uint64_t largest = view.width == 8 ? UINT64_MAX : (uint64_t{1} << (8 * view.width)) - 1;
  if (interval.high < view.base) return {};
  // Differences of two int64 fit uint64 when the first is not smaller.
  const uint64_t base = static_cast<uint64_t>(view.base);
  const uint64_t low = interval.low <= view.base ? 0 : static_cast<uint64_t>(interval.low) - base;
  const uint64_t high = static_cast<uint64_t>(interval.high) - base;
  if (low > largest) return {};
  return {true, low, std::min(high, largest)};
}

uint32_t ScannedWords(const uint64_t* bits, uint32_t first, uint32_t end) {
  return static_cast<uint32_t>(std::count_if(bits + first, bits + end, [](uint64_t word) { return word != 0; }));
}

}  // namespace

// Whether the turn's budget says to leave this row and all after it to the next turn.
bool BlockEvaluator::MustStopBefore(uint32_t row) {
  if (row >= stop_row_) return true;
  if (!bounded_ || row <= first_row_ || !meter_->exhausted()) return false;
  stop_row_ = row;
  return true;
}

template <class Test>
uint32_t BlockEvaluator::KeepRows(uint64_t* bits, uint64_t units, const Test& test) {
  uint32_t count = 0;
  for (uint32_t at = first_word_; at < end_word_; ++at) {
    if (bits[at] == 0) continue;
    if (MustStopBefore(at * 64)) {
      std::fill(bits + at, bits + end_word_, 0);
      break;
    }
    meter_->Add(units * static_cast<uint64_t>(std::popcount(bits[at])));
    uint64_t kept = 0;
    for (uint64_t word = bits[at]; word != 0; word &= word - 1) {
      const auto bit = static_cast<uint32_t>(std::countr_zero(word));
      if (test(at * 64 + bit)) kept |= uint64_t{1} << bit;
    }
    bits[at] = kept;
    count += static_cast<uint32_t>(std::popcount(kept));
  }
  return count;
}

uint32_t BlockEvaluator::NarrowByIntervals(const Bound& bound, uint64_t* bits) {
  const NarrowColumn::BlockView view = bound.column->narrow().Block(block_);
  const std::vector<RawInterval>& intervals = bound.intervals;
  if (intervals.size() > kKernelIntervalsMax) {
    auto holds = [&](uint32_t row) {
      const int64_t raw = view.Get(row);
      auto after = std::upper_bound(intervals.begin(), intervals.end(), raw, [](int64_t x, const RawInterval& i) { return x < i.low; });
      return after != intervals.begin() && raw <= std::prev(after)->high;
    };
    return KeepRows(bits, 2 * work::kCodeRow, holds);
  }
  if (view.width == 0) {
    const bool holds =
        std::any_of(intervals.begin(), intervals.end(), [&](const RawInterval& i) { return i.low <= view.base && view.base <= i.high; });
    if (!holds) std::fill(bits + first_word_, bits + end_word_, 0);
    return holds ? kernel::Count(bits + first_word_, end_word_ - first_word_) : 0;
  }
  const uint32_t words = end_word_ - first_word_, first = first_word_ * 64;
  const size_t readable = view.rows > first ? view.rows - first : 0;
  const uint8_t* data = readable > 0 ? view.data + static_cast<size_t>(first) * view.width : nullptr;
  std::vector<Offsets> ranges;
  for (const RawInterval& interval : intervals) {
    const Offsets offsets = OffsetsOf(interval, view);
    if (offsets.any) ranges.push_back(offsets);
  }
  meter_->Add(ranges.size() * ScannedWords(bits, first_word_, end_word_) * work::kScanWord);
  if (ranges.size() == 1) return kernel::RangeScan(data, view.width, readable, ranges[0].low, ranges[0].high, bits + first_word_, words);
  ScratchMark mark(this);
  uint64_t *taken = Scratch(), *found = Scratch();
  std::fill(taken + first_word_, taken + end_word_, 0);
  for (const Offsets& range : ranges) {
    std::copy(bits + first_word_, bits + end_word_, found + first_word_);
    kernel::RangeScan(data, view.width, readable, range.low, range.high, found + first_word_, words);
    kernel::OrInto(found + first_word_, words, taken + first_word_);
  }
  std::copy(taken + first_word_, taken + end_word_, bits + first_word_);
  return kernel::Count(bits + first_word_, words);
}

uint32_t BlockEvaluator::NarrowByDoubles(const Bound& bound, uint64_t* bits) {
  const uint32_t words = end_word_ - first_word_, first = first_word_ * 64;
  const double* data = bound.column->DoubleBlock(block_);
  const uint32_t rows = data ? bound.column->DoubleBlockRows(block_) : 0;
  const size_t readable = rows > first ? rows - first : 0;
  meter_->Add(2 * ScannedWords(bits, first_word_, end_word_) * work::kScanWord);
  const DoubleRange& range = bound.doubles[0];
  const uint32_t count = kernel::RangeScanDouble(readable > 0 ? data + first : nullptr, readable, range.low, range.low_open, range.high,
                                                 range.high_open, bits + first_word_, words);
  return count;
}

// Codes whose text was not tested yet are tested through their rows, in batches, and remembered for all turns to come.
uint32_t BlockEvaluator::NarrowByCodes(const Predicate& predicate, const Bound& bound, uint64_t* bits) {
  const NarrowColumn::BlockView view = bound.column->narrow().Block(block_);
  std::vector<Row> rows;
  std::vector<uint8_t> truth;
  auto flush = [&] {
    if (rows.empty()) return;
    EvaluateRows(*predicate.term, rows, false, &truth);
    for (size_t i = 0; i < rows.size(); ++i) {
      const uint32_t row = rows[i].value % kBlockRows;
      bound.truth->Set(static_cast<uint32_t>(view.Get(row)), truth[i]);
      if (!truth[i]) bits[row / 64] &= ~(uint64_t{1} << (row % 64));
    }
    rows.clear();
  };
  KeepRows(bits, work::kCodeRow, [&](uint32_t row) {
    const CodeTruth::State state = bound.truth->Get(static_cast<uint32_t>(view.Get(row)));
    if (state == CodeTruth::kUnknown) {
      rows.emplace_back(block_ * kBlockRows + row);
      meter_->Add(predicate.term->term_count * work::kTermRow);  // ahead, so that rows do not pile up beyond the budget
    }
    return state != CodeTruth::kFalse;
  });
  flush();
  return kernel::Count(bits + first_word_, end_word_ - first_word_);
}

bool BlockEvaluator::SetHolds(const Predicate& predicate, const Bound& bound, Row row) {
  size_t held = 0;
  for (Code code : bound.column->SetCodes(row)) {
    CodeTruth::State state = bound.truth->Get(code.value);
    if (state == CodeTruth::kUnknown) {
      const std::string_view text = bound.column->dictionary().Text(code);
      const bool wanted = std::binary_search(predicate.texts.begin(), predicate.texts.end(), text);
      bound.truth->Set(code.value, wanted);
      state = wanted ? CodeTruth::kTrue : CodeTruth::kFalse;
    }
    held += state == CodeTruth::kTrue;
  }
  if (predicate.op == Op::kHasAll) return held == predicate.texts.size();
  return (held > 0) == (predicate.op == Op::kHasAny);
}

uint32_t BlockEvaluator::NarrowBySets(const Predicate& predicate, const Bound& bound, uint64_t* bits) {
  return KeepRows(bits, work::kSetRow, [&](uint32_t row) { return SetHolds(predicate, bound, Row(block_ * kBlockRows + row)); });
}

uint32_t BlockEvaluator::NarrowByList(const Bound& bound, uint64_t* bits) {
  return KeepRows(bits, work::kSetRow, [&](uint32_t row) { return bound.list->Contains(Row(block_ * kBlockRows + row), view_.now_us); });
}

// Evaluates a term for rows of the block; truth[i] for each. False where the budget ended before the last: `truth` is shorter then.
bool BlockEvaluator::EvaluateRows(const Term& term, const std::vector<Row>& rows, bool may_stop, std::vector<uint8_t>* truth) {
  truth->clear();
  for (size_t first = 0; first < rows.size(); first += rows_per_batch_) {
    const size_t size = std::min<size_t>(rows_per_batch_, rows.size() - first);
    machine_->NewBatch(false);
    Batch batch = Batch::OfRows(std::span(rows).subspan(first, size), may_stop);
    const Vector& value = machine_->Evaluate(term, &batch, nullptr);
    for (size_t i = 0; i < batch.size; ++i) truth->push_back(value.True(i));
    if (batch.size < size) return false;
  }
  return true;
}

uint32_t BlockEvaluator::NarrowByRows(const Predicate& predicate, uint64_t* bits) {
  std::vector<Row> rows;
  std::vector<uint8_t> truth;
  uint32_t at = first_word_;
  uint64_t word = at < end_word_ ? bits[at] : 0;
  auto next = [&] {  // the next batch of candidates
    rows.clear();
    while (rows.size() < rows_per_batch_) {
      while (word == 0 && ++at < end_word_) word = bits[at];
      if (at >= end_word_) return;
      const uint32_t row = at * 64 + static_cast<uint32_t>(std::countr_zero(word));
      if (row >= stop_row_) return;
      rows.emplace_back(block_ * kBlockRows + row);
      word &= word - 1;
    }
  };
  for (next(); !rows.empty(); next()) {
    if (MustStopBefore(rows[0].value % kBlockRows)) break;
    const bool all = EvaluateRows(*predicate.term, rows, bounded_, &truth);
    for (size_t i = 0; i < truth.size(); ++i) {
      const uint32_t row = rows[i].value % kBlockRows;
      if (!truth[i]) bits[row / 64] &= ~(uint64_t{1} << (row % 64));
    }
    if (all) continue;
    stop_row_ = rows[truth.size()].value % kBlockRows;
    break;
  }
  if (stop_row_ < end_word_ * 64) {
    const uint32_t stop_word = std::max(stop_row_ / 64, first_word_);
    bits[stop_word] &= stop_row_ / 64 < first_word_ ? 0 : (uint64_t{1} << (stop_row_ % 64)) - 1;
    std::fill(bits + stop_word + 1, bits + end_word_, 0);
  }
  return kernel::Count(bits + first_word_, end_word_ - first_word_);
}

}  // namespace korrel
