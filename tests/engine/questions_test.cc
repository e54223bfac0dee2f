// Count, Explain, Overlap, Sample and what all questions share, on one, two and eight shards: answers never depend on the layout.
#include <fmt/format.h>

#include <cmath>
#include <set>

#include "tests/engine/question_fixture.h"

namespace korrel {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;

class Questions : public testing::TestWithParam<uint32_t> {
 protected:
  Questions() : db(GetParam()) {}

  // 60 profiles: every second is gold, every third has an age, every fifth a score; shoes and bags go by 2 and 3.
  void Fill() {
    for (int64_t i = 0; i < 60; ++i) {
      Attributes attributes = {{"n", i}, {"tier", std::string(i % 2 ? "basic" : "gold")}};
      if (i % 3 == 0) attributes["age"] = 20 + i;
      if (i % 5 == 0) attributes["score"] = static_cast<double>(i) / 10;
      StringSet interests;
      if (i % 3 == 0) interests.push_back("bags");
      if (i % 2 == 0) interests.push_back("shoes");
      attributes["interests"] = interests;
      db.Put(fmt::format("customer:{}", i), attributes);
    }
  }

  TestDatabase db;
};
INSTANTIATE_TEST_SUITE_P(Shards, Questions, testing::Values(1, 2, 8), testing::PrintToStringParamName());

TEST_P(Questions, CountIsExact) {
  EXPECT_EQ(db.Count("true"), 0u);
  Fill();
  EXPECT_EQ(db.Count("true"), 60u);
  EXPECT_EQ(db.Count("tier = 'gold'"), 30u);
  EXPECT_EQ(db.Count("tier = 'gold' and age >= 50"), 5u);
  EXPECT_EQ(db.Count("not (age > 0)"), 40u);
  EXPECT_EQ(db.Count("interests has all ('bags', 'shoes')"), 10u);
}

TEST_P(Questions, AnswersSayWhatTheyReflect) {
  Fill();
  const Position before = db->log().Last();
  const auto answer = db->Count({"tier='gold' AND age>=50"});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->position, before);
  EXPECT_EQ(answer->now_us, kNowUs);
  EXPECT_EQ(answer->normal_form, "tier = 'gold' and age >= 50");
  EXPECT_EQ(answer->truncated_count, 0u);
}

TEST_P(Questions, ErrorsPointIntoTheRequest) {
  Fill();
  const auto unknown = db->Count({"teer = 'gold'"});
  EXPECT_THAT(unknown, FailsWith(StatusCode::kInvalidArgument, "UNKNOWN_NAME"));
  EXPECT_THAT(FieldOf(unknown.status()), testing::StartsWith("selection.expression"));
  ASSERT_TRUE(ExpressionErrorOf(unknown.status()).has_value());
  EXPECT_EQ(ExpressionErrorOf(unknown.status())->column, 1u);
  EXPECT_THAT(db->Count({"age"}), FailsWith(StatusCode::kInvalidArgument, "TYPE"));
  EXPECT_EQ(db->Count({"teer = 'gold'", true})->count, 0u);
  const std::vector<Selection> selections = {{"true"}, {"teer = 'x'"}};
  EXPECT_THAT(FieldOf(db->Overlap(selections).status()), testing::StartsWith("selections[1].expression"));
}

TEST_P(Questions, ParametersAreBound) {
  Fill();
  Selection selection{"tier = @tier and age > @min"};
  selection.parameters = {{"tier", std::string("gold")}, {"min", int64_t{60}}};
  const auto answer = db->Count(selection);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->count, db.Count("tier = 'gold' and age > 60"));
}

TEST_P(Questions, WaitingForAPositionEndsAtTheDeadline) {
  Fill();
  Selection selection{"true"};
  selection.read.min_position = Position(db->log().Last().value + 1);
  selection.read.deadline_ns = 1;  // passed long ago
  EXPECT_THAT(db->Count(selection), FailsWith(StatusCode::kUnavailable, "POSITION_NOT_REACHED"));
  selection.read.min_position = db->log().Last();
  selection.read.deadline_ns = INT64_MAX;
  EXPECT_TRUE(db->Count(selection).ok());
}

