// engine/shard.h
//
// Shard is an independent partition of profiles: one lock, one table, its postings. A profile lives in the shard that a hash of
// its ProfileId names.
//
// Threads  Everything under `lock`: shared for reading, exclusive for Apply. It is held for one turn: about kTurnWorkUnits of
//          counted work, or one row where a single row costs more.
#pragma once

#include <cstdint>

#include "engine/phase_fair_lock.h"
#include "index/shard_index.h"
#include "storage/profile_table.h"

namespace korrel {

struct Shard {
  explicit Shard(bool keep_postings) : index(keep_postings), table(&index) { index.Attach(&table); }
  Shard(const Shard&) = delete;

  mutable PhaseFairLock lock;
  ShardIndex index;    // guarded by lock
  ProfileTable table;  // guarded by lock
  Position applied;    // newest position whose mutation this shard applied; guarded by lock
};

// Which of `shard_count` (a power of two) shards holds the profile.
uint32_t ShardOf(ProfileId id, uint32_t shard_count);

}  // namespace korrel
