// Facts about `did … then … without …`, by hand; then small random histories against the definition itself: every tuple of events is
// tried, and truth and edge are compared at every microsecond.

#include "index/evaluation/sequence.h"

#include <fmt/format.h>

#include <functional>

#include "tests/index/shard_fixture.h"

namespace korrel {
namespace {

Value Text(const char* text) { return std::string(text); }
constexpr int64_t kHour = 3'600 * kSecond;

bool Did(const TestShard& shard, Row row, std::string_view text) { return shard.Read(row, text) == Value(true); }

TEST(Sequence, StepsAreDoneInEventOrderAndFitTheirConditions) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Track(row, "visit", kNow - 3 * kHour, {{"page", Text("/shoes/1")}});
  shard.Track(row, "order", kNow - 2 * kHour, {{"quantity", int64_t{2}}});
  shard.Track(row, "visit", kNow - 1 * kHour, {{"page", Text("/hats")}});
  EXPECT_TRUE(Did(shard, row, "did visit then order"));
  EXPECT_TRUE(Did(shard, row, "did visit then order then visit"));
  EXPECT_FALSE(Did(shard, row, "did order then order")) << "one event is one step";
  EXPECT_FALSE(Did(shard, row, "did visit then visit then order"));
  EXPECT_TRUE(Did(shard, row, "did (visit where page like '/shoes%') then (order where quantity > 1)"));
  EXPECT_FALSE(Did(shard, row, "did (visit where page like '/hats%') then order"));
  EXPECT_TRUE(Did(shard, row, "did any then any then any"));
  EXPECT_FALSE(Did(shard, row, "did any then any then any then any"));
  EXPECT_FALSE(Did(shard, shard.Add(), "did any"));
}

TEST(Sequence, EqualTimesAreOrderedByEventTypeThenArrival) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Track(row, "visit", kNow, {{"page", Text("a")}});
  shard.Track(row, "order", kNow);
  shard.Track(row, "visit", kNow, {{"page", Text("b")}});
  EXPECT_TRUE(Did(shard, row, "did order then visit")) << "order became known first";
  EXPECT_FALSE(Did(shard, row, "did visit then order"));
  EXPECT_TRUE(Did(shard, row, "did (visit where page = 'a') then (visit where page = 'b')"));
  EXPECT_FALSE(Did(shard, row, "did (visit where page = 'b') then (visit where page = 'a')"));
}

TEST(Sequence, WithinReachesFromTheFirstStepToTheLast) {
  for (int64_t shift : {-1, 0, 1}) {
    TestShard shard;
    const Row row = shard.Add();
    shard.Track(row, "visit", kNow - kHour - shift);
    shard.Track(row, "visit", kNow - kHour / 2);
    shard.Track(row, "order", kNow);
    EXPECT_EQ(Did(shard, row, "did visit then visit then order within 1h"), shift <= 0) << shift;
    EXPECT_TRUE(Did(shard, row, "did visit then order within 1h")) << "the latest start counts";
  }
}

TEST(Sequence, WhatIsMissingInTheMiddleForgetsWhatWasBefore) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Track(row, "visit", kNow - 5);
  shard.Track(row, "order", kNow - 4);
  shard.Track(row, "visit", kNow - 3);
  EXPECT_FALSE(Did(shard, row, "did (visit where event_time < timestamp '2017-03-31T23:59:59.999996Z') without order then visit"));
  EXPECT_TRUE(Did(shard, row, "did visit then visit"));
  EXPECT_FALSE(Did(shard, row, "did visit without order then visit"));
  EXPECT_TRUE(Did(shard, row, "did visit without order then order")) << "the step itself does not lie between the two";
  shard.Track(row, "visit", kNow - 2);
  EXPECT_TRUE(Did(shard, row, "did visit without order then visit"));
  EXPECT_FALSE(Did(shard, row, "did visit without order without visit then visit then visit"));
}

TEST(Sequence, AClosingWithoutIsTrueOnceItsTimeHasCome) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Track(row, "visit", kNow - 2, {{"page", Text("/shoes/1")}});
  shard.Track(row, "order", kNow - 1, {{"category", Text("cart")}});
  const std::string text =
      "did (visit where page like '/shoes%') then (order where category = 'cart') without (order where quantity > 0) "
      "within 1d over 30d";
  for (int64_t shift : {-1, 0, 1}) {
    shard.now_us = kNow - 1 + kDay + shift;
    EXPECT_EQ(Did(shard, row, text), shift >= 0) << shift;
  }
  shard.now_us = kNow - 2 + 30 * kDay;  // the visit leaves the window
  EXPECT_FALSE(Did(shard, row, text));
  --shard.now_us;
  EXPECT_TRUE(Did(shard, row, text));
  for (int64_t shift : {-1, 0, 1}) {
    TestShard late;
    const Row other = late.Add();
    late.Track(other, "visit", kNow - 2 * kDay);
    late.Track(other, "order", kNow - kDay + shift);
    EXPECT_EQ(Did(late, other, "did visit without order within 1d"), shift > 0) << "the end belongs to it, " << shift;
    EXPECT_FALSE(Did(late, other, "did visit without order"));
    EXPECT_TRUE(Did(late, other, "did order without visit")) << "until now";
  }
}

