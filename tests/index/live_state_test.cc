#include "index/live/live_state.h"

#include "tests/index/live_fixture.h"

namespace korrel {
namespace {

Decimal Money(int64_t cents) { return Decimal{cents, 2}; }

TEST(LiveState, AnAttributeComputedFromEventsFollowsEveryEvent) {
  LiveShard shard;
  shard.DefineAttribute("spend", "sum(order.amount)");
  shard.Adopt();
  const Row row = shard.Begin();
  EXPECT_EQ(shard.table.column(shard.names.attribute("spend").id)->Get(row), Value(Money(0)));
  shard.Event(row, "order", kNow - kDay, {{"amount", Money(250)}});
  shard.Event(row, "order", kNow - 3 * kDay, {{"amount", Money(100)}});
  EXPECT_EQ(shard.table.column(shard.names.attribute("spend").id)->Get(row), Value(Money(350)));
}

TEST(LiveState, EveryKeptAttributeIsAComputedColumnWhateverItIsMadeOf) {
  LiveShard shard;
  shard.DefineAttribute("orders", "count(order)");
  shard.DefineAttribute("letters", "upper(country)");
  shard.Adopt();
  shard.Write(shard.Begin(), "country", std::string("nl"));
  for (const char* name : {"orders", "letters"}) EXPECT_TRUE(shard.table.IsComputedColumn(shard.names.attribute(name).id)) << name;
  EXPECT_FALSE(shard.table.IsComputedColumn(shard.names.attribute("country").id));
}

TEST(LiveState, ASegmentIsEnteredByAnEventAndLeftAtTheWindowsEdgeToTheMicrosecond) {
  LiveShard shard;
  shard.DefineSegment("lately", "count(order) over 30d > 0");
  shard.Adopt();
  const Row row = shard.Begin();
  shard.Event(row, "order", kNow - 5, {});
  EXPECT_EQ(shard.live.NextDueOf(row), kNow - 5 + 30 * kDay);
  shard.now_us = kNow - 5 + 30 * kDay - 1;
  EXPECT_EQ(shard.RunClock(), 0u);
  shard.now_us += 1'000;
  EXPECT_EQ(shard.RunClock(), 1u);
  const std::vector<SegmentFlip> want = {{SegmentId(0), true, kNow, ChangeCause::kWrite},
                                         {SegmentId(0), false, kNow - 5 + 30 * kDay, ChangeCause::kClock}};
  EXPECT_EQ(shard.flips_of[row.value], want);
}

TEST(LiveState, AnEventThatReachesItsRetentionLeavesForThatReason) {
  LiveShard shard;
  shard.names.mutable_schema()->event_types[0].retention_us = 10 * kDay;
  shard.DefineSegment("buyers", "count(order) > 0");
  shard.Adopt();
  const Row row = shard.Begin();
  shard.Event(row, "order", kNow - kDay, {});
  shard.now_us = kNow + 20 * kDay;
  shard.RunClock();
  ASSERT_EQ(shard.flips_of[row.value].size(), 2u);
  EXPECT_EQ(shard.flips_of[row.value][1], (SegmentFlip{SegmentId(0), false, kNow + 9 * kDay, ChangeCause::kRetention}));
}

TEST(LiveState, WhatChangesTogetherIsJudgedOnce) {
  LiveShard shard;
  shard.DefineAttribute("orders", "count(order)");
  shard.DefineSegment("odd", "orders = 1 or orders = 3");
  shard.DefineSegment("both", "in segment 'odd' and orders >= 2");
  shard.Adopt();
  const Row row = shard.Begin();
  for (int i = 0; i < 3; ++i) shard.Event(row, "order", kNow - i, {});
  std::vector<std::pair<uint32_t, bool>> seen;
  for (const SegmentFlip& flip : shard.flips_of[row.value]) seen.emplace_back(flip.segment.value, flip.entered);
  EXPECT_EQ(seen, (std::vector<std::pair<uint32_t, bool>>{{0, true}, {0, false}, {0, true}, {1, true}}));
}

TEST(LiveState, ARowThatEndsLeavesAllItsSegments) {
  LiveShard shard;
  shard.DefineSegment("all", "age is absent");
  shard.Adopt();
  const Row row = shard.Begin();
  shard.End(row);
  EXPECT_EQ(shard.flips_of[row.value].back(), (SegmentFlip{SegmentId(0), false, kNow, ChangeCause::kDelete}));
  EXPECT_TRUE(shard.reported[0].empty());
}

TEST(LiveState, ACalendarWindowInTheProfilesOwnZoneEndsThereAndRestsUntilThen) {
  LiveShard shard;
  shard.DefineSegment("this month", "count(order) over this month at zone >= 1");
  shard.DefineSegment("last year", "last(order.amount) over last year at zone is present");
  shard.DefineSegment("last week", "count(order) over last week at zone >= 2");
  shard.Adopt();
  for (const char* zone : {"America/New_York", "Asia/Kathmandu", "nowhere"}) {
    const Row row = shard.Begin();
    shard.Write(row, "zone", std::string(zone));
    shard.Event(row, "order", kNow + 10 * kDay, {{"amount", Money(1)}});
  }
  shard.now_us = kNow + 400 * kDay;
  EXPECT_LE(shard.RunClock(), 30u);
  shard.CheckReported();
  ASSERT_EQ(shard.flips_of[0].size(), 3u);
  EXPECT_EQ(shard.flips_of[0][1].time_us, 1'493'611'200 * kSecond);  // 1 May, midnight in New York
  EXPECT_EQ(shard.flips_of[0][2].time_us, 1'514'782'800 * kSecond);  // New Year there
}

TEST(LiveState, ADefinitionThatComesLaterIsFilledWhileRowsChange) {
  LiveShard shard;
  shard.Adopt();
  std::vector<Row> rows;
  for (int i = 0; i < 50; ++i) rows.push_back(shard.Begin());
  for (int i = 0; i < 50; ++i) shard.Event(rows[static_cast<size_t>(i)], "order", kNow - i * kDay, {{"amount", Money(i)}});
  shard.DefineAttribute("spend_20d", "sum(order.amount) over 20d");
  shard.DefineSegment("spenders", "spend_20d > 0.03");
  shard.Adopt();
  EXPECT_FALSE(shard.live.filled());
  shard.CheckAll();
  shard.FillSome(2'000);
  EXPECT_FALSE(shard.live.filled());
  shard.Event(rows[0], "order", kNow, {{"amount", Money(7)}});   // filled already
  shard.Event(rows[49], "order", kNow, {{"amount", Money(7)}});  // not yet
  shard.CheckAll();
  shard.FillAll();
  shard.CheckAll();
  shard.CheckReported();
}

TEST(LiveState, AChangedDefinitionMovesMembersByItself) {
  LiveShard shard;
  shard.DefineSegment("old", "age > 30");
  shard.Adopt();
  for (int i = 0; i < 20; ++i) shard.Write(shard.Begin(), "age", int64_t{25 + i});
  shard.DefineSegment("old", "age > 40");
  shard.Adopt();
  shard.FillAll();
  shard.CheckReported();
  uint64_t exits = 0;
  for (const auto& [row, flips] : shard.flips_of) {
    for (const SegmentFlip& flip : flips) exits += flip.cause == ChangeCause::kDefinition && !flip.entered;
  }
  EXPECT_EQ(exits, 10u);
}

TEST(LiveState, AConditionThatNamesASegmentFollowsIt) {
  LiveShard shard;
  shard.DefineSegment("old", "age > 30");
  shard.DefineSegment("young", "if(country is present, not in segment 'old', score > 1e0)");
  shard.DefineSegment("neither", "if(country is present, not in segment 'young', score > 1e0) and not in segment 'old'");
  shard.Adopt();
  const Row row = shard.Begin();
  shard.Write(row, "country", std::string("a"));
  for (int64_t age : {20, 40, 20, 50}) {
    shard.Write(row, "age", age);
    shard.CheckAll();
    shard.CheckReported();
  }
}

TEST(LiveState, AnIdentifierTypeThatBecomesKnownIsNoNewDefinition) {
  LiveShard shard;
  shard.DefineSegment("reachable", "if(country is present, has_identifier('fax'), score > 1e0) or has_identifier('fax')");
  shard.Adopt();
  const Row row = shard.Begin();
  Schema* schema = shard.names.mutable_schema();
  const IdentifierTypeId fax(static_cast<uint16_t>(schema->identifier_types.size()));
  schema->identifier_types.emplace_back("fax");
  schema->identifier_type_by_name["fax"] = fax.value;
  shard.DefineSegment("reachable", "if(country is present, has_identifier('fax'), score > 1e0) or has_identifier('fax')");
  shard.Adopt();
  EXPECT_TRUE(shard.live.filled());
  LiveState::Flips flips;
  shard.live.BringUp(row, kNow, &flips);
  shard.table.AddIdentifier(row, fax, "5551234");
  shard.live.DidAddIdentifier(row, fax);
  shard.live.Settle(row, kNow, ChangeCause::kWrite, &flips);
  EXPECT_EQ(flips, (LiveState::Flips{{SegmentId(0), true, kNow, ChangeCause::kWrite}}));
  shard.CheckAll();
}

TEST(LiveState, ARowWithoutEventsWaitsForNoBoundary) {
  LiveShard shard;
  shard.DefineSegment("did", "did order over last week at 'UTC'");
  shard.Adopt();
  const Row row = shard.Begin();
  EXPECT_EQ(shard.live.NextDue(), std::numeric_limits<int64_t>::max());
  shard.now_us += 30 * kDay;
  shard.DefineSegment("others", "created_at() > now() - 400d");
  shard.Adopt();
  shard.FillAll();
  EXPECT_GT(shard.live.NextDueOf(row), shard.now_us) << "nothing of the past is left to be done";
}

// 00:01 becomes 23:01: what was yesterday is today again, for an hour.
TEST(LiveState, AMidnightThatIsTurnedBackComesTwice) {
  LiveShard shard;
  shard.now_us = ParseTimestamp("2006-10-27T12:00:00Z", "UTC")->us;
  shard.DefineAttribute("yesterday", "count(order) over last day at 'America/St_Johns'");
  shard.DefineAttribute("today", "count(order) over this day at 'America/St_Johns'");
  shard.DefineSegment("active", "yesterday >= 1 and today >= 1");
  shard.Adopt();
  const Row row = shard.Begin();
  for (const char* time : {"2006-10-27T13:00:00Z", "2006-10-28T13:00:00Z", "2006-10-29T02:30:30Z"}) {
    shard.now_us = ParseTimestamp(time, "UTC")->us;
    shard.RunClock();
    shard.Event(row, "order", shard.now_us);
    shard.CheckAll();
  }
  for (const char* time :
       {"2006-10-29T02:30:59Z", "2006-10-29T02:31:00Z", "2006-10-29T03:29:59Z", "2006-10-29T03:30:00Z", "2006-11-02T00:00:00Z"}) {
    shard.now_us = ParseTimestamp(time, "UTC")->us;
    EXPECT_LE(shard.RunClock(), 8u) << time;
    shard.CheckAll();
    shard.CheckReported();
  }
}

TEST(LiveState, ANewNameForAPredicateLeavesThoseThatHaveItAlone) {
  LiveShard shard;
  shard.DefineAttribute("adult", "age_in(birth, 'year') >= 18");
  shard.DefineSegment("adults", "adult and not (country = 'BE')");
  shard.Adopt();
  shard.Write(shard.Begin(), "birth", Timestamp{kNow - 9'000 * kDay});
  shard.DefineSegment("grown up", "adult");
  shard.Adopt();
  shard.FillAll();
  shard.CheckReported();
  EXPECT_EQ(shard.flips_of[0].size(), 2u);
}

TEST(LiveState, MembersOfADroppedSegmentLeave) {
  LiveShard shard;
  shard.DefineSegment("all", "age is absent");
  shard.Adopt();
  for (int i = 0; i < 5; ++i) shard.Begin();
  shard.definitions.segments.clear();
  shard.Adopt();
  shard.FillAll();
  EXPECT_TRUE(shard.reported[0].empty());
  EXPECT_EQ(shard.live.SegmentsOf(Row(0), kNow), std::vector<SegmentId>());
}

TEST(LiveState, AnUnchangedDefinitionIsNotFilledAgain) {
  LiveShard shard;
  shard.DefineSegment("old", "age > 30 and count(order) over 30d = 0");
  shard.Adopt();
  for (int i = 0; i < 20; ++i) shard.Write(shard.Begin(), "age", int64_t{25 + i});
  shard.DefineSegment("young", "age <= 30");
  shard.Adopt();
  EXPECT_TRUE(shard.live.IsReady(shard.plan->Segment(SegmentId(0))->serial));
  EXPECT_FALSE(shard.live.IsReady(shard.plan->Segment(SegmentId(1))->serial));
}

// Random changes of everything, definitions too, each looked at from all sides.
class Trace {
 public:
  explicit Trace(uint64_t seed) : random_(seed), shard_(seed % 2 == 0) {
    if (seed % 3 == 0) shard_.names.mutable_schema()->event_types[0].retention_us = 400 * kDay;
    if (seed % 4 == 0) shard_.names.mutable_schema()->event_types[1].max_events = 3;
    list_ = shard_.DefineList("list");
    shard_.DefineAttribute("spend", "sum(order.amount)");
    shard_.DefineAttribute("spend_30d", "sum(order.amount) over 30d");
    shard_.DefineAttribute("mean", "avg(order.amount) over 60d");
    shard_.DefineAttribute("dearest", "max(order.amount) over 7d");
    shard_.DefineAttribute("pages", "unique_count(visit.page) over 2d");
    shard_.DefineAttribute("last_page", "last(visit.page)");
    shard_.DefineAttribute("tempo", "decayed_sum(order.amount, half_life 3d)");
    shard_.DefineAttribute("trips", "sessions(visit, gap 1d) over 9d");
    shard_.DefineAttribute("band", "if(spend_30d > 5, 'high', if(spend_30d > 0, 'low', 'none'))");
    shard_.DefineAttribute("years", "age_in(birth, 'year')");
    shard_.DefineSegment("a", "band = 'high' and country in ('NL', 'BE')");
    shard_.DefineSegment("b", "count(order) over 7d >= 2 or tier = 'gold' and not (member)");
    shard_.DefineSegment("c", "last_seen(any) < now() - 4d");
    shard_.DefineSegment("d", "in segment 'a' or in segment 'b' and spend between 1 and 9");
    shard_.DefineSegment("e", "tempo > 2.5 and age_in(birth, 'day') < 40");
    shard_.DefineSegment("f", "did (visit where page = '/p') then order without (visit where page = '/q') within 2d over 20d");
    shard_.DefineSegment("g", "in segment 'list' and interests has any ('x', 'y')");
    shard_.DefineSegment("h", "count(visit) over this week at 'Europe/Amsterdam' > 1 and mean is present");
    shard_.DefineSegment("i", "count(visit) over today at coalesce(zone, 'UTC') > 0 and interests has none ('y')");
    shard_.DefineSegment("j", "email like '%@a' or lower(country) = 'nl' and score > 0.5");
    shard_.Adopt();
  }

  void Run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      Change();
      if (i % 4 == 0) {
        shard_.CheckAll();  // with rows that are due
        shard_.RunClock();
      }
      if (i % 8 == 0 && shard_.live.filled()) shard_.CheckReported();
    }
    shard_.RunClock();
    shard_.FillAll();
    shard_.CheckAll();
    shard_.CheckReported();
  }

 private:
  int64_t Below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  template <class T>
  T Any(std::initializer_list<T> values) {
    return *(values.begin() + Below(static_cast<int64_t>(values.size())));
  }
  int64_t Near() {
    return shard_.now_us - Any({int64_t{0}, 7 * kDay, 30 * kDay, 2 * kDay, kDay, 60 * kDay}) +
           Any({int64_t{-1}, int64_t{0}, int64_t{1}, kSecond});
  }

  void Change() {
    if (rows_.empty() || Below(12) == 0) rows_.push_back(shard_.Begin());
    const size_t at = static_cast<size_t>(Below(static_cast<int64_t>(rows_.size())));
    const Row row = rows_[at];
    switch (Below(14)) {
      case 0:
        return shard_.Write(row, "country", Any<Value>({std::string("NL"), std::string("BE"), std::string("FR"), Value()}));
      case 1:
        return shard_.Write(row, "tier", Any<Value>({std::string("gold"), std::string("basic")}));
      case 2:
        return shard_.Write(row, "birth", Timestamp{shard_.now_us - Any({39 * kDay, 40 * kDay - 5, 400 * kDay})});
      case 3:
        return shard_.Write(row, "interests", Any<Value>({StringSet{{"x"}}, StringSet{{"y", "z"}}, StringSet(), Value()}));
      case 4:
        return shard_.Write(row, "zone", Any<Value>({std::string("America/New_York"), std::string("nowhere"), std::string("Asia/Tokyo")}));
      case 5:
        return shard_.Write(row, "member", Below(2) == 0);
      case 6:
        return shard_.Write(row, "score", Any({0.25, 0.75}));
      case 7:
        return shard_.List(row, list_, Below(3) > 0,
                           Below(2) ? std::optional<int64_t>(shard_.now_us + Any({int64_t{1}, kDay})) : std::nullopt);
      case 8:
        if (Below(6) == 0) {
          shard_.End(row);
          rows_.erase(rows_.begin() + static_cast<ptrdiff_t>(at));
        }
        return;
      case 9:
        shard_.now_us += Any({int64_t{1}, kSecond, 3'600 * kSecond, kDay, 2 * kDay, 40 * kDay});
        return;
      case 10:
        return Redefine();
      case 11:
        return shard_.Event(row, "visit", Near(), {{"page", Any<Value>({std::string("/p"), std::string("/q"), std::string("/r")})}});
      default:
        return shard_.Event(row, "order", Near(), {{"amount", Money(Any({int64_t{0}, int64_t{150}, int64_t{500}, int64_t{-20}}))}});
    }
  }

  void Redefine() {
    if (Below(3) > 0) return shard_.FillSome(static_cast<uint64_t>(Below(20'000)));
    const std::string number = std::to_string(Below(5));
    shard_.DefineSegment("k" + std::to_string(Below(3)),
                         Any<std::string>({"spend > " + number, "count(order) over " + number + "1d = " + number,
                                           "in segment 'b' or trips >= " + number, "pages > " + number + " and years < 1"}));
    shard_.Adopt();
  }

  std::mt19937_64 random_;
  LiveShard shard_;
  SegmentId list_;
  std::vector<Row> rows_;
};

TEST(LiveState, WhatIsKeptIsWhatTheDefinitionsSay) {
  const char* rounds = std::getenv("KORREL_ROUNDS");
  for (uint64_t seed = TestSeed(), i = 0; i < (rounds ? std::strtoull(rounds, nullptr, 10) : 12) && !HasFailure(); ++seed, ++i) {
    SCOPED_TRACE("KORREL_SEED=" + std::to_string(seed));
    Trace(seed).Run(200);
  }
}

}  // namespace
}  // namespace korrel
