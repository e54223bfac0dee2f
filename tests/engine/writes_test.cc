#include "engine/write/writes.h"

#include <atomic>

#include "engine/core.h"
#include "tests/engine/write_fixture.h"

namespace korrel {
namespace {

Value Attribute(Database& database, const std::string& profile, const std::string& name) {
  auto view = database.GetProfile(profile, {name}, false, {});
  if (!view.ok() || view->attributes.empty()) return {};
  return view->attributes[0].value;
}

TEST(Writes, AnAttributeIsMadeByItsFirstWriteWithThatType) {
  auto database = OpenForTest();
  EXPECT_TRUE(UpsertError(*database, {"email:a"}, {Set("age", int64_t{41}), Set("name", std::string("Ann"))}).ok());
  EXPECT_TRUE(Attribute(*database, "email:a", "age") == Value(int64_t{41}));
  EXPECT_EQ(database->GetDefinition("attributes/age")->state, DefinitionState::kUndeclared);
  EXPECT_EQ(database->GetDefinition("attributes/age")->result_type, kIntType);
}

TEST(Writes, AnIntWidensToDecimalAndDoubleAndSaysSo) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Set("x", int64_t{3})});
  WriteResult result = UpsertOne(*database, {"c:2"}, {Set("x", Decimal{25, 1})});
  ASSERT_EQ(result.notes.size(), 1u);
  EXPECT_EQ(result.notes[0], "attribute 'x' widened from int to decimal(1)");
  EXPECT_TRUE(Attribute(*database, "c:1", "x") == Value(Decimal{30, 1}));
  result = UpsertOne(*database, {"c:3"}, {Set("x", 0.5e-9)});
  EXPECT_TRUE(result.errors.empty());
  EXPECT_TRUE(Attribute(*database, "c:1", "x") == Value(3.0));
}

