#include "index/live/rule_table.h"

#include <algorithm>
#include <numeric>

#include "index/live/compiled_rules.h"
#include "index/live/row_cells.h"

namespace korrel {
namespace {

constexpr size_t kWordsAtOnce = 8;                   // vectors are a multiple of it
constexpr size_t kVectorBytesMax = size_t{4} << 20;  // of all vectors of a table together
constexpr uint32_t kMentionsForVectors = 64;
constexpr uint32_t kTurnsBetweenVectors = 32;
constexpr size_t kSlotsMax = 96;  // cells kept beside a row: one or two bytes each

class TableMaker {
 public:
  TableMaker(std::span<const RuleTable::Rule> rules, std::string_view time_zone) : rules_(rules), compiler_(rules, time_zone) {}

  std::shared_ptr<const RuleTable> Make() {
    for (const RuleTable::Rule& rule : rules_) compiled_.push_back(compiler_.Compile(*rule.condition));
    NumberVariables();
    CutCells();
    for (uint32_t rule = 0; rule < compiled_.size(); ++rule) AddRule(rule);
    table_->first_conjunction.push_back(static_cast<uint32_t>(table_->rule_of.size()));
    table_->first_literal.push_back(static_cast<uint32_t>(table_->literals.size()));
    table_->literals.push_back({0, 0, static_cast<uint32_t>(table_->ranges.size())});
    MarkStages();
    FinishVectors();
    GiveSlots();
    MarkToldByVectors();
    return table_;
  }

 private:
  // Only what some conjunction mentions stays: a condition that became one predicate has left variables behind.
  void NumberVariables() {
    number_.assign(compiler_.variables().size(), CompiledRules::kNone);
    for (const RuleDisjunction& rule : compiled_) {
      for (const RuleConjunction& conjunction : rule) {
        for (const RuleLiteral& literal : conjunction) {
          uint32_t& number = number_[literal.variable];
          if (number != CompiledRules::kNone) continue;
          number = static_cast<uint32_t>(table_->variable_list.size());
          AddVariable(&compiler_.variables()[literal.variable]);
        }
      }
    }
    table_->variable_of_rule.assign(rules_.size(), CompiledRules::kNone);
    for (uint32_t v = 0; v < table_->inside.size(); ++v) {
      if (table_->inside[v].rule != CompiledRules::kNone) table_->variable_of_rule[table_->inside[v].rule] = v;
    }
  }

  void AddVariable(CompiledVariable* from) {
    CompiledRules::Variable inside;
    inside.code_test = from->code_test;
    if (inside.code_test) {
      inside.cells.Cut(ValueSet::Of(1, INT64_MAX));  // no and yes, whatever the rules make of them
      table_->slot_count = std::max(table_->slot_count, SlotsOf(*inside.code_test));
    }
    if (from->variable.kind == RuleVariable::Kind::kSegment) inside.rule = *compiler_.RuleOf(from->variable.segment);
    table_->variable_list.push_back(std::move(from->variable));
    table_->inside.push_back(std::move(inside));
  }

  void CutCells() {
    for (const RuleDisjunction& rule : compiled_) {
      for (const RuleConjunction& conjunction : rule) {
        for (const RuleLiteral& literal : conjunction) table_->inside[number_[literal.variable]].cells.Cut(literal.set);
      }
    }
    for (size_t v = 0; v < table_->inside.size(); ++v) {
      table_->inside[v].cells.Finish();
      table_->variable_list[v].cell_count = table_->inside[v].cells.cell_count();
    }
  }

  void AddRule(uint32_t rule) {
    table_->first_conjunction.push_back(static_cast<uint32_t>(table_->rule_of.size()));
    for (const RuleConjunction& conjunction : compiled_[rule]) {
      const auto number = static_cast<uint32_t>(table_->rule_of.size());
      table_->rule_of.push_back(rule);
      table_->first_literal.push_back(static_cast<uint32_t>(table_->literals.size()));
      for (const RuleLiteral& literal : conjunction) AddLiteral(number, literal);
    }
  }

  void AddLiteral(uint32_t conjunction, const RuleLiteral& literal) {
    CompiledRules::Variable& variable = table_->inside[number_[literal.variable]];
    const std::vector<CellRange> ranges = variable.cells.RangesOf(literal.set);
    uint64_t low = 0;
    for (const CellRange& range : ranges) {
      for (uint32_t cell = range.first; cell <= std::min(range.last, CompiledRules::Literal::kLowCells - 1); ++cell)
        low |= uint64_t{1} << cell;
    }
    table_->literals.push_back({low, number_[literal.variable], static_cast<uint32_t>(table_->ranges.size())});
    table_->ranges.insert(table_->ranges.end(), ranges.begin(), ranges.end());
    variable.vectors.Mention(conjunction, ranges);
  }

  void MarkStages() {
    uint32_t stage = 0;
    table_->first_rule = {0};
    for (uint32_t rule = 0; rule < rules_.size(); ++rule) {
      for (; stage < rules_[rule].stage; ++stage) table_->first_rule.push_back(rule);
    }
    table_->first_rule.push_back(static_cast<uint32_t>(rules_.size()));
  }

