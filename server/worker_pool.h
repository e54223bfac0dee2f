// server/worker_pool.h
//
// WorkerPool runs what takes longer than a reactor may: a bounded queue before a few threads.
//
// Threads  All methods from any thread. Tasks may block on shard locks, never on one another.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "storage/status.h"

namespace korrel::server {

class WorkerPool {
 public:
  WorkerPool(size_t threads, size_t tasks_max, size_t bytes_max);
  ~WorkerPool() { Stop(); }

  // `bytes` is what the task keeps in memory while it waits. Errors: kResourceExhausted QUEUE; the task is dropped.
  Status Submit(size_t bytes, std::function<void()> task);
  // The next step of something already admitted; never refused.
  void Continue(std::function<void()> task);
  // Runs what is queued, then ends the threads.
  void Stop();

 private:
  struct Task {
    size_t bytes;
    std::function<void()> run;
  };
  void Work();

  const size_t tasks_max_, bytes_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace korrel::server
