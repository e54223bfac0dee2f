// tests/index/rule_fixture.h
//
// A shard with live segments over it as rules, kept by nothing but the rule tables: before a change of a row the cells of what will
// change are noted, after it the flips are asked for stage by stage and applied. What conditions say is known beside that by reading
// their texts row by row.
#pragma once

#include <set>

#include "index/evaluation/vector_machine.h"
#include "index/live/rule_table.h"
#include "tests/index/shard_fixture.h"

namespace korrel {

class RuleWorld : public RuleInputs, public KeptNames, public KeptValues {
 public:
  TestShard shard;

  RuleWorld() { shard.definitions.segments["list"] = {SegmentId(kList), true, nullptr}; }

  // A live segment "s0", "s1", …: rules in the order of their addition, each behind those it uses. Call Start after the last.
  void Add(std::string text, uint32_t stage = 0) {
    const auto id = SegmentId(static_cast<uint32_t>(texts_.size()));
    const ExpressionRef compiled = shard.Compile(text);
    ASSERT_NE(compiled, nullptr);
    shard.definitions.segments["s" + std::to_string(id.value)] = {id, false, compiled};
    held_.push_back(compiled);
    texts_.push_back(std::move(text));
    const Term* term = terms_.Build(*compiled->root());
    rules_.push_back({id, conditions_.Build(*term), stage});
    stages_ = std::max(stages_, stage + 1);
  }

  void Start() {
    table_ = RuleTable::Make(rules_, "UTC");
    members_.resize(rules_.size());
    truths_.resize(table_->variables().size());
    judged_ = std::make_unique<ShardRules>(table_, this);
    for (Row row : shard.LiveRows()) Judge(row);
  }

  // Memberships of a row about which nothing is known yet.
  void Judge(Row row) {
    for (uint32_t stage = 0; stage < stages_; ++stage) {
      EvaluatePredicates(row);
      for (uint32_t rule = 0; rule < rules_.size(); ++rule) {
        if (rules_[rule].stage == stage) judged_->Holds(rule, row) ? members_[rule].Set(row) : members_[rule].Clear(row);
      }
    }
  }

  // What the change of a row flips, as the tables say, in order: {rule, entered}.
  using Flips = std::vector<std::pair<uint32_t, bool>>;
  template <class Change>
  Flips FlipsOf(Row row, const Change& change) {
    std::vector<uint32_t> before;
    for (uint32_t v = 0; v < table_->variables().size(); ++v) before.push_back(judged_->CellOf(v, row));
    change();
    Flips flips;
    for (uint32_t stage = 0; stage < stages_; ++stage) {
      EvaluatePredicates(row);
      std::vector<ShardRules::Change> changes;
      for (uint32_t v = 0; v < before.size(); ++v) {
        if (judged_->CellOf(v, row) != before[v]) changes.push_back({v, before[v]});
      }
      std::vector<ShardRules::Flip> found;
      judged_->FindFlips(row, stage, changes, &found);
      for (const ShardRules::Flip& flip : found) {
        flips.emplace_back(flip.rule, flip.entered);
        flip.entered ? members_[flip.rule].Set(row) : members_[flip.rule].Clear(row);
      }
    }
    if (row.value % 2 == 0) KeepCells(row, before);  // the others are read from their columns
    return flips;
  }

  // Rows that are kept change by FlipsOf alone from here on. `before`: cells by variable.
  void KeepCells(Row row, const std::vector<uint32_t>& before) {
    std::vector<ShardRules::Change> changes;
    for (uint32_t v = 0; v < before.size(); ++v) {
      if (judged_->CellOf(v, row) != before[v]) changes.push_back({v, before[v]});
    }
    judged_->KeepCells(row, changes);
  }

  // The same by the texts alone.
  std::vector<uint32_t> RulesByReading(Row row) const {
    std::vector<uint32_t> holding;
    for (uint32_t rule = 0; rule < texts_.size(); ++rule) {
      if (shard.Read(row, texts_[rule]) == Value(true)) holding.push_back(rule);
    }
    return holding;
  }
  std::vector<uint32_t> RulesOf(Row row) const {
    std::vector<uint32_t> holding;
    judged_->RulesOf(row, &holding);
    return holding;
  }
  std::vector<uint32_t> Members(Row row) const {
    std::vector<uint32_t> rules;
    for (uint32_t rule = 0; rule < members_.size(); ++rule) {
      if (members_[rule].Test(row)) rules.push_back(rule);
    }
    return rules;
  }

