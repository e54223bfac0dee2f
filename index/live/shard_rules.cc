// One shard's side of the rule tables: cells of its values, and the two questions.

#include <algorithm>
#include <bit>

#include "index/evaluation/vector_machine.h"
#include "index/kernel.h"
#include "index/live/compiled_rules.h"
#include "index/live/row_cells.h"
#include "index/live/rule_table.h"

namespace korrel {
namespace {

// More candidates than this are first cut down by the vectors of everything else; fewer are looked at one by one.
constexpr uint32_t kLookedAtOneByOne = 48;
constexpr size_t kVectorsAtOnce = 8;

// A row's values lie in as many places as it has columns: asked for one after the other each would be waited for. So many are asked for
// together, where candidates are this many.
constexpr size_t kFetchedAtOnce = 64;
constexpr uint32_t kWorthFetching = 8;

using Literal = CompiledRules::Literal;

}  // namespace

struct ShardRules::Impl {
  // A variable's cells before and now, as far as they were asked for in the call at hand.
  struct Known {
    uint32_t epoch = 0;
    uint32_t before = 0, now = 0;
  };
  struct Truth {
    bool before = true, now = true;
    bool flips() const { return before != now; }
  };

  Impl(std::shared_ptr<const CompiledRules> rules, const RuleInputs* inputs)
      : rules(std::move(rules)),
        inputs(inputs),
        cells(this->rules->inside.size()),
        row_cells(CountsOf(*this->rules)),
        known(this->rules->inside.size()),
        candidates(this->rules->word_count),
        scratch(this->rules->word_count) {}

  static std::vector<uint32_t> CountsOf(const CompiledRules& rules) {
    std::vector<uint32_t> counts;
    for (uint32_t v : rules.with_slots) counts.push_back(rules.variable_list[v].cell_count);
    return counts;
  }

  const RuleVariable& Of(uint32_t variable) const { return rules->variable_list[variable]; }

  VectorMachine* Machine() {
    if (!machine) machine = std::make_unique<VectorMachine>(nullptr, rules->slot_count, &meter);
    return machine.get();
  }

  // What both ways of reading a cell share. `of_code` and `has` say it of texts and elements.
  template <class OfCode, class Has>
  uint32_t Read(uint32_t v, Row row, const OfCode& of_code, const Has& has) const {
    const RuleVariable& variable = Of(v);
    switch (variable.kind) {
      case RuleVariable::Kind::kPredicate:
        return inputs->Truth(v, row);
      case RuleVariable::Kind::kList:
        return inputs->IsListMember(variable.segment, row);
      case RuleVariable::Kind::kSegment:
        return inputs->IsMember(rules->inside[v].rule, row);
      case RuleVariable::Kind::kIdentifier:
        return variable.identifier && inputs->HasIdentifier(*variable.identifier, row);
      default:
        break;
    }
    const AttributeColumn* column = inputs->ColumnOf(*variable.value);
    if (!column || !column->Has(row)) return 0;
    const Type type = variable.value->type;
    if (type.kind != ValueKind::kString && type.kind != ValueKind::kSet) {
      const auto raw = RawAs(type, *column, row);
      return raw ? rules->inside[v].cells.OfNumber(*raw) : 0;
    }
    if (column->type().kind != type.kind) return 0;
    if (type.kind == ValueKind::kString) return of_code(*column, Code(static_cast<uint32_t>(column->RawInt(row))));
    return variable.kind == RuleVariable::Kind::kColumn || has(*column);
  }

  uint32_t CellOf(uint32_t v, Row row) {
    const CompiledRules::Variable& inside = rules->inside[v];
    return Read(
        v, row,
        [&](const AttributeColumn& column, Code code) {
          return inside.code_test ? cells[v].OfTest(*inside.code_test, column.dictionary(), code, Machine())
                                  : cells[v].OfText(inside.cells, column.dictionary(), code);
        },
        [&](const AttributeColumn& column) { return HasCode(column, row, cells[v].CodeOf(Of(v).text, column.dictionary())); });
  }

  // The same without remembering anything.
  uint32_t PeekCellOf(uint32_t v, Row row) const {
    const CompiledRules::Variable& inside = rules->inside[v];
    return Read(
        v, row,
        [&](const AttributeColumn& column, Code code) {
          return inside.code_test ? PeekTest(v, column.dictionary(), code) : cells[v].PeekOfText(inside.cells, column.dictionary(), code);
        },
        [&](const AttributeColumn& column) { return HasCode(column, row, column.dictionary().Find(Of(v).text)); });
  }

