// Live segments on the calendar: replay through day-light saving, month ends, 29 February, 2038 and 2100, every flip at its instant
// to the microsecond. The instants were worked out by hand; those of local midnights are checked once more by Abseil's civil time.
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "fmt/format.h"
#include "tests/twin/hand_made.h"
#include "tests/twin/live_stream.h"

namespace korrel::twin {
namespace {

class CalendarLive : public testing::TestWithParam<uint32_t> {
 protected:
  void Begin(const char* now, const char* time_zone) {
    database_ = OpenDatabase({GetParam(), true}, ClockMode::kReplay, At(now));
    ApplyRequest request;
    request.time_zone = time_zone;
    Apply(request);
    DeclareIn(database_.get());
  }
  void Define(const char* segment, const char* expression) {
    ApplyRequest request;
    request.definitions.resize(1);
    request.definitions[0].name = std::string("segments/") + segment;
    request.definitions[0].kind = DefinitionKind::kSegment;
    request.definitions[0].segment.expression = expression;
    Apply(request);
  }
  void Set(const char* who, std::vector<std::pair<std::string, Value>> values) {
    ProfileWrite write;
    write.identifiers = {std::string("customer:") + who};
    for (auto& [name, value] : values) write.attributes.push_back({name, AttributeOperation::kSet, value});
    StatusOr<WriteResult> result = database_->Upsert({&write, 1}, {});
    ASSERT_TRUE(result.ok() && result->errors.empty()) << result.status();
  }
  void Track(const char* who, const char* type, const char* time) {
    EventWrite event{{std::string("customer:") + who}, type, At(time), "", "", {}};
    StatusOr<WriteResult> result = database_->Track({&event, 1}, {});
    ASSERT_TRUE(result.ok() && result->errors.empty()) << result.status();
  }
  void Advance(const char* to) { ASSERT_TRUE(database_->AdvanceClock(At(to), "").ok()); }

