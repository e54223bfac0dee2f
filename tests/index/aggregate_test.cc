// Facts about aggregates and windows; what each profile should have is worked out by hand or by a plain loop over its events.

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/index/shard_fixture.h"

namespace korrel {
namespace {

int64_t At(std::string_view text) { return ParseTimestamp(text, "UTC")->us; }
Value Money(int64_t cents) { return Decimal{cents, 2}; }
Value Text(const char* text) { return std::string(text); }
const Value kAbsent;

TEST(Aggregate, OverNothingHasTheTabledValues) {
  TestShard shard;
  const Row row = shard.Add();
  for (const char* zero :
       {"count(order)", "count(order.amount)", "sum(order.quantity)", "unique_count(order.category)", "days_active(order)"})
    EXPECT_EQ(shard.Read(row, zero), Value(int64_t{0})) << zero;
  EXPECT_EQ(shard.Read(row, "sum(order.amount)"), Money(0));
  EXPECT_EQ(shard.Read(row, "sum(order.weight)"), Value(0.0));
  for (const char* absent : {"avg(order.amount)", "min(order.amount)", "max(order.category)", "first(order.gift)", "last(order.category)",
                             "first_seen(order)", "last_seen(any)", "most_frequent(order.category)"})
    EXPECT_EQ(shard.Read(row, absent), kAbsent) << absent;
}

TEST(Aggregate, ASlidingWindowIsOpenAtItsStartAndClosedAtItsEnd) {
  for (int64_t shift : {-1, 0, 1}) {
    TestShard shard;
    const Row row = shard.Add();
    shard.Track(row, "order", kNow - 30 * kDay + shift);
    EXPECT_EQ(shard.Read(row, "count(order) over 30d"), Value(int64_t{shift > 0})) << shift;
    EXPECT_EQ(shard.Read(row, "count(order) between 40d and 30d ago"), Value(int64_t{shift <= 0})) << shift;
    EXPECT_EQ(shard.Read(row, "count(order) between 30d and 1d ago"), Value(int64_t{shift > 0})) << shift;
  }
}

TEST(Aggregate, NothingIsSeenBeforeItsTime) {
  for (int64_t shift : {-1, 0, 1}) {
    TestShard shard;
    const Row row = shard.Add();
    shard.Track(row, "order", kNow + shift, {{"category", Text("shoes")}});
    const int64_t seen = shift <= 0;
    EXPECT_EQ(shard.Read(row, "count(order)"), Value(seen)) << shift;
    EXPECT_EQ(shard.Read(row, "count(order) over 1d"), Value(seen)) << shift;
    EXPECT_EQ(shard.Read(row, "count(order) over today"), Value(int64_t{shift == 0})) << shift;  // now is midnight
    EXPECT_EQ(shard.Read(row, "count(order) over this month + count(order) over last month"), Value(seen)) << shift;
    EXPECT_EQ(shard.Read(row, "last(order.category)"), seen ? Text("shoes") : kAbsent) << shift;
    EXPECT_EQ(shard.Read(row, "last_seen(any)"), seen ? Value(Timestamp{kNow + shift}) : kAbsent) << shift;
  }
}

TEST(Aggregate, RetentionAndMaxEventsHideWhatIsPastThem) {
  TestShard shard;
  EventTypeSchema& type = shard.names.mutable_schema()->event_types[0];
  const Row row = shard.Add();
  for (int day = 0; day < 10; ++day) shard.Track(row, "order", kNow - day * kDay, {{"quantity", int64_t{day}}});
  type.retention_us = 5 * kDay;
  EXPECT_EQ(shard.Read(row, "count(order)"), Value(int64_t{5}));  // one exactly five days old is out
  EXPECT_EQ(shard.Read(row, "first(order.quantity)"), Value(int64_t{4}));
  type.retention_us.reset();
  type.max_events = 3;
  EXPECT_EQ(shard.Read(row, "sum(order.quantity)"), Value(int64_t{0 + 1 + 2}));
}

TEST(Aggregate, CalendarWindowsBeginAtLocalBoundaries) {
  TestShard shard;
  shard.now_us = At("2017-03-26T12:00:00Z");  // summer time began in Amsterdam that night
  const Row row = shard.Add();
  shard.Set(row, "zone", Text("America/New_York"));
  for (const char* time : {"2017-03-25T22:59:59.999999Z", "2017-03-25T23:00:00Z", "2017-03-26T03:59:59.999999Z", "2017-03-26T04:00:00Z",
                           "2017-02-28T23:30:00Z", "2017-03-01T05:00:00Z"})
    shard.Track(row, "order", At(time));
  EXPECT_EQ(shard.Read(row, "count(order) over today at 'Europe/Amsterdam'"), Value(int64_t{3}));
  EXPECT_EQ(shard.Read(row, "count(order) over today at zone"), Value(int64_t{1}));
  EXPECT_EQ(shard.Read(row, "count(order) over yesterday at 'Europe/Amsterdam'"), Value(int64_t{1}));
  EXPECT_EQ(shard.Read(row, "count(order) over this month at 'Europe/Amsterdam'"), Value(int64_t{6}));
  EXPECT_EQ(shard.Read(row, "count(order) over last month at zone"), Value(int64_t{1}));
  EXPECT_EQ(shard.Read(row, "count(order) over this month at zone"), Value(int64_t{5}));
  EXPECT_EQ(shard.Read(row, "count(order) over last year"), Value(int64_t{0}));
  EXPECT_EQ(shard.Read(row, "days_active(order, 'Europe/Amsterdam')"), Value(int64_t{3}));
  EXPECT_EQ(shard.Read(row, "days_active(order)"), Value(int64_t{4}));
}

TEST(Aggregate, AZoneThatIsAbsentOrUnknownMakesTheAggregateAbsent) {
  TestShard shard;
  const Row without = shard.Add(), wrong = shard.Add();
  shard.Set(wrong, "zone", Text("Mars/Olympus"));
  for (Row row : {without, wrong}) {
    shard.Track(row, "order", kNow);
    EXPECT_EQ(shard.Read(row, "count(order) over this month at zone"), kAbsent);
    EXPECT_EQ(shard.Read(row, "days_active(order, zone)"), kAbsent);
    EXPECT_EQ(shard.Read(row, "count(order) over this month at coalesce(zone, 'UTC') >= 0"), Value(row == without));
  }
}

TEST(Aggregate, EventsWithoutTheArgumentAreSkipped) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Track(row, "order", kNow - 4, {{"category", Text("hats")}, {"amount", Money(100)}});
  shard.Track(row, "order", kNow - 3, {{"amount", Money(250)}, {"tags", StringSet{"a", "b"}}});
  shard.Track(row, "order", kNow - 2);
  EXPECT_EQ(shard.Read(row, "count(order)"), Value(int64_t{3}));
  EXPECT_EQ(shard.Read(row, "count(order.category)"), Value(int64_t{1}));
  EXPECT_EQ(shard.Read(row, "last(order.category)"), Text("hats"));
  EXPECT_EQ(shard.Read(row, "first(order.tags)"), Value(StringSet{"a", "b"}));
  EXPECT_EQ(shard.Read(row, "sum(order.amount)"), Money(350));
  EXPECT_EQ(shard.Read(row, "avg(order.amount)"), Value(1.75));
  EXPECT_EQ(shard.Read(row, "sum(order.amount) / count(order.amount) = avg(order.amount)"), Value(true));
  EXPECT_EQ(shard.Read(row, "sum(order.amount where category = 'hats')"), Money(100));
  EXPECT_EQ(shard.Read(row, "count(order where not (category = 'hats'))"), Value(int64_t{2}));
  EXPECT_EQ(shard.Read(row, "last_seen(order where amount > 1.00)"), Value(Timestamp{kNow - 3}));
  EXPECT_EQ(shard.Read(row, "max(order.amount * 2 where event_time < timestamp '2018-01-01T00:00:00Z')"), Money(500));
}

TEST(Aggregate, EventsOfOneInstantKeepTheOrderOfArrival) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Track(row, "order", kNow, {{"category", Text("first")}});
  shard.Track(row, "order", kNow, {{"category", Text("second")}});
  EXPECT_EQ(shard.Read(row, "first(order.category)"), Text("first"));
  EXPECT_EQ(shard.Read(row, "last(order.category)"), Text("second"));
}

