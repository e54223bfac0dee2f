// Watching the log: order, resuming, what was dropped, names, waiting, and that many watchers decode a record once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "engine/live/change_feed.h"
#include "engine/live/watch.h"
#include "engine/mutation.h"
#include "index/live/live_state.h"

namespace korrel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr SegmentId kYoung{0}, kOld{1}, kDropped{2};

class WatchTest : public testing::Test {
 protected:
  WatchTest() {
    Publish({{"young", kYoung}, {"old", kOld}, {"gone", kDropped}});
    Publish({{"young", kYoung}, {"old", kOld}});
  }
  void Publish(const std::map<std::string, SegmentId>& segments) {
    CatalogSnapshot catalog;
    for (const auto& [name, id] : segments) {
      catalog.definitions.segments[name] = {id, false, nullptr};
      catalog.segment_count = std::max(catalog.segment_count, id.value + 1);
    }
    names_.Note(catalog);
  }
  // A record in which one profile enters segments one after the other.
  Position Enter(uint64_t profile, std::vector<SegmentId> segments, int64_t time_us = 7) {
    TurnMutation turn{TurnMutation::Kind::kClock, time_us, {}};
    turn.profiles.push_back({ProfileId(profile), {}});
    for (SegmentId id : segments) turn.profiles[0].flips.push_back({id, true, time_us, ChangeCause::kClock});
    return log_->Append(EncodeMutation(turn));
  }
  Position Silence() { return log_->Append(EncodeMutation(ClockMutation{5})); }

  StatusOr<std::unique_ptr<WatchStream>> Open(std::vector<std::string> segments, std::optional<Position> after = std::nullopt) {
    return OpenWatch(*log_, &feed_, names_, {std::move(segments), after});
  }
  static std::vector<std::string> Texts(const WatchStream::Chunk& chunk) {
    std::vector<std::string> texts;
    for (const SegmentChange& change : chunk.changes) {
      texts.push_back(std::to_string(SequenceOf(change.position)) + " " + std::to_string(change.profile.value) + " " +
                      std::string(change.segment));
    }
    return texts;
  }

  static constexpr uint16_t kEpoch = 3;
  std::unique_ptr<Log> log_ = MakeMemoryLog(1 << 16, kEpoch);
  SegmentNames names_;
  ChangeFeed feed_{log_.get()};
};

