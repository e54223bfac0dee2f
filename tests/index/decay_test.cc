// What decays, against extended precision; its comparisons against the instant they stand for; sessions and population figures.

#include "index/evaluation/decay.h"

#include <cmath>

#include "index/evaluation/exponential.h"
#include "tests/index/shard_fixture.h"

namespace korrel {
namespace {

constexpr int64_t kMinute = 60 * kSecond;

// How far `x` is from the truth, in units of its last place.
double UnitsOff(double x, long double truth) {
  const double ulp = std::nextafter(std::fabs(x), INFINITY) - std::fabs(x);
  return static_cast<double>(std::fabs(static_cast<long double>(x) - truth) / ulp);
}

TEST(Exponential, IsWithinThreeUnitsOfItsLastPlace) {
  std::mt19937_64 random(TestSeed());
  double worst = 0;
  for (int i = 0; i < 200'000; ++i) {
    const int64_t half_life = 1 + static_cast<int64_t>(random() % (uint64_t{1} << (1 + random() % 51)));
    const int64_t elapsed = static_cast<int64_t>(static_cast<double>(random() % 1'000'000) / 1e6 * 40 * static_cast<double>(half_life));
    const double x = static_cast<double>(random() % 1'000'000 + 1) / 1000;
    const long double exponent = -static_cast<long double>(elapsed) / static_cast<long double>(half_life);
    worst = std::max(worst, UnitsOff(Halved(x, elapsed, half_life), static_cast<long double>(x) * exp2l(exponent)));
  }
  EXPECT_LT(worst, 3) << "seed " << TestSeed();
}

TEST(Exponential, IsExactAtWholeHalfLivesAndEndsAtZero) {
  EXPECT_EQ(Halved(3, 0, 7), 3);
  for (int n = 0; n < 1'070; ++n) EXPECT_EQ(Halved(1, n * int64_t{7}, 7), std::ldexp(1, -n)) << n;
  EXPECT_EQ(Halved(1, INT64_MAX, 1), 0);
  EXPECT_DOUBLE_EQ(Halved(1.7976931348623157e308, 1, 2), 1.7976931348623157e308 * std::sqrt(0.5)) << "nothing on the way is infinite";
}

TEST(Exponential, TheLogarithmOfAQuotientIsExactForPowersAndCloseForAllElse) {
  for (int n = -1'000; n <= 1'000; n += 37) {
    const BinaryLogarithm log = Log2Quotient(std::ldexp(3, n), 3);
    EXPECT_EQ(log.whole, n);
    EXPECT_EQ(log.part, 0);
  }
  std::mt19937_64 random(TestSeed());
  double worst = 0;
  for (int i = 0; i < 200'000; ++i) {
    const double a = std::ldexp(1 + static_cast<double>(random() % 1'000'003) / 1e6, static_cast<int>(random() % 2'000) - 1'000);
    const double b = i % 3 ? std::ldexp(1 + static_cast<double>(random() % 1'000'003) / 1e6, static_cast<int>(random() % 2'000) - 1'000)
                           : a * (1 + static_cast<double>(random() % 1'000) * 1e-12);
    const BinaryLogarithm log = Log2Quotient(a, b);
    EXPECT_LE(std::fabs(log.part), 0.5 + 1e-15);
    const long double scaled = ldexpl(a, -log.whole);  // beside b: their difference is exact
    const long double truth = log1pl((scaled - b) / b) / logl(2);
    if (truth != 0) worst = std::max(worst, UnitsOff(log.part, truth));
  }
  EXPECT_LT(worst, 3) << "seed " << TestSeed();
}

TEST(Decay, FoldsInEventOrderAndIsZeroOverNothing) {
  TestShard shard;
  const Row row = shard.Add(), other = shard.Add();
  EXPECT_EQ(shard.Read(other, "decayed_count(order, half_life 1d)"), Value(0.0));
  EXPECT_EQ(shard.Read(other, "decayed_sum(order.amount, half_life 1d)"), Value(0.0));
  shard.Track(row, "order", kNow - 2 * kDay, {{"amount", Decimal{1'000, 2}}});
  shard.Track(row, "order", kNow - 1 * kDay, {{"amount", Decimal{300, 2}}});
  shard.Track(row, "order", kNow + 1, {{"amount", Decimal{99'999, 2}}});  // not yet seen
  shard.Track(row, "visit", kNow - 3 * kDay);
  EXPECT_EQ(shard.Read(row, "decayed_count(order, half_life 1d)"), Value(0.75));
  EXPECT_EQ(shard.Read(row, "decayed_sum(order.amount, half_life 1d)"), Value(4.0));
  EXPECT_EQ(shard.Read(row, "decayed_sum(order.amount where amount > 5, half_life 1d)"), Value(2.5));
  EXPECT_EQ(shard.Read(row, "decayed_count(any, half_life 1d)"), Value(0.875)) << "of all types, in the order of time";
  EXPECT_EQ(shard.Read(row, "decayed_sum(order.amount, half_life 1d) + 1"), Value(5.0));
  shard.now_us = kNow - kDay;
  EXPECT_EQ(shard.Read(row, "decayed_sum(order.amount, half_life 1d)"), Value(8.0)) << "the second has just come";
}

TEST(Decay, AFoldThatIsNotFiniteIsAbsent) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Track(row, "order", kNow, {{"weight", 1.7e308}});
  shard.Track(row, "order", kNow, {{"weight", 1.7e308}});
  EXPECT_EQ(shard.Read(row, "decayed_sum(order.weight, half_life 1d)"), Value());
  EXPECT_EQ(shard.Read(row, "decayed_sum(order.weight, half_life 1d) > 1"), Value(false));
  EXPECT_EQ(shard.Read(row, "decayed_sum(order.weight, half_life 1d) <= 1"), Value(false));
}

TEST(Decay, AComparisonFlipsOnceAndWhereItsValueDoes) {
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 20'000; ++i) {
    const int64_t half_life = 1 + static_cast<int64_t>(random() % 1'000'000'000);
    auto number = [&] { return std::ldexp(1 + static_cast<double>(random() % 1'000) / 1'000, static_cast<int>(random() % 20) - 10); };
    const DecayState state{(random() % 4 ? 1 : -1) * number(), kNow};
    const double c = (random() % 4 ? 1 : -1) * number();
    const DecayTruth above = CompareDecayed(state, half_life, Op::kGreater, c),
                     from = CompareDecayed(state, half_life, Op::kGreaterEqual, c);
    const DecayTruth below = CompareDecayed(state, half_life, Op::kLess, c), to = CompareDecayed(state, half_life, Op::kLessEqual, c);
    EXPECT_EQ(above.At(kNow), state.s > c);
    EXPECT_EQ(from.At(kNow), state.s >= c);
    for (int64_t at : {int64_t{0}, half_life / 3, half_life, 5 * half_life, 40 * half_life}) {
      const int64_t now = kNow + at;
      EXPECT_EQ(below.At(now), !from.At(now));
      EXPECT_EQ(to.At(now), !above.At(now));
      const long double truth =
          static_cast<long double>(state.s) * exp2l(-static_cast<long double>(at) / static_cast<long double>(half_life));
      if (std::fabs(truth / c - 1) < 1e-9) continue;  // nearer than a few microseconds
      EXPECT_EQ(above.At(now), truth > c) << state.s << " " << c << " " << at << "/" << half_life << " seed " << TestSeed();
      EXPECT_EQ(to.At(now), truth <= c);
    }
  }
}

TEST(Decay, ComparisonsAreExactAtTheirInstantToTheMicrosecond) {
  const DecayState eight{8, kNow};
  EXPECT_EQ(CompareDecayed(eight, kDay, Op::kGreater, 1).flip_us, kNow + 3 * kDay);
  EXPECT_EQ(CompareDecayed(eight, kDay, Op::kGreaterEqual, 1).flip_us, kNow + 3 * kDay + 1);
  EXPECT_EQ(CompareDecayed(eight, kDay, Op::kGreaterEqual, 8).flip_us, kNow + 1);
  EXPECT_FALSE(CompareDecayed(eight, kDay, Op::kGreater, 8).At(kNow));
  EXPECT_TRUE(CompareDecayed(eight, kDay, Op::kGreater, std::nextafter(8, 0)).At(kNow));
  EXPECT_EQ(CompareDecayed({-8, kNow}, kDay, Op::kLess, -1).flip_us, kNow + 3 * kDay);
  EXPECT_TRUE(CompareDecayed({-8, kNow}, kDay, Op::kLess, -1).At(kNow));
  EXPECT_EQ(CompareDecayed(eight, kDay, Op::kGreater, 0).flip_us, DecayTruth::kForGood);
  EXPECT_TRUE(CompareDecayed(eight, kDay, Op::kGreater, 0).At(INT64_MAX - 1));
  EXPECT_FALSE(CompareDecayed(eight, kDay, Op::kLess, -1).At(kNow + 100 * kDay));
  EXPECT_TRUE(CompareDecayed({0, kNow}, kDay, Op::kGreaterEqual, 0).At(kNow));
  EXPECT_FALSE(CompareDecayed({0, kNow}, kDay, Op::kGreater, 0).At(kNow));
  EXPECT_TRUE(CompareDecayed({1.7e308, kTimestampMaxUs}, kDurationMaxUs, Op::kGreater, 5e-324).At(kTimestampMaxUs)) << "the longest of all";
}

TEST(Decay, ConditionsGoByTheInstantUnderEveryName) {
  TestShard shard;
  shard.Track(shard.Add(), "order", kNow);
  shard.definitions.attributes["warmth"] = shard.Compile("decayed_count(order, half_life 1d)");
  const Row row(0);
  for (int64_t shift : {-1, 0, 1}) {
    shard.now_us = kNow + 2 * kDay + shift;
    for (const char* text : {"decayed_count(order, half_life 1d) > 0.25", "0.25 < decayed_count(order, half_life 1d)", "warmth > 0.25",
                             "not (warmth <= 0.25)", "0.25 < warmth", "warmth > coalesce(age, 0.25)"})
      EXPECT_EQ(shard.Read(row, text), Value(shift < 0)) << text << shift;
    EXPECT_EQ(shard.Read(row, "warmth >= 0.25"), Value(shift <= 0)) << shift;
    EXPECT_EQ(shard.Read(row, "warmth between 0.25 and 1"), Value(shift <= 0)) << shift;
    EXPECT_EQ(shard.Read(row, "0.25 between warmth and 1"), Value(shift >= 0)) << shift;
    EXPECT_EQ(shard.Match("warmth between 0 and 0.25").size(), shift >= 0 ? 1u : 0u) << shift;
  }
  shard.now_us = kNow + kDay;
  EXPECT_EQ(shard.Read(row, "warmth = 0.5"), Value(true));
  EXPECT_EQ(shard.Read(row, "warmth > decayed_count(order, half_life 12h)"), Value(true)) << "the values of now";
  EXPECT_EQ(shard.Read(row, "warmth > age"), Value(false)) << "absent";
}

TEST(Sessions, EndWhereTheGapIsLonger) {
  for (int64_t shift : {-1, 0, 1}) {
    TestShard shard;
    const Row row = shard.Add();
    shard.Track(row, "visit", kNow - 60 * kMinute);
    shard.Track(row, "visit", kNow - 30 * kMinute + shift);
    shard.Track(row, "order", kNow);
    EXPECT_EQ(shard.Read(row, "sessions(visit, gap 30m)"), Value(int64_t{shift > 0 ? 2 : 1})) << shift;
    EXPECT_EQ(shard.Read(row, "sessions(any, gap 30m)"), Value(int64_t{shift == 0 ? 1 : 2})) << shift;
  }
}

TEST(Sessions, CountWhereOneOfTheirEventsLiesInTheWindow) {
  TestShard shard;
  const Row row = shard.Add();
  EXPECT_EQ(shard.Read(row, "sessions(visit, gap 30m)"), Value(int64_t{0}));
  for (int64_t minute : {-200, -170, -140, -20, -10}) shard.Track(row, "visit", kNow + minute * kMinute, {{"page", std::string("a")}});
  shard.Track(row, "visit", kNow + 1);
  EXPECT_EQ(shard.Read(row, "sessions(visit, gap 30m)"), Value(int64_t{2}));
  EXPECT_EQ(shard.Read(row, "sessions(visit, gap 30m) over 150m"), Value(int64_t{2})) << "one begins before it";
  EXPECT_EQ(shard.Read(row, "sessions(visit, gap 30m) over 140m"), Value(int64_t{1}));
  EXPECT_EQ(shard.Read(row, "sessions(visit, gap 30m) between 180m and 15m ago"), Value(int64_t{2}));
  EXPECT_EQ(shard.Read(row, "sessions(visit, gap 120m)"), Value(int64_t{1}));
  EXPECT_EQ(shard.Read(row, "sessions(visit where page = 'a' and event_time > timestamp '2017-03-31T23:45:00Z', gap 30m)"),
            Value(int64_t{1}));
}

TEST(Population, FiguresAreReadAndAbsentUntilTheyArePublished) {
  TestShard shard;
  const Row row = shard.Add(), poor = shard.Add();
  shard.Set(row, "age", int64_t{50});
  shard.Set(poor, "age", int64_t{10});
  shard.definitions.population["old"] = kIntType;
  shard.definitions.population["zone"] = kStringType;
  PopulationFigures figures;
  const PlanRef plan = shard.PlanOf("age >= population.old");
  auto matches = [&](const PopulationFigures* published) {
    ShardView view = shard.View();
    view.population = published;
    WorkMeter meter;
    Evaluator evaluator(*plan, view, &meter);
    uint32_t count = 0;
    evaluator.Match(0, 0, nullptr, &count);
    return count;
  };
  EXPECT_EQ(matches(nullptr), 0u);
  EXPECT_EQ(matches(&figures), 0u);
  figures.by_name["old"].value = int64_t{50};
  EXPECT_EQ(matches(&figures), 1u);
  figures.by_name["old"].value = 50.0;
  EXPECT_EQ(matches(&figures), 0u) << "of another type: of a definition that was replaced";
  figures.by_name["zone"].value = std::string("UTC");
  ShardView view = shard.View();
  view.population = &figures;
  WorkMeter meter;
  ValueVector values;
  Evaluator(*shard.PlanOf("population.zone"), view, &meter).Read({&row, 1}, &values);
  EXPECT_EQ(values.At(0), Value(std::string("UTC")));
}

}  // namespace
}  // namespace korrel
