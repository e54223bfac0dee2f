#include "engine/catalog/catalog.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/engine/write_fixture.h"

namespace korrel {
namespace {

Definition Stored(std::string name, Type type) {
  Definition definition;
  definition.name = "attributes/" + name;
  definition.attribute.type = type;
  return definition;
}
Definition Computed(std::string name, std::string expression, std::optional<Type> type = std::nullopt) {
  Definition definition;
  definition.name = "attributes/" + name;
  definition.attribute.expression = std::move(expression);
  definition.attribute.type = type;
  return definition;
}
Definition Segment(std::string name, std::string expression) {
  Definition definition;
  definition.name = "segments/" + name;
  definition.kind = DefinitionKind::kSegment;
  definition.segment.expression = std::move(expression);
  definition.segment.is_static = definition.segment.expression.empty();
  return definition;
}

ApplyAnswer Apply(Database& database, std::vector<Definition> definitions, ApplyRequest request = {}) {
  request.definitions = std::move(definitions);
  return database.ApplyDefinitions(request).value();
}
Status FirstError(const ApplyAnswer& answer) {
  for (const DefinitionChange& change : answer.changes) {
    if (!change.error.ok()) return change.error;
  }
  return absl::OkStatus();
}
std::string ReasonIn(const Status& status) {
  auto error = ExpressionErrorOf(status);
  return error ? error->reason : ReasonOf(status);
}
uint64_t Count(Database& database, std::string expression) {
  auto count = database.Count({.expression = std::move(expression)});
  EXPECT_TRUE(count.ok()) << count.status();
  return count.ok() ? count->count : UINT64_MAX;
}

TEST(Catalog, DefinitionsComeInAnyOrder) {
  auto database = OpenForTest();
  ApplyAnswer answer = Apply(*database, {Segment("rich", "twice > 10"), Computed("twice", "spend * 2"), Stored("spend", kIntType)});
  EXPECT_TRUE(FirstError(answer).ok()) << FirstError(answer);
  EXPECT_EQ(answer.revision, 1u);
  UpsertOne(*database, {"c:1"}, {Set("spend", int64_t{6})});
  UpsertOne(*database, {"c:2"}, {Set("spend", int64_t{5})});
  EXPECT_EQ(Count(*database, "in segment 'rich'"), 1u);
  EXPECT_EQ(database->GetDefinition("attributes/twice")->used_by, std::vector<std::string>{"segments/rich"});
  EXPECT_EQ(database->GetDefinition("attributes/twice")->normal_form, "spend * 2");
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, {Set("twice", int64_t{1})})), "FIELD");
  // The same again changes nothing.
  answer = Apply(*database, {Segment("rich", "twice > 10"), Computed("twice", "spend * 2")});
  EXPECT_EQ(answer.revision, 1u);
  EXPECT_EQ(answer.changes[0].kind, ChangeKind::kNone);
}

TEST(Catalog, OneErrorAndNothingChanges) {
  auto database = OpenForTest();
  std::string before = DumpOf(*database);
  ApplyAnswer answer = Apply(*database, {Stored("age", kIntType), Segment("old", "agee > 60")});
  ASSERT_EQ(answer.changes.size(), 2u);
  EXPECT_TRUE(answer.changes[0].error.ok());
  auto error = ExpressionErrorOf(answer.changes[1].error);
  ASSERT_TRUE(error) << answer.changes[1].error;
  EXPECT_EQ(error->reason, "UNKNOWN_NAME");
  EXPECT_EQ(error->offset, 0u);
  EXPECT_EQ(answer.revision, 0u);
  EXPECT_EQ(DumpOf(*database), before);
}

TEST(Catalog, ACycleIsRefusedWithItsPath) {
  auto database = OpenForTest();
  ApplyAnswer answer = Apply(*database, {Segment("a", "in segment 'b'"), Segment("b", "not in segment 'a'")});
  Status status = answer.changes[0].error;
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonIn(status), "CYCLE");
  EXPECT_NE(MessageOf(status).find("segment 'a' uses itself: a → b → a"), std::string_view::npos) << status;
}