TEST(Aggregate, SumsAreExactAndAbsentWhereTheyDoNotFit) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Track(row, "order", kNow - 3, {{"quantity", INT64_MAX}, {"weight", 1e308}});
  shard.Track(row, "order", kNow - 2, {{"quantity", int64_t{1}}, {"weight", 1e308}});
  EXPECT_EQ(shard.Read(row, "sum(order.quantity)"), kAbsent);
  EXPECT_EQ(shard.Read(row, "avg(order.quantity)"), Value(4611686018427387904.0));
  EXPECT_EQ(shard.Read(row, "sum(order.weight)"), kAbsent);
  shard.Track(row, "order", kNow - 1, {{"quantity", int64_t{-1}}});
  EXPECT_EQ(shard.Read(row, "sum(order.quantity)"), Value(INT64_MAX));
}

TEST(Aggregate, DoublesAreFoldedInEventOrder) {
  TestShard shard;
  const Row row = shard.Add();
  double fold = 0;
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 300; ++i) {
    const double weight = static_cast<double>(random() % 1'000'000) / 7;
    shard.Track(row, "order", kNow - 1'000 + i, {{"weight", weight}});
    fold += weight;
  }
  EXPECT_EQ(shard.Read(row, "sum(order.weight)"), Value(fold)) << TestSeed();
  EXPECT_EQ(shard.Read(row, "avg(order.weight)"), Value(fold / 300)) << TestSeed();
}

