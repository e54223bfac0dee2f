// engine/live/fill_driver.h
//
// FillDriver fills what a catalog change has defined anew: one thread that goes round the shards turn by turn until each has adopted
// the newest plan and filled all of it. Then, with every row stepped up to one instant, it logs that all is filled: from that place of
// the log on, a replay works out what happens to segments and holds it against the records.
//
//   catalog publishes ─▶ Wake ─▶ fill turns, shard after shard ─▶ all filled ─▶ FilledMutation ─▶ who waits is told
//
// Threads   All methods from any thread. Dies before anything else of the core, after the clock driver.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "engine/core.h"

namespace korrel {

class FillDriver {
 public:
  explicit FillDriver(Core* core);
  ~FillDriver();
  FillDriver(const FillDriver&) = delete;

  void Wake();

  // The newest plan that all shards have filled; never null.
  LivePlanRef filled_plan() const;
  // Whether everything the snapshot keeps is filled in all shards.
  bool IsFilled(const CatalogSnapshot& catalog) const;
  // Waits until the catalog of this revision, or a later one, is filled. `progress` (may be empty) hears of the share that is done now
  // and then, from the calling thread. Errors: kDeadlineExceeded; kUnavailable SHUTDOWN.
  Status WaitUntilFilled(uint64_t revision, int64_t deadline_ns, const std::function<void(double)>& progress);
  // Rows done of rows to do, over all shards: 1 where nothing is left.
  double Ratio() const;

  // Returns when nothing is being filled that was found before core.replaying was set.
  void FinishRound() { std::lock_guard<std::mutex> round(rounds_mutex_); }
  // Replay: a record says that everything was filled at this instant. Fills all shards as of it. Errors: kInternal RECORD where that
  // changes what the records before said of segments.
  Status ReplayFilled(const FilledMutation& filled, Position position);

 private:
  void Run();
  bool FillAll(const CatalogRef& catalog);
  bool LogFilled(const CatalogRef& base);
  void Note(const CatalogRef& catalog);
  bool Stopping() const;

  Core& core_;
  std::mutex rounds_mutex_;  // held while something is filled; before shards' locks and the catalog's
  mutable std::mutex mutex_;
  std::condition_variable wake_, filled_;
  bool stop_ = false;             // guarded by mutex_
  bool woken_ = false;            // guarded by mutex_
  LivePlanRef filled_plan_;       // guarded by mutex_
  uint64_t filled_revision_ = 0;  // guarded by mutex_
  std::thread thread_;            // last: it uses all of the above
};

}  // namespace korrel
