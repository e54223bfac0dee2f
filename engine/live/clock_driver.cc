#include "engine/live/clock_driver.h"

#include <algorithm>

#include "engine/background.h"
#include "engine/live/horizon.h"
#include "engine/live/live_turn.h"
#include "engine/live/population.h"

namespace korrel {

ClockDriver::ClockDriver(Core* core) : core_(*core), thread_([this] { Run(); }) {}

ClockDriver::~ClockDriver() {
  core_.stopping = true;
  {
    std::lock_guard<std::mutex> hold(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void ClockDriver::Run() {
  BecomeBackgroundThread();
  for (;;) {
    {
      std::unique_lock<std::mutex> hold(mutex_);
      if (wake_.wait_for(hold, kNap, [this] { return stop_; })) return;
    }
    std::lock_guard<std::mutex> round(rounds_mutex_);
    if (core_.replaying) continue;
    core_.population->FinishRechecks(core_.stopping);  // where a replay ended in the middle of it
    if (core_.clock->mode() == ClockMode::kSystem) PublishInstants(core_.horizon->NowUs());
    StepDue(kNever, BackgroundLanes());
  }
}

void ClockDriver::PublishUpTo(int64_t to_us) {
  std::lock_guard<std::mutex> round(rounds_mutex_);
  PublishInstants(to_us);
}

Status ClockDriver::GoesOn(const Database::Wanted& wanted) const {
  if (core_.stopping)
    return MakeError(absl::StatusCode::kUnavailable, "STOPPED", "", "the server is stopping before everybody was stepped");
  return wanted ? wanted() : absl::OkStatus();
}

// Instant after instant; each is of everything before it, and comes before anything behind it. Returns how many edges were stepped.
uint64_t ClockDriver::PublishInstants(int64_t to_us, const Database::Wanted& wanted) {
  Population& population = *core_.population;
  uint64_t edges = 0;
  while (GoesOn(wanted).ok() && population.NextInstant() <= to_us) {
    population.SkipTo(to_us);
    const int64_t instant_us = population.NextInstant();
    population.Reach(instant_us);
    core_.horizon->WaitFor(instant_us);
    edges += StepDue(instant_us, AllLanes());
    population.Publish(instant_us, core_.stopping);
    population.Release();
  }
  return edges;
}

// Round after round until nobody is due who was when it began, up to `until_us`: each due shard gets one turn a round, so that none falls
// behind the others. What becomes due meanwhile waits for the next nap: stepping it row by row would keep the machine busy for nothing.
uint64_t ClockDriver::StepDue(int64_t until_us, size_t lanes, const Database::Wanted& wanted) {
  const int64_t up_to_us = std::min(core_.horizon->NowUs(), until_us);
  uint64_t edges = 0;
  while (GoesOn(wanted).ok()) {
    std::vector<Shard*> due;
    for (const auto& shard : core_.shards) {
      if (shard->next_due.load(std::memory_order_relaxed) <= up_to_us) due.push_back(shard.get());
    }
    if (due.empty()) return edges;
    edges += StepOnce(due, up_to_us, lanes);
  }
  return edges;
}

uint64_t ClockDriver::StepOnce(const std::vector<Shard*>& due, int64_t until_us, size_t lanes) {
  std::vector<LiveTurn> turns(due.size());
  lanes = std::min(lanes, due.size());
  auto run_lane = [&](size_t lane) {
    for (size_t i = lane; i < due.size(); i += lanes) turns[i] = TakeClockTurn(core_, *due[i], until_us);
  };
  if (lanes == 1) {
    run_lane(0);
  } else {
    core_.executor->ForEach(lanes, run_lane);
  }
  uint64_t edges = 0;
  for (const LiveTurn& turn : turns) edges += turn.edges;
  // A round gives every shard but the one of its last turn time to itself already; where it is the only one, here.
  if (turns.size() == 1) StayAway(turns[0]);
  return edges;
}

// One core is left to those who ask, where nobody waits for the edges.
size_t ClockDriver::BackgroundLanes() const { return std::max<size_t>(2, core_.executor->thread_count()) - 1; }
size_t ClockDriver::AllLanes() const { return std::max<size_t>(1, core_.executor->thread_count()); }

StatusOr<Database::AdvanceAnswer> ClockDriver::AdvanceTo(int64_t to_us, const Database::Wanted& wanted) {
  std::string record = EncodeMutation(ClockMutation{to_us});
  KORREL_ASSIGN_OR_RETURN(Log::Reservation reserved, core_.log->Reserve(record.size()));
  if (to_us < core_.clock->NowUs()) return core_.clock->AdvanceTo(to_us);  // refused; who is wrong need not wait to hear it
  constexpr std::chrono::milliseconds kLook{1};
  std::unique_lock<std::mutex> round(rounds_mutex_, std::defer_lock);
  while (!round.try_lock()) {
    KORREL_RETURN_IF_ERROR(GoesOn(wanted));
    std::this_thread::sleep_for(kLook);
  }
  KORREL_RETURN_IF_ERROR(GoesOn(wanted));
  Database::AdvanceAnswer answer;
  const bool replay = core_.clock->mode() == ClockMode::kReplay;
  Status moved = core_.clock->AdvanceTo(to_us);
  for (; ReasonOf(moved) == "CLOCK_HELD"; moved = core_.clock->AdvanceTo(to_us)) {
    answer.edges_processed += PublishInstants(to_us, wanted);
    KORREL_RETURN_IF_ERROR(GoesOn(wanted));
  }
  KORREL_RETURN_IF_ERROR(moved);
  core_.log->Append(std::move(record));
  while (!core_.horizon->WaitFor(to_us, kLook)) KORREL_RETURN_IF_ERROR(GoesOn(wanted));
  if (!replay) answer.edges_processed += PublishInstants(to_us, wanted);
  answer.edges_processed += StepDue(kNever, AllLanes(), wanted);
  KORREL_RETURN_IF_ERROR(GoesOn(wanted));
  answer.position = core_.log->Last();
  answer.now_us = core_.clock->NowUs();
  return answer;
}

int64_t ClockDriver::LagUs() const {
  int64_t earliest_us = kNever;
  for (const auto& shard : core_.shards) earliest_us = std::min(earliest_us, shard->next_due.load(std::memory_order_relaxed));
  const int64_t now_us = core_.clock->NowUs();
  // What is due at this very instant is behind too: 0 says that everything up to now is done.
  return earliest_us <= now_us ? std::max<int64_t>(1, now_us - earliest_us) : 0;
}

}  // namespace korrel
