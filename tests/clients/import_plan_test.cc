// What an import makes of a file's columns, the requests it builds, and the order it sends rows in.
#include "clients/cli/import_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "clients/cli/csv.h"
#include "clients/cli/event_sort.h"
#include "clients/cli/row_batch.h"

namespace korrel::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A survey of the text of a CSV file, without the file.
Survey SurveyOf(const std::string& content) {
  Survey survey;
  CsvParser parser(',');
  std::string_view rest = content;
  Row row;
  for (uint64_t line = 1; !rest.empty(); ++line) {
    rest.remove_prefix(parser.Parse(rest, true, &row));
    if (line == 1) {
      for (const Cell& cell : row.cells) survey.columns.emplace_back(cell.text);
      survey.guesses.resize(survey.columns.size());
      continue;
    }
    for (size_t i = 0; i < row.cells.size(); ++i) survey.guesses[i].Add(row.cells[i], line);
    ++survey.rows;
  }
  return survey;
}

ImportOptions Events(const std::string& ids, const std::string& time) {
  ImportOptions options;
  options.events = true;
  options.event_type = "order";
  options.ids = ids;
  options.time = time;
  return options;
}

ImportOptions Profiles(const std::string& ids) {
  ImportOptions options;
  options.ids = ids;
  return options;
}

constexpr char kOrders[] = "CustomerID,at,amount,note\n1,2017-01-01,2.50,\n2,2017-01-02,3,\n";

TEST(ImportPlan, ColumnsUsedAreNotStoredAgain) {
  const auto plan = MakePlan(Events("CustomerID", "at"), SurveyOf(kOrders), ServerFacts{});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->identifiers[0].type, "customer_id");
  EXPECT_EQ(plan->time, 1u);
  ASSERT_EQ(plan->values.size(), 1u);
  EXPECT_EQ(plan->values[0].name, "amount");
  EXPECT_EQ(plan->values[0].type, DecimalType(2));
  EXPECT_THAT(plan->empty_columns, ElementsAre("note"));
}

TEST(ImportPlan, RenameActsFirst) {
  ImportOptions options = Events("customer", "when");
  options.rename = "CustomerID=customer,at=when,amount=price";
  options.types = "price:double";
  const auto plan = MakePlan(options, SurveyOf(kOrders), ServerFacts{});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->identifiers[0].type, "customer");
  EXPECT_EQ(plan->values[0].name, "price");
  EXPECT_EQ(plan->values[0].type, kDoubleType);
}

TEST(ImportPlan, MissingColumnsAreNamedWithThoseThereAre) {
  for (ImportOptions options : {Events("nobody", "at"), Events("CustomerID", "never"), Profiles("nobody")}) {
    const auto plan = MakePlan(options, SurveyOf(kOrders), ServerFacts{});
    ASSERT_FALSE(plan.ok());
    EXPECT_EQ(ReasonOf(plan.status()), "USAGE");
    EXPECT_THAT(std::string(plan.status().message()), HasSubstr("CustomerID, at, amount, note"));
  }
  ImportOptions twice = Profiles("CustomerID");
  twice.rename = "at=amount";
  EXPECT_FALSE(MakePlan(twice, SurveyOf(kOrders), ServerFacts{}).ok());
}

TEST(ImportPlan, TheDatabaseKnowsBetterThanTheFile) {
  ServerFacts facts;
  facts.types["zip"] = kStringType;
  facts.types["price"] = DecimalType(2);
  facts.types["score"] = kDoubleType;
  facts.types["age"] = kIntType;
  const Survey survey = SurveyOf("id,zip,price,score,age\n1,1234,1.005,0.1,NA\n2,4321,2,5,7\n");
  auto plan = MakePlan(Profiles("id"), survey, facts);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->values[0].type, kStringType);
  EXPECT_EQ(plan->values[1].type, DecimalType(3)) << "the database widens its scale, or names the row";
  EXPECT_EQ(plan->values[2].type, kDoubleType) << "a double holds the nearest value";
  EXPECT_EQ(plan->values[3].type, kIntType) << "the one row that is no number is rejected, not the column";
  ImportOptions round = Profiles("id");
  round.round = true;
  EXPECT_EQ(MakePlan(round, survey, facts)->values[1].type, DecimalType(2));
}