TEST(Catalog, ALongCycleIsNamedAtEachMemberInShort) {
  auto database = OpenForTest();
  constexpr size_t kMembers = 2'000;
  auto name = [](size_t i) { return "member_" + std::to_string(i % kMembers); };
  std::vector<Definition> definitions = {Segment("outside", "in segment 'member_7'"), Segment("sound", "true")};
  for (size_t i = 0; i < kMembers; ++i) definitions.push_back(Segment(name(i), "in segment 'sound' and in segment '" + name(i + 1) + "'"));
  ApplyAnswer answer = Apply(*database, definitions);
  size_t bytes = 0, cycles = 0;
  for (const DefinitionChange& change : answer.changes) {
    bytes += MessageOf(change.error).size();
    cycles += ReasonIn(change.error) == "CYCLE";
  }
  EXPECT_EQ(cycles, kMembers);
  EXPECT_LT(bytes, kMembers * 1'000);
  EXPECT_TRUE(answer.changes[1].error.ok());
  EXPECT_EQ(MessageOf(answer.changes[0].error), "segments/outside uses segments/member_7, which is refused");
  std::string_view first = MessageOf(answer.changes[2].error);
  EXPECT_TRUE(first.starts_with("segment 'member_0' uses itself: member_0 → member_1 → ")) << first;
  EXPECT_TRUE(first.ends_with("member_31 → … 1968 more … → member_0")) << first;
}

TEST(Catalog, CyclesThatShareADefinitionAreRefusedAltogether) {
  auto database = OpenForTest();
  ApplyAnswer answer = Apply(*database, {Segment("a", "in segment 'b'"), Segment("b", "in segment 'a' or in segment 'c'"),
                                         Segment("c", "in segment 'a'"), Segment("d", "not in segment 'd'")});
  EXPECT_EQ(MessageOf(answer.changes[0].error), "segment 'a' uses itself: a → b → a");
  EXPECT_EQ(MessageOf(answer.changes[1].error), "segment 'b' uses itself: b → a → b");
  EXPECT_EQ(MessageOf(answer.changes[2].error), "segments/c uses segments/a, which is refused");
  EXPECT_EQ(MessageOf(answer.changes[3].error), "segment 'd' uses itself: d → d");
}

TEST(Catalog, FieldsOfDefinitionsAreNamed) {
  auto database = OpenForTest();
  EXPECT_EQ(FieldOf(Apply(*database, {Segment("with\tcontrol", "true")}).changes[0].error), "name");
}

TEST(Catalog, WhatIsUsedIsNotDroppedUnlessItCascades) {
  auto database = OpenForTest();
  Apply(*database, {Stored("x", kIntType), Computed("y", "x + 1"), Segment("s", "y > 1"), Segment("t", "in segment 's'")});
  Status status = database->DeleteDefinition("attributes/y", false, 0, "").status();
  EXPECT_EQ(ReasonOf(status), "IN_USE");
  EXPECT_NE(MessageOf(status).find("segments/s"), std::string_view::npos) << status;
  auto answer = database->DeleteDefinition("attributes/y", true, 0, "");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->changes.size(), 3u);
  EXPECT_EQ(ReasonOf(database->GetDefinition("segments/t").status()), "DEFINITION");
  EXPECT_EQ(ReasonOf(database->DeleteDefinition("segments/t", false, 0, "").status()), "DEFINITION");
}

TEST(Catalog, AChangeThatBreaksOthersIsRefused) {
  auto database = OpenForTest();
  Apply(*database, {Computed("y", "1 + 1"), Segment("s", "y > 1")});
  Status status = FirstError(Apply(*database, {Computed("y", "'text'")}));
  EXPECT_EQ(ReasonOf(status), "IN_USE");
  EXPECT_EQ(database->GetDefinition("attributes/y")->result_type, kIntType);
}

TEST(Catalog, PruneAndBaseRevision) {
  auto database = OpenForTest();
  Apply(*database, {Segment("s", "true"), Segment("t", "true")});
  ApplyRequest request;
  request.prune = true;
  request.base_revision = 7;
  request.definitions = {Segment("t", "true")};
  EXPECT_EQ(ReasonOf(database->ApplyDefinitions(request).status()), "REVISION_CHANGED");
  request.base_revision = 1;
  EXPECT_EQ(database->ApplyDefinitions(request)->revision, 2u);
  EXPECT_FALSE(database->GetDefinition("segments/s").ok());
  EXPECT_TRUE(database->GetDefinition("segments/t").ok());
}

