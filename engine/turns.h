// engine/turns.h
//
// How a question walks over shards: in turns. A turn holds one shard's lock for about kTurnWorkUnits of counted work (or one row,
// where a single row costs more), reads the clock once, and is reported to Core::NoteTurn. Between turns a writer may pass.
//
// Threads  A Turn belongs to one thread. RunShards may call `turn` for different shards at once, never for one shard at once.
#pragma once

#include <chrono>
#include <functional>
#include <shared_mutex>
#include <thread>

#include "engine/core.h"

namespace korrel {

// Costs of what a turn does beside evaluating, in WorkMeter units (about a nanosecond each).
inline constexpr uint64_t kWorkPerRow = 4;          // taking a matching row from the bits
inline constexpr uint64_t kWorkPerValue = 6;        // copying a value into an answer
inline constexpr uint64_t kWorkPerIdentifier = 60;  // one small string built
inline constexpr uint64_t kWorkPerGroup = 30;       // finding a group's slot

class Turn {
 public:
  Turn(Core& core, size_t shard, const CatalogSnapshot& catalog) : core_(core), lock_(core.shards[shard]->lock) {
    shard_ = core.shards[shard].get();
    view_ = {&shard_->table, &shard_->index, catalog.schema.get(), core.clock->NowUs(), &shard_->live, shard_->population.get()};
    fresh_ = core.CurrentCatalog()->layout == catalog.layout;
  }
  ~Turn() {
    lock_.unlock();
    core_.NoteTurn(work_);
  }
  Turn(const Turn&) = delete;

  // Whether what is stored is still of the types (and under the retentions) that the catalog snapshot says. Where not, nothing may be
  // read by plans of that snapshot: compile again. Stays true to the end of the turn, since such a change takes all shards' locks.
  bool fresh() const { return fresh_; }
  const ShardView& view() const { return view_; }
  const Shard& shard() const { return *shard_; }
  const ProfileTable& table() const { return *view_.table; }
  int64_t now_us() const { return view_.now_us; }
  void AddWork(uint64_t units) { work_ += units; }
  uint64_t work() const { return work_; }

 private:
  Core& core_;
  std::shared_lock<PhaseFairLock> lock_;
  const Shard* shard_;
  ShardView view_;
  bool fresh_ = false;
  uint64_t work_ = 0;
};

enum class TurnEnd : uint8_t {
  kMore,     // the shard has rows left
  kDone,     // the shard is done
  kStale,    // the question's plans are older than the data; compile again
  kStopped,  // nothing more is wanted, of any shard
  kExpired,  // nobody waits for the answer any more
};
// Whether the walk ended before it was complete: an attempt answers nullopt then, and UntilFresh says why.
inline bool IsCut(TurnEnd end) { return end == TurnEnd::kStale || end == TurnEnd::kExpired; }

// Whether a deadline (CLOCK_MONOTONIC; 0: none) has passed. Housekeeping: it decides no answer, only whether there is one.
bool IsPast(int64_t deadline_ns);
Status DeadlinePassed();  // kDeadlineExceeded DEADLINE

// Takes turns on shards 0 … n-1 until each is done; answers kDone, or the kStale, kStopped or kExpired that ended it. `turn(shard,
// &work)` runs one turn and says what it cost; the deadline is looked at between turns, so expired work ends within one. A question that looks smaller than half a millisecond stays on the calling thread.
TurnEnd RunShards(Core& core, size_t n, int64_t deadline_ns, const std::function<TurnEnd(size_t shard, uint64_t* work)>& turn);

// Tries until the plans fit the data. `attempt(catalog)` compiles and asks; it answers nullopt where a plan was stale or the deadline has passed. A type that is
// being widened makes plans stale for as long as that takes, hence the growing pauses, together about a second.
// Errors: those of `attempt`; kDeadlineExceeded; kAborted REVISION_CHANGED where definitions would not stand still.
template <class Answer, class Attempt>
StatusOr<Answer> UntilFresh(Core& core, Attempt attempt, int64_t deadline_ns = 0) {
  constexpr int kAttemptsMax = 64;
  for (int i = 0; i < kAttemptsMax; ++i) {
    if (i > 1) std::this_thread::sleep_for(std::chrono::milliseconds(i < 5 ? 1 << i : 16));
    StatusOr<std::optional<Answer>> answer = attempt(core.CurrentCatalog());
    if (!answer.ok()) return answer.status();
    if (answer->has_value()) return std::move(**answer);
    if (IsPast(deadline_ns)) return DeadlinePassed();
  }
  return MakeError(absl::StatusCode::kAborted, "REVISION_CHANGED", "", "types kept changing while the question was asked; ask again");
}

}  // namespace korrel
