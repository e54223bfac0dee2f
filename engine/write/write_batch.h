// engine/write/write_batch.h
//
// The way of a batch of writes into the database, the same for profile writes, events, deletes and list changes:
//
//   bind (names → ids, values → stored types; where the catalog must grow, identity and duplicates are looked at first)
//     → reserve log budget          no lock is held; refuse here
//     → admit and claim, in order   the clock takes the events' times, identity finds or draws the profiles
//     → by shard, in turns          under the shard's lock: check against state, apply, write the record, take the position
//
// A turn is about kTurnWorkUnits of counted work and one log record. What a turn finds outdated (the catalog's layout changed since
// binding, the profile was deleted since identity was asked) goes round again. Items of one profile stay in their order.
//
// Threads  RunBatch from any thread; at most one lock of a shard is held at a time, and no other lock before it.
#pragma once

#include <cstdint>

#include "engine/core.h"
#include "engine/write/prepared_write.h"

namespace korrel {

class WriteItems {
 public:
  virtual ~WriteItems() = default;
  virtual size_t size() const = 0;
  // See BindProfileWrite. May be called several times for an item, each time with a fresh `out`.
  virtual Status Bind(size_t index, const BindContext& context, PreparedWrite* out, Growth* growth) = 0;
  // What stands before an error's field: "writes[3].".
  virtual std::string FieldPrefix(size_t index) const = 0;
};

// Errors: only where nothing was done: kResourceExhausted QUEUE; where profiles are far behind the clock also kUnavailable SHUTDOWN
// and CATCHING_UP, kDeadlineExceeded. In a batch of which something was applied these stand at the items that were not.
StatusOr<WriteResult> RunBatch(Core& core, WriteItems& items, const WriteOptions& options);

// The durability a write of this class reaches on this log.
Durability ReachedDurability(const Log& log, Durability asked);

}  // namespace korrel
