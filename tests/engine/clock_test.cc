#include "engine/clock.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace korrel {
namespace {

constexpr int64_t kDay = int64_t{86'400} * 1'000'000;

TEST(Clock, TheSystemClockNeverGoesBack) {
  auto clock = Clock::MakeSystem();
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      int64_t last = 0;
      for (int i = 0; i < 5'000; ++i) {
        int64_t now = clock->NowUs();
        ASSERT_GE(now, last);
        last = now;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(clock->mode(), ClockMode::kSystem);
  EXPECT_EQ(ReasonOf(clock->AdvanceTo(clock->NowUs() + kDay)), "CLOCK_NOT_REPLAY");
}

TEST(Clock, MoreThanFiveMinutesAheadIsRefused) {
  auto clock = Clock::MakeManual(kDay);
  EXPECT_TRUE(clock->AdmitEvent(kDay + kFutureSlackUs).ok());
  Status status = clock->AdmitEvent(kDay + kFutureSlackUs + 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ReasonOf(status), "EVENT_TOO_NEW");
  EXPECT_EQ(ReasonOf(clock->AdmitWrite(kDay + kFutureSlackUs + 1)), "EVENT_TOO_NEW");
  EXPECT_EQ(clock->NowUs(), kDay);
}

TEST(Clock, ReplayStandsAtTheEpochUntilTheFirstEventSetsIt) {
  auto clock = Clock::MakeReplay(366 * kDay);
  EXPECT_EQ(clock->NowUs(), 0);
  EXPECT_TRUE(clock->AdmitWrite(10'000 * kDay).ok());
  EXPECT_EQ(clock->NowUs(), 0);
  EXPECT_TRUE(clock->AdmitEvent(10'000 * kDay).ok());
  EXPECT_EQ(clock->NowUs(), 10'000 * kDay);
}

TEST(Clock, ReplayMovesWithNewerEventsOnly) {
  auto clock = Clock::MakeReplay(366 * kDay);
  ASSERT_TRUE(clock->AdmitEvent(1'000 * kDay).ok());
  ASSERT_TRUE(clock->AdmitEvent(500 * kDay).ok());
  EXPECT_EQ(clock->NowUs(), 1'000 * kDay);
  EXPECT_TRUE(clock->CheckEvent(1'366 * kDay).ok());
  EXPECT_EQ(clock->NowUs(), 1'000 * kDay);
  EXPECT_EQ(ReasonOf(clock->AdmitEvent(1'366 * kDay + 1)), "EVENT_TOO_NEW");
  EXPECT_TRUE(clock->AdmitEvent(1'366 * kDay).ok());
  EXPECT_EQ(clock->NowUs(), 1'366 * kDay);
}

TEST(Clock, ReplayAdvancesAnyStepForwardsAndNoneBack) {
  auto clock = Clock::MakeReplay(kDay);
  ASSERT_TRUE(clock->AdvanceTo(9'000 * kDay).ok());
  EXPECT_EQ(clock->NowUs(), 9'000 * kDay);
  EXPECT_TRUE(clock->AdvanceTo(9'000 * kDay).ok());
  Status status = clock->AdvanceTo(9'000 * kDay - 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "CLOCK_BACKWARDS");
}

TEST(Clock, AnEventBeforeTheEpochLeavesTheReplayClockWhereItIs) {
  auto clock = Clock::MakeReplay(kDay);
  EXPECT_TRUE(clock->AdmitEvent(-1'000 * kDay).ok());
  EXPECT_EQ(clock->NowUs(), 0);
}

TEST(ReplayClock, StandsStillBeforeAnInstantItIsHeldAt) {
  auto clock = Clock::MakeReplay(365 * kDay);
  ASSERT_TRUE(clock->AdvanceTo(100).ok());
  clock->Hold(200);
  EXPECT_TRUE(clock->AdmitEvent(199).ok());
  EXPECT_EQ(ReasonOf(clock->AdmitEvent(200)), "CLOCK_HELD");
  EXPECT_EQ(ReasonOf(clock->AdvanceTo(300)), "CLOCK_HELD");
  EXPECT_EQ(ReasonOf(clock->AdmitEvent(199 + 365 * kDay + 1)), "EVENT_TOO_NEW") << "what is refused for good is not made to wait";
  EXPECT_TRUE(clock->IsHeld(200));
  EXPECT_FALSE(clock->IsHeld(50));
  EXPECT_EQ(clock->NowUs(), 199);
  clock->Pass(200);
  EXPECT_TRUE(clock->AdmitEvent(200).ok()) << "where the clock is already nothing holds it";
  EXPECT_FALSE(clock->AdmitEvent(201).ok());
  clock->Hold(INT64_MAX);
  EXPECT_TRUE(clock->AdmitEvent(201).ok());
}

}  // namespace
}  // namespace korrel
