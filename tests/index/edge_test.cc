// Until when values hold: each construct by hand.
#include <gtest/gtest.h>

#include "index/calendar.h"
#include "index/evaluation/edge.h"
#include "tests/index/shard_fixture.h"

namespace korrel {
namespace {

constexpr int64_t kHour = 3'600 * kSecond;

class EdgeTest : public testing::Test {
 protected:
  int64_t UntilOf(std::string_view text) {
    const PlanRef plan = shard_.PlanOf(text);
    WorkMeter meter;
    ShardView view = shard_.View();
    view.population = &figures_;
    Evaluator evaluator(*plan, view, &meter);
    const int64_t until = evaluator.ValidUntil(row_);
    work_ = meter.used();
    return until;
  }
  int64_t Instant(std::string_view text) { return ParseTimestamp(text, "UTC")->us; }
  void Track(int64_t time_us, const std::map<std::string, Value>& properties = {}) { shard_.Track(row_, "order", time_us, properties); }

  TestShard shard_;
  PopulationFigures figures_;
  Row row_ = shard_.Add();
  uint64_t work_ = 0;
};

TEST_F(EdgeTest, WhatReadsNoClockHoldsForGood) {
  shard_.Set(row_, "age", int64_t{30});
  for (const char* text :
       {"1 + 2", "age", "age > 4", "country", "bucket('x') < 5000", "has_identifier('email')", "date '2030-01-01' > birth"})
    EXPECT_EQ(UntilOf(text), kNever) << text;
}

TEST_F(EdgeTest, ComparisonsWithTheClockFlipOnce) {
  const int64_t ahead = kNow + 5 * kDay;
  shard_.Set(row_, "birth", Timestamp{ahead});
  EXPECT_EQ(UntilOf("now() < birth"), ahead);
  EXPECT_EQ(UntilOf("now() <= birth"), ahead + 1);
  EXPECT_EQ(UntilOf("now() > birth"), ahead + 1);
  EXPECT_EQ(UntilOf("now() >= birth"), ahead);
  EXPECT_EQ(UntilOf("birth > now()"), ahead);
  EXPECT_EQ(UntilOf("now() = birth"), ahead);
  EXPECT_EQ(UntilOf("now() != birth"), ahead);
  EXPECT_EQ(UntilOf("birth > now() - 3d"), ahead + 3 * kDay);
  EXPECT_EQ(UntilOf("now() - birth >= 36h"), ahead + 36 * kHour);
  EXPECT_EQ(UntilOf("birth - now() < 2d"), ahead - 2 * kDay + 1);
  EXPECT_EQ(UntilOf("-(now() - birth) > 0s"), ahead);
  EXPECT_EQ(UntilOf("now() - birth > birth - now()"), ahead + 1) << "twice the clock";
  shard_.now_us = ahead;
  EXPECT_EQ(UntilOf("now() = birth"), ahead + 1);
  shard_.now_us = ahead + 1;
  for (const char* text : {"now() < birth", "now() <= birth", "now() > birth", "now() >= birth", "now() = birth", "now() != birth"})
    EXPECT_EQ(UntilOf(text), kNever) << text;
  shard_.Unset(row_, "birth");
  EXPECT_EQ(UntilOf("now() < birth"), kNever) << "absent";
}

TEST_F(EdgeTest, BetweenEndsWhereOneOfItsComparisonsDoes) {
  EXPECT_EQ(UntilOf("now() between date '2017-05-01' and date '2017-06-01'"), Instant("2017-05-01"));
  EXPECT_EQ(UntilOf("now() between date '2017-03-01' and date '2017-06-01'"), Instant("2017-06-01") + 1);
  EXPECT_EQ(UntilOf("now() between date '2016-05-01' and date '2016-06-01'"), kNever);
  EXPECT_EQ(UntilOf("date '2017-04-03' between now() and now() + 1d"), Instant("2017-04-02"));
  // Only one of the two reads the clock.
  const int64_t past = kNow - 10 * kDay;
  shard_.Set(row_, "birth", Timestamp{past});
  EXPECT_EQ(UntilOf("birth between birth and now()"), kNever);
  EXPECT_EQ(UntilOf("birth between birth and now() - 20d"), past + 20 * kDay);
  EXPECT_EQ(UntilOf("birth + 20d between now() and date '2018-01-01'"), past + 20 * kDay + 1);
  EXPECT_EQ(UntilOf("birth between now() and date '2018-01-01'"), kNever);
  EXPECT_EQ(UntilOf("birth between date '2018-01-01' and now()"), kNever);
  EXPECT_EQ(UntilOf("birth not between birth and now() - 20d"), past + 20 * kDay);
  // The other one changes by time of its own.
  Track(past);
  EXPECT_EQ(UntilOf("birth between last_seen(order) over 30d and now()"), past + 30 * kDay);
}

TEST_F(EdgeTest, SumsThatLeaveTheCalendarAreAbsentFromThenOn) {
  shard_.now_us = Instant("9998-01-01");
  EXPECT_EQ(UntilOf("now() + 365d < date '9999-12-31'"), Instant("9998-12-31"));
  EXPECT_EQ(UntilOf("now() + 400d > date '2000-01-01'"), kTimestampMaxUs - 400 * kDay + 1);
  EXPECT_EQ(UntilOf("(now() + 400d) is present"), kTimestampMaxUs - 400 * kDay + 1);
  EXPECT_EQ(UntilOf("now() < timestamp '9999-12-31T23:59:59.999999Z'"), kTimestampMaxUs);
  EXPECT_EQ(UntilOf("now() <= timestamp '9999-12-31T23:59:59.999999Z'"), kNever);
  EXPECT_EQ(UntilOf("year(now())"), Instant("9999-01-01"));
  EXPECT_EQ(UntilOf("year(now()) > 0"), kNever);
  shard_.now_us = kTimestampMinUs;
  EXPECT_EQ(UntilOf("(now() - 1d) is present"), kTimestampMinUs + kDay);
}

TEST_F(EdgeTest, ReadingsOfTheClockChangeAtBoundariesAndTransitions) {
  shard_.now_us = Instant("2017-03-26T00:30:00Z");  // 01:30 in Amsterdam, half an hour before the clocks go forward
  EXPECT_EQ(UntilOf("hour(now(), 'Europe/Amsterdam')"), Instant("2017-03-26T01:00:00Z"));
  EXPECT_EQ(UntilOf("day(now(), 'Europe/Amsterdam')"), Instant("2017-03-26T22:00:00Z"));
  EXPECT_EQ(UntilOf("weekday(now(), 'Europe/Amsterdam')"), Instant("2017-03-26T22:00:00Z"));
  EXPECT_EQ(UntilOf("month(now(), 'Europe/Amsterdam')"), Instant("2017-03-31T22:00:00Z"));
  EXPECT_EQ(UntilOf("year(now(), 'Europe/Amsterdam')"), Instant("2017-12-31T23:00:00Z"));
  EXPECT_EQ(UntilOf("year(now() - 100d, 'Europe/Amsterdam')"), Instant("2016-12-31T23:00:00Z") + 100 * kDay);
  shard_.now_us = Instant("2017-10-29T00:30:00Z");  // 02:30 in Amsterdam, for the first time
  EXPECT_EQ(UntilOf("hour(now(), 'Europe/Amsterdam')"), Instant("2017-10-29T02:00:00Z")) << "two hours of 2 o'clock";
  shard_.now_us = Instant("2017-04-01T14:50:00Z");  // 01:50 at +11, ten minutes before half an hour comes again
  EXPECT_EQ(UntilOf("hour(now(), 'Australia/Lord_Howe')"), Instant("2017-04-01T15:30:00Z"));
  shard_.Set(row_, "zone", std::string("America/New_York"));
  EXPECT_EQ(UntilOf("day(now(), zone)"), Instant("2017-04-02T04:00:00Z"));
  shard_.Set(row_, "zone", std::string("Nowhere/Else"));
  EXPECT_EQ(UntilOf("day(now(), zone)"), kNever);
  EXPECT_EQ(UntilOf("day(now())  + 1 > 4"), Instant("2017-04-02"));
}

// A test of a reading holds until the first reading for which it does not, over boundaries and transitions.
TEST_F(EdgeTest, TestsOfReadingsHoldUntilTheyFlip) {
  shard_.now_us = Instant("2017-03-26T00:30:00Z");  // 01:30 in Amsterdam, half an hour before 02:00 is skipped; a Sunday
  EXPECT_EQ(UntilOf("hour(now(), 'Europe/Amsterdam') >= 9"), Instant("2017-03-26T07:00:00Z"));
  EXPECT_EQ(UntilOf("hour(now(), 'Europe/Amsterdam') < 2"), Instant("2017-03-26T01:00:00Z"));
  EXPECT_EQ(UntilOf("hour(now(), 'Europe/Amsterdam') = 2"), Instant("2017-03-27T00:00:00Z")) << "there is no 2 o'clock that day";
  EXPECT_EQ(UntilOf("6 > hour(now(), 'Europe/Amsterdam')"), Instant("2017-03-26T04:00:00Z"));
  EXPECT_EQ(UntilOf("hour(now(), 'Europe/Amsterdam') between 1 and 4"), Instant("2017-03-26T03:00:00Z"));
  EXPECT_EQ(UntilOf("hour(now(), 'Europe/Amsterdam') in (1, 3, 4, 11)"), Instant("2017-03-26T03:00:00Z")) << "one hour, then four";
  EXPECT_EQ(UntilOf("weekday(now(), 'Europe/Amsterdam') in (6, 7)"), Instant("2017-03-26T22:00:00Z"));
  EXPECT_EQ(UntilOf("weekday(now(), 'Europe/Amsterdam') < 6"), Instant("2017-03-26T22:00:00Z"));
  EXPECT_EQ(UntilOf("day(now(), 'Europe/Amsterdam') = 31"), Instant("2017-03-30T22:00:00Z"));
  EXPECT_EQ(UntilOf("day(now() + 4d, 'Europe/Amsterdam') = 31"), Instant("2017-03-26T22:00:00Z"));
  EXPECT_EQ(UntilOf("month(now()) = 2"), Instant("2018-02-01"));
  EXPECT_EQ(UntilOf("year(now()) >= 2000"), Instant("2057-01-01")) << "looked at again after forty readings";
  EXPECT_EQ(UntilOf("hour(now()) > 23.5"), Instant("2017-03-27T16:00:00Z"));
  shard_.now_us = Instant("2017-10-28T23:30:00Z");  // 01:30 in Amsterdam; 2 o'clock comes twice
  EXPECT_EQ(UntilOf("hour(now(), 'Europe/Amsterdam') != 2"), Instant("2017-10-29T00:00:00Z"));
  shard_.now_us = Instant("2017-10-29T00:00:00Z");
  EXPECT_EQ(UntilOf("hour(now(), 'Europe/Amsterdam') = 2"), Instant("2017-10-29T02:00:00Z"));
  shard_.Set(row_, "zone", std::string("America/New_York"));
  EXPECT_EQ(UntilOf("hour(now(), zone) = 0"), Instant("2017-10-29T04:00:00Z"));
  shard_.Set(row_, "zone", std::string("Nowhere/Else"));
  EXPECT_EQ(UntilOf("hour(now(), zone) = 0"), kNever);
}

TEST_F(EdgeTest, AgesChangeWithTheNextUnit) {
  shard_.Set(row_, "birth", Timestamp{Instant("2000-02-29T10:00:00Z")});
  EXPECT_EQ(UntilOf("age_in(birth, 'year')"), Instant("2018-03-01"));
  EXPECT_EQ(UntilOf("age_in(birth, 'month')"), Instant("2017-04-29T10:00:00Z"));
  EXPECT_EQ(UntilOf("age_in(birth, 'day')"), Instant("2017-04-01T10:00:00Z"));
  EXPECT_EQ(UntilOf("age_in(birth, 'year') >= 18"), Instant("2018-03-01"));
  EXPECT_EQ(UntilOf("age_in(birth, 'year') >= 20"), Instant("2020-02-29T10:00:00Z"));
  EXPECT_EQ(UntilOf("20 > age_in(birth, 'year')"), Instant("2020-02-29T10:00:00Z"));
  EXPECT_EQ(UntilOf("age_in(birth, 'year') >= 17"), kNever);
  EXPECT_EQ(UntilOf("age_in(birth, 'year') between 10 and 19"), Instant("2020-02-29T10:00:00Z"));
  EXPECT_EQ(UntilOf("age_in(birth, 'year') in (17, 21, 22)"), Instant("2018-03-01"));
  EXPECT_EQ(UntilOf("age_in(birth, 'year') = 19.5"), kNever);
  EXPECT_EQ(UntilOf("age_in(birth, 'second') > 1e300"), kNever);
  EXPECT_EQ(UntilOf("age_in(date '2018-01-01', 'year') >= 0"), Instant("2018-01-01"));
  EXPECT_EQ(UntilOf("age_in(now() - 10d, 'day')"), kNever);
}

TEST_F(EdgeTest, EventsLeaveAndEnterSlidingWindows) {
  for (int64_t days : {50, 20, 10, 5}) Track(kNow - days * kDay, {{"quantity", days}, {"category", std::string(days > 10 ? "a" : "b")}});
  EXPECT_EQ(UntilOf("sum(order.quantity) over 30d"), kNow + 10 * kDay);
  EXPECT_EQ(UntilOf("sum(order.quantity) over 2d"), kNever);
  EXPECT_EQ(UntilOf("sum(order.quantity) between 30d and 7d ago"), kNow + 2 * kDay) << "the one of five days ago enters";
  EXPECT_EQ(UntilOf("sum(order.quantity)"), kNever);
  EXPECT_EQ(UntilOf("count(order) over 30d >= 2"), kNow + 20 * kDay) << "two newest inside: the second leaves";
  EXPECT_EQ(UntilOf("count(order) over 30d >= 4"), kNever);
  EXPECT_EQ(UntilOf("count(order) over 30d < 3"), kNow + 10 * kDay);
  EXPECT_EQ(UntilOf("count(order) over 30d = 0"), kNow + 25 * kDay);
  EXPECT_EQ(UntilOf("0 = count(order) over 30d"), kNow + 25 * kDay);
  EXPECT_EQ(UntilOf("count(order where category = 'a') over 60d >= 1"), kNow + 40 * kDay);
  EXPECT_EQ(UntilOf("count(order where category = 'a') over 60d >= 2"), kNow + 10 * kDay);
  EXPECT_EQ(UntilOf("count(order) between 30d and 7d ago >= 4"), kNever) << "one can enter, two are missing";
  EXPECT_EQ(UntilOf("count(any) over 30d >= 2"), kNow + 20 * kDay);
  EXPECT_EQ(UntilOf("last(order.quantity) over 30d"), kNow + 25 * kDay);
  EXPECT_EQ(UntilOf("first(order.quantity) over 30d"), kNow + 10 * kDay);
  EXPECT_EQ(UntilOf("last(order.quantity where category = 'a') over 30d"), kNow + 10 * kDay);
  EXPECT_EQ(UntilOf("last_seen(order where category = 'a') over 60d"), kNow + 40 * kDay);
  EXPECT_EQ(UntilOf("first_seen(any) over 60d"), kNow + 10 * kDay);
  EXPECT_EQ(UntilOf("count(visit) over 30d"), kNever);
}

TEST_F(EdgeTest, EventsAheadAndRetentionAreEdges) {
  Track(kNow - 5 * kDay);
  Track(kNow + kHour);
  Track(kNow + 2 * kHour);
  EXPECT_EQ(UntilOf("count(order)"), kNow + kHour);
  EXPECT_EQ(UntilOf("count(order) >= 3"), kNow + 2 * kHour);
  EXPECT_EQ(UntilOf("last_seen(order)"), kNow + kHour);
  EXPECT_EQ(UntilOf("first_seen(order)"), kNever);
  EXPECT_EQ(UntilOf("count(order) over this month"), kNow + kHour);
  shard_.names.mutable_schema()->event_types[0].retention_us = 8 * kDay;
  EXPECT_EQ(UntilOf("first_seen(order)"), kNow + 3 * kDay);
  EXPECT_EQ(UntilOf("count(order) >= 1"), kNow + 3 * kDay);
}

TEST_F(EdgeTest, CalendarWindowsMoveOnAtOnce) {
  Track(kNow - 5 * kDay);  // in March
  EXPECT_EQ(UntilOf("count(order) over this month"), kNever) << "nothing is there to leave";
  EXPECT_EQ(UntilOf("count(order) over last month"), Instant("2017-05-01"));
  EXPECT_EQ(UntilOf("count(order) over this year"), Instant("2018-01-01"));
  EXPECT_EQ(UntilOf("count(order) over this quarter at 'America/New_York'"), Instant("2017-04-01T04:00:00Z"));
  EXPECT_EQ(UntilOf("count(order) over yesterday"), kNever);
  EXPECT_EQ(UntilOf("count(order) over this week"), Instant("2017-04-03"));
  Track(kNow - kHour);
  EXPECT_EQ(UntilOf("count(order) over yesterday"), Instant("2017-04-02"));
  EXPECT_EQ(UntilOf("count(order) over today"), kNever);
}

TEST_F(EdgeTest, LogicHoldsAsLongAsWhatDecides) {
  const std::string soon = "now() < date '2017-04-02'", later = "now() < date '2017-04-05'";
  EXPECT_EQ(UntilOf(soon + " and " + later), Instant("2017-04-02"));
  EXPECT_EQ(UntilOf(soon + " or " + later), Instant("2017-04-05"));
  EXPECT_EQ(UntilOf("not (" + soon + ") and not (" + later + ")"), Instant("2017-04-05"));
  EXPECT_EQ(UntilOf("not (" + soon + ") or not (" + later + ")"), Instant("2017-04-02"));
  EXPECT_EQ(UntilOf("country = 'NL' and " + soon), kNever);
  EXPECT_EQ(UntilOf("country is absent or " + soon), kNever);
  EXPECT_EQ(UntilOf("if(" + later + ", 1, age_in(date '2017-03-01', 'day'))"), Instant("2017-04-05"));
  EXPECT_EQ(UntilOf("coalesce(age, age_in(date '2017-03-01', 'day'))"), Instant("2017-04-02"));
  shard_.Set(row_, "age", int64_t{1});
  EXPECT_EQ(UntilOf("coalesce(age, age_in(date '2017-03-01', 'day'))"), kNever);
}

TEST_F(EdgeTest, ListsActivityAndFiguresHaveTheirOwn) {
  shard_.names.mutable_schema();
  shard_.definitions.segments["vip"] = {SegmentId(1), true, nullptr};
  EXPECT_EQ(UntilOf("in segment 'vip'"), kNever);
  shard_.table.AddMember(SegmentId(1), row_, kNow + kDay);
  EXPECT_EQ(UntilOf("in segment 'vip'"), kNow + kDay);
  shard_.table.AddMember(SegmentId(1), row_, std::nullopt);
  EXPECT_EQ(UntilOf("in segment 'vip'"), kNever);
  EXPECT_EQ(UntilOf("created_at()"), kNever);
  shard_.table.NoteActivity(row_, kNow + kHour, kNow);
  shard_.table.NoteActivity(row_, kNow + 2 * kHour, kNow);
  EXPECT_EQ(UntilOf("created_at()"), kNow + kHour);
  EXPECT_EQ(UntilOf("updated_at()"), kNow + kHour);
  shard_.now_us = kNow + kHour;
  EXPECT_EQ(UntilOf("created_at()"), kNever);
  EXPECT_EQ(UntilOf("updated_at()"), kNow + 2 * kHour);
  shard_.definitions.population["p90"] = kIntType;
  EXPECT_EQ(UntilOf("population.p90 > 3"), kNever);
  figures_.by_name["p90"] = {.value = int64_t{7}, .published_us = kNow, .next_publication_us = kNow + 5 * kHour};
  EXPECT_EQ(UntilOf("population.p90 > 3"), kNow + 5 * kHour);
}

TEST_F(EdgeTest, WhatFadesIsComparedOnce) {
  EXPECT_EQ(UntilOf("decayed_count(order, half_life 10d)"), kNever);
  for (int i = 0; i < 4; ++i) Track(kNow);
  EXPECT_EQ(UntilOf("decayed_count(order, half_life 10d)"), kNow + 1);
  EXPECT_EQ(UntilOf("decayed_count(order, half_life 10d) > 1"), kNow + 20 * kDay);
  EXPECT_EQ(UntilOf("decayed_count(order, half_life 10d) >= 1"), kNow + 20 * kDay + 1);
  EXPECT_EQ(UntilOf("2 <= decayed_count(order, half_life 10d)"), kNow + 10 * kDay + 1);
  EXPECT_EQ(UntilOf("decayed_count(order, half_life 10d) > 5"), kNever);
  EXPECT_EQ(UntilOf("decayed_count(order, half_life 10d) > 0"), kNever);
  Track(kNow + kHour);
  EXPECT_EQ(UntilOf("decayed_count(order, half_life 10d) > 1"), kNow + kHour);
}

TEST_F(EdgeTest, DefinitionsThatDoubleAreWalkedOnce) {
  shard_.definitions.attributes["d0"] = shard_.Compile("age_in(date '2017-03-01', 'day')");
  for (int i = 1; i < 30; ++i) {
    const std::string before = "d" + std::to_string(i - 1);
    shard_.definitions.attributes["d" + std::to_string(i)] = shard_.Compile("if(" + before + " % 2 = 0, " + before + ", -" + before + ")");
  }
  EXPECT_EQ(UntilOf("d29 > 5"), Instant("2017-04-02"));
}

TEST_F(EdgeTest, LongChainsAndDeepClockSums) {
  std::string sum = "now()";
  for (int i = 0; i < 400; ++i) sum += i % 2 ? " + 1d" : " - 1d";
  EXPECT_EQ(UntilOf(sum + " < date '2017-05-01'"), Instant("2017-05-01"));
}

TEST_F(EdgeTest, AWindowIsNotReadToKnowWhenItsFirstEventLeaves) {
  for (int i = 0; i < 5'000; ++i) Track(kNow - 10 * kDay + i * kSecond, {{"quantity", int64_t{i}}});
  EXPECT_EQ(UntilOf("sum(order.quantity) over 30d"), kNow + 20 * kDay);
  EXPECT_LT(work_, 5'000u) << "units; each event would cost at least one";
  EXPECT_EQ(UntilOf("last(order.quantity) over 30d"), kNow + 20 * kDay + 4'999 * kSecond);
  EXPECT_LT(work_, 5'000u);
}

TEST_F(EdgeTest, ExplainSaysItForEveryPart) {
  Track(kNow - 5 * kDay);
  const PlanRef plan = shard_.PlanOf("country is absent and count(order) over 30d >= 1");
  WorkMeter meter;
  Evaluator evaluator(*plan, shard_.View(), &meter);
  const ExplainNode node = evaluator.ExplainRow(row_);
  EXPECT_EQ(node.valid_until_us, kNow + 25 * kDay);
  ASSERT_EQ(node.inputs.size(), 2u);
  EXPECT_EQ(node.inputs[0].valid_until_us, 0);
  EXPECT_EQ(node.inputs[1].valid_until_us, kNow + 25 * kDay);
}

}  // namespace
}  // namespace korrel