  // Vectors as close as the memory allows; segments have none, since they follow from each other while rules are judged.
  void FinishVectors() {
    const size_t words = (table_->rule_of.size() + 63) / 64;
    table_->word_count = (words + kWordsAtOnce - 1) / kWordsAtOnce * kWordsAtOnce;
    size_t turns = 0, cells = 0;
    for (uint32_t v = 0; v < table_->inside.size(); ++v) {
      if (!WantsVectors(v)) continue;
      table_->with_vectors.push_back(v);
      turns += table_->inside[v].vectors.turn_count();
      cells += table_->variable_list[v].cell_count;
    }
    const size_t vectors_max = kVectorBytesMax / (sizeof(uint64_t) * std::max<size_t>(table_->word_count, 1));
    // Every cell's where there is room, else at distances.
    const size_t between = cells <= vectors_max ? 1 : std::max<size_t>(kTurnsBetweenVectors, turns / std::max<size_t>(vectors_max, 1) + 1);
    for (uint32_t v = 0; v < table_->inside.size(); ++v) {
      const bool wants = WantsVectors(v);
      table_->inside[v].vectors.Finish(table_->variable_list[v].cell_count, table_->word_count, wants ? static_cast<uint32_t>(between) : 0);
    }
    auto mentions = [&](uint32_t v) { return table_->inside[v].vectors.mention_count(); };
    std::stable_sort(table_->with_vectors.begin(), table_->with_vectors.end(),
                     [&](uint32_t a, uint32_t b) { return mentions(a) > mentions(b); });
  }

  // Of the most mentioned variables. Whoever owns the rows knows of every change of these kinds before it happens.
  void GiveSlots() {
    using Kind = RuleVariable::Kind;
    for (uint32_t v : table_->with_vectors) {
      const RuleVariable& variable = table_->variable_list[v];
      const bool is_told = variable.kind == Kind::kColumn || variable.kind == Kind::kElement || variable.kind == Kind::kPredicate;
      if (!is_told || variable.cell_count > RowCells::kCellCountMax || table_->with_slots.size() == kSlotsMax) continue;
      table_->inside[v].slot = static_cast<uint32_t>(table_->with_slots.size());
      table_->with_slots.push_back(v);
    }
  }

  void MarkToldByVectors() {
    table_->told_by_vectors.assign(table_->word_count, 0);
    for (uint32_t c = 0; c < table_->rule_of.size(); ++c) {
      const uint32_t rule = table_->rule_of[c];
      const auto literals = table_->LiteralsOf(c);
      const bool told = table_->first_conjunction[rule + 1] - table_->first_conjunction[rule] == 1 &&
                        std::all_of(literals.begin(), literals.end(), [&](const CompiledRules::Literal& literal) {
                          return table_->inside[literal.variable].vectors.has_vectors();
                        });
      if (told) table_->told_by_vectors[c / 64] |= uint64_t{1} << (c % 64);
    }
  }

  bool WantsVectors(uint32_t variable) const {
    return table_->variable_list[variable].kind != RuleVariable::Kind::kSegment &&
           table_->inside[variable].vectors.mention_count() >= kMentionsForVectors;
  }

  const std::span<const RuleTable::Rule> rules_;
  RuleCompiler compiler_;
  std::vector<RuleDisjunction> compiled_;
  std::vector<uint32_t> number_;  // in the table, by the compiler's
  std::shared_ptr<CompiledRules> table_ = std::make_shared<CompiledRules>();
};

}  // namespace

std::shared_ptr<const RuleTable> RuleTable::Make(std::span<const Rule> rules, std::string_view time_zone) {
  return TableMaker(rules, time_zone).Make();
}

bool CompiledRules::AllowsHigh(const Literal& literal, uint32_t cell) const {
  const uint32_t end = (&literal + 1)->first_range;
  const auto allowed = std::span(ranges).subspan(literal.first_range, end - literal.first_range);
  auto after = std::upper_bound(allowed.begin(), allowed.end(), cell, [](uint32_t c, const CellRange& range) { return c < range.first; });
  return after != allowed.begin() && cell <= std::prev(after)->last;
}

size_t CompiledRules::MemoryBytes() const {
  size_t bytes = sizeof(*this) + variable_list.capacity() * sizeof(RuleVariable) + literals.capacity() * sizeof(Literal) +
                 ranges.capacity() * sizeof(CellRange);
  for (const auto* numbers : {&first_literal, &rule_of, &first_conjunction, &variable_of_rule, &first_rule, &with_vectors, &with_slots})
    bytes += numbers->capacity() * sizeof(uint32_t);
  bytes += told_by_vectors.capacity() * sizeof(uint64_t);
  for (const Variable& variable : inside) bytes += sizeof(Variable) + variable.cells.MemoryBytes() + variable.vectors.MemoryBytes();
  return bytes;
}

}  // namespace korrel
