// Random histories, aggregates and windows: after every step of the clock, every arrival and every eviction, what is kept equals what a
// fold over the events answers, bit for bit; what is said to have changed did; and nothing changes before the edge that was named.
#include <fmt/format.h>

#include "tests/index/keeper_fixture.h"
#include "tests/twin/random.h"

namespace korrel {
namespace {

using twin::Random;

constexpr int64_t kHour = 3'600 * kSecond;

std::string RandomWindow(Random* random) {
  if (random->OneIn(4)) return "";
  if (random->OneIn(3)) {
    const char* zone = random->Pick({"", " at 'Europe/Amsterdam'", " at 'America/New_York'", " at 'Asia/Kathmandu'"});
    return std::string(random->Pick({" over today", " over yesterday", " over this week", " over last week", " over this month",
                                     " over last month", " over this quarter", " over this year", " over last year"})) +
           zone;
  }
  return random->Pick(
      {" over 1h", " over 1d", " over 7d", " over 30d", " between 2d and 1d ago", " between 30d and 7d ago", " between 7d and 1h ago"});
}

std::string RandomOrderUnit(Random* random) {
  const std::string where =
      random->Pick({"", "", " where amount > 5.00", " where category = 'a'", " where quantity is absent",
                    " where event_time >= timestamp '2017-03-20T00:00:00Z' and gift", " where amount > 9.00 or gift"});
  const std::string window = RandomWindow(random);
  switch (random->Below(9)) {
    case 0:
      return fmt::format("count({}{}){}", random->Pick({"order", "order.category", "order.tags"}), where, window);
    case 1:
      return fmt::format("{}({}{}){}", random->Pick({"sum", "avg"}),
                         random->Pick({"order.amount", "order.quantity", "order.weight", "order.quantity + 1"}), where, window);
    case 2:
      return fmt::format("{}({}{}){}", random->Pick({"min", "max"}),
                         random->Pick({"order.amount", "order.quantity", "order.weight", "order.category", "order.due"}), where, window);
    case 3:
      return fmt::format("{}({}{}){}", random->Pick({"first", "last"}),
                         random->Pick({"order.amount", "order.weight", "upper(order.category)", "order.category", "order.gift",
                                       "order.tags", "order.due"}),
                         where, window);
    case 4:
      return fmt::format("{}(order{}){}", random->Pick({"first_seen", "last_seen"}), where, window);
    case 5:
      return fmt::format("{}({}{}){}", random->Pick({"unique_count", "most_frequent"}),
                         random->Pick({"order.category", "order.quantity", "order.weight", "order.gift", "lower(order.category)"}), where,
                         window);
    case 6:
      return fmt::format("days_active(order{}{}){}", where, random->Pick({"", ", 'Europe/Amsterdam'", ", 'Pacific/Apia'"}), window);
    case 7:
      return fmt::format("sessions(order{}, gap {}){}", where, random->Pick({"1h", "6h", "2d"}), window);
    default:
      return random->OneIn(2)
                 ? fmt::format("decayed_count(order{}, half_life 2d)", where)
                 : fmt::format("decayed_sum({}{}, half_life {})", random->Pick({"order.amount", "order.weight", "order.quantity"}), where,
                               random->Pick({"1h", "10d"}));
  }
}

std::string RandomAnyUnit(Random* random) {
  const std::string where = random->Pick({"", "", " where event_time >= timestamp '2017-03-20T00:00:00Z'"});
  const std::string events = random->Pick({"any", "any", "visit"});
  switch (random->Below(4)) {
    case 0:
      return fmt::format("{}({}{}){}", random->Pick({"count", "first_seen", "last_seen"}), events, where, RandomWindow(random));
    case 1:
      return fmt::format("days_active({}{}, 'America/New_York'){}", events, where, RandomWindow(random));
    case 2:
      return fmt::format("sessions({}{}, gap {}){}", events, where, random->Pick({"1h", "6h", "1d"}), RandomWindow(random));
    default:
      return fmt::format("decayed_count({}{}, half_life 3d)", events, where);
  }
}

std::string RandomSequence(Random* random) {
  const std::string steps = random->Pick({"visit then order", "order then visit then order", "order without visit",
                                          "visit without order then visit", "(order where amount > 5.00) then order", "visit then any"});
  return fmt::format("did {}{}{}", steps, random->Pick({" within 1h", " within 1d", " within 7d"}), RandomWindow(random));
}

std::string RandomUnit(Random* random) {
  if (random->OneIn(6)) return RandomSequence(random);
  return random->OneIn(3) ? RandomAnyUnit(random) : RandomOrderUnit(random);
}

// On a grid, so that edges of different windows fall together, or a microsecond beside it.
int64_t RandomTime(Random* random, int64_t around_us, int64_t days) {
  const int64_t steps = days * 8;
  return around_us / (3 * kHour) * (3 * kHour) + random->Between(-steps, 0) * 3 * kHour + random->Between(-1, 1);
}

std::map<std::string, Value> RandomProperties(Random* random) {
  std::map<std::string, Value> properties;
  auto maybe = [&](const char* name, Value value) {
    if (!random->OneIn(4)) properties[name] = std::move(value);
  };
  maybe("amount", Decimal{random->Between(-100, 1'500), 2});
  maybe("quantity", random->OneIn(8) ? (random->OneIn(2) ? INT64_MAX : INT64_MIN) : random->Between(-3, 3));
  maybe("weight", random->OneIn(12) ? 1.5e308 : static_cast<double>(random->Between(-20, 20)) / 7);
  maybe("category", std::string(random->Pick({"a", "A", "b", "c", "hats"})));
  maybe("gift", random->OneIn(2));
  maybe("due", Timestamp{kNow + random->Between(-5, 5)});
  maybe("tags", random->OneIn(2) ? StringSet{"x"} : StringSet{"x", "y"});
  return properties;
}

class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed) {
    const int64_t units = random_.Between(8, 24);
    for (int64_t i = 0; i < units; ++i) keeper_.AddUnit(RandomUnit(&random_));
    // Declared after the windows were checked against it: shorter ones are served as well.
    Schema* schema = keeper_.shard.names.mutable_schema();
    if (random_.OneIn(3)) schema->event_types[0].retention_us = random_.Between(2, 20) * kDay;
    if (random_.OneIn(4)) schema->event_types[1].retention_us = random_.Between(1, 10) * kDay;
    if (random_.OneIn(3)) schema->event_types[0].max_events = static_cast<uint32_t>(random_.Between(1, 12));
    if (random_.OneIn(3)) hard_max_ = static_cast<uint32_t>(random_.Between(1, 20));
    keeper_.SetNow(kNow);
    keeper_.Start();
    rows_ = {keeper_.Add(), keeper_.Add()};
  }

  void Run(int operations) {
    for (int i = 0; i < operations && !::testing::Test::HasFailure(); ++i) {
      row_ = rows_[random_.Below(rows_.size())];
      SCOPED_TRACE(fmt::format("operation {}", i));
      switch (random_.Below(12)) {
        case 0:
        case 1:
          StepToEdges();
          break;
        case 2:
          Jump();
          break;
        case 3:
          if (random_.OneIn(6)) Rebirth();
          break;
        case 4:
          if (random_.OneIn(6)) AdoptAgain();
          break;
        default:
          Track();
      }
      EXPECT_TRUE(keeper_.Agrees(row_));
      CheckEdge();
    }
  }

 private:
  using Answers = std::vector<KeeperShard::Answer>;
  Answers AnswersNow() const { return keeper_.Answers(row_); }
  void BringUp(int64_t now_us) {
    keeper_.SetNow(now_us);
    for (Row row : rows_) {
      keeper_.BringUp(row);
      EXPECT_TRUE(keeper_.Agrees(row));
    }
  }

  // From edge to edge of one row; the microsecond before an edge changes nothing.
  void StepToEdges() {
    for (int64_t steps = random_.Between(1, 6); steps > 0; --steps) {
      const int64_t edge_us = keeper_.keeper.NextEdge(row_, keeper_.filled);
      if (edge_us == kNever) return;
      ASSERT_GT(edge_us, keeper_.now_us());
      if (edge_us - 1 > keeper_.now_us()) {
        const Answers before = AnswersNow();
        BringUp(edge_us - 1);
        EXPECT_TRUE(before == AnswersNow());
      }
      BringUp(edge_us);
    }
  }
  void Jump() {
    const int64_t far = random_.OneIn(5) ? 400 * kDay : random_.OneIn(2) ? 10 * kDay : kDay;
    BringUp(keeper_.now_us() + random_.Between(0, far / kHour) * kHour + random_.Between(0, 1));
  }
  void Track() {
    const int64_t now_us = keeper_.now_us();
    int64_t time_us = now_us;
    switch (random_.Below(8)) {
      case 0:
      case 1:
        time_us = RandomTime(&random_, now_us, 40);
        break;
      case 2:
        time_us = now_us + random_.Between(1, 72) * kHour;
        break;
      case 3:
        break;
      default:
        BringUp(time_us = now_us + random_.Between(0, 30) * kHour);
    }
    const bool order = !random_.OneIn(4);
    const auto properties = order ? RandomProperties(&random_) : std::map<std::string, Value>();
    EXPECT_GT(keeper_.Track(row_, order ? "order" : "visit", time_us, properties, hard_max_), keeper_.now_us());
  }
  void Rebirth() {
    keeper_.keeper.Forget(row_);
    for (uint32_t unit = 0; unit < keeper_.unit_count(); ++unit) {
      EXPECT_TRUE(keeper_.Kept(unit, row_) == KeeperShard::Answer());
      keeper_.keeper.Fill(unit, row_);
    }
  }
  void AdoptAgain() {
    std::vector<uint32_t> order, anew;
    for (uint32_t unit = 0; unit < keeper_.unit_count(); ++unit) {
      order.insert(order.begin() + static_cast<ptrdiff_t>(random_.Below(order.size() + 1)), unit);
      if (random_.OneIn(4)) anew.push_back(unit);
    }
    keeper_.Adopt(order, anew, next_serial_);
    next_serial_ += anew.size();
    for (uint32_t unit = 0; unit < order.size(); ++unit) {
      if (std::find(anew.begin(), anew.end(), order[unit]) == anew.end()) continue;
      for (Row row : rows_) keeper_.keeper.Fill(unit, row);
    }
  }

  // Nothing changes at any instant before the edge at which something could.
  void CheckEdge() {
    const int64_t now_us = keeper_.now_us(), edge_us = keeper_.keeper.NextEdge(row_, keeper_.filled);
    ASSERT_GT(edge_us, now_us);
    std::vector<int64_t> candidates = CandidatesAfter(now_us);
    std::erase_if(candidates, [&](int64_t t) { return t <= now_us || t >= edge_us; });
    if (candidates.empty()) return;
    const Answers now = AnswersNow();
    for (int tries = 0; tries < 6; ++tries) {
      const int64_t at = tries == 0 ? *std::max_element(candidates.begin(), candidates.end()) : random_.Pick(candidates);
      for (uint32_t unit = 0; unit < now.size(); ++unit) {
        EXPECT_TRUE(now[unit] == keeper_.Fresh(unit, row_, at))
            << keeper_.text(unit) << " changes at " << at << ", " << at - now_us << " after now, before the edge " << edge_us;
      }
    }
  }
  std::vector<int64_t> CandidatesAfter(int64_t now_us) const {
    std::vector<int64_t> candidates;
    for (const EventTypeSchema& type : keeper_.shard.names.schema().event_types) {
      const EventHistory* history = keeper_.shard.table.History(row_, type.id);
      for (uint32_t i = 0; history && i < history->size(); ++i) {
        const int64_t time_us = history->TimeOf(i);
        for (int64_t after : {int64_t{0}, kHour, kDay, 2 * kDay, 7 * kDay, 30 * kDay, type.retention_us.value_or(0)}) {
          candidates.push_back(time_us + after);
          candidates.push_back(time_us + after + 1);
        }
      }
    }
    for (int64_t quarter = 1; quarter < 4 * 24 * 40; ++quarter)
      candidates.push_back(now_us / (kHour / 4) * (kHour / 4) + quarter * (kHour / 4));
    return candidates;
  }

  Random random_;
  KeeperShard keeper_;
  std::vector<Row> rows_;
  Row row_;
  uint32_t hard_max_ = kEventsHardMax;
  uint64_t next_serial_ = 1'000;
};

TEST(AggregateKeeperModel, WhatIsKeptIsWhatTheEventsSay) {
  const uint64_t first = twin::FirstSeed(std::random_device{}());
  for (uint64_t round = 0; round < twin::Rounds(40) && !HasFailure(); ++round) {
    SCOPED_TRACE(fmt::format("KORREL_SEED={} KORREL_ROUNDS=1", first + round));
    Model(first + round).Run(120);
  }
}

// Windows that grow above the size from which values are counted, and shrink below the one at which the counts are given up.
TEST(AggregateKeeperModel, LargeWindowsGrowAndShrink) {
  const uint64_t seed = twin::FirstSeed(std::random_device{}());
  SCOPED_TRACE(fmt::format("KORREL_SEED={}", seed));
  Random random(seed);
  KeeperShard keeper;
  for (const char* aggregate : {"unique_count", "most_frequent"}) {
    for (const char* argument : {"order.category", "order.quantity", "order.weight", "order.gift"}) {
      keeper.AddUnit(fmt::format("{}({}) over 1d", aggregate, argument));
      keeper.AddUnit(fmt::format("{}({} where amount > 5.00) over 1d", aggregate, argument));
    }
  }
  for (const char* text : {"max(order.amount) over 1d", "sessions(order where gift, gap 1m) over 1d", "count(order where gift) over 1d"})
    keeper.AddUnit(text);
  keeper.SetNow(kNow);
  keeper.Start();
  const Row row = keeper.Add();
  for (int i = 0; i < 2'400 && !HasFailure(); ++i) {
    const bool late = random.OneIn(10);
    const int64_t step = i % 1'200 < 200 ? kSecond : i % 1'200 > 1'000 ? 10 * 60 * kSecond : 40 * kSecond;
    keeper.SetNow(keeper.now_us() + random.Between(0, step));
    keeper.BringUp(row);
    keeper.Track(row, "order", late ? keeper.now_us() - random.Between(0, kDay) : keeper.now_us(), RandomProperties(&random));
    if (i % 16 == 0) {
      EXPECT_TRUE(keeper.Agrees(row));
    }
  }
  EXPECT_TRUE(keeper.Agrees(row));
}

}  // namespace
}  // namespace korrel
