// No question and no read holds a shard's lock for longer than one turn: kTurnWorkUnits of counted work, or one row where a single
// row costs more.
#include <fmt/format.h>

#include "tests/engine/question_fixture.h"

namespace korrel {
namespace {

constexpr int kEventsPerProfile = 600;

std::string Page(int i) { return fmt::format("/{}", (i * i) % 37); }

void FillProfile(TestDatabase& db, int profile) {
  std::vector<EventWrite> events;
  for (int i = 0; i < kEventsPerProfile; ++i) {
    EventWrite event;
    event.identifiers = {fmt::format("c:{}", profile)};
    event.type = "visit";
    event.event_time_us = kNowUs - int64_t{i} * 3'600'000'000;
    event.properties = {{"page", Page(i + profile)}, {"seconds", int64_t{i}}};
    events.push_back(std::move(event));
  }
  ASSERT_TRUE(db->Track(events, {}).ok());
  db.Put(fmt::format("c:{}", profile), {{"n", int64_t{profile}}, {"tags", StringSet{"a", "b"}}, {"name", std::string(2'000, 'x')}});
}

constexpr char kHeavy[] = "most_frequent(visit.page where seconds > 3) over 400d != '/x' and unique_count(visit.page) > 1";

// Everything that can be asked, each with aggregates that cost far more than a turn over all rows. `row` is what one row may cost.
void AskEverything(TestDatabase& db, uint64_t row) {
  auto within = [&](std::string_view what) { EXPECT_LE(db->largest_turn_work(), kTurnWorkUnits + row) << "from " << what << " on"; };
  within("writes");
  EXPECT_TRUE(db->Count({kHeavy}).ok());
  within("Count");
  auto stream = db->Query({.selection = {kHeavy},
                           .select = {"n", "name", "tags", "most_frequent(visit.page)", "unique_count(visit.page)"},
                           .identifier_types = {"*"}});
  ASSERT_TRUE(stream.ok()) << stream.status();
  while (true) {
    auto chunk = (*stream)->Next();
    ASSERT_TRUE(chunk.ok()) << chunk.status();
    if (!chunk->has_value()) break;
  }
  within("Query");
  auto top = db->Query({.selection = {"n >= 0"},
                        .select = {"name", "unique_count(visit.seconds)"},
                        .order_by = {"unique_count(visit.page) * n"},
                        .limit = 50});
  ASSERT_TRUE(top.ok() && (*top)->Next().ok());
  within("top-k");
  EXPECT_TRUE(db->Sample({.selection = {kHeavy}, .size = 50, .select = {"sum(visit.seconds) over 30d", "name"}}).ok());
  within("Sample");
  EXPECT_TRUE(
      db->Breakdown({.selection = {"true"}, .by = {"most_frequent(visit.page)", "tags", "tags"}, .measures = {{"avg(visit.seconds)"}}})
          .ok());
  EXPECT_TRUE(db->Breakdown({.selection = {kHeavy}, .by = {"name"}, .measures = {{"n"}}}).ok());
  within("Breakdown");
  const std::vector<Selection> selections = {{kHeavy}, {"count(visit) over 10d > 3"}, {"n > 5"}};
  EXPECT_TRUE(db->Overlap(selections).ok());
  within("Overlap");
  EXPECT_TRUE(db->Explain({kHeavy}, "").ok());
  EXPECT_TRUE(db->Explain({"n >= 0 and not (n > 1000 or count(visit) > 10 and not (length(most_frequent(visit.page)) > 9))"}, "").ok());
  within("Explain");
}

// Method: the same is asked of one profile alone; whatever the longest turn costs there is what one row can cost.
TEST(Turns, NoTurnIsLongerThanItsBudgetAndOneRow) {
  TestDatabase one(1);
  FillProfile(one, 0);
  AskEverything(one, UINT32_MAX);
  const uint64_t row = one->largest_turn_work();
  TestDatabase many(1);
  for (int profile = 0; profile < 150; ++profile) FillProfile(many, profile);
  AskEverything(many, row);
  EXPECT_GT(many->largest_turn_work(), 0u);
  RecordProperty("largest_turn_work", std::to_string(many->largest_turn_work()));
  RecordProperty("row_work", std::to_string(row));
}

TEST(Turns, CheapQuestionsOverManyRowsKeepTheBudget) {
  TestDatabase db(1);
  std::vector<ProfileWrite> writes;
  for (int64_t i = 0; i < 30'000; ++i) {
    ProfileWrite write;
    write.identifiers = {fmt::format("c:{}", i)};
    write.attributes = {{"n", AttributeOperation::kSet, i, 0}, {"name", AttributeOperation::kSet, fmt::format("name {}", i % 100), 0}};
    writes.push_back(std::move(write));
  }
  ASSERT_TRUE(db->Upsert(writes, {}).ok());
  EXPECT_EQ(db.Count("n >= 100 and name != 'name 5'"), 29'900u - 299u);
  auto stream = db->Query({.selection = {"n % 2 = 0"}, .select = {"n", "name"}});
  uint64_t rows = 0;
  for (auto chunk = (*stream)->Next(); chunk.ok() && chunk->has_value(); chunk = (*stream)->Next()) rows += (*chunk)->batch.size;
  EXPECT_EQ(rows, 15'000u);
  EXPECT_EQ(db->Breakdown({.selection = {"true"}, .by = {"name"}, .measures = {{"n"}}})->groups.size, 100u);
  EXPECT_EQ(db->Breakdown({.selection = {"true"}, .by = {"n / 2 > 5", "name"}})->groups.size, 111u);
  EXPECT_EQ(db->Sample({.selection = {"true"}, .size = 100, .select = {"name"}})->member_count, 30'000u);
  std::vector<std::string> asked;
  for (int i = 0; i < 10'000; ++i) asked.push_back(fmt::format("c:{}", i * 3));
  const auto projection = db->PrepareProjection({"n", "name"}, false);
  EXPECT_TRUE(db->BatchGet(asked, *projection, {}).ok());
  constexpr uint64_t kOneRowMax = 5'000;
  EXPECT_LE(db->largest_turn_work(), kTurnWorkUnits + kOneRowMax);
}

}  // namespace
}  // namespace korrel
