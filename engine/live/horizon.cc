#include "engine/live/horizon.h"

#include <algorithm>

namespace korrel {

Horizon::Pass::Pass(Pass&& other) noexcept : horizon_(other.horizon_), place_(other.place_) { other.horizon_ = nullptr; }

Horizon::Pass::~Pass() {
  if (!horizon_) return;
  std::lock_guard<std::mutex> hold(horizon_->mutex_);
  horizon_->floors_.erase(place_);
  horizon_->passed_.notify_all();
}

Horizon::Pass Horizon::Admit() {
  if (clock_->mode() == ClockMode::kSystem) return {};
  std::lock_guard<std::mutex> hold(mutex_);
  return {this, floors_.insert(clock_->NowUs())};
}

int64_t Horizon::NowUs() const {
  std::lock_guard<std::mutex> hold(mutex_);
  const int64_t now_us = clock_->NowUs();
  return floors_.empty() ? now_us : std::min(now_us, *floors_.begin());
}

// Whoever is admitted after the clock has reached the instant stands at it or behind: only those before are waited for.
void Horizon::WaitFor(int64_t time_us) {
  std::unique_lock<std::mutex> hold(mutex_);
  passed_.wait(hold, [&] { return floors_.empty() || *floors_.begin() >= time_us; });
}

bool Horizon::WaitFor(int64_t time_us, std::chrono::nanoseconds longest) {
  std::unique_lock<std::mutex> hold(mutex_);
  return passed_.wait_for(hold, longest, [&] { return floors_.empty() || *floors_.begin() >= time_us; });
}

}  // namespace korrel
