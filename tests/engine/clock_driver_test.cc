// Goal: the clock delivers what is due by itself, and nobody is stepped past a write that is still on its way. Method: databases whose
// clock is moved by hand, by events and by the machine, and Horizon alone.
#include "engine/live/clock_driver.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/live/horizon.h"
#include "tests/engine/write_fixture.h"

namespace korrel {
namespace {

void ApplyActive(Database& database) {
  Definition definition;
  definition.name = "segments/active";
  definition.kind = DefinitionKind::kSegment;
  definition.segment.expression = "count(order) over 1d > 0";
  ApplyRequest request;
  request.definitions = {definition};
  auto answer = database.ApplyDefinitions(request);
  ASSERT_TRUE(answer.ok() && answer->changes[0].error.ok());
  ASSERT_TRUE(database.WaitUntilFilled(answer->revision, 0, {}).ok());
}

size_t ExitsIn(const Log& log) {
  size_t exits = 0;
  Position after;
  for (;;) {
    auto record = log.ReadAfter(after);
    if (!record.ok() || !*record) return exits;
    const auto flips = FlipsIn((*record)->bytes);
    for (const ProfileFlips& profile : *flips) {
      for (const SegmentFlip& flip : profile.flips) exits += !flip.entered && flip.cause == ChangeCause::kClock;
    }
    after = (*record)->position;
  }
}

// Waits for what a background thread does; how long it takes is not the question.
bool ComesToHold(const std::function<bool()>& holds) {
  for (int i = 0; i < 6'000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

TEST(ClockDriver, FollowsEventsOfAReplay) {
  auto database = OpenForTest(4, Clock::MakeReplay(kMaxStepDefaultUs));
  for (int i = 0; i < 20; ++i) TrackOne(*database, "c:" + std::to_string(i), "order", kStartUs + i);
  ApplyActive(*database);
  TrackOne(*database, "d:1", "visit", kStartUs + 3 * kDayUs);
  EXPECT_TRUE(ComesToHold([&] { return ExitsIn(database->log()) == 20; }));
  EXPECT_TRUE(ComesToHold([&] { return database->GetStatus().timer_lag_us == 0; }));
}

TEST(ClockDriver, AdvanceReturnsWhenNobodyIsDue) {
  auto database = OpenForTest(8);
  for (int i = 0; i < 500; ++i) TrackOne(*database, "c:" + std::to_string(i), "order", kStartUs);
  ApplyActive(*database);
  auto advanced = database->AdvanceClock(kStartUs + kDayUs, "");
  ASSERT_TRUE(advanced.ok()) << advanced.status();
  EXPECT_EQ(ExitsIn(database->log()), 500u);
  EXPECT_EQ(advanced->edges_processed, 500u);
  EXPECT_GE(advanced->position, database->log().Last());
  EXPECT_EQ(database->AdvanceClock(kStartUs, "").status().code(), absl::StatusCode::kFailedPrecondition);
  // One turn is one turn, however many are due.
  EXPECT_LT(database->largest_turn_work(), 2 * kTurnWorkUnits);
}

TEST(Horizon, StaysBehindWritesOnTheirWay) {
  auto clock = Clock::MakeReplay(kMaxStepDefaultUs);
  Horizon horizon(clock.get());
  ASSERT_TRUE(clock->AdvanceTo(100).ok());
  {
    const Horizon::Pass first = horizon.Admit();
    ASSERT_TRUE(clock->AdvanceTo(200).ok());
    EXPECT_EQ(horizon.NowUs(), 100);
    const Horizon::Pass second = horizon.Admit();
    EXPECT_EQ(horizon.NowUs(), 100);
  }
  EXPECT_EQ(horizon.NowUs(), 200);
  std::optional<Horizon::Pass> pass(horizon.Admit());
  ASSERT_TRUE(clock->AdvanceTo(300).ok());
  std::thread waits([&] {
    horizon.WaitFor(300);
    EXPECT_EQ(horizon.NowUs(), 300);
  });
  pass.reset();
  waits.join();
}

TEST(Horizon, IsNowOnASystemClock) {
  auto clock = Clock::MakeManual(5);
  Horizon horizon(clock.get());
  const Horizon::Pass pass = horizon.Admit();
  ASSERT_TRUE(clock->AdvanceTo(9).ok());
  EXPECT_EQ(horizon.NowUs(), 9);
}

}  // namespace
}  // namespace korrel
