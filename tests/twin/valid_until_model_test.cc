// Goal: `valid_until` of a condition for a profile is never later than the first instant at which it really changes, if nothing is
// written.
// Method: random people, events and conditions, kept ones and such as only a question may ask; Explain says until when each holds;
// the naive twin walks its clock through every instant that could matter (live_timeline.h) and tells the first change.
//
// KORREL_SEED and KORREL_ROUNDS scale it; a failure prints the seed of its round.
#include <gtest/gtest.h>

#include <limits>

#include "fmt/format.h"
#include "tests/twin/live_timeline.h"
#include "tests/twin/random_definition.h"
#include "tests/twin/side_by_side.h"

namespace korrel::twin {
namespace {

constexpr int64_t kDay = int64_t{86'400} * 1'000'000;

// The first change of the condition per profile, up to `to_us`.
std::map<uint64_t, int64_t> FirstChanges(NaiveStore twin, const std::string& condition, int64_t to_us, Random* random) {
  twin.DefineSegment("asked", condition);
  LiveTimeline timeline(random);
  timeline.Look(twin, ExpectedCause::kDefinition);
  timeline.Take();
  timeline.Walk(twin, to_us, {});
  std::map<uint64_t, int64_t> first;
  for (const auto& [id, flips] : timeline.Take()) {
    for (const ExpectedFlip& flip : flips) {
      if (flip.segment == "asked") first.try_emplace(id, flip.time_us);
    }
  }
  return first;
}

std::string TextOfCondition(Random* random, const RandomWorld& world) {
  DefinedNames names = {{"orders_30d", "avg_basket"}, {}, {}, {"is_adult"}, {"churn risk", "adults"}};
  RandomDefinition kept(random, &world.vocabulary(), &names);
  RandomExpression anything(random, &world.vocabulary());
  return random->OneIn(3) ? anything.Condition(3) : kept.Condition(2);
}

TEST(ValidUntilModel, IsNeverLaterThanTheFirstRealChange) {
  uint64_t first = FirstSeed(1);
  int changes = 0;
  for (uint64_t seed = first; seed < first + Rounds(5) && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("KORREL_SEED={} KORREL_ROUNDS=1", seed));
    Random random(seed);
    RandomWorld world(&random, random.Pick(InterestingInstants()) + random.Between(-1, 1));
    SideBySide both({{1, true}}, ClockMode::kSystem, world.now_us());
    for (uint64_t person = 1; person <= 4; ++person) {
      both.Upsert({world.Profile(person)});
      for (uint64_t i = random.Below(15); i > 0; --i) both.Track({world.Event(person)});
      if (random.OneIn(2)) {
        EventWrite ahead = world.Event(person);
        ahead.event_time_us = world.now_us() + random.Between(1, kFutureSlackUs);
        both.Track({ahead});
      }
    }
    for (int i = 0; i < 12 && !HasFailure(); ++i) {
      std::string text = TextOfCondition(&random, world);
      if (!both.twin().Compile(text).ok()) continue;
      int64_t to_us = both.twin().now_us() + random.Between(0, 40) * kDay;
      std::map<uint64_t, int64_t> changed = FirstChanges(both.twin(), text, to_us, &random);
      for (const auto& [id, profile] : both.twin().profiles()) {
        Selection selection;
        selection.expression = text;
        StatusOr<ExplainAnswer> answer = both.sides()[0].database->Explain(selection, FormatProfileId(ProfileId(id)));
        ASSERT_TRUE(answer.ok()) << answer.status();
        int64_t until_us = answer->plan.valid_until_us == 0 ? std::numeric_limits<int64_t>::max() : answer->plan.valid_until_us;
        EXPECT_GT(until_us, both.twin().now_us()) << text;
        if (changed.count(id) == 0) continue;
        ++changes;
        EXPECT_LE(until_us, changed[id]) << text << "\nsaid to hold until " << FormatTimestamp({until_us}) << ", changes at "
                                         << FormatTimestamp({changed[id]}) << "\n"
                                         << both.twin().Dump(id);
      }
    }
  }
  EXPECT_GT(changes, 5);
}

}  // namespace
}  // namespace korrel::twin
