#include "server/worker_pool.h"

#include <fmt/format.h>

namespace korrel::server {

WorkerPool::WorkerPool(size_t threads, size_t tasks_max, size_t bytes_max) : tasks_max_(tasks_max), bytes_max_(bytes_max) {
  threads_.reserve(threads);
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

Status WorkerPool::Submit(size_t bytes, std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    // A single request larger than the budget is still taken when nothing waits.
    bool full = queue_.size() >= tasks_max_ || (!queue_.empty() && queued_bytes_ + bytes > bytes_max_);
    if (full || stopping_) {
      return MakeError(absl::StatusCode::kResourceExhausted, "QUEUE", "", fmt::format("{} calls are waiting already", queue_.size()));
    }
    queue_.push_back({bytes, std::move(task)});
    queued_bytes_ += bytes;
  }
  wake_.notify_one();
  return absl::OkStatus();
}

void WorkerPool::Continue(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back({0, std::move(task)});
  }
  wake_.notify_one();
}

void WorkerPool::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WorkerPool::Work() {
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
      queued_bytes_ -= task.bytes;
    }
    task.run();
  }
}

}  // namespace korrel::server
