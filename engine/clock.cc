#include "engine/clock.h"

#include <fmt/format.h>

#include <chrono>
#include <mutex>

#include "storage/value.h"

namespace korrel {
namespace {

// Moves `clock` to `time_us` unless it is there or beyond; returns where it stands then.
int64_t RaiseTo(std::atomic<int64_t>& clock, int64_t time_us) {
  int64_t last = clock.load(std::memory_order_acquire);
  while (last < time_us && !clock.compare_exchange_weak(last, time_us, std::memory_order_acq_rel)) {
  }
  return last < time_us ? time_us : last;
}

Status TooNew(int64_t time_us, int64_t now_us) {
  return MakeError(
      absl::StatusCode::kOutOfRange, "EVENT_TOO_NEW", "event_time_us",
      fmt::format("{} is more than five minutes ahead of the clock, which says {}", FormatTimestamp({time_us}), FormatTimestamp({now_us})));
}

Status Backwards(int64_t time_us, int64_t now_us) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "CLOCK_BACKWARDS", "to_us",
                   fmt::format("the clock is at {} and does not go back to {}", FormatTimestamp({now_us}), FormatTimestamp({time_us})));
}

// What the system clock and the manual one share: five minutes of slack into the future.
class ForwardClock : public Clock {
 public:
  ClockMode mode() const override { return ClockMode::kSystem; }
  Status AdmitEvent(int64_t event_time_us) override { return CheckEvent(event_time_us); }
  Status CheckEvent(int64_t event_time_us) const override {
    int64_t now_us = NowUs();
    return event_time_us > now_us + kFutureSlackUs ? TooNew(event_time_us, now_us) : absl::OkStatus();
  }
  Status AdmitWrite(int64_t event_time_us) const override { return CheckEvent(event_time_us); }
};

class SystemClock final : public ForwardClock {
 public:
  // The partner of `last_us_` is itself: every caller raises it to what the machine says and answers what it finds there.
  int64_t NowUs() const override {
    auto machine = std::chrono::system_clock::now().time_since_epoch();
    return RaiseTo(last_us_, std::chrono::duration_cast<std::chrono::microseconds>(machine).count());
  }
  Status AdvanceTo(int64_t) override {
    return MakeError(absl::StatusCode::kFailedPrecondition, "CLOCK_NOT_REPLAY", "",
                     "the clock follows the machine; only a replay clock can be advanced");
  }
  void Restore(int64_t) override {}

 private:
  mutable std::atomic<int64_t> last_us_{INT64_MIN};
};

class ManualClock final : public ForwardClock {
 public:
  explicit ManualClock(int64_t start_us) : now_us_(start_us) {}
  int64_t NowUs() const override { return now_us_.load(std::memory_order_acquire); }
  Status AdvanceTo(int64_t time_us) override {
    int64_t now_us = NowUs();
    if (time_us < now_us) return Backwards(time_us, now_us);
    RaiseTo(now_us_, time_us);
    return absl::OkStatus();
  }
  void Restore(int64_t time_us) override { RaiseTo(now_us_, time_us); }

 private:
  std::atomic<int64_t> now_us_;
};

Status Held() { return MakeError(absl::StatusCode::kUnavailable, "CLOCK_HELD", "", "figures about everybody are published first"); }

class ReplayClock final : public Clock {
 public:
  explicit ReplayClock(int64_t max_step_us) : max_step_us_(max_step_us) {}
  ClockMode mode() const override { return ClockMode::kReplay; }
  int64_t NowUs() const override { return now_us_.load(std::memory_order_acquire); }

  Status AdmitEvent(int64_t event_time_us) override {
    std::lock_guard<std::mutex> hold(mutex_);
    KORREL_RETURN_IF_ERROR(CheckStep(event_time_us));
    if (IsHeldHere(event_time_us)) return Held();
    seen_event_ = true;
    RaiseTo(now_us_, event_time_us);
    return absl::OkStatus();
  }
  Status CheckEvent(int64_t event_time_us) const override {
    std::lock_guard<std::mutex> hold(mutex_);
    return CheckStep(event_time_us);
  }
  Status AdmitWrite(int64_t) const override { return absl::OkStatus(); }
  Status AdvanceTo(int64_t time_us) override {
    std::lock_guard<std::mutex> hold(mutex_);
    if (time_us < NowUs()) return Backwards(time_us, NowUs());
    if (IsHeldHere(time_us)) return Held();
    RaiseTo(now_us_, time_us);
    return absl::OkStatus();
  }
  void Hold(int64_t time_us) override {
    std::lock_guard<std::mutex> hold(mutex_);
    held_us_ = time_us;
  }
  bool IsHeld(int64_t time_us) const override {
    std::lock_guard<std::mutex> hold(mutex_);
    return IsHeldHere(time_us);
  }
  void Pass(int64_t time_us) override {
    std::lock_guard<std::mutex> hold(mutex_);
    RaiseTo(now_us_, time_us);
  }
  void Restore(int64_t time_us) override {
    std::lock_guard<std::mutex> hold(mutex_);
    seen_event_ = true;
    RaiseTo(now_us_, time_us);
  }

 private:
  bool IsHeldHere(int64_t time_us) const { return time_us >= held_us_ && time_us > NowUs(); }

  Status CheckStep(int64_t event_time_us) const {
    int64_t now_us = NowUs();
    if (!seen_event_ || event_time_us <= now_us || event_time_us - now_us <= max_step_us_) return absl::OkStatus();
    return MakeError(
        absl::StatusCode::kOutOfRange, "EVENT_TOO_NEW", "event_time_us",
        fmt::format("{} would move the replay clock from {} by more than the largest step of {} days", FormatTimestamp({event_time_us}),
                    FormatTimestamp({now_us}), max_step_us_ / (int64_t{86'400} * 1'000'000)));
  }

  const int64_t max_step_us_;
  mutable std::mutex mutex_;     // orders steps; reading the time takes no lock
  bool seen_event_ = false;      // guarded by mutex_
  int64_t held_us_ = INT64_MAX;  // guarded by mutex_
  std::atomic<int64_t> now_us_{0};
};

}  // namespace

std::unique_ptr<Clock> Clock::MakeSystem() { return std::make_unique<SystemClock>(); }
std::unique_ptr<Clock> Clock::MakeReplay(int64_t max_step_us) { return std::make_unique<ReplayClock>(max_step_us); }
std::unique_ptr<Clock> Clock::MakeManual(int64_t start_us) { return std::make_unique<ManualClock>(start_us); }

}  // namespace korrel
