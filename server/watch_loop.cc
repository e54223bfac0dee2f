#include "server/watch_loop.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/background.h"

namespace korrel::server {
namespace {

constexpr std::chrono::milliseconds kLookEvery{200};
// After a look the log may grow for a while unseen: one wake-up for many appends, so that writers seldom pay for one, and the more
// watchers there are the longer, so that looking takes a bounded share of the machine.
constexpr std::chrono::microseconds kPause{1'000}, kPauseOfEach{20};

}  // namespace

WatchLoop::WatchLoop(const Log* log) : log_(log), thread_([this] { Run(); }) {}

bool WatchLoop::Add(std::shared_ptr<Watcher> watcher) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return false;
    watchers_.push_back(std::move(watcher));
  }
  wake_.notify_one();
  return true;
}

void WatchLoop::Remove(const Watcher* watcher) {
  std::shared_ptr<Watcher> removed;  // dies outside the mutex
  std::lock_guard lock(mutex_);
  auto it = std::find_if(watchers_.begin(), watchers_.end(), [&](const auto& other) { return other.get() == watcher; });
  if (it == watchers_.end()) return;
  removed = std::move(*it);
  *it = std::move(watchers_.back());
  watchers_.pop_back();
}

size_t WatchLoop::size() const {
  std::lock_guard lock(mutex_);
  return watchers_.size();
}

void WatchLoop::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  std::vector<std::shared_ptr<Watcher>> watchers;
  {
    std::lock_guard lock(mutex_);
    watchers.swap(watchers_);
  }
  for (const auto& watcher : watchers) watcher->ServerEnds();
}

void WatchLoop::Run() {
  BecomeBackgroundThread();
  Position seen;
  std::vector<std::shared_ptr<Watcher>> watchers;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_ || !watchers_.empty(); });
    if (stopping_) return;
    lock.unlock();
    log_->WaitBehind(seen, std::chrono::steady_clock::now() + kLookEvery);
    seen = log_->Durable();
    lock.lock();
    watchers = watchers_;
    lock.unlock();
    for (const auto& watcher : watchers) watcher->Look();
    auto pause = kPause + watchers.size() * kPauseOfEach;
    watchers.clear();
    lock.lock();
    wake_.wait_for(lock, pause, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_; });
  }
}

}  // namespace korrel::server