TEST(Aggregate, AnyStandsForAllTypesButTheEnginesOwn) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Track(row, "order", kNow - 2 * kDay);
  shard.Track(row, "visit", kNow - kDay);
  shard.Track(row, "visit", kNow - 2 * kDay + 5);
  EXPECT_EQ(shard.Read(row, "count(any)"), Value(int64_t{3}));
  EXPECT_EQ(shard.Read(row, "first_seen(any)"), Value(Timestamp{kNow - 2 * kDay}));
  EXPECT_EQ(shard.Read(row, "last_seen(any)"), Value(Timestamp{kNow - kDay}));
  EXPECT_EQ(shard.Read(row, "days_active(any)"), Value(int64_t{2}));
  shard.names.mutable_schema()->event_types[1].name = "decision";
  EXPECT_EQ(shard.Read(row, "count(any)"), Value(int64_t{1}));
}

TEST(Aggregate, AnyLeavesOutTypesThatBecameKnownAfterTheSnapshot) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Track(row, "order", kNow - 2 * kDay);
  EventTypeSchema later{.id = EventTypeId(static_cast<uint32_t>(shard.names.schema().event_types.size() + 1'000)), .name = "later"};
  shard.table.AddEvent(row, later, {.time_us = kNow - kDay});
  EXPECT_EQ(shard.Read(row, "count(any)"), Value(int64_t{1}));
  EXPECT_EQ(shard.Read(row, "last_seen(any)"), Value(Timestamp{kNow - 2 * kDay}));
}

TEST(Aggregate, TiesOfTheMostFrequentGoToTheSmallest) {
  TestShard shard;
  const Row row = shard.Add();
  for (const char* category : {"b", "a", "c", "c", "b", "a", "b", "a"})
    shard.Track(row, "order", kNow - 1, {{"category", Text(category)}, {"quantity", int64_t{category[0]}}, {"gift", category[0] == 'a'}});
  EXPECT_EQ(shard.Read(row, "most_frequent(order.category)"), Text("a"));
  EXPECT_EQ(shard.Read(row, "most_frequent(order.quantity)"), Value(int64_t{'a'}));
  EXPECT_EQ(shard.Read(row, "most_frequent(order.gift)"), Value(false));
  EXPECT_EQ(shard.Read(row, "unique_count(order.category)"), Value(int64_t{3}));
  EXPECT_EQ(shard.Read(row, "unique_count(order.gift)"), Value(int64_t{2}));
  EXPECT_EQ(shard.Read(row, "most_frequent(upper(order.category))"), Text("A"));
}

// Random histories longer than the runs that a fold reads, against a plain loop.
TEST(Aggregate, EqualsAPlainLoopOverRandomHistories) {
  struct Event {
    int64_t time;
    std::optional<int64_t> amount;
    std::optional<std::string> category;
  };
  std::mt19937_64 random(TestSeed());
  TestShard shard;
  for (uint32_t count : {0u, 1u, 15u, 16u, 17u, 64u, 255u, 256u, 257u, 300u, 1'500u}) {
    const Row row = shard.Add();
    std::vector<Event> events;
    for (uint32_t i = 0; i < count; ++i) {
      Event event{.time = kNow - static_cast<int64_t>(random() % (60 * kDay))};
      if (random() % 4 != 0) event.amount = static_cast<int64_t>(random() % 10'000) - 2'000;
      if (random() % 4 != 0) event.category = std::string(1, static_cast<char>('a' + random() % 5));
      std::map<std::string, Value> properties;
      if (event.amount) properties["amount"] = Money(*event.amount);
      if (event.category) properties["category"] = *event.category;
      shard.Track(row, "order", event.time, properties);
      events.push_back(event);
    }
    std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.time < b.time; });
    int64_t in_window = 0, sum = 0, shoes = 0;
    std::optional<int64_t> largest, last_amount, first_amount;
    std::map<std::string, int> by_category;
    std::set<int64_t> days;
    for (const Event& event : events) {
      if (event.time <= kNow - 30 * kDay) continue;
      ++in_window;
      days.insert(event.time / kDay);
      if (event.category) ++by_category[*event.category];
      if (!event.amount) continue;
      if (!first_amount) first_amount = event.amount;
      last_amount = event.amount;
      sum += *event.amount;
      largest = std::max(largest.value_or(INT64_MIN), *event.amount);
      shoes += event.category == "a" && *event.amount > 500;
    }
    std::optional<std::string> favourite;
    for (const auto& [category, times] : by_category) {
      if (!favourite || times > by_category[*favourite]) favourite = category;
    }
    auto money = [](std::optional<int64_t> cents) { return cents ? Money(*cents) : Value(); };
    EXPECT_EQ(shard.Read(row, "count(order) over 30d"), Value(in_window)) << TestSeed();
    EXPECT_EQ(shard.Read(row, "sum(order.amount) over 30d"), Money(sum)) << TestSeed();
    EXPECT_EQ(shard.Read(row, "max(order.amount) over 30d"), money(largest)) << TestSeed();
    EXPECT_EQ(shard.Read(row, "first(order.amount) over 30d"), money(first_amount)) << TestSeed();
    EXPECT_EQ(shard.Read(row, "last(order.amount) over 30d"), money(last_amount)) << TestSeed();
    EXPECT_EQ(shard.Read(row, "count(order where category = 'a' and amount > 5.00) over 30d"), Value(shoes)) << TestSeed();
    EXPECT_EQ(shard.Read(row, "unique_count(order.category) over 30d"), Value(static_cast<int64_t>(by_category.size()))) << TestSeed();
    EXPECT_EQ(shard.Read(row, "most_frequent(order.category) over 30d"), favourite ? Value(*favourite) : Value()) << TestSeed();
    EXPECT_EQ(shard.Read(row, "days_active(order) over 30d"), Value(static_cast<int64_t>(days.size()))) << TestSeed();
  }
}

TEST(Aggregate, ConditionsOnEventsStopWithinTheBudgetAndGoOnWhereTheyStopped) {
  TestShard shard;
  std::vector<Row> expected;
  std::mt19937_64 random(TestSeed());
  for (int i = 0; i < 400; ++i) {
    const Row row = shard.Add();
    const int orders = static_cast<int>(random() % 40);
    for (int k = 0; k < orders; ++k) shard.Track(row, "order", kNow - k * kDay, {{"amount", Money(100)}});
    if (std::min(orders, 30) >= 20 && orders % 2 == 0) expected.push_back(row);
    shard.Set(row, "member", orders % 2 == 0);
  }
  for (uint64_t budget : {uint64_t{1}, uint64_t{5'000}, uint64_t{1'000'000'000}}) {
    uint64_t largest = 0;
    EXPECT_EQ(shard.Match("sum(order.amount) over 30d >= 20 and member", budget, &largest), expected) << budget << " " << TestSeed();
    EXPECT_LE(largest, budget + 10'000) << budget;
  }
}

}  // namespace
}  // namespace korrel
