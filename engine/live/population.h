// engine/live/population.h
//
// Population publishes figures about everybody (`population.x`). Each has its instants: whole multiples of its `every` since
// 1970-01-01T00:00:00Z, the first one behind its definition. At an instant all shards are brought to it, the values of everybody are
// collected in bounded turns, and with all shards stopped for the exchange of a pointer the figures of that instant are in force and in
// the log. Then every row whose truths read a changed figure is looked at again; until then questions evaluate it from its definition.
//
//   ClockDriver ─▶ everything stepped up to the instant ─▶ Publish: collect ─▶ PopulationMutation, all shards ─▶ recheck turns
//
//   replay clock   the clock is held before the next instant (Clock::Hold); who wants to pass it publishes first. So a figure is of exactly
//                  what was written before the clock reached it, whatever the number of shards.
//   system clock   the driver's thread publishes within milliseconds of the instant, from what the profiles are then. An instant that
//                  was slept through is left out: the latest counts.
//
// Figures that read other figures come after them, at the same instant.
//
// Threads   All methods from any thread; Publish, SkipTo and FinishRechecks one at a time. The mutex is a leaf but for the clock's own.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/catalog/catalog_snapshot.h"
#include "engine/mutation.h"

namespace korrel {

struct Core;

// Of one figure, under a replay clock that moves over more instants at once: the last ones are published.
inline constexpr int64_t kInstantsAtOnceMax = 10'000;

class Population {
 public:
  explicit Population(Core* core) : core_(*core) {}

  // Figures and their instants are those of the snapshot from now on: new ones have no value, those that went are forgotten, one that is
  // declared anew keeps its value until its next instant. Called where the snapshot is published, with all shards locked.
  void Adopt(const CatalogSnapshot& catalog);

  int64_t NextInstant() const;  // kNever: there are no figures

  // Before the instants up to `to_us` are published: leaves out those that a system clock slept through, those behind the limit, and
  // those before the last at which nothing can have changed, or nobody is there.
  void SkipTo(int64_t to_us);
  // Everything has been stepped up to the instant: publishes the figures that have it, unless `stop` becomes true.
  void Publish(int64_t instant_us, const std::atomic<bool>& stop);
  // Takes turns until every row has been looked at since the last publication.
  void FinishRechecks(const std::atomic<bool>& stop);

  // The replay clock may go to the instant, and no further until Release.
  void Reach(int64_t instant_us);
  void Release();

  // Replay: what a record says was published. All rows must have been rechecked. Errors: kInternal RECORD.
  Status Replay(const PopulationMutation& mutation, Position position);
  // After a replay: no instant up to now is published any more.
  void EndReplay();

 private:
  struct Figure {
    int64_t every_us = 0;
    int64_t handled_us = 0;  // no instant up to it will be published
    Type type;               // of its values
    Value value;
    int64_t published_us = 0;
    int64_t NextInstant() const;
  };
  struct Collected {
    std::vector<PopulationMutation::Figure> figures;
    CatalogRef catalog;
    Position begin;  // the log's end before the first value was read
  };
  std::vector<std::string> DueAt(int64_t instant_us) const;
  std::optional<Value> ValueOf(const CatalogSnapshot& catalog, const Quantile& quantile, int64_t instant_us) const;
  Collected Collect(const std::vector<std::string>& due, int64_t instant_us) const;
  bool Log(const Collected& collected, int64_t instant_us);
  void PutIn(const PopulationMutation& mutation, Position position);
  std::optional<int64_t> SteadyUntil() const;
  void MakeFigures();
  void HoldClock();

  Core& core_;
  mutable std::mutex mutex_;
  std::map<std::string, Figure, std::less<>> by_name_;  // guarded by mutex_
  PopulationRef figures_;                               // made of by_name_; guarded by mutex_
  std::optional<int64_t> reached_us_;                   // guarded by mutex_
  Position last_record_;                                // of the last publication; guarded by mutex_
  std::set<std::string> current_;                       // published when nothing but figures had come to the log; guarded by mutex_
  std::atomic<bool> rechecking_{false};
};

// Of `names`, those that read no other of them, through definitions or not: what can be published at once.
std::vector<std::string> FirstToPublish(const CatalogSnapshot& catalog, const std::vector<std::string>& names);

}  // namespace korrel
