#include "engine/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace korrel {
namespace {

TEST(Executor, ForEachRunsEveryIndexOnce) {
  for (size_t threads : {1u, 2u, 5u}) {
    auto executor = Executor::Make(threads);
    EXPECT_EQ(executor->thread_count(), threads);
    for (size_t n : {0u, 1u, 2u, 1'000u}) {
      std::vector<std::atomic<int>> runs(n);
      executor->ForEach(n, [&](size_t i) { ++runs[i]; });
      for (size_t i = 0; i < n; ++i) ASSERT_EQ(runs[i], 1) << "index " << i << " of " << n << " on " << threads;
    }
  }
}

TEST(Executor, ForEachFromManyThreadsAtOnce) {
  auto executor = Executor::Make(2);
  std::atomic<int> runs{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 8; ++t) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) executor->ForEach(10, [&](size_t) { ++runs; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(runs, 8 * 50 * 10);
}

TEST(Executor, ForEachInsideATaskEnds) {
  auto executor = Executor::Make(2);
  std::atomic<int> runs{0};
  executor->ForEach(4, [&](size_t) { executor->ForEach(4, [&](size_t) { ++runs; }); });
  EXPECT_EQ(runs, 16);
}

TEST(Executor, DestructionWaitsForSubmittedTasks) {
  std::atomic<int> runs{0};
  {
    auto executor = Executor::Make(3);
    for (int i = 0; i < 100; ++i) {
      executor->Submit([&] {
        std::this_thread::yield();
        ++runs;
      });
    }
  }
  EXPECT_EQ(runs, 100);
}

TEST(Executor, ZeroThreadsMeansOnePerCore) { EXPECT_GE(Executor::Make(0)->thread_count(), 1u); }

}  // namespace
}  // namespace korrel
