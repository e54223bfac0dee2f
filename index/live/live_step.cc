// One step of one row: what changed is noted, expressions that depend on it are evaluated in order, rules are judged by the cells that
// differ, stage by stage.

#include "index/live/live_state_impl.h"
#include "storage/value.h"

namespace korrel {
namespace {

constexpr uint64_t kStepWork = 400;  // what a step costs beside evaluating; bench/micro/live_bench.cc

// The unit's value as its column holds it. A wider declared type takes every value of the expression's or, where a number has no such
// form any more, none.
Value InTypeOf(const LivePlan::ExpressionUnit& unit, const Vector& value) {
  Value result = ValueAt(value, unit.term->type, 0);
  if (!IsPresent(result) || unit.term->type == unit.type) return result;
  std::optional<Value> exact = ConvertExactly(result, unit.type);
  return exact ? *std::move(exact) : Value();
}

}  // namespace

// ---- What changed ----

// Remembers the cell a variable has now, before something changes it.
void LiveState::Impl::NoteCell(uint32_t variable, Row row) {
  if (born || is_noted[variable]) return;
  is_noted[variable] = 1;
  noted.push_back({variable, rules->CellOf(variable, row)});
}

void LiveState::Impl::MarkDependents(const LivePlan::Dependents* dependents, Row row) {
  if (!dependents) return;
  for (uint32_t variable : dependents->variables) NoteCell(variable, row);
  for (uint32_t expression : dependents->expressions) MarkExpression(expression);
}

// The keeper says what changed when it has: cells of all aggregates that rules look at are noted before.
void LiveState::Impl::NoteAggregateCells(Row row) {
  for (uint32_t variable : aggregate_variables) NoteCell(variable, row);
}

void LiveState::Impl::AggregatesChanged() {
  for (uint32_t aggregate : changed_aggregates) {
    if (const auto* dependents = plan->OfAggregate(aggregate)) {
      for (uint32_t expression : dependents->expressions) MarkExpression(expression);
    }
    const auto& attribute = plan->aggregates()[aggregate].attribute;
    if (!attribute) continue;
    if (const auto* dependents = plan->OfAttribute(*attribute)) {
      for (uint32_t expression : dependents->expressions) MarkExpression(expression);
    }
  }
  changed_aggregates.clear();
}

void LiveState::Impl::NoteListCells(SegmentId list, Row row) {
  MarkDependents(plan->OfSegment(list), row);
  changed_lists.push_back(list.value);
}

// Membership of lists that rules mention is kept as last judged, so that what a rule sees belongs to one instant.
void LiveState::Impl::JudgeLists(Row row) {
  for (uint32_t id : changed_lists) {
    auto it = list_members.find(id);
    if (it == list_members.end()) continue;
    const StaticList* list = table->List(SegmentId(id));
    list && list->Contains(row, view.now_us) ? it->second.Set(row) : it->second.Clear(row);
  }
  changed_lists.clear();
}

int64_t LiveState::Impl::NextListExpiry(Row row) const {
  int64_t next = kNever;
  for (const auto& [id, bits] : list_members) {
    const StaticList* list = table->List(SegmentId(id));
    if (!list || !list->members.Test(row)) continue;
    auto it = list->expires_us.find(row);
    if (it != list->expires_us.end() && it->second > view.now_us) next = std::min(next, it->second);
  }
  return next;
}

// ---- Evaluation ----

bool LiveState::Impl::SetColumn(const LivePlan::ExpressionUnit& unit, Row row, const Vector& vector) {
  const Value value = InTypeOf(unit, vector);
  const AttributeColumn* column = table->GetOrAddComputed(*unit.attribute, unit.type);
  if (IsPresent(value) ? column->Holds(row, value) : !column->Has(row)) return false;
  MarkDependents(plan->OfAttribute(*unit.attribute), row);
  // A dictionary that is full has no place for the value.
  if (!table->SetComputed(row, *unit.attribute, unit.type, value).ok())
    return table->SetComputed(row, *unit.attribute, unit.type, Value()).ok();
  return true;
}

void LiveState::Impl::RunExpression(uint32_t expression, Row row) {
  const LivePlan::ExpressionUnit& unit = plan->expressions()[expression];
  ++counted.expressions_evaluated;
  machine->NewBatch(false);
  Batch batch = Batch::OfRows(std::span<const Row>(&row, 1), false);
  const Vector& value = machine->Evaluate(*unit.term, &batch, nullptr);
  if (unit.attribute) {
    SetColumn(unit, row, value);
  } else if (const bool truth = value.True(0); truth != truths[expression].Test(row)) {
    NoteCell(unit.variable, row);
    truth ? truths[expression].Set(row) : truths[expression].Clear(row);
  }
  if (unit.clock_bound) next_edge_us = std::min(next_edge_us, EdgeFinder(machine.get(), view).EdgeOf(*unit.term, row));
}

// ---- Rules ----

void LiveState::Impl::JudgeRules(Row row, uint32_t stage, ChangeCause cause, Flips* flips) {
  if (noted.empty()) return;
  rule_flips.clear();
  rules->FindFlips(row, stage, noted, &rule_flips);
  for (const ShardRules::Flip& flip : rule_flips) members_of_rule[flip.rule]->Prefetch(row);
  for (const ShardRules::Flip& flip : rule_flips) {
    if (IsFilledFor(segment_group[flip.rule], row)) SetMember(flip.rule, row, flip.entered, view.now_us, cause, flips);
  }
}

// Rules that were never judged for the row: all that are maintained, where it was just born, or those of the group that is being filled.
// Who is no member yet can only enter, so that of many new segments only those that hold are looked at, and those that had members
// under another definition.
void LiveState::Impl::JudgeNewRules(Row row, uint32_t stage, ChangeCause cause, Flips* flips, std::span<const uint32_t> segments) {
  constexpr size_t kOneByOneMax = 8;
  auto is_new = [&](uint32_t segment) {
    if (plan->segments()[segment].stage != stage || plan->segments()[segment].dropped) return false;
    return born ? IsFilledFor(segment_group[segment], row) : IsAtHand(segment_group[segment]);
  };
  holding.clear();
  if (segments.size() > kOneByOneMax) {
    rules->RulesOf(row, &holding);
    std::erase_if(holding, [&](uint32_t segment) { return !is_new(segment); });
  } else {
    for (uint32_t segment : segments) {
      if (is_new(segment) && rules->Holds(segment, row)) holding.push_back(segment);
    }
  }
  for (uint32_t segment : holding) {
    if (!members_of_rule[segment]->Test(row)) SetMember(segment, row, true, view.now_us, cause, flips);
  }
  if (born) return;
  for (uint32_t segment : filling->with_members) {
    if (plan->segments()[segment].stage != stage || !members_of_rule[segment]->Test(row)) continue;
    if (!std::binary_search(holding.begin(), holding.end(), segment)) SetMember(segment, row, false, view.now_us, cause, flips);
  }
}

// ---- Steps ----

// Works out what follows from what was noted, at the view's now.
void LiveState::Impl::Run(Row row, ChangeCause cause, Flips* flips) {
  JudgeLists(row);
  const auto expressions = plan->expressions();
  for (uint32_t stage = 0; stage < plan->stage_count(); ++stage) {
    // What an expression changes marks only expressions behind it; what a segment of this stage changes, those of later ones.
    size_t word = 0;
    while (word < dirty.size()) {
      if (dirty[word] == 0) {
        ++word;
        continue;
      }
      const auto expression = static_cast<uint32_t>(word * 64 + static_cast<size_t>(std::countr_zero(dirty[word])));
      if (expressions[expression].stage > stage) break;
      dirty[word] &= dirty[word] - 1;
      if (IsAtHand(expression_group[expression]) || IsFilledFor(expression_group[expression], row)) RunExpression(expression, row);
    }
    if (born) {
      JudgeNewRules(row, stage, cause, flips, all_segments);
    } else {
      JudgeRules(row, stage, cause, flips);
    }
    if (filling) JudgeNewRules(row, stage, ChangeCause::kDefinition, flips, filling->segments);
  }
  if (IsFilledFor(row)) rules->KeepCells(row, noted);
  Forget();
}

void LiveState::Impl::Forget() {
  for (const ShardRules::Change& change : noted) is_noted[change.variable] = 0;
  noted.clear();
  std::fill(dirty.begin(), dirty.end(), 0);
  changed_lists.clear();
}

// By time alone, from the instant the row was at.
void LiveState::Impl::StepTo(Row row, int64_t time_us, Flips* flips) {
  ++counted.steps;
  work.Add(kStepWork);
  view.now_us = time_us;
  next_edge_us = kNever;
  const auto filled = AggregatesFilledFor(row);
  NoteAggregateCells(row);
  keeper.Slide(row, as_of[row.value], filled, &changed_aggregates);
  AggregatesChanged();
  for (uint32_t expression : plan->clock_bound()) MarkExpression(expression);
  for (uint32_t variable : list_variables) NoteListCells(plan->rules()->variables()[variable].segment, row);
  const size_t before = flips->size();
  Run(row, ChangeCause::kClock, flips);
  if (flips->size() > before) {
    const ChangeCause cause = CauseAt(row, time_us);
    for (size_t i = before; i < flips->size(); ++i) (*flips)[i].cause = cause;
  }
  as_of[row.value] = time_us;
  latest_as_of = std::max(latest_as_of, time_us);
  next_edge_us = std::min({next_edge_us, keeper.NextEdge(row, filled), NextListExpiry(row)});
  timers.Set(row, std::max(next_edge_us, time_us + (next_edge_us == kNever ? 0 : 1)));
}

// Edge by edge, each at its own instant.
bool LiveState::Impl::StepUpTo(Row row, int64_t now_us, WorkMeter* meter, Flips* flips) {
  for (int64_t due = timers.DueOf(row); due <= now_us; due = timers.DueOf(row)) {
    const uint64_t before = work.used();
    StepTo(row, due, flips);
    if (!meter) continue;
    meter->Add(work.used() - before);
    if (meter->exhausted() && timers.DueOf(row) <= now_us) return false;
  }
  as_of[row.value] = std::max(as_of[row.value], now_us);
  latest_as_of = std::max(latest_as_of, now_us);
  return true;
}

// Until the instant of new figures a row has those before, however late it is looked at.
bool LiveState::Impl::BringUp(Row row, int64_t now_us, WorkMeter* meter, Flips* flips) {
  if (AwaitsRecheck(row)) {
    view.population = recheck->before.get();
    if (!StepUpTo(row, std::min(now_us, recheck->now_us), meter, flips)) return false;
    if (now_us < recheck->now_us) return true;
    const uint64_t before = work.used();
    RecheckRow(row, flips);
    if (meter) meter->Add(work.used() - before);
  }
  view.population = population.get();
  return StepUpTo(row, now_us, meter, flips);
}

// Where an event reaches the end of its declared retention at the very instant, that is why.
ChangeCause LiveState::Impl::CauseAt(Row row, int64_t time_us) const {
  for (EventTypeId id : table->EventTypesOf(row)) {
    if (id.value >= schema->event_types.size() || !schema->event_types[id.value].retention_us) continue;
    const EventHistory* history = table->History(row, id);
    const int64_t gone_us = time_us - *schema->event_types[id.value].retention_us;
    if (history && history->LowerBound(gone_us) != history->UpperBound(gone_us)) return ChangeCause::kRetention;
  }
  return ChangeCause::kClock;
}

}  // namespace korrel
