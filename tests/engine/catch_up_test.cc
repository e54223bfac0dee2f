// Goal: a change of a profile that the clock has left far behind takes turns like everything else, loses nothing of what lies between,
// and ends with the server or with who waits for it. Method: a clock moved by years while its thread rests, so that the change finds the
// profile where it was; the flips that the log tells of are held against the calendar, and a replay against the whole.
#include <gtest/gtest.h>

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

class CatchUpTest : public testing::Test {
 protected:
  CatchUpTest() : db_(OpenForTest(2)) {
    TrackOne(*db_, "c:1", "order", kStartUs);
    Apply(*db_, {Segment("early", "count(order) > 0 and hour(now()) < 6")});
    CoreOf(*db_).replaying = true;  // the clock's thread and filling rest
    auto moved = db_->AdvanceClock(kStartUs + kDays * kDayUs, "", [] { return absl::CancelledError("nobody waits"); });
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
  CoreOf(*db_).replaying = false;
  Apply(*db_, {Segment("buyers", "count(order) > 0")});
  EXPECT_LT(db_->largest_turn_work(), 2 * kTurnWorkUnits);
  Selection both;
  both.expression = "in segment 'buyers' and in segment 'early'";
  EXPECT_EQ(db_->Count(both)->count, 1u);
}

// What was stepped stays stepped; the change itself was not made, and can be made again.
TEST_F(CatchUpTest, EndsWhereNobodyWaits) {
  EventWrite event{{"c:1"}, "order", kStartUs + kDays * kDayUs, "m1", "", {}};
  const WriteResult late = db_->Track({&event, 1}, {.deadline_ns = 1}).value();
  ASSERT_EQ(late.errors.size(), 1u);
  EXPECT_EQ(late.errors[0].status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(late.applied_count, 0u);
  EXPECT_EQ(db_->Delete("c:1", {.deadline_ns = 1}).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(db_->Track({&event, 1}, {})->applied_count, 1u);
  ExpectAllFlips();
  CoreOf(*db_).replaying = false;
}

TEST_F(CatchUpTest, EndsWithTheServer) {
  db_->Stop();
  const WriteResult stopped = TrackOne(*db_, "c:1", "order", kStartUs + kDays * kDayUs);
  ASSERT_EQ(stopped.errors.size(), 1u);
  EXPECT_EQ(ReasonOf(stopped.errors[0].status), "SHUTDOWN");
  EXPECT_EQ(TrackOne(*db_, "c:2", "order", kStartUs + kDays * kDayUs).applied_count, 1u) << "what needs no waiting is done";
  auto advanced = db_->AdvanceClock(kStartUs + 2 * kDays * kDayUs, "");
  EXPECT_EQ(ReasonOf(advanced.status()), "STOPPED");
  EXPECT_EQ(db_->GetStatus().now_us, kStartUs + 2 * kDays * kDayUs);
}

}  // namespace
}  // namespace korrel