  uint32_t PeekTest(uint32_t v, const Dictionary& dictionary, Code code) const {
    if (const uint32_t cell = cells[v].PeekOfTest(code)) return cell;
    WorkMeter units;
    VectorMachine own(nullptr, rules->slot_count, &units);
    return HoldsForCode(*rules->inside[v].code_test, dictionary, code, &own) ? 2 : 1;
  }

  static bool HasCode(const AttributeColumn& column, Row row, std::optional<Code> code) {
    if (!code) return false;
    const std::span<const Code> codes = column.SetCodes(row);
    return std::binary_search(codes.begin(), codes.end(), *code);
  }

  // What was kept beside the row, else what its column says.
  uint32_t KeptOr(const uint8_t* kept, uint32_t v, const auto& read) const {
    const uint32_t slot = rules->inside[v].slot;
    return kept && slot != CompiledRules::kNone ? row_cells.Cell(kept, slot) : read();
  }

  void KeepCells(Row row, std::span<const Change> changes) {
    if (row_cells.slot_count() == 0) return;
    if (row_cells.Find(row)) {
      for (const Change& change : changes) {
        if (const uint32_t slot = rules->inside[change.variable].slot; slot != CompiledRules::kNone)
          row_cells.Put(row, slot, CellOf(change.variable, row));
      }
    } else {
      row_cells.Keep(row);
      for (uint32_t slot = 0; slot < row_cells.slot_count(); ++slot) row_cells.Put(row, slot, CellOf(rules->with_slots[slot], row));
    }
  }

  void PrefetchOthers(Row row) const {
    const size_t count = std::min(rules->with_vectors.size(), kFetchedAtOnce);
    for (size_t i = 0; i < count; ++i) {
      const Term* value = Of(rules->with_vectors[i]).value;
      const AttributeColumn* column = value ? inputs->ColumnOf(*value) : nullptr;
      if (column) column->Prefetch(row);
    }
  }

  // ---- Flips ----

  const Known& Cells(uint32_t v, Row row) {
    Known& cell = known[v];
    if (cell.epoch != epoch) {
      cell.epoch = epoch;
      cell.before = cell.now = KeptOr(kept, v, [&] { return CellOf(v, row); });
    }
    return cell;
  }

  void BeginCall() {
    if (++epoch == 0) {
      known.assign(known.size(), {});
      epoch = 1;
    }
    std::fill(candidates.begin(), candidates.end(), 0);
    told_apart = false;
  }

  void NoteChange(uint32_t v, uint32_t before, uint32_t now) {
    known[v] = {.epoch = epoch, .before = before, .now = now};
    if (before != now) rules->inside[v].vectors.OrDifference(before, now, scratch.data(), candidates.data());
  }

  // Leaves only candidates of the conjunctions [begin, end) and returns how many there are.
  uint32_t KeepRange(uint32_t begin, uint32_t end) {
    const size_t first = begin / 64, last = (end - 1) / 64;
    candidates[first] &= ~uint64_t{0} << (begin % 64);
    candidates[last] &= ~uint64_t{0} >> (63 - (end - 1) % 64);
    return kernel::Count(candidates.data() + first, last - first + 1);
  }

  // A conjunction that what did not change makes false was false and is. Where the vectors say all there is to say of a rule, it flipped if
  // exactly one of before and now allows it. When few are left, the rest is found one by one.
  void CutByOthers(Row row, uint32_t begin, uint32_t end) {
    const size_t first = begin / 64, behind = (end - 1) / 64 + 1;
    operands.assign(1, {candidates.data() + first, false});
    for (uint32_t v : rules->with_vectors) {
      const Known& cell = Cells(v, row);
      if (cell.before != cell.now) continue;
      const RuleVectors& vectors = rules->inside[v].vectors;
      if (const uint64_t* words = vectors.Exact(cell.now)) {
        operands.push_back({words + first, false});
      } else {
        vectors.And(cell.now, scratch.data(), candidates.data(), first, behind);
      }
      if (operands.size() <= kVectorsAtOnce) continue;
      if (kernel::AndCount(operands, behind - first, candidates.data() + first) <= kLookedAtOneByOne) return CutByLiterals(row, begin, end);
      operands.resize(1);
    }
    kernel::AndCount(operands, behind - first, candidates.data() + first);
    entered.assign(candidates.begin(), candidates.end());
    left.assign(candidates.begin(), candidates.end());
    for (uint32_t v : rules->with_vectors) {
      const Known& cell = Cells(v, row);
      if (cell.before == cell.now) continue;
      rules->inside[v].vectors.And(cell.now, scratch.data(), entered.data(), first, behind);
      rules->inside[v].vectors.And(cell.before, scratch.data(), left.data(), first, behind);
    }
    for (size_t w = first; w < behind; ++w) {
      candidates[w] &= ~rules->told_by_vectors[w] | (entered[w] ^ left[w]);
    }
    told_apart = true;
  }

