// Goal: the compiled block evaluator equals the naive interpreter of the language on every input.
// Method: random profiles and events over the test schema, applied to the twin and to databases of several layouts; random
// expressions; every value and every match compared, at several instants. Then one wide population of simple attributes that
// fills several blocks, so that postings of every container kind and all block edges take part.
//
// KORREL_SEED and KORREL_ROUNDS scale it; a failure prints the seed of its round.
#include <gtest/gtest.h>

#include "fmt/format.h"
#include "tests/twin/expression_check.h"
#include "tests/twin/random_world.h"
#include "tests/twin/side_by_side.h"

namespace korrel::twin {
namespace {

constexpr int64_t kSecond = 1'000'000, kDay = 86'400 * kSecond;

void AddMembers(SideBySide& both, Random* random) {
  UpdateMembersRequest forever, soon;
  forever.segment = soon.segment = "vip";
  soon.expire_time_us = both.twin().now_us() + kDay;
  for (const auto& [id, profile] : both.twin().profiles()) {
    if (random->OneIn(4)) (random->OneIn(2) ? soon : forever).profiles.push_back(profile.identifiers[0]);
  }
  both.UpdateMembers(forever);
  both.UpdateMembers(soon);
}

class RefusalCount {
 public:
  // A text the binder refuses must be refused by the database too, for the same reason.
  void Note(const Status& refusal, const std::string& text, SideBySide& both) {
    ++refused_;
    Selection selection;
    selection.expression = fmt::format("({}) is present", text);
    for (Side& side : both.sides()) EXPECT_FALSE(side.database->Count(selection).ok()) << text << "\ntwin: " << refusal;
  }
  void Compiled() { ++compiled_; }
  // The generator must not hide the language behind texts that do not compile.
  void ExpectFew() const { EXPECT_LT(refused_, compiled_ / 4 + 5); }

 private:
  int refused_ = 0, compiled_ = 0;
};

void CompareExpressions(SideBySide& both, RandomExpression* generator, Random* random, int count, RefusalCount* refusals) {
  for (int i = 0; i < count && !testing::Test::HasFailure(); ++i) {
    int depth = static_cast<int>(random->Between(1, 4));
    std::string text = random->OneIn(2) ? generator->Condition(depth) : generator->Any(depth);
    StatusOr<ExpressionRef> expression = both.twin().Compile(text);
    if (!expression.ok()) {
      refusals->Note(expression.status(), text, both);
      continue;
    }
    refusals->Compiled();
    for (Side& side : both.sides()) EXPECT_EQ(DifferenceIn(both.twin(), *side.database, **expression), "") << LayoutName(side.layout);
  }
}

TEST(EvaluatorModel, EveryExpressionEqualsTheNaiveInterpreter) {
  uint64_t first = FirstSeed(1), rounds = Rounds(10);
  RefusalCount refusals;
  for (uint64_t seed = first; seed < first + rounds && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("KORREL_SEED={} KORREL_ROUNDS=1", seed));
    Random random(seed);
    int64_t now_us = random.Pick(InterestingInstants()) + random.Between(-1, 1);
    RandomWorld world(&random, now_us);
    uint32_t hard_max = random.OneIn(3) ? 6 : kEventsHardMax;
    SideBySide both({{1, true, hard_max}, {2, false, hard_max}, {8, true, hard_max}}, ClockMode::kReplay, now_us);
    std::vector<ProfileWrite> profiles;
    std::vector<EventWrite> events;
    uint64_t people = random.Between(3, 90);
    for (uint64_t person = 1; person <= people; ++person) {
      profiles.push_back(world.Profile(person));
      for (uint64_t i = random.OneIn(3) ? 0 : random.Below(25); i > 0; --i) events.push_back(world.Event(person));
    }
    both.Upsert(profiles);
    both.Track(events);
    AddMembers(both, &random);
    RandomExpression generator(&random, &world.vocabulary());
    CompareExpressions(both, &generator, &random, 40, &refusals);
    for (int64_t step : {int64_t{1}, int64_t{1}, kDay - 2, random.Between(0, 40) * kDay + random.Between(0, 1)}) {
      if (HasFailure()) break;
      both.AdvanceTo(both.twin().now_us() + step);
      CompareExpressions(both, &generator, &random, 8, &refusals);
    }
  }
  refusals.ExpectFew();
}

TEST(EvaluatorModel, ManyBlocksEqualTheNaiveInterpreter) {
  uint64_t seed = FirstSeed(7);
  SCOPED_TRACE(fmt::format("KORREL_SEED={}", seed));
  Random random(seed);
  RandomWorld world(&random, InterestingInstants()[0]);
  SideBySide both({{1, true}, {1, false}}, ClockMode::kReplay, world.now_us());
  constexpr uint64_t kPeople = 2 * kBlockRows + 100;
  std::vector<ProfileWrite> profiles;
  for (uint64_t person = 1; person <= kPeople; ++person) {
    profiles.push_back(world.PlainProfile(person));
    // A value on either side of the posting thresholds, of roaring's 4,096 edge, and one in every row of a single block.
    if (person % 300 == 0) profiles.back().attributes.push_back({"favourite colour", AttributeOperation::kSet, Value("rare")});
    if (person <= 4'097) profiles.back().attributes.push_back({"time_zone", AttributeOperation::kSet, Value("array edge")});
    if (person > kBlockRows && person <= 2 * kBlockRows)
      profiles.back().attributes.push_back({"time_zone", AttributeOperation::kSet, Value("block")});
    if (profiles.size() == 5'000 || person == kPeople) {
      both.Upsert(profiles);
      profiles.clear();
    }
  }
  for (uint64_t person = 5; person < kPeople; person += 4'000) {
    both.Delete(fmt::format("customer:{}", person));
  }
  Vocabulary simple = world.SimpleVocabulary();
  RandomExpression generator(&random, &simple);
  RefusalCount refusals;
  std::vector<std::string> fixed = {"time_zone = 'block'", "time_zone = 'array edge' and country = 'NL'",
                                    "not (\"favourite colour\" = 'rare') and tier in ('gold', 'basic')",
                                    "interests has any ('shoes', 'bags') and not is_member and age between 20 and 30",
                                    "country != 'NL' or interests has none ('hats')"};
  for (const std::string& text : fixed) {
    StatusOr<ExpressionRef> expression = both.twin().Compile(text);
    ASSERT_TRUE(expression.ok()) << expression.status();
    for (Side& side : both.sides()) EXPECT_EQ(DifferenceIn(both.twin(), *side.database, **expression), "");
  }
  CompareExpressions(both, &generator, &random, static_cast<int>(Rounds(8)), &refusals);
  refusals.ExpectFew();
}

}  // namespace
}  // namespace korrel::twin
