#include <fmt/format.h>

#include "tests/index/keeper_fixture.h"

namespace korrel {
namespace {

constexpr int64_t kHour = 3'600 * kSecond;

Value Money(int64_t cents) { return Decimal{cents, 2}; }
Value Text(const char* text) { return std::string(text); }

TEST(AggregateKeeper, AnEventLeavesAtExactlyItsTimeAndTheWindow) {
  KeeperShard keeper;
  const uint32_t count = keeper.AddUnit("count(order) over 30d");
  keeper.SetNow(kNow);
  keeper.Start();
  const Row row = keeper.Add();
  EXPECT_EQ(keeper.Track(row, "order", kNow), kNow + 30 * kDay);
  EXPECT_EQ(keeper.keeper.NextEdge(row, keeper.filled), kNow + 30 * kDay);
  keeper.SetNow(kNow + 30 * kDay - 1);
  keeper.BringUp(row);
  EXPECT_EQ(keeper.Kept(count, row).value, Value(int64_t{1}));
  keeper.SetNow(kNow + 30 * kDay);
  keeper.BringUp(row);
  EXPECT_EQ(keeper.Kept(count, row).value, Value(int64_t{0}));
  EXPECT_EQ(keeper.keeper.NextEdge(row, keeper.filled), kNever);
}

TEST(AggregateKeeper, AnEventFromTheFutureCountsFromItsOwnInstantOn) {
  KeeperShard keeper;
  const uint32_t count = keeper.AddUnit("count(order)"), seen = keeper.AddUnit("last_seen(order)");
  keeper.SetNow(kNow);
  keeper.Start();
  const Row row = keeper.Add();
  EXPECT_EQ(keeper.Track(row, "order", kNow + 5), kNow + 5);
  EXPECT_EQ(keeper.Kept(count, row).value, Value(int64_t{0}));
  keeper.SetNow(kNow + 5);
  keeper.BringUp(row);
  EXPECT_EQ(keeper.Kept(count, row).value, Value(int64_t{1}));
  EXPECT_EQ(keeper.Kept(seen, row).value, Value(Timestamp{kNow + 5}));
}

TEST(AggregateKeeper, EventsEnterAWindowThatEndsAgo) {
  KeeperShard keeper;
  const uint32_t count = keeper.AddUnit("count(order) between 7d and 1d ago");
  keeper.SetNow(kNow);
  keeper.Start();
  const Row row = keeper.Add();
  EXPECT_EQ(keeper.Track(row, "order", kNow), kNow + kDay);
  keeper.SetNow(kNow + kDay);
  keeper.BringUp(row);
  EXPECT_EQ(keeper.Kept(count, row).value, Value(int64_t{1}));
  EXPECT_EQ(keeper.keeper.NextEdge(row, keeper.filled), kNow + 7 * kDay);
}

TEST(AggregateKeeper, CalendarWindowsHaveAnEdgeOnlyWhereAnEventCrossesIt) {
  KeeperShard keeper;
  const uint32_t current = keeper.AddUnit("count(order) over this month"), before = keeper.AddUnit("count(order) over last month");
  keeper.SetNow(kNow);  // the first instant of April
  keeper.Start();
  const Row row = keeper.Add();
  EXPECT_EQ(keeper.keeper.NextEdge(row, keeper.filled), kNever);
  keeper.Track(row, "order", kNow);
  const int64_t may = kNow + 30 * kDay, june = may + 31 * kDay;
  for (int64_t edge : {may, june}) {
    ASSERT_EQ(keeper.keeper.NextEdge(row, keeper.filled), edge);
    keeper.SetNow(edge);
    keeper.BringUp(row);
    EXPECT_EQ(keeper.Kept(current, row).value, Value(int64_t{0}));
    EXPECT_EQ(keeper.Kept(before, row).value, Value(int64_t{edge == may}));
  }
  EXPECT_EQ(keeper.keeper.NextEdge(row, keeper.filled), kNever);
}

TEST(AggregateKeeper, RetentionIsAnEdge) {
  KeeperShard keeper;
  const uint32_t count = keeper.AddUnit("count(order)");
  keeper.shard.names.mutable_schema()->event_types[0].retention_us = 10 * kDay;
  keeper.SetNow(kNow);
  keeper.Start();
  const Row row = keeper.Add();
  EXPECT_EQ(keeper.Track(row, "order", kNow), kNow + 10 * kDay);
  EXPECT_EQ(keeper.keeper.NextEdge(row, keeper.filled), kNow + 10 * kDay);
  keeper.SetNow(kNow + 10 * kDay);
  keeper.BringUp(row);
  EXPECT_EQ(keeper.Kept(count, row).value, Value(int64_t{0}));
}

TEST(AggregateKeeper, WhatALimitPushesOutIsTakenOut) {
  KeeperShard keeper;
  const uint32_t sum = keeper.AddUnit("sum(order.amount)"), first = keeper.AddUnit("first(order.amount)");
  keeper.SetNow(kNow);
  keeper.Start();
  const Row row = keeper.Add();
  for (int64_t i = 1; i <= 5; ++i) keeper.Track(row, "order", kNow - 10 + i, {{"amount", Money(i)}}, 3);
  EXPECT_EQ(keeper.Kept(sum, row).value, Money(3 + 4 + 5));
  EXPECT_EQ(keeper.Kept(first, row).value, Money(3));
}

TEST(AggregateKeeper, ASumThatDoesNotFitIsAbsentUntilItFitsAgain) {
  KeeperShard keeper;
  const uint32_t sum = keeper.AddUnit("sum(order.quantity) over 1d"), average = keeper.AddUnit("avg(order.quantity) over 1d");
  keeper.SetNow(kNow);
  keeper.Start();
  const Row row = keeper.Add();
  keeper.Track(row, "order", kNow - 2 * kHour, {{"quantity", INT64_MAX}});
  keeper.Track(row, "order", kNow - kHour, {{"quantity", int64_t{1}}});
  EXPECT_EQ(keeper.Kept(sum, row).value, Value());
  EXPECT_EQ(keeper.Kept(average, row).value, Value(4611686018427387904.0));
  keeper.SetNow(kNow + 22 * kHour);
  keeper.BringUp(row);
  EXPECT_EQ(keeper.Kept(sum, row).value, Value(int64_t{1}));
  EXPECT_EQ(keeper.Kept(average, row).value, Value(1.0));
}

TEST(AggregateKeeper, UnitsThatAreNotFilledAreLeftAlone) {
  KeeperShard keeper;
  const uint32_t first = keeper.AddUnit("count(order)"), second = keeper.AddUnit("count(order) over 1d"),
                 third = keeper.AddUnit("did order then order within 1h");
  keeper.SetNow(kNow);
  keeper.Start();
  const Row row = keeper.Add();
  keeper.filled = {1, 0, 0};
  keeper.Track(row, "order", kNow);
  EXPECT_EQ(keeper.keeper.NextEdge(row, keeper.filled), kNever);
  keeper.Track(row, "order", kNow);
  EXPECT_EQ(keeper.Kept(first, row).value, Value(int64_t{2}));
  EXPECT_EQ(keeper.Kept(second, row).value, Value(int64_t{0}));
  EXPECT_EQ(keeper.Kept(third, row).value, Value(false));
  keeper.filled.assign(3, 1);
  for (uint32_t unit : {second, third}) keeper.keeper.Fill(unit, row);
  EXPECT_EQ(keeper.Kept(second, row).value, Value(int64_t{2}));
  EXPECT_EQ(keeper.Kept(third, row).value, Value(true));
}

TEST(AggregateKeeper, AnAttributeThatIsTheAggregateStandsInTheTable) {
  KeeperShard keeper;
  const AttributeId attribute = keeper.shard.names.attribute("tier").id;
  const uint32_t last = keeper.AddUnit("last(order.category)", attribute);
  keeper.SetNow(kNow);
  keeper.Start();
  const Row row = keeper.Add();
  keeper.Track(row, "order", kNow, {{"category", Text("hats")}});
  ASSERT_EQ(keeper.keeper.Column(last), keeper.shard.table.column(attribute));
  EXPECT_EQ(keeper.shard.table.column(attribute)->Get(row), Text("hats"));
  EXPECT_TRUE(keeper.shard.table.IsComputedColumn(attribute));
  EXPECT_EQ(keeper.keeper.MemoryBytes(), 0u);
  keeper.keeper.Forget(row);
  EXPECT_FALSE(keeper.shard.table.column(attribute)->Has(row));
}

TEST(AggregateKeeper, AZoneThatNobodyKnowsLeavesTheAggregateAbsent) {
  KeeperShard keeper;
  const uint32_t count = keeper.AddUnit("count(order) over this month at lower('Mars/Olympus')"),
                 days = keeper.AddUnit("days_active(order, lower('Mars/Olympus'))");
  keeper.SetNow(kNow);
  keeper.Start();
  const Row row = keeper.Add();
  keeper.Track(row, "order", kNow);
  for (uint32_t unit : {count, days}) EXPECT_EQ(keeper.Kept(unit, row).value, Value());
  EXPECT_TRUE(keeper.Agrees(row));
}

// A waiting sequence comes true by time alone, at the instant it named.
TEST(AggregateKeeper, ASequenceThatWaitsIsAskedAgainAtItsEdge) {
  KeeperShard keeper;
  const uint32_t waits = keeper.AddUnit("did visit without order within 1d");
  keeper.SetNow(kNow);
  keeper.Start();
  const Row row = keeper.Add();
  keeper.Track(row, "visit", kNow);
  EXPECT_EQ(keeper.Kept(waits, row).value, Value(false));
  EXPECT_EQ(keeper.keeper.NextEdge(row, keeper.filled), kNow + kDay);
  keeper.SetNow(kNow + kDay);
  keeper.BringUp(row);
  EXPECT_EQ(keeper.Kept(waits, row).value, Value(true));
}

// ---- Work on hot profiles ----

constexpr const char* kBroughtForward[] = {
    "count(order) over 30d",
    "count(order where gift) over 30d",
    "sum(order.amount) over 30d",
    "avg(order.amount where gift) over 30d",
    "last(order.category) over 30d",
    "first(order.category) over 30d",
    "first_seen(order) over 30d",
    "last_seen(order) over 30d",
    "unique_count(order.category) over 30d",
    "most_frequent(order.quantity) over 30d",
    "days_active(order) over 30d",
    "sessions(order, gap 30m) over 30d",
    "sessions(any, gap 30m) over 30d",
};

class HotProfile {
 public:
  HotProfile(std::initializer_list<const char*> texts, uint32_t events) : events_(events) {
    for (const char* text : texts) keeper.AddUnit(text);
    Start();
  }
  explicit HotProfile(std::span<const char* const> texts, uint32_t events) : events_(events) {
    for (const char* text : texts) keeper.AddUnit(text);
    Start();
  }
  // One event in every step, so that the window holds `events` of them.
  void Arrive(uint32_t i) {
    keeper.Track(row, "order", keeper.now_us(),
                 {{"amount", Money(static_cast<int64_t>(i % 997))},
                  {"category", Text(i % 3 == 0   ? "hats"
                                    : i % 3 == 1 ? "coats"
                                                 : "gloves")},
                  {"quantity", static_cast<int64_t>(i % 7)},
                  {"weight", static_cast<double>(i % 11) / 3},
                  {"gift", i % 2 == 0}});
  }
  void Pass(uint32_t steps, bool arrive) {
    for (uint32_t i = 0; i < steps; ++i) {
      keeper.SetNow(keeper.now_us() + step());
      keeper.BringUp(row);
      if (arrive) Arrive(i);
    }
  }
  int64_t step() const { return 30 * kDay / events_; }

