#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "storage/log/log.h"

namespace korrel {
namespace {

TEST(MemoryLog, PositionsRiseAndRecordsReadBack) {
  auto log = MakeMemoryLog(1 << 20, 3);
  EXPECT_EQ(log->Last(), Position());
  EXPECT_EQ(log->Epoch(), 3);
  EXPECT_FALSE(log->ReadAfter(Position())->has_value());
  EXPECT_EQ(log->Append("one"), MakePosition(3, 1));
  EXPECT_EQ(log->Append("two"), MakePosition(3, 2));
  EXPECT_EQ(log->Last(), MakePosition(3, 2));
  EXPECT_EQ(log->Durable(), log->Last());
  auto first = *log->ReadAfter(Position());
  EXPECT_EQ(first->position, MakePosition(3, 1));
  EXPECT_EQ(first->bytes, "one");
  EXPECT_EQ((*log->ReadAfter(first->position))->bytes, "two");
  EXPECT_FALSE(log->ReadAfter(log->Last())->has_value());
  EXPECT_FALSE(log->ReadAfter(MakePosition(4, 0))->has_value());
  EXPECT_EQ(log->Strongest(), Durability::kMemory);
}

TEST(MemoryLog, OldestAreDroppedByBytes) {
  auto log = MakeMemoryLog(10'000);
  for (int i = 0; i < 1'000; ++i) log->Append(std::string(100, 'x'));
  auto gone = log->ReadAfter(Position());
  EXPECT_EQ(gone.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ReasonOf(gone.status()), "POSITION_GONE");
  int kept = 0;
  for (uint64_t s = 1'000; s > 0 && log->ReadAfter(MakePosition(1, s - 1)).ok(); --s) ++kept;
  EXPECT_GT(kept, 40);
  EXPECT_LT(kept, 100);
}

TEST(MemoryLog, TheNewestRecordStaysHoweverLarge) {
  auto log = MakeMemoryLog(1'000);
  Position position = log->Append(std::string(50'000, 'x'));
  EXPECT_EQ((*log->ReadAfter(Position(position.value - 1)))->bytes.size(), 50'000u);
}

TEST(MemoryLog, ReservationsAreBoundedAndGivenBack) {
  auto log = MakeMemoryLog();
  {
    auto half = log->Reserve(40u << 20);
    ASSERT_TRUE(half.ok());
    auto refused = log->Reserve(40u << 20);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ReasonOf(refused.status()), "QUEUE");
    Log::Reservation moved = *std::move(half);
    EXPECT_EQ(moved.bytes(), 40u << 20);
    EXPECT_FALSE(log->Reserve(40u << 20).ok());
    moved = Log::Reservation();
    EXPECT_TRUE(log->Reserve(40u << 20).ok());
  }
  EXPECT_TRUE(log->Reserve(64u << 20).ok());
  EXPECT_FALSE(log->Reserve(SIZE_MAX).ok());
}

TEST(MemoryLog, DurableAtOnce) {
  auto log = MakeMemoryLog();
  bool called = false;
  log->WhenDurable(log->Append("x"), [&](Status status) { called = status.ok(); });
  EXPECT_TRUE(called);
}

TEST(MemoryLog, BehindTheNewestDroppedEverythingIsKept) {
  auto log = MakeMemoryLog(10'000, 2);
  EXPECT_EQ(log->Dropped(), Position());
  log->Append("first");
  EXPECT_EQ(log->Dropped(), Position());
  for (int i = 0; i < 1'000; ++i) log->Append(std::string(100, 'x'));
  Position dropped = log->Dropped();
  ASSERT_GT(dropped, MakePosition(2, 0));
  auto oldest = log->ReadAfter(dropped);
  ASSERT_TRUE(oldest.ok()) << oldest.status();
  EXPECT_EQ((*oldest)->position.value, dropped.value + 1);
  EXPECT_EQ(ReasonOf(log->ReadAfter(Position(dropped.value - 1)).status()), "POSITION_GONE");
}

constexpr std::chrono::seconds kLong{600};
Log::Deadline In(std::chrono::nanoseconds time) { return std::chrono::steady_clock::now() + time; }

TEST(MemoryLog, AWaitEndsAtOnceWhereSomethingIsBehindAndAtTheDeadlineWhereNothingComes) {
  auto log = MakeMemoryLog();
  EXPECT_FALSE(log->WaitBehind(Position(), In(std::chrono::milliseconds(1))));
  Position first = log->Append("x");
  EXPECT_TRUE(log->WaitBehind(Position(), In(kLong)));
  EXPECT_FALSE(log->WaitBehind(first, In(std::chrono::milliseconds(1))));
  EXPECT_FALSE(log->WaitBehind(MakePosition(9, 0), In(-kLong)));
  log->Append("y");
  EXPECT_TRUE(log->WaitBehind(first, In(-kLong)));
}

// Each wait would last ten minutes if an append were missed: the test then ends by its own time limit.
TEST(MemoryLog, EveryAppendWakesWhoWaits) {
  auto log = MakeMemoryLog();
  constexpr uint64_t kRecords = 2'000;
  constexpr size_t kReaders = 3;
  std::vector<std::thread> readers;
  std::vector<uint64_t> read(kReaders);
  for (size_t i = 0; i < kReaders; ++i)
    readers.emplace_back([&, i] {
      Position at;
      while (read[i] < kRecords && log->WaitBehind(at, In(kLong))) {
        at = (*log->ReadAfter(at))->position;
        ++read[i];
      }
    });
  for (uint64_t i = 0; i < kRecords; ++i) {
    log->Append("r");
    if (i % 16 == 0) std::this_thread::yield();
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(read, std::vector<uint64_t>(kReaders, kRecords));
}

TEST(MemoryLog, ManyThreadsAppendWithoutGapOrDouble) {
  auto log = MakeMemoryLog(64u << 20);
  constexpr int kThreads = 4, kEach = 2'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        auto reserved = log->Reserve(100);
        ASSERT_TRUE(reserved.ok());
        log->Append("r");
      }
    });
  for (std::thread& thread : threads) thread.join();
  uint64_t expected = 1;
  for (auto record = *log->ReadAfter(Position()); record; record = *log->ReadAfter(record->position))
    ASSERT_EQ(record->position, MakePosition(1, expected++));
  EXPECT_EQ(expected, uint64_t{kThreads} * kEach + 1);
}

}  // namespace
}  // namespace korrel