// However much a question still has to do, it ends between two turns once nobody waits for it.
TEST_P(Questions, EndAtTheirDeadline) {
  Fill();
  Selection late{"true"};
  late.read.deadline_ns = 1;  // passed long ago
  EXPECT_THAT(db->Count(late), FailsWith(StatusCode::kDeadlineExceeded, "DEADLINE"));
  EXPECT_THAT(db->Explain(late, ""), FailsWith(StatusCode::kDeadlineExceeded, "DEADLINE"));
  EXPECT_THAT(db->Breakdown({.selection = late, .by = {"tier"}}), FailsWith(StatusCode::kDeadlineExceeded, "DEADLINE"));
  EXPECT_THAT(db->Sample({.selection = late, .size = 3}), FailsWith(StatusCode::kDeadlineExceeded, "DEADLINE"));
  EXPECT_THAT(db->Overlap(std::vector<Selection>{late}), FailsWith(StatusCode::kDeadlineExceeded, "DEADLINE"));
  for (const std::string by : {"", "age"}) {
    auto stream = db->Query({.selection = late, .order_by = {by}, .limit = 10});
    ASSERT_TRUE(stream.ok()) << stream.status();
    EXPECT_THAT((*stream)->Next(), FailsWith(StatusCode::kDeadlineExceeded, "DEADLINE"));
  }
}

TEST_P(Questions, APositionOfAnotherRunIsLost) {
  auto open = [](uint16_t epoch) {
    DatabaseOptions options;
    options.shards = GetParam();
    options.log = MakeMemoryLog(kMemoryLogBytes, epoch);
    return std::move(*Database::Open(std::move(options)));
  };
  const auto run = open(7);
  Selection selection{"true"};
  selection.read.deadline_ns = 1;
  for (const bool filled : {false, true}) {
    if (filled) {
      ASSERT_TRUE(run->Upsert(std::vector<ProfileWrite>{{.identifiers = {"c:1"}}}, {}).ok());
    }
    for (const uint16_t epoch : {6, 8}) {
      selection.read.min_position = MakePosition(epoch, 1);
      EXPECT_THAT(run->Count(selection), FailsWith(StatusCode::kOutOfRange, "POSITION_LOST")) << filled << epoch;
    }
    selection.read.min_position = MakePosition(7, 2'000);
    EXPECT_THAT(run->Count(selection), FailsWith(StatusCode::kUnavailable, "POSITION_NOT_REACHED")) << filled;
  }
}

TEST(Runs, InMemoryHaveEpochsOfTheirOwn) {
  std::set<uint16_t> epochs;
  for (int i = 0; i < 4; ++i) epochs.insert((*Database::Open({.shards = 1, .threads = 1}))->log().Epoch());
  EXPECT_GT(epochs.size(), 1u);  // four equal ones by chance: once in 2^48
  EXPECT_FALSE(epochs.contains(0));
}

TEST_P(Questions, TruncatedHistoriesAreAdmitted) {
  TestDatabase small(GetParam(), 3);
  for (int i = 0; i < 5; ++i) small.Track("c:cut", "visit", kNowUs - i * kDayUs, {{"page", std::string("/a")}});
  for (int i = 0; i < 3; ++i) small.Track("c:whole", "visit", kNowUs - i * kDayUs, {});
  for (int i = 0; i < 9; ++i) small.Track("c:other", "order", kNowUs - i * kDayUs, {});
  small.Define({ComputedAttribute("visits", "count(visit)")});
  EXPECT_EQ(small->Count({"count(visit) = 3"})->truncated_count, 1u);
  EXPECT_EQ(small->Count({"visits = 3"})->truncated_count, 1u) << "also through a definition";
  EXPECT_EQ(small->Count({"count(any) > 0"})->truncated_count, 2u);
  EXPECT_EQ(small->Count({"count(visit) = 0"})->truncated_count, 0u) << "only profiles that match count";
  EXPECT_EQ(small->Count({"true"})->truncated_count, 0u) << "only event types that are used count";
  EXPECT_EQ(small->Explain({"count(visit) = 3"}, "")->truncated_count, 1u);
  EXPECT_EQ(small->Explain({"count(visit) = 3"}, "c:cut")->truncated_count, 1u);
  EXPECT_EQ(small->Explain({"count(visit) = 3"}, "c:whole")->truncated_count, 0u);
  SampleRequest sample{.selection = {"true"}, .size = 10, .select = {"count(visit)"}};
  EXPECT_EQ(small->Sample(sample)->truncated_count, 1u) << "what is shown counts as used";
  const std::vector<Selection> selections = {{"count(visit) > 0"}, {"count(order) > 0"}};
  EXPECT_EQ(small->Overlap(selections)->truncated_count, 2u);
}

// ---- Overlap ----

TEST_P(Questions, OverlapEqualsCountsOfPairs) {
  Fill();
  const std::vector<std::string> texts = {"tier = 'gold'", "age is present", "score > 2.0", "interests has 'bags'", "false", "true"};
  std::vector<Selection> selections;
  for (const std::string& text : texts) selections.push_back({text});
  const auto answer = db->Overlap(selections);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->population_count, 60u);
  const size_t n = texts.size();
  ASSERT_EQ(answer->counts.size(), n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      const double a = db.Count(texts[i]), b = db.Count(texts[j]);
      const double both = db.Count(fmt::format("({}) and ({})", texts[i], texts[j]));
      const double either = db.Count(fmt::format("({}) or ({})", texts[i], texts[j]));
      EXPECT_EQ(answer->counts[i * n + j], both) << texts[i] << " · " << texts[j];
      EXPECT_EQ(answer->jaccard[i * n + j], either == 0 ? 0 : both / either) << texts[i] << " · " << texts[j];
      EXPECT_EQ(answer->lift[i * n + j], a == 0 || b == 0 ? 0 : both * 60 / (a * b)) << texts[i] << " · " << texts[j];
    }
  }
}