TEST(Catalog, ValidateOnlyShowsMembersAndChangesNothing) {
  auto database = OpenForTest();
  for (int i = 0; i < 10; ++i) UpsertOne(*database, {"c:" + std::to_string(i)}, {Set("n", int64_t{i})});
  Apply(*database, {Segment("s", "n < 5")});
  ApplyRequest request;
  request.validate_only = true;
  request.preview_sample_size = 2;
  ApplyAnswer answer = Apply(*database, {Segment("s", "n >= 3 and n < 9")}, request);
  ASSERT_TRUE(answer.changes[0].segment);
  EXPECT_EQ(answer.changes[0].segment->member_count, 6u);
  EXPECT_EQ(answer.changes[0].segment->added_count, 4u);
  EXPECT_EQ(answer.changes[0].segment->removed_count, 3u);
  EXPECT_EQ(answer.changes[0].segment->removed_sample,
            (std::vector<std::string>{FormatProfileId(ProfileId(1)), FormatProfileId(ProfileId(2))}));
  EXPECT_EQ(Count(*database, "in segment 's'"), 5u);
  EXPECT_EQ(answer.revision, 1u);
}

// "segments/a +1 -2 =3" for every change with a preview, in the answer's order, and whatever stands there unchanged.
std::vector<std::string> PreviewsOf(const ApplyAnswer& answer) {
  std::vector<std::string> texts;
  for (const DefinitionChange& change : answer.changes) {
    if (!change.segment && change.kind == ChangeKind::kNone) texts.push_back(change.name + " without a preview");
    if (!change.segment) continue;
    texts.push_back(fmt::format("{}{} +{} -{} ={}", change.name, change.kind == ChangeKind::kNone ? " by use" : "",
                                change.segment->added_count, change.segment->removed_count, change.segment->member_count));
  }
  return texts;
}