TEST(Writes, ARefusedWideningStopsEverybodyOnce) {
  auto database = OpenForTest();
  const std::atomic<uint64_t>& held = CoreOf(*database).all_shards_held;
  UpsertOne(*database, {"c:1"}, {Set("x", int64_t{999'999'999'999'999'999})});
  TrackOne(*database, "c:1", "order", kStartUs, {{"amount", int64_t{999'999'999'999'999'999}}});
  std::vector<ProfileWrite> writes;
  for (int i = 0; i < 50; ++i) writes.push_back({{"d:" + std::to_string(i)}, {Set("x", Decimal{12'345, 4})}});
  for (int batch = 0; batch < 3; ++batch) {
    WriteResult result = database->Upsert(writes, {}).value();
    ASSERT_EQ(result.errors.size(), writes.size());
    for (const ItemError& error : result.errors) EXPECT_EQ(ReasonOf(error.status), "TYPE_CLASH");
    EXPECT_EQ(held, 1u) << batch;
  }
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ReasonOf(TrackOne(*database, "c:1", "order", kStartUs, {{"amount", Decimal{12'345, 4}}}).errors.at(0).status), "TYPE_CLASH");
  }
  EXPECT_EQ(held, 1u);
  // What stood against it is gone.
  UpsertOne(*database, {"c:1"}, {Set("x", int64_t{7})});
  EXPECT_TRUE(database->Upsert(writes, {}).value().errors.empty());
  EXPECT_TRUE(Attribute(*database, "c:1", "x") == Value(Decimal{70'000, 4}));
}

TEST(Writes, AClashIsNamedAlsoBesideNewNames) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Set("x", int64_t{999'999'999'999'999'999})});
  WriteResult result = UpsertOne(*database, {"new_type:1"}, {Set("brandnew", int64_t{1}), Set("x", Decimal{12'345, 4})});
  ASSERT_EQ(result.errors.size(), 1u);
  EXPECT_EQ(ReasonOf(result.errors[0].status), "TYPE_CLASH");
  EXPECT_EQ(FieldOf(result.errors[0].status), "writes[0].attributes[1].value");
  EXPECT_FALSE(database->GetDefinition("attributes/brandnew").ok());
  TrackOne(*database, "c:1", "order", kStartUs, {{"amount", int64_t{999'999'999'999'999'999}}});
  result = TrackOne(*database, "c:1", "order", kStartUs, {{"brandnew", int64_t{1}}, {"amount", Decimal{12'345, 4}}});
  ASSERT_EQ(result.errors.size(), 1u);
  EXPECT_EQ(ReasonOf(result.errors[0].status), "TYPE_CLASH");
  EXPECT_EQ(FieldOf(result.errors[0].status), "events[0].properties[1].value");
}

TEST(Writes, WhatDoesNotStayExactDoesNotWiden) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Set("x", (int64_t{1} << 53) + 1)});
  WriteResult result = UpsertOne(*database, {"c:2"}, {Set("x", 0.5e-9)});
  ASSERT_EQ(result.errors.size(), 1u);
  EXPECT_EQ(ReasonOf(result.errors[0].status), "TYPE_CLASH");
  EXPECT_EQ(FieldOf(result.errors[0].status), "writes[0].attributes[0].value");
  EXPECT_TRUE(result.notes.empty());
  EXPECT_TRUE(Attribute(*database, "c:1", "x") == Value((int64_t{1} << 53) + 1));
  EXPECT_FALSE(database->GetProfile("c:2", {}, false, {}).ok());
}

TEST(Writes, AValueThatFitsExactlyIsConvertedNotWidened) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Set("x", Decimal{150, 2})});
  WriteResult result = UpsertOne(*database, {"c:1"}, {Set("x", int64_t{7})});
  EXPECT_TRUE(result.notes.empty());
  EXPECT_TRUE(Attribute(*database, "c:1", "x") == Value(Decimal{700, 2}));
}

TEST(Writes, AStringForAnIntNamesAttributeTypesAndValue) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Set("age", int64_t{3})});
  Status status = UpsertError(*database, {"c:1"}, {Set("ok", true), Set("age", std::string("old"))});
  EXPECT_EQ(ReasonOf(status), "TYPE_CLASH");
  EXPECT_EQ(FieldOf(status), "writes[0].attributes[1].value");
  for (const char* part : {"'age'", "int", "'old'", "string"}) EXPECT_NE(MessageOf(status).find(part), std::string_view::npos) << part;
  EXPECT_FALSE(IsPresent(Attribute(*database, "c:1", "ok")));  // whole or not at all
  EXPECT_FALSE(database->GetDefinition("attributes/ok").ok());
}

TEST(Writes, OneBadItemNeverSpoilsTheOthers) {
  auto database = OpenForTest();
  std::vector<ProfileWrite> writes = {
      {{"c:1"}, {Set("x", int64_t{1})}, 0}, {{}, {}, 0}, {{"Bad:1"}, {}, 0}, {{"c:4"}, {Set("x", int64_t{4})}, 0}};
  WriteResult result = *database->Upsert(writes, {});
  EXPECT_EQ(result.applied_count, 2u);
  ASSERT_EQ(result.errors.size(), 2u);
  EXPECT_EQ(result.errors[0].index, 1u);
  EXPECT_EQ(FieldOf(result.errors[0].status), "writes[1].identifiers");
  EXPECT_EQ(FieldOf(result.errors[1].status), "writes[2].identifiers[0]");
  EXPECT_TRUE(Attribute(*database, "c:4", "x") == Value(int64_t{4}));
}

TEST(Writes, IdsFollowTheOrderOfTheBatchWhateverTheShards) {
  std::string dumps[3];
  int i = 0;
  for (uint32_t shards : {1u, 2u, 8u}) {
    auto database = OpenForTest(shards);
    std::vector<ProfileWrite> writes;
    for (int n = 0; n < 500; ++n) {
      std::string name = "c:" + std::to_string(n * 7 % 300);
      writes.push_back({{name}, {Set("n", int64_t{n}), Do(AttributeOperation::kIncrement, "count", int64_t{1})}, 0});
    }
    EXPECT_EQ(database->Upsert(writes, {})->applied_count, 500u);
    EXPECT_EQ(database->GetProfile("c:7", {}, false, {})->id.value, 2u);
    dumps[i++] = DumpOf(*database);
  }
  EXPECT_EQ(dumps[0], dumps[1]);
  EXPECT_EQ(dumps[0], dumps[2]);
}

TEST(Writes, SeveralOperationsOnOneAttributeActInOrderOrNotAtAll) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Set("n", INT64_MAX - 1)});
  auto add = [](int64_t n) { return Do(AttributeOperation::kIncrement, "n", n); };
  EXPECT_TRUE(UpsertError(*database, {"c:1"}, {add(-5), add(6)}).ok());
  EXPECT_TRUE(Attribute(*database, "c:1", "n") == Value(INT64_MAX));
  Status status = UpsertError(*database, {"c:1"}, {add(-1), add(1), add(1)});
  EXPECT_EQ(FieldOf(status).substr(0, 23), "writes[0].attributes[2]");
  EXPECT_TRUE(Attribute(*database, "c:1", "n") == Value(INT64_MAX));
}

TEST(Writes, SetsAreMadeByAddAndKeptByRemove) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Do(AttributeOperation::kAdd, "tags", std::string("b"))});
  UpsertOne(*database, {"c:1"}, {Do(AttributeOperation::kAdd, "tags", StringSet{"a", "b"})});
  UpsertOne(*database, {"c:1"}, {Do(AttributeOperation::kRemove, "tags", std::string("b"))});
  EXPECT_TRUE(Attribute(*database, "c:1", "tags") == Value(StringSet{"a"}));
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, {Do(AttributeOperation::kAdd, "more", int64_t{1})})), "TYPE_CLASH");
  EXPECT_FALSE(database->GetDefinition("attributes/more").ok());
}

TEST(Writes, LimitsAndBadValuesAreRefusedBeforeAnythingChanges) {
  auto database = OpenForTest();
  std::vector<AttributeWrite> many;
  for (size_t i = 0; i < 1'001; ++i) many.push_back(Set("a" + std::to_string(i), int64_t{1}));
  std::vector<std::string> names;
  for (int i = 0; i < 65; ++i) names.push_back("c:" + std::to_string(i));
  std::vector<std::pair<std::vector<std::string>, std::vector<AttributeWrite>>> bad = {
      {{"c:1"}, many},
      {names, {}},
      {{"c:"}, {}},
      {{"noColon"}, {}},
      {{"c:" + std::string(1'025, 'x')}, {}},
      {{"c:\xff"}, {}},
      {{"profile:12"}, {}},
      {{"c:1"}, {Set("", int64_t{1})}},
      {{"c:1"}, {Set("a\nb", int64_t{1})}},
      {{"c:1"}, {Set(std::string(129, 'x'), int64_t{1})}},
      {{"c:1"}, {Set("x", Value())}},
      {{"c:1"}, {Set("x", std::numeric_limits<double>::quiet_NaN())}},
      {{"c:1"}, {Set("x", std::string("\xc3"))}},
      {{"c:1"}, {Set("x", std::string(kStringBytesMax + 1, 'x'))}},
      {{"c:1"}, {Set("x", int64_t{1}, kTimestampMaxUs + 1)}},
      {{"c:1"}, {Do(static_cast<AttributeOperation>(99), "x", int64_t{1})}},
  };
  for (size_t i = 0; i < bad.size(); ++i) {
    Status status = UpsertError(*database, bad[i].first, bad[i].second);
    EXPECT_EQ(ReasonOf(status), "FIELD") << i << ": " << status;
    EXPECT_FALSE(FieldOf(status).empty()) << i;
  }
  EXPECT_EQ(database->GetStatus().profile_count, 0u);
  EXPECT_EQ(DumpOf(*database), DumpOf(*OpenForTest()));
}

TEST(Writes, AProfileHoldsAMebibyteOfText) {
  auto database = OpenForTest();
  std::vector<AttributeWrite> many;
  for (int i = 0; i < 18; ++i) many.push_back(Set("t" + std::to_string(i), std::string(60'000, 'x')));
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, many)), "LIMIT");
  EXPECT_EQ(database->GetStatus().profile_count, 0u);
  for (int i = 0; i < 17; ++i) ASSERT_TRUE(UpsertError(*database, {"c:1"}, {many[i]}).ok()) << i;
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, {many[17]})), "LIMIT");
  EXPECT_TRUE(UpsertError(*database, {"c:1"}, {many[16]}).ok());  // what is replaced does not count
}

TEST(Writes, AWriteFromTheFutureIsRefused) {
  auto database = OpenForTest();
  Status status = UpsertError(*database, {"c:1"}, {Set("x", int64_t{1}, kStartUs + kFutureSlackUs + 1)});
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(UpsertError(*database, {"c:1"}, {Set("x", int64_t{1}, kStartUs + kFutureSlackUs)}).ok());
}

// ---- Identity ----

TEST(Writes, ASecondIdentifierNamesTheSameProfile) {
  auto database = OpenForTest();
  UpsertOne(*database, {"email:a"}, {});
  UpsertOne(*database, {"email:a", "phone:1"}, {Set("x", int64_t{1})});
  EXPECT_TRUE(Attribute(*database, "phone:1", "x") == Value(int64_t{1}));
  auto view = database->GetProfile("phone:1", {}, false, {});
  EXPECT_EQ(view->identifiers, (std::vector<std::string>{"email:a", "phone:1"}));
}

TEST(Writes, JoiningTwoProfilesIsRefusedWithoutEffect) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {});
  UpsertOne(*database, {"c:2"}, {});
  std::string before = DumpOf(*database);
  Status status = UpsertError(*database, {"c:1", "c:3", "c:2"}, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "WOULD_JOIN");
  EXPECT_EQ(DumpOf(*database), before);
  EXPECT_EQ(database->GetProfile("c:3", {}, false, {}).status().code(), absl::StatusCode::kNotFound);
}

TEST(Writes, AProfileIdNamesAnExistingProfileOnly) {
  auto database = OpenForTest();
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"profile:0000000000000001"}, {Set("x", int64_t{1})})), "PROFILE");
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"profile:0000000000000001", "c:1"}, {})), "PROFILE");
  UpsertOne(*database, {"c:1"}, {});
  EXPECT_TRUE(
      UpsertError(*database, {FormatProfileId(database->GetProfile("c:1", {}, false, {})->id), "c:2"}, {Set("x", int64_t{1})}).ok());
  EXPECT_TRUE(Attribute(*database, "c:2", "x") == Value(int64_t{1}));
}

TEST(Writes, DeleteFreesIdentifiersAndNeverReusesTheId) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1", "d:1"}, {Set("x", int64_t{1})});
  ProfileId first = database->GetProfile("c:1", {}, false, {})->id;
  EXPECT_EQ(database->Delete("d:1", {})->applied_count, 1u);
  EXPECT_EQ(ReasonOf(database->Delete("c:1", {}).status()), "PROFILE");
  UpsertOne(*database, {"c:1"}, {});
  EXPECT_LT(first, database->GetProfile("c:1", {}, false, {})->id);
  EXPECT_EQ(database->GetProfile("d:1", {}, false, {}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(IsPresent(Attribute(*database, "c:1", "x")));
}

// ---- Events ----

TEST(Events, TheSameMessageFromTheSameSourceIsADuplicate) {
  auto database = OpenForTest();
  EXPECT_EQ(TrackOne(*database, "c:1", "order", kStartUs, {{"amount", Decimal{995, 2}}}, "m1").applied_count, 1u);
  std::string before = DumpOf(*database, true);
  WriteResult result = TrackOne(*database, "c:1", "order", kStartUs - 5, {}, "m1");
  EXPECT_EQ(result.applied_count, 0u);
  EXPECT_EQ(result.duplicate_indexes, std::vector<uint32_t>{0});
  EXPECT_EQ(DumpOf(*database, true), before);
  EventWrite other{{"c:1"}, "order", kStartUs, "m1", "shop", {}};
  EXPECT_EQ(database->Track({&other, 1}, {})->applied_count, 1u);
}

TEST(Events, TooNewTooOldAndNotYet) {
  auto clock = Clock::MakeManual(kStartUs);
  Clock* hand = clock.get();
  auto database = OpenForTest(2, std::move(clock));
  Definition order;
  order.name = "events/order";
  order.kind = DefinitionKind::kEvent;
  order.event.retention_us = 10 * kDayUs;
  ApplyRequest apply;
  apply.definitions = {order};
  ASSERT_TRUE(database->ApplyDefinitions(apply).ok());
  EXPECT_EQ(ReasonOf(TrackOne(*database, "c:1", "order", kStartUs + kFutureSlackUs + 1).errors.at(0).status), "EVENT_TOO_NEW");
  Status old = TrackOne(*database, "c:1", "order", kStartUs - 10 * kDayUs).errors.at(0).status;
  EXPECT_EQ(ReasonOf(old), "EVENT_TOO_OLD");
  EXPECT_EQ(FieldOf(old), "events[0].event_time_us");
  EXPECT_EQ(database->GetStatus().profile_count, 0u);
  EXPECT_EQ(TrackOne(*database, "c:1", "order", kStartUs - 10 * kDayUs + 1, {}, "m").applied_count, 1u);
  // Past its retention the event is held no more, and its message is new again.
  ASSERT_TRUE(hand->AdvanceTo(kStartUs + kDayUs).ok());
  EXPECT_EQ(TrackOne(*database, "c:1", "order", kStartUs, {}, "m").applied_count, 1u);
  EXPECT_EQ(database->GetStatus().event_count, 1u);
}

TEST(Events, AReplayBatchMovesTheClockEventByEvent) {
  auto database = OpenForTest(4, Clock::MakeReplay(366 * kDayUs));
  std::vector<EventWrite> events;
  for (int i = 0; i < 10; ++i) events.push_back({{"c:1"}, "order", kStartUs + i * 300 * kDayUs, "", "", {}});
  EXPECT_EQ(database->Track(events, {})->applied_count, 10u);  // 2,700 days in steps under 366
  EXPECT_EQ(database->GetStatus().now_us, kStartUs + 2'700 * kDayUs);
  EXPECT_EQ(ReasonOf(TrackOne(*database, "c:1", "order", kStartUs + 3'100 * kDayUs).errors.at(0).status), "EVENT_TOO_NEW");
  EXPECT_EQ(database->GetStatus().now_us, kStartUs + 2'700 * kDayUs);
}

TEST(Events, PropertiesWidenAndClashLikeAttributes) {
  auto database = OpenForTest();
  TrackOne(*database, "c:1", "order", kStartUs, {{"amount", int64_t{5}}});
  WriteResult result = TrackOne(*database, "c:2", "order", kStartUs, {{"amount", Decimal{525, 2}}});
  EXPECT_EQ(result.notes, std::vector<std::string>{"property 'amount' of 'order' widened from int to decimal(2)"});
  auto page = database->ListEvents({.profile = "c:1"});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_TRUE(page->events.at(0).properties.at(0).value == Value(Decimal{500, 2}));
  Status status = TrackOne(*database, "c:1", "order", kStartUs, {{"amount", std::string("five")}}).errors.at(0).status;
  EXPECT_EQ(ReasonOf(status), "TYPE_CLASH");
  EXPECT_EQ(FieldOf(status), "events[0].properties[0].value");
  Status twice = TrackOne(*database, "c:1", "order", kStartUs, {{"amount", int64_t{5}}, {"amount", int64_t{6}}}).errors.at(0).status;
  EXPECT_EQ(ReasonOf(twice), "FIELD");
  EXPECT_EQ(ReasonOf(TrackOne(*database, "c:1", "any", kStartUs).errors.at(0).status), "FIELD");
}

TEST(Events, TheHardLimitKeepsTheNewestAndMarksTheProfile) {
  auto database = OpenForTest(2, nullptr, 3);
  for (int i = 0; i < 5; ++i) TrackOne(*database, "c:1", "visit", kStartUs - i);
  EXPECT_EQ(database->GetStatus().event_count, 3u);
  EXPECT_EQ(database->GetProfile("c:1", {}, false, {})->truncated_event_types, std::vector<std::string>{"visit"});
}

// ---- Requests ----

TEST(Writes, ARepeatedRequestGetsTheFirstAnswer) {
  auto database = OpenForTest();
  ProfileWrite write{{"c:1"}, {Do(AttributeOperation::kIncrement, "n", int64_t{1})}, 0};
  WriteOptions options{.request_id = "r1", .request_digest = "d"};
  Position first = database->Upsert({&write, 1}, options)->position;
  EXPECT_EQ(database->Upsert({&write, 1}, options)->position, first);
  EXPECT_TRUE(Attribute(*database, "c:1", "n") == Value(int64_t{1}));
  options.request_digest = "other";
  EXPECT_EQ(ReasonOf(database->Upsert({&write, 1}, options).status()), "REQUEST_ID_REUSED");
}

TEST(Writes, ATurnIsBoundedWhateverTheBatch) {
  auto database = OpenForTest(1);
  std::vector<ProfileWrite> writes;
  for (int i = 0; i < 5'000; ++i) writes.push_back({{"c:" + std::to_string(i)}, {Set("x", int64_t{i}), Set("y", std::string(20, 'y'))}, 0});
  EXPECT_EQ(database->Upsert(writes, {})->applied_count, 5'000u);
  EXPECT_GT(database->largest_turn_work(), 0u);
  EXPECT_LT(database->largest_turn_work(), kTurnWorkUnits + 5'000);  // a turn, and the item that ended it
}

}  // namespace
}  // namespace korrel
