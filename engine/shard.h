// engine/shard.h
//
// Shard is an independent partition of profiles: one lock, one table, its postings, and what it keeps current of the catalog's
// definitions. A profile lives in the shard that a hash of its ProfileId names.
//
// Threads     Everything under `lock`: shared for reading, exclusive for Apply. It is held for one turn: about kTurnWorkUnits of
//             counted work, or one row where a single row costs more. A change of stored types or data by the catalog holds the
//             locks of all shards at once (see engine/catalog/catalog.h); nobody else holds more than one.
// Invariants  Every change of a profile goes through Apply, live and at replay alike.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "engine/mutation.h"
#include "engine/phase_fair_lock.h"
#include "index/evaluation/edge.h"
#include "index/live/live_state.h"
#include "index/shard_index.h"
#include "storage/profile_table.h"

namespace korrel {

class Identity;

struct Shard {
  explicit Shard(bool keep_postings) : index(keep_postings), table(&index), live(&table, &index) { index.Attach(&table); }
  Shard(const Shard&) = delete;

  mutable PhaseFairLock lock;
  ShardIndex index;                    // guarded by lock
  ProfileTable table;                  // guarded by lock
  LiveState live;                      // what the catalog's definitions say of the rows, kept current; guarded by lock
  PopulationRef population;            // the figures that `live` and questions see; null: none; guarded by lock
  std::vector<LiveState::Step> steps;  // of the turn at hand, kept for its memory; guarded by lock
  Position applied;                    // newest position whose mutation this shard applied; guarded by lock
  // A copy of live.NextDue() that needs no lock, renewed at the end of every exclusive turn: who reads it too early looks again soon.
  std::atomic<int64_t> next_due{kNever};

  // Every exclusive turn begins with the newest catalog and ends by noting what is due next.
  void Adopt(const CatalogSnapshot& catalog);
  void NoteDue() { next_due.store(live.NextDue(), std::memory_order_relaxed); }

  // Asks for the memory that applying the change will read, all at once and before it is needed.
  void Prefetch(Row row, const ProfileChange& change) const;

  struct Applied {
    std::optional<Row> row;  // nullopt: the profile ended
    LiveState::Flips flips;  // first what the clock did to the row up to the change's now, then what the change did
  };
  // Applies a change that was checked. `schema` is the catalog's at this place of the log, adopted. Call under the lock, exclusive;
  // then append to the log and SetVersion, still under it.
  // A change that cannot be applied here contradicts what was checked or logged: kInternal, and the caller gives up.
  StatusOr<Applied> Apply(const ProfileChange& change, const Schema& schema, uint32_t events_hard_max, Identity* identity);

  // Frees what retention and max_events have put out at now: only what is held makes a duplicate, or counts towards a limit.
  void FreeEventsThatAreOut(Row row, const Schema& schema, int64_t now_us);

 private:
  Status ApplyAttributes(Row row, const ProfileChange& change, const Schema& schema);
  Status ApplyEvents(Row row, const ProfileChange& change, const Schema& schema, uint32_t events_hard_max);
  void ApplyMembers(Row row, const ProfileChange& change);
  void End(Row row, const ProfileChange& change, Identity* identity, LiveState::Flips* flips);

  const Schema* adopted_schema_ = nullptr;  // alive: LiveState holds it
};

// Which of `shard_count` (a power of two) shards holds the profile.
uint32_t ShardOf(ProfileId id, uint32_t shard_count);

// What a change costs, in WorkMeter units; the longest turn of a write is kTurnWorkUnits and one change.
uint64_t WorkOf(const ProfileChange& change);

}  // namespace korrel
