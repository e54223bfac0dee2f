// Random expressions over random profiles: whatever EdgeFinder says, brute force finds no earlier change. The value is evaluated at every
// instant before the edge at which anything could happen: events and activity plus all durations in use, local hours and midnights,
// birthdays, transitions of zones, and random ones.
//
// KORREL_SEED and KORREL_ROUNDS scale it; the seed is printed where something fails.
#include <gtest/gtest.h>

#include <set>

#include "index/calendar.h"
#include "index/evaluation/edge.h"
#include "tests/index/shard_fixture.h"
#include "tests/twin/random.h"

namespace korrel {
namespace {

using twin::Random;

constexpr int64_t kHour = 3'600 * kSecond;
const std::vector<std::string> kZones = {"UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "America/St_Johns"};
const std::vector<int64_t> kDurations = {kHour, 6 * kHour, kDay, 2 * kDay, 7 * kDay, 30 * kDay, 365 * kDay};
// Where calendars are difficult.
const std::vector<std::string> kPlaces = {"2017-03-25T22:00:00Z", "2017-10-28T22:00:00Z", "2017-03-12T04:00:00Z", "2017-11-05T03:00:00Z",
                                          "2017-04-01T12:00:00Z", "2016-02-28T10:00:00Z", "2017-01-30T20:00:00Z", "2017-12-31T10:00:00Z",
                                          "2038-01-19T02:00:00Z", "2100-02-28T10:00:00Z", "2450-03-27T00:00:00Z", "0001-01-02T00:00:00Z",
                                          "9999-12-29T00:00:00Z", "2009-11-01T01:00:00Z"};

// Expressions of every construct, from small pools so that their instants meet.
class Generator {
 public:
  explicit Generator(Random* random) : random_(*random) {}

  std::string Condition(int depth) {
    switch (depth > 0 ? random_.Below(15) : random_.Below(10)) {
      case 0:
      case 1:
        return Time(2) + " " + Order() + " " + Time(2);
      case 2:
        return Time(1) + " between " + Time(1) + " and " + Time(1);
      case 3:
        return Count() + " " + random_.Pick({"<", "<=", ">", ">=", "=", "!="}) + " " + Number();
      case 4:
        return random_.OneIn(2) ? Count() + " between " + Number() + " and " + Number() : Count() + " in (0, 2, 3)";
      case 5:
        return Age() + " " + random_.Pick({"<", "<=", ">", ">=", "=", "!="}) + " " + Number();
      case 6:
        return Calendar() + " " + Order() + " " + Number();
      case 7:
        return random_.Pick({"member", "in segment 'list'", "country is present", "created_at() is present", "country = 'a'"});
      case 8:
        return "decayed_count(" + Type() + ", half_life " + Duration() + ") " + Order() + " " + Number();
      case 9:
        return Sequence();
      case 10:
        return "not (" + Condition(depth - 1) + ")";
      case 11:
      case 12:
        return "(" + Condition(depth - 1) + " and " + Condition(depth - 1) + ")";
      case 13:
        return "(" + Condition(depth - 1) + " or " + Condition(depth - 1) + ")";
      default:
        return "(" + Value(depth - 1) + ") is present";
    }
  }
  std::string Value(int depth) {
    switch (random_.Below(depth > 0 ? 10 : 6)) {
      case 8:
        return "sessions(" + Type() + ", gap " + Duration() + ")" + Window();
      case 0:
        return Count();
      case 1:
        return Age();
      case 2:
        return Calendar();
      case 3:
      case 4:
        return Number_() + Filter() + ")" + Window();
      case 5:
        return "days_active(" + Type() + Zone() + ")" + Window();
      case 6:
        return "if(" + Condition(depth - 1) + ", " + Value(depth - 1) + ", " + Value(depth - 1) + ")";
      case 7:
        return "coalesce(" + Value(depth - 1) + ", " + Value(depth - 1) + ")";
      default:
        return "(" + Value(depth - 1) + " + " + Value(depth - 1) + ")";
    }
  }

 private:
  std::string Duration() {
    const int64_t us = random_.Pick(kDurations);
    return us % kDay == 0 ? std::to_string(us / kDay) + "d" : std::to_string(us / kHour) + "h";
  }
  std::string Order() { return random_.Pick({"<", "<=", ">", ">="}); }
  std::string Number() { return random_.Pick({"0", "1", "2", "3", "5", "12", "1.5", "2e0", "age"}); }
  std::string Type() { return random_.Pick({"order", "visit", "any"}); }
  std::string Zone() { return random_.OneIn(3) ? ", zone" : ", '" + random_.Pick(kZones) + "'"; }
  std::string Filter() { return random_.OneIn(3) ? " where quantity > 1" : ""; }
  std::string Time(int depth) {
    switch (random_.Below(depth > 0 ? 7 : 5)) {
      case 0:
      case 1:
        return "now()";
      case 2:
        return "birth";
      case 3:
        return random_.Pick({"updated_at()", "created_at()"});
      case 4:
        return std::string(random_.Pick({"last_seen(", "first_seen("})) + Type() + ")" + Window();
      case 5:
        return "(" + Time(depth - 1) + " + " + Duration() + ")";
      default:
        return "(" + Time(depth - 1) + " - " + Duration() + ")";
    }
  }
  std::string Sequence() {
    const std::string first = random_.OneIn(2) ? "(order where quantity > 1)" : Type();
    const std::string more =
        random_.Pick({"", " then order", " without visit then order", " then visit then order", " then order without visit"});
    return "did " + first + more + (random_.OneIn(2) ? " within " + Duration() : "") + Window();
  }
  std::string Count() {
    if (random_.OneIn(3)) return "count(order" + Filter() + ")" + Window();
    return "count(" + Type() + ")" + Window();
  }
  std::string Number_() {
    return random_.Pick({"sum(order.quantity", "min(order.quantity", "max(order.quantity", "last(order.quantity", "first(order.quantity",
                         "unique_count(order.quantity", "most_frequent(order.quantity"});
  }
  std::string Age() {
    const std::string since = random_.OneIn(6) ? "now() - " + Duration() : random_.OneIn(3) ? "last_seen(order)" : "birth";
    return "age_in(" + since + ", '" + random_.Pick({"hour", "day", "week", "month", "year"}) + "'" + Zone() + ")";
  }
  std::string Calendar() {
    const std::string time = random_.OneIn(2) ? "now()" : random_.OneIn(2) ? "now() - " + Duration() : "birth";
    return std::string(random_.Pick({"year(", "month(", "day(", "weekday(", "hour("})) + time + Zone() + ")";
  }
  std::string Window() {
    switch (random_.Below(5)) {
      case 0:
        return "";
      case 1:
      case 2:
        return " over " + Duration();
      case 3:
        return std::string(" between ") + random_.Pick({"30d and 2d ago", "7d and 6h ago", "2d and 1d ago"});
      default: {
        const std::string zone = random_.OneIn(3) ? "zone" : "'" + random_.Pick(kZones) + "'";
        return std::string(" over ") + random_.Pick({"this ", "last "}) + random_.Pick({"day", "week", "month", "quarter", "year"}) +
               " at " + zone;
      }
    }
  }

  Random& random_;
};

class EdgeModelTest : public testing::Test {
 protected:
  void MakeShard(Random* random) {
    shard_ = std::make_unique<TestShard>();
    origin_ = ParseTimestamp(random->Pick(kPlaces), "UTC")->us + random->Between(0, kDay);
    shard_->definitions.segments["list"] = {SegmentId(1), true, nullptr};
    row_ = shard_->Add();
    auto near = [&](int64_t range) {
      const int64_t offset = random->OneIn(3) ? (random->OneIn(2) ? 1 : -1) * random->Pick(kDurations) : random->Between(-range, range);
      return std::clamp(origin_ + offset, kTimestampMinUs, kTimestampMaxUs);
    };
    if (!random->OneIn(4)) Set("birth", Timestamp{near(400 * kDay)});
    if (!random->OneIn(3)) Set("age", int64_t(random->Below(5)));
    if (!random->OneIn(4)) Set("zone", random->OneIn(6) ? std::string("nowhere") : random->Pick(kZones));
    if (random->OneIn(2)) Set("country", std::string("a"));
    if (random->OneIn(2)) shard_->table.AddMember(SegmentId(1), row_, random->OneIn(3) ? std::nullopt : std::optional(near(3 * kDay)));
    Schema* schema = shard_->names.mutable_schema();
    if (random->OneIn(3)) schema->event_types[0].retention_us = random->Pick(kDurations);
    if (random->OneIn(4)) schema->event_types[0].max_events = 3;
    for (uint64_t i = 0, n = random->Below(10); i < n; ++i) {
      const int64_t time = near(random->OneIn(2) ? 2 * kDay : 60 * kDay);
      const bool order = !random->OneIn(3);
      std::map<std::string, Value> properties;
      if (order && !random->OneIn(4)) properties["quantity"] = int64_t(random->Below(4));
      shard_->Track(row_, order ? "order" : "visit", time, properties);
      shard_->table.NoteActivity(row_, time, origin_);
      times_.insert(time);
    }
    if (const Value birth = shard_->Read(row_, "birth"); IsPresent(birth)) times_.insert(std::get<Timestamp>(birth).us);
    if (const StaticList* list = shard_->table.List(SegmentId(1))) {
      for (const auto& [row, expires] : list->expires_us) times_.insert(expires);
    }
  }
  void Set(const char* attribute, const Value& value) { shard_->Set(row_, attribute, value); }

  // Instants after the origin at which something could happen, up to a year later.
  std::vector<int64_t> Candidates(Random* random) {
    std::set<int64_t> found;
    auto add = [&](int64_t time) {
      for (int64_t at : {time - 1, time, time + 1}) {
        if (at > origin_ && at <= kTimestampMaxUs && at < origin_ + 400 * kDay) found.insert(at);
      }
    };
    for (int64_t time : times_) {
      add(time);
      for (int64_t a : kDurations) {
        add(time + a);
        add(time - a);
        for (int64_t b : kDurations) add(time + a - b), add(time + a + b);
      }
    }
    for (const std::string& name : kZones) {
      const Zone& zone = *Zone::Find(name);
      for (int64_t day = origin_, end = origin_ + 6 * kDay; day < end && day < kTimestampMaxUs - 2 * kDay; day += kHour / 2) {
        const Zone::Reading r = zone.At(day);
        add(day - ((r.minute * 60 + r.second) * kSecond + r.microsecond));
        add(day - (((r.minute % 30) * 60 + r.second) * kSecond + r.microsecond));
      }
      for (CalendarUnit unit : {CalendarUnit::kWeek, CalendarUnit::kMonth, CalendarUnit::kYear}) {
        if (origin_ < kTimestampMaxUs - 800 * kDay) add(zone.UnitStart(origin_, unit, 1)), add(zone.UnitStart(origin_, unit, 2));
      }
      for (int64_t birth : times_) {
        for (int units : {1, 2, 12, 13, 24}) add(InstantOfAge(birth, units, AgeUnit::kMonth, zone));
      }
    }
    for (int i = 0; i < 40; ++i) add(origin_ + random->Between(1, random->OneIn(2) ? kDay : 300 * kDay));
    return {found.begin(), found.end()};
  }

  Value ValueAt(const PlanRef& plan, int64_t now) {
    shard_->now_us = now;
    WorkMeter meter;
    Evaluator evaluator(*plan, shard_->View(), &meter);
    ValueVector values;
    evaluator.Read({&row_, 1}, &values);
    return values.At(0);
  }

  void Check(const std::string& text, const std::vector<int64_t>& candidates) {
    const PlanRef plan = shard_->PlanOf(text);
    const Value value = ValueAt(plan, origin_);
    WorkMeter meter;
    const int64_t edge = Evaluator(*plan, shard_->View(), &meter).ValidUntil(row_);
    ASSERT_GT(edge, origin_) << text;
    for (int64_t at : candidates) {
      if (at >= edge) break;
      ASSERT_EQ(ValueAt(plan, at), value) << text << " at " << FormatTimestamp(Timestamp{origin_}) << ", differs at "
                                          << FormatTimestamp(Timestamp{at}) << " before its edge "
                                          << (edge == kNever ? "never" : FormatTimestamp(Timestamp{edge}));
    }
    ++checked_;
    if (edge == kNever) return;
    ASSERT_LE(edge, kTimestampMaxUs);
    ASSERT_EQ(ValueAt(plan, edge - 1), value) << text << " at " << FormatTimestamp(Timestamp{origin_}) << " before its edge "
                                              << FormatTimestamp(Timestamp{edge});
    if (ValueAt(plan, edge) != value) ++changed_;
  }

  std::unique_ptr<TestShard> shard_;
  Row row_;
  int64_t origin_ = 0;
  std::set<int64_t> times_;
  uint64_t checked_ = 0, changed_ = 0;
};

TEST_F(EdgeModelTest, NothingChangesBeforeItsEdge) {
  const uint64_t seed = TestSeed(), rounds = twin::Rounds(60);
  for (uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("KORREL_SEED=" + std::to_string(seed + round) + " KORREL_ROUNDS=1");
    Random random(seed + round);
    times_.clear();
    MakeShard(&random);
    const std::vector<int64_t> candidates = Candidates(&random);
    Generator generator(&random);
    for (int i = 0; i < 12 && !HasFailure(); ++i) {
      const std::string text = random.OneIn(2) ? generator.Condition(2) : generator.Value(2);
      // Windows beyond the retention do not compile: ask again without one.
      shard_->now_us = origin_;
      CompileOptions options;
      options.schema = &shard_->names.schema();
      options.definitions = &shard_->definitions;
      if (Expression::Compile(text, options).ok()) Check(text, candidates);
    }
  }
  RecordProperty("checked", std::to_string(checked_));
  if (rounds >= 20 && !HasFailure()) {
    EXPECT_GT(checked_, rounds) << "the generator makes expressions that compile";
    EXPECT_GT(changed_, checked_ / 20) << "and many that change at their edge";
  }
}

// What may be kept current is stepped from edge to edge: as often as events, days and hours pass, however the row looks.
TEST_F(EdgeModelTest, FromEdgeToEdgeTimePasses) {
  constexpr int64_t kDays = 366;
  constexpr uint64_t kStepsMax = 24 * kDays * 6 + 2'000;  // every hour of several zones, every event through every window
  const uint64_t seed = TestSeed(), rounds = twin::Rounds(60);
  uint64_t walks = 0;
  for (uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("KORREL_SEED=" + std::to_string(seed + round) + " KORREL_ROUNDS=1");
    Random random(seed + round);
    times_.clear();
    MakeShard(&random);
    Generator generator(&random);
    for (int i = 0; i < 12 && !HasFailure(); ++i) {
      const std::string text = generator.Condition(2);
      shard_->now_us = origin_;
      CompileOptions options;
      options.schema = &shard_->names.schema();
      options.definitions = &shard_->definitions;
      options.place = ExpressionPlace::kLiveSegment;
      options.must_be_condition = true;
      if (!Expression::Compile(text, options).ok()) continue;
      const PlanRef plan = shard_->PlanOf(text);
      uint64_t steps = 0;
      for (int64_t at = origin_; at < origin_ + kDays * kDay && steps <= kStepsMax; ++steps) {
        shard_->now_us = at;
        WorkMeter meter;
        at = Evaluator(*plan, shard_->View(), &meter).ValidUntil(row_);
        ASSERT_GT(at, shard_->now_us) << text;
      }
      EXPECT_LE(steps, kStepsMax) << text << " from " << FormatTimestamp(Timestamp{origin_}) << ", creeping at "
                                  << FormatTimestamp(Timestamp{shard_->now_us});
      ++walks;
    }
  }
  if (rounds >= 20 && !HasFailure()) {
    EXPECT_GT(walks, rounds);
  }
}

// Single comparisons with the clock, counts against numbers and readings: there the edge is where the truth flips, not just an event.
TEST_F(EdgeModelTest, EdgesOfClockComparisonsAreFlips) {
  const uint64_t seed = TestSeed();
  uint64_t edges = 0;
  for (uint64_t round = 0; round < 200 && !HasFailure(); ++round) {
    SCOPED_TRACE("KORREL_SEED=" + std::to_string(seed) + ", round " + std::to_string(round));
    Random random(seed + round);
    times_.clear();
    MakeShard(&random);
    for (const char* text : {"now() < birth", "now() - birth >= 6h", "birth + 2d > now()", "now() - 1d <= birth", "now() = birth + 6h",
                             "age_in(birth, 'day') >= 2", "age_in(birth, 'month', 'Europe/Amsterdam') = 1", "in segment 'list'"}) {
      const PlanRef plan = shard_->PlanOf(text);
      const Value value = ValueAt(plan, origin_);
      WorkMeter meter;
      const int64_t edge = Evaluator(*plan, shard_->View(), &meter).ValidUntil(row_);
      if (edge == kNever) continue;
      ++edges;
      EXPECT_EQ(ValueAt(plan, edge - 1), value) << text;
      EXPECT_NE(ValueAt(plan, edge), value) << text;
    }
  }
  EXPECT_GT(edges, 100u);
}

TEST_F(EdgeModelTest, ReadingsChangeExactlyWhereTheZoneSays) {
  Random random(TestSeed());
  SCOPED_TRACE("KORREL_SEED=" + std::to_string(TestSeed()));
  for (const std::string& place : kPlaces) {
    for (const std::string& name : kZones) {
      const Zone& zone = *Zone::Find(name);
      int64_t at = ParseTimestamp(place, "UTC")->us + random.Between(0, kDay);
      for (int i = 0; i < 60; ++i) {
        const int64_t next = zone.NextChange(at, ReadingUnit::kHour);
        ASSERT_GT(next, at) << place << " " << name;
        ASSERT_LE(next, at + 3 * kHour) << place << " " << name;
        for (int64_t t = at; t < next; t += 7 * 60 * kSecond) ASSERT_EQ(zone.At(t).hour, zone.At(at).hour) << place << " " << name;
        ASSERT_EQ(zone.At(next - 1).hour, zone.At(at).hour);
        ASSERT_NE(zone.At(next).hour, zone.At(next - 1).hour);
        at = next;
      }
    }
  }
}

TEST_F(EdgeModelTest, AgesAreCompleteWhenTheInverseSays) {
  Random random(TestSeed());
  SCOPED_TRACE("KORREL_SEED=" + std::to_string(TestSeed()));
  for (int i = 0; i < 4'000; ++i) {
    const Zone& zone = *Zone::Find(random.Pick(kZones));
    const int64_t ts = ParseTimestamp(random.Pick(kPlaces), "UTC")->us + random.Between(0, 40 * kDay);
    const auto unit = static_cast<AgeUnit>(random.Between(1, 7));
    const int64_t units = random.Between(-30, 30);
    const int64_t complete = InstantOfAge(ts, units, unit, zone);
    if (!InTimestampRange(complete) || !InTimestampRange(complete - 1)) continue;
    ASSERT_GE(AgeIn(ts, complete, unit, zone), units) << ts << " unit " << static_cast<int>(unit);
    ASSERT_LT(AgeIn(ts, complete - 1, unit, zone), units) << ts << " unit " << static_cast<int>(unit);
  }
  EXPECT_EQ(InstantOfAge(0, INT64_MAX, AgeUnit::kWeek, *Zone::Find("UTC")), INT64_MAX);
  EXPECT_EQ(InstantOfAge(0, INT64_MAX, AgeUnit::kYear, *Zone::Find("UTC")), INT64_MAX);
  EXPECT_EQ(InstantOfAge(0, INT64_MIN, AgeUnit::kMonth, *Zone::Find("UTC")), INT64_MIN);
}

}  // namespace
}  // namespace korrel
