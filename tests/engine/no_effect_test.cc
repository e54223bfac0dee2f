// Goal: a write that is refused or answered as a duplicate has no effect: no name, no type, no identifier, no activity; and no write
// that passes its checks fails later.
#include "tests/engine/write_fixture.h"

namespace korrel {
namespace {

constexpr auto kIncrement = AttributeOperation::kIncrement, kAdd = AttributeOperation::kAdd;

EventWrite Event(std::vector<std::string> identifiers, std::string message_id, std::string property = "", Value value = {}) {
  EventWrite event{std::move(identifiers), "order", kStartUs, std::move(message_id), "", {}};
  if (!property.empty()) event.properties.push_back({std::move(property), std::move(value)});
  return event;
}

WriteResult Track(Database& database, std::vector<EventWrite> events) { return database.Track(events, {}).value(); }

std::string ReasonOfOnly(const WriteResult& result) { return result.errors.size() == 1 ? ReasonOf(result.errors[0].status) : "none"; }

TEST(Duplicates, ADuplicateIsOneWhateverItsPropertiesSay) {
  auto database = OpenForTest();
  Track(*database, {Event({"c:1"}, "m", "quantity", int64_t{3})});
  std::string before = DumpOf(*database, true);
  for (const Value& value : {Value(std::string("three")), Value(2.5), Value(std::string("\xff"))}) {
    WriteResult result = Track(*database, {Event({"c:1"}, "m", "quantity", value)});
    EXPECT_EQ(result.duplicate_indexes, std::vector<uint32_t>{0});
    EXPECT_TRUE(result.errors.empty() && result.notes.empty());
  }
  EXPECT_EQ(Track(*database, {Event({"c:1"}, "m", "new_property", true)}).duplicate_indexes.size(), 1u);
  EXPECT_EQ(DumpOf(*database, true), before);
  EXPECT_EQ(ReasonOfOnly(Track(*database, {Event({"c:1"}, "other", "quantity", std::string("three"))})), "TYPE_CLASH");
}

TEST(Duplicates, ADuplicateTeachesNoIdentifier) {
  auto database = OpenForTest();
  Track(*database, {Event({"c:1"}, "m")});
  std::string before = DumpOf(*database, true);
  EXPECT_EQ(Track(*database, {Event({"c:1", "c:2"}, "m")}).duplicate_indexes.size(), 1u);
  EXPECT_EQ(Track(*database, {Event({"c:1", "cookie:2"}, "m")}).duplicate_indexes.size(), 1u);
  EXPECT_EQ(DumpOf(*database, true), before);
  EXPECT_EQ(database->GetProfile("c:2", {}, false, {}).status().code(), absl::StatusCode::kNotFound);
}

TEST(Duplicates, ADuplicateInsideABatchLeavesItsIdentifierToTheNextItem) {
  for (uint32_t shards : {1u, 8u}) {
    auto database = OpenForTest(shards);
    TrackOne(*database, "c:9", "order", kStartUs);
    WriteResult result = Track(
        *database, {Event({"c:1"}, "m"), Event({"c:1", "c:2"}, "m"), Event({"c:2", "c:9"}, ""), Event({"c:3"}, ""), Event({"c:4"}, "")});
    EXPECT_EQ(result.duplicate_indexes, std::vector<uint32_t>{1});
    EXPECT_TRUE(result.errors.empty());
    EXPECT_EQ(database->GetProfile("c:2", {}, false, {})->id, database->GetProfile("c:9", {}, false, {})->id);
    EXPECT_EQ(database->GetProfile("c:4", {}, false, {})->id.value, 4u);  // the order of the batch
  }
}

TEST(Duplicates, ADuplicateWithANewerTimeMovesTheReplayClockAndNothingElse) {
  auto database = OpenForTest(2, Clock::MakeReplay(366 * kDayUs));
  Track(*database, {Event({"c:1"}, "m", "n", int64_t{1})});
  std::string before = DumpOf(*database, true);
  int64_t now_us = kStartUs;
  for (const Value& value : {Value(int64_t{1}), Value(0.5)}) {
    EventWrite again = Event({"c:1"}, "m", "n", value);
    again.event_time_us = now_us += kDayUs;
    EXPECT_EQ(Track(*database, {again}).duplicate_indexes.size(), 1u);
    EXPECT_EQ(database->GetStatus().now_us, now_us);
  }
  EXPECT_EQ(DumpOf(*database, true), before);
}

TEST(Duplicates, AnEventThatALimitPutOutIsHeldNoMore) {
  auto database = OpenForTest();
  for (int i = 0; i < 3; ++i) TrackOne(*database, "c:1", "order", kStartUs - 10 + i, {}, "m" + std::to_string(i));
  Definition order;
  order.name = "events/order";
  order.kind = DefinitionKind::kEvent;
  order.event.max_events = 2;
  ApplyRequest apply;
  apply.definitions = {order};
  ASSERT_TRUE(database->ApplyDefinitions(apply).ok());
  EXPECT_EQ(TrackOne(*database, "c:1", "order", kStartUs, {}, "m2").duplicate_indexes.size(), 1u);
  EXPECT_EQ(TrackOne(*database, "c:1", "order", kStartUs, {}, "m0").applied_count, 1u);
  EXPECT_EQ(database->GetStatus().event_count, 2u);
}

TEST(Refusals, AWriteRefusedForWhomItNamesLeavesNoNameAndNoTypeBehind) {
  for (bool replay : {false, true}) {
    auto database = OpenForTest(2, replay ? Clock::MakeReplay(366 * kDayUs) : nullptr);
    Track(*database, {Event({"c:1"}, "", "n", int64_t{1}), Event({"c:2"}, "")});
    UpsertOne(*database, {"c:1"}, {Set("x", int64_t{1})});
    std::string before = DumpOf(*database, true);
    for (std::vector<std::string> who : {std::vector<std::string>{"c:1", "c:2"}, {"profile:00000000000000ff"}}) {
      std::string reason = who.size() == 2 ? "WOULD_JOIN" : "PROFILE";
      EXPECT_EQ(ReasonOf(UpsertError(*database, who, {Set("x", 2.5), Set("y", true)})), reason);
      EXPECT_EQ(ReasonOfOnly(Track(*database, {Event(who, "", "n", 2.5)})), reason);
      who.push_back("phone:1");
      EXPECT_EQ(ReasonOf(UpsertError(*database, who, {})), reason);
    }
    EXPECT_EQ(DumpOf(*database, true), before);
    EXPECT_FALSE(database->GetDefinition("attributes/y").ok());
  }
}

TEST(Refusals, AWriteRefusedForWhatAnEarlierItemDidLeavesNoNameEither) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:2"}, {Set("x", int64_t{1})});
  std::vector<ProfileWrite> writes = {{{"c:1", "d:1"}, {Set("x", int64_t{2})}, 0}, {{"d:1", "c:2"}, {Set("x", 2.5), Set("y", true)}, 0}};
  WriteResult result = *database->Upsert(writes, {});
  EXPECT_EQ(ReasonOfOnly(result), "WOULD_JOIN");
  EXPECT_TRUE(result.notes.empty());
  EXPECT_FALSE(database->GetDefinition("attributes/y").ok());
  EXPECT_EQ(database->GetDefinition("attributes/x")->result_type, kIntType);
}

TEST(Refusals, AnEventOutOfTimeGrowsNothing) {
  auto database = OpenForTest();
  TrackOne(*database, "c:1", "order", kStartUs, {{"n", int64_t{1}}});
  Definition order;
  order.name = "events/order";
  order.kind = DefinitionKind::kEvent;
  order.event.retention_us = kDayUs;
  ApplyRequest apply;
  apply.definitions = {order};
  ASSERT_TRUE(database->ApplyDefinitions(apply).ok());
  std::string before = DumpOf(*database, true);
  WriteResult result = TrackOne(*database, "c:1", "order", kStartUs - kDayUs, {{"n", 2.5}});
  EXPECT_EQ(ReasonOfOnly(result), "EVENT_TOO_OLD");
  EXPECT_TRUE(result.notes.empty());
  EXPECT_EQ(ReasonOfOnly(TrackOne(*database, "c:1", "order", kStartUs + kFutureSlackUs + 1, {{"n", 2.5}})), "EVENT_TOO_NEW");
  EXPECT_EQ(DumpOf(*database, true), before);
}

TEST(Refusals, ABatchFullOfNewNamesIsApplied) {
  auto database = OpenForTest();
  std::vector<ProfileWrite> writes;
  for (int i = 0; i < 300; ++i) writes.push_back({{"c:" + std::to_string(i)}, {Set("a" + std::to_string(i), int64_t{i})}, 0});
  EXPECT_EQ(database->Upsert(writes, {})->applied_count, 300u);
  EXPECT_TRUE(database->GetDefinition("attributes/a299").ok());
}

TEST(Refusals, ABadNameIsSaidOfItsOwnField) {
  auto database = OpenForTest();
  std::vector<EventWrite> events(3, Event({"c:1"}, ""));
  events[1].source = "a\nb";
  events[2].type = "a\nb";
  WriteResult result = Track(*database, events);
  ASSERT_EQ(result.errors.size(), 2u);
  EXPECT_EQ(FieldOf(result.errors[0].status), "events[1].source");
  EXPECT_EQ(FieldOf(result.errors[1].status), "events[2].type");
  EXPECT_EQ(FieldOf(UpsertError(*database, {"c:1"}, {Set("a\nb", true)})), "writes[0].attributes[0].name");
  EXPECT_EQ(FieldOf(Track(*database, {Event({"c:1"}, "", "a\nb", true)}).errors.at(0).status), "events[0].properties[0].name");
}

TEST(Refusals, WhatFellOutStaysFlaggedWhenTheRestIsGone) {
  auto clock = Clock::MakeManual(kStartUs);
  Clock* hand = clock.get();
  auto database = OpenForTest(1, std::move(clock), 2);
  Definition visit;
  visit.name = "events/visit";
  visit.kind = DefinitionKind::kEvent;
  visit.event.retention_us = kDayUs;
  ApplyRequest apply;
  apply.definitions = {visit};
  ASSERT_TRUE(database->ApplyDefinitions(apply).ok());
  for (int i = 0; i < 3; ++i) TrackOne(*database, "c:1", "visit", kStartUs);
  ASSERT_TRUE(hand->AdvanceTo(kStartUs + 2 * kDayUs).ok());
  TrackOne(*database, "c:1", "order", kStartUs + 2 * kDayUs);  // frees the visits
  EXPECT_EQ(database->GetStatus().event_count, 1u);
  EXPECT_EQ(database->GetProfile("c:1", {}, false, {})->truncated_event_types, std::vector<std::string>{"visit"});
  // What time has taken does not push anything out.
  for (int i = 0; i < 2; ++i) TrackOne(*database, "c:2", "visit", kStartUs + 2 * kDayUs);
  ASSERT_TRUE(hand->AdvanceTo(kStartUs + 3 * kDayUs).ok());
  TrackOne(*database, "c:2", "visit", kStartUs + 3 * kDayUs);
  EXPECT_TRUE(database->GetProfile("c:2", {}, false, {})->truncated_event_types.empty());
}

// ---- Whole or not at all ----

TEST(WholeWrites, IncrementsThatOverflowTogetherAreRefusedTogether) {
  auto database = OpenForTest();
  auto both = [](Value a, Value b) {
    return std::vector<AttributeWrite>{Do(kIncrement, "n", std::move(a)), Do(kIncrement, "n", std::move(b))};
  };
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, both(INT64_MAX, int64_t{1}))), "FIELD");
  EXPECT_EQ(database->GetStatus().profile_count, 0u);
  UpsertOne(*database, {"c:1"}, {Set("n", INT64_MAX - 1)});
  std::string before = DumpOf(*database, true);
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, both(int64_t{1}, int64_t{1}))), "FIELD");
  EXPECT_EQ(DumpOf(*database, true), before);
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"d:1"}, {Do(kIncrement, "d", 1.7e308), Do(kIncrement, "d", 1.7e308)})), "FIELD");
}

