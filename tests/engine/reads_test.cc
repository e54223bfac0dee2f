// Point reads: one profile, a list of profiles, a profile's events; prepared projections.
#include "engine/read/reads.h"

#include <fmt/format.h>

#include "engine/read/projection.h"
#include "tests/engine/question_fixture.h"

namespace korrel {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class Reads : public testing::TestWithParam<uint32_t> {
 protected:
  Reads() : db(GetParam()) {}

  ProfileView Get(const std::string& id, std::vector<std::string> attributes = {}, bool segments = false) {
    auto view = db->GetProfile(id, attributes, segments, {});
    EXPECT_TRUE(view.ok()) << view.status();
    return view.ok() ? std::move(*view) : ProfileView();
  }
  static std::vector<std::string> Shown(const ProfileView& view) {
    std::vector<std::string> shown;
    for (const AttributeView& attribute : view.attributes) shown.push_back(attribute.name + "=" + DisplayValue(attribute.value));
    return shown;
  }

  TestDatabase db;
};
INSTANTIATE_TEST_SUITE_P(Shards, Reads, testing::Values(1, 8), testing::PrintToStringParamName());

// ---- GetProfile ----

TEST_P(Reads, AProfileIsEverythingKnownByName) {
  db.Put("customer:1", {{"tier", std::string("gold")}, {"age", int64_t{30}}, {"spend", Decimal{1250, 2}}}, kNowUs - kDayUs);
  db.Put("customer:1", {{"age", int64_t{31}}}, kNowUs);
  db.Put("customer:2", {{"other", int64_t{1}}});
  db.Track("customer:1", "order", kNowUs - 2 * kDayUs, {{"amount", int64_t{5}}});
  db.Define({ComputedAttribute("double_age", "age * 2"), ComputedAttribute("orders", "count(order)"),
             ComputedAttribute("never", "other + 1"), LiveSegment("gold", "tier = 'gold'"), LiveSegment("old", "age > 60"),
             StaticSegment("picked"), StaticSegment("unpicked")});
  UpdateMembersRequest pick{.segment = "picked", .profiles = {"customer:1"}, .expire_time_us = kNowUs + kDayUs};
  const auto picked = db->UpdateMembers(pick);
  ASSERT_TRUE(picked.ok()) << picked.status();

  const Position before = db->log().Last();  // that the definitions are filled may be noted at any time
  const ProfileView view = Get("customer:1", {}, true);
  EXPECT_THAT(Shown(view), ElementsAre("age=31", "double_age=62", "orders=1", "spend=12.50", "tier='gold'"));
  EXPECT_EQ(view.attributes[0].event_time_us, kNowUs);
  EXPECT_EQ(view.attributes[0].source, "test");
  EXPECT_EQ(view.attributes[1].event_time_us, 0) << "computed";
  EXPECT_EQ(view.attributes[1].source, "");
  EXPECT_EQ(view.attributes[4].event_time_us, kNowUs - kDayUs);
  EXPECT_THAT(view.identifiers, ElementsAre("customer:1"));
  EXPECT_THAT(view.segments, ElementsAre("gold", "picked"));
  EXPECT_THAT(view.truncated_event_types, IsEmpty());
  EXPECT_EQ(view.create_time_us, kNowUs - 2 * kDayUs);
  EXPECT_EQ(view.update_time_us, kNowUs);
  EXPECT_EQ(view.now_us, kNowUs);
  EXPECT_GE(view.position, before);
  EXPECT_LE(view.position, db->log().Last());
  EXPECT_NE(view.version, Position());
  EXPECT_EQ(Get(FormatProfileId(view.id)).id, view.id);

  ASSERT_TRUE(db.clock().AdvanceTo(kNowUs + kDayUs).ok());
  EXPECT_THAT(Get("customer:1", {}, true).segments, ElementsAre("gold")) << "its place on the list ended";
  EXPECT_THAT(Get("customer:1").segments, IsEmpty()) << "only when asked";
  EXPECT_THAT(db->SegmentsOf("customer:1", {})->segments, ElementsAre("gold"));
}

TEST_P(Reads, ChosenAttributesAndExpressions) {
  db.Put("customer:1", {{"favourite colour", std::string("blue")}, {"age", int64_t{30}}});
  db.Put("customer:2", {{"other", int64_t{1}}});
  db.Define({ComputedAttribute("double_age", "age * 2")});
  EXPECT_THAT(Shown(Get("customer:1", {"favourite colour", "age + 1", "double_age", "other", "age", "age"})),
              ElementsAre("age=30", "age + 1=31", "double_age=60", "favourite colour='blue'"));
  const auto refused = db->GetProfile("customer:1", {"age", "agee"}, false, {});
  EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "UNKNOWN_NAME"));
  EXPECT_EQ(FieldOf(refused.status()), "attributes[1]");
}

