// Breakdown: groups and measures, on one, two and eight shards.
#include <fmt/format.h>

#include <cfloat>
#include <cmath>
#include <random>

#include "engine/question/exact_sum.h"
#include "tests/engine/question_fixture.h"

namespace korrel {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class Breakdown : public testing::TestWithParam<uint32_t> {
 protected:
  Breakdown() : db(GetParam()) {}

  BreakdownAnswer Ask(const BreakdownRequest& request) {
    auto answer = db->Breakdown(request);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? std::move(*answer) : BreakdownAnswer();
  }
  std::vector<std::string> Rows(const BreakdownRequest& request) { return RowTexts(Ask(request).groups); }

  // Twelve customers: NL 5, BE 3, DE 3, none 1.
  void Fill() {
    const std::vector<std::string> countries = {"NL", "NL", "NL", "NL", "NL", "DE", "DE", "DE", "BE", "BE", "BE", ""};
    for (int64_t i = 0; i < 12; ++i) {
      Attributes attributes = {{"n", i}, {"spend", Decimal{i * 150, 2}}, {"member", i % 2 == 0}};
      if (!countries[i].empty()) attributes["country"] = countries[i];
      if (i % 3 != 0) attributes["score"] = static_cast<double>(i) / 4;
      db.Put(fmt::format("customer:{}", i), attributes);
    }
  }

