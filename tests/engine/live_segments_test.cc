// Goal: live segments are true at every moment and every change of membership is told once, in order, with its cause and instant.
// Method: a database on a clock that stands still, writes and clock steps by hand, and the flips read back from its log.
#include <gtest/gtest.h>

#include "engine/live/replay.h"
#include "tests/engine/live_definitions.h"
#include "tests/engine/write_fixture.h"

namespace korrel {
namespace {

constexpr int64_t kHourUs = 3'600 * kSecondUs;

// Every flip that the log tells of, in its order.
struct Told {
  uint64_t profile;
  SegmentFlip flip;
};
std::vector<Told> AllFlips(const Database& database) {
  std::vector<Told> told;
  Position after;
  for (;;) {
    auto record = database.log().ReadAfter(after);
    if (!record.ok() || !*record) return told;
    auto flips = FlipsIn((*record)->bytes);
    EXPECT_TRUE(flips.ok()) << flips.status();
    for (const ProfileFlips& profile : *flips) {
      for (const SegmentFlip& flip : profile.flips) told.push_back({profile.profile.value, flip});
    }
    after = (*record)->position;
  }
}

// Enters minus exits.
int64_t Balance(const std::vector<Told>& told) {
  int64_t balance = 0;
  for (const Told& t : told) balance += t.flip.entered ? 1 : -1;
  return balance;
}

std::vector<std::string> SegmentsOf(Database& database, const std::string& profile) {
  auto answer = database.SegmentsOf(profile, {});
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? answer->segments : std::vector<std::string>();
}

uint64_t Count(Database& database, const std::string& expression) {
  auto answer = database.Count({expression});
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? answer->count : ~uint64_t{0};
}

TEST(LiveSegments, AWriteEntersAndLeaves) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Set("country", std::string("BE"))});
  Apply(*database, {Segment("dutch", "country = 'NL'")});
  EXPECT_TRUE(AllFlips(*database).empty());
  UpsertOne(*database, {"c:1"}, {Set("country", std::string("NL"))});
  UpsertOne(*database, {"c:2"}, {Set("country", std::string("NL"))});
  UpsertOne(*database, {"c:1"}, {Set("country", std::string("DE"))});
  const std::vector<Told> told = AllFlips(*database);
  ASSERT_EQ(told.size(), 3u);
  EXPECT_TRUE(told[0].flip.entered && told[1].flip.entered && !told[2].flip.entered);
  EXPECT_EQ(told[0].profile, told[2].profile);
  for (const Told& t : told) {
    EXPECT_EQ(t.flip.cause, ChangeCause::kWrite);
    EXPECT_EQ(t.flip.time_us, kStartUs);
  }
  EXPECT_EQ(SegmentsOf(*database, "c:2"), std::vector<std::string>{"dutch"});
  EXPECT_TRUE(SegmentsOf(*database, "c:1").empty());
  EXPECT_EQ(Count(*database, "in segment 'dutch'"), 1u);
}

TEST(LiveSegments, TimeAloneMakesThemLeaveAtTheirInstant) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Set("n", int64_t{1})});
  TrackOne(*database, "c:1", "order", kStartUs - kHourUs);
  Apply(*database, {Segment("active", "count(order) over 1d > 0"), Computed("orders", "count(order) over 1d")});
  ASSERT_EQ(AllFlips(*database).size(), 1u);
  EXPECT_EQ(AllFlips(*database)[0].flip.cause, ChangeCause::kDefinition);
  auto advanced = database->AdvanceClock(kStartUs + 30 * kDayUs, "");
  ASSERT_TRUE(advanced.ok()) << advanced.status();
  EXPECT_GE(advanced->edges_processed, 1u);
  const std::vector<Told> told = AllFlips(*database);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_FALSE(told[1].flip.entered);
  EXPECT_EQ(told[1].flip.cause, ChangeCause::kClock);
  EXPECT_EQ(told[1].flip.time_us, kStartUs - kHourUs + kDayUs);
  EXPECT_EQ(Count(*database, "orders > 0"), 0u);
  EXPECT_EQ(Balance(told), 0);
}

