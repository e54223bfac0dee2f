#include "index/evaluation/block_evaluator.h"

#include <algorithm>
#include <bit>

#include "index/evaluation/work.h"

namespace korrel {
namespace {

constexpr uint32_t kSliceWordsMin = 16;
constexpr uint64_t kSliceUnits = kTurnWorkUnits / 8;  // what a slice should cost at most

uint32_t CountWords(const uint64_t* bits, uint32_t first, uint32_t end) { return kernel::Count(bits + first, end - first); }

// Clears the bits of the rows from `row` on.
void ClearFrom(uint32_t row, uint32_t end_word, uint64_t* bits) {
  uint32_t word = row / 64;
  if (word >= end_word) return;
  bits[word] &= (uint64_t{1} << (row % 64)) - 1;
  std::fill(bits + word + 1, bits + end_word, 0);
}

}  // namespace

BlockEvaluator::BlockEvaluator(const ShardView& view, uint32_t condition_count, CodeTruthCache* truths, VectorMachine* machine,
                               WorkMeter* meter, uint32_t rows_per_batch)
    : view_(view),
      truths_(truths),
      machine_(machine),
      meter_(meter),
      rows_per_batch_(rows_per_batch),
      bound_(condition_count),
      orders_(condition_count),
      estimates_(condition_count),
      remembered_(condition_count) {}
BlockEvaluator::~BlockEvaluator() = default;

uint64_t* BlockEvaluator::Scratch() {
  if (scratch_used_ == scratch_.size()) scratch_.push_back(std::make_unique<Words>());
  return scratch_[scratch_used_++]->data();
}

// The block in slices: the first is small enough for the kernels to fit the budget, each next one if there is budget left.
uint32_t BlockEvaluator::Match(const Condition& condition, uint32_t block, uint32_t first_row, uint64_t* bits, uint32_t* matches,
                               const Due* due) {
  ScratchMark mark(this);
  uint64_t* out = bits ? bits : Scratch();
  if (bits) std::fill(bits, bits + kBlockWords, 0);
  uint32_t count = 0, end = kBlockRows;
  const uint64_t* live = view_.table->live().Block(block);
  block_ = block;
  bounded_ = true;
  among_ = {due ? due->rows : nullptr, true};
  for (uint32_t word = first_row / 64; live && word < kBlockWords; word = end_word_) {
    const uint64_t before = meter_->used();
    first_word_ = word;
    end_word_ = std::min(kBlockWords, word + slice_words_);
    first_row_ = std::max(first_row, word * 64);
    end_row_ = end_word_ * 64;
    stop_row_ = kBlockRows;
    ++serial_;
    CopyLive(out);
    uint32_t slice_count = Narrow(condition, out);
    if (due) slice_count = AddDue(*due, out);
    if (stop_row_ < end_word_ * 64) {
      ClearFrom(stop_row_, end_word_, out);
      slice_count = CountWords(out, first_word_, end_word_);
    }
    count += slice_count;
    if (stop_row_ < end_word_ * 64) {
      end = stop_row_;
      break;
    }
    if (meter_->exhausted() && end_word_ < kBlockWords) {
      end = end_word_ * 64;
      break;
    }
    // Slices that were cheap make the next one larger, dear ones smaller, so that a turn overruns by little.
    const uint64_t used = meter_->used() - before;
    slice_words_ = used < kSliceUnits / 4 ? slice_words_ * 4 : used > kSliceUnits ? slice_words_ / 2 : slice_words_;
    slice_words_ = std::clamp(slice_words_, kSliceWordsMin, kBlockWords);
  }
  if (matches) *matches = count;
  return end;
}

// The due rows at hand, as far as the others were answered; where they need another turn, it is one for all.
uint32_t BlockEvaluator::AddDue(const Due& due, uint64_t* bits) {
  ScratchMark mark(this);
  uint64_t* found = Scratch();
  std::fill(found + first_word_, found + end_word_, 0);
  if (CountWords(due.rows, first_word_, end_word_) > 0) {
    const uint32_t end = std::min(end_row_, stop_row_);
    const uint32_t answered = due.evaluator->MatchRows(*due.condition, block_, first_row_, end, true, found, due.rows);
    if (answered < end) stop_row_ = answered;
  }
  return kernel::OrInto(found + first_word_, end_word_ - first_word_, bits + first_word_);
}

uint32_t BlockEvaluator::MatchRows(const Condition& condition, uint32_t block, uint32_t first_row, uint32_t end_row, bool may_stop,
                                   uint64_t* bits, const uint64_t* among) {
  block_ = block;
  bounded_ = may_stop;
  among_ = {among, false};
  first_word_ = first_row / 64;
  end_word_ = (end_row + 63) / 64;
  first_row_ = first_row;
  end_row_ = end_row;
  stop_row_ = kBlockRows;
  ++serial_;
  if (!CopyLive(bits)) return end_row;
  Narrow(condition, bits);
  if (stop_row_ >= end_row) return end_row;
  ClearFrom(stop_row_, end_word_, bits);
  return stop_row_;
}

// The live rows at hand; false: the block has none.
bool BlockEvaluator::CopyLive(uint64_t* bits) const {
  const uint64_t* live = view_.table->live().Block(block_);
  if (!live) {
    std::fill(bits + first_word_, bits + end_word_, 0);
    return false;
  }
  std::copy(live + first_word_, live + end_word_, bits + first_word_);
  bits[first_word_] &= ~uint64_t{0} << (first_row_ % 64);
  ClearFrom(end_row_, end_word_, bits);
  for (uint32_t at = first_word_; among_.words && at < end_word_; ++at)
    bits[at] &= among_.complement ? ~among_.words[at] : among_.words[at];
  return true;
}

uint32_t BlockEvaluator::Narrow(const Condition& condition, uint64_t* bits) {
  if (condition.shared && condition.kind != Condition::Kind::kLeaf) return NarrowShared(condition, bits);
  return NarrowInner(condition, bits);
}

// Evaluated once for all live rows at hand.
uint32_t BlockEvaluator::NarrowShared(const Condition& condition, uint64_t* bits) {
  Remembered& remembered = remembered_[condition.id];
  if (!remembered.bits) remembered.bits = std::make_unique<Words>();
  uint64_t* all = remembered.bits->data();
  if (remembered.serial != serial_) {
    CopyLive(all);
    NarrowInner(condition, all);
    remembered.serial = serial_;
  }
  return AndOperands({{bits, false}, {all, false}}, bits);
}

uint32_t BlockEvaluator::NarrowInner(const Condition& condition, uint64_t* bits) {
  if (condition.kind == Condition::Kind::kLeaf) return NarrowLeaf(condition, bits);
  if (!condition.complement) return condition.kind == Condition::Kind::kAnd ? NarrowAnd(condition, bits) : NarrowOr(condition, bits);
  ScratchMark mark(this);
  uint64_t* fitting = Scratch();
  std::copy(bits + first_word_, bits + end_word_, fitting + first_word_);
  condition.kind == Condition::Kind::kAnd ? NarrowAnd(condition, fitting) : NarrowOr(condition, fitting);
  return AndOperands({{bits, false}, {fitting, true}}, bits);
}

uint32_t BlockEvaluator::AndOperands(const std::vector<kernel::BitOperand>& operands, uint64_t* bits) {
  meter_->Add(1 + operands.size() * (end_word_ - first_word_) / work::kBitWordsPerUnit);
  std::array<kernel::BitOperand, 8> few;
  std::vector<kernel::BitOperand> many;
  kernel::BitOperand* at_hand = few.data();
  if (operands.size() > few.size()) {
    many.resize(operands.size());
    at_hand = many.data();
  }
  for (size_t i = 0; i < operands.size(); ++i) at_hand[i] = {operands[i].words + first_word_, operands[i].complement};
  return kernel::AndCount({at_hand, operands.size()}, end_word_ - first_word_, bits + first_word_);
}

// The words at hand of a union of postings, or'ed together in scratch words.
const uint64_t* BlockEvaluator::LayOut(const std::vector<const Posting*>& postings) {
  uint64_t* joined = Scratch();
  const uint32_t words = end_word_ - first_word_;
  std::fill(joined + first_word_, joined + end_word_, 0);
  for (const Posting* posting : postings) {
    const Posting::Container container = posting->Block(block_);
    if (container.kind == Posting::Container::Kind::kBits) {
      kernel::OrInto(container.bits + first_word_, words, joined + first_word_);
    } else {
      Posting::Expand(container, joined, first_word_, end_word_);
    }
    meter_->Add(words / work::kBitWordsPerUnit + static_cast<uint64_t>(container.size) * words / kBlockWords);
  }
  return joined;
}

// Bitset containers and bitmaps are used where they lie; arrays, runs and unions are laid out in scratch words first.
bool BlockEvaluator::AddOperands(const Bound& bound, bool complement, std::vector<kernel::BitOperand>* operands) {
  for (const BitSource& source : bound.sources) {
    const bool flip = source.complement != complement;
    const uint64_t* words = nullptr;
    if (source.rows) {
      words = source.rows->Block(block_);
    } else if (source.postings.size() == 1) {
      const Posting::Container container = source.postings[0]->Block(block_);
      const bool lies_as_bits = container.kind == Posting::Container::Kind::kEmpty || container.kind == Posting::Container::Kind::kBits;
      words = lies_as_bits ? container.bits : LayOut(source.postings);
    } else {
      words = LayOut(source.postings);
    }
    if (words) {
      operands->push_back({words, flip});
    } else if (!flip) {
      return false;
    }
  }
  return true;
}

// All operands that are bits in one pass, then the others, each among what is left.
uint32_t BlockEvaluator::NarrowAnd(const Condition& condition, uint64_t* bits) {
  ScratchMark mark(this);
  std::vector<kernel::BitOperand> operands = {{bits, false}};
  auto fused = [&](const Condition& input) {
    if (input.kind != Condition::Kind::kLeaf) return false;
    const Bound& bound = BoundOf(input);
    const bool complement = input.complement != bound.complement;
    return bound.access == Access::kBits && (!complement || bound.sources.size() == 1);
  };
  const std::vector<const Condition*>& order = OrderOf(condition);
  for (const Condition* input : order) {
    if (!fused(*input)) continue;
    const Bound& bound = BoundOf(*input);
    if (AddOperands(bound, input->complement != bound.complement, &operands)) continue;
    std::fill(bits + first_word_, bits + end_word_, 0);
    return 0;
  }
  uint32_t count = AndOperands(operands, bits);
  for (const Condition* input : order) {
    if (count == 0) break;
    if (!fused(*input)) count = Narrow(*input, bits);
  }
  return count;
}

// What one operand takes, the next ones are not asked for.
uint32_t BlockEvaluator::NarrowOr(const Condition& condition, uint64_t* bits) {
  ScratchMark mark(this);
  uint64_t *open = Scratch(), *taken = Scratch(), *found = Scratch();
  std::copy(bits + first_word_, bits + end_word_, open + first_word_);
  std::fill(taken + first_word_, taken + end_word_, 0);
  for (const Condition* input : OrderOf(condition)) {
    std::copy(open + first_word_, open + end_word_, found + first_word_);
    if (Narrow(*input, found) == 0) continue;
    kernel::OrInto(found + first_word_, end_word_ - first_word_, taken + first_word_);
    if (AndOperands({{open, false}, {found, true}}, open) == 0) break;
  }
  std::copy(taken + first_word_, taken + end_word_, bits + first_word_);
  return CountWords(bits, first_word_, end_word_);
}

uint32_t BlockEvaluator::NarrowLeaf(const Condition& leaf, uint64_t* bits) {
  Bound& bound = BoundOf(leaf);
  const bool complement = leaf.complement != bound.complement;
  ScratchMark mark(this);
  if (bound.access == Access::kNever || bound.access == Access::kAlways) {
    if ((bound.access == Access::kNever) != complement) std::fill(bits + first_word_, bits + end_word_, 0);
    return CountWords(bits, first_word_, end_word_);
  }
  if (bound.access == Access::kBits && (!complement || bound.sources.size() == 1)) {
    std::vector<kernel::BitOperand> operands = {{bits, false}};
    if (AddOperands(bound, complement, &operands)) return AndOperands(operands, bits);
    std::fill(bits + first_word_, bits + end_word_, 0);
    return 0;
  }
  if (!complement) return NarrowTest(leaf.predicate, bound, bits);
  uint64_t* fitting = Scratch();
  std::copy(bits + first_word_, bits + end_word_, fitting + first_word_);
  NarrowTest(leaf.predicate, bound, fitting);
  return AndOperands({{bits, false}, {fitting, true}}, bits);
}

uint32_t BlockEvaluator::NarrowTest(const Predicate& predicate, Bound& bound, uint64_t* bits) {
  if (bound.access == Access::kRows) return NarrowByRows(predicate, bits);
  ScratchMark mark(this);
  uint64_t *absent = nullptr, *before = nullptr;
  const uint64_t* presence = bound.column ? bound.column->presence().Block(block_) : nullptr;
  if (predicate.absent_truth && bound.access != Access::kBits) {  // bits know about absent rows
    absent = Scratch();
    std::copy(bits + first_word_, bits + end_word_, absent + first_word_);
    if (presence) AndOperands({{absent, false}, {presence, true}}, absent);
  }
  std::vector<kernel::BitOperand> operands = {{bits, false}};
  uint32_t count = 0;
  if (AddOperands(bound, false, &operands)) {
    count = AndOperands(operands, bits);
  } else {
    std::fill(bits + first_word_, bits + end_word_, 0);
  }
  if (count > 0 && bound.inverted) {
    before = Scratch();
    std::copy(bits + first_word_, bits + end_word_, before + first_word_);
  }
  if (count > 0) {
    switch (bound.access) {
      case Access::kNarrowScan:
        count = NarrowByIntervals(bound, bits);
        break;
      case Access::kDoubleScan:
        count = NarrowByDoubles(bound, bits);
        break;
      case Access::kCodeTable:
        count = NarrowByCodes(predicate, bound, bits);
        break;
      case Access::kSetScan:
        count = NarrowBySets(predicate, bound, bits);
        break;
      case Access::kListScan:
        count = NarrowByList(bound, bits);
        break;
      default:
        break;  // bits: done above
    }
  }
  if (before) count = AndOperands({{before, false}, {bits, true}}, bits);
  if (absent) count = kernel::OrInto(absent + first_word_, end_word_ - first_word_, bits + first_word_);
  return count;
}

}  // namespace korrel