TEST(WholeWrites, AnOlderSetBetweenIncrementsLosesToAnUnset) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Set("n", int64_t{1}, kStartUs)});
  UpsertOne(*database, {"c:1"}, {{"n", AttributeOperation::kUnset, {}, kStartUs}});
  std::vector<AttributeWrite> writes = {Do(kIncrement, "n", INT64_MAX), Set("n", int64_t{0}, kStartUs - 1), Do(kIncrement, "n", INT64_MAX)};
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, writes)), "FIELD");
  writes = {Set("n", INT64_MAX, kStartUs - 1), Do(kIncrement, "n", int64_t{1})};
  EXPECT_TRUE(UpsertError(*database, {"c:1"}, writes).ok());
}

TEST(WholeWrites, MinAndMaxMixAndFitNumbersAndTimesOnly) {
  auto database = OpenForTest();
  auto min = AttributeOperation::kMin, max = AttributeOperation::kMax;
  for (const Value& value : {Value(std::string("text")), Value(true), Value(StringSet{"a"})}) {
    EXPECT_EQ(ReasonOf(UpsertError(*database, {"new:1"}, {Do(min, "x", value)})), "TYPE_CLASH");
    EXPECT_EQ(ReasonOf(UpsertError(*database, {"new:1"}, {Do(max, "x", value), Do(kIncrement, "x", int64_t{1})})), "TYPE_CLASH");
  }
  UpsertOne(*database, {"c:1"}, {Set("x", std::string("text"))});
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"new:1"}, {Do(max, "x", std::string("text"))})), "TYPE_CLASH");
  EXPECT_EQ(database->GetStatus().profile_count, 1u);
  UpsertOne(*database, {"c:1"}, {Do(max, "n", int64_t{5}), Do(min, "n", int64_t{3}), Do(kIncrement, "n", INT64_MAX - 3)});
  EXPECT_TRUE(database->GetProfile("c:1", {"n"}, false, {})->attributes.at(0).value == Value(INT64_MAX));
}