  const RuleTable& table() const { return *table_; }
  ShardRules& rules() { return *judged_; }
  const std::string& text(uint32_t rule) const { return texts_[rule]; }
  size_t rule_count() const { return texts_.size(); }
  // How many variables there are of a kind.
  size_t Count(RuleVariable::Kind kind) const {
    const auto variables = table_->variables();
    return static_cast<size_t>(std::count_if(variables.begin(), variables.end(), [&](const RuleVariable& v) { return v.kind == kind; }));
  }

  mutable uint64_t columns_asked = 0;  // by the tables

  static constexpr uint32_t kList = 1'000'000;     // a static one
  static constexpr uint32_t kNotKept = 2'000'000;  // and beyond: named conditions of which no members are kept

  // RuleInputs
  bool Truth(uint32_t variable, Row row) const override { return truths_[variable].Test(row); }
  const AttributeColumn* ColumnOf(const Term& value) const override {
    ++columns_asked;
    return shard.table.column(value.node->attribute);
  }
  bool IsListMember(SegmentId id, Row row) const override {
    const StaticList* list = shard.table.List(id);
    return list && list->Contains(row, shard.now_us);
  }
  bool IsMember(uint32_t rule, Row row) const override { return members_[rule].Test(row); }
  bool HasIdentifier(IdentifierTypeId type, Row row) const override {
    const RowBits* rows = shard.table.HavingIdentifier(type);
    return rows && rows->Test(row);
  }
  // KeptNames: segments alone are kept.
  std::optional<Unit> Attribute(AttributeId) const override { return std::nullopt; }
  std::optional<Unit> Segment(SegmentId id) const override {
    return id.value >= kList ? std::nullopt : std::optional(Unit{.serial = id.value + 1, .type = kBoolType});
  }
  std::optional<Unit> Aggregate(std::string_view) const override { return std::nullopt; }
  // KeptValues
  bool IsReady(uint64_t) const override { return true; }
  const AttributeColumn* Aggregate(uint64_t) const override { return nullptr; }
  std::optional<DecayState> Decay(uint64_t, Row) const override { return std::nullopt; }
  const RowBits* Members(SegmentId id) const override { return &members_[id.value]; }
  bool DueRows(uint32_t, int64_t, uint64_t*) const override { return false; }
  bool IsDue(Row, int64_t) const override { return false; }

 private:
  void EvaluatePredicates(Row row) {
    for (uint32_t v = 0; v < table_->variables().size(); ++v) {
      const RuleVariable& variable = table_->variables()[v];
      if (variable.kind != RuleVariable::Kind::kPredicate) continue;
      Evaluate(*variable.condition, row) ? truths_[v].Set(row) : truths_[v].Clear(row);
    }
  }

  bool Evaluate(const Condition& condition, Row row) const {
    if (condition.kind == Condition::Kind::kLeaf) {
      ShardView view = shard.View();
      view.kept = this;
      WorkMeter meter;
      VectorMachine machine(&view, terms_.slot_count(), &meter);
      Batch batch = Batch::OfRows({&row, 1}, false);
      return machine.Evaluate(*condition.predicate.term, &batch, nullptr).True(0);
    }
    const bool is_and = condition.kind == Condition::Kind::kAnd;
    bool truth = is_and;
    for (const Condition* input : condition.inputs) truth = is_and ? truth && Evaluate(*input, row) : truth || Evaluate(*input, row);
    return truth != condition.complement;
  }

  TermBuilder terms_{"UTC", this};
  ConditionBuilder conditions_;
  std::vector<ExpressionRef> held_;
  std::vector<std::string> texts_;
  std::vector<RuleTable::Rule> rules_;
  uint32_t stages_ = 1;
  std::shared_ptr<const RuleTable> table_;
  std::vector<RowBits> members_, truths_;
  std::unique_ptr<ShardRules> judged_;
};

}  // namespace korrel
