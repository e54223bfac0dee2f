// Filling: rows one after the other, each brought up to the clock first and then given what is new.

#include "index/live/live_state_impl.h"

namespace korrel {
namespace {

constexpr uint64_t kFillRowWork = 300, kDeadRowWork = 4;

}  // namespace

// Groups that are done are none any more; groups that came to the same mark go on as one.
void LiveState::Impl::FinishGroups() {
  std::vector<int32_t> becomes(groups.size());
  std::vector<FillGroup> left;
  for (size_t i = 0; i < groups.size(); ++i) {
    const bool done = groups[i].mark >= table->row_end() || groups[i].size() == 0;
    auto same = std::find_if(left.begin(), left.end(), [&](const FillGroup& group) { return group.mark == groups[i].mark; });
    becomes[i] = done ? kFilled : static_cast<int32_t>(same - left.begin());
    if (done) continue;
    if (same == left.end()) {
      left.push_back(std::move(groups[i]));
      continue;
    }
    for (auto [into, from] : {std::pair{&same->aggregates, &groups[i].aggregates}, std::pair{&same->expressions, &groups[i].expressions},
                              std::pair{&same->segments, &groups[i].segments}, std::pair{&same->with_members, &groups[i].with_members}}) {
      into->insert(into->end(), from->begin(), from->end());
      std::sort(into->begin(), into->end());
    }
  }
  groups = std::move(left);
  for (auto* unit_groups : {&aggregate_group, &expression_group, &segment_group}) {
    for (int32_t& group : *unit_groups) {
      if (group != kFilled) group = becomes[static_cast<size_t>(group)];
    }
  }
}

void LiveState::Impl::FillRow(Row row, FillGroup& group, Flips* flips) {
  next_edge_us = kNever;
  filling = &group;
  for (uint32_t aggregate : group.aggregates) keeper.Fill(aggregate, row);
  for (uint32_t expression : group.expressions) MarkExpression(expression);
  for (uint32_t variable : list_variables) changed_lists.push_back(plan->rules()->variables()[variable].segment.value);
  Run(row, ChangeCause::kDefinition, flips);
  filling = nullptr;
  ++group.mark;  // from here on the row is one of those that are maintained
  if (IsFilledFor(row)) rules->KeepCells(row, {});
  next_edge_us = std::min({next_edge_us, keeper.NextEdge(row, AggregatesFilledFor(row)), NextListExpiry(row)});
  timers.SetEarlier(row, next_edge_us);
}

// False: nothing is left to fill. A row that is far behind the clock takes as many calls as it needs to catch up.
bool LiveState::Impl::FillNext(int64_t now_us, WorkMeter* meter, std::vector<Step>* steps) {
  if (groups.empty()) return false;
  FillGroup& group = *std::min_element(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.mark < b.mark; });
  const Row row(group.mark);
  if (row.value < table->row_end() && table->live().Test(row)) {
    ReachRow(row);
    Step step{row, {}};
    const bool there = BringUp(row, now_us, meter, &step.flips);
    if (there) {
      const uint64_t before = work.used();
      view.now_us = as_of[row.value];  // a write may have been there at a later instant
      FillRow(row, group, &step.flips);
      meter->Add(kFillRowWork + work.used() - before);
    }
    if (!step.flips.empty()) steps->push_back(std::move(step));
    if (!there) return true;
  } else {
    ++group.mark;
    meter->Add(kDeadRowWork);
  }
  const bool meets = std::count_if(groups.begin(), groups.end(), [&](const FillGroup& other) { return other.mark == group.mark; }) > 1;
  if (meets || group.mark >= table->row_end()) FinishGroups();
  return true;
}

void LiveState::Fill(int64_t now_us, WorkMeter* meter, std::vector<Step>* steps) {
  Impl& live = *impl_;
  do {
    if (!live.FillNext(now_us, meter, steps) && !live.RecheckNext(now_us, meter, steps)) return;
  } while (!meter->exhausted());
}

bool LiveState::filled() const { return impl_->groups.empty() && !impl_->recheck; }

LiveState::Progress LiveState::progress() const {
  Progress progress;
  for (const Impl::FillGroup& group : impl_->groups) {
    progress.done += group.mark;
    progress.all += impl_->table->row_end();
  }
  if (impl_->recheck) {
    progress.done += impl_->recheck->mark;
    progress.all += impl_->recheck->end;
  }
  return progress;
}

void LiveState::Force(Row row, const SegmentFlip& flip) {
  RowBits& members = impl_->MembersOf(flip.segment);
  flip.entered ? members.Set(row) : members.Clear(row);
}

// ---- Population figures ----

namespace {

bool SameValues(const PopulationFigures* a, const PopulationFigures& b) {
  const auto value_in = [](const PopulationFigures* figures, const std::string& name) {
    if (!figures) return Value();
    auto it = figures->by_name.find(name);
    return it == figures->by_name.end() ? Value() : it->second.value;
  };
  const auto all_in = [&](const PopulationFigures& from, const PopulationFigures* other) {
    return std::all_of(from.by_name.begin(), from.by_name.end(),
                       [&](const auto& named) { return value_in(other, named.first) == named.second.value; });
  };
  return all_in(b, a) && (!a || all_in(*a, &b));
}

}  // namespace

void LiveState::SetPopulation(PopulationRef figures, int64_t now_us) {
  Impl& live = *impl_;
  const bool same = SameValues(live.population.get(), *figures);
  const PopulationRef before = live.population;
  RenamePopulation(std::move(figures));
  const uint32_t end = live.table->row_end();
  if (same || live.plan->population_expressions().empty() || end == 0) return;
  live.recheck = Impl::PendingRecheck{now_us, 0, end, {}, before};
}

void LiveState::RenamePopulation(PopulationRef figures) {
  auto kept = std::make_shared<PopulationFigures>(*figures);
  for (auto& [name, figure] : kept->by_name) figure.next_publication_us = 0;
  impl_->population = std::move(kept);
  impl_->view.population = impl_->population.get();
}

int64_t LiveState::LatestAsOf() const { return impl_->latest_as_of; }
bool LiveState::rechecking() const { return impl_->recheck.has_value(); }

// The row stands at the instant of the figures.
void LiveState::Impl::RecheckRow(Row row, Flips* flips) {
  view.population = population.get();
  view.now_us = as_of[row.value];
  next_edge_us = kNever;
  for (uint32_t expression : plan->population_expressions()) MarkExpression(expression);
  Run(row, ChangeCause::kClock, flips);
  timers.SetEarlier(row, next_edge_us);
  recheck->done.Set(row);
}

bool LiveState::Impl::RecheckNext(int64_t now_us, WorkMeter* meter, std::vector<Step>* steps) {
  if (!recheck) return false;
  const Row row(recheck->mark);
  if (table->live().Test(row) && AwaitsRecheck(row)) {
    ReachRow(row);
    Step step{row, {}};
    const bool there = BringUp(row, std::max(now_us, recheck->now_us), meter, &step.flips);
    meter->Add(kFillRowWork);
    if (!step.flips.empty()) steps->push_back(std::move(step));
    if (!there) return true;
  } else {
    meter->Add(kDeadRowWork);
  }
  if (++recheck->mark >= recheck->end) recheck.reset();
  return true;
}

void LiveState::Recheck(int64_t now_us, WorkMeter* meter, std::vector<Step>* steps) {
  Impl& live = *impl_;
  do {
    if (!live.RecheckNext(now_us, meter, steps)) return;
  } while (!meter->exhausted());
}

}  // namespace korrel