TEST(Sequence, TheWindowLimitsStepsAndNotWhatMustBeMissing) {
  TestShard shard;
  const Row row = shard.Add();
  shard.Track(row, "visit", kNow - 3 * kDay);
  shard.Track(row, "order", kNow - kDay);
  EXPECT_FALSE(Did(shard, row, "did visit without order between 4d and 2d ago"));
  EXPECT_TRUE(Did(shard, row, "did visit without order within 1d between 4d and 2d ago"));
  EXPECT_FALSE(Did(shard, row, "did visit then order between 4d and 2d ago"));
  EXPECT_TRUE(Did(shard, row, "did visit then order between 4d and 1d ago"));
  EXPECT_FALSE(Did(shard, row, "did visit then order over 3d")) << "open at its start";
  EXPECT_TRUE(Did(shard, row, "did order over yesterday"));
  EXPECT_TRUE(Did(shard, row, "did visit then order over last month at 'UTC'"));
  EXPECT_FALSE(Did(shard, row, "did visit then order over this month"));
  EXPECT_FALSE(Did(shard, row, "did order over last month at zone")) << "an absent zone";
}

TEST(Sequence, IsAConditionLikeAnyOther) {
  TestShard shard;
  for (int i = 0; i < 300; ++i) {
    const Row row = shard.Add();
    if (i % 2 == 0) shard.Track(row, "visit", kNow - 2);
    if (i % 3 == 0) shard.Track(row, "order", kNow - 1);
  }
  for (uint64_t budget : {uint64_t{1}, uint64_t{20'000}, UINT64_MAX}) {
    EXPECT_EQ(shard.Match("did visit then order", budget).size(), 50u) << budget;
    EXPECT_EQ(shard.Match("not (did visit then order) and did any", budget).size(), 150u) << budget;
  }
  EXPECT_EQ(shard.MatchByReading("did visit without order").size(), 100u);
}

// ---- Against the definition ----

struct RandomStep {
  int type = 0;  // 2: any
  bool big = false, without = false;
};
struct RandomSequence {
  std::vector<RandomStep> steps;
  int64_t within = 0, from = 0, to = 0;  // 0: none; the window is between from and to ago

  std::string Text() const {
    std::string text = "did";
    for (size_t i = 0; i < steps.size(); ++i) {
      const RandomStep& step = steps[i];
      const char* name = step.type == 0 ? "order" : step.type == 1 ? "visit" : "any";
      if (i > 0) text += step.without ? " without" : " then";
      text += step.big ? " (order where quantity > 1)" : std::string(" ") + name;
    }
    if (within) text += fmt::format(" within {}us", within);
    if (from) text += to ? fmt::format(" between {}us and {}us ago", from, to) : fmt::format(" over {}us", from);
    return text;
  }
};
struct PlainEvent {
  int64_t time;
  int type;
  int64_t quantity;
};

class Definition {
 public:
  Definition(const RandomSequence& sequence, const std::vector<PlainEvent>& events) : sequence_(sequence), all_(events) {}

  bool HoldsAt(int64_t now, const std::optional<int64_t> (&retention)[2]) {
    now_ = now;
    events_.clear();
    for (const PlainEvent& event : all_) {
      const auto& kept = retention[event.type];
      if (event.time <= now && (!kept || event.time > now - *kept)) events_.push_back(event);
    }
    chosen_.clear();
    return Try(0, 0);
  }

 private:
  static bool Fits(const RandomStep& step, const PlainEvent& event) {
    return step.big ? event.type == 0 && event.quantity > 1 : step.type == 2 || step.type == event.type;
  }
  bool InWindow(const PlainEvent& event) const {
    return !sequence_.from || (event.time > now_ - sequence_.from && event.time <= now_ - sequence_.to);
  }
  bool Missing(const RandomStep& step, size_t behind, size_t before, int64_t last_time) const {
    for (size_t i = behind + 1; i < before; ++i) {
      if (Fits(step, events_[i]) && events_[i].time <= last_time) return false;
    }
    return true;
  }
  // Step `step` of the text, events from `first` on.
  bool Try(size_t step, size_t first) {
    if (step == sequence_.steps.size()) return Complete();
    const RandomStep& next = sequence_.steps[step];
    if (next.without) return Try(step + 1, first);
    for (size_t i = first; i < events_.size(); ++i) {
      if (!Fits(next, events_[i]) || !InWindow(events_[i])) continue;
      chosen_.push_back(i);
      const bool done = Try(step + 1, i + 1);
      chosen_.pop_back();
      if (done) return true;
    }
    return false;
  }
  bool Complete() const {
    const int64_t last = events_[chosen_.back()].time;
    if (sequence_.within && last - events_[chosen_.front()].time > sequence_.within) return false;
    size_t done = 0;
    for (const RandomStep& step : sequence_.steps) {
      if (!step.without) {
        ++done;
      } else if (done < chosen_.size()) {
        if (!Missing(step, chosen_[done - 1], chosen_[done], INT64_MAX)) return false;
      } else if (!sequence_.within) {
        if (!Missing(step, chosen_.back(), events_.size(), INT64_MAX)) return false;
      } else if (now_ < last + sequence_.within || !Missing(step, chosen_.back(), events_.size(), last + sequence_.within)) {
        return false;
      }
    }
    return true;
  }

  const RandomSequence& sequence_;
  const std::vector<PlainEvent>& all_;
  std::vector<PlainEvent> events_;
  std::vector<size_t> chosen_;
  int64_t now_ = 0;
};

RandomSequence MakeSequence(std::mt19937_64& random) {
  auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  RandomSequence sequence;
  const int64_t steps = 1 + below(5);
  for (int64_t i = 0; i < steps; ++i) sequence.steps.push_back({static_cast<int>(below(3)), below(4) == 0, i > 0 && below(3) == 0});
  if (below(2)) sequence.within = 1 + below(12);
  if (below(2)) {
    sequence.from = 2 + below(14);
    sequence.to = below(2) ? below(sequence.from) : 0;
  }
  return sequence;
}

TEST(Sequence, AgreesWithItsDefinitionAtEveryInstantAndKnowsUntilWhen) {
  std::mt19937_64 random(TestSeed());
  auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  int64_t truths = 0, answers = 0, late_edges = 0;
  for (int round = 0; round < 400; ++round) {
    TestShard shard;
    const Row row = shard.Add();
    std::vector<PlainEvent> events;
    for (int64_t i = below(9); i > 0; --i) {
      events.push_back({kNow + below(16), static_cast<int>(below(2)), below(4)});
      const PlainEvent& event = events.back();
      shard.Track(row, event.type == 0 ? "order" : "visit", event.time,
                  event.type == 0 ? std::map<std::string, Value>{{"quantity", event.quantity}} : std::map<std::string, Value>{});
    }
    std::stable_sort(events.begin(), events.end(),
                     [](const PlainEvent& a, const PlainEvent& b) { return std::pair(a.time, a.type) < std::pair(b.time, b.type); });
    const RandomSequence sequence = MakeSequence(random);
    std::optional<int64_t> retention[2];
    for (auto& kept : retention) {
      if (below(3) == 0) kept = 17 + below(10);  // no shorter than any window
    }
    for (size_t type : {0, 1}) shard.names.mutable_schema()->event_types[type].retention_us = retention[type];
    const ExpressionRef expression = shard.Compile(sequence.Text());
    ASSERT_TRUE(expression) << "seed " << TestSeed();
    TermBuilder terms("UTC");
    const Term* term = terms.Build(*expression->root());
    Definition definition(sequence, events);
    std::vector<bool> truth;
    for (int64_t now = kNow; now <= kNow + 60; ++now) truth.push_back(definition.HoldsAt(now, retention));
    for (int64_t at = 0; at <= 60; ++at) {
      shard.now_us = kNow + at;
      const ShardView view = shard.View();
      WorkMeter meter;
      VectorMachine machine(&view, terms.slot_count(), &meter);
      machine.NewBatch(true);
      const SequenceAnswer answer = machine.SequenceOf(*term, row, true);
      ASSERT_EQ(answer.holds, truth[static_cast<size_t>(at)]) << sequence.Text() << " at " << at << " seed " << TestSeed();
      ASSERT_EQ(machine.SequenceOf(*term, row, false).holds, answer.holds) << sequence.Text() << " at " << at << " seed " << TestSeed();
      ASSERT_GT(answer.edge_us, shard.now_us);
      int64_t change = at;
      while (change <= 60 && truth[static_cast<size_t>(change)] == answer.holds) ++change;
      if (change <= 60) {
        ASSERT_LE(answer.edge_us, kNow + change) << sequence.Text() << " at " << at << " seed " << TestSeed();
        late_edges += answer.edge_us == kNow + change;
      }
      truths += answer.holds;
      ++answers;
    }
  }
  EXPECT_GT(truths, answers / 20);
  EXPECT_GT(late_edges, 0);
}

}  // namespace
}  // namespace korrel
