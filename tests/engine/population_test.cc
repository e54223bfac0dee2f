// Goal: figures about everybody are of exactly their instant, come into force for all at once, and move only those whom they concern,
// whatever the number of shards, live and replayed. Method: databases on clocks that are moved by hand and by events, with values chosen
// so that ranks can be read off; flips and figures read back from the log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "engine/live/population.h"
#include "engine/live/replay.h"
#include "tests/engine/live_definitions.h"
#include "tests/engine/write_fixture.h"

namespace korrel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kHourUs = 3'600 * kSecondUs;
constexpr int64_t kT0 = kStartUs;  // a whole number of days

Definition Figure(std::string name, std::string expression, int64_t every_us = kHourUs) {
  Definition definition;
  definition.name = "population/" + name;
  definition.kind = DefinitionKind::kPopulation;
  definition.population = {std::move(expression), every_us, ""};
  return definition;
}
Status Refused(Database& database, std::vector<Definition> definitions) {
  ApplyRequest request;
  request.definitions = std::move(definitions);
  auto answer = database.ApplyDefinitions(request);
  if (!answer.ok()) return answer.status();
  for (const DefinitionChange& change : answer->changes) {
    if (!change.error.ok()) return change.error;
  }
  return absl::OkStatus();
}

std::unique_ptr<Database> Replaying(uint32_t shards) {
  auto database = OpenForTest(shards, Clock::MakeReplay(kMaxStepDefaultUs));
  EXPECT_TRUE(database->AdvanceClock(kT0, "").ok());
  Definition order;
  order.name = "events/order";
  order.kind = DefinitionKind::kEvent;
  order.event.properties = {{"amount", DecimalType(2)}};
  Apply(*database, {order});
  EXPECT_TRUE(UpsertError(*database, {"c:first"}, {Set("spend", int64_t{0}), Set("n", int64_t{0})}).ok());
  EXPECT_TRUE(database->Delete("c:first", {}).ok());
  return database;
}
void Advance(Database& database, int64_t to_us) {
  auto advanced = database.AdvanceClock(to_us, "");
  ASSERT_TRUE(advanced.ok()) << advanced.status();
}

uint64_t CountOf(Database& database, std::string where) {
  Selection selection;
  selection.expression = std::move(where);
  auto answer = database.Count(selection);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? answer->count : 0;
}

struct Published {
  std::string name, value;
  int64_t at_us;
  friend bool operator==(const Published&, const Published&) = default;
};
std::ostream& operator<<(std::ostream& out, const Published& p) { return out << p.name << "=" << p.value << "@" << p.at_us - kT0; }

struct Told {
  std::string who;
  SegmentFlip flip;
  friend bool operator==(const Told&, const Told&) = default;
};
std::ostream& operator<<(std::ostream& out, const Told& t) {
  return out << t.who << (t.flip.entered ? " enters " : " leaves ") << t.flip.segment.value << " at " << t.flip.time_us - kT0;
}

// What the log says. A profile goes by its first identifier: ids differ from run to run.
struct Story {
  std::vector<Published> figures;
  std::vector<Told> flips;
};
Story StoryOf(Database& database) {
  std::map<uint64_t, std::string> names;
  for (const auto& shard : CoreOf(database).shards) {
    std::shared_lock<PhaseFairLock> hold(shard->lock);
    for (uint32_t row = 0; row < shard->table.row_end(); ++row) {
      if (shard->table.live().Test(Row(row))) names[shard->table.IdOf(Row(row)).value] = shard->table.IdentifiersOf(Row(row))[0].text;
    }
  }
  Story story;
  Position after;
  for (;;) {
    auto record = database.log().ReadAfter(after);
    if (!record.ok() || !*record) return story;
    after = (*record)->position;
    auto mutation = DecodeMutation((*record)->bytes);
    EXPECT_TRUE(mutation.ok());
    if (const auto* published = std::get_if<PopulationMutation>(&*mutation)) {
      for (const auto& figure : published->figures) {
        story.figures.push_back({figure.name, DisplayValue(figure.value), figure.published_us});
      }
    }
    const auto flips = FlipsIn((*record)->bytes);
    for (const ProfileFlips& profile : *flips) {
      for (const SegmentFlip& flip : profile.flips) story.flips.push_back({names[profile.profile.value], flip});
    }
  }
}