  // The same of candidates one by one. Their literals lie anywhere: all are asked for before the first is read.
  void CutByLiterals(Row row, uint32_t begin, uint32_t end) {
    listed.clear();
    for (size_t w = begin / 64; w <= (end - 1) / 64; ++w) {
      for (uint64_t word = candidates[w]; word != 0; word &= word - 1) {
        const auto conjunction = static_cast<uint32_t>(w * 64) + static_cast<uint32_t>(std::countr_zero(word));
        __builtin_prefetch(&rules->literals[rules->first_literal[conjunction]]);
        listed.push_back(conjunction);
      }
    }
    for (uint32_t conjunction : listed) {
      for (const Literal& literal : rules->LiteralsOf(conjunction)) {
        const Known& cell = Cells(literal.variable, row);
        if (cell.before != cell.now || rules->Allows(literal, cell.now)) continue;
        candidates[conjunction / 64] &= ~(uint64_t{1} << (conjunction % 64));
        ++looked_at;
        break;
      }
    }
  }

  Truth LookAt(uint32_t conjunction, Row row) {
    ++looked_at;
    Truth truth;
    for (const Literal& literal : rules->LiteralsOf(conjunction)) {
      const Known& cell = Cells(literal.variable, row);
      const bool allows_now = rules->Allows(literal, cell.now);
      truth.now = truth.now && allows_now;
      truth.before = truth.before && (cell.before == cell.now ? allows_now : rules->Allows(literal, cell.before));
      if (!truth.now && !truth.before) break;
    }
    return truth;
  }

  // The whole rule, of whose conjunctions one is known: it flipped.
  Truth LookAtRule(uint32_t rule, uint32_t flipped, Truth truth, Row row) {
    for (uint32_t c = rules->first_conjunction[rule]; c < rules->first_conjunction[rule + 1]; ++c) {
      candidates[c / 64] &= ~(uint64_t{1} << (c % 64));
      if (c == flipped || (truth.before && truth.now)) continue;
      const Truth other = LookAt(c, row);
      truth.before |= other.before;
      truth.now |= other.now;
    }
    return truth;
  }

  void LookAtCandidate(uint32_t conjunction, Row row, std::vector<Flip>* flips) {
    const uint32_t rule = rules->rule_of[conjunction];
    const uint64_t word = uint64_t{1} << (conjunction % 64);
    Truth truth;
    if (told_apart && (rules->told_by_vectors[conjunction / 64] & word)) {
      ++looked_at;
      truth.now = (entered[conjunction / 64] & word) != 0;
      truth.before = !truth.now;
    } else {
      truth = LookAt(conjunction, row);
      if (truth.flips()) truth = LookAtRule(rule, conjunction, truth, row);
    }
    if (!truth.flips()) return;
    flips->push_back({rule, truth.now});
    // Rules that use this one stand behind it.
    const uint32_t variable = rules->variable_of_rule[rule];
    if (variable != CompiledRules::kNone) NoteChange(variable, truth.before, truth.now);
  }

  void FindFlips(Row row, uint32_t stage, std::span<const Change> changes, std::vector<Flip>* flips) {
    if (stage + 1 >= rules->first_rule.size()) return;
    const uint32_t begin = rules->first_conjunction[rules->first_rule[stage]], end = rules->first_conjunction[rules->first_rule[stage + 1]];
    if (begin == end) return;
    BeginCall();
    kept = row_cells.Find(row);
    for (const Change& change : changes) NoteChange(change.variable, change.old_cell, CellOf(change.variable, row));
    const uint32_t count = KeepRange(begin, end);
    if (count >= kWorthFetching && !kept) PrefetchOthers(row);
    count > kLookedAtOneByOne ? CutByOthers(row, begin, end) : CutByLiterals(row, begin, end);
    for (size_t w = begin / 64; w <= (end - 1) / 64; ++w) {
      while (candidates[w] != 0) {
        const auto conjunction = static_cast<uint32_t>(w * 64) + static_cast<uint32_t>(std::countr_zero(candidates[w]));
        if (conjunction >= end) return;  // of a later stage, by a segment that flipped in this one
        candidates[w] &= candidates[w] - 1;
        LookAtCandidate(conjunction, row, flips);
      }
    }
  }

  // ---- All rules of a row ----

  std::vector<uint64_t> CandidatesOf(Row row) const {
    const uint8_t* const kept_cells = row_cells.Find(row);
    if (!kept_cells) PrefetchOthers(row);
    std::vector<uint64_t> words(rules->word_count, 0), turning(rules->word_count, 0);
    for (uint32_t c = 0; c < rules->conjunction_count(); c += 64) {
      const uint32_t left = rules->conjunction_count() - c;
      words[c / 64] = left >= 64 ? ~uint64_t{0} : (uint64_t{1} << left) - 1;
    }
    for (uint32_t v : rules->with_vectors) {
      const uint32_t cell = KeptOr(kept_cells, v, [&] { return PeekCellOf(v, row); });
      rules->inside[v].vectors.And(cell, turning.data(), words.data(), 0, words.size());
    }
    return words;
  }