TEST_P(Questions, OverlapTakesOneToAHundredSelections) {
  Fill();
  EXPECT_THAT(db->Overlap({}), FailsWith(StatusCode::kInvalidArgument, "LIMIT"));
  const std::vector<Selection> hundred(100, Selection{"tier = 'gold'"});
  const auto answer = db->Overlap(hundred);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(answer->counts, testing::Each(30u));
  EXPECT_THAT(db->Overlap(std::vector<Selection>(101, Selection{"true"})), FailsWith(StatusCode::kInvalidArgument, "LIMIT"));
}

// ---- Explain ----

TEST_P(Questions, ExplainCountsWhatCountCounts) {
  Fill();
  const auto answer = db->Explain({"tier = 'gold' and age >= 50"}, "");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->plan.profile_count, 5u);
  ASSERT_EQ(answer->plan.inputs.size(), 2u);
  EXPECT_EQ(answer->plan.inputs[0].profile_count + answer->plan.inputs[1].profile_count, 30u + 10u);
  EXPECT_EQ(answer->plan.inputs[0].absent_count + answer->plan.inputs[1].absent_count, 40u) << "those without an age";
  EXPECT_EQ(answer->normal_form, "tier = 'gold' and age >= 50");
}

TEST_P(Questions, ExplainOfNobodyHasThePlansShape) {
  db.Put("customer:1", {{"tier", std::string("gold")}});
  ASSERT_TRUE(db->Delete("customer:1", {}).ok());
  const auto answer = db->Explain({"tier = 'gold' and tier != 'x'"}, "");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->plan.inputs.size(), 2u);
  EXPECT_EQ(answer->plan.profile_count, 0u);
}

