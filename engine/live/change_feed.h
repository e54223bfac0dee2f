// engine/live/change_feed.h
//
// ChangeFeed reads the changes of segments out of the log, once for everybody who watches: whoever asks first behind the newest
// stretch decodes the next one, and the others find it made. Who reads from further back decodes for himself.
//
// Threads   All methods from any thread. Takes the log's own lock only as long as it takes to find a record; never a shard's.
// Cost      A record is decoded once however many watch its end of the log; the stretches kept are bounded by kFeedBytesMax.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "index/live/live_state.h"
#include "storage/log/log.h"

namespace korrel {

inline constexpr size_t kFeedBytesMax = size_t{4} << 20;       // of decoded stretches kept
inline constexpr size_t kStretchBytesMax = size_t{256} << 10;  // of records decoded at a time, and the last one whole

// The changes of the records behind `after` up to and including `last`, in the log's order.
struct LogStretch {
  struct Change {
    Position position;
    ProfileId profile;
    SegmentFlip flip;
  };
  Position after, last;
  std::vector<Change> changes;
};
using LogStretchRef = std::shared_ptr<const LogStretch>;

class ChangeFeed {
 public:
  explicit ChangeFeed(const Log* log) : log_(log) {}

  // A stretch with the first durable record behind `after`; it may begin before that. Null: none yet.
  // Errors: kOutOfRange POSITION_GONE; kDataLoss RECORD.
  StatusOr<LogStretchRef> After(Position after);

  uint64_t records_decoded() const;  // so far; tests assert it

 private:
  StatusOr<LogStretchRef> Decode(Position after) const;
  LogStretchRef FindKept(Position after) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Keep(const LogStretchRef& stretch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Log* const log_;
  mutable std::mutex mutex_;
  std::deque<LogStretchRef> kept_ ABSL_GUARDED_BY(mutex_);  // the newest stretches, each behind the one before
  size_t kept_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable std::atomic<uint64_t> records_decoded_{0};
};

}  // namespace korrel