  void RulesOf(Row row, std::vector<uint32_t>* found) const {
    const std::vector<uint64_t> words = CandidatesOf(row);
    std::vector<uint32_t> cell_of(rules->inside.size(), CompiledRules::kNone);
    auto holds = [&](const Literal& literal) {
      const CompiledRules::Variable& inside = rules->inside[literal.variable];
      if (inside.vectors.has_vectors()) return true;
      uint32_t& cell = cell_of[literal.variable];
      if (cell == CompiledRules::kNone)
        cell = inside.rule == CompiledRules::kNone ? PeekCellOf(literal.variable, row)
                                                   : std::binary_search(found->begin(), found->end(), inside.rule);
      return rules->Allows(literal, cell);
    };
    for (size_t w = 0; w < words.size(); ++w) {
      for (uint64_t word = words[w]; word != 0; word &= word - 1) {
        const auto conjunction = static_cast<uint32_t>(w * 64) + static_cast<uint32_t>(std::countr_zero(word));
        const uint32_t rule = rules->rule_of[conjunction];
        if (!found->empty() && found->back() == rule) continue;
        const auto literals = rules->LiteralsOf(conjunction);
        if (std::all_of(literals.begin(), literals.end(), holds)) found->push_back(rule);
      }
    }
  }

  bool Holds(uint32_t rule, Row row) {
    for (uint32_t c = rules->first_conjunction[rule]; c < rules->first_conjunction[rule + 1]; ++c) {
      const auto literals = rules->LiteralsOf(c);
      if (std::all_of(literals.begin(), literals.end(), [&](const Literal& l) { return rules->Allows(l, CellOf(l.variable, row)); }))
        return true;
    }
    return false;
  }

  const std::shared_ptr<const CompiledRules> rules;
  const RuleInputs* const inputs;
  std::vector<ShardCells> cells;  // by variable
  RowCells row_cells;
  WorkMeter meter;
  std::unique_ptr<VectorMachine> machine;
  // Of the call at hand.
  uint32_t epoch = 0;
  const uint8_t* kept = nullptr;  // of row_cells; nullptr: not kept
  std::vector<Known> known;       // by variable
  std::vector<uint64_t> candidates, scratch;
  std::vector<uint32_t> listed;  // candidates
  std::vector<kernel::BitOperand> operands;
  std::vector<uint64_t> entered, left;  // candidates that now, and before, is allowed by all vectors
  bool told_apart = false;              // whether these two are known
  uint64_t looked_at = 0;
};

ShardRules::ShardRules(std::shared_ptr<const RuleTable> table, const RuleInputs* inputs)
    : impl_(std::make_unique<Impl>(std::static_pointer_cast<const CompiledRules>(std::move(table)), inputs)) {}

ShardRules::~ShardRules() = default;

uint32_t ShardRules::CellOf(uint32_t variable, Row row) { return impl_->CellOf(variable, row); }

void ShardRules::FindFlips(Row row, uint32_t stage, std::span<const Change> changes, std::vector<Flip>* flips) {
  impl_->FindFlips(row, stage, changes, flips);
}

void ShardRules::RulesOf(Row row, std::vector<uint32_t>* rules) const {
  rules->clear();
  impl_->RulesOf(row, rules);
}

bool ShardRules::Holds(uint32_t rule, Row row) { return impl_->Holds(rule, row); }

void ShardRules::Prefetch(Row row) const { impl_->row_cells.Prefetch(row); }
void ShardRules::KeepCells(Row row, std::span<const Change> changes) { impl_->KeepCells(row, changes); }
void ShardRules::ForgetCells(Row row) { impl_->row_cells.Forget(row); }

void ShardRules::ForgetCodes() {
  for (ShardCells& cells : impl_->cells) cells.Forget();
}

uint64_t ShardRules::conjunctions_looked_at() const { return impl_->looked_at; }

size_t ShardRules::MemoryBytes() const {
  size_t bytes = sizeof(Impl) + impl_->row_cells.MemoryBytes() + impl_->known.capacity() * sizeof(Impl::Known) +
                 (impl_->candidates.capacity() + impl_->scratch.capacity()) * sizeof(uint64_t);
  for (const ShardCells& cells : impl_->cells) bytes += sizeof(cells) + cells.MemoryBytes();
  return bytes;
}

}  // namespace korrel