TEST_P(Reads, NobodyIsAnError) {
  EXPECT_THAT(db->GetProfile("customer:1", {}, false, {}), FailsWith(StatusCode::kNotFound, "PROFILE"));
  EXPECT_THAT(db->SegmentsOf("customer:1", {}), FailsWith(StatusCode::kNotFound, "PROFILE"));
  EXPECT_THAT(db->ListEvents({.profile = "customer:1"}), FailsWith(StatusCode::kNotFound, "PROFILE"));
  EXPECT_THAT(db->GetProfile("customer", {}, false, {}), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  db.Put("customer:1", {});
  EXPECT_TRUE(db->GetProfile("customer:1", {}, false, {}).ok());
  ASSERT_TRUE(db->Delete("customer:1", {}).ok());
  EXPECT_THAT(db->GetProfile("customer:1", {}, false, {}), FailsWith(StatusCode::kNotFound, "PROFILE"));
}

TEST_P(Reads, ChangedDefinitionsAreSeenAtOnce) {
  db.Put("customer:1", {{"age", int64_t{30}}});
  for (int i = 1; i <= 3; ++i) {
    db.Define({ComputedAttribute("x", fmt::format("age * {}", i))});
    EXPECT_THAT(Shown(Get("customer:1")), ElementsAre("age=30", fmt::format("x={}", 30 * i)));
  }
  db.Put("customer:1", {{"age", Decimal{305, 1}}});
  EXPECT_THAT(Shown(Get("customer:1")), ElementsAre("age=30.5", "x=91.5"));
}

TEST_P(Reads, TruncatedTypesAreNamed) {
  TestDatabase small(GetParam(), 2);
  for (int i = 0; i < 3; ++i) small.Track("c:1", "visit", kNowUs - i, {});
  small.Track("c:1", "order", kNowUs, {});
  EXPECT_THAT(small->GetProfile("c:1", {}, false, {})->truncated_event_types, ElementsAre("visit"));
}

// ---- BatchGet ----

TEST_P(Reads, BatchesKeepTheOrderAsked) {
  for (int64_t i = 0; i < 50; ++i)
    db.Put(fmt::format("c:{}", i), {{"n", i}, {"name", fmt::format("name {}", i)}, {"tags", StringSet{"a"}}});
  const auto projection = db->PrepareProjection({"n", "name", "tags", "n * 2"}, false);
  ASSERT_TRUE(projection.ok()) << projection.status();
  const std::vector<std::string> asked = {"c:7", "c:nobody", "c:49", "bad", "c:7", "c:0"};
  const auto answer = db->BatchGet(asked, *projection, {});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->found, (std::vector<bool>{true, false, true, false, true, true}));
  EXPECT_THAT(RowTexts(answer->batch), ElementsAre("7 'name 7' {'a'} 14", "absent absent absent absent", "49 'name 49' {'a'} 98",
                                                   "absent absent absent absent", "7 'name 7' {'a'} 14", "0 'name 0' {'a'} 0"));
  EXPECT_EQ(answer->batch.profile_ids[0], answer->batch.profile_ids[4]);
  ASSERT_THAT(answer->errors, SizeIs(1));
  EXPECT_EQ(answer->errors[0].index, 3u);
  EXPECT_EQ(FieldOf(answer->errors[0].status), "profiles[3]");
  EXPECT_EQ(answer->position, db->log().Last());
  EXPECT_EQ(answer->now_us, kNowUs);
}

