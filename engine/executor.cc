#include "engine/executor.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#if !defined(__SANITIZE_THREAD__) && !defined(KORREL_SANITIZED)
#define KORREL_EXECUTOR_TBB
#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>
#endif

namespace korrel {
namespace {

#ifdef KORREL_EXECUTOR_TBB

class ArenaExecutor final : public Executor {
 public:
  explicit ArenaExecutor(size_t threads) : threads_(threads), arena_(static_cast<int>(threads)) {
    // oneTBB gives all arenas together as many threads as the machine has, unless told that more are wanted.
    if (threads > static_cast<size_t>(tbb::info::default_concurrency())) {
      more_.emplace(tbb::global_control::max_allowed_parallelism, threads);
    }
  }

  ~ArenaExecutor() override {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return pending_ == 0; });
  }

  void ForEach(size_t n, const std::function<void(size_t)>& body) override {
    if (n == 1) return body(0);
    arena_.execute([&] { tbb::parallel_for(size_t{0}, n, body, tbb::simple_partitioner()); });
  }

  void Submit(std::function<void()> task) override {
    {
      std::lock_guard lock(mutex_);
      ++pending_;
    }
    arena_.enqueue([this, task = std::move(task)] {
      task();
      // Under the mutex to the end: once it sees 0, the destructor may take the members away.
      std::lock_guard lock(mutex_);
      if (--pending_ == 0) idle_.notify_all();
    });
  }

  size_t thread_count() const override { return threads_; }

 private:
  const size_t threads_;
  std::optional<tbb::global_control> more_;
  tbb::task_arena arena_;
  std::mutex mutex_;
  std::condition_variable idle_;
  size_t pending_ = 0;  // guarded by mutex_
};

#else

// The iterations of one ForEach, taken one by one by the caller and by whichever workers are free. A worker may come when all
// are taken or even after ForEach returned; it then touches only `next`.
struct Iterations {
  explicit Iterations(size_t count, const std::function<void(size_t)>* work) : n(count), body(work) {}

  void Run() {
    for (size_t i = next.fetch_add(1); i < n; i = next.fetch_add(1)) {
      (*body)(i);
      std::lock_guard lock(mutex);
      if (++done == n) all_done.notify_all();
    }
  }
  void Wait() {
    std::unique_lock lock(mutex);
    all_done.wait(lock, [&] { return done == n; });
  }

  const size_t n;
  const std::function<void(size_t)>* body;
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::condition_variable all_done;
  size_t done = 0;  // guarded by mutex
};

class PoolExecutor final : public Executor {
 public:
  explicit PoolExecutor(size_t threads) {
    for (size_t i = 0; i < threads; ++i) workers_.emplace_back([this] { Work(); });
  }

  ~PoolExecutor() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void ForEach(size_t n, const std::function<void(size_t)>& body) override {
    if (n == 0) return;
    // Shared with helpers that may outlive this call.
    auto iterations = std::make_shared<Iterations>(n, &body);
    for (size_t helper = 1; helper < std::min(n, workers_.size() + 1); ++helper) {
      Submit([iterations] { iterations->Run(); });
    }
    iterations->Run();
    iterations->Wait();
  }

  void Submit(std::function<void()> task) override {
    {
      std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
  }

  size_t thread_count() const override { return workers_.size(); }

 private:
  // Runs tasks until told to stop and none is left.
  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()> > tasks_;  // guarded by mutex_
  bool stopping_ = false;                     // guarded by mutex_
  std::vector<std::thread> workers_;
};

#endif

}  // namespace

std::unique_ptr<Executor> Executor::Make(size_t threads) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
#ifdef KORREL_EXECUTOR_TBB
  return std::make_unique<ArenaExecutor>(threads);
#else
  return std::make_unique<PoolExecutor>(threads);
#endif
}

}  // namespace korrel
