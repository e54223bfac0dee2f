// engine/phase_fair_lock.h
//
// A reader-writer lock in which neither side waits for more than one turn of the other: arriving readers let one waiting writer
// pass, and a leaving writer lets all readers that waited pass before the next writer. std::shared_mutex here starves writers,
// tbb::rw_mutex starves readers.
//
//   readers inside ──▶ writer waits ──▶ later readers queue ──▶ last reader leaves ──▶ writer ──▶ the queue enters as one phase
//
// Source: the phase-fair ticket idea of Brandenburg and Anderson, "Spin-Based Reader-Writer Synchronization for Multiprocessor
// Real-Time Systems" (2010), over one std::mutex and condition variables instead of spinning.
//
// Threads  Lock/Unlock from any thread; not recursive (a reader that locks again may wait for a writer that waits for it). Meets
//          SharedMutex, so std::shared_lock and std::unique_lock work.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "absl/base/thread_annotations.h"

namespace korrel {

class ABSL_LOCKABLE PhaseFairLock {
 public:
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  void unlock() ABSL_UNLOCK_FUNCTION();
  void lock_shared() ABSL_SHARED_LOCK_FUNCTION();
  void unlock_shared() ABSL_UNLOCK_FUNCTION();
  // Whether a reader or writer stands at the lock; true a moment ago when it is answered.
  bool AnybodyWaits();

 private:
  // All guarded by mutex_, which is held for a few instructions only.
  std::mutex mutex_;
  std::condition_variable readers_wake_, writers_wake_;
  uint64_t phase_ = 0;  // grows when a writer leaves; a waiting reader may enter once it differs from what it saw
  uint32_t readers_inside_ = 0, readers_waiting_ = 0, writers_waiting_ = 0;
  bool writer_inside_ = false;
};

}  // namespace korrel
