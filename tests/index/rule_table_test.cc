#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/index/rule_fixture.h"

namespace korrel {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using Kind = RuleVariable::Kind;

// A world of rules over one profile. Flip is a change; every flip that the tables find is checked against the texts.
class RuleTableTest : public ::testing::Test {
 protected:
  RuleWorld world;
  Row row = world.shard.Add();
  void Start(std::initializer_list<std::string> texts) {
    for (const std::string& text : texts) world.Add(text);
    world.Start();
  }
  RuleWorld::Flips Set(std::string_view attribute, const Value& value) {
    return Flip([&] { IsPresent(value) ? world.shard.Set(row, attribute, value) : world.shard.Unset(row, attribute); });
  }
  template <class Change>
  RuleWorld::Flips Flip(const Change& change) {
    auto flips = world.FlipsOf(row, change);
    const std::vector<uint32_t> holding = world.RulesByReading(row);
    EXPECT_EQ(world.Members(row), holding);
    EXPECT_EQ(world.RulesOf(row), holding);
    for (uint32_t rule = 0; rule < world.rule_count(); ++rule)
      EXPECT_EQ(world.rules().Holds(rule, row), std::binary_search(holding.begin(), holding.end(), rule)) << world.text(rule);
    return flips;
  }
  static RuleWorld::Flips In(uint32_t rule) { return {{rule, true}}; }
  static RuleWorld::Flips Out(uint32_t rule) { return {{rule, false}}; }
};

TEST_F(RuleTableTest, NoRulesFlipNothing) {
  Start({});
  EXPECT_THAT(Set("age", int64_t{3}), IsEmpty());
  EXPECT_EQ(world.table().rule_count(), 0u);
  EXPECT_TRUE(world.table().variables().empty());
}

TEST_F(RuleTableTest, AConditionThatIsAlwaysTrueHoldsForEverybodyAndNeverFlips) {
  Start({"true", "false", "age >= 1 or not (age >= 1)", "age > 3 and age < 3"});
  EXPECT_THAT(Set("age", int64_t{3}), IsEmpty());
  EXPECT_THAT(world.RulesOf(row), ElementsAre(0, 2));
  EXPECT_TRUE(world.table().variables().empty()) << "nothing needs to be known of the profile";
}

TEST_F(RuleTableTest, NumbersFlipAtTheCutsOfTheirTests) {
  Start({"age >= 18", "age between 18 and 65", "age != 40", "age in (17, 19)"});
  EXPECT_EQ(world.Count(Kind::kColumn), 1u);
  EXPECT_THAT(Set("age", int64_t{17}), ElementsAre(Pair(2, true), Pair(3, true)));
  EXPECT_THAT(Set("age", int64_t{18}), ElementsAre(Pair(0, true), Pair(1, true), Pair(3, false)));
  EXPECT_THAT(Set("age", int64_t{40}), ElementsAre(Pair(2, false)));
  EXPECT_THAT(Set("age", int64_t{66}), ElementsAre(Pair(1, false), Pair(2, true)));
  EXPECT_THAT(Set("age", Value()), ElementsAre(Pair(0, false), Pair(2, false)));
}

TEST_F(RuleTableTest, ExtremesOfNumbersAreValuesLikeOthers) {
  Start({"big >= 9223372036854775807", "big <= -9223372036854775808", "big < 9223372036854775807", "big != -9223372036854775808"});
  EXPECT_THAT(Set("big", INT64_MAX), ElementsAre(Pair(0, true), Pair(3, true)));
  EXPECT_THAT(Set("big", INT64_MIN), ElementsAre(Pair(0, false), Pair(1, true), Pair(2, true), Pair(3, false)));
}

TEST_F(RuleTableTest, DecimalsTimestampsAndDoublesHaveCellsToo) {
  Start({"balance > 1.5", "birth < timestamp '2000-01-01T00:00:00Z'", "score >= 0.1", "score in (0.5, -2.0)", "score != 0.0"});
  EXPECT_EQ(world.Count(Kind::kColumn), 3u);
  EXPECT_THAT(Set("balance", Decimal{151, 2}), In(0));
  EXPECT_THAT(Set("balance", Decimal{150, 2}), Out(0));
  EXPECT_THAT(Set("birth", Timestamp{0}), In(1));
  EXPECT_THAT(Set("score", 0.5), ElementsAre(Pair(2, true), Pair(3, true), Pair(4, true)));
  EXPECT_THAT(Set("score", -2.0), ElementsAre(Pair(2, false)));
  EXPECT_THAT(Set("score", 0.0), ElementsAre(Pair(3, false), Pair(4, false)));
}

TEST_F(RuleTableTest, TextsThatRulesNameHaveCellsOfTheirOwn) {
  Start({"country = 'nl'", "country != 'nl'", "country in ('nl', 'be')", "country is not present"});
  EXPECT_EQ(world.table().variables()[0].cell_count, 4u);  // absent, any other, be, nl
  EXPECT_THAT(Set("country", std::string("nl")), ElementsAre(Pair(0, true), Pair(2, true), Pair(3, false)));
  EXPECT_THAT(Set("country", std::string("be")), ElementsAre(Pair(0, false), Pair(1, true)));
  EXPECT_THAT(Set("country", std::string("de")), Out(2));
  EXPECT_THAT(Set("country", std::string("fr")), IsEmpty());
}

TEST_F(RuleTableTest, TestsOfTextAreAnsweredOncePerCode) {
  Start({"email like '%@example.com'", "lower(email) = 'a'", "not (email like '%@example.com')", "coalesce(email, 'a') = 'a'"});
  EXPECT_EQ(world.Count(Kind::kPredicate), 0u);
  EXPECT_EQ(world.Count(Kind::kColumn), 3u) << "one for each test";
  EXPECT_THAT(Set("email", std::string("x@example.com")), ElementsAre(Pair(0, true), Pair(2, false), Pair(3, false)));
  EXPECT_THAT(Set("email", std::string("a")), ElementsAre(Pair(0, false), Pair(1, true), Pair(2, true), Pair(3, true)));
  EXPECT_THAT(Set("email", std::string("A")), Out(3));
  EXPECT_THAT(Set("email", Value()), ElementsAre(Pair(1, false), Pair(3, true)));
}

TEST_F(RuleTableTest, MoreTestsOfOneColumnThanAreRememberedArePredicates) {
  for (int i = 0; i < 20; ++i) world.Add("email like '%" + std::to_string(i) + "'");
  world.Start();
  EXPECT_EQ(world.Count(Kind::kColumn), 16u);
  EXPECT_EQ(world.Count(Kind::kPredicate), 4u);
  EXPECT_THAT(Set("email", std::string("18")), ElementsAre(Pair(8, true), Pair(18, true)));
  EXPECT_THAT(Set("email", std::string("3")), ElementsAre(Pair(3, true), Pair(8, false), Pair(18, false)));
}

TEST_F(RuleTableTest, BoolsAreAbsentFalseOrTrue) {
  Start({"member", "not member", "member = false", "coalesce(member, true)", "member is present"});
  EXPECT_EQ(world.Count(Kind::kPredicate), 0u);
  EXPECT_THAT(Set("member", true), ElementsAre(Pair(0, true), Pair(1, false), Pair(4, true)));
  EXPECT_THAT(Set("member", false), ElementsAre(Pair(0, false), Pair(1, true), Pair(2, true), Pair(3, false)));
}

TEST_F(RuleTableTest, ElementsOfSetsAreYesOrNo) {
  Start({"interests has any ('a', 'b')", "interests has all ('a', 'b')", "interests has none ('a', 'b')", "not (interests has none ('a'))",
         "not (interests has all ('a', 'b'))"});
  EXPECT_EQ(world.Count(Kind::kElement), 2u);
  EXPECT_EQ(world.Count(Kind::kColumn), 1u) << "presence, which has none asks for";
  EXPECT_THAT(world.RulesOf(row), ElementsAre(3, 4)) << "without a set";
  EXPECT_THAT(Set("interests", StringSet{}), ElementsAre(Pair(2, true), Pair(3, false)));
  EXPECT_THAT(Set("interests", StringSet{"a", "c"}), ElementsAre(Pair(0, true), Pair(2, false), Pair(3, true)));
  EXPECT_THAT(Set("interests", StringSet{"a", "b"}), ElementsAre(Pair(1, true), Pair(4, false)));
}

TEST_F(RuleTableTest, ListsIdentifiersAndNowAreVariablesOfTheirOwn) {
  Start({"in segment 'list'", "not in segment 'list' and has_identifier('email')", "birth < now() - 30d", "not (birth < now() - 30d)"});
  EXPECT_EQ(world.Count(Kind::kList), 1u);
  EXPECT_EQ(world.Count(Kind::kIdentifier), 1u);
  EXPECT_EQ(world.Count(Kind::kPredicate), 1u) << "one predicate, by its sharing key";
  EXPECT_THAT(Flip([&] { world.shard.table.AddIdentifier(row, IdentifierTypeId(0), "x"); }), In(1));
  EXPECT_THAT(Flip([&] { world.shard.table.AddMember(SegmentId(RuleWorld::kList), row, std::nullopt); }),
              ElementsAre(Pair(0, true), Pair(1, false)));
  EXPECT_THAT(Set("birth", Timestamp{kNow - 31 * kDay}), ElementsAre(Pair(2, true), Pair(3, false)));
}

TEST_F(RuleTableTest, SegmentsOfSegmentsFollowInTheSameStage) {
  Start({"age >= 18", "in segment 's0' and country = 'nl'", "not in segment 's1'", "in segment 's2' or member"});
  EXPECT_EQ(world.Count(Kind::kSegment), 3u);
  Set("country", std::string("nl"));
  EXPECT_THAT(Set("age", int64_t{20}), ElementsAre(Pair(0, true), Pair(1, true), Pair(2, false), Pair(3, false)));
  EXPECT_THAT(Set("member", true), In(3));
  EXPECT_THAT(Set("age", int64_t{2}), ElementsAre(Pair(0, false), Pair(1, false), Pair(2, true)));
}

TEST_F(RuleTableTest, StagesAreJudgedOneByOne) {
  world.Add("age >= 18");
  world.Add("country = 'nl'");
  world.Add("in segment 's0' and if(in segment 's1', age, 0) > 20", 1);
  world.Add("not in segment 's2'", 2);
  world.Start();
  EXPECT_THAT(Set("age", int64_t{30}), In(0));
  EXPECT_THAT(Set("country", std::string("nl")), ElementsAre(Pair(1, true), Pair(2, true), Pair(3, false)));
  EXPECT_THAT(Set("age", int64_t{10}), ElementsAre(Pair(0, false), Pair(2, false), Pair(3, true)));
}

TEST_F(RuleTableTest, ARuleOfTooManyConjunctionsIsOnePredicate) {
  std::string text, complement;  // both of 2^7 conjunctions
  const std::vector<std::pair<std::string, std::string>> tests = {{"age > 1", "country = 'a'"},
                                                                  {"big > 1", "tier = 'a'"},
                                                                  {"balance > 1", "email = 'a'"},
                                                                  {"score > 1.0", "zone = 'a'"},
                                                                  {"member", "birth > now()"},
                                                                  {"in segment 'list'", "age < big"},
                                                                  {"interests has 'a'", "has_identifier('email')"}};
  for (const auto& [a, b] : tests) {
    text += fmt::format("{}({} or {})", text.empty() ? "" : " and ", a, b);
    complement += fmt::format("{}(not ({}) and not ({}))", complement.empty() ? "" : " or ", a, b);
  }
  Start({text, "not (" + complement + ")", "in segment 's0' and age > 3", complement});
  EXPECT_EQ(world.table().variables()[0].condition->kind, Condition::Kind::kAnd);
  EXPECT_EQ(world.table().variables()[1].condition->kind, Condition::Kind::kAnd) << "the complement included";
  EXPECT_TRUE(world.table().variables()[1].condition->complement);
  world.shard.Set(row, "big", int64_t{9});
  world.shard.Set(row, "email", std::string("a"));
  world.shard.Set(row, "zone", std::string("a"));
  world.shard.Set(row, "member", true);
  world.shard.Set(row, "interests", StringSet{"a"});
  EXPECT_THAT(Set("age", int64_t{5}), ElementsAre(Pair(0, true), Pair(1, true), Pair(2, true), Pair(3, false)));
  EXPECT_THAT(Set("age", int64_t{3}), Out(2));
  EXPECT_THAT(Set("member", false), ElementsAre(Pair(0, false), Pair(1, false), Pair(3, true)));
}

TEST_F(RuleTableTest, OfARuleThatIsOnePredicateNoPartsAreLeft) {
  Start(
      {"(age > 1 or country = 'a') and (big > 1 or tier = 'a') and (balance > 1 or email = 'a') and (score > 1.0 or zone = 'a') and "
       "(member or birth > now()) and (in segment 'list' or age < big) and (interests has 'a' or has_identifier('email'))"});
  EXPECT_EQ(world.table().variables().size(), 1u);
  EXPECT_THAT(Set("age", int64_t{1'001}), IsEmpty());
}

TEST_F(RuleTableTest, ConjunctionsThatContradictThemselvesAreLeftOut) {
  std::string text;  // age is none of seven, or it is one of them and the tier its own: eight of 128
  for (int i = 0; i < 7; ++i) text += fmt::format("{}(age != {} or tier = '{}')", i == 0 ? "" : " and ", i, i);
  Start({text});
  EXPECT_EQ(world.Count(Kind::kColumn), 2u);
  EXPECT_EQ(world.Count(Kind::kPredicate), 0u);
  EXPECT_THAT(Set("tier", std::string("3")), IsEmpty());
  EXPECT_THAT(Set("age", int64_t{3}), In(0));
  EXPECT_THAT(Set("age", int64_t{2}), Out(0));
  EXPECT_THAT(Set("age", int64_t{9}), In(0));
}

TEST_F(RuleTableTest, AlternativesOfOneColumnAreOneTest) {
  std::string text = "country = 'c0'";
  for (int i = 1; i < 200; ++i) text += fmt::format(" or country = 'c{}'", i);
  Start({text, "(age < 3 or age > 9) and not (age = 1)"});
  EXPECT_EQ(world.Count(Kind::kPredicate), 0u);
  EXPECT_THAT(Set("country", std::string("c150")), In(0));
  EXPECT_THAT(Set("country", std::string("c3")), IsEmpty());
  EXPECT_THAT(Set("country", std::string("d")), Out(0));
  EXPECT_THAT(Set("age", int64_t{2}), In(1));
  EXPECT_THAT(Set("age", int64_t{1}), Out(1));
  EXPECT_THAT(Set("age", int64_t{10}), In(1));
}

// Segments that are not kept stand there as their text: thirty that use each other twice are few nodes and a billion paths.
TEST_F(RuleTableTest, SharedDefinitionsAreTakenApartOnce) {
  NamedDefinitions& definitions = world.shard.definitions;
  definitions.segments["d0"] = {SegmentId(RuleWorld::kNotKept), false, world.shard.Compile("age > 3")};
  for (uint32_t i = 1; i <= 30; ++i) {
    const std::string text = fmt::format("in segment 'd{}' and (in segment 'd{}' or age != {})", i - 1, i - 1, i);
    definitions.segments[fmt::format("d{}", i)] = {SegmentId(RuleWorld::kNotKept + i), false, world.shard.Compile(text)};
  }
  Start({"in segment 'd30'", "not in segment 'd30'"});
  EXPECT_THAT(Set("age", int64_t{5}), ElementsAre(Pair(0, true), Pair(1, false)));
  EXPECT_THAT(Set("age", int64_t{2}), ElementsAre(Pair(0, false), Pair(1, true)));
}

TEST_F(RuleTableTest, WhatChangedTogetherIsJudgedTogether) {
  Start({"age > 3 and country = 'nl'", "age > 3 or country = 'nl'"});
  EXPECT_THAT(Set("age", int64_t{4}), In(1));
  EXPECT_THAT(Flip([&] {
                world.shard.Set(row, "age", int64_t{3});
                world.shard.Set(row, "country", std::string("nl"));
              }),
              IsEmpty());
}

TEST_F(RuleTableTest, AColumnOfANarrowerTypeIsReadAsItWillBe) {
  world.shard.Set(row, "age", int64_t{4});
  world.shard.names.mutable_schema()->attributes[world.shard.names.attribute("age").id.value].type = DecimalType(2);
  Start({"age >= 3.5", "age >= 4.01"});
  EXPECT_THAT(world.RulesOf(row), ElementsAre(0));
  EXPECT_THAT(world.Members(row), ElementsAre(0));
}

TEST_F(RuleTableTest, CodesAreForgottenWithTheirColumn) {
  Start({"country = 'nl'", "country like 'b%'", "interests has 'a'"});
  Set("country", std::string("nl"));
  Set("interests", StringSet{"a"});
  world.shard.table.DropColumn(world.shard.names.attribute("country").id);
  world.shard.table.DropColumn(world.shard.names.attribute("interests").id);
  world.rules().ForgetCodes();
  world.Judge(row);
  EXPECT_THAT(world.RulesOf(row), IsEmpty());
  EXPECT_THAT(Set("country", std::string("be")), In(1));
  EXPECT_THAT(Set("interests", StringSet{"b"}), IsEmpty());
  EXPECT_THAT(Set("country", std::string("nl")), ElementsAre(Pair(0, true), Pair(1, false)));
  EXPECT_THAT(Set("interests", StringSet{"a", "b"}), In(2));
}

// A thousand rules on one column: a change looks at those between the old value and the new one.
TEST_F(RuleTableTest, OnlyConjunctionsThatHoldAFlippedTestAreLookedAt) {
  for (int i = 0; i < 1'000; ++i) world.Add(fmt::format("age >= {} and big >= 10", i));
  for (int i = 0; i < 1'000; ++i) world.Add(fmt::format("balance >= {}", i));
  world.Add("age >= 500 or big > 100 or score > 1.0");
  world.Start();
  Set("age", int64_t{100});
  const uint64_t before = world.rules().conjunctions_looked_at();
  EXPECT_THAT(world.FlipsOf(row, [&] { world.shard.Set(row, "age", int64_t{107}); }), IsEmpty()) << "big is absent";
  EXPECT_EQ(world.rules().conjunctions_looked_at() - before, 7u);
  world.FlipsOf(row, [&] { world.shard.Set(row, "age", int64_t{107}); });
  EXPECT_EQ(world.rules().conjunctions_looked_at() - before, 7u) << "the same value";
  EXPECT_THAT(world.FlipsOf(row, [&] { world.shard.Set(row, "age", int64_t{500}); }), ElementsAre(Pair(2'000, true)));
  // From 108 to 500 are so many that the vector of `big` is asked first, which allows none of the rules on both; the last rule has
  // one conjunction that turned over and two others.
  EXPECT_EQ(world.rules().conjunctions_looked_at() - before, 7u + 3u);
}

// What stayed as it was is not read from its columns again; what is forgotten is.
TEST_F(RuleTableTest, ARowWhoseCellsAreKeptIsJudgedByThem) {
  for (int i = 0; i < 300; ++i)
    world.Add(fmt::format("age between {} and {} and big >= {} and score > {}.5", i % 20, i % 20 + 5, i % 7, i % 9));
  for (int i = 0; i < 300; ++i) world.Add(fmt::format("age >= {} and country = 'c{}'", i, i % 30));
  world.Start();
  for (const char* attribute : {"age", "big"}) Set(attribute, int64_t{4});
  Set("score", 4.75);
  Set("country", std::string("c3"));
  ShardRules& rules = world.rules();
  auto asked_for = [&](int64_t age) {
    const ShardRules::Change change{0, rules.CellOf(0, row)};
    world.shard.Set(row, "age", age);
    std::vector<ShardRules::Flip> flips;
    const uint64_t before = world.columns_asked;
    rules.FindFlips(row, 0, {&change, 1}, &flips);
    EXPECT_FALSE(flips.empty());
    rules.KeepCells(row, {&change, 1});
    return world.columns_asked - before;
  };
  EXPECT_EQ(asked_for(9), 2u) << "the column that changed, to judge it and to keep it";
  EXPECT_EQ(asked_for(4), 2u);
  rules.ForgetCells(row);
  EXPECT_GE(asked_for(9), 5u) << "all that the rules mention";
  EXPECT_EQ(asked_for(4), 2u);
}

TEST_F(RuleTableTest, TablesOfManyRulesStaySmall) {
  for (int i = 0; i < 3'000; ++i) world.Add(fmt::format("age between {} and {} and balance > {} and big != {}", i, i + 100, i, i));
  world.Start();
  EXPECT_LT(world.table().MemoryBytes(), 8u << 20);
  EXPECT_EQ(Set("age", int64_t{150}).size(), 0u);
  EXPECT_EQ(Set("balance", Decimal{100'000, 2}).size(), 0u);
  EXPECT_EQ(Set("big", int64_t{-1}).size(), 101u);
  EXPECT_EQ(Set("age", int64_t{2'000}).size(), 101u) << "beyond the balance: all leave, none enters";
}

}  // namespace
}  // namespace korrel