TEST_P(Reads, LargeBatchesTakeSeveralTurns) {
  std::vector<std::string> asked;
  std::vector<std::string> expected;
  for (int64_t i = 0; i < 3'000; ++i) {
    db.Put(fmt::format("c:{}", i), {{"n", i}});
    asked.push_back(fmt::format("c:{}", (i * 7) % 3'000));
    expected.push_back(std::to_string((i * 7) % 3'000));
  }
  const auto projection = db->PrepareProjection({"n"}, false);
  EXPECT_EQ(RowTexts(db->BatchGet(asked, *projection, {})->batch), expected);
}

// ---- Prepared projections ----

TEST_P(Reads, HandlesNameTextsTypesAndUnknowns) {
  db.Put("c:1", {{"n", int64_t{1}}, {"m", int64_t{2}}});
  const auto handle = [&](std::vector<std::string> select, bool unknown) { return (*db->PrepareProjection(select, unknown))->handle; };
  EXPECT_THAT(handle({"n"}, false), SizeIs(16));
  EXPECT_EQ(handle({"n", "m"}, false), handle({"n", "m"}, false));
  EXPECT_NE(handle({"n", "m"}, false), handle({"m", "n"}, false));
  EXPECT_NE(handle({"n"}, false), handle({"n"}, true));
  TestDatabase other(GetParam());
  other.Put("c:1", {{"n", int64_t{5}}});
  EXPECT_EQ((*other->PrepareProjection({"n"}, false))->handle, handle({"n"}, false)) << "the same on every node";
  TestDatabase texts(GetParam());
  texts.Put("c:1", {{"n", std::string("5")}});
  EXPECT_NE((*texts->PrepareProjection({"n"}, false))->handle, handle({"n"}, false));
}

TEST_P(Reads, AHandleOutlivesWhatDoesNotChangeIt) {
  db.Put("c:1", {{"n", int64_t{1}}});
  const std::string handle = (*db->PrepareProjection({"n", "n + 1"}, false))->handle;
  db.Put("c:1", {{"m", int64_t{2}}});
  db.Define({LiveSegment("some", "n > 0")});
  const auto found = db->FindProjection(handle);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)->handle, handle);
  EXPECT_THAT(RowTexts(db->BatchGet(std::vector<std::string>{"c:1"}, *found, {})->batch), ElementsAre("1 2"));
  EXPECT_THAT(db->FindProjection("0123456789abcdef"), FailsWith(StatusCode::kFailedPrecondition, "PROJECTION_UNKNOWN"));
}

TEST_P(Reads, AWiderTypeNeedsANewHandle) {
  db.Put("c:1", {{"n", int64_t{1}}});
  const auto projection = db->PrepareProjection({"n"}, false);
  db.Put("c:1", {{"n", 1.5}});
  EXPECT_THAT(db->FindProjection((*projection)->handle), FailsWith(StatusCode::kFailedPrecondition, "PROJECTION_UNKNOWN"));
  EXPECT_THAT(db->BatchGet(std::vector<std::string>{"c:1"}, *projection, {}),
              FailsWith(StatusCode::kFailedPrecondition, "PROJECTION_UNKNOWN"));
}

TEST(ProjectionCache, IsBoundedByItsTextToo) {
  ProjectionCache cache;
  for (int i = 0; i < 20; ++i) {
    auto projection = std::make_shared<Projection>();
    projection->handle = std::to_string(i);
    projection->fields.push_back({std::string(kProjectionTextBytesMax / 4, 'x'), kIntType});
    cache.Put(std::move(projection));
    ASSERT_LE(cache.size(), 4u);
  }
  EXPECT_TRUE(cache.Find("19"));
  auto large = std::make_shared<Projection>();
  large->handle = "large";
  large->fields.push_back({std::string(kProjectionTextBytesMax * 2, 'x'), kIntType});
  cache.Put(std::move(large));
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_TRUE(cache.Find("large")) << "the latest is always there for the call that follows";
}

TEST(ProjectionCache, ForgetsTheLeastRecentlyUsed) {
  ProjectionCache cache(2);
  auto make = [](const std::string& handle) {
    auto projection = std::make_shared<Projection>();
    projection->handle = handle;
    return projection;
  };
  cache.Put(make("a"));
  cache.Put(make("b"));
  EXPECT_TRUE(cache.Find("a"));
  cache.Put(make("c"));
  EXPECT_FALSE(cache.Find("b")) << "'a' was used later";
  EXPECT_TRUE(cache.Find("a"));
  cache.Put(make("a"));
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_TRUE(cache.Find("c"));
}

// ---- ListEvents ----

class Events : public Reads {
 protected:
  static std::string Shown(const EventView& event) {
    std::string text = fmt::format("{}@{}", event.type, (event.time_us - kNowUs) / 1'000'000);
    for (const EventProperty& property : event.properties) text += " " + property.name + "=" + DisplayValue(property.value);
    return text;
  }
  std::vector<std::string> List(ListEventsRequest request) {
    request.profile = "c:1";
    std::vector<std::string> shown;
    do {
      auto page = db->ListEvents(request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return shown;
      EXPECT_LE(page->events.size(), static_cast<size_t>(request.page_size == 0 ? 100 : request.page_size));
      for (const EventView& event : page->events) shown.push_back(Shown(event));
      request.page_token = page->next_page_token;
    } while (!request.page_token.empty());
    return shown;
  }
  static std::vector<std::string> Reversed(std::vector<std::string> list) { return {list.rbegin(), list.rend()}; }
};
INSTANTIATE_TEST_SUITE_P(Shards, Events, testing::Values(1, 8), testing::PrintToStringParamName());

TEST_P(Events, ComeNewestFirstAcrossTypes) {
  db.Track("c:1", "visit", kNowUs - 3'000'000, {{"page", std::string("/a")}});
  db.Track("c:1", "order", kNowUs - 2'000'000, {{"amount", Decimal{1250, 2}}, {"quantity", int64_t{2}}});
  db.Track("c:1", "visit", kNowUs - 1'000'000, {});
  db.Track("c:2", "visit", kNowUs, {});
  EXPECT_THAT(List({}), ElementsAre("visit@-1", "order@-2 amount=12.50 quantity=2", "visit@-3 page='/a'"));
  EXPECT_THAT(List({.oldest_first = true}), ElementsAre("visit@-3 page='/a'", "order@-2 amount=12.50 quantity=2", "visit@-1"));
  EXPECT_THAT(List({.types = {"order"}}), ElementsAre("order@-2 amount=12.50 quantity=2"));
  EXPECT_THAT(List({.start_time_us = kNowUs - 2'000'000}), ElementsAre("visit@-1", "order@-2 amount=12.50 quantity=2"));
  EXPECT_THAT(List({.end_time_us = kNowUs - 2'000'000}), ElementsAre("visit@-3 page='/a'"));
  EXPECT_EQ(db->ListEvents({.profile = "c:1"})->events[0].source, "test");
}

// Goal: every event once, in one order, whatever the size of pages. Method: many events at few instants and of three types.
TEST_P(Events, PagesGiveEveryEventOnce) {
  for (int i = 0; i < 90; ++i) db.Track("c:1", fmt::format("type{}", i % 3), kNowUs - (i / 10) * 1'000'000, {{"i", int64_t{i}}});
  const std::vector<std::string> whole = List({.page_size = 1'000});
  ASSERT_THAT(whole, SizeIs(90));
  for (int size : {1, 2, 7, 89, 90}) {
    EXPECT_EQ(List({.page_size = size}), whole) << size;
    EXPECT_EQ(List({.page_size = size, .oldest_first = true}), Reversed(whole)) << size;
  }
}

TEST_P(Events, OneThatComesBetweenPagesDisturbsNothing) {
  for (int i = 0; i < 20; ++i) db.Track("c:1", "visit", kNowUs - i * 1'000'000, {{"i", int64_t{i}}});
  const std::vector<std::string> before = List({});
  ListEventsRequest request{.profile = "c:1", .page_size = 5};
  std::vector<std::string> seen;
  for (int page = 0; page < 4; ++page) {
    auto answer = db->ListEvents(request);
    ASSERT_TRUE(answer.ok()) << answer.status();
    for (const EventView& event : answer->events) seen.push_back(Shown(event));
    request.page_token = answer->next_page_token;
    db.Track("c:1", "visit", kNowUs - page * 1'000'000, {{"late", int64_t{page}}});  // before what was given
  }
  EXPECT_EQ(seen, before);
}

TEST_P(Events, OnlyVisibleOnesAreGiven) {
  db.Define({EventType("visit", 10 * kDayUs)});
  db.Track("c:1", "visit", kNowUs - 9 * kDayUs, {});
  db.Track("c:1", "visit", kNowUs + 60'000'000, {});
  EXPECT_THAT(List({}), ElementsAre(fmt::format("visit@{}", -9 * 86'400))) << "the future is invisible";
  ASSERT_TRUE(db.clock().AdvanceTo(kNowUs + 60'000'000).ok());
  EXPECT_THAT(List({}), ElementsAre("visit@60", fmt::format("visit@{}", -9 * 86'400)));
  ASSERT_TRUE(db.clock().AdvanceTo(kNowUs + kDayUs).ok());
  EXPECT_THAT(List({}), ElementsAre("visit@60")) << "an event of exactly the retention's age is gone";
}

TEST_P(Events, BadRequestsAreRefused) {
  for (int i = 0; i < 5; ++i) db.Track("c:1", "visit", kNowUs - i, {});
  ListEventsRequest request{.profile = "c:1", .page_size = 2};
  const std::string token = db->ListEvents(request)->next_page_token;
  ASSERT_FALSE(token.empty());
  auto refused = [&](auto change) {
    ListEventsRequest bad = request;
    bad.page_token = token;
    change(bad);
    return db->ListEvents(bad);
  };
  EXPECT_TRUE(refused([](auto& r) { r.page_size = 1; }).ok()) << "the size of pages may change";
  EXPECT_THAT(refused([](auto& r) { r.page_token = "x"; }), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  EXPECT_THAT(refused([](auto& r) { r.page_token[5] ^= 1; }), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  EXPECT_THAT(refused([](auto& r) { r.types = {"visit"}; }), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  EXPECT_THAT(refused([](auto& r) { r.oldest_first = true; }), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  EXPECT_THAT(db->ListEvents({.profile = "c:1", .page_size = -1}), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  EXPECT_THAT(db->ListEvents({.profile = "c:1", .start_time_us = 5, .end_time_us = 4}), FailsWith(StatusCode::kInvalidArgument, "FIELD"));
  EXPECT_THAT(db->ListEvents({.profile = "c:1", .types = {"vist"}}), FailsWith(StatusCode::kInvalidArgument, "UNKNOWN_NAME"));
}

TEST_P(Events, APageIsBoundedInBytes) {
  for (int i = 0; i < 60; ++i) db.Track("c:1", "note", kNowUs - i, {{"text", std::string(60'000, static_cast<char>('a' + i % 26))}});
  const auto page = db->ListEvents({.profile = "c:1", .page_size = 1'000});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_LT(page->events.size(), 40u);
  EXPECT_FALSE(page->next_page_token.empty());
  EXPECT_THAT(List({.page_size = 1'000}), SizeIs(60));
}

}  // namespace
}  // namespace korrel
