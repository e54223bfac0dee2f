// server/watch_loop.h
//
// WatchLoop is the one thread behind all watches: it waits for the log to grow and then has every watcher look, and has them look
// five times a second where nothing comes, so that marks of progress leave in time. A watcher that waits holds no thread.
//
// Threads   All methods from any thread. Look and ServerEnds are called from the loop's own thread and must not block.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "storage/log/log.h"

namespace korrel::server {

class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void Look() = 0;
  virtual void ServerEnds() = 0;
};

class WatchLoop {
 public:
  explicit WatchLoop(const Log* log);
  ~WatchLoop() { Stop(); }

  // false: the server ends, and the watcher with it.
  bool Add(std::shared_ptr<Watcher> watcher);
  void Remove(const Watcher* watcher);
  // Tells all watchers that the server ends; they are gone when it returns.
  void Stop();
  size_t size() const;

 private:
  void Run();

  const Log* const log_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace korrel::server