TEST(Catalog, APreviewShowsWhoChangesThroughWhatIsUsed) {
  auto database = OpenForTest();
  for (int i = 0; i < 10; ++i) UpsertOne(*database, {"c:" + std::to_string(i)}, {Set("n", int64_t{i})});
  for (int i = 0; i < 4; ++i) TrackOne(*database, "c:" + std::to_string(i), "order", kStartUs - (i + 1) * kDayUs);
  Definition zone_reader = Segment("dawn", "hour(created_at()) = 0"), list = Segment("list", "");
  list.segment.is_static = true;
  const Status applied =
      FirstError(Apply(*database, {Computed("twice", "n * 2"), Segment("few", "twice < 6"), Segment("not_few", "not in segment 'few'"),
                                   Segment("own", "n > 3"), Segment("buyers", "count(order) > 0"), zone_reader, list}));
  ASSERT_TRUE(applied.ok()) << applied;
  ApplyRequest request;
  request.validate_only = true;
  request.preview_sample_size = 1;
  using Texts = std::vector<std::string>;
  EXPECT_EQ(PreviewsOf(Apply(*database, {Computed("twice", "n * 3")}, request)),
            (Texts{"segments/few by use +0 -1 =2", "segments/not_few by use +1 -0 =8"}));
  // Given and unchanged, it is in its place.
  EXPECT_EQ(PreviewsOf(Apply(*database, {Segment("few", "twice < 6"), Computed("twice", "n * 3")}, request)),
            (Texts{"segments/few by use +0 -1 =2", "segments/not_few by use +1 -0 =8"}));
  Definition described = Computed("twice", "n * 2");
  described.attribute.description = "for people";
  EXPECT_EQ(PreviewsOf(Apply(*database, {described}, request)), Texts());
  Definition kept_two_days;
  kept_two_days.name = "events/order";
  kept_two_days.kind = DefinitionKind::kEvent;
  kept_two_days.event.retention_us = 2 * kDayUs;
  EXPECT_EQ(PreviewsOf(Apply(*database, {kept_two_days}, request)), Texts{"segments/buyers by use +0 -3 =1"});
  ApplyRequest zone = request;
  zone.time_zone = "Asia/Tokyo";
  EXPECT_EQ(PreviewsOf(Apply(*database, {}, zone)), Texts{"segments/dawn by use +0 -10 =0"});
  ApplyRequest prune = request;
  prune.prune = true;
  EXPECT_EQ(PreviewsOf(Apply(*database, {Segment("own", "n > 3")}, prune)),
            (Texts{"segments/own without a preview", "segments/buyers +0 -4 =0", "segments/dawn +0 -10 =0", "segments/few +0 -3 =0",
                   "segments/not_few +0 -7 =0"}));
  Definition wider;  // a property more is read by nobody yet
  wider.name = "events/order";
  wider.kind = DefinitionKind::kEvent;
  wider.event.properties = {{"size", kIntType}};
  EXPECT_EQ(PreviewsOf(Apply(*database, {wider}, request)), Texts());
  // A change that is refused moves nobody.
  Apply(*database, {Segment("recent", "count(order) over 30d > 0")});
  EXPECT_EQ(PreviewsOf(Apply(*database, {kept_two_days}, request)), Texts());
  ApplyRequest late = request;
  late.deadline_ns = 1;
  late.definitions = {Computed("twice", "n * 3")};
  EXPECT_EQ(database->ApplyDefinitions(late).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(Catalog, ARefusalSaysWhatWouldBreakAndWhy) {
  auto database = OpenForTest();
  TrackOne(*database, "c:1", "order", kStartUs - kDayUs, {{"amount", int64_t{3}}});
  Apply(*database, {Segment("recent", "count(order) over 30d > 0"), Computed("spend", "sum(order.amount)")});
  Definition event;
  event.name = "events/order";
  event.kind = DefinitionKind::kEvent;
  event.event.retention_us = 7 * kDayUs;
  const Status refused = FirstError(Apply(*database, {event}));
  EXPECT_EQ(ReasonOf(refused), "IN_USE");
  EXPECT_THAT(std::string(MessageOf(refused)), testing::HasSubstr("it is used by segments/recent; of segments/recent would be said: "));
  EXPECT_THAT(std::string(MessageOf(refused)), testing::HasSubstr("7d"));
  event.event.retention_us = 0;
  event.event.properties = {{"amount", kStringType}};
  EXPECT_THAT(std::string(MessageOf(FirstError(Apply(*database, {event})))), testing::HasSubstr("write another property"));
}

TEST(Catalog, ADeclaredTypeDoesNotWidenByItself) {
  auto database = OpenForTest();
  Apply(*database, {Stored("x", kIntType)});
  EXPECT_EQ(ReasonOf(UpsertError(*database, {"c:1"}, {Set("x", Decimal{15, 1})})), "TYPE_CLASH");
  UpsertOne(*database, {"c:1"}, {Set("x", int64_t{2})});
  // Declared anew it does, where every value stays exact; never narrower.
  EXPECT_TRUE(FirstError(Apply(*database, {Stored("x", DecimalType(1))})).ok());
  EXPECT_TRUE(UpsertError(*database, {"c:1"}, {Set("x", Decimal{15, 1})}).ok());
  EXPECT_EQ(ReasonOf(FirstError(Apply(*database, {Stored("x", kIntType)}))), "TYPE_CLASH");
}

TEST(Catalog, StoredValuesForbidAComputedAttributeOfTheName) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Set("x", int64_t{2})});
  EXPECT_EQ(ReasonOf(FirstError(Apply(*database, {Computed("x", "1 + 1")}))), "IN_USE");
  ASSERT_TRUE(database->DeleteDefinition("attributes/x", false, 0, "").ok());  // undeclared: its values go
  EXPECT_TRUE(FirstError(Apply(*database, {Computed("x", "1 + 1")})).ok());
  EXPECT_EQ(Count(*database, "x = 2"), 1u);
}

TEST(Catalog, DeletingADeclarationKeepsTheData) {
  auto database = OpenForTest();
  Apply(*database, {Stored("x", kIntType)});
  UpsertOne(*database, {"c:1"}, {Set("x", int64_t{2})});
  ASSERT_TRUE(database->DeleteDefinition("attributes/x", false, 0, "").ok());
  EXPECT_EQ(database->GetDefinition("attributes/x")->state, DefinitionState::kUndeclared);
  EXPECT_EQ(Count(*database, "x = 2"), 1u);
}

TEST(Catalog, ADeclaredComputedTypeLosesNothing) {
  auto database = OpenForTest();
  EXPECT_TRUE(FirstError(Apply(*database, {Computed("a", "1 + 1", DecimalType(2))})).ok());
  EXPECT_EQ(ReasonOf(FirstError(Apply(*database, {Computed("b", "1.25 + 1.25", DecimalType(1))}))), "TYPE_CLASH");
  EXPECT_EQ(database->GetDefinition("attributes/a")->result_type, DecimalType(2));
}

