// Goal: a new figure about everybody is an edge of every row at its own instant, whenever the row is looked at. Method: one shard, figures
// set by hand, and the flips that follow.
#include <algorithm>

#include "tests/index/live_fixture.h"

namespace korrel {
namespace {

using std::string_literals::operator""s;

PopulationRef Figure(int64_t value, int64_t at_us) {
  auto figures = std::make_shared<PopulationFigures>();
  figures->by_name["p"] = {value, at_us, at_us + kDay};
  return figures;
}

// Two rows that compare with a figure: one is left to the round, one is met by a write and by an edge of its own.
struct FigureShard : LiveShard {
  FigureShard() {
    definitions.population["p"] = kIntType;
    DefineSegment("top", "age >= population.p");
    DefineSegment("lately", "count(order) over 30d > 0 and age >= population.p");
    Adopt();
    for (int64_t age : {20, 30, 40}) {
      const Row row = Begin();
      Write(row, "age", age);
    }
    live.SetPopulation(Figure(25, now_us), now_us);
    RecheckAll();
    for (auto& [row, flips] : flips_of) flips.clear();
  }
  void RecheckAll() { FillAll(1); }  // a row a turn
};

TEST(LivePopulation, ANewFigureFlipsThoseBetweenItAndTheOld) {
  FigureShard shard;
  EXPECT_EQ(shard.live.Members(SegmentId(0))->count(), 2u);
  shard.now_us += kDay;
  shard.live.SetPopulation(Figure(35, shard.now_us), shard.now_us);
  EXPECT_FALSE(shard.live.filled());
  EXPECT_FALSE(shard.live.SegmentsOf(Row(0), shard.now_us).has_value()) << "not to be said until everybody was looked at";
  shard.RecheckAll();
  EXPECT_TRUE(shard.live.filled());
  EXPECT_TRUE(shard.flips_of[0].empty());
  EXPECT_EQ(shard.flips_of[1], (LiveState::Flips{{SegmentId(0), false, kNow + kDay, ChangeCause::kClock}}));
  EXPECT_TRUE(shard.flips_of[2].empty());
}

TEST(LivePopulation, TheSameValueIsNoReasonToLookAtAnybody) {
  FigureShard shard;
  const uint64_t before = shard.live.counters().expressions_evaluated;
  shard.live.SetPopulation(Figure(25, shard.now_us + kDay), shard.now_us + kDay);
  EXPECT_TRUE(shard.live.filled());
  EXPECT_EQ(shard.live.NextDue(), INT64_MAX) << "nobody waits for the next publication";
  EXPECT_EQ(shard.live.counters().expressions_evaluated, before);
}

// However late a row is looked at, the figure counts from its instant on: before what the write does, and between the row's own edges.
TEST(LivePopulation, TheInstantOfAFigureIsAnEdgeOfEveryRow) {
  FigureShard shard;
  shard.Event(Row(1), "order", kNow, {});  // out of the window at kNow + 30 days
  shard.flips_of[1].clear();
  const int64_t at_us = kNow + 10 * kDay;
  shard.live.SetPopulation(Figure(35, at_us), at_us);
  shard.now_us = kNow + 40 * kDay;
  shard.Write(Row(1), "country", "NL"s);
  LiveState::Flips left = shard.flips_of[1];
  std::sort(left.begin(), left.end(), [](const SegmentFlip& a, const SegmentFlip& b) { return a.segment < b.segment; });
  EXPECT_EQ(left, (LiveState::Flips{{SegmentId(0), false, at_us, ChangeCause::kClock}, {SegmentId(1), false, at_us, ChangeCause::kClock}}))
      << "the edge at the end of the window finds it gone";
  shard.RecheckAll();
  EXPECT_EQ(shard.flips_of[1].size(), 2u) << "once is enough";
}

TEST(LivePopulation, AnEdgeBeforeTheInstantIsJudgedByTheFigureBefore) {
  FigureShard shard;
  shard.Event(Row(1), "order", kNow, {});
  shard.flips_of[1].clear();
  const int64_t at_us = kNow + 35 * kDay;
  shard.live.SetPopulation(Figure(35, at_us), at_us);
  shard.now_us = kNow + 40 * kDay;
  shard.RunClock();
  EXPECT_EQ(shard.flips_of[1], (std::vector<SegmentFlip>{{SegmentId(1), false, kNow + 30 * kDay, ChangeCause::kClock}}));
  shard.RecheckAll();
  EXPECT_EQ(shard.flips_of[1].back(), (SegmentFlip{SegmentId(0), false, at_us, ChangeCause::kClock}));
}

TEST(LivePopulation, WhoIsBornOrEndsMeanwhileIsNotLookedAtAgain) {
  FigureShard shard;
  shard.now_us += kDay;
  shard.live.SetPopulation(Figure(35, shard.now_us), shard.now_us);
  shard.End(Row(1));
  const Row again = shard.Begin();
  shard.Write(again, "age", int64_t{50});
  const size_t told = shard.flips_of[again.value].size();
  const uint64_t evaluated = shard.live.counters().expressions_evaluated;
  shard.RecheckAll();
  EXPECT_EQ(shard.flips_of[again.value].size(), told);
  EXPECT_TRUE(shard.live.Members(SegmentId(0))->Test(again));
  EXPECT_EQ(shard.live.counters().expressions_evaluated - evaluated, 2 * shard.plan->population_expressions().size()) << "rows 0 and 2";
}

}  // namespace
}  // namespace korrel
