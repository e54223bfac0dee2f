#include "engine/live/live_turn.h"

#include <algorithm>
#include <thread>

#include "engine/live/horizon.h"

namespace korrel {
namespace {

using Clock = std::chrono::steady_clock;

// The positions of a turn and of the writes around it are in the order in which they happened to each row: the lock is still held.
void LogTurn(Core& core, Shard& shard, TurnMutation::Kind kind, int64_t now_us, std::vector<LiveState::Step>* steps) {
  TurnMutation turn{kind, now_us, {}};
  turn.profiles.reserve(steps->size());
  for (LiveState::Step& step : *steps) {
    if (!step.flips.empty()) turn.profiles.push_back({shard.table.IdOf(step.row), std::move(step.flips)});
  }
  if (turn.profiles.empty()) return;
  shard.applied = core.log->Append(EncodeMutation(turn));
}

// A reader that comes in the middle of a turn waits for its end, and while many rows are due there is always one: short ones cost the
// clock a few per cent and spare readers most of the wait.
constexpr uint64_t kLiveTurnWorkUnits = kTurnWorkUnits / 10;

template <class Work>
LiveTurn TakeTurn(Core& core, Shard& shard, TurnMutation::Kind kind, Work work) {
  LiveTurn turn;
  WorkMeter meter(kLiveTurnWorkUnits);
  {
    std::lock_guard<PhaseFairLock> hold(shard.lock);
    const Clock::time_point begin = Clock::now();
    shard.Adopt(*core.CurrentCatalog());
    const int64_t now_us = core.horizon->NowUs();
    shard.steps.clear();
    work(now_us, &meter, &shard.steps, &turn);
    LogTurn(core, shard, kind, now_us, &shard.steps);
    shard.NoteDue();
    turn.plan = shard.live.plan();
    turn.filled = shard.live.filled();
    turn.rechecking = shard.live.rechecking();
    turn.others_wait = shard.lock.AnybodyWaits();
    turn.held = Clock::now() - begin;
  }
  core.NoteTurn(meter.used());
  return turn;
}

}  // namespace

// Logged without flips, too: a replay that left the row behind this instant would judge a definition filled meanwhile as of another.
void LogCatchUp(Core& core, Shard& shard, const LiveState::Step& step) {
  const TurnMutation turn{TurnMutation::Kind::kCatchUp, shard.live.AsOf(step.row), {{shard.table.IdOf(step.row), step.flips}}};
  shard.applied = core.log->Append(EncodeMutation(turn));
}

LiveTurn TakeClockTurn(Core& core, Shard& shard, int64_t until_us) {
  return TakeTurn(core, shard, TurnMutation::Kind::kClock,
                  [&](int64_t now_us, WorkMeter* meter, std::vector<LiveState::Step>* steps, LiveTurn* turn) {
                    const int64_t up_to_us = std::min(now_us, until_us);
                    if (shard.live.NextDue() <= up_to_us) turn->edges = shard.live.Advance(up_to_us, meter, steps);
                  });
}

LiveTurn TakeRecheckTurn(Core& core, Shard& shard) {
  return TakeTurn(core, shard, TurnMutation::Kind::kClock,
                  [&](int64_t now_us, WorkMeter* meter, std::vector<LiveState::Step>* steps, LiveTurn*) {
                    if (shard.live.rechecking()) shard.live.Recheck(now_us, meter, steps);
                  });
}

LiveTurn TakeFillTurn(Core& core, Shard& shard) {
  return TakeTurn(core, shard, TurnMutation::Kind::kFill,
                  [&](int64_t now_us, WorkMeter* meter, std::vector<LiveState::Step>* steps, LiveTurn*) {
                    if (!shard.live.filled()) shard.live.Fill(now_us, meter, steps);
                  });
}

void StepAllDue(Core& core, Shard& shard, int64_t now_us) {
  while (shard.live.NextDue() <= now_us) {
    WorkMeter meter;
    std::vector<LiveState::Step> steps;
    shard.live.Advance(now_us, &meter, &steps);
    LogTurn(core, shard, TurnMutation::Kind::kClock, now_us, &steps);
  }
  shard.NoteDue();
}

void StayAway(const LiveTurn& turn) {
  if (turn.others_wait) std::this_thread::sleep_for(turn.held);
}

}  // namespace korrel