  // "+2017-10-29T00:00:00Z" for an enter, "-…" for an exit, of everybody by time: the log's order between profiles depends on shards.
  std::vector<std::string> FlipsOf(const std::string& segment) {
    LiveStream stream(database_.get());
    std::string problem;
    std::vector<ObservedFlip> observed = stream.Read(&problem);
    EXPECT_EQ(problem, "");
    std::stable_sort(observed.begin(), observed.end(), [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
    std::vector<std::string> flips;
    for (const ObservedFlip& flip : observed) {
      if (flip.segment == segment) flips.push_back((flip.entered ? "+" : "-") + FormatTimestamp({flip.time_us}));
    }
    return flips;
  }
  using Flips = std::vector<std::string>;

  std::unique_ptr<Database> database_;

 private:
  void Apply(const ApplyRequest& request) {
    StatusOr<ApplyAnswer> answer = database_->ApplyDefinitions(request);
    ASSERT_TRUE(answer.ok()) << answer.status();
    for (const DefinitionChange& change : answer->changes) EXPECT_TRUE(change.error.ok()) << change.name << ": " << change.error;
    WaitUntilFilled(database_.get());
  }
};

INSTANTIATE_TEST_SUITE_P(Shards, CalendarLive, testing::Values(1u, 8u, 64u));

std::string MidnightIn(const char* zone, int year, int month, int day) {
  absl::TimeZone found;
  EXPECT_TRUE(absl::LoadTimeZone(zone, &found));
  return FormatTimestamp({absl::ToUnixMicros(absl::FromCivil(absl::CivilDay(year, month, day), found))});
}

TEST_P(CalendarLive, AnHourThatDoesNotExistIsSkippedAndOneThatComesTwiceLastsTwoHours) {
  Begin("2017-03-24T12:00:00Z", "Europe/Amsterdam");
  Set("anna", {{"country", Text("NL")}});
  Define("night", "country = 'NL' and hour(now()) = 2");
  Advance("2017-03-28T00:00:00Z");
  // From 26 March, 02:00 is 00:00Z; that night the clocks went from 02:00 to 03:00.
  EXPECT_EQ(FlipsOf("night"), (Flips{"+2017-03-25T01:00:00Z", "-2017-03-25T02:00:00Z", "+2017-03-27T00:00:00Z", "-2017-03-27T01:00:00Z",
                                     "+2017-03-28T00:00:00Z"}));
  Advance("2017-10-28T12:00:00Z");
  size_t before = FlipsOf("night").size();
  Advance("2017-10-30T12:00:00Z");
  Flips all = FlipsOf("night");
  EXPECT_EQ(Flips(all.begin() + static_cast<std::ptrdiff_t>(before), all.end()),
            (Flips{"+2017-10-29T00:00:00Z", "-2017-10-29T02:00:00Z", "+2017-10-30T01:00:00Z", "-2017-10-30T02:00:00Z"}));
}

TEST_P(CalendarLive, ADayBeginsAtItsFirstInstantWhereMidnightIsSkipped) {
  Begin("2018-11-03T12:00:00Z", "UTC");
  Define("yesterday", "count(order) over yesterday at 'America/Sao_Paulo' >= 1");
  Define("today", "count(order) over today at 'America/Sao_Paulo' >= 1");
  Track("anna", "order", "2018-11-03T15:00:00Z");
  Advance("2018-12-01T00:00:00Z");
  // The clocks of 4 November went from 00:00 (03:00Z) to 01:00.
  EXPECT_EQ(FlipsOf("today"), (Flips{"+2018-11-03T15:00:00Z", "-2018-11-04T03:00:00Z"}));
  EXPECT_EQ(FlipsOf("yesterday"), (Flips{"+2018-11-04T03:00:00Z", "-2018-11-05T02:00:00Z"}));
  EXPECT_EQ(MidnightIn("America/Sao_Paulo", 2018, 11, 5), "2018-11-05T02:00:00Z");
}

TEST_P(CalendarLive, WindowsEndAtTheUnitsOfEachProfilesOwnZone) {
  Begin("2017-12-20T12:00:00Z", "UTC");
  Define("this_month", "count(order) over this month at time_zone >= 1");
  Set("ny", {{"time_zone", Text("America/New_York")}});
  Set("kathmandu", {{"time_zone", Text("Asia/Kathmandu")}});
  Set("nowhere", {{"time_zone", Text("Nowhere/City")}});
  for (const char* who : {"ny", "kathmandu", "nowhere"}) Track(who, "order", "2017-12-21T00:00:00Z");
  for (const char* who : {"ny", "kathmandu", "nowhere"}) Track(who, "view", "2017-12-21T00:00:00Z");
  Define("last_year", "count(view) over last year at time_zone >= 1");
  Define("last_week", "count(order) over last week at time_zone >= 1");
  Advance("2019-02-01T00:00:00Z");
  EXPECT_EQ(FlipsOf("this_month"),
            (Flips{"+2017-12-21T00:00:00Z", "+2017-12-21T00:00:00Z", "-2017-12-31T18:15:00Z", "-2018-01-01T05:00:00Z"}));
  EXPECT_EQ(MidnightIn("Asia/Kathmandu", 2018, 1, 1), "2017-12-31T18:15:00Z");
  // 21 December 2017 is a Thursday in Kathmandu, and a Wednesday evening in New York.
  EXPECT_EQ(FlipsOf("last_week"),
            (Flips{"+2017-12-24T18:15:00Z", "+2017-12-25T05:00:00Z", "-2017-12-31T18:15:00Z", "-2018-01-01T05:00:00Z"}));
  EXPECT_EQ(FlipsOf("last_year"),
            (Flips{"+2017-12-31T18:15:00Z", "+2018-01-01T05:00:00Z", "-2018-12-31T18:15:00Z", "-2019-01-01T05:00:00Z"}));
}

TEST_P(CalendarLive, WhoWasBornOnALeapDayIsOlderOnTheFirstOfMarch) {
  Begin("2003-06-01T00:00:00Z", "Europe/Amsterdam");
  Define("three", "age_in(birth_date, 'year') = 3");
  Define("four", "age_in(birth_date, 'year') = 4");
  Define("adult", "age_in(birth_date, 'year') >= 18");
  Set("anna", {{"birth_date", Time("2000-02-28T23:00:00Z")}});  // 29 February, midnight in Amsterdam
  Advance("2019-01-01T00:00:00Z");
  EXPECT_EQ(FlipsOf("three"), (Flips{"+2003-06-01T00:00:00Z", "-2004-02-28T23:00:00Z"}));  // 29 February 2004
  EXPECT_EQ(FlipsOf("four"), (Flips{"+2004-02-28T23:00:00Z", "-2005-02-28T23:00:00Z"}));   // 1 March 2005
  EXPECT_EQ(FlipsOf("adult"), (Flips{"+2018-02-28T23:00:00Z"}));
}

TEST_P(CalendarLive, AMonthAfterTheThirtyFirstIsCompleteOnTheFirstWhereThereIsNone) {
  Begin("2017-01-31T12:00:00Z", "UTC");
  Define("one", "age_in(last_seen, 'month') = 1");
  Set("anna", {{"last_seen", Time("2017-01-31T10:00:00Z")}});
  Set("bart", {{"last_seen", Time("2017-01-15T10:00:00Z")}});
  Advance("2017-04-15T00:00:00Z");
  EXPECT_EQ(FlipsOf("one"), (Flips{"+2017-02-15T10:00:00Z", "+2017-03-01T00:00:00Z", "-2017-03-15T10:00:00Z", "-2017-03-31T10:00:00Z"}));
}

TEST_P(CalendarLive, SecondsBeyond2038AndTheYear2100WithoutALeapDay) {
  Begin("2038-01-18T03:14:07Z", "Europe/Amsterdam");
  Define("quiet", "last_seen(view) < now() - 1d");
  Track("anna", "view", "2038-01-18T03:14:08Z");
  Advance("2038-02-01T00:00:00Z");
  EXPECT_EQ(FlipsOf("quiet"), (Flips{"+2038-01-19T03:14:08.000001Z"}));
  Advance("2100-02-27T00:00:00Z");
  Define("today", "count(view) over today >= 1");
  Define("last_month", "count(view) over last month >= 1");
  Define("four", "age_in(birth_date, 'year') >= 4");
  Set("bart", {{"birth_date", Time("2096-02-29T00:00:00Z")}});  // 01:00 in Amsterdam
  Track("anna", "view", "2100-02-28T12:00:00Z");
  Advance("2100-05-01T00:00:00Z");
  EXPECT_EQ(FlipsOf("today"), (Flips{"+2100-02-28T12:00:00Z", "-2100-02-28T23:00:00Z"}));
  // April begins in summer time.
  EXPECT_EQ(FlipsOf("last_month"), (Flips{"+2100-02-28T23:00:00Z", "-2100-03-31T22:00:00Z"}));
  EXPECT_EQ(MidnightIn("Europe/Amsterdam", 2100, 4, 1), "2100-03-31T22:00:00Z");
  Flips four = FlipsOf("four");
  ASSERT_EQ(four.size(), 1u);
  EXPECT_EQ(four[0], "+2100-02-28T23:00:00Z") << "1 March has passed the reading of 29 February";
}

TEST_P(CalendarLive, SlidingWindowsKnowNoSummerTimeAndDaysDo) {
  Begin("2017-03-25T12:00:00Z", "Europe/Amsterdam");
  Define("day_long", "count(visit) over 1d >= 1");
  Define("same_day", "count(visit) over today >= 1");
  Track("anna", "visit", "2017-03-25T23:00:00Z");  // midnight: the day of 23 hours begins
  Advance("2017-03-28T00:00:00Z");
  EXPECT_EQ(FlipsOf("day_long"), (Flips{"+2017-03-25T23:00:00Z", "-2017-03-26T23:00:00Z"}));
  EXPECT_EQ(FlipsOf("same_day"), (Flips{"+2017-03-25T23:00:00Z", "-2017-03-26T22:00:00Z"}));
}

TEST_P(CalendarLive, SequencesAndSessionsWaitForTheirInstant) {
  Begin("2017-06-01T00:00:00Z", "UTC");
  Define("abandoned", "did cart without order within 1d over 30d");
  Define("busy", "sessions(visit, gap 30m) over 7d >= 2");
  Track("anna", "cart", "2017-06-01T10:00:00Z");
  Track("bart", "cart", "2017-06-01T11:00:00Z");
  Track("bart", "order", "2017-06-02T11:00:00Z");  // exactly a day later
  Track("anna", "visit", "2017-06-03T10:00:00Z");
  Track("anna", "visit", "2017-06-03T10:30:00Z");         // still the same session
  Track("anna", "visit", "2017-06-03T11:00:00.000001Z");  // another one
  Advance("2017-08-01T00:00:00Z");
  // Bart's order is in time, but when its instant came there was none yet: he enters by the clock and leaves by the write.
  EXPECT_EQ(FlipsOf("abandoned"),
            (Flips{"+2017-06-02T10:00:00Z", "+2017-06-02T11:00:00Z", "-2017-06-02T11:00:00Z", "-2017-07-01T10:00:00Z"}));
  // The first session leaves with its last visit.
  EXPECT_EQ(FlipsOf("busy"), (Flips{"+2017-06-03T11:00:00.000001Z", "-2017-06-10T10:30:00Z"}));
}

TEST_P(CalendarLive, WhatDecaysCrossesItsBoundOnce) {
  Begin("2017-06-01T00:00:00Z", "UTC");
  Define("above_half", "decayed_count(visit, half_life 1d) > 0.5");
  Define("at_least_half", "decayed_count(visit, half_life 1d) >= 0.5");
  Define("below_one", "decayed_count(visit, half_life 1d) < 1");
  Track("anna", "visit", "2017-06-01T12:00:00Z");
  Advance("2017-08-01T00:00:00Z");
  // One half-life later it is a half: no longer above, at that instant still on it.
  EXPECT_EQ(FlipsOf("above_half"), (Flips{"+2017-06-01T12:00:00Z", "-2017-06-02T12:00:00Z"}));
  EXPECT_EQ(FlipsOf("at_least_half"), (Flips{"+2017-06-01T12:00:00Z", "-2017-06-02T12:00:00.000001Z"}));
  EXPECT_EQ(FlipsOf("below_one"), (Flips{"+2017-06-01T12:00:00.000001Z"}));
}

}  // namespace
}  // namespace korrel::twin
