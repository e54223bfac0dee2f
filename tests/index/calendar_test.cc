#include "index/calendar.h"

#include <gtest/gtest.h>

#include <random>

#include "index/expression/expression.h"

namespace korrel {
namespace {

constexpr int64_t kSecond = 1'000'000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

int64_t At(std::string_view text) {
  auto time = ParseTimestamp(text, "UTC");
  EXPECT_TRUE(time.ok()) << time.status();
  return time.ok() ? time->us : 0;
}

const Zone& Named(std::string_view name) {
  const Zone* zone = Zone::Find(name);
  EXPECT_NE(zone, nullptr) << name;
  return zone ? *zone : *Zone::Find("UTC");
}

TEST(Calendar, KnowsTheNamesOfTheDatabaseAndNoOthers) {
  for (std::string_view name : {"UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kathmandu", "America/Argentina/Buenos_Aires"}) {
    EXPECT_NE(Zone::Find(name), nullptr) << name;
    EXPECT_EQ(Zone::Find(name), Zone::Find(name)) << "loaded once";
  }
  for (std::string_view name : {"", "+01:00", "Fixed/UTC+01:00:00", "Europe/amsterdam", "../zoneinfo/UTC", "/usr/share/zoneinfo/UTC",
                                "localtime", "Europe", "posix/UTC", "right/UTC", "zone.tab", "Europe/Amsterdam\n"}) {
    EXPECT_EQ(Zone::Find(name), nullptr) << name;
  }
  EXPECT_TRUE(std::is_sorted(Zone::Names().begin(), Zone::Names().end()));
}

TEST(Calendar, ReadsLocalTimeToTheMicrosecond) {
  Zone::Reading reading = Named("Europe/Amsterdam").At(At("2017-07-02T21:59:59.999999Z"));
  EXPECT_EQ(reading.year, 2017);
  EXPECT_EQ(reading.month, 7);
  EXPECT_EQ(reading.day, 2);
  EXPECT_EQ(reading.weekday, 7) << "a Sunday";
  EXPECT_EQ(reading.hour, 23);
  EXPECT_EQ(reading.minute, 59);
  EXPECT_EQ(reading.second, 59);
  EXPECT_EQ(reading.microsecond, 999'999);
  Zone::Reading before_epoch = Named("UTC").At(-1);
  EXPECT_EQ(before_epoch.year, 1969);
  EXPECT_EQ(before_epoch.second, 59);
  EXPECT_EQ(before_epoch.microsecond, 999'999);
}

TEST(Calendar, ReadsTheFirstAndTheLastInstantThereIs) {
  EXPECT_EQ(Named("UTC").At(kTimestampMinUs).year, 1);
  EXPECT_EQ(Named("UTC").At(kTimestampMaxUs).year, 9999);
  EXPECT_EQ(Named("America/New_York").At(kTimestampMinUs).year, 0);
  EXPECT_EQ(Named("Asia/Tokyo").At(kTimestampMaxUs).year, 10000);
  EXPECT_EQ(Named("UTC").UnitStart(kTimestampMaxUs, CalendarUnit::kYear, 0), At("9999-01-01T00:00:00Z"));
}

TEST(Calendar, WeekdaysBeginOnMonday) {
  for (int day = 0; day < 7; day++) EXPECT_EQ(Named("UTC").At(At("2024-01-01T12:00:00Z") + day * kDay).weekday, day + 1);
}

TEST(Calendar, UnitsBeginAtTheirFirstLocalInstant) {
  const Zone& zone = Named("Europe/Amsterdam");
  int64_t time = At("2017-08-16T10:00:00Z");  // a Wednesday
  EXPECT_EQ(zone.DayStart(time), At("2017-08-15T22:00:00Z"));
  EXPECT_EQ(zone.UnitStart(time, CalendarUnit::kDay, 0), At("2017-08-15T22:00:00Z"));
  EXPECT_EQ(zone.UnitStart(time, CalendarUnit::kDay, -1), At("2017-08-14T22:00:00Z"));
  EXPECT_EQ(zone.UnitStart(time, CalendarUnit::kWeek, 0), At("2017-08-13T22:00:00Z"));
  EXPECT_EQ(zone.UnitStart(time, CalendarUnit::kWeek, -1), At("2017-08-06T22:00:00Z"));
  EXPECT_EQ(zone.UnitStart(time, CalendarUnit::kMonth, 0), At("2017-07-31T22:00:00Z"));
  EXPECT_EQ(zone.UnitStart(time, CalendarUnit::kMonth, 1), At("2017-08-31T22:00:00Z"));
  EXPECT_EQ(zone.UnitStart(time, CalendarUnit::kQuarter, 0), At("2017-06-30T22:00:00Z"));
  EXPECT_EQ(zone.UnitStart(time, CalendarUnit::kQuarter, -2), At("2016-12-31T23:00:00Z"));
  EXPECT_EQ(zone.UnitStart(time, CalendarUnit::kYear, 0), At("2016-12-31T23:00:00Z"));
  EXPECT_EQ(zone.UnitStart(time, CalendarUnit::kYear, -1), At("2015-12-31T23:00:00Z"));
}

TEST(Calendar, DaysOfTheClockChangeHave23And25Hours) {
  const Zone& zone = Named("Europe/Amsterdam");
  EXPECT_EQ(zone.DateStart(2017, 3, 27) - zone.DateStart(2017, 3, 26), 23 * kHour);
  EXPECT_EQ(zone.DateStart(2017, 10, 30) - zone.DateStart(2017, 10, 29), 25 * kHour);
}

TEST(Calendar, ADayWithoutMidnightBeginsAtTheJump) {
  // Beirut and São Paulo turned their clocks forward at midnight: the first reading of the day is 01:00.
  const Zone& zone = Named("America/Sao_Paulo");
  int64_t start = zone.DateStart(2017, 10, 15);
  EXPECT_EQ(start, At("2017-10-15T03:00:00Z"));
  EXPECT_EQ(zone.At(start).hour, 1);
  EXPECT_EQ(zone.At(start - 1).day, 14);
  EXPECT_EQ(zone.DayStart(start), start);
  EXPECT_EQ(zone.DayStart(start + kHour), start);
}

TEST(Calendar, ADayWithTwoMidnightsBeginsAtTheFirst) {
  // Havana turned its clock back from 01:00 to 00:00.
  const Zone& zone = Named("America/Havana");
  int64_t start = zone.DateStart(2017, 11, 5);
  EXPECT_EQ(start, At("2017-11-05T04:00:00Z"));
  EXPECT_EQ(zone.At(start - 1).day, 4);
  EXPECT_EQ(zone.At(start + kHour).hour, 0) << "midnight comes again an hour later";
  EXPECT_EQ(zone.DayStart(start + kHour + kMinute), start);
}

TEST(Calendar, ADayThatAZoneLeftOutBeginsWhereTheNextOneDoes) {
  const Zone& zone = Named("Pacific/Apia");  // there was no 30 December 2011
  EXPECT_EQ(zone.DateStart(2011, 12, 30), zone.DateStart(2011, 12, 31));
  EXPECT_EQ(zone.At(zone.DateStart(2011, 12, 31) - 1).day, 29);
}

TEST(Calendar, AgesAreRoundedDown) {
  const Zone& zone = Named("UTC");
  int64_t now = At("2024-05-01T00:00:00Z");
  EXPECT_EQ(AgeIn(now - kDay, now, AgeUnit::kDay, zone), 1);
  EXPECT_EQ(AgeIn(now - kDay + 1, now, AgeUnit::kDay, zone), 0);
  EXPECT_EQ(AgeIn(now + 1, now, AgeUnit::kDay, zone), -1) << "negative as soon as it lies before";
  EXPECT_EQ(AgeIn(now + kDay, now, AgeUnit::kDay, zone), -1);
  EXPECT_EQ(AgeIn(now + kDay + 1, now, AgeUnit::kDay, zone), -2);
  EXPECT_EQ(AgeIn(now - 3 * kHour, now, AgeUnit::kSecond, zone), 10'800);
  EXPECT_EQ(AgeIn(now - 3 * kHour, now, AgeUnit::kMinute, zone), 180);
  EXPECT_EQ(AgeIn(now - 3 * kHour, now, AgeUnit::kHour, zone), 3);
  EXPECT_EQ(AgeIn(now - 15 * kDay, now, AgeUnit::kWeek, zone), 2);
}

TEST(Calendar, AYearIsCompleteOnTheBirthdayAtTheSameTimeOfDay) {
  const Zone& zone = Named("Europe/Amsterdam");
  int64_t born = At("2000-06-15T13:45:30.25+02:00"), birthday = At("2018-06-15T13:45:30.25+02:00");
  EXPECT_EQ(AgeIn(born, birthday - 1, AgeUnit::kYear, zone), 17);
  EXPECT_EQ(AgeIn(born, birthday, AgeUnit::kYear, zone), 18);
  EXPECT_EQ(AgeIn(born, birthday, AgeUnit::kMonth, zone), 216);
  EXPECT_EQ(AgeIn(birthday, born, AgeUnit::kYear, zone), -18) << "negative before it";
  EXPECT_EQ(AgeIn(birthday - 1, born, AgeUnit::kYear, zone), -18);
  EXPECT_EQ(AgeIn(birthday + 1, born, AgeUnit::kYear, zone), -19);
  EXPECT_EQ(AgeIn(born, born - 1, AgeUnit::kMonth, zone), -1);
  EXPECT_EQ(AgeIn(born, born, AgeUnit::kMonth, zone), 0);
}

TEST(Calendar, WhatBeganOnALeapDayIsOlderOnTheFirstOfMarch) {
  const Zone& zone = Named("UTC");
  int64_t born = At("2000-02-29T00:00:00Z");
  EXPECT_EQ(AgeIn(born, At("2001-03-01T00:00:00Z") - 1, AgeUnit::kYear, zone), 0);
  EXPECT_EQ(AgeIn(born, At("2001-03-01T00:00:00Z"), AgeUnit::kYear, zone), 1);
  EXPECT_EQ(AgeIn(born, At("2004-02-29T00:00:00Z") - 1, AgeUnit::kYear, zone), 3);
  EXPECT_EQ(AgeIn(born, At("2004-02-29T00:00:00Z"), AgeUnit::kYear, zone), 4);
  EXPECT_EQ(AgeIn(At("2017-01-31T12:00:00Z"), At("2017-03-01T00:00:00Z") - 1, AgeUnit::kMonth, zone), 0);
  EXPECT_EQ(AgeIn(At("2017-01-31T12:00:00Z"), At("2017-03-01T00:00:00Z"), AgeUnit::kMonth, zone), 1);
}

TEST(Calendar, TurningTheClockBackMakesNobodyYounger) {
  const Zone& zone = Named("Europe/Amsterdam");  // 29 October 2017: 03:00 becomes 02:00 at 01:00Z
  int64_t born = At("2016-10-29T02:30:00+02:00");
  int64_t reached = At("2017-10-29T00:30:00Z");
  EXPECT_EQ(AgeIn(born, reached - 1, AgeUnit::kYear, zone), 0);
  for (int64_t after = 0; after < 2 * kHour; after += kMinute) EXPECT_EQ(AgeIn(born, reached + after, AgeUnit::kYear, zone), 1);
}

TEST(Calendar, ABirthdayInTheSkippedHourIsReachedAtTheJump) {
  const Zone& zone = Named("Europe/Amsterdam");  // 26 March 2017: 02:00 becomes 03:00 at 01:00Z
  int64_t born = At("2016-03-26T02:30:00.5+01:00");
  EXPECT_EQ(AgeIn(born, At("2017-03-26T01:00:00Z") - 1, AgeUnit::kYear, zone), 0);
  EXPECT_EQ(AgeIn(born, At("2017-03-26T01:00:00Z"), AgeUnit::kYear, zone), 1);
}

// Goal: an age grows by one at a time and never shrinks while now moves on, whatever the zone does. Method: random walks of now from a
// random start, in zones with midnight jumps, and readings checked against the instant they name.
TEST(Calendar, AgesOnlyGrow) {
  uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (std::string_view name :
       {"UTC", "Europe/Amsterdam", "America/Sao_Paulo", "America/Havana", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"}) {
    const Zone& zone = Named(name);
    for (int walk = 0; walk < 20; walk++) {
      int64_t ts = static_cast<int64_t>(random() % (60 * 365 * kDay));
      int64_t now = ts - static_cast<int64_t>(random() % (400 * kDay));
      for (AgeUnit unit : {AgeUnit::kDay, AgeUnit::kMonth, AgeUnit::kYear}) {
        int64_t last = AgeIn(ts, now, unit, zone);
        for (int step = 0; step < 200; step++) {
          int64_t later = now + (step + 1) * 7 * kHour + static_cast<int64_t>(random() % kHour);
          int64_t age = AgeIn(ts, later, unit, zone);
          ASSERT_GE(age, last) << name << " ts " << ts << " now " << later;
          ASSERT_LE(age, last + 1) << name << " ts " << ts << " now " << later;
          last = age;
        }
      }
    }
  }
}

TEST(Calendar, AStartIsTheFirstInstantOfItsDay) {
  uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (std::string_view name : {"Europe/Amsterdam", "America/Sao_Paulo", "America/Havana", "Asia/Kathmandu", "Africa/Cairo"}) {
    const Zone& zone = Named(name);
    for (int i = 0; i < 2000; i++) {
      int64_t time = static_cast<int64_t>(random() % (60 * 365 * kDay));
      int64_t start = zone.DayStart(time);
      ASSERT_LE(start, time);
      ASSERT_EQ(zone.At(start).day, zone.At(time).day) << name << " " << time;
      ASSERT_NE(zone.At(start - 1).day, zone.At(time).day) << name << " " << time;
    }
  }
}

}  // namespace
}  // namespace korrel
