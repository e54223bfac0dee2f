// engine/shard.h
//
// Shard is an independent partition of profiles: one lock, one table, its postings. A profile lives in the shard that a hash of
// its ProfileId names.
//
// Threads     Everything under `lock`: shared for reading, exclusive for Apply. It is held for one turn: about kTurnWorkUnits of
//             counted work, or one row where a single row costs more. A change of stored types or data by the catalog holds the
//             locks of all shards at once (see engine/catalog/catalog.h); nobody else holds more than one.
// Invariants  Every change of a profile goes through Apply, live and at replay alike.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/mutation.h"
#include "engine/phase_fair_lock.h"
#include "index/shard_index.h"
#include "storage/profile_table.h"

namespace korrel {

class Identity;

struct Shard {
  explicit Shard(bool keep_postings) : index(keep_postings), table(&index) { index.Attach(&table); }
  Shard(const Shard&) = delete;

  mutable PhaseFairLock lock;
  ShardIndex index;    // guarded by lock
  ProfileTable table;  // guarded by lock
  Position applied;    // newest position whose mutation this shard applied; guarded by lock

  struct Applied {
    std::optional<Row> row;  // nullopt: the profile ended
  };
  // Applies a change that was checked. `schema` is the catalog's at this place of the log. Call under the lock, exclusive; then
  // append to the log and SetVersion, still under it.
  // A change that cannot be applied here contradicts what was checked or logged: kInternal, and the caller gives up.
  StatusOr<Applied> Apply(const ProfileChange& change, const Schema& schema, uint32_t events_hard_max, Identity* identity);

  // Frees what retention and max_events have put out at now: only what is held makes a duplicate, or counts towards a limit.
  void FreeEventsThatAreOut(Row row, const Schema& schema, int64_t now_us);
};

// Which of `shard_count` (a power of two) shards holds the profile.
uint32_t ShardOf(ProfileId id, uint32_t shard_count);

// What a change costs, in WorkMeter units; the longest turn of a write is kTurnWorkUnits and one change.
uint64_t WorkOf(const ProfileChange& change);

}  // namespace korrel
