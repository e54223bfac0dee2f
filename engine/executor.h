// engine/executor.h
//
// The one way work fans out over threads: a oneTBB arena, or a plain thread pool under ThreadSanitizer (which reports falsely on
// oneTBB) and in tests.
//
// Threads  ForEach and Submit from any thread; tasks must not block on one another.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace korrel {

class Executor {
 public:
  // Runs body(0) … body(n-1), in any order and possibly at once; returns when all are done. The calling thread takes part.
  virtual void ForEach(size_t n, const std::function<void(size_t)>& body) = 0;
  // Runs a task later on some thread.
  virtual void Submit(std::function<void()> task) = 0;
  virtual size_t thread_count() const = 0;
  virtual ~Executor() = default;  // waits for submitted tasks

  static std::unique_ptr<Executor> Make(size_t threads);
};

}  // namespace korrel
