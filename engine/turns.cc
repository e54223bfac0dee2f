#include "engine/turns.h"

#include <algorithm>

namespace korrel {
namespace {

constexpr uint64_t kAloneWorkMax = 500'000;  // half a millisecond: below it, waking threads costs more than it brings

}  // namespace

TurnEnd RunShards(Core& core, size_t n, const std::function<TurnEnd(size_t, uint64_t*)>& turn) {
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
