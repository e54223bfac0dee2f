#include "engine/turns.h"

#include <algorithm>

namespace korrel {
namespace {

constexpr uint64_t kAloneWorkMax = 500'000;  // half a millisecond: below it, waking threads costs more than it brings

}  // namespace

bool IsPast(int64_t deadline_ns) { return deadline_ns != 0 && std::chrono::steady_clock::now().time_since_epoch().count() >= deadline_ns; }

Status DeadlinePassed() {
  return MakeError(absl::StatusCode::kDeadlineExceeded, "DEADLINE", "", "the deadline passed before the answer was complete");
}

TurnEnd RunShards(Core& core, size_t n, int64_t deadline_ns, const std::function<TurnEnd(size_t, uint64_t*)>& run_turn) {
  const auto turn = [&](size_t shard, uint64_t* work) { return IsPast(deadline_ns) ? TurnEnd::kExpired : run_turn(shard, work); };
  std::atomic<TurnEnd> ended{TurnEnd::kDone};  // its partner is itself: the first reason to stop wins, the others look at it
  auto run_shard = [&](size_t shard) {
    while (ended.load(std::memory_order_relaxed) == TurnEnd::kDone) {
      uint64_t work = 0;
      const TurnEnd end = turn(shard, &work);
      if (end == TurnEnd::kMore) continue;
      TurnEnd none = TurnEnd::kDone;
      if (end != TurnEnd::kDone) ended.compare_exchange_strong(none, end);
      return;
    }
  };
  // Alone as long as the work done, and the work that the shards so far make one expect, is small. What is left then fans out; a
  // shard stopped in the middle goes on there.
  size_t first = 0;
  for (uint64_t used = 0; first < n && ended == TurnEnd::kDone;) {
    if (core.executor->thread_count() > 1 && used * n / (first + 1) > kAloneWorkMax) break;
    uint64_t work = 0;
    const TurnEnd end = turn(first, &work);
    used += work;
    if (end == TurnEnd::kMore) continue;
    if (end != TurnEnd::kDone) return end;
    ++first;
  }
  if (first < n) core.executor->ForEach(n - first, [&](size_t i) { run_shard(first + i); });
  return ended;
}

}  // namespace korrel