TEST(LiveSegments, ADeleteLeavesEverySegmentAfterWhatTimeDidBefore) {
  auto database = OpenForTest(1);
  UpsertOne(*database, {"c:1"}, {Set("n", int64_t{1})});
  Apply(*database, {Segment("some", "n > 0"), Segment("more", "n >= 1")});
  ASSERT_EQ(AllFlips(*database).size(), 2u);
  ASSERT_TRUE(database->Delete("c:1", {}).ok());
  const std::vector<Told> told = AllFlips(*database);
  ASSERT_EQ(told.size(), 4u);
  EXPECT_EQ(told[2].flip.cause, ChangeCause::kDelete);
  EXPECT_EQ(told[3].flip.cause, ChangeCause::kDelete);
  EXPECT_EQ(Balance(told), 0);
}

TEST(LiveSegments, AChangedAndADroppedDefinitionMoveTheirMembers) {
  auto database = OpenForTest();
  for (int i = 0; i < 100; ++i) UpsertOne(*database, {"c:" + std::to_string(i)}, {Set("n", int64_t{i})});
  Apply(*database, {Segment("high", "n >= 50")});
  EXPECT_EQ(Balance(AllFlips(*database)), 50);
  Apply(*database, {Segment("high", "n >= 90")});
  EXPECT_EQ(Balance(AllFlips(*database)), 10);
  auto dropped = database->DeleteDefinition("segments/high", false, 0, "");
  ASSERT_TRUE(dropped.ok()) << dropped.status();
  ASSERT_TRUE(database->WaitUntilFilled(dropped->revision, 0, {}).ok());
  EXPECT_EQ(Balance(AllFlips(*database)), 0);
  for (const Told& t : AllFlips(*database)) EXPECT_EQ(t.flip.cause, ChangeCause::kDefinition);
}