TEST(WholeWrites, ASetGrowsToItsLimitAndNotBeyond) {
  auto database = OpenForTest();
  auto items = [](int first) {
    StringSet set;
    for (int i = 0; i < 6'000; ++i) set.push_back(std::to_string(100'000 + first + i));
    return set;
  };
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, {Do(kAdd, "s", items(0)), Do(kAdd, "s", items(6'000))})), "FIELD");
  EXPECT_TRUE(UpsertError(*database, {"c:1"}, {Do(kAdd, "s", items(0))}).ok());
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, {Do(kAdd, "s", items(6'000))})), "FIELD");
  EXPECT_TRUE(UpsertError(*database, {"c:1"}, {Do(kAdd, "s", items(1'000)), Do(AttributeOperation::kRemove, "s", items(0))}).ok());
}

TEST(WholeWrites, TheBytesOfAProfileAreJudgedTogether) {
  auto database = OpenForTest();
  auto text = [](size_t bytes) { return Value(std::string(bytes, 'x')); };
  for (int i = 0; i < 15; ++i) UpsertOne(*database, {"c:1"}, {Set("t" + std::to_string(i), text(65'536))});
  UpsertOne(*database, {"c:1"}, {Set("t15", text(65'536 - 40))});  // 40 bytes are left
  std::string before = DumpOf(*database, true);
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, {Set("a", text(30)), Set("b", text(30))})), "LIMIT");
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, {Set("a", text(30)), Do(kAdd, "s", std::string(30, 'y'))})), "LIMIT");
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, {Set("n", int64_t{1}), Set("a", text(36))})), "LIMIT");  // a number takes 8
  EXPECT_NE(before.find("t15"), std::string::npos);
  EXPECT_TRUE(UpsertError(*database, {"c:1"}, {Set("a", text(20)), Set("b", text(20))}).ok());
  EXPECT_TRUE(UpsertError(*database, {"c:1"}, {{"t0", AttributeOperation::kUnset, {}, 0}, Set("c", text(65'536))}).ok());
}

TEST(WholeWrites, ManyLongTextsInOneWriteAreRefusedAsOne) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Set("here", std::string(50'000, 'x'))});
  std::vector<AttributeWrite> writes;
  for (int i = 0; i < 16; ++i) writes.push_back(Set("t" + std::to_string(i), std::string(65'536, 'x')));
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, writes)), "LIMIT");
  EXPECT_EQ(database->GetProfile("c:1", {}, false, {})->attributes.size(), 1u);
  writes.pop_back();
  EXPECT_TRUE(UpsertError(*database, {"c:1"}, writes).ok());
}

}  // namespace
}  // namespace korrel
