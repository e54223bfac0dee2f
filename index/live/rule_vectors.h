// index/live/rule_vectors.h
//
// RuleVectors says for one variable which conjunctions allow each of its cells (or do not mention it): a bit vector over all conjunctions
// per cell. Neighbouring cells differ in few bits, so only some cells keep their vector; of all others it is known which bits turn
// over from one cell to the next.
//
//   cells      0 ──c3──▶ 1 ──c1 c7──▶ 2 ──c2──▶ 3 ──c1──▶ 4 …        turns: conjunctions whose literal begins or ends there
//   vectors    ▇                      ▇                   ▇           at some of the cells, where turns are many
//
// Two vectors that are kept and the turns on the way give the XOR of any two cells, whatever their number; a variable that few
// conjunctions mention keeps no vector at all, only turns.
//
// Threads   Immutable after Finish.
// Cost      4 B for each end of a range of cells that a literal allows, 8 B per cell, words × 8 B per vector kept.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "index/live/cells.h"

namespace korrel {

class RuleVectors {
 public:
  // A conjunction mentions the variable: in these cells it holds.
  void Mention(uint32_t conjunction, std::span<const CellRange> ranges);
  // Brings turns into order. `turns_between` is how many may lie between two vectors at most; 0: no vector is kept.
  void Finish(uint32_t cell_count, size_t word_count, uint32_t turns_between);

  size_t turn_count() const { return turns_.empty() ? ends_.size() : turns_.size(); }
  size_t mention_count() const { return mentions_; }
  bool has_vectors() const { return !kept_cells_.empty(); }
  // into |= the conjunctions whose literal differs between the two cells. `scratch` is all zero, before and after.
  void OrDifference(uint32_t from, uint32_t to, uint64_t* scratch, uint64_t* into) const;
  // into &= the cell's vector; has_vectors().
  void And(uint32_t cell, uint64_t* scratch, uint64_t* into, size_t first_word, size_t end_word) const;
  // The cell's vector where it is kept as it is; nullptr: it follows from another.
  const uint64_t* Exact(uint32_t cell) const {
    const uint32_t kept = nearest_[cell];
    return TurnsBetween(kept_cells_[kept], cell).empty() ? Kept(kept) : nullptr;
  }
  size_t MemoryBytes() const;

 private:
  struct End {
    uint32_t cell, conjunction;
  };
  const uint64_t* Kept(uint32_t index) const { return vectors_.data() + index * word_count_; }
  std::span<const uint32_t> TurnsBetween(uint32_t a, uint32_t b) const;
  void KeepVectors(const std::vector<uint64_t>& first, uint32_t turns_between);

  std::vector<End> ends_;           // before Finish
  std::vector<uint32_t> misses_0_;  // before Finish: conjunctions that do not allow cell 0
  size_t mentions_ = 0;
  size_t word_count_ = 0;
  std::vector<uint32_t> first_turn_;  // by cell: turns from the cell before; one more at the end
  std::vector<uint32_t> turns_;
  std::vector<uint32_t> kept_cells_;  // ascending
  std::vector<uint32_t> nearest_;     // by cell: of kept_cells_
  std::vector<uint64_t> vectors_;
};

}  // namespace korrel