TEST(LiveSegments, QuestionsAreExactWhileDefinitionsFill) {
  auto database = OpenForTest();
  for (int i = 0; i < 2'000; ++i) UpsertOne(*database, {"c:" + std::to_string(i)}, {Set("n", int64_t{i})});
  ApplyRequest request;
  request.definitions = {Segment("high", "n >= 500"), Computed("twice", "n * 2")};
  auto answer = database->ApplyDefinitions(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(Count(*database, "in segment 'high'"), 1'500u - static_cast<uint64_t>(i));
    ASSERT_EQ(Count(*database, "twice >= 0"), 2'000u);
    UpsertOne(*database, {"c:" + std::to_string(1'000 + i)}, {Set("n", int64_t{1})});
  }
  double last = 0;
  ASSERT_TRUE(database->WaitUntilFilled(answer->revision, 0, [&](double share) { last = share; }).ok());
  EXPECT_EQ(last, 1);
  EXPECT_EQ(database->GetDefinition("segments/high")->state, DefinitionState::kReady);
  EXPECT_EQ(Balance(AllFlips(*database)), 1'450);
  EXPECT_EQ(Count(*database, "in segment 'high'"), 1'450u);
}

// Several items of a batch may bring the same new identifier: the profile has it from the first of them on.
TEST(LiveSegments, AnIdentifierThatABatchBringsTwiceEntersOnce) {
  auto database = OpenForTest(2);
  UpsertOne(*database, {"c:1"}, {Set("n", int64_t{1})});
  Apply(*database, {Segment("reachable", "has_identifier('email')")});
  std::vector<ProfileWrite> writes;
  for (int64_t n = 2; n <= 5; ++n) writes.push_back({{"c:1", "email:a@b"}, {Set("n", n)}, 0});
  ASSERT_EQ(database->Upsert(writes, {})->applied_count, 4u);
  EXPECT_EQ(AllFlips(*database).size(), 1u);
  auto second = OpenForTest(4);
  ReplayInto(database->log(), second.get());
  EXPECT_EQ(DumpOf(*second), DumpOf(*database));
}

// What stands beside a test for a type nobody has is kept all the same, so that the first identifier of the type is a write like others.
TEST(LiveSegments, TheFirstIdentifierOfATypeEntersByTheWriteThatBringsIt) {
  auto database = OpenForTest(1);
  for (int i = 0; i < 5'000; ++i) UpsertOne(*database, {"c:" + std::to_string(i)}, {Set("n", int64_t{1}), Set("m", int64_t{0})});
  Apply(*database,
        {Segment("reachable", "has_identifier('email') and n * 2 > m"), Segment("rest", "not (has_identifier('email')) and n > m")});
  ASSERT_EQ(AllFlips(*database).size(), 5'000u);
  UpsertOne(*database, {"c:4999", "email:x@example.org"}, {});
  ASSERT_TRUE(database->WaitUntilFilled(database->GetStatus().catalog_revision, 0, {}).ok());
  const std::vector<Told> told = AllFlips(*database);
  ASSERT_EQ(told.size(), 5'002u);
  for (size_t i = 5'000; i < told.size(); ++i) EXPECT_EQ(told[i].flip.cause, ChangeCause::kWrite);
  EXPECT_EQ(SegmentsOf(*database, "c:4999"), std::vector<std::string>{"reachable"});
}

// A year in one step or second by second: the same flips, whatever the number of shards.
TEST(LiveSegments, AYearAtOnceIsAYearStepByStep) {
  auto run = [](uint32_t shards, int64_t step_us) {
    auto database = OpenForTest(shards, Clock::MakeReplay(kMaxStepDefaultUs));
    EXPECT_TRUE(database->AdvanceClock(kStartUs, "").ok());
    for (int i = 0; i < 40; ++i) {
      UpsertOne(*database, {"c:" + std::to_string(i)}, {Set("n", int64_t{i})});
      TrackOne(*database, "c:" + std::to_string(i), "order", kStartUs - i * kHourUs);
      TrackOne(*database, "c:" + std::to_string(i), "order", kStartUs - i * 17 * kHourUs);
    }
    Apply(*database, {Segment("active", "count(order) over 30d > 0"), Segment("twice", "count(order) over 7d >= 2"),
                      Segment("quiet", "not (in segment 'active')")});
    for (int64_t at = kStartUs + step_us; at <= kStartUs + 60 * kDayUs; at += step_us) EXPECT_TRUE(database->AdvanceClock(at, "").ok());
    std::map<uint64_t, std::vector<std::string>> by_profile;
    for (const Told& t : AllFlips(*database)) {
      if (t.flip.cause == ChangeCause::kDefinition) continue;
      by_profile[t.profile].push_back(std::to_string(t.flip.segment.value) + (t.flip.entered ? "+" : "-") + std::to_string(t.flip.time_us));
    }
    return by_profile;
  };
  const auto once = run(1, 60 * kDayUs);
  EXPECT_FALSE(once.empty());
  EXPECT_EQ(run(1, 3 * kHourUs), once);
  EXPECT_EQ(run(8, 60 * kDayUs), once);
  EXPECT_EQ(run(64, 5 * kHourUs), once);
}

TEST(LiveSegments, AReplayWorksOutTheSameAndSaysWhereItDoesNot) {
  auto first = OpenForTest();
  for (int i = 0; i < 50; ++i) UpsertOne(*first, {"c:" + std::to_string(i)}, {Set("n", int64_t{i})});
  TrackOne(*first, "c:3", "order", kStartUs - kHourUs);
  Apply(*first, {Segment("high", "n >= 25"), Segment("ordered", "count(order) over 1d > 0")});
  for (int i = 0; i < 50; ++i) {
    UpsertOne(*first, {"c:" + std::to_string(i)}, {Set("n", int64_t{50 - i})});
    TrackOne(*first, "c:" + std::to_string(i), "order", kStartUs - i);
  }
  ASSERT_TRUE(first->AdvanceClock(kStartUs + 2 * kDayUs, "").ok());
  for (uint32_t shards : {1u, 16u}) {
    auto second = OpenForTest(shards);
    Position after;
    for (;;) {
      auto record = first->log().ReadAfter(after);
      ASSERT_TRUE(record.ok());
      if (!*record) break;
      const Status status = ReplayRecord(CoreOf(*second), **record);
      ASSERT_TRUE(status.ok()) << status;
      after = (*record)->position;
    }
    EndReplay(CoreOf(*second));
    EXPECT_EQ(DumpOf(*second, true), DumpOf(*first, true));
    EXPECT_EQ(Count(*second, "in segment 'high'"), Count(*first, "in segment 'high'"));
  }
  // A record that tells of a flip that did not happen.
  TurnMutation lie{TurnMutation::Kind::kClock, first->GetStatus().now_us, {{ProfileId(1), {{SegmentId(0), true, kStartUs}}}}};
  EXPECT_FALSE(ReplayRecord(CoreOf(*first), {MakePosition(1, 1), EncodeMutation(lie)}).ok());
}

}  // namespace
}  // namespace korrel
