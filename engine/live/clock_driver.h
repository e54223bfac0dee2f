// engine/live/clock_driver.h
//
// ClockDriver sees to it that what changes by time alone is delivered: one thread that looks every few milliseconds which shards
// hold rows whose instant has come, and steps them in bounded turns, spread over the executor. What is read is exact without it.
//
//   system clock   due rows are stepped within kNap
//   replay clock   the same, behind the horizon (engine/live/horizon.h); AdvanceTo moves the clock and returns when nobody is due
//
// Threads   All methods from any thread. Dies before anything else of the core.
// Cost      Idle: one look at an atomic per shard every kNap.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "engine/core.h"

namespace korrel {

class ClockDriver {
 public:
  static constexpr std::chrono::milliseconds kNap{5};

  explicit ClockDriver(Core* core);
  ~ClockDriver();
  ClockDriver(const ClockDriver&) = delete;

  // Moves the clock and steps everybody up to it; writes on their way to earlier instants are waited for.
  // Errors: kFailedPrecondition CLOCK_NOT_REPLAY, CLOCK_BACKWARDS; kResourceExhausted QUEUE: nothing changed then. kUnavailable STOPPED,
  // or what `wanted` says: the clock may have moved, and the driver goes on stepping.
  StatusOr<Database::AdvanceAnswer> AdvanceTo(int64_t to_us, const Database::Wanted& wanted);

  // Replay clock: before it goes to `to_us`, figures about everybody are published at each of their instants on the way (see
  // engine/live/population.h). Call with no lock and no pass of the horizon held.
  void PublishUpTo(int64_t to_us);

  // Returns when no row is being stepped that was found before core.replaying was set.
  void FinishRound() { std::lock_guard<std::mutex> round(rounds_mutex_); }

  // Leave for a write to step its own profile for seconds: few have it at a time, so that a clock that leapt far leaves threads to others.
  static constexpr int kLongCatchUpsMax = 2;
  class LongCatchUp {
   public:
    LongCatchUp() = default;
    ~LongCatchUp() {
      if (driver_) driver_->long_catch_ups_.fetch_sub(1);
    }
    LongCatchUp(const LongCatchUp&) = delete;
    // Whether it has, or now gets, leave.
    bool Ask(ClockDriver* driver) {
      if (driver_) return true;
      if (driver->long_catch_ups_.fetch_add(1) < kLongCatchUpsMax) {
        driver_ = driver;
      } else {
        driver->long_catch_ups_.fetch_sub(1);
      }
      return driver_ != nullptr;
    }

   private:
    ClockDriver* driver_ = nullptr;
  };

  // How long the row that has waited longest for its instant to be delivered has waited; 0: nobody waits.
  int64_t LagUs() const;

 private:
  void Run();
  Status GoesOn(const Database::Wanted& wanted) const;
  uint64_t StepDue(int64_t until_us, size_t lanes, const Database::Wanted& wanted = {});
  uint64_t PublishInstants(int64_t to_us, const Database::Wanted& wanted = {});
  uint64_t StepOnce(const std::vector<Shard*>& due, int64_t until_us, size_t lanes);
  size_t BackgroundLanes() const;
  size_t AllLanes() const;

  Core& core_;
  std::mutex rounds_mutex_;  // held while rows are stepped, by the thread or by AdvanceTo; before shards' locks
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;  // guarded by mutex_
  std::atomic<int> long_catch_ups_{0};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace korrel