TEST_F(WatchTest, TellsEveryChangeInTheLogsOrderWithWhatTheRecordSays) {
  auto watch = Open({}).value();
  Silence();
  Enter(8, {kYoung, kOld}, 1'000);
  Position last = Enter(9, {kOld});
  WatchStream::Chunk chunk = watch->Take().value();
  EXPECT_THAT(Texts(chunk), ElementsAre("2 8 young", "2 8 old", "3 9 old"));
  EXPECT_EQ(chunk.position, last);
  EXPECT_EQ(chunk.changes[0].time_us, 1'000);
  EXPECT_EQ(chunk.changes[0].cause, ChangeCause::kClock);
  EXPECT_TRUE(chunk.changes[0].entered);
  EXPECT_THAT(watch->Take().value().changes, IsEmpty());
}

TEST_F(WatchTest, BeginsNowOrAtTheOldestOrBehindAPosition) {
  Enter(1, {kYoung});
  Position second = Enter(2, {kYoung});
  auto from_now = Open({}).value();
  Enter(3, {kYoung});
  EXPECT_THAT(Texts(from_now->Take().value()), ElementsAre("3 3 young"));
  EXPECT_THAT(Texts(Open({}, Position()).value()->Take().value()), ElementsAre("1 1 young", "2 2 young", "3 3 young"));
  EXPECT_THAT(Texts(Open({}, second).value()->Take().value()), ElementsAre("3 3 young"));
}

TEST_F(WatchTest, NamesChooseAndADroppedSegmentKeepsItsName) {
  Enter(1, {kDropped, kYoung, kOld});
  EXPECT_THAT(Texts(Open({"old"}, Position()).value()->Take().value()), ElementsAre("1 1 old"));
  EXPECT_THAT(Texts(Open({"gone", "young"}, Position()).value()->Take().value()), ElementsAre("1 1 gone", "1 1 young"));
  Status unknown = Open({"old", "yong"}).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(unknown), "DEFINITION");
  EXPECT_EQ(FieldOf(unknown), "segments[1]");
  EXPECT_THAT(std::string(MessageOf(unknown)), HasSubstr("did you mean 'young'?"));
}

TEST_F(WatchTest, ASegmentMadeAgainUnderItsNameIsFollowed) {
  auto watch = Open({"gone"}, Position()).value();
  Enter(1, {kDropped});
  Publish({{"young", kYoung}, {"old", kOld}, {"gone", SegmentId(3)}});
  Enter(2, {SegmentId(3)});
  EXPECT_THAT(Texts(watch->Take().value()), ElementsAre("1 1 gone", "2 2 gone"));
}

// Whatever the size of a chunk: it ends behind a whole record, and who goes on from its position misses and repeats nothing.
TEST_F(WatchTest, ResumedAnywhereThereIsNoGapAndNoDouble) {
  std::vector<std::string> expected;
  for (uint64_t i = 1; i <= 300; ++i) {
    if (i % 3 == 0) {
      Silence();
      continue;
    }
    Enter(i, {kOld, kYoung});
    expected.push_back(std::to_string(i) + " " + std::to_string(i) + " old");
    expected.push_back(std::to_string(i) + " " + std::to_string(i) + " young");
  }
  for (size_t bytes_max : {size_t{1}, size_t{200}, size_t{1'000}, size_t{1} << 20}) {
    std::vector<std::string> told;
    Position position;
    for (int chunks = 0; position != log_->Last(); ++chunks) {
      ASSERT_LT(chunks, 1'000);
      WatchStream::Chunk chunk = Open({}, position).value()->Take(bytes_max).value();
      for (const std::string& text : Texts(chunk)) told.push_back(text);
      ASSERT_GT(chunk.position, position);
      position = chunk.position;
    }
    EXPECT_EQ(told, expected) << bytes_max;
  }
}

TEST_F(WatchTest, PositionsThatAreGoneOrLostAreRefusedAndTheOldestNeverIs) {
  Position first = Enter(1, {kYoung});
  auto late = Open({}, first).value();
  while (log_->Dropped() <= first) Silence();
  EXPECT_EQ(ReasonOf(Open({}, first).status()), "POSITION_GONE");
  EXPECT_EQ(ReasonOf(late->Take().status()), "POSITION_GONE");
  EXPECT_EQ(Open({}, first).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ReasonOf(Open({}, MakePosition(kEpoch + 1, 1)).status()), "POSITION_LOST");
  EXPECT_EQ(ReasonOf(Open({}, MakePosition(kEpoch - 1, 1)).status()), "POSITION_LOST");
  EXPECT_EQ(ReasonOf(Open({}, Position(log_->Last().value + 1)).status()), "POSITION_LOST");
  EXPECT_TRUE(Open({}, log_->Last()).ok());
}

TEST_F(WatchTest, TheOldestIsWhatIsKeptWhenItIsRead) {
  auto watch = Open({}, Position()).value();
  Enter(1, {kYoung});
  while (log_->Dropped() == Position()) Silence();
  Position last = Enter(2, {kYoung});
  WatchStream::Chunk chunk = watch->Take(SIZE_MAX).value();
  EXPECT_EQ(chunk.changes.size(), 1u);
  EXPECT_EQ(chunk.changes[0].profile, ProfileId(2));
  EXPECT_EQ(chunk.position, last);
}

TEST_F(WatchTest, SilenceIsToldByThePositionAlone) {
  auto watch = Open({"old"}).value();
  Enter(1, {kYoung});
  Position last = Silence();
  WatchStream::Chunk chunk = watch->Next(1).value();  // a deadline long gone: what is there, without waiting
  EXPECT_THAT(chunk.changes, IsEmpty());
  EXPECT_EQ(chunk.position, last);
}

TEST_F(WatchTest, AnAppendWakesWhoWaits) {
  auto watch = Open({"old"}).value();
  std::thread writer([&] {
    for (uint64_t i = 1; i <= 20; ++i) {
      Enter(i, {i == 20 ? kOld : kYoung});
      std::this_thread::yield();
    }
  });
  std::vector<std::string> told;
  while (told.empty()) told = Texts(watch->Next(0).value());
  writer.join();
  EXPECT_THAT(told, ElementsAre("20 20 old"));
}

TEST_F(WatchTest, LookingAheadCountsWhatIsMeantAndTakesNothing) {
  auto watch = Open({"old"}).value();
  Enter(1, {kOld});
  Position second = Enter(2, {kYoung});
  WatchStream::Backlog all = watch->LookAhead(Position()).value();
  EXPECT_GT(all.bytes, 0u);
  EXPECT_EQ(all.position, second);
  EXPECT_EQ(watch->LookAhead(MakePosition(kEpoch, 1)).value().bytes, 0u);
  EXPECT_THAT(Texts(watch->Take().value()), ElementsAre("1 1 old"));
}

TEST_F(WatchTest, ManyWatchersDecodeARecordOnce) {
  std::vector<std::unique_ptr<WatchStream>> watchers;
  for (int i = 0; i < 100; ++i) watchers.push_back(Open({}).value());
  for (uint64_t i = 1; i <= 50; ++i) {
    Enter(i, {kYoung});
    for (auto& watch : watchers) ASSERT_EQ(watch->Take().value().changes.size(), 1u);
  }
  EXPECT_EQ(feed_.records_decoded(), 50u);
}

TEST_F(WatchTest, ARecordThatCannotBeReadEndsTheWatch) {
  auto watch = Open({}).value();
  Enter(1, {kYoung});
  log_->Append("no record");
  EXPECT_FALSE(watch->Take().ok());
}

// Watchers from the start, from the end and in between, while four threads append: all of it, in order.
TEST_F(WatchTest, WatchersBesideWritersMissNothing) {
  log_ = MakeMemoryLog(16 << 20, kEpoch);
  ChangeFeed feed(log_.get());
  constexpr uint64_t kWriters = 4, kEach = 500;
  std::vector<std::thread> threads;
  std::vector<std::vector<uint64_t>> sequences(6);
  for (auto& seen : sequences) {
    threads.emplace_back([&] {
      auto watch = OpenWatch(*log_, &feed, names_, {{"young"}, Position()}).value();
      while (seen.size() < kWriters * kEach) {
        WatchStream::Chunk chunk = watch->Next(0).value();
        for (const SegmentChange& change : chunk.changes) seen.push_back(SequenceOf(change.position));
      }
    });
  }
  for (uint64_t w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      for (uint64_t i = 0; i < kEach; ++i) Enter(w * kEach + i, {kYoung});
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& seen : sequences) {
    ASSERT_EQ(seen.size(), kWriters * kEach);
    for (uint64_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], i + 1);
  }
}

}  // namespace
}  // namespace korrel
