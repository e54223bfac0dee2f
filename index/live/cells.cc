#include "index/live/cells.h"

#include <algorithm>

#include "index/evaluation/exact.h"
#include "index/evaluation/vector_machine.h"

namespace korrel {

void CellMap::Cut(const ValueSet& set) {
  if (set.domain() == ValueSet::Domain::kTexts) {
    is_texts_ = true;
    texts_.insert(texts_.end(), set.texts().begin(), set.texts().end());
    return;
  }
  for (const RawInterval& interval : set.intervals()) {
    if (interval.low != INT64_MIN) cuts_.push_back(interval.low);
    if (interval.high != INT64_MAX) cuts_.push_back(interval.high + 1);
  }
}

void CellMap::Finish() {
  std::sort(cuts_.begin(), cuts_.end());
  cuts_.erase(std::unique(cuts_.begin(), cuts_.end()), cuts_.end());
  std::sort(texts_.begin(), texts_.end());
  texts_.erase(std::unique(texts_.begin(), texts_.end()), texts_.end());
  for (uint32_t i = 0; i < texts_.size(); ++i) cell_by_text_[texts_[i]] = 2 + i;
}

uint32_t CellMap::OfNumber(int64_t raw) const {
  return 1 + static_cast<uint32_t>(std::upper_bound(cuts_.begin(), cuts_.end(), raw) - cuts_.begin());
}

uint32_t CellMap::OfText(std::string_view text) const {
  auto it = cell_by_text_.find(text);
  return it == cell_by_text_.end() ? 1 : it->second;
}

std::vector<CellRange> CellMap::RangesOf(const ValueSet& set) const {
  std::vector<CellRange> ranges;
  auto add = [&](uint32_t first, uint32_t last) {
    if (!ranges.empty() && ranges.back().last + 1 == first) {
      ranges.back().last = last;
    } else {
      ranges.push_back({first, last});
    }
  };
  if (set.absent()) add(0, 0);
  for (const RawInterval& interval : set.intervals()) add(OfNumber(interval.low), OfNumber(interval.high));
  if (set.domain() == ValueSet::Domain::kNumbers) return ranges;
  if (set.other_texts()) add(1, 1);
  auto named = set.texts().begin();
  for (uint32_t i = 0; i < texts_.size(); ++i) {
    const bool is_named = named != set.texts().end() && *named == texts_[i];
    if (is_named) ++named;
    if (is_named != set.other_texts()) add(2 + i, 2 + i);
  }
  return ranges;
}

size_t CellMap::MemoryBytes() const {
  return cuts_.capacity() * sizeof(int64_t) + texts_.capacity() * sizeof(std::string_view) +
         cell_by_text_.capacity() * (sizeof(std::pair<std::string_view, uint32_t>) + 1);
}

std::optional<int64_t> RawAs(Type type, const AttributeColumn& column, Row row) {
  if (!column.Has(row)) return std::nullopt;
  const Type from = column.type();
  if (from == type) return type.kind == ValueKind::kDouble ? DoubleKey(column.RawDouble(row)) : column.RawInt(row);
  if (!IsExactNumber(from)) return std::nullopt;
  if (type.kind == ValueKind::kDouble) return DoubleKey(ToNearestDouble(column.RawInt(row), from.scale));
  return IsExactNumber(type) ? exact::Round(column.RawInt(row), from.scale, type.scale) : std::nullopt;
}

uint32_t ShardCells::OfText(const CellMap& map, const Dictionary& dictionary, Code code) {
  if (map.texts().empty()) return 1;
  if (code.value >= known_codes_) LearnTexts(map, dictionary);
  return KnownCell(code);
}

uint32_t ShardCells::PeekOfText(const CellMap& map, const Dictionary& dictionary, Code code) const {
  return code.value < known_codes_ ? KnownCell(code) : map.OfText(dictionary.Text(code));
}

uint32_t ShardCells::KnownCell(Code code) const {
  if (code.value < kLowCodes) return low_cells_[code.value];
  auto it = cell_by_code_.find(code.value);
  return it == cell_by_code_.end() ? 1 : it->second;
}

void ShardCells::Know(uint32_t code, uint32_t cell) {
  if (code < kLowCodes) {
    low_cells_[code] = cell;
  } else if (cell != 1) {
    cell_by_code_[code] = cell;
  }
}

void ShardCells::LearnTexts(const CellMap& map, const Dictionary& dictionary) {
  const uint32_t size = dictionary.size();
  low_cells_.resize(std::min(size, kLowCodes), 1);
  if (size - known_codes_ < map.texts().size()) {
    for (uint32_t code = known_codes_; code < size; ++code) {
      Know(code, map.OfText(dictionary.Text(Code(code))));
    }
  } else {
    for (uint32_t i = 0; i < map.texts().size(); ++i) {
      if (const auto code = dictionary.Find(map.texts()[i])) Know(code->value, 2 + i);
    }
  }
  known_codes_ = size;
}

uint32_t ShardCells::OfTest(const Term& test, const Dictionary& dictionary, Code code, VectorMachine* machine) {
  if (code.value >= answers_.size()) answers_.resize(std::max<size_t>(dictionary.size(), code.value + size_t{1}));
  uint8_t& answer = answers_[code.value];
  if (answer == 0) answer = HoldsForCode(test, dictionary, code, machine) ? 2 : 1;
  return answer;
}

std::optional<Code> ShardCells::CodeOf(std::string_view text, const Dictionary& dictionary) {
  if (code_ || known_codes_ == dictionary.size()) return code_;
  known_codes_ = dictionary.size();
  code_ = dictionary.Find(text);
  return code_;
}

size_t ShardCells::MemoryBytes() const {
  return low_cells_.capacity() * sizeof(uint32_t) + cell_by_code_.capacity() * (2 * sizeof(uint32_t) + 1) + answers_.capacity();
}

bool HoldsForCode(const Term& test, const Dictionary& dictionary, Code code, VectorMachine* machine) {
  machine->NewBatch(false);
  Batch batch{.kind = Batch::Kind::kCodes, .size = 1, .dictionary = &dictionary, .first_code = code.value};
  return machine->Evaluate(test, &batch, nullptr).True(0);
}

}  // namespace korrel
