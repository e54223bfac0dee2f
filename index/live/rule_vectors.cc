#include "index/live/rule_vectors.h"

#include <algorithm>

namespace korrel {
namespace {

void Toggle(std::span<const uint32_t> conjunctions, uint64_t* words) {
  for (uint32_t c : conjunctions) words[c / 64] ^= uint64_t{1} << (c % 64);
}

}  // namespace

void RuleVectors::Mention(uint32_t conjunction, std::span<const CellRange> ranges) {
  ++mentions_;
  if (ranges.empty() || ranges[0].first != 0) misses_0_.push_back(conjunction);
  for (const CellRange& range : ranges) {
    if (range.first != 0) ends_.push_back({range.first, conjunction});
    ends_.push_back({range.last + 1, conjunction});
  }
}

void RuleVectors::Finish(uint32_t cell_count, size_t word_count, uint32_t turns_between) {
  word_count_ = word_count;
  std::erase_if(ends_, [&](const End& end) { return end.cell >= cell_count; });
  std::sort(ends_.begin(), ends_.end(),
            [](const End& a, const End& b) { return a.cell != b.cell ? a.cell < b.cell : a.conjunction < b.conjunction; });
  first_turn_.assign(cell_count + 1, 0);
  turns_.reserve(ends_.size());
  for (const End& end : ends_) {
    ++first_turn_[end.cell + 1];
    turns_.push_back(end.conjunction);
  }
  for (uint32_t cell = 0; cell < cell_count; ++cell) first_turn_[cell + 1] += first_turn_[cell];
  std::vector<uint64_t> first(word_count, ~uint64_t{0});
  Toggle(misses_0_, first.data());
  ends_ = {};
  misses_0_ = {};
  if (turns_between > 0) KeepVectors(first, turns_between);
}

void RuleVectors::KeepVectors(const std::vector<uint64_t>& first, uint32_t turns_between) {
  const auto cell_count = static_cast<uint32_t>(first_turn_.size() - 1);
  std::vector<uint64_t> vector = first;
  uint32_t turns_since = UINT32_MAX / 2;  // the first cell is kept
  for (uint32_t cell = 0; cell < cell_count; ++cell) {
    const auto turns = std::span(turns_).subspan(first_turn_[cell], first_turn_[cell + 1] - first_turn_[cell]);
    Toggle(turns, vector.data());
    turns_since += static_cast<uint32_t>(turns.size());
    if (turns_since <= turns_between) continue;
    kept_cells_.push_back(cell);
    vectors_.insert(vectors_.end(), vector.begin(), vector.end());
    turns_since = 0;
  }
  vectors_.shrink_to_fit();
  nearest_.resize(cell_count);
  for (uint32_t cell = 0, kept = 0; cell < cell_count; ++cell) {
    while (kept + 1 < kept_cells_.size() &&
           TurnsBetween(cell, kept_cells_[kept + 1]).size() <= TurnsBetween(cell, kept_cells_[kept]).size())
      ++kept;
    nearest_[cell] = kept;
  }
}

std::span<const uint32_t> RuleVectors::TurnsBetween(uint32_t a, uint32_t b) const {
  const auto [low, high] = std::minmax(a, b);
  return std::span(turns_).subspan(first_turn_[low + 1], first_turn_[high + 1] - first_turn_[low + 1]);
}

void RuleVectors::OrDifference(uint32_t from, uint32_t to, uint64_t* scratch, uint64_t* into) const {
  const std::span<const uint32_t> between = TurnsBetween(from, to);
  if (!has_vectors() || between.size() <= word_count_) {
    Toggle(between, scratch);
    for (uint32_t c : between) {
      into[c / 64] |= scratch[c / 64];
      scratch[c / 64] = 0;
    }
    return;
  }
  const uint32_t a = nearest_[from], b = nearest_[to];
  const uint64_t *old_words = Kept(a), *new_words = Kept(b);
  for (size_t w = 0; w < word_count_; ++w) scratch[w] = old_words[w] ^ new_words[w];
  Toggle(TurnsBetween(kept_cells_[a], from), scratch);
  Toggle(TurnsBetween(kept_cells_[b], to), scratch);
  for (size_t w = 0; w < word_count_; ++w) {
    into[w] |= scratch[w];
    scratch[w] = 0;
  }
}

void RuleVectors::And(uint32_t cell, uint64_t* scratch, uint64_t* into, size_t first_word, size_t end_word) const {
  const uint64_t* words = Kept(nearest_[cell]);
  const std::span<const uint32_t> turns = TurnsBetween(kept_cells_[nearest_[cell]], cell);
  // A bit that turns over an odd number of times is 0 where the kept one is 1 and the other way round.
  Toggle(turns, scratch);
  for (size_t w = first_word; w < end_word; ++w) into[w] &= words[w] ^ scratch[w];
  for (uint32_t c : turns) scratch[c / 64] = 0;
}

size_t RuleVectors::MemoryBytes() const {
  return sizeof(*this) + (first_turn_.capacity() + turns_.capacity() + kept_cells_.capacity() + nearest_.capacity()) * sizeof(uint32_t) +
         vectors_.capacity() * sizeof(uint64_t);
}

}  // namespace korrel