TEST(ImportPlan, ComputedAttributesCannotBeWritten) {
  ServerFacts facts;
  facts.computed = {"amount"};
  ImportOptions options = Profiles("CustomerID");
  EXPECT_THAT(std::string(MakePlan(options, SurveyOf(kOrders), facts).status().message()), HasSubstr("--skip amount"));
  options.skip = "amount";
  EXPECT_TRUE(MakePlan(options, SurveyOf(kOrders), facts).ok());
}

TEST(ImportPlan, AmbiguousDatesAreAskedAbout) {
  const Survey survey = SurveyOf("id,at\n1,01/02/2017\n2,03/04/2017\n");
  ImportOptions options = Events("id", "at");
  EXPECT_THAT(std::string(MakePlan(options, survey, ServerFacts{}).status().message()), HasSubstr("--date-format dmy or mdy"));
  options.date_format = "mdy";
  EXPECT_TRUE(MakePlan(options, survey, ServerFacts{}).ok());
  const auto stored = MakePlan(Profiles("id"), survey, ServerFacts{});
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->values[0].type, kStringType);
  EXPECT_THAT(stored->values[0].note, HasSubstr("day and month"));
}

TEST(ImportPlan, NumbersAsTimeNeedTheirUnit) {
  ImportOptions options = Events("id", "at");
  const Survey survey = SurveyOf("id,at\n1,1488366000\n");
  EXPECT_THAT(std::string(MakePlan(options, survey, ServerFacts{}).status().message()), HasSubstr("unix"));
  options.date_format = "unix";
  EXPECT_TRUE(MakePlan(options, survey, ServerFacts{}).ok());
}

