// index/live/cells.h
//
// Cells are the classes of values of one variable between which no rule tells a difference, numbered from 0.
//
//   numbers   0 absent · 1 below the first cut · 2 from the first cut on · …
//   texts     0 absent · 1 any text that no rule names · 2… the named ones, ascending
//   codes     0 absent · 1 the test fails · 2 it holds; a cut of numbers whose values are answers
//   yes or no 0 no · 1 yes; numbers without a cut
//
// CellMap is the table's side: which cells there are. ShardCells is the shard's: cells of its dictionary codes, found once per code.
//
// Threads   CellMap: any. ShardCells: Of and Has exclusive, PeekOf and PeekHas shared.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "index/evaluation/term.h"
#include "index/live/value_set.h"
#include "storage/attribute_column.h"

namespace korrel {

class VectorMachine;

struct CellRange {
  uint32_t first, last;  // both included
};

class CellMap {
 public:
  // What may tell values apart; call Finish after the last.
  void Cut(const ValueSet& set);
  void Finish();

  uint32_t cell_count() const { return 2 + static_cast<uint32_t>(is_texts_ ? texts_.size() : cuts_.size()); }
  uint32_t OfNumber(int64_t raw) const;
  uint32_t OfText(std::string_view text) const;
  const std::vector<std::string_view>& texts() const { return texts_; }  // cell 2 + i is the i-th; live as long as the conditions
  // The cells of a set that was given to Cut: ascending, disjoint, not touching.
  std::vector<CellRange> RangesOf(const ValueSet& set) const;
  size_t MemoryBytes() const;

 private:
  bool is_texts_ = false;
  std::vector<int64_t> cuts_;  // cell 2 + i begins at the i-th
  std::vector<std::string_view> texts_;
  absl::flat_hash_map<std::string_view, uint32_t> cell_by_text_;
};

// The value of a row as a raw number of `type` (doubles by DoubleKey), where the column may still be of a narrower type. nullopt: absent.
std::optional<int64_t> RawAs(Type type, const AttributeColumn& column, Row row);

// One variable's cells of dictionary codes, in one shard.
class ShardCells {
 public:
  // Named texts: once per text or new code, whichever is less.
  uint32_t OfText(const CellMap& map, const Dictionary& dictionary, Code code);
  uint32_t PeekOfText(const CellMap& map, const Dictionary& dictionary, Code code) const;
  // The answer of a test of codes: 1 false, 2 true.
  uint32_t OfTest(const Term& test, const Dictionary& dictionary, Code code, VectorMachine* machine);
  uint32_t PeekOfTest(Code code) const { return code.value < answers_.size() ? answers_[code.value] : 0; }  // 0: not known yet
  // The code of the one text it looks for, if the dictionary has it.
  std::optional<Code> CodeOf(std::string_view text, const Dictionary& dictionary);

  void Forget() { *this = ShardCells(); }
  size_t MemoryBytes() const;

 private:
  static constexpr uint32_t kLowCodes = 1'024;  // codes given first, as a rule the frequent ones

  void LearnTexts(const CellMap& map, const Dictionary& dictionary);
  uint32_t KnownCell(Code code) const;
  void Know(uint32_t code, uint32_t cell);

  uint32_t known_codes_ = 0;                              // of the dictionary, when it was last looked at
  std::vector<uint32_t> low_cells_;                       // of low codes, by code
  absl::flat_hash_map<uint32_t, uint32_t> cell_by_code_;  // of named texts among the others
  std::vector<uint8_t> answers_;                          // by code; 0: not known yet
  std::optional<Code> code_;
};

// Whether a test of codes holds for one of them.
bool HoldsForCode(const Term& test, const Dictionary& dictionary, Code code, VectorMachine* machine);

}  // namespace korrel
