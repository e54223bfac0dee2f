// Facts about the twin itself, straight from the language's rules, so that what is compared with it can be trusted.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/twin/hand_made.h"
#include "tests/twin/naive_calendar.h"
#include "tests/twin/naive_number.h"

namespace korrel::twin {
namespace {

const Value kAbsent;
Value Int(int64_t x) { return x; }

TEST(TwinNumber, LongDivisionRoundsOnceToNearestEven) {
  EXPECT_EQ(NearestDouble(1, 10), 0.1);
  EXPECT_EQ(NearestDouble(-7, 2), -3.5);
  EXPECT_EQ(NearestDouble(9007199254740993, 1), 9007199254740992.0);  // a tie, to even
  EXPECT_EQ(NearestDouble(9007199254740995, 1), 9007199254740996.0);
  EXPECT_EQ(NearestDouble(int128{9007199254740993} * 1'000'000 + 1, 1'000'000), 9007199254740994.0);  // just above the tie
  EXPECT_EQ(NearestDouble(1, 3), 1.0 / 3);
  EXPECT_EQ(NearestDouble(INT64_MAX, PowerOf10(18)), 9.223372036854775807);
}

TEST(TwinNumber, RoundingIsHalfAwayFromZeroAndExactForDoubles) {
  EXPECT_EQ(RoundedTo(Value(0.125), 2, Rounding::kHalfAway), 13);
  EXPECT_EQ(RoundedTo(Value(-0.125), 2, Rounding::kHalfAway), -13);
  EXPECT_EQ(RoundedTo(Value(2.675), 2, Rounding::kHalfAway), 267);  // the double lies below 2.675
  EXPECT_EQ(RoundedTo(Value(Decimal{-25, 1}), 0, Rounding::kHalfAway), -3);
  EXPECT_EQ(RoundedTo(Value(Decimal{-25, 1}), 0, Rounding::kFloor), -3);
  EXPECT_EQ(RoundedTo(Value(Decimal{-25, 1}), 0, Rounding::kCeil), -2);
  EXPECT_EQ(RoundedTo(Value(1e-300), 0, Rounding::kCeil), 1);
  EXPECT_EQ(RoundedTo(Value(-1e-300), 0, Rounding::kFloor), -1);
  EXPECT_EQ(RoundedTo(Value(9.3e18), 0, Rounding::kHalfAway), std::nullopt);
  EXPECT_EQ(RoundedTo(Value(-9223372036854775808.0), 0, Rounding::kHalfAway), INT64_MIN);
  EXPECT_EQ(RoundedTo(Value(Int(10)), 18, Rounding::kHalfAway), std::nullopt);
}

TEST(TwinNumber, ExactSumForgetsNothing) {
  EXPECT_EQ(ExactSum({1e16, 1.0, -1e16}), 1.0);
  EXPECT_EQ(ExactSum({0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}), 1.0);
  EXPECT_EQ(ExactSum({1.0, std::ldexp(1.0, -53), std::ldexp(1.0, -80)}), std::nextafter(1.0, 2.0));
  EXPECT_EQ(ExactSum({}), 0.0);
}

TEST(TwinNumber, ConversionKeepsTheNumberOrFails) {
  EXPECT_EQ(Converted(Int(3), DecimalType(2)), Value(Decimal{300, 2}));
  EXPECT_EQ(Converted(Decimal{300, 2}, kIntType), Int(3));
  EXPECT_EQ(Converted(Decimal{301, 2}, kIntType), std::nullopt);
  EXPECT_EQ(Converted(Int(9007199254740993), kDoubleType), std::nullopt);
  EXPECT_EQ(Converted(Decimal{25, 2}, kDoubleType), Value(0.25));
  EXPECT_EQ(Converted(Decimal{1, 1}, kDoubleType), std::nullopt);
  EXPECT_EQ(Converted(2.0, kIntType), std::nullopt);
  EXPECT_EQ(Converted(INT64_MAX, DecimalType(1)), std::nullopt);
  EXPECT_EQ(Converted(INT64_MAX, kDoubleType), std::nullopt);
}

// ---- Sequences, sessions, decay ----

// Events a b c … of one step each: fits is where the letter stands in `history`, one second apart.
bool Sequence(const std::string& history, const std::string& steps, std::optional<int64_t> within_us = std::nullopt, int64_t now_us = 100) {
  std::vector<int64_t> times;
  for (size_t i = 0; i < history.size(); ++i) times.push_back(static_cast<int64_t>(i));
  std::vector<NaiveStep> parsed;
  bool without = false;
  for (char step : steps) {
    if (step == '!') {
      without = true;
      continue;
    }
    parsed.push_back({without, {}});
    for (char event : history) parsed.back().fits.push_back(event == step);
    without = false;
  }
  return SequenceHolds(times, std::vector<bool>(times.size(), true), parsed, within_us, now_us);
}

TEST(TwinSequence, StepsFollowEachOtherAndMayLeaveOthersOut) {
  EXPECT_TRUE(Sequence("abc", "abc"));
  EXPECT_TRUE(Sequence("axxbxc", "abc"));
  EXPECT_FALSE(Sequence("acb", "abc"));
  EXPECT_FALSE(Sequence("a", "aa"));  // one event is one step
  EXPECT_TRUE(Sequence("aa", "aa"));
  EXPECT_FALSE(Sequence("", "a"));
}

TEST(TwinSequence, WithinCountsFromTheFirstToTheLastStep) {
  EXPECT_TRUE(Sequence("a..b", "ab", 3));
  EXPECT_FALSE(Sequence("a..b", "ab", 2));
  EXPECT_TRUE(Sequence("a.a.b", "ab", 2));     // the later a
  EXPECT_FALSE(Sequence("ab...c", "abc", 4));  // the whole, not the last step
  EXPECT_TRUE(Sequence("a....ba.b", "ab", 2));
}

TEST(TwinSequence, WithoutBetweenTwoStepsMeansThoseTwoEvents) {
  EXPECT_FALSE(Sequence("axb", "a!xb"));
  EXPECT_TRUE(Sequence("axab", "a!xb"));
  EXPECT_TRUE(Sequence("xabx", "a!xb"));
  EXPECT_TRUE(Sequence("axbcab", "a!xb"));
  EXPECT_FALSE(Sequence("aybxab", "a!x!yb!x!yb"));
  EXPECT_TRUE(Sequence("ab", "a!ab"));  // the events of the steps are not between them
}

TEST(TwinSequence, AClosingWithoutWaitsUntilItsInstantHasCome) {
  EXPECT_TRUE(Sequence("ab", "ab!x", 5, 6));
  EXPECT_FALSE(Sequence("ab", "ab!x", 5, 5));
  EXPECT_FALSE(Sequence("ab....x", "ab!x", 5, 50));  // at time(b) + 5 exactly
  EXPECT_TRUE(Sequence("ab.....x", "ab!x", 5, 50));
  EXPECT_TRUE(Sequence("ab.b", "ab!x"));
  EXPECT_FALSE(Sequence("ab.x", "ab!x"));
  EXPECT_TRUE(Sequence("abxb", "ab!x"));  // the second b has none behind it
}

TEST(TwinDecay, FoldsAndCrossesItsBoundAtOneInstant) {
  NaiveDecay decay = *FoldDecay({{0, 1.0}, {10, 1.0}, {10, 2.0}}, 10);
  EXPECT_EQ(decay.s, 3.5);
  EXPECT_EQ(decay.time_us, 10);
  EXPECT_EQ(DecayedValue(decay, 30), 0.875);
  // Down from 3.5 to 0.875 in exactly 20.
  EXPECT_TRUE(DecayCompares(decay, Op::kGreater, 0.875, 29));
  EXPECT_FALSE(DecayCompares(decay, Op::kGreater, 0.875, 30));
  EXPECT_TRUE(DecayCompares(decay, Op::kGreaterEqual, 0.875, 30));
  EXPECT_FALSE(DecayCompares(decay, Op::kGreaterEqual, 0.875, 31));
  EXPECT_TRUE(DecayCompares(decay, Op::kLess, 0.875, 31));
  EXPECT_TRUE(DecayCompares(decay, Op::kLessEqual, 0.875, 30));
  // Never nothing, however long ago.
  EXPECT_TRUE(DecayCompares(decay, Op::kGreater, 0, INT64_MAX));
  NaiveDecay debt{-3.5, 10, 10};
  EXPECT_TRUE(DecayCompares(debt, Op::kLess, -0.875, 29));
  EXPECT_FALSE(DecayCompares(debt, Op::kLess, -0.875, 30));
  EXPECT_TRUE(DecayCompares(debt, Op::kGreaterEqual, -0.875, 30));
  EXPECT_FALSE(DecayCompares(debt, Op::kGreater, -0.875, 30));
  EXPECT_TRUE(DecayCompares(debt, Op::kGreater, -0.875, 31));
  EXPECT_TRUE(DecayCompares(debt, Op::kGreater, -4, 10));
}

TEST(TwinSessions, ARunCountsWhereOneOfItsEventsIsInTheWindow) {
  HandMade world("2017-06-02T00:00:00Z");
  world.Set("anna", {});
  for (const char* time : {"2017-06-01T10:00:00Z", "2017-06-01T10:30:00Z", "2017-06-01T11:00:00.000001Z", "2017-06-01T12:00:00Z"}) {
    world.Track("anna", "visit", time);
  }
  EXPECT_EQ(world.Ask("anna", "sessions(visit, gap 30m)"), Int(3));
  EXPECT_EQ(world.Ask("anna", "sessions(visit, gap 29m)"), Int(4));
  EXPECT_EQ(world.Ask("anna", "sessions(visit, gap 1h)"), Int(1));
  EXPECT_EQ(world.Ask("anna", "sessions(visit, gap 30m) over 810m"), Int(2));  // from 10:30 on, left out itself
  EXPECT_EQ(world.Ask("anna", "sessions(visit where page = '/', gap 30m)"), Int(0));
  EXPECT_EQ(world.Ask("anna", "sessions(visit, gap 30m) over today at 'America/New_York'"), Int(3));
  EXPECT_EQ(world.Ask("anna", "sessions(visit, gap 30m) over today at time_zone"), kAbsent);
}

// ---- Absent ----

class TwinAbsent : public testing::Test {
 protected:
  TwinAbsent() : world_("2017-06-01T12:00:00Z") {
    world_.Set("nobody", {});
    world_.Set("empty", {{"interests", StringSet{}}, {"country", Text("")}});
    world_.Set("dutch", {{"country", Text("NL")}, {"interests", StringSet{"shoes"}}, {"is_member", false}, {"age", Int(30)}});
  }
  HandMade world_;
};

TEST_F(TwinAbsent, TestsWithAnAbsentOperandAreFalseAndNotIsTheComplement) {
  for (const char* test :
       {"country = 'NL'", "country != 'NL'", "country in ('NL')", "country like '%'", "country matches ''", "country contains ''",
        "age < 1", "age >= 1", "age between 0 and 99", "age = age", "interests has 'shoes'", "interests has any ('shoes')",
        "interests has all ('shoes')", "interests has none ('shoes')", "country is present", "birth_date < now()"}) {
    EXPECT_FALSE(world_.Holds("nobody", test)) << test;
    EXPECT_TRUE(world_.Holds("nobody", std::string("not (") + test + ")")) << test;
  }
  EXPECT_TRUE(world_.Holds("nobody", "country not in ('NL')"));
  EXPECT_TRUE(world_.Holds("nobody", "country is absent"));
}

TEST_F(TwinAbsent, EmptyIsPresent) {
  EXPECT_TRUE(world_.Holds("empty", "interests is present"));
  EXPECT_TRUE(world_.Holds("empty", "interests has none ('shoes')"));
  EXPECT_EQ(world_.Ask("empty", "length(interests)"), Int(0));
  EXPECT_TRUE(world_.Holds("empty", "country = ''"));
  EXPECT_TRUE(world_.Holds("empty", "country != 'NL'"));
}

TEST_F(TwinAbsent, AnAbsentBoolCountsAsFalseWhereAConditionIsNeeded) {
  EXPECT_TRUE(world_.Holds("nobody", "not is_member"));
  EXPECT_TRUE(world_.Holds("dutch", "not is_member"));
  EXPECT_FALSE(world_.Holds("nobody", "is_member = false"));
  EXPECT_TRUE(world_.Holds("dutch", "is_member = false"));
  EXPECT_EQ(world_.Ask("nobody", "if(is_member, 1, 2)"), Int(2));
  EXPECT_EQ(world_.Ask("nobody", "is_member"), kAbsent);
  EXPECT_TRUE(world_.Holds("nobody", "(country = 'NL') is present"));  // a condition is never absent
}

TEST_F(TwinAbsent, ArithmeticAndFunctionsPassItOn) {
  for (const char* value :
       {"age + 1", "-age", "abs(age)", "age / 2", "age % 2", "length(country)", "upper(country)", "round(score, 1)", "year(birth_date)",
        "age_in(birth_date, 'day')", "min(age, 1)", "max(1, age)", "coalesce(age, age)", "if(true, age, 1)", "last_seen - now()"}) {
    EXPECT_EQ(world_.Ask("nobody", value), kAbsent) << value;
  }
  EXPECT_EQ(world_.Ask("nobody", "coalesce(age, 7)"), Int(7));
  EXPECT_EQ(world_.Ask("nobody", "coalesce(score, 0)"), Value(0.0));
}

TEST_F(TwinAbsent, WhatCannotBeComputedIsAbsent) {
  EXPECT_EQ(world_.Ask("dutch", "9223372036854775807 + 1"), kAbsent);
  EXPECT_EQ(world_.Ask("dutch", "-9223372036854775808 - 1"), kAbsent);
  EXPECT_EQ(world_.Ask("dutch", "abs(-9223372036854775808)"), kAbsent);
  EXPECT_EQ(world_.Ask("dutch", "-9223372036854775808 % -1"), Int(0));
  EXPECT_EQ(world_.Ask("dutch", "age / 0"), kAbsent);
  EXPECT_EQ(world_.Ask("dutch", "age % 0"), kAbsent);
  EXPECT_EQ(world_.Ask("dutch", "1e300 * 1e300"), kAbsent);
  EXPECT_EQ(world_.Ask("dutch", "floor(1e19)"), kAbsent);
  EXPECT_EQ(world_.Ask("dutch", "timestamp '9999-12-31T23:59:59Z' + 1s"), kAbsent);
  EXPECT_EQ(world_.Ask("dutch", "hour(now(), coalesce(time_zone, country))"), kAbsent);
  EXPECT_EQ(world_.Ask("dutch", "count(order) over today at country"), kAbsent);
}

// ---- Exactness ----

TEST(TwinExactness, IntsAndDecimalsNeverPassThroughDoubles) {
  HandMade world("2017-06-01T12:00:00Z");
  world.Set("a", {{"big", Int(9007199254740993)}, {"balance", Money(10000)}, {"score", 0.1}, {"age", Int(7)}});
  EXPECT_TRUE(world.Holds("a", "big = 9007199254740993.0"));
  EXPECT_FALSE(world.Holds("a", "big = 9007199254740992"));
  EXPECT_TRUE(world.Holds("a", "big = 9.007199254740992e15"));  // a double on one side: the other is converted
  EXPECT_TRUE(world.Holds("a", "balance = 100 and age > 4.5"));
  EXPECT_TRUE(world.Holds("a", "score = 0.1"));
  EXPECT_EQ(world.Ask("a", "age / 2"), Value(3.5));
  EXPECT_EQ(world.Ask("a", "balance * 1.21"), Value(Decimal{1210000, 4}));
  EXPECT_EQ(world.Ask("a", "0.1 + 0.2"), Value(Decimal{3, 1}));
  EXPECT_EQ(world.Ask("a", "0.1 + 2e-1"), Value(0.1 + 0.2));
  EXPECT_EQ(world.Ask("a", "-age % 3"), Int(-1));
  EXPECT_EQ(world.Ask("a", "7.5 % -2"), Value(Decimal{15, 1}));
  EXPECT_EQ(world.Ask("a", "0e0 * -1"), Value(0.0));
  EXPECT_FALSE(std::signbit(std::get<double>(world.Ask("a", "0e0 * -1"))));
}

// ---- Windows ----

TEST(TwinWindows, AnEventIsOutAtExactlyItsTimePlusTheWindow) {
  HandMade world("2017-06-01T12:00:00Z");
  world.Track("a", "view", "2017-06-01T12:00:00Z");
  EXPECT_EQ(world.Ask("a", "count(view) over 1h"), Int(1));
  EXPECT_EQ(world.Ask("a", "count(view) between 1h and 1us ago"), Int(0));
  world.Advance("2017-06-01T12:00:00.000001Z");
  EXPECT_EQ(world.Ask("a", "count(view) between 1h and 1us ago"), Int(1));
  world.Advance("2017-06-01T12:59:59.999999Z");
  EXPECT_EQ(world.Ask("a", "count(view) over 1h"), Int(1));
  world.Advance("2017-06-01T13:00:00Z");
  EXPECT_EQ(world.Ask("a", "count(view) over 1h"), Int(0));
  EXPECT_EQ(world.Ask("a", "count(view) between 2h and 1h ago"), Int(1));
  EXPECT_EQ(world.Ask("a", "count(view)"), Int(1));
}

TEST(TwinWindows, NothingSeesAnEventBeforeItsTime) {
  HandMade unused("2017-06-01T12:00:00Z");
  NaiveStore store({ClockMode::kSystem, At("2017-06-01T12:00:00Z")});
  RandomWorld::Declare(&store);
  EventWrite event;
  event.identifiers = {"customer:a"};
  event.type = "view";
  event.event_time_us = store.now_us() + kFutureSlackUs;
  EXPECT_EQ(store.Track(event, "test").kind, ItemOutcome::Kind::kApplied);
  EXPECT_TRUE(store.VisibleEvents(store.profile(1), std::nullopt).empty());
  EXPECT_TRUE(store.AdvanceClock(event.event_time_us - 1));
  EXPECT_TRUE(store.VisibleEvents(store.profile(1), std::nullopt).empty());
  EXPECT_TRUE(store.AdvanceClock(event.event_time_us));
  EXPECT_EQ(store.VisibleEvents(store.profile(1), std::nullopt).size(), 1u);
  event.event_time_us = store.now_us() + kFutureSlackUs + 1;
  EXPECT_EQ(store.Track(event, "test").reason, "EVENT_TOO_NEW");
}

TEST(TwinWindows, DaysMonthsAndYearsAreLocal) {
  HandMade world("2017-03-31T22:30:00Z");  // half past midnight on 1 April in Amsterdam
  world.Track("a", "view", "2017-03-31T21:59:59.999999Z");
  world.Track("a", "view", "2017-03-31T22:00:00Z");
  EXPECT_EQ(world.Ask("a", "count(view) over this month"), Int(2));
  EXPECT_EQ(world.Ask("a", "count(view) over this month at 'Europe/Amsterdam'"), Int(1));
  EXPECT_EQ(world.Ask("a", "count(view) over last month at 'Europe/Amsterdam'"), Int(1));
  EXPECT_EQ(world.Ask("a", "count(view) over yesterday at 'Europe/Amsterdam'"), Int(1));
  EXPECT_EQ(world.Ask("a", "count(view) over this quarter at 'Europe/Amsterdam'"), Int(1));
  EXPECT_EQ(world.Ask("a", "days_active(view)"), Int(1));
  EXPECT_EQ(world.Ask("a", "days_active(view, 'Europe/Amsterdam')"), Int(2));
}

TEST(TwinCalendar, ADayBeginsAtItsFirstLocalInstant) {
  absl::TimeZone sao_paulo = *FindZone("America/Sao_Paulo"), amsterdam = *FindZone("Europe/Amsterdam");
  // In São Paulo the clocks went from 00:00 to 01:00 on 15 October 2017.
  EXPECT_EQ(FirstInstant(absl::CivilDay(2017, 10, 15), sao_paulo), At("2017-10-15T03:00:00Z"));
  EXPECT_EQ(FirstInstant(absl::CivilDay(2017, 10, 16), sao_paulo), At("2017-10-16T02:00:00Z"));
  // A day of 25 hours.
  EXPECT_EQ(FirstInstant(absl::CivilDay(2017, 10, 30), amsterdam) - FirstInstant(absl::CivilDay(2017, 10, 29), amsterdam),
            int64_t{25} * 3'600'000'000);
  // Monday.
  EXPECT_EQ(UnitStart(At("2017-03-26T12:00:00Z"), CalendarUnit::kWeek, 0, amsterdam), At("2017-03-19T23:00:00Z"));
  EXPECT_EQ(UnitStart(At("2017-05-26T12:00:00Z"), CalendarUnit::kQuarter, -1, amsterdam), At("2016-12-31T23:00:00Z"));
}

TEST(TwinCalendar, AUnitIsCompleteWhenItsReadingIsReachedOrPassed) {
  absl::TimeZone utc = *FindZone("UTC"), amsterdam = *FindZone("Europe/Amsterdam");
  int64_t leap = At("2016-02-29T15:00:00Z");
  EXPECT_EQ(AgeInUnits(leap, At("2017-02-28T23:59:59.999999Z"), AgeUnit::kYear, utc), 0);
  EXPECT_EQ(AgeInUnits(leap, At("2017-03-01T00:00:00Z"), AgeUnit::kYear, utc), 1);
  EXPECT_EQ(AgeInUnits(leap, At("2020-02-29T14:59:59.999999Z"), AgeUnit::kYear, utc), 3);
  EXPECT_EQ(AgeInUnits(leap, At("2020-02-29T15:00:00Z"), AgeUnit::kYear, utc), 4);
  EXPECT_EQ(AgeInUnits(At("2017-01-31T10:00:00Z"), At("2017-02-28T23:00:00Z"), AgeUnit::kMonth, utc), 0);
  EXPECT_EQ(AgeInUnits(At("2017-01-31T10:00:00Z"), At("2017-03-01T00:00:00Z"), AgeUnit::kMonth, utc), 1);
  EXPECT_EQ(AgeInUnits(leap, leap, AgeUnit::kDay, utc), 0);
  EXPECT_EQ(AgeInUnits(leap, leap - 1, AgeUnit::kDay, utc), -1);
  EXPECT_EQ(AgeInUnits(leap, leap - 1, AgeUnit::kYear, utc), -1);
  // 02:30 local comes twice on 29 October 2017 and is complete from the first time on.
  int64_t month_before = At("2017-09-29T00:30:00Z");
  EXPECT_EQ(AgeInUnits(month_before, At("2017-10-29T00:29:59Z"), AgeUnit::kMonth, amsterdam), 0);
  EXPECT_EQ(AgeInUnits(month_before, At("2017-10-29T00:30:00Z"), AgeUnit::kMonth, amsterdam), 1);
  EXPECT_EQ(AgeInUnits(month_before, At("2017-10-29T01:05:00Z"), AgeUnit::kMonth, amsterdam), 1);
}

// ---- Aggregates ----

TEST(TwinAggregates, TiesAndOrder) {
  HandMade world("2017-06-01T12:00:00Z");
  auto order = [&](const char* time, const char* category, int64_t quantity) {
    world.Track("a", "order", time, {{"category", Text(category)}, {"quantity", Int(quantity)}});
  };
  order("2017-05-02T00:00:00Z", "shoes", 2);
  order("2017-05-02T00:00:00Z", "bags", 3);  // equal time: later arrival is later
  order("2017-05-01T00:00:00Z", "hats", 1);  // late
  EXPECT_EQ(world.Ask("a", "first(order.category)"), Text("hats"));
  EXPECT_EQ(world.Ask("a", "last(order.category)"), Text("bags"));
  EXPECT_EQ(world.Ask("a", "most_frequent(order.category)"), Text("bags"));  // all once: the smallest
  EXPECT_EQ(world.Ask("a", "unique_count(order.category)"), Int(3));
  EXPECT_EQ(world.Ask("a", "min(order.quantity)"), Int(1));
  EXPECT_EQ(world.Ask("a", "max(order.quantity)"), Int(3));
  EXPECT_EQ(world.Ask("a", "avg(order.quantity)"), Value(2.0));
  EXPECT_EQ(world.Ask("a", "first_seen(order)"), Time("2017-05-01T00:00:00Z"));
  EXPECT_EQ(world.Ask("a", "last_seen(any)"), Time("2017-05-02T00:00:00Z"));
  order("2017-05-03T00:00:00Z", "shoes", 9);
  EXPECT_EQ(world.Ask("a", "most_frequent(order.category)"), Text("shoes"));
}

TEST(TwinAggregates, OverNothing) {
  HandMade world("2017-06-01T12:00:00Z");
  world.Set("a", {});
  EXPECT_EQ(world.Ask("a", "count(order)"), Int(0));
  EXPECT_EQ(world.Ask("a", "sum(order.amount)"), Money(0));
  EXPECT_EQ(world.Ask("a", "unique_count(order.category)"), Int(0));
  EXPECT_EQ(world.Ask("a", "days_active(any)"), Int(0));
  for (const char* aggregate : {"avg", "min", "max", "first", "last", "most_frequent"}) {
    EXPECT_EQ(world.Ask("a", std::string(aggregate) + "(order.amount)"), kAbsent) << aggregate;
  }
  EXPECT_EQ(world.Ask("a", "last_seen(order)"), kAbsent);
}

TEST(TwinAggregates, EventsWithoutTheArgumentAreSkipped) {
  HandMade world("2017-06-01T12:00:00Z");
  world.Track("a", "visit", "2017-05-01T00:00:00Z", {{"page", Text("/pricing")}});
  world.Track("a", "visit", "2017-05-02T00:00:00Z", {{"seconds", Int(4)}});
  EXPECT_EQ(world.Ask("a", "last(visit.page)"), Text("/pricing"));
  EXPECT_EQ(world.Ask("a", "count(visit.page)"), Int(1));
  EXPECT_EQ(world.Ask("a", "count(visit)"), Int(2));
  EXPECT_EQ(world.Ask("a", "count(visit where page is absent)"), Int(1));
  EXPECT_EQ(world.Ask("a", "sum(visit.seconds * 9223372036854775807)"), Int(0));  // that product is absent: skipped
}

TEST(TwinAggregates, SumsMayPassThroughWhatNoSingleValueHolds) {
  HandMade world("2017-06-01T12:00:00Z");
  for (int64_t x : {INT64_MAX, INT64_MAX, -INT64_MAX}) world.Track("a", "order", "2017-05-01T00:00:00Z", {{"quantity", Int(x)}});
  EXPECT_EQ(world.Ask("a", "sum(order.quantity)"), Int(INT64_MAX));
  world.Track("a", "order", "2017-05-01T00:00:00Z", {{"quantity", Int(1)}});
  EXPECT_EQ(world.Ask("a", "sum(order.quantity)"), kAbsent);
  EXPECT_EQ(world.Ask("a", "avg(order.quantity)"), Value(2305843009213693952.0));  // 2^63 / 4
}

TEST(TwinAggregates, SumsOfDoublesAreFoldedInEventOrder) {
  HandMade world("2017-06-01T12:00:00Z");
  world.Track("a", "order", "2017-05-02T00:00:00Z", {{"weight", 1.0}});
  world.Track("a", "order", "2017-05-03T00:00:00Z", {{"weight", -1e16}});
  world.Track("a", "order", "2017-05-01T00:00:00Z", {{"weight", 1e16}});
  EXPECT_EQ(world.Ask("a", "sum(order.weight)"), Value(0.0));  // (1e16 + 1) - 1e16, not 1
}

// ---- Text ----

TEST(TwinText, LikeCountsCodePointsAndEscapes) {
  EXPECT_TRUE(LikeMatches("Ünï", "___"));
  EXPECT_FALSE(LikeMatches("Ünï", "_____"));
  EXPECT_TRUE(LikeMatches("a_b", "a\\_b"));
  EXPECT_FALSE(LikeMatches("axb", "a\\_b"));
  EXPECT_TRUE(LikeMatches("", "%"));
  EXPECT_FALSE(LikeMatches("", "_"));
  EXPECT_TRUE(LikeMatches("100%", "%\\%"));
  EXPECT_TRUE(LikeMatches("aXbXc", "%X%X%"));
}

TEST(TwinText, BucketHashesSaltAndId) {
  EXPECT_EQ(BucketOf("spring", 1), BucketOf("spring", 1));
  EXPECT_NE(BucketOf("spring", 1), BucketOf("spring", 2));
  std::vector<int> tenths(10);
  for (uint64_t id = 1; id <= 10'000; ++id) ++tenths[static_cast<size_t>(BucketOf("spring", id) / 1'000)];
  for (int tenth : tenths) EXPECT_NEAR(tenth, 1'000, 150);
}

// ---- Writes ----

class TwinWrites : public testing::Test {
 protected:
  TwinWrites() : store_({ClockMode::kReplay, At("2017-06-01T12:00:00Z")}) {}
  ItemOutcome Write(AttributeOperation operation, Value value, int64_t time_us = 0) {
    return store_.Upsert({{"customer:a"}, {{"x", operation, std::move(value), time_us}}}, "test");
  }
  Value Stored() { return store_.profile(1).attributes.at("x").value; }
  NaiveStore store_;
};

TEST_F(TwinWrites, TheNewestSetWinsWhateverTheArrival) {
  Write(AttributeOperation::kSet, Int(1), 10);
  Write(AttributeOperation::kSet, Int(2), 5);
  EXPECT_EQ(Stored(), Int(1));
  Write(AttributeOperation::kSet, Int(3), 10);
  EXPECT_EQ(Stored(), Int(3));
  Write(AttributeOperation::kUnset, {}, 20);
  Write(AttributeOperation::kSet, Int(4), 19);
  EXPECT_EQ(Stored(), kAbsent);
  Write(AttributeOperation::kIncrement, Int(4), 1);  // applies in arrival order, always
  EXPECT_EQ(Stored(), Int(4));
  Write(AttributeOperation::kMax, Int(9), 1);
  Write(AttributeOperation::kMin, Int(7), 1);
  EXPECT_EQ(Stored(), Int(7));
}

TEST_F(TwinWrites, TypesWidenWhileEveryValueStaysExact) {
  Write(AttributeOperation::kSet, Int(1));
  Write(AttributeOperation::kSet, Decimal{15, 1});
  EXPECT_EQ(Stored(), Value(Decimal{15, 1}));
  Write(AttributeOperation::kSet, Int(2));
  EXPECT_EQ(Stored(), Value(Decimal{20, 1}));
  Write(AttributeOperation::kSet, 2.5);
  EXPECT_EQ(Stored(), Value(2.5));
  EXPECT_EQ(Write(AttributeOperation::kSet, Decimal{1, 1}).reason, "TYPE_CLASH");
  EXPECT_EQ(Write(AttributeOperation::kSet, Text("2.5")).reason, "TYPE_CLASH");
  EXPECT_EQ(Stored(), Value(2.5));
}

TEST_F(TwinWrites, AProfileWriteAppliesWholeOrNotAtAll) {
  Write(AttributeOperation::kSet, INT64_MAX);
  ItemOutcome outcome =
      store_.Upsert({{"customer:b"}, {{"y", AttributeOperation::kSet, Int(1)}, {"x", AttributeOperation::kSet, Text("no")}}}, "test");
  EXPECT_EQ(outcome.reason, "TYPE_CLASH");
  EXPECT_EQ(store_.Find("customer:b"), std::nullopt);
  EXPECT_EQ(store_.schema().FindAttribute("y"), nullptr);
  EXPECT_EQ(Write(AttributeOperation::kIncrement, Int(1)).reason, "FIELD");
}

TEST_F(TwinWrites, DuplicatesLimitsAndRetention) {
  constexpr int64_t kDay = int64_t{86'400} * 1'000'000;
  store_.DeclareEvent("e", {}, 10 * kDay, 2);
  int64_t now = store_.now_us();
  auto track = [&](int64_t time_us, const char* message_id, const char* source) {
    return store_.Track({{"customer:a"}, "e", time_us, message_id, source, {}}, "test");
  };
  EXPECT_EQ(track(now - 10 * kDay, "", "s").reason, "EVENT_TOO_OLD");
  EXPECT_EQ(track(now - 10 * kDay + 1, "m", "s").reason, "");
  EXPECT_EQ(track(now, "m", "s").kind, ItemOutcome::Kind::kDuplicate);
  EXPECT_EQ(track(now, "m", "another").kind, ItemOutcome::Kind::kApplied);
  EXPECT_EQ(track(now, "n", "s").kind, ItemOutcome::Kind::kApplied);  // pushes the oldest out
  EXPECT_EQ(store_.profile(1).events.size(), 2u);
  EXPECT_TRUE(store_.profile(1).truncated.empty());
  EXPECT_EQ(track(now, "m", "s").kind, ItemOutcome::Kind::kApplied);  // no longer held: not a duplicate
  EXPECT_TRUE(store_.AdvanceClock(now + 10 * kDay));
  EXPECT_TRUE(store_.profile(1).events.empty());
}

TEST_F(TwinWrites, TwoProfilesAreNotJoined) {
  store_.Upsert({{"customer:a"}, {}}, "test");
  store_.Upsert({{"customer:b"}, {}}, "test");
  EXPECT_EQ(store_.Upsert({{"customer:a", "customer:b"}, {}}, "test").reason, "WOULD_JOIN");
  EXPECT_EQ(store_.Upsert({{"profile:00000000000000ff"}, {}}, "test").reason, "PROFILE");
  EXPECT_EQ(store_.Upsert({{"customer:a", "email:a@b"}, {}}, "test").reason, "");
  EXPECT_EQ(store_.Find("email:a@b"), 1u);
  EXPECT_TRUE(store_.Delete("email:a@b"));
  EXPECT_EQ(store_.Find("customer:a"), std::nullopt);
  store_.Upsert({{"customer:a"}, {}}, "test");
  EXPECT_EQ(store_.Find("customer:a"), 3u);  // ids are never reused
}

}  // namespace
}  // namespace korrel::twin
