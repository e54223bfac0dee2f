#include "index/expression/sharing_key.h"

#include <gtest/gtest.h>

#include <random>

#include "index/expression/intervals.h"
#include "tests/index/expression/example_catalog.h"

namespace korrel {
namespace {

class SharingKeys : public testing::Test {
 protected:
  std::string KeyOf(std::string_view text) {
    CompileOptions options = catalog_.Question();
    options.must_be_condition = true;
    return MustCompile(text, options)->sharing_key();
  }
  std::string ValueKeyOf(std::string_view text) { return MustCompile(text, catalog_.Question())->sharing_key(); }
  void ExpectOne(std::initializer_list<std::string_view> texts) {
    for (std::string_view text : texts) EXPECT_EQ(KeyOf(text), KeyOf(*texts.begin())) << text << "\n" << *texts.begin();
  }
  // All different from each other.
  void ExpectMany(std::initializer_list<std::string_view> texts) {
    std::map<std::string, std::string_view> seen;
    for (std::string_view text : texts) {
      auto [other, is_new] = seen.emplace(KeyOf(text), text);
      EXPECT_TRUE(is_new) << text << "\n" << other->second;
    }
  }
  ExampleCatalog catalog_;
};

TEST_F(SharingKeys, LogicIsFlatSortedAndWithoutDuplicates) {
  ExpectOne({"is_member and age > 3 and tier = 'a'", "tier = 'a' and is_member and age > 3", "tier = 'a' and (age > 3 and is_member)",
             "(is_member and is_member) and (age > 3 and tier = 'a') and is_member"});
  ExpectOne({"is_member or age > 3", "age > 3 or is_member or age > 3", "age > 3 or (is_member or false)"});
  ExpectMany({"is_member and age > 3", "is_member or age > 3", "is_member", "age > 3", "is_member and age > 3 or tier = 'a'",
              "is_member and (age > 3 or tier = 'a')"});
}

TEST_F(SharingKeys, NeutralConstantsGoAndDominantOnesStay) {
  ExpectOne({"is_member", "is_member and true", "is_member or false", "true and (false or is_member)"});
  ExpectOne({"false", "is_member and false", "not true", "1 > 2", "age between 5 and 3", "1 / 0 > 1", "age in (4.5)"});
  ExpectOne({"true", "is_member or true", "not false", "2 > 1", "not (age between 5 and 3)", "3 in (1, 3)", "(age > 3) is present"});
}

TEST_F(SharingKeys, NegationGoesDownToPredicates) {
  ExpectOne({"not (is_member and age > 3)", "not is_member or not (age > 3)", "not (age > 3) or not (not (not is_member))"});
  ExpectOne({"age > 3", "not (not (age > 3))", "(age > 3) = true", "(age > 3) != false", "not ((age > 3) = false)"});
  ExpectOne({"country not in ('NL')", "not (country = 'NL')"});
}

TEST_F(SharingKeys, TheComplementIsNotTheOtherTest) {
  ExpectMany({"not (country = 'NL')", "country != 'NL'", "country = 'NL'"});
  ExpectMany({"not (age > 3)", "age <= 3"});
  ExpectMany({"interests has none ('a')", "not (interests has any ('a'))"});
  ExpectMany({"not is_member", "is_member = false", "is_member", "is_member is present", "is_member is absent"});
}

TEST_F(SharingKeys, TestsAgainstConstantsAreSetsOfTheOperandsType) {
  ExpectOne({"country = 'NL'", "country in ('NL')", "'NL' = country", "country in ('NL', 'NL')", "country between 'NL' and 'NL'",
             "country = @country"});
  ExpectOne({"country in ('a', 'b')", "country in ('b', 'a', 'b')"});
  ExpectOne({"age > 4", "age >= 5", "5 <= age", "4 < age", "age > 4.5", "age >= 4.01", "age >= 4.5e0", "age > 2 + 2", "age > 4.999"});
  ExpectOne({"age between 5 and 7", "age in (5, 6, 7)", "age in (7, 5, 6.0, 6)"});
  ExpectOne({"age = 3", "age = 3.00", "age = 3e0", "age = @min", "age in (3)", "age between 2.5 and 3.5"});
  ExpectOne({"balance = 100", "balance = 100.00", "balance = 100.000", "balance between 99.995 and 100.004"});
  ExpectOne({"score > 0.5", "score > 5e-1", "not (not (0.5 < score))"});
  ExpectOne(
      {"age is present", "age >= -9223372036854775808", "age <= 9223372036854775807", "age > -1e30", "age != 4.5", "not (age is absent)"});
  ExpectOne({"country is present", "country >= ''"});
  ExpectOne({"is_member", "is_member = true", "is_member != false", "is_member in (true)"});
  ExpectOne({"is_member is present", "is_member in (true, false)"});
  ExpectOne({"last_seen > timestamp '2017-01-01T00:00:00Z'", "last_seen >= timestamp '2017-01-01T00:00:00.000001Z'"});
  ExpectOne({"last_seen >= date '2017-01-01'", "last_seen >= timestamp '2017-01-01T00:00:00Z'",
             "last_seen >= timestamp '2017-01-01T01:00:00+01:00'"});
  ExpectMany({"age > 4", "age >= 4", "age = 4", "age != 4", "age < 4", "age <= 4", "age = 5", "balance > 4", "score > 4"});
  ExpectMany({"score > 0.5", "score >= 0.5", "country > 'a'", "country >= 'a'", "country > 'a' and country > 'b'"});
}

TEST_F(SharingKeys, NowStandsAloneOnTheLeft) {
  ExpectOne({"last_seen > now() - 14d", "now() - 14d < last_seen", "now() < last_seen + 14d", "now() - last_seen < 14d",
             "14d > now() - last_seen", "now() - last_seen < 2w", "last_seen - now() > -14d", "-(now() - last_seen) > -14d",
             "now() < 7d + last_seen + 7d"});
  ExpectOne({"now() - last_seen >= 36h", "now() - last_seen > 36h - 1us", "last_seen <= now() - 1d12h"});
  ExpectOne({"last_seen between now() - 2d and now() - 1d", "last_seen >= now() - 2d and now() - 1d >= last_seen"});
  ExpectMany({"last_seen > now() - 14d", "last_seen >= now() - 14d", "last_seen < now() - 14d", "last_seen > now() - 15d",
              "birth_date > now() - 14d", "not (last_seen > now() - 14d)", "last_seen = now()"});
}

TEST_F(SharingKeys, OperandsOfOneSumOrProductAreSorted) {
  EXPECT_EQ(ValueKeyOf("age + balance"), ValueKeyOf("balance + age"));
  EXPECT_EQ(ValueKeyOf("age * (balance + 1)"), ValueKeyOf("(1 + balance) * age"));
  EXPECT_NE(ValueKeyOf("age - balance"), ValueKeyOf("balance - age"));
  EXPECT_NE(ValueKeyOf("age / balance"), ValueKeyOf("balance / age"));
  EXPECT_NE(ValueKeyOf("age + score + balance"), ValueKeyOf("age + (score + balance)")) << "sums of doubles are not regrouped";
  ExpectOne({"age < balance", "balance > age", "not (not (age < balance))"});
  ExpectOne({"age = balance", "balance = age"});
  ExpectMany({"age < balance", "age <= balance", "age > balance", "age != balance", "age = balance"});
}

TEST_F(SharingKeys, SetTestsIgnoreOrderAndRepetition) {
  ExpectOne({"interests has 'a'", "interests has any ('a')", "interests has all ('a', 'a')"});
  ExpectOne({"interests has all ('a', 'b')", "interests has all ('b', 'a', 'b')"});
  ExpectMany({"interests has all ('a', 'b')", "interests has any ('a', 'b')", "interests has none ('a', 'b')", "interests has 'a'",
              "interests has 'ab'", "interests has any ('a', 'bc')", "interests has any ('ab', 'c')"});
}

TEST_F(SharingKeys, HoldWhateverMakesAggregatesDiffer) {
  ExpectMany({"count(order) > 1", "count(visit) > 1", "count(any) > 1", "count(order.coupon) > 1", "count(order where amount > 1) > 1",
              "count(order where amount > 2) > 1", "count(order) over 1d > 1", "count(order) over 2d > 1",
              "count(order) between 2d and 1d ago > 1", "count(order) over this day > 1", "count(order) over last day > 1",
              "count(order) over this week > 1", "count(order) over this day at 'Europe/Amsterdam' > 1", "days_active(order) > 1",
              "days_active(order, time_zone) > 1", "unique_count(order.coupon) > 1", "sum(order.quantity) > 1", "max(order.quantity) > 1"});
  ExpectOne(
      {"count(order) over 7d > 1", "count(order) over 1w >= 2", "COUNT(order) between 168h and 0s ago > 1", "1 < count(order) over 7d"});
  ExpectOne({"count(order where amount > 1 and quantity = 2) > 1", "count(order where quantity in (2) and not (not (1 < amount))) > 1",
             "count(order where order.amount > 1 and order.quantity = 2) > 1"});
}

TEST_F(SharingKeys, TheCatalogsZoneIsTheSameAsItsName) {
  ExpectOne({"hour(last_seen) = 9", "hour(last_seen, 'UTC') = 9"});
  ExpectOne({"count(order) over today = 0", "count(order) over this day at 'UTC' = 0"});
  ExpectOne({"age_in(birth_date, 'day') > 1", "age_in(birth_date, 'day', 'Europe/Amsterdam') > 1"});
  ExpectMany({"age_in(birth_date, 'year') > 1", "age_in(birth_date, 'year', 'Europe/Amsterdam') > 1", "age_in(birth_date, 'month') > 1"});
  CompileOptions amsterdam = catalog_.Question();
  amsterdam.time_zone = "Europe/Amsterdam";
  amsterdam.must_be_condition = true;
  EXPECT_NE(MustCompile("hour(last_seen) = 9", amsterdam)->sharing_key(), KeyOf("hour(last_seen) = 9"));
  EXPECT_EQ(MustCompile("hour(last_seen) = 9", amsterdam)->sharing_key(), KeyOf("hour(last_seen, 'Europe/Amsterdam') = 9"));
  EXPECT_EQ(MustCompile("age = 9", amsterdam)->sharing_key(), KeyOf("age = 9"));
  EXPECT_NE(MustCompile("last_seen > date '2017-01-01'", amsterdam)->sharing_key(), KeyOf("last_seen > date '2017-01-01'"));
}

TEST_F(SharingKeys, ABoolValueIsItsConditionOnlyWhereOneIsNeeded) {
  EXPECT_NE(ValueKeyOf("is_member"), ValueKeyOf("is_member = true")) << "the first can be absent";
  EXPECT_EQ(KeyOf("is_member"), KeyOf("is_member = true"));
  EXPECT_EQ(ValueKeyOf("age > 3"), KeyOf("age > 3"));
}

TEST_F(SharingKeys, ConstantsKeepTheirType) {
  EXPECT_NE(ValueKeyOf("age + 1"), ValueKeyOf("age + 1.0")) << "another scale of the result";
  EXPECT_EQ(ValueKeyOf("age + 1.0"), ValueKeyOf("age + (0.5 + 0.5)"));
  EXPECT_NE(ValueKeyOf("9223372036854775807 + 1"), ValueKeyOf("0")) << "absent";
  EXPECT_EQ(ValueKeyOf("2 * 3"), ValueKeyOf("6"));
  EXPECT_EQ(ValueKeyOf("-7 % 3"), ValueKeyOf("-1"));
  EXPECT_EQ(ValueKeyOf("7 / 2"), ValueKeyOf("3.5e0"));
}

// Goal: S holds exactly what the test holds for. Method: random constants and operators against values around them, by arithmetic of
// another kind: fractions of 128 bits for exact numbers, doubles for doubles.
TEST(SharingKeyIntervals, HoldWhatTheComparisonSays) {
  uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; i++) {
    int scale = static_cast<int>(random() % 3), constant_scale = static_cast<int>(random() % 4);
    int64_t number = static_cast<int64_t>(random() % 20'001) - 10'000;
    bool as_double = random() % 3 == 0;
    Constant constant;
    if (as_double) constant.value = static_cast<double>(number) / 8;
    else constant.value = Decimal{number, static_cast<uint8_t>(constant_scale)};
    double nearby = as_double ? static_cast<double>(number) / 8 * static_cast<double>(kPowersOf10[scale])
                              : static_cast<double>(number) * static_cast<double>(kPowersOf10[scale]) /
                                    static_cast<double>(kPowersOf10[constant_scale]);
    Op op = static_cast<Op>(static_cast<int>(Op::kEqual) + random() % 6);
    Intervals set = Intervals::Where(DecimalType(scale), op, constant);
    for (int64_t v = static_cast<int64_t>(nearby) - 3; v <= static_cast<int64_t>(nearby) + 3; v++) {
      Constant value;
      value.value = Decimal{v, static_cast<uint8_t>(scale)};
      int order = 0;
      if (as_double) {
        double a = static_cast<double>(v) / static_cast<double>(kPowersOf10[scale]), b = static_cast<double>(number) / 8;
        order = a < b ? -1 : a > b;
      } else {
        int64_t a = v * kPowersOf10[constant_scale], b = number * kPowersOf10[scale];
        order = a < b ? -1 : a > b;
      }
      bool expected = op == Op::kEqual       ? order == 0
                      : op == Op::kNotEqual  ? order != 0
                      : op == Op::kLess      ? order < 0
                      : op == Op::kLessEqual ? order <= 0
                      : op == Op::kGreater   ? order > 0
                                             : order >= 0;
      ASSERT_EQ(set.Holds(DecimalType(scale), value), expected)
          << v << " scale " << scale << " op " << static_cast<int>(op) << " constant " << number;
    }
  }
}

TEST_F(SharingKeys, SequencesSessionsAndDecayDifferInAllThatTheySay) {
  ExpectMany({"did visit", "did view", "did any", "did visit then view", "did visit without view", "did (visit where seconds > 1)",
              "did visit within 1d", "did visit within 2d", "did visit over 1d", "did visit over today", "did visit then visit",
              "did visit then view without cart", "did visit without cart then view", "not (did visit)"});
  ExpectOne({"did (visit where seconds > 1) then view over 1d", "did (visit where seconds >= 2) then view over 24h",
             "not (not (did (visit where visit.seconds > 1) then view between 1d and 0s ago))"});
  ExpectMany({"sessions(visit, gap 30m) > 1", "sessions(visit, gap 31m) > 1", "sessions(view, gap 30m) > 1", "count(visit) > 1",
              "sessions(visit, gap 30m) over 1d > 1"});
  ExpectMany({"decayed_count(visit, half_life 1d) > 1", "decayed_count(visit, half_life 2d) > 1", "decayed_count(view, half_life 1d) > 1",
              "decayed_sum(visit.seconds, half_life 1d) > 1", "decayed_count(visit where seconds > 1, half_life 1d) > 1"});
  ExpectOne({"sessions(visit, gap 60m) > 1", "sessions(visit, gap 1h) >= 2"});
  EXPECT_NE(ValueKeyOf("population.spend_p90"), ValueKeyOf("spend_90d"));
  ExpectOne({"spend_90d >= population.spend_p90", "population.spend_p90 <= spend_90d"});
}

}  // namespace
}  // namespace korrel
