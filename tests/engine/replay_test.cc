// Goal: the log says everything. Method: random writes of every kind to one database, then every record of its log applied to an empty
// one with another number of shards; both must look the same, positions included.
#include <random>

#include "engine/live/replay.h"
#include "tests/engine/write_fixture.h"

namespace korrel {
namespace {

Definition Attribute(std::string name, std::string expression) {
  Definition definition;
  definition.name = "attributes/" + name;
  definition.attribute.expression = std::move(expression);
  return definition;
}
Definition Segment(std::string name, std::string expression) {
  Definition definition;
  definition.name = "segments/" + name;
  definition.kind = DefinitionKind::kSegment;
  definition.segment.is_static = expression.empty();
  definition.segment.expression = std::move(expression);
  return definition;
}

void Apply(Database& database, std::vector<Definition> definitions, std::string time_zone = "") {
  ApplyRequest request;
  request.definitions = std::move(definitions);
  request.time_zone = std::move(time_zone);
  auto answer = database.ApplyDefinitions(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  for (const DefinitionChange& change : answer->changes) ASSERT_TRUE(change.error.ok()) << change.name << ": " << change.error;
}

void WriteProfiles(Database& database, std::mt19937_64& random) {
  std::vector<ProfileWrite> writes;
  for (int i = 0; i < 20; ++i) {
    std::string id = "c:" + std::to_string(random() % 60);
    ProfileWrite write{{id}, {}, 0};
    if (random() % 4 == 0) write.identifiers.push_back("mail:" + std::to_string(random() % 60));
    if (random() % 3 == 0) write.attributes.push_back(Set("n", int64_t(random() % 100), kStartUs - int64_t(random() % 50)));
    if (random() % 3 == 0) write.attributes.push_back(Set("n", Decimal{int64_t(random() % 1'000), 2}));
    if (random() % 3 == 0) write.attributes.push_back(Do(AttributeOperation::kIncrement, "count", int64_t{1}));
    if (random() % 3 == 0) write.attributes.push_back(Do(AttributeOperation::kAdd, "tags", std::string(1, 'a' + random() % 5)));
    if (random() % 5 == 0) write.attributes.push_back(Do(AttributeOperation::kUnset, "n", {}));
    writes.push_back(std::move(write));
  }
  ASSERT_TRUE(database.Upsert(writes, {.source = random() % 2 ? "crm" : ""}).ok());
}

void WriteEvents(Database& database, std::mt19937_64& random) {
  std::vector<EventWrite> events;
  for (int i = 0; i < 20; ++i) {
    events.push_back({{"c:" + std::to_string(random() % 60)},
                      random() % 2 ? "order" : "visit",
                      kStartUs - int64_t(random() % 1'000),
                      std::to_string(random() % 200),
                      "",
                      {{"amount", Decimal{int64_t(random() % 500), 2}}}});
  }
  ASSERT_TRUE(database.Track(events, {}).ok());
}

void ChangeMembers(Database& database, std::mt19937_64& random) {
  UpdateMembersRequest request;
  request.segment = "vip";
  request.operation = static_cast<MemberOperation>(1 + random() % 3);
  for (int i = 0; i < 8; ++i) request.profiles.push_back("c:" + std::to_string(random() % 60));
  if (random() % 2) request.expire_time_us = kStartUs + int64_t(random() % 100);
  ASSERT_TRUE(database.UpdateMembers(request).ok());
}

void ReplayInto(const Log& log, Database& database) {
  Position after;
  for (;;) {
    auto record = log.ReadAfter(after);
    ASSERT_TRUE(record.ok()) << record.status();
    if (!*record) return;
    Status status = ReplayRecord(CoreOf(database), **record);
    ASSERT_TRUE(status.ok()) << status;
    after = (*record)->position;
  }
}

TEST(Replay, TheLogMakesTheSameDatabaseAgain) {
  uint64_t seed = 99;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  auto first = OpenForTest(4, nullptr, 7);
  Apply(*first, {Segment("vip", "")}, "Europe/Amsterdam");
  for (int round = 0; round < 60; ++round) {
    WriteProfiles(*first, random);
    WriteEvents(*first, random);
    if (round % 3 == 0) ChangeMembers(*first, random);
    if (random() % 3 == 0) first->Delete("c:" + std::to_string(random() % 60), {}).IgnoreError();
    if (round == 20) Apply(*first, {Attribute("orders", "count(order)"), Segment("buyers", "orders > 2")});
    if (round == 30) Apply(*first, {Segment("buyers", "orders > 3")});
    if (round == 40) {
      ASSERT_TRUE(first->RetypeAttribute("count", kStringType, false, "").ok());
    }
    if (round == 41) {
      ASSERT_TRUE(first->RetypeAttribute("count", kIntType, false, "").ok());
    }
    if (round == 50) {
      ASSERT_TRUE(first->DeleteDefinition("segments/buyers", false, 0, "").ok());
    }
  }
  for (uint32_t shards : {1u, 8u}) {
    auto second = OpenForTest(shards, nullptr, 7);
    ReplayInto(first->log(), *second);
    EXPECT_EQ(DumpOf(*second, true), DumpOf(*first, true));
  }
}

TEST(Replay, ARecordThatContradictsWhatIsThereIsAnError) {
  auto database = OpenForTest();
  ProfileChange change;
  change.profile = ProfileId(5);
  change.deletes = true;
  EXPECT_FALSE(ReplayRecord(CoreOf(*database), {MakePosition(1, 1), EncodeMutation(ShardMutation{{change}})}).ok());
  change.deletes = false;
  change.creates = true;
  change.attributes.push_back({AttributeId(9), AttributeOperation::kSet, int64_t{1}, 0, SourceId(0)});
  EXPECT_FALSE(ReplayRecord(CoreOf(*database), {MakePosition(1, 1), EncodeMutation(ShardMutation{{change}})}).ok());
}

}  // namespace
}  // namespace korrel
