// Goal: a change of a profile that the clock has left far behind takes turns like everything else, loses nothing of what lies between,
// and ends with the server or with who waits for it. Method: a clock moved by years while its thread rests, so that the change finds the
// profile where it was; the flips that the log tells of are held against the calendar, and a replay against the whole.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/identity.h"
#include "engine/live/clock_driver.h"
#include "engine/live/fill_driver.h"
#include "engine/live/horizon.h"
#include "engine/live/live_turn.h"
#include "engine/live/replay.h"
#include "tests/engine/live_definitions.h"

namespace korrel {
namespace {

constexpr int64_t kYears = 3;
constexpr int64_t kDays = 365 * kYears;

// Midnight and six o'clock of every day behind kStartUs, which is a midnight.
struct Flip {
  int64_t time_us;
  bool entered;
};
std::vector<Flip> FlipsOf(const Log& log, ProfileId profile, size_t* records) {
  std::vector<Flip> flips;
  Position after;
  for (*records = 0;;) {
    auto record = log.ReadAfter(after);
    EXPECT_TRUE(record.ok()) << record.status();
    if (!record.ok() || !*record) return flips;
    bool any = false;
    const auto profiles = FlipsIn((*record)->bytes);
    for (const ProfileFlips& changed : *profiles) {
      if (!(changed.profile == profile)) continue;
      for (const SegmentFlip& flip : changed.flips) flips.push_back({flip.time_us, flip.entered});
      any |= !changed.flips.empty();
    }
    *records += any;
    after = (*record)->position;
  }
}

// Asked before the clock moves and again behind it.
Database::Wanted UntilItHasMoved() {
  return [asked = 0]() mutable { return asked++ == 0 ? absl::OkStatus() : absl::CancelledError("nobody waits"); };
}

class CatchUpTest : public testing::Test {
 protected:
  CatchUpTest() : db_(OpenForTest(2)) {
    TrackOne(*db_, "c:1", "order", kStartUs);
    Apply(*db_, {Segment("early", "count(order) > 0 and hour(now()) < 6")});
    CoreOf(*db_).replaying = true;  // the clock's thread and filling rest
    CoreOf(*db_).clock_driver->FinishRound();
    CoreOf(*db_).fill_driver->FinishRound();
    auto moved = db_->AdvanceClock(kStartUs + kDays * kDayUs, "", UntilItHasMoved());
    EXPECT_EQ(moved.status().code(), absl::StatusCode::kCancelled);
    CoreOf(*db_).largest_turn_work = 0;
  }

  ProfileId Customer() { return *CoreOf(*db_).Resolve("c:1", "").value(); }

