// engine/live/horizon.h
//
// Horizon is the instant up to which rows may be stepped by the clock alone. On a system clock that is now: a write takes its
// instant under its shard's lock, so none can be earlier than what was stepped there before. Under a replay clock a write gets its
// instant when it is admitted, before its shard's lock, and a later event may move the clock on meanwhile: rows stay behind the earliest
// instant that a write on its way may still have, so that a row's history does not depend on who was faster.
//
//   write batch   Admit ─▶ instants are given ─▶ applied ─▶ the pass dies
//   clock, fill   NowUs() ─▶ rows are stepped up to it
//
// Threads     All methods from any thread; the mutex is a leaf and held for a few instructions.
// Invariants  NowUs() never goes back, and no instant given to a write after NowUs() answered t is earlier than t.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>

#include "engine/clock.h"

namespace korrel {

class Horizon {
 public:
  explicit Horizon(const Clock* clock) : clock_(clock) {}

  // Holds the horizon where the clock is now, until it dies.
  class Pass {
   public:
    Pass() = default;
    Pass(Pass&& other) noexcept;
    Pass& operator=(Pass&&) = delete;
    ~Pass();

   private:
    friend class Horizon;
    Pass(Horizon* horizon, std::multiset<int64_t>::iterator place) : horizon_(horizon), place_(place) {}
    Horizon* horizon_ = nullptr;
    std::multiset<int64_t>::iterator place_;
  };
  // For a batch that is about to ask the clock for its items' instants. On a system clock it holds nothing back.
  Pass Admit();

  int64_t NowUs() const;
  // Waits until every write that was admitted before the clock reached the instant is done with.
  void WaitFor(int64_t time_us);
  // The same for some time at most. False: they are still under way.
  bool WaitFor(int64_t time_us, std::chrono::nanoseconds longest);

 private:
  const Clock* const clock_;
  mutable std::mutex mutex_;
  std::condition_variable passed_;
  std::multiset<int64_t> floors_;  // of the passes; guarded by mutex_
};

}  // namespace korrel
