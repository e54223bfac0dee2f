#include "server/position_gate.h"

#include <fmt/format.h>

#include <chrono>

#include "server/limits.h"

namespace korrel::server {
namespace {

// Half of what a reader of its own write would notice.
constexpr std::chrono::microseconds kLookEvery{500};
constexpr int64_t kHeadStartNs = 10'000'000;

Status NotReached(Position wanted, Position last) {
  return MakeError(absl::StatusCode::kUnavailable, "POSITION_NOT_REACHED", "min_positions",
                   fmt::format("position {} was not reached in time; the newest is {}", wanted.value, last.value));
}

}  // namespace

PositionGate::PositionGate(const Log* log) : log_(log), thread_([this] { Watch(); }) {}

bool PositionGate::MustWait(Position position) const { return EpochOf(position) == log_->Epoch() && position > log_->Last(); }

Status PositionGate::Wait(Position position, const CallContext& call, std::function<void(Status)> done) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return NotReached(position, log_->Last());
    if (waiting_.size() >= kQueueTasksMax) {
      return MakeError(absl::StatusCode::kResourceExhausted, "QUEUE", "", fmt::format("{} calls are waiting already", waiting_.size()));
    }
    waiting_.push_back({position, call, std::move(done)});
  }
  wake_.notify_one();
  return absl::OkStatus();
}

void PositionGate::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool PositionGate::IsOver(const Waiting& waiting, Status* outcome) const {
  if (!MustWait(waiting.position)) return true;
  const CallContext& call = waiting.call;
  if (call.cancelled && call.cancelled->load(std::memory_order_relaxed)) return true;
  if (call.deadline_ns == 0 || MonotonicNs() < call.deadline_ns - kHeadStartNs) return false;
  *outcome = NotReached(waiting.position, log_->Last());
  return true;
}

std::vector<std::function<void()>> PositionGate::TakeFinished(bool all) {
  std::vector<std::function<void()>> finished;
  std::erase_if(waiting_, [&](Waiting& waiting) {
    Status outcome;
    if (!IsOver(waiting, &outcome)) {
      if (!all) return false;
      outcome = NotReached(waiting.position, log_->Last());
    }
    finished.push_back([done = std::move(waiting.done), outcome] { done(outcome); });
    return true;
  });
  return finished;
}

void PositionGate::Watch() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait(lock, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_ || !waiting_.empty(); });
    auto finished = TakeFinished(stopping_);
    lock.unlock();
    for (auto& done : finished) done();
    if (finished.empty()) std::this_thread::sleep_for(kLookEvery);
    lock.lock();
  }
  auto finished = TakeFinished(true);
  lock.unlock();
  for (auto& done : finished) done();
}

}  // namespace korrel::server
