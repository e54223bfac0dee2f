// Goal: whatever happens to the database, its whole visible state is that of the naive twin, with any number of shards, with and
// without postings, on the replay clock and on a system clock.
// Method: a random trace of operations applied to the twin and to databases of three layouts at once; outcomes compared item by
// item, and every few operations everything that can be read or asked.
//
// KORREL_SEED and KORREL_ROUNDS scale it; a failure prints the seed of its round and the last operations.
#include <gtest/gtest.h>

#include "fmt/format.h"
#include "tests/twin/expression_check.h"
#include "tests/twin/random_trace.h"
#include "tests/twin/side_by_side.h"
#include "tests/twin/state_check.h"

namespace korrel::twin {
namespace {

constexpr int kStepsPerRound = 120, kStepsBetweenChecks = 12;

class Checker {
 public:
  Checker(SideBySide* both, RandomTrace* trace, Random* random) : both_(*both), trace_(*trace), random_(*random) {}

  void CheckEverything() {
    std::vector<std::string> everyone;
    for (uint64_t person = 1; person <= trace_.people(); ++person) everyone.push_back(fmt::format("customer:{}", person));
    for (uint64_t person = 3; person <= trace_.people(); person += 3) everyone.push_back(fmt::format("email:p{}@example.nl", person));
    for (uint64_t cookie = 0; cookie < 5; ++cookie) everyone.push_back(fmt::format("cookie:{}", cookie));
    for (const auto& [id, profile] : both_.twin().profiles()) everyone.push_back(FormatProfileId(ProfileId(id)));
    for (Side& side : both_.sides()) {
      Expect(side, DifferenceInStatus(both_.twin(), *side.database));
      for (const std::string& identifier : everyone) {
        if (!Expect(side, DifferenceInProfile(both_.twin(), *side.database, identifier))) return;
      }
    }
    CheckQuestions(everyone);
  }

 private:
  bool Expect(const Side& side, const std::string& difference) {
    EXPECT_EQ(difference, "") << LayoutName(side.layout);
    return difference.empty();
  }

  // A random expression that compiles.
  ExpressionRef Some(std::string (RandomExpression::*kind)(int), std::initializer_list<ValueKind> kinds) {
    while (true) {
      RandomExpression generator(&random_, &trace_.vocabulary());
      std::string text = (generator.*kind)(static_cast<int>(random_.Between(1, 3)));
      StatusOr<ExpressionRef> expression = both_.twin().Compile(text);
      if (expression.ok() && std::find(kinds.begin(), kinds.end(), (*expression)->type().kind) != kinds.end()) return *expression;
    }
  }
  ExpressionRef Condition() { return Some(&RandomExpression::Condition, {ValueKind::kBool}); }
  ExpressionRef Orderable() {
    return Some(&RandomExpression::Any,
                {ValueKind::kInt, ValueKind::kDecimal, ValueKind::kDouble, ValueKind::kString, ValueKind::kTimestamp});
  }
  ExpressionRef Number() { return Some(&RandomExpression::Number, {ValueKind::kInt, ValueKind::kDecimal, ValueKind::kDouble}); }
  ExpressionRef Groupable() {
    if (random_.OneIn(2)) return *both_.twin().Compile(random_.Pick({"country", "tier", "is_member", "age", "in segment 'vip'"}));
    return Orderable();
  }
  ExpressionRef Fixed(const char* text) { return *both_.twin().Compile(text); }

  void CheckQuestions(const std::vector<std::string>& everyone) {
    ExpressionRef where = random_.OneIn(3) ? Fixed("true") : Condition(), by = Orderable(), measured = Number();
    std::vector<ExpressionRef> groups, selections = {where, Condition(), Fixed("country = 'NL'")};
    for (int64_t i = random_.Between(0, 2); i > 0; --i) groups.push_back(Groupable());
    std::vector<NaiveMeasure> measures = {{measured, {0, 0.5, 0.9, 1}, {}}, {Fixed("age"), {}, {Value(int64_t{20}), Value(int64_t{30})}}};
    bool descending = random_.OneIn(2);
    auto limit = static_cast<uint64_t>(random_.Between(1, 20));
    auto size = static_cast<uint32_t>(random_.Between(1, 12));
    uint64_t seed = random_.Bits();
    std::string somebody = random_.Pick(everyone);
    std::vector<uint64_t> sample, sample_of_first;
    NaiveStore& twin = both_.twin();
    for (Side& side : both_.sides()) {
      Database& database = *side.database;
      Expect(side, DifferenceIn(twin, database, *where));
      Expect(side, DifferenceInTop(twin, database, *where, *by, descending, limit));
      Expect(side, DifferenceInResumedQuery(twin, database, *where));
      Expect(side, DifferenceInBreakdown(twin, database, *where, groups, measures));
      Expect(side, DifferenceInOverlap(twin, database, selections));
      Expect(side, DifferenceInExplain(twin, database, *where, somebody));
      Expect(side, DifferenceInBatchGet(twin, database, {by, measured, where}, everyone));
      Expect(side, DifferenceInSample(twin, database, *where, size, seed, &sample));
      if (&side == &both_.sides().front()) sample_of_first = sample;
      EXPECT_EQ(sample, sample_of_first) << "a sample depends on the layout: " << LayoutName(side.layout);
    }
  }

  SideBySide& both_;
  RandomTrace& trace_;
  Random& random_;
};

void RunTraces(ClockMode mode, uint64_t rounds) {
  uint64_t first = FirstSeed(1), operations = 0;
  for (uint64_t seed = first; seed < first + Rounds(rounds) && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("KORREL_SEED={} KORREL_ROUNDS=1", seed));
    Random random(seed);
    int64_t now_us = random.Pick(InterestingInstants()) + random.Between(-1, 1);
    uint32_t hard_max = random.OneIn(2) ? 5 : kEventsHardMax;
    SideBySide both({{1, true, hard_max}, {2, false, hard_max}, {8, true, hard_max}}, mode, now_us);
    RandomTrace trace(&random, &both, static_cast<uint64_t>(random.Between(2, 30)));
    Checker checker(&both, &trace, &random);
    for (int step = 1; step <= kStepsPerRound && !testing::Test::HasFailure(); ++step) {
      trace.Step();
      if (step % kStepsBetweenChecks == 0 && !testing::Test::HasFailure()) checker.CheckEverything();
    }
    EXPECT_FALSE(testing::Test::HasFailure()) << "last steps:\n" << trace.LastSteps(kStepsBetweenChecks);
    operations += trace.operation_count();
  }
  RecordOperations(operations);
}

TEST(EngineModel, ReplayTracesEqualTheTwin) { RunTraces(ClockMode::kReplay, 12); }

TEST(EngineModel, SystemClockTracesEqualTheTwin) { RunTraces(ClockMode::kSystem, 6); }

}  // namespace
}  // namespace korrel::twin