TEST(ImportPlan, DescriptionSaysWhatWasAssumed) {
  const ImportOptions options = Events("CustomerID", "at");
  const Survey survey = SurveyOf(kOrders);
  const auto plan = MakePlan(options, survey, ServerFacts{});
  const std::string text = DescribePlan(options, survey, *plan, ServerFacts{});
  for (const char* part : {"delimiter comma", "decimal point", "utf-8", "2 rows", "identifier customer_id", "decimal(2)",
                           "ymd, without a zone in UTC", "no value in any row"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

// Plans and adds every row of a CSV text; the problems, and the batch.
struct Built {
  std::vector<std::string> problems;
  PreparedBatch batch;
};

Built Build(const ImportOptions& options, const std::string& content, const ServerFacts& facts = {}) {
  const Survey survey = SurveyOf(content);
  const auto plan = MakePlan(options, survey, facts);
  EXPECT_TRUE(plan.ok()) << plan.status();
  RowBatch batch(options, *plan, "digest");
  CsvParser parser(',');
  std::string_view rest = content;
  Row row;
  Built built;
  for (uint64_t line = 1; !rest.empty(); ++line) {
    rest.remove_prefix(parser.Parse(rest, true, &row));
    row.line = line;
    if (line == 1) continue;
    int64_t time_us = 0;
    std::string problem = RowTime(*plan, &row, &time_us);
    if (problem.empty()) problem = batch.Add(&row, time_us);
    built.problems.push_back(problem);
  }
  built.batch = batch.Take();
  return built;
}

TEST(RowBatch, EventsGoAsColumns) {
  const Built built = Build(Events("CustomerID", "at"), kOrders);
  EXPECT_THAT(built.problems, ElementsAre("", ""));
  const auto& request = std::get<v1::TrackRequest>(built.batch.request);
  EXPECT_EQ(request.source(), "import");
  const v1::EventBatch& events = request.batches(0);
  EXPECT_EQ(events.type(), "order");
  EXPECT_EQ(events.identifiers(0).type(), "customer_id");
  EXPECT_THAT(*IdentifierTexts(events.identifiers(0)), ElementsAre("1", "2"));
  EXPECT_THAT(events.event_time_us(), ElementsAre(1'483'228'800'000'000, 1'483'315'200'000'000));
  EXPECT_THAT(events.message_ids(), ElementsAre("digest:2", "digest:3"));
  const auto view = BatchView::Make(events.properties(), events.properties().schema());
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->rows(), 2u);
  EXPECT_EQ(view->Get(0, 0), Value(Decimal{250, 2}));
  EXPECT_EQ(view->Get(0, 1), Value(Decimal{300, 2}));
  EXPECT_EQ(built.batch.RawOf(1), "2,2017-01-02,3,");
  EXPECT_EQ(built.batch.origins[1].line, 3u);
}

TEST(RowBatch, MessageIdsComeFromTheirColumns) {
  ImportOptions options = Events("id", "at");
  options.message_id = "order,line";
  const Built built = Build(options, "id,at,order,line,n\n1,2017-01-01,A,7,5\n1,2017-01-01,,,6\n");
  EXPECT_THAT(std::get<v1::TrackRequest>(built.batch.request).batches(0).message_ids(), ElementsAre("A:7", "digest:3"));
}

TEST(RowBatch, RowsThatCannotBeUsedLeaveNoTrace) {
  ImportOptions options = Events("id,mail", "at");
  options.types = "n:int";
  const Built built = Build(options, "id,mail,at,n\n1,,2017-01-01,1\n,,2017-01-01,2\n,m,2017-01-01,x\n,m,,3\n,m,2017-01-01,4\n");
  EXPECT_EQ(built.problems[0], "");
  EXPECT_EQ(built.problems[1], "the row has no identifier");
  EXPECT_THAT(built.problems[2], HasSubstr("n: 'x' is no int"));
  EXPECT_EQ(built.problems[3], "at: the row has no time");
  EXPECT_EQ(built.problems[4], "");
  const v1::EventBatch& events = std::get<v1::TrackRequest>(built.batch.request).batches(0);
  EXPECT_EQ(events.properties().size(), 2u);
  EXPECT_EQ(events.message_ids_size(), 2);
  EXPECT_THAT(*IdentifierTexts(events.identifiers(0)), ElementsAre("1", ""));
  EXPECT_THAT(*IdentifierTexts(events.identifiers(1)), ElementsAre("", "m"));
}

TEST(RowBatch, ProfilesOfOneIdentifierGoAsColumnsAndEmptyCellsAreAbsent) {
  const Built built = Build(Profiles("id"), "id,tier,age\na,gold,\nb,,7\nc,gold,8\n");
  const v1::ProfileBatch& batch = std::get<v1::UpsertProfilesRequest>(built.batch.request).batch();
  const auto view = BatchView::Make(batch.values(), batch.values().schema());
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->Get(0, 0), Value(std::string("gold")));
  EXPECT_EQ(view->Get(0, 1), Value());
  EXPECT_EQ(view->Get(1, 0), Value());
  EXPECT_EQ(view->Get(1, 2), Value(int64_t{8}));
  EXPECT_EQ(batch.event_time_us_size(), 0);
}

TEST(RowBatch, EmptyUnsetRemovesWhatIsThere) {
  ImportOptions options = Profiles("id");
  options.empty = "unset";
  const Built built = Build(options, "id,tier,gone\na,gold,\nb,,\n");
  const auto& request = std::get<v1::UpsertProfilesRequest>(built.batch.request);
  ASSERT_EQ(request.writes_size(), 2);
  EXPECT_EQ(request.writes(0).identifiers(0), "id:a");
  EXPECT_EQ(request.writes(0).attributes(0).value().string_value(), "gold");
  EXPECT_EQ(request.writes(0).attributes(1).operation(), v1::ATTRIBUTE_OPERATION_UNSET);
  EXPECT_EQ(request.writes(1).attributes(0).operation(), v1::ATTRIBUTE_OPERATION_UNSET);
}

TEST(RowBatch, SeveralIdentifiersOfAProfileGoTogether) {
  const Built built = Build(Profiles("id,mail:email"), "id,mail,n\n1,a@b,5\n,c@d,6\n");
  const auto& request = std::get<v1::UpsertProfilesRequest>(built.batch.request);
  EXPECT_THAT(request.writes(0).identifiers(), ElementsAre("id:1", "email:a@b"));
  EXPECT_THAT(request.writes(1).identifiers(), ElementsAre("email:c@d"));
}

TEST(RowBatch, StringsGoAsADictionaryWhileFewAreDistinct) {
  std::string content = "id,same,own\n";
  for (int i = 0; i < 100; ++i) content += std::to_string(i) + ",x,own" + std::to_string(i) + "\n";
  const Built built = Build(Profiles("id"), content);
  const v1::Batch& values = std::get<v1::UpsertProfilesRequest>(built.batch.request).batch().values();
  EXPECT_EQ(values.vectors(0).codes_size(), 100);
  EXPECT_EQ(values.vectors(0).text_ends_size(), 1);
  EXPECT_EQ(values.vectors(1).codes_size(), 0);
  EXPECT_EQ(values.vectors(1).text_ends_size(), 100);
  const auto view = BatchView::Make(values, values.schema());
  EXPECT_EQ(view->Get(1, 99), Value(std::string("own99")));
}

TEST(EventSort, GivesRowsByTimeThenLineInOneRunOrMany) {
  std::mt19937 random(7);
  std::vector<std::pair<int64_t, uint64_t>> expected;
  for (uint64_t line = 1; line <= 5'000; ++line) expected.emplace_back(static_cast<int64_t>(random() % 100), line);
  for (const size_t run_bytes : {size_t{1} << 30, size_t{20'000}, size_t{1}}) {
    EventSort sort(run_bytes == 1 ? 4'000 : run_bytes);
    for (const auto& [time, line] : expected) ASSERT_TRUE(sort.Add(time, line, "row " + std::to_string(line)).ok());
    ASSERT_TRUE(sort.Finish().ok());
    auto sorted = expected;
    std::sort(sorted.begin(), sorted.end());
    EventSort::Item item;
    for (const auto& [time, line] : sorted) {
      ASSERT_TRUE(*sort.Next(&item));
      ASSERT_EQ(item.time_us, time);
      ASSERT_EQ(item.line, line);
      ASSERT_EQ(item.raw, "row " + std::to_string(line));
    }
    EXPECT_FALSE(*sort.Next(&item));
  }
}

TEST(EventSort, OfNothingIsNothing) {
  EventSort sort;
  ASSERT_TRUE(sort.Finish().ok());
  EventSort::Item item;
  EXPECT_FALSE(*sort.Next(&item));
}

TEST(BatchView, RefusesABatchThatDoesNotHoldTogether) {
  v1::Batch batch;
  v1::Schema schema;
  batch.set_size(2);
  schema.add_fields()->set_type(v1::VALUE_TYPE_STRING);
  EXPECT_FALSE(BatchView::Make(batch, schema).ok()) << "a column is missing";
  v1::Vector* vector = batch.add_vectors();
  EXPECT_FALSE(BatchView::Make(batch, schema).ok()) << "no strings";
  vector->set_text("abc");
  vector->add_text_ends(2);
  vector->add_text_ends(9);
  EXPECT_FALSE(BatchView::Make(batch, schema).ok()) << "an end beyond the text";
  vector->set_text_ends(1, 3);
  ASSERT_TRUE(BatchView::Make(batch, schema).ok());
  vector->add_codes(0);
  vector->add_codes(5);
  EXPECT_FALSE(BatchView::Make(batch, schema).ok()) << "a code without a string";
}

}  // namespace
}  // namespace korrel::cli
