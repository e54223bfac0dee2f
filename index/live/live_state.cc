#include "index/live/live_state.h"

#include "index/live/live_state_impl.h"

namespace korrel {

LiveState::LiveState(ProfileTable* table, const ShardIndex* index) : impl_(std::make_unique<Impl>(table, index)) {
  impl_->view.kept = this;
  impl_->plan = LivePlan::Make(Schema(), NamedDefinitions(), "UTC", nullptr);
}
LiveState::~LiveState() = default;

// ---- Plans ----

namespace {

// The group of every unit that was there before, or of the new ones, by serial.
template <class Units>
std::vector<int32_t> GroupsOf(const Units& units, const absl::flat_hash_map<uint64_t, int32_t>& before, int32_t of_new) {
  std::vector<int32_t> groups;
  groups.reserve(units.size());
  for (const auto& unit : units) {
    auto it = before.find(unit.serial);
    groups.push_back(it == before.end() ? of_new : it->second);
  }
  return groups;
}

}  // namespace

void LiveState::Adopt(LivePlanRef plan, SchemaRef schema) {
  Impl& live = *impl_;
  if (plan == live.plan) {  // new names alone
    live.schema = std::move(schema);
    live.view.schema = live.schema.get();
    return;
  }
  absl::flat_hash_map<uint64_t, int32_t> group_of_serial;
  absl::flat_hash_map<uint64_t, RowBits> truth_of_serial;
  for (uint32_t i = 0; i < live.plan->aggregates().size(); ++i)
    group_of_serial[live.plan->aggregates()[i].serial] = live.aggregate_group[i];
  for (uint32_t i = 0; i < live.plan->expressions().size(); ++i) {
    group_of_serial[live.plan->expressions()[i].serial] = live.expression_group[i];
    truth_of_serial[live.plan->expressions()[i].serial] = std::move(live.truths[i]);
  }
  for (uint32_t i = 0; i < live.plan->segments().size(); ++i) group_of_serial[live.plan->segments()[i].serial] = live.segment_group[i];

  const LivePlanRef old = std::exchange(live.plan, std::move(plan));
  live.schema = std::move(schema);
  live.view.schema = live.schema.get();
  live.machine = std::make_unique<VectorMachine>(&live.view, live.plan->slot_count(), &live.work);
  live.plain_machine = std::make_unique<VectorMachine>(&live.view, live.plan->plain_slot_count(), &live.work);
  live.keeper.Adopt(live.plan->aggregates(), live.plain_machine.get());
  live.Renumber(group_of_serial, &truth_of_serial);
  live.rules = std::make_unique<ShardRules>(live.plan->rules(), &live);
  if (live.plan->population_expressions().empty()) live.recheck.reset();
}

// Numbers of everything by the plan just adopted. What is new is one group that is to be filled.
void LiveState::Impl::Renumber(const absl::flat_hash_map<uint64_t, int32_t>& group_of_serial,
                               absl::flat_hash_map<uint64_t, RowBits>* truth_of_serial) {
  const auto fresh = static_cast<int32_t>(groups.size());
  aggregate_group = GroupsOf(plan->aggregates(), group_of_serial, fresh);
  expression_group = GroupsOf(plan->expressions(), group_of_serial, fresh);
  segment_group = GroupsOf(plan->segments(), group_of_serial, fresh);
  groups.emplace_back();
  for (FillGroup& group : groups) group = FillGroup{.mark = group.mark};
  place_of_serial.clear();
  for (uint32_t i = 0; i < aggregate_group.size(); ++i) {
    if (aggregate_group[i] != kFilled) groups[static_cast<size_t>(aggregate_group[i])].aggregates.push_back(i);
    place_of_serial[plan->aggregates()[i].serial] = {UnitPlace::Kind::kAggregate, i};
  }
  truths.clear();
  expression_of_variable.assign(plan->rules()->variables().size(), 0);
  for (uint32_t i = 0; i < expression_group.size(); ++i) {
    const LivePlan::ExpressionUnit& unit = plan->expressions()[i];
    if (expression_group[i] != kFilled) groups[static_cast<size_t>(expression_group[i])].expressions.push_back(i);
    place_of_serial[unit.serial] = {UnitPlace::Kind::kExpression, i};
    auto truth = truth_of_serial->find(unit.serial);
    truths.push_back(truth == truth_of_serial->end() ? RowBits() : std::move(truth->second));
    if (!unit.attribute) expression_of_variable[unit.variable] = i;
  }
  members_of_rule.clear();
  all_segments.clear();
  for (uint32_t i = 0; i < segment_group.size(); ++i) {
    if (segment_group[i] != kFilled) groups[static_cast<size_t>(segment_group[i])].segments.push_back(i);
    place_of_serial[plan->segments()[i].serial] = {UnitPlace::Kind::kSegment, i};
    members_of_rule.push_back(&MembersOf(plan->segments()[i].id));
    all_segments.push_back(i);
    if (segment_group[i] != kFilled && members_of_rule[i]->count() > 0)
      groups[static_cast<size_t>(segment_group[i])].with_members.push_back(i);
  }
  all_aggregates.assign(aggregate_group.size(), 1);
  dirty.assign((expression_group.size() + 63) / 64, 0);
  is_noted.assign(plan->rules()->variables().size(), 0);
  FindVariables();
  FinishGroups();
}

void LiveState::Impl::FindVariables() {
  list_variables.clear();
  aggregate_variables.clear();
  absl::flat_hash_map<uint32_t, RowBits> lists;
  const auto variables = plan->rules()->variables();
  for (uint32_t v = 0; v < variables.size(); ++v) {
    if (variables[v].kind == RuleVariable::Kind::kList) {
      list_variables.push_back(v);
      auto known = list_members.find(variables[v].segment.value);
      lists[variables[v].segment.value] = known == list_members.end() ? LiveMembersOfList(variables[v].segment) : std::move(known->second);
    }
  }
  list_members = std::move(lists);
  for (uint32_t i = 0; i < plan->aggregates().size(); ++i) {
    for (const LivePlan::Dependents* dependents :
         {plan->OfAggregate(i), plan->aggregates()[i].attribute ? plan->OfAttribute(*plan->aggregates()[i].attribute) : nullptr}) {
      if (!dependents) continue;
      aggregate_variables.insert(aggregate_variables.end(), dependents->variables.begin(), dependents->variables.end());
    }
  }
}

// A list that no rule mentioned so far: as it is now. Members that have expired leave when their row is looked at next.
RowBits LiveState::Impl::LiveMembersOfList(SegmentId id) const {
  RowBits members;
  const StaticList* list = table->List(id);
  for (uint32_t row = 0; list && row < table->row_end(); ++row) {
    if (list->members.Test(Row(row))) members.Set(Row(row));
  }
  return members;
}

const LivePlanRef& LiveState::plan() const { return impl_->plan; }

// ---- Rows ----

void LiveState::Impl::ReachRow(Row row) {
  if (row.value >= as_of.size()) as_of.resize(std::max<size_t>(row.value + 1, table->row_end()), INT64_MIN);
}

std::span<const uint8_t> LiveState::Impl::AggregatesFilledFor(Row row) {
  if (groups.empty()) return all_aggregates;
  aggregates_filled.resize(aggregate_group.size());
  for (size_t i = 0; i < aggregate_group.size(); ++i) aggregates_filled[i] = IsFilledFor(aggregate_group[i], row);
  return aggregates_filled;
}

RowBits& LiveState::Impl::MembersOf(SegmentId id) {
  std::unique_ptr<RowBits>& bits = members[id.value];
  if (!bits) bits = std::make_unique<RowBits>();
  return *bits;
}

const AttributeColumn* LiveState::Impl::ColumnOf(const Term& value) const {
  if (value.op == Op::kAttribute) return table->column(value.node->attribute);
  auto it = place_of_serial.find(value.unit);
  return it == place_of_serial.end() ? nullptr : keeper.Column(it->second.index);
}

void LiveState::Impl::SetMember(uint32_t segment, Row row, bool is_member, int64_t time_us, ChangeCause cause, Flips* flips) {
  const SegmentId id = plan->segments()[segment].id;
  if (!plan->segments()[segment].dropped) MarkDependents(plan->OfSegment(id), row);
  is_member ? members_of_rule[segment]->Set(row) : members_of_rule[segment]->Clear(row);
  flips->push_back({id, is_member, time_us, cause});
}

// ---- A change of one row ----

void LiveState::Prefetch(Row row) const {
  const Impl& live = *impl_;
  if (live.plan->empty()) return;
  if (row.value < live.as_of.size()) __builtin_prefetch(&live.as_of[row.value]);
  live.timers.Prefetch(row);
  live.rules->Prefetch(row);
}

void LiveState::BringUp(Row row, int64_t now_us, Flips* flips) {
  Impl& live = *impl_;
  if (live.plan->empty()) return;
  live.ReachRow(row);
  live.BringUp(row, now_us, nullptr, flips);
  live.view.now_us = now_us;
  live.next_edge_us = kNever;
}

bool LiveState::CatchUp(Row row, int64_t now_us, WorkMeter* meter, Flips* flips) {
  Impl& live = *impl_;
  if (live.plan->empty()) return true;
  live.ReachRow(row);
  return live.BringUp(row, now_us, meter, flips);
}

void LiveState::Born(Row row, int64_t now_us) {
  Impl& live = *impl_;
  if (live.plan->empty()) return;
  live.ReachRow(row);
  live.rules->ForgetCells(row);
  live.as_of[row.value] = now_us;
  live.latest_as_of = std::max(live.latest_as_of, now_us);
  if (live.recheck && row.value < live.recheck->end) live.recheck->done.Set(row);
  live.view.population = live.population.get();
  live.timers.Set(row, kNever);
  live.view.now_us = now_us;
  live.next_edge_us = kNever;
  live.born = true;
  for (uint32_t i = 0; i < live.aggregate_group.size(); ++i) {
    if (live.IsFilledFor(live.aggregate_group[i], row)) live.keeper.Fill(i, row);
  }
  for (uint32_t i = 0; i < live.expression_group.size(); ++i) live.MarkExpression(i);
}

void LiveState::WillWrite(Row row, AttributeId attribute) {
  if (!impl_->plan->empty()) impl_->MarkDependents(impl_->plan->OfAttribute(attribute), row);
}

void LiveState::WillEvict(Row row, EventTypeId type, uint32_t count) {
  Impl& live = *impl_;
  if (live.plan->empty()) return;
  live.NoteAggregateCells(row);
  live.keeper.Evicting(row, type, count, live.AggregatesFilledFor(row), &live.changed_aggregates);
  live.AggregatesChanged();
  live.MarkDependents(live.plan->OfEventType(type), row);
}

void LiveState::DidAdd(Row row, EventTypeId type, uint32_t index) {
  Impl& live = *impl_;
  if (live.plan->empty()) return;
  live.NoteAggregateCells(row);
  const int64_t edge = live.keeper.Added(row, type, index, live.AggregatesFilledFor(row), &live.changed_aggregates);
  live.next_edge_us = std::min(live.next_edge_us, edge);
  live.AggregatesChanged();
  live.MarkDependents(live.plan->OfEventType(type), row);
}

void LiveState::WillChangeList(Row row, SegmentId list) {
  if (!impl_->plan->empty()) impl_->NoteListCells(list, row);
}

// Whoever had an identifier of the type before has not changed.
void LiveState::DidAddIdentifier(Row row, IdentifierTypeId type) {
  Impl& live = *impl_;
  const LivePlan::Dependents* dependents = live.plan->OfIdentifier(type);
  if (!dependents) return;
  const std::vector<Identifier> identifiers = live.table->IdentifiersOf(row);
  if (std::count_if(identifiers.begin(), identifiers.end(), [&](const Identifier& i) { return i.type == type; }) > 1) return;
  for (uint32_t expression : dependents->expressions) live.MarkExpression(expression);
  for (uint32_t variable : dependents->variables) {
    if (live.born || live.is_noted[variable]) continue;
    live.is_noted[variable] = 1;
    live.noted.push_back({variable, 0});
  }
}

void LiveState::DidNoteActivity(Row row) {
  if (!impl_->plan->empty()) impl_->MarkDependents(&impl_->plan->of_activity(), row);
}

void LiveState::Settle(Row row, int64_t now_us, ChangeCause cause, Flips* flips) {
  Impl& live = *impl_;
  if (live.plan->empty()) return;
  live.view.now_us = now_us;
  live.Run(row, cause, flips);
  live.born = false;
  if (!live.list_variables.empty()) live.next_edge_us = std::min(live.next_edge_us, live.NextListExpiry(row));
  live.timers.SetEarlier(row, live.next_edge_us);
}

void LiveState::End(Row row, int64_t now_us, Flips* flips) {
  Impl& live = *impl_;
  if (live.plan->empty()) return;
  for (uint32_t i = 0; i < live.members_of_rule.size(); ++i) {
    if (!live.members_of_rule[i]->Clear(row)) continue;
    flips->push_back({live.plan->segments()[i].id, false, now_us, ChangeCause::kDelete});
  }
  for (RowBits& truth : live.truths) truth.Clear(row);
  for (auto& [id, bits] : live.list_members) bits.Clear(row);
  live.keeper.Forget(row);
  live.rules->ForgetCells(row);
  live.timers.Set(row, kNever);
}

// ---- The clock ----

int64_t LiveState::NextDue() const { return impl_->timers.Earliest(); }

// One edge at a time, so that those of different rows come in the order of time.
uint64_t LiveState::Advance(int64_t now_us, WorkMeter* meter, std::vector<Step>* steps) {
  Impl& live = *impl_;
  uint64_t stepped = 0;
  while (stepped == 0 || !meter->exhausted()) {
    const std::optional<Row> row = live.timers.TakeDue(now_us);
    if (!row) break;
    const uint64_t before = live.work.used();
    Step step{*row, {}};
    if (live.AwaitsRecheck(*row) && live.recheck->now_us < live.timers.DueOf(*row))
      live.BringUp(*row, live.recheck->now_us, nullptr, &step.flips);
    live.view.population = live.AwaitsRecheck(*row) ? live.recheck->before.get() : live.population.get();
    live.StepTo(*row, live.timers.DueOf(*row), &step.flips);
    live.timers.Rearm(*row);
    ++stepped;
    meter->Add(live.work.used() - before);
    if (!step.flips.empty()) steps->push_back(std::move(step));
  }
  return stepped;
}

// ---- Reading ----

bool LiveState::IsReady(uint64_t serial) const {
  const Impl& live = *impl_;
  auto it = live.place_of_serial.find(serial);
  if (it == live.place_of_serial.end()) return false;
  if (live.recheck && live.plan->DependsOnPopulation(serial)) return false;
  const auto& group = it->second.kind == Impl::UnitPlace::Kind::kAggregate    ? live.aggregate_group
                      : it->second.kind == Impl::UnitPlace::Kind::kExpression ? live.expression_group
                                                                              : live.segment_group;
  return group[it->second.index] == Impl::kFilled;
}

const AttributeColumn* LiveState::Aggregate(uint64_t serial) const {
  auto it = impl_->place_of_serial.find(serial);
  return it == impl_->place_of_serial.end() ? nullptr : impl_->keeper.Column(it->second.index);
}

std::optional<DecayState> LiveState::Decay(uint64_t serial, Row row) const {
  auto it = impl_->place_of_serial.find(serial);
  return it == impl_->place_of_serial.end() ? std::nullopt : impl_->keeper.Decay(it->second.index, row);
}

const RowBits* LiveState::Members(SegmentId id) const {
  auto it = impl_->members.find(id.value);
  return it == impl_->members.end() ? nullptr : it->second.get();
}

bool LiveState::IsDue(Row row, int64_t now_us) const { return impl_->timers.DueOf(row) <= now_us; }
int64_t LiveState::NextDueOf(Row row) const { return impl_->timers.DueOf(row); }
int64_t LiveState::AsOf(Row row) const { return row.value < impl_->as_of.size() ? impl_->as_of[row.value] : INT64_MIN; }

bool LiveState::DueRows(uint32_t block, int64_t now_us, uint64_t* words) const {
  const Impl& live = *impl_;
  if (live.timers.Earliest() > now_us) return false;
  const std::vector<int64_t>& due = live.timers.due();
  const size_t begin = size_t{block} * kBlockRows, end = std::min(due.size(), begin + kBlockRows);
  bool found = false;
  for (size_t row = begin; row < end && !found; ++row) found = due[row] <= now_us;
  if (!found) return false;
  std::fill(words, words + kBlockWords, 0);
  for (size_t row = begin; row < end; ++row) words[(row - begin) / 64] |= uint64_t{due[row] <= now_us} << (row % 64);
  return true;
}

std::optional<std::vector<SegmentId>> LiveState::SegmentsOf(Row row, int64_t now_us) const {
  const Impl& live = *impl_;
  if (IsDue(row, now_us) || !live.groups.empty() || live.recheck) return std::nullopt;
  std::vector<SegmentId> segments;
  if (live.plan->empty()) return segments;
  std::vector<uint32_t> holding;
  live.rules->RulesOf(row, &holding);
  for (uint32_t rule : holding) segments.push_back(live.plan->segments()[rule].id);
  std::sort(segments.begin(), segments.end());
  return segments;
}

size_t LiveState::MemoryBytes() const {
  const Impl& live = *impl_;
  size_t bytes = live.as_of.capacity() * sizeof(int64_t) + live.timers.MemoryBytes() + live.keeper.MemoryBytes();
  for (const RowBits& truth : live.truths) bytes += truth.MemoryBytes();
  for (const auto& [id, bits] : live.members) bytes += bits->MemoryBytes();
  for (const auto& [id, bits] : live.list_members) bytes += bits.MemoryBytes();
  return bytes + (live.rules ? live.rules->MemoryBytes() : 0);
}

LiveState::Counters LiveState::counters() const {
  Counters counted = impl_->counted;
  counted.history_passes = impl_->keeper.passes();
  counted.conjunctions_looked_at = impl_->rules ? impl_->rules->conjunctions_looked_at() : 0;
  return counted;
}

}  // namespace korrel