  TestDatabase db;
};
INSTANTIATE_TEST_SUITE_P(Shards, Breakdown, testing::Values(1, 2, 8), testing::PrintToStringParamName());

TEST_P(Breakdown, GroupsComeByFallingCountThenValueAbsentLast) {
  Fill();
  const BreakdownAnswer answer = Ask({.selection = {"true"}, .by = {"country"}});
  EXPECT_THAT(FieldNames(answer.groups), ElementsAre("country", "count"));
  EXPECT_THAT(RowTexts(answer.groups), ElementsAre("'NL' 5", "'BE' 3", "'DE' 3", "absent 1"));
  EXPECT_EQ(answer.total_count, 12u);
  EXPECT_EQ(answer.other_count, 0u);
  EXPECT_FALSE(answer.groups_overlap);
  EXPECT_EQ(answer.now_us, kNowUs);
  // Among equals absent comes behind every value.
  EXPECT_THAT(Rows({.selection = {"n in (0, 5, 8, 11)"}, .by = {"country"}}), ElementsAre("'BE' 1", "'DE' 1", "'NL' 1", "absent 1"));
}

TEST_P(Breakdown, TheSelectionDecidesWhoIsIn) {
  Fill();
  EXPECT_THAT(Rows({.selection = {"member and spend >= 3.00"}, .by = {"country"}}), ElementsAre("'BE' 2", "'NL' 2", "'DE' 1"));
  EXPECT_THAT(Rows({.selection = {"false"}, .by = {"country"}}), IsEmpty());
}

TEST_P(Breakdown, WithoutByThereIsOneGroupEverybody) {
  Fill();
  BreakdownRequest request{.selection = {"country = 'NL'"}, .measures = {{"spend"}}};
  const BreakdownAnswer answer = Ask(request);
  EXPECT_THAT(FieldNames(answer.groups), ElementsAre("count", "sum(spend)", "avg(spend)", "min(spend)", "max(spend)"));
  EXPECT_THAT(RowTexts(answer.groups), ElementsAre("5 15.00 3 0.00 6.00"));
  request.selection.expression = "false";
  EXPECT_THAT(Rows(request), ElementsAre("0 0.00 absent absent absent")) << "also where nobody is in it";
}

TEST_P(Breakdown, MeasuresSkipTheAbsent) {
  Fill();
  EXPECT_THAT(Rows({.selection = {"n in (0, 1, 2, 3)"}, .by = {"country"}, .measures = {{"score"}}}),
              ElementsAre("'NL' 4 0.75 0.375 0.25 0.5"));
  EXPECT_THAT(Rows({.selection = {"n in (0, 3)"}, .by = {"country"}, .measures = {{"score"}}}),
              ElementsAre("'NL' 2 0 absent absent absent"));
}

TEST_P(Breakdown, GroupsByExpressionsBoolsNumbersAndSeveral) {
  Fill();
  EXPECT_THAT(Rows({.selection = {"true"}, .by = {"member"}}), ElementsAre("false 6", "true 6"));
  EXPECT_THAT(Rows({.selection = {"true"}, .by = {"n / 6 >= 1"}}), ElementsAre("false 6", "true 6"));
  EXPECT_THAT(Rows({.selection = {"true"}, .by = {"n % 5"}}), ElementsAre("0 3", "1 3", "2 2", "3 2", "4 2"));
  EXPECT_THAT(Rows({.selection = {"n < 7"}, .by = {"country", "member"}, .measures = {{"n"}}}),
              ElementsAre("'NL' true 3 6 2 0 4", "'NL' false 2 4 2 1 3", "'DE' false 1 5 5 5 5", "'DE' true 1 6 6 6 6"));
}

TEST_P(Breakdown, SetsGroupPerItemAndSaySo) {
  db.Put("c:1", {{"tags", StringSet{"a", "b"}}, {"n", int64_t{1}}});
  db.Put("c:2", {{"tags", StringSet{"b", "c"}}, {"n", int64_t{10}}});
  db.Put("c:3", {{"tags", StringSet{}}, {"n", int64_t{100}}});
  db.Put("c:4", {{"n", int64_t{1'000}}});
  const BreakdownAnswer answer = Ask({.selection = {"true"}, .by = {"tags"}, .measures = {{"n"}}});
  EXPECT_TRUE(answer.groups_overlap);
  EXPECT_EQ(answer.total_count, 4u);
  EXPECT_EQ(answer.groups.fields[0].type, kStringType);
  // An empty set is present and has no item: in no group.
  EXPECT_THAT(RowTexts(answer.groups),
              ElementsAre("'b' 2 11 5.5 1 10", "'a' 1 1 1 1 1", "'c' 1 10 10 10 10", "absent 1 1000 1000 1000 1000"));
  const BreakdownAnswer pairs = Ask({.selection = {"n < 100"}, .by = {"tags", "tags"}});
  EXPECT_THAT(RowTexts(pairs.groups),
              ElementsAre("'b' 'b' 2", "'a' 'a' 1", "'a' 'b' 1", "'b' 'a' 1", "'b' 'c' 1", "'c' 'b' 1", "'c' 'c' 1"));
}

TEST_P(Breakdown, TooManyGroupsOfOneProfileAreRefused) {
  StringSet many;
  for (int i = 0; i < 101; ++i) many.push_back(fmt::format("{:03}", i));
  db.Put("c:1", {{"tags", many}});
  EXPECT_THAT(Rows({.selection = {"true"}, .by = {"tags"}}), SizeIs(101));
  EXPECT_THAT(db->Breakdown({.selection = {"true"}, .by = {"tags", "tags"}}), FailsWith(StatusCode::kResourceExhausted, "GROUPS"));
}

TEST_P(Breakdown, TheLimitCountsTheRest) {
  Fill();
  BreakdownRequest request{.selection = {"true"}, .by = {"country"}, .limit = 2};
  const BreakdownAnswer answer = Ask(request);
  EXPECT_THAT(RowTexts(answer.groups), ElementsAre("'NL' 5", "'BE' 3"));
  EXPECT_EQ(answer.other_count, 4u);
  EXPECT_EQ(answer.total_count, 12u);
  request.limit = 100'001;
  EXPECT_THAT(db->Breakdown(request), FailsWith(StatusCode::kInvalidArgument, "LIMIT"));
}

TEST_P(Breakdown, ByDefaultAThousandGroups) {
  for (int64_t i = 0; i < 1'010; ++i) db.Put(fmt::format("c:{}", i), {{"n", i}});
  const BreakdownAnswer answer = Ask({.selection = {"true"}, .by = {"n"}});
  EXPECT_EQ(answer.groups.size, 1'000u);
  EXPECT_EQ(answer.other_count, 10u);
  EXPECT_EQ(RowText(answer.groups, 999), "999 1");
}

TEST_P(Breakdown, QuantilesAreNearestRank) {
  for (int64_t i = 1; i <= 10; ++i) db.Put(fmt::format("c:{}", i), {{"n", i * 10}, {"x", static_cast<double>(-i)}});
  const Measure measure{.of = "n", .quantiles = {0, 0.1, 0.25, 0.5, 0.95, 1}};
  const BreakdownAnswer answer = Ask({.selection = {"true"}, .measures = {measure}});
  EXPECT_THAT(FieldNames(answer.groups), ElementsAre("count", "sum(n)", "avg(n)", "min(n)", "max(n)", "quantile(n, 0)", "quantile(n, 0.1)",
                                                     "quantile(n, 0.25)", "quantile(n, 0.5)", "quantile(n, 0.95)", "quantile(n, 1)"));
  EXPECT_THAT(RowTexts(answer.groups), ElementsAre("10 550 55 10 100 10 10 30 50 100 100"));
  EXPECT_THAT(Rows({.selection = {"true"}, .measures = {{"x", {0.5}, {}}}}), ElementsAre("10 -55 -5.5 -10 -1 -6"));
  EXPECT_THAT(Rows({.selection = {"false"}, .measures = {measure}}),
              ElementsAre("0 0 absent absent absent absent absent absent absent absent absent"));
}

TEST_P(Breakdown, HistogramsCountFromBoundToBound) {
  for (int64_t i = 0; i < 10; ++i) db.Put(fmt::format("c:{}", i), {{"n", i}, {"d", Decimal{i * 25, 2}}, {"x", i / 4.0}});
  auto histogram = [&](const std::string& of, std::vector<Value> bounds) {
    const BreakdownAnswer answer = Ask({.selection = {"true"}, .measures = {{of, {}, bounds}}});
    std::string counts;
    for (size_t c = 5; c < answer.groups.columns.size(); ++c) counts += DisplayValue(answer.groups.columns[c].At(0)) + " ";
    return counts;
  };
  EXPECT_EQ(histogram("n", {int64_t{3}, int64_t{7}}), "3 4 3 ") << "a bound belongs to the bucket it begins";
  EXPECT_EQ(histogram("n", {Decimal{25, 1}}), "3 7 ");
  EXPECT_EQ(histogram("n", {Decimal{-5, 1}, int64_t{0}}), "0 0 10 ");
  EXPECT_EQ(histogram("d", {int64_t{1}, Decimal{1251, 3}}), "4 2 4 ");
  EXPECT_EQ(histogram("x", {int64_t{1}, 1.5}), "4 2 4 ");
  EXPECT_EQ(histogram("n", {0.5, 8.5}), "1 8 1 ");
}

TEST_P(Breakdown, BadMeasuresAreRefused) {
  Fill();
  auto refused = [&](Measure measure) { return db->Breakdown({.selection = {"true"}, .measures = {std::move(measure)}}); };
  EXPECT_THAT(refused({"country"}), FailsWith(StatusCode::kInvalidArgument, "TYPE"));
  EXPECT_THAT(refused({"nothing"}), FailsWith(StatusCode::kInvalidArgument, "UNKNOWN_NAME"));
  EXPECT_THAT(refused({"n", {1.5}, {}}), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  EXPECT_THAT(refused({"n", {std::nan("")}, {}}), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  EXPECT_THAT(refused({"n", {}, {int64_t{2}, int64_t{1}}}), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  EXPECT_THAT(refused({"n", {}, {std::string("x")}}), FailsWith(StatusCode::kInvalidArgument, "TYPE"));
  EXPECT_THAT(refused({"n", std::vector<double>(101, 0.5), {}}), FailsWith(StatusCode::kInvalidArgument, "LIMIT"));
  EXPECT_EQ(FieldOf(refused({"n", {0.5, 2}, {}}).status()), "measures[0].quantiles[1]");
  EXPECT_EQ(FieldOf(db->Breakdown({.selection = {"true"}, .by = {"country", "contry"}}).status()), "by[1]");
}

TEST_P(Breakdown, ASumThatDoesNotFitIsAbsentItsAverageIsNot) {
  db.Put("c:1", {{"n", INT64_MAX}, {"x", DBL_MAX}});
  db.Put("c:2", {{"n", int64_t{1}}, {"x", DBL_MAX}});
  EXPECT_THAT(Rows({.selection = {"true"}, .measures = {{"n"}}}), ElementsAre(testing::StartsWith("2 absent 4.6116860184")));
  EXPECT_THAT(Rows({.selection = {"true"}, .measures = {{"x"}}}), ElementsAre(testing::StartsWith("2 absent absent 1.79")));
  db.Put("c:3", {{"n", int64_t{-1}}});
  EXPECT_THAT(Rows({.selection = {"true"}, .measures = {{"n"}}}), ElementsAre(testing::StartsWith("3 9223372036854775807 ")))
      << "only the end has to fit";
}

// Goal: sums of doubles are rounded once, whatever the order of rows. Method: the same values put in two orders, compared with the
// exact sum bit by bit.
TEST_P(Breakdown, SumsOfDoublesKnowNoOrder) {
  const uint64_t seed = 1;
  std::mt19937_64 random(seed);
  std::vector<double> values;
  ExactSum exact;
  for (int i = 0; i < 300; ++i) {
    values.push_back(std::ldexp(static_cast<double>(static_cast<int64_t>(random())), static_cast<int>(random() % 100) - 50));
    exact.Add(values.back());
  }
  for (int i = 0; i < 300; ++i) db.Put(fmt::format("c:{}", i), {{"x", values[i]}});
  TestDatabase reversed(GetParam());
  for (int i = 299; i >= 0; --i) reversed.Put(fmt::format("c:{}", i), {{"x", values[i]}});
  const BreakdownRequest request{.selection = {"true"}, .measures = {{"x"}}};
  const double sum = *exact.Round();
  EXPECT_EQ(std::get<double>(Ask(request).groups.columns[1].At(0)), sum) << "seed " << seed;
  EXPECT_EQ(std::get<double>(reversed->Breakdown(request)->groups.columns[1].At(0)), sum) << "seed " << seed;
  EXPECT_EQ(std::get<double>(Ask(request).groups.columns[2].At(0)), sum / 300);
}

TEST_P(Breakdown, GroupsByAggregatesJudgeAtOneInstant) {
  for (int i = 0; i < 30; ++i) {
    for (int e = 0; e < i % 3; ++e) db.Track(fmt::format("c:{}", i), "order", kNowUs - e * kDayUs, {{"amount", int64_t{i}}});
    if (i % 3 == 0) db.Put(fmt::format("c:{}", i), {{"n", int64_t{1}}});
  }
  EXPECT_THAT(Rows({.selection = {"true"}, .by = {"count(order)"}, .measures = {{"sum(order.amount)"}}}),
              ElementsAre("0 10 0 0 0 0", "1 10 145 14.5 1 28", "2 10 310 31 4 58"));
}

TEST_P(Breakdown, ManyValuesByCodeAndByValueAgree) {
  for (int i = 0; i < 500; ++i) db.Put(fmt::format("c:{}", i), {{"name", fmt::format("name {}", i % 97)}, {"n", int64_t{i}}});
  const auto by_code = Rows({.selection = {"n > 20"}, .by = {"name"}, .measures = {{"n"}}});
  const auto by_value = Rows({.selection = {"n > 20"}, .by = {"coalesce(name, '')"}, .measures = {{"n"}}});
  EXPECT_EQ(by_code, by_value);
  EXPECT_THAT(by_code, SizeIs(97));
}

}  // namespace
}  // namespace korrel