  // In at the definition, out at six, in at midnight, …, in at the last midnight, where the clock stands.
  void ExpectAllFlips() {
    size_t records = 0;
    const std::vector<Flip> flips = FlipsOf(db_->log(), Customer(), &records);
    ASSERT_EQ(flips.size(), 1 + 2 * kDays);
    for (int64_t day = 0; day < kDays; ++day) {
      const Flip &out = flips[1 + 2 * day], &in = flips[2 + 2 * day];
      ASSERT_TRUE(!out.entered && out.time_us == kStartUs + day * kDayUs + 6 * 3'600 * kSecondUs) << day;
      ASSERT_TRUE(in.entered && in.time_us == kStartUs + (day + 1) * kDayUs) << day;
    }
    EXPECT_GT(records, 5u) << "one record holds them all: that was one turn";
  }

  std::unique_ptr<Database> db_;
};

TEST_F(CatchUpTest, AWriteTakesTurnsAndLosesNothing) {
  const WriteResult result = TrackOne(*db_, "c:1", "order", kStartUs + kDays * kDayUs);
  EXPECT_EQ(result.applied_count, 1u);
  EXPECT_LT(db_->largest_turn_work(), 2 * kTurnWorkUnits);
  ExpectAllFlips();
  auto second = OpenForTest(8);
  ReplayInto(db_->log(), second.get());
  CoreOf(*db_).replaying = false;
  EXPECT_EQ(DumpOf(*second), DumpOf(*db_));
}

TEST_F(CatchUpTest, OtherItemsOfTheBatchKeepTheirPlaceAndPosition) {
  std::vector<ProfileWrite> writes;
  for (const char* id : {"c:0", "c:1", "c:2"}) writes.push_back({{id}, {Set("n", int64_t{1}), Set("name", std::string(id))}, 0});
  const WriteResult result = db_->Upsert(writes, {}).value();
  EXPECT_EQ(result.applied_count, 3u);
  EXPECT_TRUE(result.errors.empty());
  ExpectAllFlips();
  EXPECT_EQ(result.position, db_->log().Last());
  CoreOf(*db_).replaying = false;
}

TEST_F(CatchUpTest, ADeleteToo) {
  const ProfileId profile = Customer();
  ASSERT_TRUE(db_->Delete("c:1", {}).ok());
  EXPECT_LT(db_->largest_turn_work(), 2 * kTurnWorkUnits);
  size_t records = 0;
  const std::vector<Flip> flips = FlipsOf(db_->log(), profile, &records);
  EXPECT_EQ(flips.size(), 2 + 2 * kDays);
  EXPECT_FALSE(flips.back().entered);
  EXPECT_GT(records, 5u);
  CoreOf(*db_).replaying = false;
}

TEST_F(CatchUpTest, FillingToo) {
  Core& core = CoreOf(*db_);
  ApplyRequest request;
  request.definitions = {Segment("buyers", "count(order) > 0")};
  ASSERT_TRUE(db_->ApplyDefinitions(request)->changes[0].error.ok());
  size_t turns = 0;
  for (const auto& shard : core.shards) {
    while (!TakeFillTurn(core, *shard).filled) ++turns;
  }
  EXPECT_GT(turns, 5u);
  EXPECT_LT(db_->largest_turn_work(), 2 * kTurnWorkUnits);
  core.replaying = false;
  ASSERT_TRUE(db_->WaitUntilFilled(core.CurrentCatalog()->revision, 0, {}).ok());
  Selection both;
  both.expression = "in segment 'buyers' and in segment 'early'";
  EXPECT_EQ(db_->Count(both)->count, 1u);
}

// What was stepped stays stepped; the change itself was not made, and can be made again under the same request id.
TEST_F(CatchUpTest, EndsWhereNobodyWaits) {
  EventWrite event{{"c:1", "mail:new"}, "order", kStartUs + kDays * kDayUs, "m1", "", {}};
  WriteOptions late{.request_id = "r", .request_digest = "d", .deadline_ns = 1};
  EXPECT_EQ(db_->Track({&event, 1}, late).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(db_->Delete("c:1", {.deadline_ns = 1}).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(CoreOf(*db_).Resolve("mail:new", "")->has_value()) << "an identifier of a write that was not made";
  late.deadline_ns = 0;
  EXPECT_EQ(db_->Track({&event, 1}, late)->applied_count, 1u);
  EXPECT_EQ(*CoreOf(*db_).Resolve("mail:new", "").value(), Customer());
  ExpectAllFlips();
  CoreOf(*db_).replaying = false;
}

// Items that need no waiting are applied; the others say why they were not.
TEST_F(CatchUpTest, OnlyWhoIsBehindIsRefused) {
  std::vector<ProfileWrite> writes;
  for (const char* id : {"c:1", "c:2", "c:1", "c:3", "c:4"}) writes.push_back({{id}, {Set("n", int64_t{1})}, 0});
  const WriteResult result = db_->Upsert(writes, {.deadline_ns = 1}).value();
  EXPECT_EQ(result.applied_count, 3u);
  ASSERT_EQ(result.errors.size(), 2u);
  EXPECT_EQ(result.errors[0].index, 0u);
  EXPECT_EQ(result.errors[1].index, 2u);
  EXPECT_EQ(result.errors[1].status.code(), absl::StatusCode::kDeadlineExceeded);
  CoreOf(*db_).replaying = false;
}

TEST_F(CatchUpTest, AListIsNotPutByHalves) {
  Definition vip;
  vip.name = "segments/vip";
  vip.kind = DefinitionKind::kSegment;
  vip.segment.is_static = true;
  ApplyRequest apply;
  apply.definitions = {vip};
  ASSERT_TRUE(db_->ApplyDefinitions(apply).ok());
  UpsertOne(*db_, {"c:2"}, {});
  UpdateMembersRequest put;
  put.segment = "vip";
  put.operation = MemberOperation::kPut;
  put.profiles = {"c:1"};
  ASSERT_EQ(db_->UpdateMembers(put)->member_count, 1u);
  // Behind again, and now it is to leave.
  ASSERT_FALSE(db_->AdvanceClock(kStartUs + 2 * kDays * kDayUs, "", UntilItHasMoved()).ok());
  put.profiles = {"c:2"};
  put.write.deadline_ns = 1;
  EXPECT_EQ(db_->UpdateMembers(put).status().code(), absl::StatusCode::kDeadlineExceeded);
  put.write.deadline_ns = 0;
  EXPECT_EQ(db_->UpdateMembers(put)->member_count, 1u);
  CoreOf(*db_).replaying = false;
}

// However far the clock leaps, few threads are taken for long; what was stepped by others is not stepped again.
TEST_F(CatchUpTest, OnlyAFewTakeLong) {
  CoreOf(*db_).replaying = false;
  Apply(*db_, {Segment("odd", "count(order) > 0 and hour(now()) % 2 = 1")});
  CoreOf(*db_).replaying = true;
  CoreOf(*db_).clock_driver->FinishRound();
  ASSERT_FALSE(db_->AdvanceClock(kStartUs + 7'000 * 365 * kDayUs, "", UntilItHasMoved()).ok());
  EXPECT_TRUE(db_->IsBehind());
  EventWrite event{{"c:1"}, "order", kStartUs, "", "", {}};
  std::vector<ClockDriver::LongCatchUp> others(ClockDriver::kLongCatchUpsMax);
  for (ClockDriver::LongCatchUp& other : others) EXPECT_TRUE(other.Ask(CoreOf(*db_).clock_driver.get()));
  EXPECT_EQ(ReasonOf(db_->Track({&event, 1}, {}).status()), "CATCHING_UP");
  const Shard& shard = *CoreOf(*db_).shards[ShardOf(Customer(), 2)];
  EXPECT_GT(shard.live.AsOf(*shard.table.Find(Customer())), kStartUs + 365 * kDayUs);
  EXPECT_LT(db_->largest_turn_work(), 2 * kTurnWorkUnits);
  EXPECT_EQ(TrackOne(*db_, "c:2", "order", kStartUs).applied_count, 1u);
  db_->Stop();
}

TEST_F(CatchUpTest, EndsWithTheServer) {
  db_->Stop();
  EventWrite event{{"c:1"}, "order", kStartUs + kDays * kDayUs, "", "", {}};
  EXPECT_EQ(ReasonOf(db_->Track({&event, 1}, {}).status()), "SHUTDOWN");
  EXPECT_EQ(TrackOne(*db_, "c:2", "order", kStartUs + kDays * kDayUs).applied_count, 1u) << "what needs no waiting is done";
  EXPECT_EQ(ReasonOf(db_->AdvanceClock(kStartUs + 2 * kDays * kDayUs, "").status()), "STOPPED");
}

// ---- On a replay clock, which events move ----

// An event that reaches the instant of a figure cannot pass before it is published, and nobody publishes any more.
TEST(CatchUpOnReplay, AWriteThatAFigureHoldsBackEndsWithTheServer) {
  auto database = OpenForTest(2, Clock::MakeReplay(kMaxStepDefaultUs));
  TrackOne(*database, "c:1", "order", kStartUs);
  Definition figure;
  figure.name = "population/typical";
  figure.kind = DefinitionKind::kPopulation;
  figure.population = {.expression = "quantile(count(order), 0.5)", .every_us = kDayUs};
  Apply(*database, {figure});
  database->Stop();
  EventWrite event{{"c:1"}, "order", kStartUs + 3 * kDayUs, "", "", {}};
  EXPECT_EQ(ReasonOf(database->Track({&event, 1}, {}).status()), "SHUTDOWN");
  EXPECT_LE(database->GetStatus().now_us, kStartUs + kDayUs);
}

// The row is ahead of everybody else when a definition is filled that another instant would judge otherwise.
TEST(CatchUpOnReplay, WhatIsFilledInBetweenIsReplayedAsItWas) {
  auto database = OpenForTest(2, Clock::MakeReplay(int64_t{400} * kDayUs));
  Core& core = CoreOf(*database);
  EventWrite first{{"c:1"}, "order", kStartUs, "", "", {}}, second{{"c:1"}, "order", kStartUs + 365 * kDayUs, "", "", {}};
  ASSERT_EQ(database->Track({&first, 1}, {})->applied_count, 1u);
  Apply(*database, {Segment("never", "count(order) > 5 and hour(now()) < 6")});
  std::optional<Horizon::Pass> others(core.horizon->Admit());  // a write on its way keeps the clock's thread where it is
  EXPECT_EQ(database->Track({&second, 1}, {.deadline_ns = 1}).status().code(), absl::StatusCode::kDeadlineExceeded);
  Apply(*database, {Segment("sooner", fmt::format("count(order) > 0 and now() < timestamp '{}'", FormatTimestamp({kStartUs + kDayUs})))});
  others.reset();
  ASSERT_EQ(database->Track({&second, 1}, {})->applied_count, 1u);
  ASSERT_TRUE(database->AdvanceClock(kStartUs + 366 * kDayUs, "").ok());
  auto replayed = OpenForTest(8, Clock::MakeReplay(int64_t{400} * kDayUs));
  ReplayInto(database->log(), replayed.get());
  EXPECT_EQ(DumpOf(*replayed), DumpOf(*database));
}

}  // namespace
}  // namespace korrel