TEST_P(Questions, ExplainOneSaysWhatWasThere) {
  Fill();
  const auto answer = db->Explain({"tier = 'gold' and age >= 50"}, "customer:6");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_FALSE(answer->plan.truth);
  ASSERT_EQ(answer->plan.inputs.size(), 2u);
  std::set<std::string> actual;
  for (const ExplainNode& node : answer->plan.inputs) actual.insert(DisplayValue(node.actual));
  EXPECT_THAT(actual, ElementsAre("'gold'", "26"));
  EXPECT_THAT(db->Explain({"true"}, "customer:999"), FailsWith(StatusCode::kNotFound, "PROFILE"));
  EXPECT_THAT(db->Explain({"true"}, "no colon"), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
}

// ---- Sample ----

std::vector<uint64_t> IdsOf(const ResultBatch& batch) {
  std::vector<uint64_t> ids;
  for (ProfileId id : batch.profile_ids) ids.push_back(id.value);
  return ids;
}

TEST_P(Questions, SampleIsRepeatableAndKnowsNoLayout) {
  Fill();
  SampleRequest request{.selection = {"tier = 'gold'"}, .size = 10, .seed = 7, .select = {"n", "tier"}, .identifier_types = {"customer"}};
  const auto answer = db->Sample(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->member_count, 30u);
  ASSERT_EQ(answer->batch.size, 10u);
  EXPECT_TRUE(std::is_sorted(answer->batch.profile_ids.begin(), answer->batch.profile_ids.end()));
  for (size_t i = 0; i < 10; ++i) {
    const std::string n = DisplayValue(answer->batch.columns[0].At(i));
    EXPECT_THAT(answer->batch.identifiers[i], ElementsAre("customer:" + n));
    EXPECT_EQ(DisplayValue(answer->batch.columns[1].At(i)), "'gold'");
  }
  EXPECT_EQ(IdsOf(db->Sample(request)->batch), IdsOf(answer->batch));
  // The same records in another layout get the same ids, and the same of them are drawn.
  TestDatabase other(GetParam() == 4 ? 1 : 4);
  for (int64_t i = 0; i < 60; ++i) {
    other.Put(fmt::format("customer:{}", i), {{"n", i}, {"tier", std::string(i % 2 ? "basic" : "gold")}});
  }
  EXPECT_EQ(RowTexts(other->Sample(request)->batch), RowTexts(answer->batch));
  request.seed = 8;
  EXPECT_NE(IdsOf(db->Sample(request)->batch), IdsOf(answer->batch));
}

TEST_P(Questions, SampleIsUniform) {
  Fill();
  std::map<uint64_t, int> drawn;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    for (uint64_t id : IdsOf(db->Sample({.selection = {"true"}, .size = 15, .seed = seed})->batch)) ++drawn[id];
  }
  // Binomial(400, 1/4): mean 100, standard deviation 8.7. Seeds are fixed, so this cannot fail by chance.
  ASSERT_EQ(drawn.size(), 60u);
  double chi_squared = 0;
  for (const auto& [id, times] : drawn) {
    EXPECT_NEAR(times, 100, 40) << "profile " << id;
    chi_squared += (times - 100) * (times - 100) / 75.0;
  }
  EXPECT_LT(chi_squared, 110) << "60 degrees of freedom: 110 would be one in ten thousand";
}

TEST_P(Questions, SampleTakesEverybodyWhereThereAreFewer) {
  Fill();
  const auto answer = db->Sample({.selection = {"n < 3"}, .size = 10'000});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->batch.size, 3u);
  EXPECT_THAT(db->Sample({.selection = {"true"}, .size = 0}), FailsWith(StatusCode::kInvalidArgument, "LIMIT"));
  EXPECT_THAT(db->Sample({.selection = {"true"}, .size = 10'001}), FailsWith(StatusCode::kInvalidArgument, "LIMIT"));
}

// ---- Selections as lists ----

TEST_P(Questions, WhoMatchesCanBecomeAList) {
  Fill();
  db.Define({StaticSegment("picked")});
  UpdateMembersRequest request;
  request.segment = "picked";
  request.operation = MemberOperation::kPut;
  request.selection = Selection{"tier = 'gold' and n < 20"};
  const auto answer = db->UpdateMembers(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->member_count, 10u);
  EXPECT_EQ(db.Count("in segment 'picked'"), 10u);
  EXPECT_EQ(db.Count("in segment 'picked' and not (tier = 'gold' and n < 20)"), 0u);
}

// ---- Types that widen while they are asked about ----

TEST_P(Questions, AWiderTypeIsNoticed) {
  Fill();
  EXPECT_EQ(db.Count("n >= 10"), 50u);
  db.Put("customer:1000", {{"n", Decimal{155, 1}}});
  EXPECT_EQ(db.Count("n >= 10"), 51u);
  EXPECT_EQ(db.Count("n = 15.5"), 1u);
}

}  // namespace
}  // namespace korrel
