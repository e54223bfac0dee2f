// Goal: what is kept current is at every instant what its definition says, and the stream of enters and exits is exactly the history
// of that: with any number of shards, with and without postings, on the replay clock and on a system clock, whatever is written,
// defined, changed and dropped meanwhile.
// Method: random definitions and random traces (live_trace.h) on the naive twin and on databases of several layouts at once. After
// every operation the streams are compared flip by flip with what the twin finds by looking at every instant that could matter;
// every few operations all kept values are read back in every way. Then two facts about the clock: one big step equals many small
// ones, and a trace does not depend on when it is read.
//
// KORREL_SEED and KORREL_ROUNDS scale it; a failure prints the seed of its round, the definitions and the last operations.
#include <gtest/gtest.h>

#include "fmt/format.h"
#include "tests/twin/live_trace.h"

namespace korrel::twin {
namespace {

constexpr int kStepsPerRound = 60, kStepsBetweenReads = 10;
constexpr int64_t kDay = int64_t{86'400} * 1'000'000;

LiveTraceOptions OptionsFor(Random* random, ClockMode mode) {
  uint32_t hard_max = random->OneIn(2) ? 5 : kEventsHardMax;
  LiveTraceOptions options;
  options.layouts = {{1, true, hard_max}, {2, false, hard_max}, {random->OneIn(4) ? 64u : 8u, true, hard_max}};
  options.mode = mode;
  options.now_us = random->Pick(InterestingInstants()) + random->Between(-1, 1);
  options.people = static_cast<uint64_t>(random->Between(1, 8));
  options.definitions = static_cast<int>(random->Between(1, 12));
  return options;
}

// Batches of hundreds of writes between the looks of all others: many more operations, few definitions and short histories.
LiveTraceOptions BusyOptionsFor(Random* random, ClockMode mode) {
  LiveTraceOptions options = OptionsFor(random, mode);
  const uint32_t hard_max = random->OneIn(2) ? 5 : 12;
  for (Layout& layout : options.layouts) layout.events_hard_max = hard_max;
  options.definitions = static_cast<int>(random->Between(1, 4));
  options.batch = static_cast<int>(random->Between(50, 600));
  return options;
}

void RunTraces(ClockMode mode, uint64_t rounds, LiveTraceOptions (*options_for)(Random*, ClockMode) = OptionsFor) {
  uint64_t first = FirstSeed(1), operations = 0, recomputed = 0;
  int refused = 0, accepted = 0;
  for (uint64_t seed = first; seed < first + Rounds(rounds) && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("KORREL_SEED={} KORREL_ROUNDS=1", seed));
    Random random(seed);
    LiveTrace trace(&random, options_for(&random, mode));
    for (int step = 1; step <= kStepsPerRound && !testing::Test::HasFailure(); ++step) {
      trace.Step();
      if (step % kStepsBetweenReads == 0 && !testing::Test::HasFailure()) trace.CheckWhatIsRead();
    }
    EXPECT_FALSE(testing::Test::HasFailure()) << "definitions and last steps:\n" << trace.LastSteps(12);
    refused += trace.refused_count();
    accepted += trace.accepted_count();
    operations += trace.operation_count();
    recomputed += trace.recomputed();
  }
  RecordOperations(operations);
  RecordRecomputed(recomputed);
  // The generator must not hide the clock behind definitions that are refused.
  EXPECT_LT(refused, accepted / 2 + 10);
}

TEST(LiveModel, ReplayTracesFlipExactlyWhenTheTwinDoes) { RunTraces(ClockMode::kReplay, 12); }

TEST(LiveModel, SystemClockTracesFlipExactlyWhenTheTwinDoes) { RunTraces(ClockMode::kSystem, 4); }

TEST(LiveModel, BusyTracesFlipExactlyWhenTheTwinDoes) { RunTraces(ClockMode::kReplay, 3, BusyOptionsFor); }

// The same people and definitions; one clock leaps a year, the other goes there in many steps, some of a microsecond.
TEST(LiveModel, OneStepOfAYearEqualsManySmallOnes) {
  uint64_t first = FirstSeed(1);
  for (uint64_t seed = first; seed < first + Rounds(4) && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("KORREL_SEED={} KORREL_ROUNDS=1", seed));
    Random random(seed);
    LiveTraceOptions options = OptionsFor(&random, ClockMode::kReplay);
    options.definitions = 12;
    LiveTrace trace(&random, options);
    for (int step = 0; step < 25 && !HasFailure(); ++step) trace.Step();
    int64_t now_us = trace.both().twin().now_us(), end_us = now_us + 366 * kDay;
    std::vector<Side>& sides = trace.both().sides();
    ASSERT_TRUE(sides[0].database->AdvanceClock(end_us, "").ok());
    for (int64_t t = now_us; t < end_us && !HasFailure();) {
      int64_t longest = random.OneIn(3) ? 10 * kDay : random.OneIn(2) ? kDay / 24 : 2;
      t = std::min(end_us, t + random.Between(1, longest) + (random.OneIn(2) ? kDay : 0));
      ASSERT_TRUE(sides[1].database->AdvanceClock(t, "").ok());
      if (random.OneIn(8)) {
        ASSERT_TRUE(sides[2].database->AdvanceClock(t, "").ok());
      }
    }
    ASSERT_TRUE(sides[2].database->AdvanceClock(end_us, "").ok());
    std::vector<std::map<uint64_t, std::vector<ObservedFlip>>> histories;
    for (Side& side : sides) {
      LiveStream stream(side.database.get());
      std::string problem;
      stream.Read(&problem);
      EXPECT_EQ(problem, "") << LayoutName(side.layout);
      histories.push_back(stream.by_profile());
    }
    EXPECT_TRUE(histories[0] == histories[1] && histories[0] == histories[2]) << trace.LastSteps(25);
  }
}

}  // namespace
}  // namespace korrel::twin
