// index/live/live_state_impl.h
//
// The inside of LiveState, shared by its parts: plans and rows (live_state.cc), one step of one row (live_step.cc), filling
// (live_fill.cc).
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "index/evaluation/edge.h"
#include "index/evaluation/vector_machine.h"
#include "index/live/aggregate_keeper.h"
#include "index/live/live_state.h"
#include "index/live/row_timers.h"
#include "index/live/rule_table.h"

namespace korrel {

struct LiveState::Impl final : RuleInputs {
  Impl(ProfileTable* table, const ShardIndex* index) : table(table), view{table, index, nullptr, 0}, keeper(table, &view) {}

  // Units that came together and are filled together, row by row. Rows below the mark are done, and maintained like all others.
  struct FillGroup {
    uint32_t mark = 0;
    std::vector<uint32_t> aggregates, expressions, segments;
    std::vector<uint32_t> with_members;  // of the segments: those that had any before, by another definition
    uint32_t size() const { return static_cast<uint32_t>(aggregates.size() + expressions.size() + segments.size()); }
  };
  static constexpr int32_t kFilled = -1;

  // ---- RuleInputs ----
  bool Truth(uint32_t variable, Row row) const override { return truths[expression_of_variable[variable]].Test(row); }
  const AttributeColumn* ColumnOf(const Term& value) const override;
  bool IsListMember(SegmentId id, Row row) const override {
    auto it = list_members.find(id.value);
    return it != list_members.end() && it->second.Test(row);
  }
  bool IsMember(uint32_t rule, Row row) const override { return members_of_rule[rule]->Test(row); }
  bool HasIdentifier(IdentifierTypeId type, Row row) const override {
    const RowBits* holders = table->HavingIdentifier(type);
    return holders && holders->Test(row);
  }

  // ---- live_state.cc ----
  void Renumber(const absl::flat_hash_map<uint64_t, int32_t>& group_of_serial, absl::flat_hash_map<uint64_t, RowBits>* truth_of_serial);
  void FindVariables();
  RowBits LiveMembersOfList(SegmentId id) const;
  void ReachRow(Row row);
  bool IsFilledFor(int32_t group, Row row) const { return group == kFilled || row.value < groups[static_cast<size_t>(group)].mark; }
  bool IsFilledFor(Row row) const {
    return std::all_of(groups.begin(), groups.end(), [&](const FillGroup& group) { return row.value < group.mark; });
  }
  bool IsAtHand(int32_t group) const { return filling && group != kFilled && &groups[static_cast<size_t>(group)] == filling; }
  std::span<const uint8_t> AggregatesFilledFor(Row row);
  RowBits& MembersOf(SegmentId id);
  void SetMember(uint32_t segment, Row row, bool is_member, int64_t time_us, ChangeCause cause, Flips* flips);

  // ---- live_step.cc ----
  void MarkExpression(uint32_t expression) { dirty[expression / 64] |= uint64_t{1} << (expression % 64); }
  void MarkDependents(const LivePlan::Dependents* dependents, Row row);
  void NoteCell(uint32_t variable, Row row);
  void NoteAggregateCells(Row row);
  void AggregatesChanged();
  void NoteListCells(SegmentId list, Row row);
  void JudgeLists(Row row);
  int64_t NextListExpiry(Row row) const;
  void StepTo(Row row, int64_t time_us, Flips* flips);
  // Until the meter is exhausted, at least one edge; null: all of them. False: edges up to now are left.
  bool StepUpTo(Row row, int64_t now_us, WorkMeter* meter, Flips* flips);
  bool BringUp(Row row, int64_t now_us, WorkMeter* meter, Flips* flips);
  void Run(Row row, ChangeCause cause, Flips* flips);
  void RunExpression(uint32_t expression, Row row);
  bool SetColumn(const LivePlan::ExpressionUnit& unit, Row row, const Vector& value);
  void JudgeRules(Row row, uint32_t stage, ChangeCause cause, Flips* flips);
  void JudgeNewRules(Row row, uint32_t stage, ChangeCause cause, Flips* flips, std::span<const uint32_t> segments);
  void Forget();
  ChangeCause CauseAt(Row row, int64_t time_us) const;

  // ---- live_fill.cc ----
  void FillRow(Row row, FillGroup& group, Flips* flips);
  void FinishGroups();
  bool FillNext(int64_t now_us, WorkMeter* meter, std::vector<Step>* steps);
  bool RecheckNext(int64_t now_us, WorkMeter* meter, std::vector<Step>* steps);
  bool AwaitsRecheck(Row row) const {
    return recheck && row.value >= recheck->mark && row.value < recheck->end && !recheck->done.Test(row);
  }
  void RecheckRow(Row row, Flips* flips);

  ProfileTable* const table;
  LivePlanRef plan;
  SchemaRef schema;
  PopulationRef population;  // without the instants of the next ones: no row waits for a publication, each comes with a recheck
  ShardView view;            // now_us is the instant of what is going on
  AggregateKeeper keeper;
  std::unique_ptr<VectorMachine> machine, plain_machine;  // of the expressions; of the aggregates
  std::unique_ptr<ShardRules> rules;
  WorkMeter work;

  // By unit, as the plan numbers them.
  std::vector<int32_t> aggregate_group, expression_group, segment_group;  // kFilled, or an index of groups
  std::vector<FillGroup> groups;
  std::vector<uint8_t> aggregates_filled, all_aggregates;
  std::vector<uint32_t> all_segments;
  std::vector<RowBits> truths;  // of predicates, by expression
  std::vector<uint32_t> expression_of_variable;
  std::vector<RowBits*> members_of_rule;                            // by segment unit
  absl::flat_hash_map<uint32_t, std::unique_ptr<RowBits>> members;  // by SegmentId
  absl::flat_hash_map<uint32_t, RowBits> list_members;              // of static lists that rules mention, as last judged
  std::vector<uint32_t> list_variables, aggregate_variables;
  struct UnitPlace {
    enum class Kind : uint8_t { kAggregate, kExpression, kSegment } kind;
    uint32_t index;
  };
  absl::flat_hash_map<uint64_t, UnitPlace> place_of_serial;
  // New figures are in force; rows from the mark on that are not done still have those before.
  struct PendingRecheck {
    int64_t now_us = 0;
    uint32_t mark = 0, end = 0;
    RowBits done;
    PopulationRef before;
  };
  std::optional<PendingRecheck> recheck;
  int64_t latest_as_of = INT64_MIN;

  // By row.
  std::vector<int64_t> as_of;
  RowTimers timers;

  // The change or step at hand.
  std::vector<uint64_t> dirty;  // expressions to be evaluated, a bit each
  std::vector<ShardRules::Change> noted;
  std::vector<uint8_t> is_noted;  // by variable
  std::vector<uint32_t> changed_aggregates;
  std::vector<uint32_t> changed_lists;
  std::vector<ShardRules::Flip> rule_flips;
  std::vector<uint32_t> holding;       // rules
  bool born = false;                   // nothing was known of the row: all rules are judged
  const FillGroup* filling = nullptr;  // its units are computed for the row at hand
  int64_t next_edge_us = kNever;
  Counters counted;
};

}  // namespace korrel
