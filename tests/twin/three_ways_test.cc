// Goal: it does not matter when something was defined. The same writes into three databases: one had the definitions before, one got
// them afterwards and filled them from history, one never heard of them and is asked for their texts.
// Method: random definitions that name nothing of each other, random people and events; all values compared to the bit, at several
// instants.
#include <gtest/gtest.h>

#include "fmt/format.h"
#include "tests/twin/expression_check.h"
#include "tests/twin/random_definition.h"
#include "tests/twin/random_world.h"

namespace korrel::twin {
namespace {

constexpr int64_t kDay = int64_t{86'400} * 1'000'000;

// What the first database accepts of a few random ones.
std::vector<Definition> DefineSome(Random* random, RandomWorld* world, Database* database) {
  std::vector<Definition> accepted;
  DefinedNames nothing;
  Vocabulary words = world->vocabulary();
  words.simple = true;
  RandomDefinition generator(random, &words, &nothing);
  for (int i = 0; i < 24; ++i) {
    Definition definition;
    char kind;
    bool is_segment = random->OneIn(2);
    definition.name = fmt::format("{}/x{}", is_segment ? "segments" : "attributes", i);
    definition.kind = is_segment ? DefinitionKind::kSegment : DefinitionKind::kAttribute;
    (is_segment ? definition.segment.expression : definition.attribute.expression) =
        is_segment ? generator.Condition(2) : generator.Value(&kind);
    ApplyRequest request;
    request.definitions = {definition};
    StatusOr<ApplyAnswer> answer = database->ApplyDefinitions(request);
    if (answer.ok() && answer->changes[0].error.ok()) accepted.push_back(definition);
  }
  WaitUntilFilled(database);
  return accepted;
}

void Define(Database* database, const std::vector<Definition>& definitions) {
  ApplyRequest request;
  request.definitions = definitions;
  StatusOr<ApplyAnswer> answer = database->ApplyDefinitions(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  WaitUntilFilled(database);
}

std::map<uint64_t, Value> Ask(Database* database, const std::string& text) {
  QueryRequest request;
  request.selection.expression = "true";
  request.select = {text};
  StatusOr<QueryResult> result = RunQuery(*database, std::move(request));
  EXPECT_TRUE(result.ok()) << text << ": " << result.status();
  std::map<uint64_t, Value> values;
  for (size_t i = 0; result.ok() && i < result->ids.size(); ++i) values[result->ids[i]] = result->columns[0][i];
  return values;
}

void ExpectSame(const std::map<uint64_t, Value>& expected, const std::map<uint64_t, Value>& actual, const std::string& what) {
  ASSERT_EQ(expected.size(), actual.size()) << what;
  for (const auto& [id, value] : expected) {
    ASSERT_TRUE(SameValue(value, actual.at(id)))
        << what << " of profile " << id << ": " << DisplayValue(value) << " as a question, " << DisplayValue(actual.at(id)) << " kept";
  }
}

void CompareAll(const std::vector<Definition>& definitions, Database* before, Database* afterwards, Database* never) {
  for (const Definition& definition : definitions) {
    bool is_segment = definition.kind == DefinitionKind::kSegment;
    std::string bare = definition.name.substr(definition.name.find('/') + 1);
    // As a condition: an absent bool counts as false.
    std::string text = is_segment ? fmt::format("not (not ({}))", definition.segment.expression) : definition.attribute.expression;
    std::string name = is_segment ? fmt::format("in segment '{}'", bare) : bare;
    std::map<uint64_t, Value> expected = Ask(never, text);
    ExpectSame(expected, Ask(before, name), "kept from the beginning: " + text);
    ExpectSame(expected, Ask(afterwards, name), "filled from history: " + text);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(ThreeWays, KeptFromTheBeginningFilledFromHistoryAndAskedAreEqual) {
  uint64_t first = FirstSeed(1);
  for (uint64_t seed = first; seed < first + Rounds(6) && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("KORREL_SEED={} KORREL_ROUNDS=1", seed));
    Random random(seed);
    int64_t now_us = random.Pick(InterestingInstants());
    RandomWorld world(&random, now_us);
    uint32_t hard_max = random.OneIn(3) ? 6 : kEventsHardMax;
    std::vector<std::unique_ptr<Database>> databases;
    for (uint32_t shards : {4u, 2u, 1u}) {
      databases.push_back(OpenDatabase({shards, random.OneIn(2), hard_max}, ClockMode::kReplay, now_us));
      DeclareIn(databases.back().get());
    }
    std::vector<Definition> definitions = DefineSome(&random, &world, databases[0].get());
    ASSERT_GT(definitions.size(), 8u);
    uint64_t people = static_cast<uint64_t>(random.Between(2, 40));
    for (int stage = 0; stage < 3 && !HasFailure(); ++stage) {
      std::vector<ProfileWrite> profiles;
      std::vector<EventWrite> events;
      for (uint64_t person = 1; person <= people; ++person) {
        if (random.OneIn(stage + 1)) profiles.push_back(world.Profile(person));
        for (uint64_t i = random.Below(12); i > 0; --i) events.push_back(world.Event(person));
      }
      now_us += random.Between(0, 3) * kDay + random.Between(0, 1);
      for (std::unique_ptr<Database>& database : databases) {
        ASSERT_TRUE(database->Upsert(profiles, {}).ok());
        ASSERT_TRUE(database->Track(events, {}).ok());
        now_us = std::max(now_us, database->GetStatus().now_us);
      }
      if (stage == 1) Define(databases[1].get(), definitions);
      for (std::unique_ptr<Database>& database : databases) ASSERT_TRUE(database->AdvanceClock(now_us, "").ok());
      world.SetNow(now_us);
      if (stage > 0) CompareAll(definitions, databases[0].get(), databases[1].get(), databases[2].get());
    }
    for (int64_t step : {int64_t{1}, kDay, random.Between(1, 100) * kDay}) {
      now_us += step;
      for (std::unique_ptr<Database>& database : databases) ASSERT_TRUE(database->AdvanceClock(now_us, "").ok());
      if (!HasFailure()) CompareAll(definitions, databases[0].get(), databases[1].get(), databases[2].get());
    }
  }
}

}  // namespace
}  // namespace korrel::twin
