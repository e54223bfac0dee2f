#include "engine/live/fill_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <shared_mutex>

#include "engine/background.h"
#include "engine/catalog/catalog.h"
#include "engine/live/horizon.h"
#include "engine/live/live_turn.h"
#include "engine/turns.h"

namespace korrel {
namespace {

constexpr std::chrono::milliseconds kNap{20};

std::set<uint64_t> SerialsOf(const LivePlan& plan) {
  std::set<uint64_t> serials;
  for (const AggregateUnit& unit : plan.aggregates()) serials.insert(unit.serial);
  for (const LivePlan::ExpressionUnit& unit : plan.expressions()) serials.insert(unit.serial);
  for (const LivePlan::SegmentUnit& unit : plan.segments()) serials.insert(unit.serial);
  return serials;
}

bool HoldsDropped(const LivePlan& plan) {
  return std::ranges::any_of(plan.segments(), [](const LivePlan::SegmentUnit& unit) { return unit.dropped; });
}

}  // namespace

FillDriver::FillDriver(Core* core) : core_(*core), filled_plan_(core->CurrentCatalog()->live), thread_([this] { Run(); }) {}

FillDriver::~FillDriver() {
  {
    std::lock_guard<std::mutex> hold(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void FillDriver::Wake() {
  std::lock_guard<std::mutex> hold(mutex_);
  woken_ = true;
  wake_.notify_all();
}

bool FillDriver::Stopping() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return stop_;
}

LivePlanRef FillDriver::filled_plan() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return filled_plan_;
}

bool FillDriver::IsFilled(const CatalogSnapshot& catalog) const { return filled_plan() == catalog.live; }

// A nap at a time, too: a replay that ends wakes nobody.
void FillDriver::Run() {
  BecomeBackgroundThread();
  for (;;) {
    {
      std::unique_lock<std::mutex> hold(mutex_);
      wake_.wait_for(hold, kNap, [this] { return stop_ || woken_; });
      if (stop_) return;
      woken_ = false;
    }
    std::lock_guard<std::mutex> round(rounds_mutex_);
    if (core_.replaying) continue;
    const CatalogRef catalog = core_.CurrentCatalog();
    if (IsFilled(*catalog)) {
      Note(catalog);
      continue;
    }
    while (!Stopping() && !core_.replaying && !FillAll(core_.CurrentCatalog())) {
    }
  }
}

// Round after round over the shards that are not done. False: the catalog has changed meanwhile.
bool FillDriver::FillAll(const CatalogRef& catalog) {
  std::vector<Shard*> open;
  for (const auto& shard : core_.shards) open.push_back(shard.get());
  while (!open.empty()) {
    const bool alone = open.size() == 1;  // else each has the turns of the others to itself
    std::erase_if(open, [&](Shard* shard) {
      const LiveTurn turn = TakeFillTurn(core_, *shard);
      if (alone) StayAway(turn);
      return turn.filled && turn.plan == catalog->live;
    });
    if (Stopping() || core_.CurrentCatalog()->live != catalog->live) return false;
  }
  return core_.catalog->Exclusively([&](const CatalogRef& base) { return base->live == catalog->live && LogFilled(base); });
}

// No other definition can come meanwhile. The record stands where every row has been stepped up to its instant and no further than the
// records before it say, so that who replays it finds the same members in the same place. Where steps remain, they are taken in
// ordinary turns first; what little is due by then is done with everybody stopped.
bool FillDriver::LogFilled(const CatalogRef& base) {
  if (SerialsOf(*base->live) != SerialsOf(*filled_plan())) {
    for (const auto& shard : core_.shards) {
      while (shard->next_due.load(std::memory_order_relaxed) <= core_.horizon->NowUs() && !Stopping()) TakeClockTurn(core_, *shard);
    }
    if (Stopping()) return false;
    AllShards all(core_);
    const int64_t now_us = core_.horizon->NowUs();
    for (const auto& shard : core_.shards) {
      shard->Adopt(*base);
      StepAllDue(core_, *shard, now_us);
      if (!shard->live.filled()) return false;
    }
    core_.log->Append(EncodeMutation(FilledMutation{now_us, base->revision}));
  }
  Note(HoldsDropped(*base->live) ? core_.catalog->ForgetDropped(base) : base);
  return true;
}

void FillDriver::Note(const CatalogRef& catalog) {
  std::lock_guard<std::mutex> hold(mutex_);
  if (filled_plan_ == catalog->live && filled_revision_ >= catalog->revision) return;
  filled_plan_ = catalog->live;
  filled_revision_ = std::max(filled_revision_, catalog->revision);
  filled_.notify_all();
}

double FillDriver::Ratio() const {
  uint64_t done = 0, all = 0;
  const CatalogRef catalog = core_.CurrentCatalog();
  if (IsFilled(*catalog)) return 1;
  for (const auto& shard : core_.shards) {
    std::shared_lock<PhaseFairLock> hold(shard->lock);
    if (shard->live.plan() != catalog->live) {
      all += shard->table.live().count();
      continue;
    }
    const LiveState::Progress progress = shard->live.progress();
    done += progress.done;
    all += progress.all;
  }
  return all == 0 ? 0 : static_cast<double>(done) / static_cast<double>(all);
}

Status FillDriver::WaitUntilFilled(uint64_t revision, int64_t deadline_ns, const std::function<void(double)>& progress) {
  constexpr std::chrono::milliseconds kLook{50};
  Wake();
  for (;;) {
    {
      std::unique_lock<std::mutex> hold(mutex_);
      if (filled_.wait_for(hold, kLook, [&] { return filled_revision_ >= revision && filled_plan_; })) break;
    }
    if (IsPast(deadline_ns)) return DeadlinePassed();
    if (core_.stopping) return Core::ShutdownError();
    if (progress) progress(Ratio());
  }
  if (progress) progress(1);
  return absl::OkStatus();
}

Status FillDriver::ReplayFilled(const FilledMutation& filled, Position position) {
  const CatalogRef catalog = core_.CurrentCatalog();
  for (const auto& shard : core_.shards) {
    std::lock_guard<PhaseFairLock> hold(shard->lock);
    shard->Adopt(*catalog);
    while (!shard->live.filled()) {
      WorkMeter meter;
      std::vector<LiveState::Step> steps;
      shard->live.Fill(filled.now_us, &meter, &steps);
      for (const LiveState::Step& step : steps) {
        if (step.flips.empty()) continue;
        return MakeError(absl::StatusCode::kInternal, "RECORD", "",
                         fmt::format("{} is {} segment {} and the records say otherwise", FormatProfileId(shard->table.IdOf(step.row)),
                                     step.flips[0].entered ? "in" : "not in", step.flips[0].segment.value));
      }
    }
    shard->applied = position;
    shard->NoteDue();
  }
  return core_.catalog->Exclusively([&](const CatalogRef& base) {
    Note(HoldsDropped(*base->live) ? core_.catalog->ForgetDropped(base) : base);
    return absl::OkStatus();
  });
}

}  // namespace korrel
