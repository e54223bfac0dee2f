// engine/live/live_turn.h
//
// The turns that the clock and filling take on a shard: lock, adopt the newest catalog, step some rows, write what changed in
// segments to the log at the position taken there, unlock. A tenth of an ordinary turn of counted work, or one row (one edge of a row that is far behind the clock).
//
// Threads  From any thread that holds no shard's lock.
#pragma once

#include <chrono>
#include <cstdint>

#include "engine/core.h"

namespace korrel {

struct LiveTurn {
  uint64_t edges = 0;               // instants that rows were stepped through
  bool others_wait = false;         // somebody stood at the shard's lock when the turn ended
  std::chrono::nanoseconds held{};  // how long the lock was held
  // Filling:
  bool rechecking = false;  // rows are left that have not been looked at since figures were published
  LivePlanRef plan;         // that the shard has adopted
  bool filled = false;
};

// Steps rows that are due at the horizon, or at `until_us` where that is earlier, earliest first.
LiveTurn TakeClockTurn(Core& core, Shard& shard, int64_t until_us = INT64_MAX);
// Looks at some rows again after figures about everybody were published.
LiveTurn TakeRecheckTurn(Core& core, Shard& shard);
// Fills some rows of what is not filled yet; also where nothing is, so that the shard has adopted the newest catalog afterwards.
LiveTurn TakeFillTurn(Core& core, Shard& shard);

// Under the shard's lock, exclusive: the row was stepped some way towards the instant of a write, and others may come in between now.
void LogCatchUp(Core& core, Shard& shard, const LiveState::Step& step);

// Under the shard's lock, exclusive: everything due at now, however much it is.
void StepAllDue(Core& core, Shard& shard, int64_t now_us);

// Background work leaves a shard alone for at least as long as it held it, where others want it.
void StayAway(const LiveTurn& turn);

}  // namespace korrel