  KeeperShard keeper;
  Row row;

 private:
  void Start() {
    keeper.SetNow(kNow);
    keeper.Start();
    row = keeper.Add();
    Pass(events_, true);
  }
  uint32_t events_;
};

TEST(AggregateKeeper, ArrivalsAndExpiriesOfHotProfilesAreBroughtForward) {
  HotProfile hot(kBroughtForward, 4'000);
  ASSERT_TRUE(hot.keeper.Agrees(hot.row));
  const uint64_t before = hot.keeper.keeper.passes();
  hot.Pass(500, true);   // every step one arrives and one leaves
  hot.Pass(500, false);  // they only leave
  EXPECT_TRUE(hot.keeper.Agrees(hot.row));
  EXPECT_EQ(hot.keeper.keeper.passes() - before, 0u);
}

TEST(AggregateKeeper, LateEventsOfHotProfilesAreBroughtForwardToo) {
  HotProfile hot(kBroughtForward, 4'000);
  const uint64_t before = hot.keeper.keeper.passes();
  for (int i = 0; i < 100; ++i) {
    hot.keeper.Track(hot.row, "order", hot.keeper.now_us() - i * 7 * kHour,
                     {{"amount", Money(i)}, {"category", Text("late")}, {"gift", true}});
  }
  EXPECT_TRUE(hot.keeper.Agrees(hot.row));
  EXPECT_EQ(hot.keeper.keeper.passes() - before, 0u);
}

TEST(AggregateKeeper, WhatCannotBeBroughtForwardCostsOnePass) {
  struct Case {
    const char* text;
    uint64_t by_arrivals, by_expiries, by_late;
  };
  for (const Case& c : {Case{"sum(order.weight) over 30d", 0, 100, 100}, Case{"avg(order.weight) over 30d", 0, 100, 100},
                        Case{"decayed_count(order, half_life 1d)", 0, 0, 100}, Case{"decayed_sum(order.amount, half_life 1d)", 0, 0, 100},
                        Case{"did order then visit within 1h over 30d", 100, 0, 100}}) {
    SCOPED_TRACE(c.text);
    HotProfile hot({c.text}, 1'000);
    uint64_t before = hot.keeper.keeper.passes();
    auto passes = [&] {
      EXPECT_TRUE(hot.keeper.Agrees(hot.row));
      const uint64_t made = hot.keeper.keeper.passes() - before;
      before = hot.keeper.keeper.passes();
      return made;
    };
    for (uint32_t i = 0; i < 100; ++i) {
      hot.keeper.SetNow(hot.keeper.now_us() + 1);
      hot.keeper.BringUp(hot.row);
      hot.Arrive(i);
    }
    EXPECT_EQ(passes(), c.by_arrivals);
    for (int64_t i = 0; i < 100; ++i)
      hot.keeper.Track(hot.row, "order", hot.keeper.now_us() - kDay, {{"amount", Money(i)}, {"weight", 0.5}});
    EXPECT_EQ(passes(), c.by_late);
    hot.Pass(100, false);
    EXPECT_EQ(passes(), c.by_expiries);
  }
}

// The greatest of a falling series leaves first: each time the window is read; where another holds the value, up to that one.
TEST(AggregateKeeper, AnExtremeIsLookedForWhereItLeft) {
  KeeperShard keeper;
  keeper.AddUnit("max(order.amount) over 30d");
  keeper.AddUnit("min(order.amount) over 30d");
  keeper.SetNow(kNow);
  keeper.Start();
  const Row row = keeper.Add();
  for (int64_t i = 0; i < 100; ++i) keeper.Track(row, "order", kNow - 100 + i, {{"amount", Money(1'000 - i)}});
  EXPECT_EQ(keeper.keeper.passes(), 0u);
  for (int64_t i = 0; i < 50; ++i) {
    keeper.SetNow(kNow - 100 + i + 30 * kDay);
    keeper.BringUp(row);
  }
  EXPECT_EQ(keeper.keeper.passes(), 50u);
  EXPECT_TRUE(keeper.Agrees(row));
}

// ---- Memory ----

TEST(AggregateKeeper, TwentyWindowedAttributesTakeLessThanTwoHundredBytesAProfile) {
  KeeperShard keeper;
  for (const char* window : {"over 7d", "over 30d", "between 90d and 30d ago", "over this month"}) {
    for (const char* aggregate :
         {"count(order)", "sum(order.amount)", "max(order.amount)", "unique_count(order.category)", "last(order.category)"})
      keeper.AddUnit(fmt::format("{} {}", aggregate, window));
  }
  keeper.SetNow(kNow);
  keeper.Start();
  std::mt19937_64 random(TestSeed());
  constexpr uint32_t kProfiles = 20'000;
  for (uint32_t i = 0; i < kProfiles; ++i) {
    const Row row = keeper.Add();
    for (int event = 0; event < 5; ++event) {
      keeper.Track(row, "order", kNow - static_cast<int64_t>(random() % (90 * kDay)),
                   {{"amount", Money(static_cast<int64_t>(random() % 100'000))}, {"category", fmt::format("category {}", random() % 300)}});
    }
  }
  EXPECT_GT(keeper.keeper.MemoryBytes(), kProfiles);
  EXPECT_LE(keeper.keeper.MemoryBytes() / kProfiles, 200u);
  RecordProperty("bytes_per_profile", static_cast<int>(keeper.keeper.MemoryBytes() / kProfiles));
}

}  // namespace
}  // namespace korrel
