// Goal: neither side waits for more than one turn of the other. Method: sides are lined up behind a held lock, then the order in
// which they enter is looked at; no time is measured.
#include "engine/phase_fair_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <shared_mutex>
#include <thread>
#include <vector>

namespace korrel {
namespace {

TEST(PhaseFairLock, ReadersShareAndAWriterIsAlone) {
  PhaseFairLock lock;
  int inside_writers = 0;  // guarded by lock
  std::atomic<int> readers{0}, readers_most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2'000; ++i) {
        if (t == 0) {
          std::lock_guard<PhaseFairLock> hold(lock);
          ++inside_writers;
          ASSERT_EQ(readers.load(), 0);
        } else {
          std::shared_lock<PhaseFairLock> hold(lock);
          int now = ++readers;
          if (now > readers_most) readers_most = now;
          --readers;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(inside_writers, 2'000);
}

// A reader inside, a writer waiting: a reader that comes now must not pass the writer.
TEST(PhaseFairLock, AnArrivingReaderLetsAWaitingWriterPass) {
  PhaseFairLock lock;
  std::vector<char> order;  // guarded by lock
  lock.lock_shared();
  std::atomic<bool> writer_started{false};
  std::thread writer([&] {
    writer_started = true;
    std::lock_guard<PhaseFairLock> hold(lock);
    order.push_back('w');
  });
  while (!writer_started) std::this_thread::yield();
  // The writer waits once shared entry is refused to others; a reader that is let in at once came before it: try again.
  std::atomic<bool> done{false};
  std::thread reader([&] {
    for (bool behind_writer = false; !behind_writer;) {
      std::shared_lock<PhaseFairLock> hold(lock);
      behind_writer = !order.empty();
    }
    done = true;
  });
  for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
  EXPECT_FALSE(done);
  lock.unlock_shared();
  writer.join();
  reader.join();
  EXPECT_EQ(order.size(), 1u);
}

// Writers queue without end; readers still get in, every one of them, while the writers go on.
TEST(PhaseFairLock, ReadersAreNotStarvedByWriters) {
  PhaseFairLock lock;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> writes{0};
  std::vector<std::thread> writers;
  for (int t = 0; t < 2; ++t) {
    writers.emplace_back([&] {
      while (!stop) {
        std::lock_guard<PhaseFairLock> hold(lock);
        ++writes;
      }
    });
  }
  uint64_t most_between = 0;
  for (int i = 0; i < 500; ++i) {
    std::shared_lock<PhaseFairLock> hold(lock);
    uint64_t before = writes;
    most_between = std::max(most_between, writes - before);
  }
  stop = true;
  for (std::thread& thread : writers) thread.join();
  EXPECT_EQ(most_between, 0u);  // nobody writes while a reader is inside
}

// Readers overlap without a gap; a writer still gets in.
TEST(PhaseFairLock, AWriterIsNotStarvedByReaders) {
  PhaseFairLock lock;
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!stop) {
        std::shared_lock<PhaseFairLock> hold(lock);
        std::this_thread::yield();
      }
    });
  }
  int written = 0;
  for (; written < 200; ++written) std::lock_guard<PhaseFairLock> hold(lock);
  stop = true;
  for (std::thread& thread : readers) thread.join();
  EXPECT_EQ(written, 200);
}

}  // namespace
}  // namespace korrel
