// Facts about values: types, absence, overflow, rounding, functions, definitions, explanations.

#include <xxhash.h>

#include "tests/index/shard_fixture.h"

namespace korrel {
namespace {

Value Text(const char* text) { return std::string(text); }
const Value kAbsent;

struct Fact {
  const char* expression;
  Value value;
};

void ExpectFacts(const TestShard& shard, Row row, const std::vector<Fact>& facts) {
  for (const Fact& fact : facts)
    EXPECT_EQ(shard.Read(row, fact.expression), fact.value) << fact.expression << " = " << DisplayValue(shard.Read(row, fact.expression));
}

TEST(Evaluator, TestsWithAnAbsentOperandAreFalseAndNotIsTheComplement) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Set(row, "age", int64_t{3});
  ExpectFacts(shard, row,
              {{"country = 'NL'", false},
               {"country != 'NL'", false},
               {"not (country = 'NL')", true},
               {"country not in ('NL')", true},
               {"country like '%'", false},
               {"country contains ''", false},
               {"interests has none ('x')", false},
               {"interests has all ('x')", false},
               {"balance between 0 and 1", false},
               {"age < balance", false},
               {"country is absent", true},
               {"country is present", false},
               {"(country = 'NL') is absent", false},
               {"member", kAbsent},
               {"not member", true},
               {"member or age = 3", true},
               {"member = member", false},
               {"age + balance", kAbsent},
               {"coalesce(balance, age)", Decimal{300, 2}},
               {"coalesce(country, tier)", kAbsent},
               {"if(member, 1, 2)", int64_t{2}},
               {"if(age = 3, country, 'x')", kAbsent},
               {"lower(country)", kAbsent},
               {"min(age, balance)", kAbsent},
               {"bucket('a') >= 0", true},
               {"age_in(birth, 'year') >= 0", false}});
}

TEST(Evaluator, NumbersAreExactOrAbsent) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Set(row, "age", int64_t{-7});
  shard.Set(row, "big", INT64_MAX);
  shard.Set(row, "balance", Decimal{1'005, 2});
  shard.Set(row, "rate", Decimal{1, 18});
  shard.Set(row, "score", 2.5);
  ExpectFacts(shard, row,
              {{"age / 2", -3.5},
               {"age % 3", int64_t{-1}},
               {"-age % 3 + 2 * -4", int64_t{-7}},
               {"age / 0", kAbsent},
               {"age % 0", kAbsent},
               {"big + 1", kAbsent},
               {"big + 1 - 1", kAbsent},
               {"-big - 1", INT64_MIN},
               {"-(-big - 1)", kAbsent},
               {"abs(-big - 1)", kAbsent},
               {"big * 2", kAbsent},
               {"big > 9223372036854775806", true},
               {"big > 922337203685477580.7", true},
               {"big = 9223372036854775807e0", true},
               {"big > rate", true},
               {"big + rate", kAbsent},
               {"balance * 1.21", Decimal{121'605, 4}},
               {"round(balance * 1.21, 2)", Decimal{1'216, 2}},
               {"round(balance, 1)", Decimal{101, 1}},
               {"round(-balance, 1)", Decimal{-101, 1}},
               {"round(balance)", int64_t{10}},
               {"floor(-balance)", int64_t{-11}},
               {"ceil(-balance)", int64_t{-10}},
               {"round(score)", int64_t{3}},
               {"round(-score)", int64_t{-3}},
               {"floor(-score)", int64_t{-3}},
               {"round(score, 18)", Decimal{2'500'000'000'000'000'000, 18}},
               {"round(score * 4, 18)", kAbsent},
               {"round(1e19)", kAbsent},
               {"score * 0 * -1", 0.0},
               {"1 / (score * 0 * -1)", kAbsent},
               {"score * 1e308 * 10", kAbsent},
               {"min(age, balance, score)", -7.0},
               {"max(age, 3)", int64_t{3}},
               {"balance = 10.05 and balance = 10.0500", true},
               {"score = 2.5", true},
               {"age between -7.0 and -6.5", true},
               {"min(big, rate)", kAbsent}});
}

TEST(Evaluator, TimesStayInTheirRangeAndReadInTheirZone) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Set(row, "birth", Timestamp{kNow - 3 * kDay + 1});
  shard.Set(row, "zone", Text("Asia/Tokyo"));
  ExpectFacts(shard, row,
              {{"now() - birth < 3d", true},
               {"(now() - birth) / 1d > 2.9", true},
               {"birth + 3d > now()", true},
               {"date '9999-12-31' + 2d", kAbsent},
               {"year(now())", int64_t{2017}},
               {"weekday(now())", int64_t{6}},
               {"hour(now(), zone)", int64_t{9}},
               {"day(now() - 1us, 'Europe/Amsterdam')", int64_t{1}},
               {"hour(now(), country)", kAbsent},
               {"age_in(birth, 'day')", int64_t{2}},
               {"age_in(now() + 1us, 'day')", int64_t{-1}}});
}

TEST(Evaluator, TextsAreMappedByCodePoint) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Set(row, "country", Text("Zoë ÉCOLE"));
  shard.Set(row, "email", Text("a_b%c"));
  shard.Set(row, "interests", StringSet{"a", "b", "c"});
  ExpectFacts(shard, row,
              {{"lower(country)", Text("zoë école")},
               {"upper(country)", Text("ZOË ÉCOLE")},
               {"length(country)", int64_t{9}},
               {"length(interests)", int64_t{3}},
               {"country like 'Zo_ %'", true},
               {"country like 'Zo_'", false},
               {"email like 'a\\_b\\%_'", true},
               {"email like '%\\%%'", true},
               {"email like '_b%'", false},
               {"email like '%c%%'", true},
               {"email contains ''", true},
               {"email matches 'b.c$'", true},
               {"interests has country", false},
               {"interests has lower('A')", true},
               {"interests has all ('a', 'b', 'b')", true}});
}

TEST(Evaluator, BucketIsTheStatedHash) {
  TestShard shard;
  for (int i = 0; i < 20; ++i) {
    const Row row = shard.Add();
    std::string bytes("spring");
    bytes.push_back('\0');
    bytes.push_back(static_cast<char>(i + 1));
    bytes.append(7, '\0');
    EXPECT_EQ(shard.Read(row, "bucket('spring')"), Value(static_cast<int64_t>(XXH3_64bits(bytes.data(), bytes.size()) % 10'000)));
  }
}

TEST(Evaluator, UnknownNamesAreAbsentEverywhereWhereAllowed) {
  TestShard shard;
  shard.allow_unknown_names = true;
  const Row row = shard.Add();
  ExpectFacts(shard, row,
              {{"nobody = 'x'", false},
               {"not (nobody = 'x')", true},
               {"nobody is absent", true},
               {"count(nothing)", int64_t{0}},
               {"count(order where nobody = 1)", int64_t{0}},
               {"last_seen(nothing)", kAbsent}});
  EXPECT_EQ(shard.Match("nobody is absent and count(nothing) = 0").size(), 1u);
}

TEST(Evaluator, NamedSegmentsAndComputedAttributesAreEvaluatedInPlace) {
  TestShard shard;
  shard.definitions.segments["adult"] = {SegmentId(0), false, shard.Compile("age >= 18")};
  shard.definitions.segments["vip"] = {SegmentId(1), true, nullptr};
  shard.definitions.attributes["double_age"] = shard.Compile("age * 2");
  const Row young = shard.Add(), old = shard.Add(), unknown = shard.Add();
  shard.Set(young, "age", int64_t{17});
  shard.Set(old, "age", int64_t{18});
  shard.table.AddMember(SegmentId(1), old, std::nullopt);
  shard.table.AddMember(SegmentId(1), unknown, kNow);
  shard.table.AddMember(SegmentId(1), young, kNow + 1);
  EXPECT_EQ(shard.Match("in segment 'adult'"), std::vector<Row>{old});
  EXPECT_EQ(shard.Match("not in segment 'adult'"), (std::vector<Row>{young, unknown}));
  EXPECT_EQ(shard.Match("in segment 'vip'"), (std::vector<Row>{young, old}));
  EXPECT_EQ(shard.Match("in segment 'vip' and not in segment 'adult'"), std::vector<Row>{young});
  EXPECT_EQ(shard.Match("double_age > 35"), std::vector<Row>{old});
  EXPECT_EQ(shard.Match("in segment 'adult' or (in segment 'adult' and double_age = 36) or not in segment 'adult'").size(), 3u);
  EXPECT_EQ(shard.Read(young, "double_age + 1"), Value(int64_t{35}));
}

TEST(Evaluator, APlanIsStaleOnceItsColumnHasAWiderType) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Set(row, "age", int64_t{4});
  const PlanRef plan = shard.PlanOf("age > 3");
  WorkMeter meter;
  EXPECT_FALSE(Evaluator(*plan, shard.View(), &meter).PlanIsStale());
  shard.names.mutable_schema()->attributes[shard.names.attribute("age").id.value].type = DecimalType(1);
  const PlanRef ahead = shard.PlanOf("age > 3");  // the schema is ahead of the column
  EXPECT_FALSE(Evaluator(*ahead, shard.View(), &meter).PlanIsStale());
  EXPECT_EQ(shard.Match("age > 3.9"), std::vector<Row>{row});
  shard.table.WidenColumn(shard.names.attribute("age").id, DecimalType(1));
  EXPECT_TRUE(Evaluator(*plan, shard.View(), &meter).PlanIsStale());
  EXPECT_FALSE(Evaluator(*ahead, shard.View(), &meter).PlanIsStale());
}

TEST(Evaluator, ReadStopsWithinTheBudgetAndAnswersAtLeastOne) {
  TestShard shard;
  std::vector<Row> rows;
  for (int i = 0; i < 1'000; ++i) {
    rows.push_back(shard.Add());
    shard.Set(rows.back(), "country", std::string("c") + std::to_string(i));
  }
  const PlanRef plan = shard.PlanOf("upper(country)");
  size_t done = 0;
  while (done < rows.size()) {
    WorkMeter meter(1);
    Evaluator evaluator(*plan, shard.View(), &meter);
    ValueVector values;
    const size_t read = evaluator.Read(std::span(rows).subspan(done), &values);
    ASSERT_GT(read, 0u);
    ASSERT_EQ(values.present.size(), read);
    for (size_t i = 0; i < read; ++i) EXPECT_EQ(values.texts[i], "C" + std::to_string(done + i));
    done += read;
  }
}

TEST(Evaluator, AnExplanationCountsEveryPartOverAllLiveRows) {
  TestShard shard;
  for (int i = 0; i < 1'000; ++i) {
    const Row row = shard.Add();
    if (i % 2 == 0) shard.Set(row, "country", Text(i % 4 == 0 ? "NL" : "BE"));
    if (i % 5 != 0) shard.Set(row, "age", int64_t{i % 100});
    if (i % 10 == 0) shard.Track(row, "order", kNow);
  }
  const char* text = "country = 'NL' and (age < 50 or not (count(order) = 1))";
  const PlanRef plan = shard.PlanOf(text);
  ExplainNode whole, parts;
  WorkMeter meter;
  Evaluator evaluator(*plan, shard.View(), &meter);
  evaluator.Explain(0, &whole);
  for (uint32_t row = 0; row < kBlockRows;) {
    WorkMeter small(1);
    Evaluator turn(*plan, shard.View(), &small);
    const uint32_t end = turn.Explain(0, row, &parts);
    ASSERT_GT(end, row);
    EXPECT_TRUE(row >= 1'000 || end == row + 1) << "a used up budget ends at any row";
    row = end;
  }
  for (const ExplainNode* node : {&whole, &parts}) {
    EXPECT_EQ(node->profile_count, shard.Match(text).size());
    ASSERT_EQ(node->inputs.size(), 2u);
    EXPECT_EQ(node->inputs[0].text, "country = 'NL'");
    EXPECT_EQ(node->inputs[0].profile_count, 250u);
    EXPECT_EQ(node->inputs[0].absent_count, 500u);
    EXPECT_EQ(node->inputs[0].access, "posting");
    ASSERT_EQ(node->inputs[1].inputs.size(), 2u);
    EXPECT_EQ(node->inputs[1].inputs[0].absent_count, 200u);
    EXPECT_EQ(node->inputs[1].inputs[0].access, "range scan");
    EXPECT_EQ(node->inputs[1].inputs[1].profile_count, 900u);
    EXPECT_EQ(node->inputs[1].inputs[1].inputs[0].access, "events");
  }
}

TEST(Evaluator, AnExplanationOpensPartsThatReadNoRow) {
  TestShard shard;
  for (int i = 0; i < 100; ++i) shard.Set(shard.Add(), "age", int64_t{i});
  const PlanRef plan = shard.PlanOf("not (not (date '1999-01-01' between date '1998-01-01' and now())) and age < 10");
  ExplainNode node;
  WorkMeter meter;
  Evaluator(*plan, shard.View(), &meter).Explain(0, &node);
  EXPECT_EQ(node.profile_count, 10u);
  ASSERT_EQ(node.inputs.size(), 2u);
  const ExplainNode& twice = node.inputs[0];
  EXPECT_EQ(twice.profile_count, 100u);
  ASSERT_EQ(twice.inputs.size(), 1u);
  EXPECT_EQ(twice.inputs[0].profile_count, 0u);
  ASSERT_EQ(twice.inputs[0].inputs.size(), 1u);
  EXPECT_EQ(twice.inputs[0].inputs[0].profile_count, 100u);
  EXPECT_EQ(twice.inputs[0].inputs[0].absent_count, 0u);
  EXPECT_EQ(twice.inputs[0].inputs[0].access, "constant");
}

TEST(Evaluator, AnExplanationOfOneRowSaysWhatWasNeededAndWhatWasThere) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Set(row, "country", Text("BE"));
  const PlanRef plan = shard.PlanOf("country = 'NL' and not (age between 25 and 40)");
  WorkMeter meter;
  const ExplainNode node = Evaluator(*plan, shard.View(), &meter).ExplainRow(row);
  EXPECT_FALSE(node.truth);
  ASSERT_EQ(node.inputs.size(), 2u);
  EXPECT_FALSE(node.inputs[0].truth);
  EXPECT_EQ(node.inputs[0].needed, "= 'NL'");
  EXPECT_EQ(node.inputs[0].actual, Text("BE"));
  EXPECT_TRUE(node.inputs[1].truth);
  const ExplainNode& between = node.inputs[1].inputs[0];
  EXPECT_EQ(between.needed, "between 25 and 40");
  EXPECT_EQ(between.actual, kAbsent);
  EXPECT_EQ(between.absent_count, 1u);
}

}  // namespace
}  // namespace korrel