void Spend(Database& database, int who, int64_t amount) {
  EXPECT_TRUE(UpsertError(database, {"c:" + std::to_string(who)}, {Set("spend", amount)}).ok());
}

bool ComesToHold(const std::function<bool()>& holds) {
  for (int i = 0; i < 6'000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// ---- The value ----

TEST(Quantile, TheNearestRankIsExact) {
  Schema schema;
  schema.attributes.push_back({.id = AttributeId(0), .name = "x", .type = kIntType});
  schema.attribute_by_name["x"] = 0;
  CompileOptions options;
  options.schema = &schema;
  const auto rank = [&](const std::string& q, size_t n) {
    auto quantile = CompileQuantile("quantile(x, " + q + ")", options);
    EXPECT_TRUE(quantile.ok()) << quantile.status();
    return quantile->RankAmong(n) + 1;
  };
  EXPECT_EQ(rank("0", 10), 1u);
  EXPECT_EQ(rank("1", 10), 10u);
  EXPECT_EQ(rank("1.0", 1), 1u);
  EXPECT_EQ(rank("0.9", 10), 9u);
  EXPECT_EQ(rank("0.9", 11), 10u);
  EXPECT_EQ(rank("0.5", 3), 2u);
  EXPECT_EQ(rank("0.07", 100), 7u) << "0.07 * 100 is more than 7 in doubles";
  EXPECT_EQ(rank("0.000000000000000001", 1'000'000), 1u);
  EXPECT_EQ(rank("0.999999999999999999", 1'000'000), 1'000'000u);
}

TEST(Population, OrdersEveryTypeThatHasAnOrderAndSkipsTheAbsent) {
  auto database = Replaying(4);
  for (int i = 1; i <= 10; ++i) {
    EXPECT_TRUE(UpsertError(*database, {"c:" + std::to_string(i)},
                            {Set("n", int64_t{i} - 6), Set("d", Decimal{i * 150, 2}), Set("r", i * -0.5), Set("t", Timestamp{i * kDayUs})})
                    .ok());
  }
  EXPECT_TRUE(UpsertError(*database, {"c:nobody"}, {Set("other", int64_t{1})}).ok());
  Apply(*database,
        {Figure("a_n", "quantile(n, 0.9)"), Figure("b_d", "QUANTILE(d * 2, 0.25)"), Figure("c_r", "quantile(r, 0)"),
         Figure("d_t", "quantile(t, 1)"), Figure("e_none", "quantile(if(n > 99, n, other), 0.5)"), Figure("f_no", "quantile(n / 0, 0.5)")});
  Advance(*database, kT0 + kHourUs);
  std::vector<std::string> values;
  for (const Published& figure : StoryOf(*database).figures) values.push_back(figure.name + " " + figure.value);
  EXPECT_THAT(values, ElementsAre("a_n 3", "b_d " + DisplayValue(Decimal{900, 2}), "c_r " + DisplayValue(-5.0),
                                  "d_t " + DisplayValue(Timestamp{10 * kDayUs}), "e_none 1", "f_no " + DisplayValue(Value())));
}

// ---- When ----

TEST(Population, IsAbsentBeforeItsFirstInstantAndComesAtWholeMultiples) {
  auto database = Replaying(4);
  for (int i = 1; i <= 10; ++i) Spend(*database, i, i);
  Apply(*database, {Figure("p90", "quantile(spend, 0.9)", 7 * kSecondUs)});
  EXPECT_EQ(CountOf(*database, "population.p90 is present"), 0u);
  const int64_t first = kT0 - kT0 % (7 * kSecondUs) + 7 * kSecondUs;
  Advance(*database, first - 1);
  EXPECT_EQ(CountOf(*database, "population.p90 is present"), 0u);
  Advance(*database, first);
  EXPECT_EQ(CountOf(*database, "population.p90 = 9"), 10u);
  Spend(*database, 9, 100);
  EXPECT_EQ(CountOf(*database, "population.p90 = 9"), 10u) << "until the next instant";
  Advance(*database, first + 7 * kSecondUs);
  EXPECT_EQ(CountOf(*database, "population.p90 = 10"), 10u);
  for (const Published& figure : StoryOf(*database).figures) EXPECT_EQ(figure.at_us % (7 * kSecondUs), 0);
}

TEST(Population, AnAnswerSaysThatItHoldsUntilTheNextInstant) {
  auto database = Replaying(1);
  Spend(*database, 1, 5);
  Apply(*database, {Figure("p", "quantile(spend, 0.5)")});
  Selection selection;
  selection.expression = "spend >= population.p";
  auto before = database->Explain(selection, "c:1");
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_EQ(before->plan.valid_until_us, kT0 + kHourUs);
  Advance(*database, kT0 + kHourUs);
  EXPECT_EQ(database->Explain(selection, "c:1")->plan.valid_until_us, kT0 + 2 * kHourUs);
}

TEST(Population, AnEventThatPassesAnInstantComesAfterItsFigures) {
  auto database = Replaying(4);
  Apply(*database,
        {Computed("orders", "count(order)"), Figure("most", "quantile(orders, 1)"), Segment("top", "orders >= population.most")});
  // One request: two events before the instant, one at it, one behind the next.
  std::vector<EventWrite> events;
  for (int64_t at : {kT0 + 1, kT0 + 2, kT0 + kHourUs, kT0 + 2 * kHourUs + 5}) events.push_back({{"c:1"}, "order", at, "", "", {}});
  auto result = database->Track(events, {});
  ASSERT_TRUE(result.ok() && result->errors.empty());
  EXPECT_EQ(result->applied_count, 4u);
  const Story story = StoryOf(*database);
  EXPECT_THAT(story.figures, ElementsAre(Published{"most", "2", kT0 + kHourUs}, Published{"most", "3", kT0 + 2 * kHourUs}));
  EXPECT_THAT(story.flips, ElementsAre(Told{"1", {SegmentId(0), true, kT0 + kHourUs, ChangeCause::kClock}}));
}

TEST(Population, WhoIsRefusedPublishesNothing) {
  auto database = Replaying(4);
  Spend(*database, 1, 5);
  TrackOne(*database, "c:1", "order", kT0 + 1);
  Apply(*database, {Figure("p", "quantile(spend, 0.5)")});
  const WriteResult refused = TrackOne(*database, "c:1", "order", kT0 + kMaxStepDefaultUs + 2);
  ASSERT_EQ(refused.errors.size(), 1u);
  EXPECT_EQ(ReasonOf(refused.errors[0].status), "EVENT_TOO_NEW");
  EXPECT_TRUE(StoryOf(*database).figures.empty());
  EXPECT_EQ(database->GetStatus().now_us, kT0 + 1);
}

TEST(Population, TheThreadOfASystemClockPublishes) {
  auto database = OpenForTest(4, Clock::MakeManual(kT0 + 5));
  for (int i = 1; i <= 10; ++i) Spend(*database, i, i);
  Apply(*database, {Figure("p90", "quantile(spend, 0.9)"), Segment("rich", "spend >= population.p90")});
  ASSERT_TRUE(CoreOf(*database).clock->AdvanceTo(kT0 + 3 * kHourUs + 1).ok());
  ASSERT_TRUE(ComesToHold([&] { return CountOf(*database, "in segment 'rich'") == 2; }));
  EXPECT_THAT(StoryOf(*database).figures, ElementsAre(Published{"p90", "9", kT0 + 3 * kHourUs}))
      << "instants that were missed are left out";
}

TEST(Population, AYearOfHoursIsShortWhereNothingHappens) {
  auto database = Replaying(64);
  Apply(*database, {Figure("p", "quantile(spend, 0.5)"), Figure("q", "quantile(orders, 1)"), Computed("orders", "count(order) over 30d"),
                    Segment("top", "orders >= population.q")});
  Advance(*database, kT0 + 400 * kDayUs);
  EXPECT_EQ(StoryOf(*database).figures.size(), 2u) << "nobody is there: the last instant says it all";
  Spend(*database, 1, 7);
  TrackOne(*database, "c:1", "order", kT0 + 400 * kDayUs + 1);
  Advance(*database, kT0 + 800 * kDayUs);
  const Story story = StoryOf(*database);
  EXPECT_LT(story.figures.size(), 20u) << "only where something can have changed";
  EXPECT_EQ(story.figures.back(), (Published{"q", "0", kT0 + 800 * kDayUs}));
  EXPECT_THAT(std::vector<Published>(story.figures.begin() + 2, story.figures.begin() + 4),
              ElementsAre(Published{"p", "7", kT0 + 400 * kDayUs + kHourUs}, Published{"q", "1", kT0 + 400 * kDayUs + kHourUs}));
  const auto left = std::find(story.figures.begin(), story.figures.end(), Published{"q", "0", kT0 + 430 * kDayUs + kHourUs});
  EXPECT_NE(left, story.figures.end()) << "the first instant at which the event is out";
}

// ---- Whom they move ----

TEST(Population, ANewFigureFlipsThoseBetweenTheOldAndTheNewAtItsInstant) {
  auto database = Replaying(8);
  for (int i = 1; i <= 10; ++i) Spend(*database, i, i);
  Apply(*database, {Figure("p50", "quantile(spend, 0.5)"), Segment("upper", "spend >= population.p50"), Segment("rest", "spend >= 3")});
  Advance(*database, kT0 + kHourUs);
  EXPECT_EQ(CountOf(*database, "in segment 'upper'"), 6u);
  const size_t told = StoryOf(*database).flips.size();
  for (int i = 11; i <= 14; ++i) Spend(*database, i, 100);
  Advance(*database, kT0 + 2 * kHourUs);
  Story story = StoryOf(*database);
  EXPECT_EQ(story.figures.back(), (Published{"p50", "7", kT0 + 2 * kHourUs}));
  std::vector<std::string> left;
  for (size_t i = told; i < story.flips.size(); ++i) {
    const Told& t = story.flips[i];
    if (t.flip.entered) {
      EXPECT_EQ(t.flip.cause, ChangeCause::kWrite) << t.who;
      continue;
    }
    EXPECT_EQ(t.flip, (SegmentFlip{SegmentId(0), false, kT0 + 2 * kHourUs, ChangeCause::kClock}));
    left.push_back(t.who);
  }
  EXPECT_THAT(left, ::testing::UnorderedElementsAre("5", "6"));
}

TEST(Population, FiguresOfOneInstantComeInTheOrderInWhichTheyReadEachOther) {
  auto database = Replaying(4);
  for (int i = 1; i <= 10; ++i) Spend(*database, i, i);
  Apply(*database, {Figure("z_base", "quantile(spend, 0.5)"), Computed("above", "if(spend > population.z_base, spend, 0)"),
                    Figure("a_above", "quantile(above, 0.6)"), Figure("m_direct", "quantile(spend + population.a_above, 1)")});
  Advance(*database, kT0 + kHourUs);
  EXPECT_THAT(StoryOf(*database).figures, ElementsAre(Published{"z_base", "5", kT0 + kHourUs}, Published{"a_above", "6", kT0 + kHourUs},
                                                      Published{"m_direct", "16", kT0 + kHourUs}));
}

// ---- One story for all ----

void LiveThroughAMonth(Database& database, uint64_t seed) {
  std::mt19937_64 random(seed);
  Apply(database, {Computed("orders", "count(order) over 3d"), Computed("worth", "sum(order.amount) over 7d"),
                   Figure("busy", "quantile(orders, 0.8)", 6 * kHourUs), Figure("rich", "quantile(worth, 0.5)", kDayUs),
                   Segment("busy", "orders >= population.busy and orders > 0"),
                   Segment("both", "in segment 'busy' and not (worth < population.rich)")});
  int64_t now_us = kT0;
  for (int round = 0; round < 60; ++round) {
    std::vector<EventWrite> events;
    for (int i = 0; i < 15; ++i) {
      now_us += static_cast<int64_t>(random() % static_cast<uint64_t>(2 * kHourUs));
      const int64_t at_us = random() % 4 == 0 ? now_us - static_cast<int64_t>(random() % static_cast<uint64_t>(kDayUs)) : now_us;
      events.push_back(
          {{"c:" + std::to_string(random() % 40)}, "order", at_us, "", "", {{"amount", Decimal{int64_t(random() % 9'000), 2}}}});
    }
    auto result = database.Track(events, {});
    ASSERT_TRUE(result.ok() && result->errors.empty());
    if (random() % 6 == 0) database.Delete("c:" + std::to_string(random() % 40), {}).IgnoreError();
    if (random() % 5 == 0) Advance(database, now_us = std::max(now_us + kHourUs, database.GetStatus().now_us));
    if (round == 30) Apply(database, {Figure("busy", "quantile(orders, 0.5)", 5 * kHourUs), Segment("late", "worth > population.rich")});
  }
  Advance(database, std::max(now_us, database.GetStatus().now_us) + 9 * kDayUs);
}

// Each profile's flips in their order; those of different profiles come as shards do.
std::map<std::string, std::vector<Told>> ByProfile(const Story& story) {
  std::map<std::string, std::vector<Told>> by_profile;
  for (const Told& t : story.flips) by_profile[t.who].push_back(t);
  by_profile.erase("");  // deleted since, and so without a name
  return by_profile;
}

TEST(Population, TheStoryIsTheSameOnAnyNumberOfShards) {
  const uint64_t seed = 17;
  SCOPED_TRACE(seed);
  std::optional<Story> first;
  for (uint32_t shards : {1u, 8u, 64u}) {
    auto database = Replaying(shards);
    LiveThroughAMonth(*database, seed);
    const Story story = StoryOf(*database);
    EXPECT_GT(story.figures.size(), 50u);
    EXPECT_GT(story.flips.size(), 100u);
    if (!first) first = story;
    EXPECT_EQ(story.figures, first->figures) << shards;
    EXPECT_EQ(ByProfile(story), ByProfile(*first)) << shards;
    for (const char* segment : {"busy", "both", "late"}) {
      const std::map<std::string, std::string> meaning = {{"busy", "orders >= population.busy and orders > 0"},
                                                          {"both", "in segment 'busy' and not (worth < population.rich)"},
                                                          {"late", "worth > population.rich"}};
      EXPECT_EQ(CountOf(*database, std::string("in segment '") + segment + "'"), CountOf(*database, meaning.at(segment))) << segment;
    }
  }
}

TEST(Population, TheLogMakesTheSameAgain) {
  for (uint64_t seed : {3u, 4u, 5u}) {
    SCOPED_TRACE(seed);
    auto first = Replaying(8);
    LiveThroughAMonth(*first, seed);
    for (uint32_t shards : {1u, 16u}) {
      auto second = OpenForTest(shards, Clock::MakeReplay(kMaxStepDefaultUs));
      ASSERT_NO_FATAL_FAILURE(ReplayInto(first->log(), second.get()));
      Advance(*second, first->GetStatus().now_us);  // edges at which nobody flipped leave no record
      EXPECT_EQ(DumpOf(*second, true), DumpOf(*first, true));
      // Both go on alike.
      const size_t told = StoryOf(*first).figures.size();
      const int64_t later_us = first->GetStatus().now_us + kDayUs;
      for (Database* database : {first.get(), second.get()}) Advance(*database, later_us);
      EXPECT_EQ(StoryOf(*second).figures.back(), StoryOf(*first).figures.back());
      EXPECT_GT(StoryOf(*first).figures.size(), told);
      for (const char* text :
           {"in segment 'busy'", "in segment 'both'", "in segment 'late'", "orders >= population.busy", "worth > population.rich"}) {
        EXPECT_EQ(CountOf(*second, text), CountOf(*first, text)) << text;
      }
    }
  }
}

// Whoever writes while figures are published under a system clock: live segments still say what their definitions say, and the log
// makes the same again.
TEST(Population, WritesGoOnWhileFiguresArePublished) {
  auto database = OpenForTest(8, Clock::MakeManual(kT0));
  for (int i = 0; i < 200; ++i) Spend(*database, i, i);
  Apply(*database, {Figure("p", "quantile(spend, 0.7)", kSecondUs), Segment("top", "spend >= population.p")});
  std::atomic<bool> stop = false;
  std::thread clock([&] {
    for (int64_t at_us = kT0; !stop; at_us += kSecondUs / 2) {
      EXPECT_TRUE(CoreOf(*database).clock->AdvanceTo(at_us).ok());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  std::mt19937_64 random(5);
  for (int i = 0; i < 3'000; ++i) Spend(*database, static_cast<int>(random() % 200), static_cast<int64_t>(random() % 1'000));
  stop = true;
  clock.join();
  Advance(*database, database->GetStatus().now_us + kSecondUs);
  EXPECT_EQ(CountOf(*database, "in segment 'top'"), CountOf(*database, "spend >= population.p"));
  auto second = OpenForTest(2, Clock::MakeManual(kT0));
  ASSERT_NO_FATAL_FAILURE(ReplayInto(database->log(), second.get()));
  EXPECT_EQ(CountOf(*second, "in segment 'top'"), CountOf(*database, "in segment 'top'"));
}

// Several who move a replay clock at once wait for each other's figures and never for ever; definitions come and go meanwhile.
TEST(Population, ManyMoveTheClockAtOnce) {
  auto database = Replaying(8);
  Apply(*database, {Computed("orders", "count(order) over 2d"), Figure("busy", "quantile(orders, 0.7)", kHourUs),
                    Segment("busy", "orders >= population.busy and orders > 0")});
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < 60; ++i) {
        std::vector<EventWrite> events;
        for (int e = 0; e < 5; ++e) {
          events.push_back(
              {{"c:" + std::to_string((w * 7 + i + e) % 30)}, "order", kT0 + i * 2 * kHourUs + e * 17 * 60 * kSecondUs, "", "", {}});
        }
        auto result = database->Track(events, {});
        EXPECT_TRUE(result.ok() && result->errors.empty());
      }
    });
  }
  for (int i = 0; i < 10; ++i) {
    Apply(*database, {Figure("other", "quantile(orders, 0." + std::to_string(i) + ")", (i + 1) * 60 * kSecondUs)});
    database->AdvanceClock(database->GetStatus().now_us + kHourUs / 2, "").status().IgnoreError();  // an event may be faster
    if (i % 3 == 2) {
      ASSERT_TRUE(database->DeleteDefinition("population/other", false, 0, "").ok());
    }
  }
  for (std::thread& writer : writers) writer.join();
  Advance(*database, database->GetStatus().now_us + 3 * kHourUs);
  EXPECT_EQ(CountOf(*database, "in segment 'busy'"), CountOf(*database, "orders >= population.busy and orders > 0"));
  auto second = OpenForTest(2, Clock::MakeReplay(kMaxStepDefaultUs));
  ASSERT_NO_FATAL_FAILURE(ReplayInto(database->log(), second.get()));
  Advance(*second, database->GetStatus().now_us);  // edges at which nobody flipped leave no record
  EXPECT_EQ(DumpOf(*second, true), DumpOf(*database, true));
  EXPECT_EQ(CountOf(*second, "in segment 'busy'"), CountOf(*database, "in segment 'busy'"));
}

// ---- Definitions ----

TEST(Population, WhatIsNotAFigureIsRefusedWithItsPlace) {
  auto database = OpenForTest(2);
  Spend(*database, 1, 1);
  EXPECT_TRUE(UpsertError(*database, {"c:1"}, {Set("name", std::string("x"))}).ok());
  const auto problem = [&](const std::string& text) {
    const Status status = Refused(*database, {Figure("f", text)});
    const std::optional<ExpressionError> error = ExpressionErrorOf(status);
    return error ? error->reason + " " + std::to_string(error->column) + " " + error->message : "NO " + std::string(status.message());
  };
  EXPECT_THAT(problem("spend"), HasSubstr("SYNTAX 1 a figure is written quantile(VALUE, Q), as in quantile(spend_90d, 0.9)"));
  EXPECT_THAT(problem("quantile(spend, 0.9"), HasSubstr("SYNTAX 20 the '(' of quantile is not closed"));
  EXPECT_THAT(problem("quantile(spend, 0.9) + 1"), HasSubstr("SYNTAX 22 nothing follows the figure"));
  EXPECT_THAT(problem("quantile(spend)"), HasSubstr("ARGUMENTS 15 quantile needs its share"));
  EXPECT_THAT(problem("quantile(, 0.5)"), HasSubstr("ARGUMENTS 10 quantile needs a value"));
  EXPECT_THAT(problem("quantile(spend, age)"), HasSubstr("ARGUMENTS 17 the share of a quantile is a plain number"));
  EXPECT_THAT(problem("quantile(spend, 90)"), HasSubstr("LITERAL 17 the share of a quantile lies between 0 and 1"));
  EXPECT_THAT(problem("quantile(spend, 1.01)"), HasSubstr("LITERAL 17"));
  EXPECT_THAT(problem("quantile(spen, 0.9)"), HasSubstr("UNKNOWN_NAME 10 unknown attribute 'spen'; did you mean 'spend'?"));
  EXPECT_THAT(problem("quantile(name, 0.9)"), HasSubstr("TYPE 10 quantile orders int, decimal, double and timestamp values, not string"));
  EXPECT_THAT(problem("quantile(spend > 1, 0.9)"), HasSubstr("TYPE 10"));
  EXPECT_THAT(problem("quantile('x"), HasSubstr("TOKEN"));
  EXPECT_THAT(problem("quantile(quantile(spend, 0.5), 0.5)"), HasSubstr("10"));
  const std::optional<ExpressionError> error = ExpressionErrorOf(Refused(*database, {Figure("f", "quantile(spen, 0.9)")}));
  EXPECT_EQ(error->rendered, "1:10: unknown attribute 'spen'; did you mean 'spend'?\n    quantile(spen, 0.9)\n             ^^^^");
  EXPECT_EQ(FieldOf(Refused(*database, {Figure("f", "quantile(spend, 0.9)", 0)})), "every_us");
  EXPECT_EQ(FieldOf(Refused(*database, {Figure("f", "quantile(spend, 0.9)", kSecondUs - 1)})), "every_us");
  EXPECT_EQ(FieldOf(Refused(*database, {Figure("f", "quantile(spend, 0.9)", kDurationMaxUs + 1)})), "every_us");
  EXPECT_EQ(FieldOf(Refused(*database, {Figure("f", "")})), "expression");
}

TEST(Population, ACircleIsRefused) {
  auto database = OpenForTest(2);
  Spend(*database, 1, 1);
  const Status itself = Refused(*database, {Figure("f", "quantile(spend + population.f, 0.9)")});
  EXPECT_EQ(ReasonOf(itself), "CYCLE");
  EXPECT_THAT(std::string(MessageOf(itself)), HasSubstr("figure 'f' uses itself: f → f"));
  const Status circle = Refused(*database, {Figure("f", "quantile(high, 0.9)"), Computed("high", "if(spend > population.f, spend, 0)")});
  EXPECT_EQ(ReasonOf(circle), "CYCLE");
}

TEST(Population, IsDescribedListedUsedAndDeletedLikeAnyDefinition) {
  auto database = Replaying(2);
  Spend(*database, 1, 5);
  Apply(*database, {Figure("p", "quantile( spend+1 , 0.90)"), Segment("top", "spend >= population.p")});
  auto described = database->GetDefinition("population/p");
  ASSERT_TRUE(described.ok()) << described.status();
  EXPECT_EQ(described->normal_form, "quantile(spend + 1, 0.90)");
  EXPECT_EQ(described->result_type, kIntType);
  EXPECT_THAT(described->used_by, ElementsAre("segments/top"));
  EXPECT_EQ(described->population.every_us, kHourUs);
  auto page = database->ListDefinitions("population", 0, "");
  ASSERT_TRUE(page.ok() && page->definitions.size() == 1);
  EXPECT_EQ(page->definitions[0].name, "population/p");
  const Status used = database->DeleteDefinition("population/p", false, 0, "").status();
  EXPECT_EQ(ReasonOf(used), "IN_USE");
  EXPECT_THAT(std::string(MessageOf(used)), HasSubstr("segments/top"));
  Advance(*database, kT0 + kHourUs);
  ASSERT_TRUE(database->DeleteDefinition("population/p", true, 0, "").ok());
  EXPECT_FALSE(database->GetDefinition("segments/top").ok());
  Apply(*database, {Figure("p", "quantile(spend, 0.5)")});
  EXPECT_EQ(CountOf(*database, "population.p is present"), 0u) << "a new figure, not published yet";
  Advance(*database, kT0 + 2 * kHourUs);
  EXPECT_EQ(CountOf(*database, "population.p = 5"), 1u);
}

TEST(Population, AFigureDeclaredAnewKeepsItsValueUntilItsNextInstant) {
  auto database = Replaying(2);
  for (int i = 1; i <= 10; ++i) Spend(*database, i, i);
  Apply(*database, {Figure("p", "quantile(spend, 0.5)"), Segment("top", "spend > population.p")});
  Advance(*database, kT0 + kHourUs);
  Apply(*database, {Figure("p", "quantile(spend, 0.9)", 2 * kHourUs)});
  EXPECT_EQ(CountOf(*database, "in segment 'top'"), 5u);
  Advance(*database, kT0 + 2 * kHourUs);
  EXPECT_EQ(CountOf(*database, "in segment 'top'"), 1u);
  Apply(*database, {Figure("p", "quantile(spend * 1.0, 0.9)")});
  EXPECT_EQ(CountOf(*database, "in segment 'top'"), 0u) << "a value of another type is none";
  Advance(*database, kT0 + 3 * kHourUs);
  EXPECT_EQ(CountOf(*database, "in segment 'top'"), 1u);
}

}  // namespace
}  // namespace korrel
