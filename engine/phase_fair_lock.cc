#include "engine/phase_fair_lock.h"

namespace korrel {

void PhaseFairLock::lock() {
  std::unique_lock<std::mutex> hold(mutex_);
  ++writers_waiting_;
  writers_wake_.wait(hold, [this] { return !writer_inside_ && readers_inside_ == 0; });
  --writers_waiting_;
  writer_inside_ = true;
}

// The readers that waited are counted as inside here and now, before any of them wakes, so that no writer slips in between.
void PhaseFairLock::unlock() {
  std::lock_guard<std::mutex> hold(mutex_);
  writer_inside_ = false;
  ++phase_;
  if (readers_waiting_ > 0) {
    readers_inside_ += readers_waiting_;
    readers_waiting_ = 0;
    readers_wake_.notify_all();
  } else if (writers_waiting_ > 0) {
    writers_wake_.notify_one();
  }
}

void PhaseFairLock::lock_shared() {
  std::unique_lock<std::mutex> hold(mutex_);
  if (!writer_inside_ && writers_waiting_ == 0) {
    ++readers_inside_;
    return;
  }
  ++readers_waiting_;
  readers_wake_.wait(hold, [this, seen = phase_] { return phase_ != seen; });
}

void PhaseFairLock::unlock_shared() {
  std::lock_guard<std::mutex> hold(mutex_);
  if (--readers_inside_ == 0 && writers_waiting_ > 0) writers_wake_.notify_one();
}

bool PhaseFairLock::AnybodyWaits() {
  std::lock_guard<std::mutex> hold(mutex_);
  return readers_waiting_ + writers_waiting_ > 0;
}

}  // namespace korrel
