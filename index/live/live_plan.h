// index/live/live_plan.h
//
// LivePlan is what is to be kept current under one catalog version, taken apart into units in the order in which they follow from
// each other: aggregates and sequences, expressions (computed and derived attributes, predicates of segments), rules (live segments).
// Immutable, shared by all shards.
//
//   stored values, events ──▶ aggregates ──▶ expressions and rules, stage by stage
//
// An expression that uses a segment is one stage behind it; rules use rules of their own stage that stand before them.
//
// A derived attribute that reads now(), and whatever holds the bare value of a decayed aggregate, has no column: it is evaluated when read.
// Where something kept uses one, it stands there as its text.
//
// Threads   Immutable after Make.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "index/evaluation/condition.h"
#include "index/evaluation/kept.h"
#include "index/evaluation/term.h"
#include "index/live/aggregate_keeper.h"
#include "index/live/rule_table.h"

namespace korrel {

class LivePlan;
using LivePlanRef = std::shared_ptr<const LivePlan>;

class LivePlan final : public KeptNames {
 public:
  // An attribute's value or a predicate's truth, evaluated for one row by a VectorMachine.
  struct ExpressionUnit {
    uint64_t serial = 0;
    const Term* term = nullptr;            // kept form
    std::optional<AttributeId> attribute;  // else a predicate:
    uint32_t variable = 0;                 // of the rule table
    Type type;                             // of the column
    uint32_t stage = 0;
    bool clock_bound = false;
  };
  struct SegmentUnit {
    uint64_t serial = 0;
    SegmentId id;
    uint32_t stage = 0;
    const Condition* condition = nullptr;
    bool dropped = false;  // not in the catalog any more: its members leave, then it is forgotten
  };
  // What must be looked at when an input changed.
  struct Dependents {
    std::vector<uint32_t> expressions, variables;  // variables: of the rule table whose cell it decides
  };

  // `before` gives the serials of units that mean the same as they did, and the segments whose members must leave; null: none.
  // `before_filled`: all of `before` was filled everywhere, so that nobody is left in what it had dropped.
  static LivePlanRef Make(const Schema& schema, const NamedDefinitions& definitions, std::string_view time_zone, const LivePlan* before,
                          bool before_filled = false);

  // KeptNames
  std::optional<Unit> Attribute(AttributeId id) const override;
  std::optional<Unit> Segment(SegmentId id) const override;
  std::optional<Unit> Aggregate(std::string_view sharing_key) const override;

  std::span<const AggregateUnit> aggregates() const { return aggregates_; }
  std::span<const ExpressionUnit> expressions() const { return expressions_; }  // by stage, dependencies first
  std::span<const SegmentUnit> segments() const { return segments_; }           // numbered as the rules; by stage, dependencies first
  const std::shared_ptr<const RuleTable>& rules() const { return rules_; }
  uint32_t stage_count() const { return stage_count_; }
  uint32_t slot_count() const { return terms_.slot_count(); }              // of the expressions' machine
  uint32_t plain_slot_count() const { return plain_terms_.slot_count(); }  // of the aggregates'
  bool empty() const { return aggregates_.empty() && expressions_.empty() && segments_.empty(); }
  // Those that read population figures, and so must be judged anew when one is published.
  std::span<const uint32_t> population_expressions() const { return population_expressions_; }
  bool DependsOnPopulation(uint64_t serial) const { return population_serials_.contains(serial); }  // directly or not

  const Dependents* OfAttribute(AttributeId id) const;
  const Dependents* OfAggregate(uint32_t aggregate) const;
  const Dependents* OfEventType(EventTypeId type) const;  // expressions that read its events themselves, `any` included
  const Dependents* OfSegment(SegmentId id) const;        // live or static
  const Dependents* OfIdentifier(IdentifierTypeId type) const;
  const Dependents& of_activity() const { return of_activity_; }          // created_at(), updated_at()
  std::span<const uint32_t> clock_bound() const { return clock_bound_; }  // expressions

 private:
  friend class LivePlanBuilder;
  explicit LivePlan(std::string_view time_zone) : terms_(time_zone, this), plain_terms_(time_zone) {}

  TermBuilder terms_;        // kept form
  TermBuilder plain_terms_;  // of the aggregates themselves
  ConditionBuilder conditions_;
  std::vector<ExpressionRef> expressions_held_;  // terms point into them
  std::vector<AggregateUnit> aggregates_;
  std::vector<ExpressionUnit> expressions_;
  std::vector<SegmentUnit> segments_;
  std::shared_ptr<const RuleTable> rules_;
  uint32_t stage_count_ = 1;
  absl::flat_hash_map<std::string, uint32_t> aggregate_by_key_;
  absl::flat_hash_map<uint32_t, uint32_t> expression_by_attribute_, aggregate_by_attribute_, rule_by_segment_;
  absl::flat_hash_map<uint32_t, Dependents> of_attribute_, of_aggregate_, of_event_type_, of_segment_, of_identifier_;
  Dependents of_activity_, of_any_event_;
  std::vector<uint32_t> clock_bound_, population_expressions_;
  absl::flat_hash_set<uint64_t> population_serials_;
  absl::flat_hash_map<std::string, uint64_t> serial_by_key_;  // a key changes whenever the unit could mean something else
};

}  // namespace korrel