TEST(Catalog, RetypeConvertsAllOrNone) {
  auto database = OpenForTest();
  UpsertOne(*database, {"c:1"}, {Set("x", std::string("12"))});
  UpsertOne(*database, {"c:2"}, {Set("x", std::string("twelve"))});
  auto answer = database->RetypeAttribute("x", kIntType, false, "");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->failed_count, 1u);
  ASSERT_EQ(answer->errors.size(), 1u);
  EXPECT_NE(MessageOf(answer->errors[0].status).find("'twelve'"), std::string_view::npos);
  EXPECT_EQ(database->GetDefinition("attributes/x")->result_type, kStringType);
  UpsertOne(*database, {"c:2"}, {Set("x", std::string("13"))});
  EXPECT_EQ(database->RetypeAttribute("x", kIntType, true, "")->converted_count, 2u);
  EXPECT_EQ(database->RetypeAttribute("x", kIntType, false, "")->failed_count, 0u);
  EXPECT_EQ(Count(*database, "x > 12"), 1u);
  EXPECT_EQ(ReasonOf(database->RetypeAttribute("nobody", kIntType, false, "").status()), "DEFINITION");
}

TEST(Catalog, StaticSegmentsAreLists) {
  auto clock = Clock::MakeManual(kStartUs);
  Clock* hand = clock.get();
  auto database = OpenForTest(2, std::move(clock));
  Apply(*database, {Segment("vip", ""), Segment("all", "true")});
  for (int i = 0; i < 6; ++i) UpsertOne(*database, {"c:" + std::to_string(i)}, {Set("n", int64_t{i})});
  UpdateMembersRequest request{.segment = "vip", .profiles = {"c:0", "c:9", "c:1", "bad"}};
  auto answer = database->UpdateMembers(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->member_count, 2u);
  ASSERT_EQ(answer->result.errors.size(), 2u);
  EXPECT_EQ(ReasonOf(answer->result.errors[0].status), "PROFILE");
  EXPECT_EQ(FieldOf(answer->result.errors[0].status), "profiles[1]");
  request = {.segment = "vip",
             .operation = MemberOperation::kPut,
             .selection = Selection{.expression = "n >= 4"},
             .expire_time_us = kStartUs + 10};
  EXPECT_EQ(database->UpdateMembers(request)->member_count, 2u);
  EXPECT_EQ(Count(*database, "in segment 'vip' and n < 4"), 0u);
  ASSERT_TRUE(hand->AdvanceTo(kStartUs + 10).ok());
  EXPECT_EQ(Count(*database, "in segment 'vip'"), 0u);
  request = {.segment = "vip", .operation = MemberOperation::kRemove, .profiles = {"c:4"}};
  EXPECT_EQ(database->UpdateMembers(request)->member_count, 0u);
  request.segment = "all";
  EXPECT_EQ(ReasonOf(database->UpdateMembers(request).status()), "FIELD");
  request.segment = "none";
  EXPECT_EQ(ReasonOf(database->UpdateMembers(request).status()), "DEFINITION");
}

TEST(Catalog, AnIdentifierTypeThatComesLaterIsKnownToDefinitions) {
  auto database = OpenForTest();
  Apply(*database, {Segment("reachable", "has_identifier('email')")});
  UpsertOne(*database, {"c:1", "email:a"}, {});
  EXPECT_EQ(Count(*database, "in segment 'reachable'"), 1u);
}

TEST(Catalog, ListsComeInPagesBoundToTheirRequest) {
  auto database = OpenForTest();
  Apply(*database, {Segment("b", "true"), Segment("a", "true"), Segment("c", "true"), Stored("x", kIntType)});
  auto page = database->ListDefinitions("segments", 2, "");
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->definitions.size(), 2u);
  EXPECT_EQ(page->definitions[1].name, "segments/b");
  EXPECT_EQ(ReasonOf(database->ListDefinitions("", 2, page->next_page_token).status()), "FIELD");
  page = database->ListDefinitions("segments", 2, page->next_page_token);
  EXPECT_EQ(page->definitions.at(0).name, "segments/c");
  EXPECT_TRUE(page->next_page_token.empty());
  EXPECT_EQ(database->ListDefinitions("", 0, "")->definitions.size(), 4u);
}

TEST(Catalog, ATimeZoneNobodyKnowsIsRefused) {
  auto database = OpenForTest();
  ApplyRequest request;
  request.time_zone = "Mars/Olympus";
  EXPECT_EQ(FieldOf(database->ApplyDefinitions(request).status()), "time_zone");
  request.time_zone = "Europe/Amsterdam";
  EXPECT_EQ(database->ApplyDefinitions(request)->revision, 1u);
  EXPECT_EQ(database->TimeZone(), "Europe/Amsterdam");
}

}  // namespace
}  // namespace korrel
