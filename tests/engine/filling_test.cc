// Goal: while definitions are being filled every answer is exact and says which of what it used is not filled yet. Method: filling is held
// back, everything is asked, then it is let go and everything is asked again.
#include <gtest/gtest.h>

#include "engine/live/fill_driver.h"
#include "tests/engine/live_definitions.h"

namespace korrel {
namespace {

using Names = std::vector<std::string>;
using Fields = std::vector<uint32_t>;

class FillingTest : public testing::Test {
 protected:
  FillingTest() : db_(OpenForTest(4)) {
    for (int64_t i = 0; i < 100; ++i) UpsertOne(*db_, {"c:" + std::to_string(i)}, {Set("n", i)});
    Apply(*db_, {Computed("old", "n + 1"), Segment("old_half", "n < 50")});
  }
  // Applies and leaves unfilled.
  void Hold(std::vector<Definition> definitions) {
    CoreOf(*db_).replaying = true;
    CoreOf(*db_).fill_driver->FinishRound();
    ApplyRequest request;
    request.definitions = std::move(definitions);
    auto answer = db_->ApplyDefinitions(request);
    ASSERT_TRUE(answer.ok()) << answer.status();
    for (const DefinitionChange& change : answer->changes) ASSERT_TRUE(change.error.ok()) << change.error;
    revision_ = answer->revision;
  }
  void LetGo() {
    CoreOf(*db_).replaying = false;
    ASSERT_TRUE(db_->WaitUntilFilled(revision_, 0, {}).ok());
  }

  struct Answers {
    uint64_t count = 0;
    Names count_filling, segments, segments_filling;
    std::map<std::string, std::pair<std::string, bool>> attributes;  // value, filling
    Fields batch_get, query, ordered, sample;
    bool operator==(const Answers&) const = default;
  };
  Answers Ask() {
    Answers answers;
    const auto count = db_->Count({.expression = "in segment 'new_half' and twice < 40"}).value();
    answers.count = count.count;
    answers.count_filling = count.filling;
    const auto of = db_->SegmentsOf("c:7", {}).value();
    answers.segments = of.segments;
    answers.segments_filling = of.filling;
    const ProfileView view = db_->GetProfile("c:7", {}, false, {}).value();
    for (const AttributeView& a : view.attributes) answers.attributes[a.name] = {DisplayValue(a.value), a.filling};
    const Names select = {"n", "twice", "old", "old + twice"};
    const std::string profile = "c:7";
    answers.batch_get = db_->BatchGet({&profile, 1}, db_->PrepareProjection(select, false).value(), {})->batch.filling_fields;
    QueryRequest query;
    query.selection.expression = "n < 10";
    query.select = select;
    answers.query = (*db_->Query(query).value()->Next(1 << 20))->batch.filling_fields;
    query.order_by.by = "twice";
    query.limit = 5;
    answers.ordered = (*db_->Query(query).value()->Next(1 << 20))->batch.filling_fields;
    SampleRequest sample;
    sample.selection.expression = "n < 10";
    sample.select = select;
    sample.size = 3;
    answers.sample = db_->Sample(sample)->batch.filling_fields;
    return answers;
  }

  std::unique_ptr<Database> db_;
  uint64_t revision_ = 0;
};

TEST_F(FillingTest, AnswersAreExactAndNameWhatIsNotFilled) {
  Hold(
      {Computed("twice", "n * 2"), Segment("new_half", "twice < 100"), Segment("both", "in segment 'new_half' and in segment 'old_half'")});
  Answers answers = Ask();
  EXPECT_EQ(answers.count, 20u);
  EXPECT_EQ(answers.count_filling, (Names{"attributes/twice", "segments/new_half"}));
  EXPECT_EQ(answers.segments, (Names{"both", "new_half", "old_half"}));
  EXPECT_EQ(answers.segments_filling, (Names{"attributes/twice", "segments/both", "segments/new_half"}));
  EXPECT_EQ(answers.attributes.at("twice"), (std::pair<std::string, bool>("14", true)));
  EXPECT_EQ(answers.attributes.at("old"), (std::pair<std::string, bool>("8", false)));
  EXPECT_EQ(answers.attributes.at("n"), (std::pair<std::string, bool>("7", false)));
  for (const Fields& fields : {answers.batch_get, answers.query, answers.ordered, answers.sample}) EXPECT_EQ(fields, (Fields{1, 3}));
  EXPECT_EQ(db_->GetDefinition("segments/both")->state, DefinitionState::kFilling);
  EXPECT_LT(db_->GetDefinition("segments/both")->fill_ratio, 1);
  EXPECT_EQ(db_->GetDefinition("segments/old_half")->state, DefinitionState::kReady);

  LetGo();
  Answers filled = Ask();
  EXPECT_EQ(filled.count_filling, Names());
  EXPECT_EQ(filled.segments_filling, Names());
  for (const Fields& fields : {filled.batch_get, filled.query, filled.ordered, filled.sample}) EXPECT_EQ(fields, Fields());
  EXPECT_FALSE(filled.attributes.at("twice").second);
  EXPECT_EQ(filled.count, answers.count);
  EXPECT_EQ(filled.segments, answers.segments);
  EXPECT_EQ(db_->GetDefinition("segments/both")->state, DefinitionState::kReady);
}

// What is defined anew is not filled, and so is what uses it.
TEST_F(FillingTest, ARedefinitionIsFilledAnew) {
  Apply(*db_, {Computed("twice", "n * 2"), Segment("new_half", "twice < 100")});
  Hold({Computed("twice", "n * 3")});
  Answers answers = Ask();
  EXPECT_EQ(answers.count, 14u);
  EXPECT_EQ(answers.count_filling, (Names{"attributes/twice", "segments/new_half"}));
  EXPECT_EQ(answers.attributes.at("twice"), (std::pair<std::string, bool>("21", true)));
  EXPECT_EQ(answers.query, (Fields{1, 3}));
  LetGo();
  EXPECT_EQ(Ask().count_filling, Names());
}

}  // namespace
}  // namespace korrel
