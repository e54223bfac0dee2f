// engine/clock.h
//
// The one clock that decides answers. `system` follows the machine; `replay` stands at 1970-01-01T00:00:00Z until the first event
// or AdvanceTo sets it, and moves only forwards, by newer events or when told to. Housekeeping that must not be replayed
// (deadlines, age of request ids) reads the machine's clock instead.
//
// Threads     All methods from any thread.
// Invariants  NowUs() never goes back, whatever the machine's clock does.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "storage/status.h"

namespace korrel {

enum class ClockMode : uint8_t { kSystem, kReplay };

class Clock {
 public:
  static std::unique_ptr<Clock> MakeSystem();
  static std::unique_ptr<Clock> MakeReplay(int64_t max_step_us);
  // Tests: a system-mode clock that stands where AdvanceTo told it.
  static std::unique_ptr<Clock> MakeManual(int64_t start_us);

  virtual ~Clock() = default;
  virtual ClockMode mode() const = 0;
  virtual int64_t NowUs() const = 0;
  // Replay: called for every event before it is applied; moves the clock to it if newer. Errors: kOutOfRange EVENT_TOO_NEW for a
  // step over max_step (from the second event on). System: EVENT_TOO_NEW more than five minutes ahead.
  virtual Status AdmitEvent(int64_t event_time_us) = 0;
  // Whether AdmitEvent would take it, without moving anything. What passes once passes later too: the clock only moves forwards.
  virtual Status CheckEvent(int64_t event_time_us) const = 0;
  // System: EVENT_TOO_NEW-like kOutOfRange for a profile write more than five minutes ahead; replay takes any.
  virtual Status AdmitWrite(int64_t event_time_us) const = 0;
  // Errors: kFailedPrecondition CLOCK_NOT_REPLAY, CLOCK_BACKWARDS.
  virtual Status AdvanceTo(int64_t time_us) = 0;
  // Replay: the clock stands still before `time_us` until it is told another instant (INT64_MAX: none): AdmitEvent and AdvanceTo refuse
  // to reach it, kUnavailable CLOCK_HELD. Whoever is refused calls ClockDriver::PublishUpTo without holding anything, and asks again.
  virtual void Hold(int64_t /*time_us*/) {}
  virtual bool IsHeld(int64_t /*time_us*/) const { return false; }  // whether reaching the instant would be refused
  // Replay: moves the clock, if it is not there yet, whatever holds it, without counting as an event.
  virtual void Pass(int64_t /*time_us*/) {}
  // Repeats what a log record says about time: the clock is at least there. A system clock takes no notice.
  virtual void Restore(int64_t time_us) = 0;
};

inline constexpr int64_t kFutureSlackUs = int64_t{5} * 60 * 1'000'000;
inline constexpr int64_t kMaxStepDefaultUs = int64_t{366} * 86'400 * 1'000'000;

}  // namespace korrel
