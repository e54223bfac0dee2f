// Goal: an answer is the same whether a shard keeps what the question asks for or not, and what is kept is what is read.
// Method: a shard of random profiles beside a KeptNames/KeptValues made by hand, filled from the plain form. Every question is asked
// in both forms, matched and read, with and without postings, in whole and in tiny turns. Then what is kept is *spoilt*: wherever the
// contract says that it must not be read (rows that are due, units that are not ready), answers must stay right, and elsewhere they
// must follow what is kept, or it was not read at all.

#include <functional>
#include <map>
#include <set>

#include "index/evaluation/term.h"
#include "index/evaluation/vector_machine.h"
#include "index/expression/sharing_key.h"
#include "tests/index/shard_fixture.h"

namespace korrel {
namespace {

class HandKept final : public KeptNames, public KeptValues {
 public:
  std::optional<Unit> Attribute(AttributeId id) const override { return Find(attributes, id.value); }
  std::optional<Unit> Segment(SegmentId id) const override { return Find(segments, id.value); }
  std::optional<Unit> Aggregate(std::string_view key) const override { return Find(aggregates, std::string(key)); }
  bool IsReady(uint64_t serial) const override { return !not_ready.contains(serial); }
  const AttributeColumn* Aggregate(uint64_t serial) const override {
    auto it = columns.find(serial);
    return it == columns.end() ? nullptr : &it->second;
  }
  std::optional<DecayState> Decay(uint64_t serial, Row row) const override {
    auto it = decays.find({row.value, serial});
    return it == decays.end() ? std::nullopt : std::optional(it->second);
  }
  const RowBits* Members(SegmentId id) const override {
    auto it = members.find(id.value);
    return it == members.end() ? nullptr : &it->second;
  }
  bool DueRows(uint32_t block, int64_t, uint64_t* words) const override {
    if (due.CountInBlock(block) == 0) return false;
    std::copy(due.Block(block), due.Block(block) + kBlockWords, words);
    return true;
  }
  bool IsDue(Row row, int64_t) const override { return due.Test(row); }

  std::map<uint32_t, Unit> attributes, segments;
  std::map<std::string, Unit> aggregates;
  std::map<uint64_t, AttributeColumn> columns;
  std::map<std::pair<uint32_t, uint64_t>, DecayState> decays;  // by row and serial
  std::map<uint32_t, RowBits> members;
  std::set<uint64_t> not_ready;
  RowBits due;
  uint64_t last_serial = 0;

 private:
  template <class Units, class Key>
  static std::optional<Unit> Find(const Units& units, const Key& key) {
    auto it = units.find(key);
    return it == units.end() ? std::nullopt : std::optional(it->second);
  }
};

struct Definitions {
  std::vector<std::pair<const char*, const char*>> attributes = {
      {"orders_30d", "count(order) over 30d"},
      {"spend", "sum(order.amount) over 90d"},
      {"average", "avg(order.amount)"},
      {"page", "last(visit.page)"},
      {"golden", "tier = 'gold' and orders_30d > 0"},
      {"latest", "last_seen(any)"},
      {"tags", "last(order.tags)"},
      {"heavy", "if(member, last(order.weight), 0e0)"},
  };
  std::vector<std::pair<const char*, const char*>> segments = {
      {"active", "orders_30d >= 2"},
      {"vip", "in segment 'active' and spend > 40 or golden"},
      {"quiet", "not in segment 'active' and count(visit) over 7d = 0"},
  };
  std::vector<const char*> aggregates = {"count(order) over 30d",
                                         "count(visit) over 7d",
                                         "most_frequent(order.category)",
                                         "max(order.weight)",
                                         "last(order.gift)",
                                         "last(order.tags)",
                                         "min(order.amount) over 60d",
                                         "first_seen(visit) over 60d",
                                         "sum(order.quantity where gift)",
                                         "first(visit.page) over this year",
                                         "did order then visit within 40d over 100d",
                                         "decayed_sum(order.amount, half_life 20d)"};
};

const std::vector<const char*> kConditions = {
    "orders_30d >= 2",
    "2 < orders_30d",
    "orders_30d = 0",
    "orders_30d between 1 and 3",
    "orders_30d in (1, 4, 9)",
    "spend > 40.005 and spend <= 9e1",
    "spend is absent",
    "not (spend < 30)",
    "average >= 20.5e0",
    "average != 20e0",
    "page = '/shoes'",
    "page != '/shoes'",
    "page like '/s%' or page is absent",
    "lower(page) in ('/a', '/shoes', '/bags')",
    "not (page matches 'oe')",
    "golden",
    "not golden",
    "golden = false",
    "golden is present",
    "latest > now() - 20d",
    "tags has 'new'",
    "tags has none ('new', 'sale')",
    "tags has all ('new', 'sale') and country = 'NL'",
    "heavy = 0",
    "count(order) over 30d = orders_30d",
    "count(order) over 30d > 1 and count(visit) over 7d < 2",
    "3 >= count(visit) over 7d",
    "count(visit) over 7d is present",
    "most_frequent(order.category) = 'shoes'",
    "most_frequent(order.category) != 'shoes'",
    "most_frequent(order.category) is absent",
    "not (most_frequent(order.category) in ('bags', 'hats'))",
    "upper(most_frequent(order.category)) like '%A%'",
    "max(order.weight) > 0.5e0",
    "max(order.weight) between -1 and 1",
    "last(order.gift)",
    "not last(order.gift)",
    "last(order.gift) is absent or country = 'BE'",
    "last(order.tags) has any ('new', 'rare')",
    "min(order.amount) over 60d < 20",
    "first_seen(visit) over 60d >= now() - 30d",
    "sum(order.quantity where gift) * 2 > orders_30d + 1",
    "first(visit.page) over this year = page",
    "did order then visit within 40d over 100d",
    "not did order then visit within 40d over 100d",
    "(did order then visit within 40d over 100d) is present and tier = 'gold'",
    "if(did order then visit within 40d over 100d, 1, 2) = 2 or tier = 'gold'",
    "decayed_sum(order.amount, half_life 20d) > 5",
    "decayed_sum(order.amount, half_life 20d) * 2 <= 30",
    "in segment 'active'",
    "not in segment 'active'",
    "in segment 'vip' and country = 'NL'",
    "in segment 'quiet' or golden",
    "in segment 'active' and days_active(visit) > 1",
    "if(golden, orders_30d, 0) > 1",
    "member",
    "days_active(order) over 60d >= 2",
    "coalesce(page, tier, 'none') = 'none'",
};

const std::vector<const char*> kValues = {
    "orders_30d",
    "spend * 2",
    "average",
    "page",
    "golden",
    "latest",
    "tags",
    "heavy",
    "last(order.gift)",
    "last(order.tags)",
    "max(order.weight)",
    "upper(most_frequent(order.category))",
    "coalesce(page, country)",
    "age_in(latest, 'day')",
    "in segment 'vip'",
    "count(visit) over 7d + days_active(visit)",
    "did order then visit within 40d over 100d",
    "decayed_sum(order.amount, half_life 20d)",
};

class KeptShard {
 public:
  explicit KeptShard(bool keep_postings, uint32_t rows, uint64_t seed) : shard(keep_postings), random_(seed) {
    Define();
    while (shard.table.row_end() < rows) AddProfile();
    Fill();
  }

  ShardView PlainView() const { return shard.View(); }
  ShardView KeptView() const {
    ShardView view = shard.View();
    view.kept = &kept;
    return view;
  }
  PlanRef PlainPlan(std::string_view text) const { return Plan::Make(shard.Compile(text)); }
  PlanRef KeptPlan(std::string_view text) const { return Plan::Make(shard.Compile(text), &kept); }

  std::vector<Row> PlainRows(std::string_view text) const { return Match(*PlainPlan(text), PlainView(), UINT64_MAX); }
  std::vector<Row> KeptRows(std::string_view text, uint64_t budget = UINT64_MAX) const {
    return Match(*KeptPlan(text), KeptView(), budget);
  }

  // In turns of `budget`.
  static std::vector<Row> Match(const Plan& plan, const ShardView& view, uint64_t budget) {
    std::vector<Row> rows;
    std::vector<uint64_t> bits(kBlockWords);
    for (uint32_t block = 0; block < view.table->block_count(); ++block) {
      for (uint32_t row = 0; row < kBlockRows;) {
        WorkMeter meter(budget);
        Evaluator evaluator(plan, view, &meter);
        EXPECT_FALSE(evaluator.PlanIsStale());
        uint32_t matches = 0;
        const uint32_t end = evaluator.Match(block, row, bits.data(), &matches);
        EXPECT_GT(end, row);
        const size_t before = rows.size();
        for (uint32_t at = 0; at < kBlockRows; ++at) {
          if (bits[at / 64] >> (at % 64) & 1) rows.emplace_back(block * kBlockRows + at);
        }
        EXPECT_EQ(matches, rows.size() - before);
        EXPECT_TRUE(before == rows.size() || (rows[before].value % kBlockRows >= row && rows.back().value % kBlockRows < end));
        row = end;
      }
    }
    return rows;
  }

  std::vector<Value> Values(const Plan& plan, const ShardView& view, uint64_t budget = UINT64_MAX) const {
    std::vector<Value> values;
    const std::vector<Row> live = shard.LiveRows();
    while (values.size() < live.size()) {
      size_t size = 0;
      while (values.size() + size < live.size() && live[values.size() + size].value / kBlockRows == live[values.size()].value / kBlockRows)
        ++size;
      WorkMeter meter(budget);
      Evaluator evaluator(plan, view, &meter);
      ValueVector read;
      const size_t done = evaluator.Read(std::span(live).subspan(values.size(), size), &read);
      EXPECT_GT(done, 0u);
      for (size_t i = 0; i < done; ++i) values.push_back(read.At(i));
    }
    return values;
  }

  // Everything kept of the rows becomes something else: absent, or a member who is none.
  void Spoil(const std::vector<Row>& rows) {
    for (Row row : rows) {
      for (const auto& [id, unit] : kept.attributes)
        ASSERT_TRUE(shard.table.GetOrAddColumn(AttributeId(id), unit.type)->Set(row, {}, &shard.index).ok());
      kept.decays.erase(kept.decays.lower_bound({row.value, 0}), kept.decays.lower_bound({row.value + 1, 0}));
      for (auto& [serial, column] : kept.columns) ASSERT_TRUE(column.Set(row, {}, nullptr).ok());
      for (auto& [id, members] : kept.members) members.Test(row) ? members.Clear(row) : members.Set(row);
    }
  }

  TestShard shard;
  HandKept kept;

 private:
  void Define() {
    for (const auto& [name, text] : definitions_.attributes) {
      const ExpressionRef expression = shard.Compile(text);
      Schema* schema = shard.names.mutable_schema();
      const auto id = static_cast<uint32_t>(schema->attributes.size());
      schema->attributes.push_back({.id = AttributeId(id), .name = name, .type = expression->type(), .computed = true});
      schema->attribute_by_name[name] = id;
      shard.definitions.attributes[name] = expression;
      kept.attributes[id] = {++kept.last_serial, expression->type()};
    }
    uint32_t segments = 0;
    for (const auto& [name, text] : definitions_.segments) {
      const SegmentId id(segments++);
      shard.definitions.segments[name] = {.id = id, .expression = shard.Compile(text)};
      kept.segments[id.value] = {++kept.last_serial, kBoolType};
    }
    for (const char* text : definitions_.aggregates) {
      const ExpressionRef expression = shard.Compile(text);
      kept.aggregates[SharingKey(*expression->root(), shard.time_zone, false)] = {++kept.last_serial, expression->type()};
    }
  }

  bool Chance(int percent) { return static_cast<int>(random_() % 100) < percent; }

  void AddProfile() {
    const Row row = shard.Add();
    if (Chance(80)) shard.Set(row, "country", std::string(Chance(60) ? "NL" : "BE"));
    if (Chance(50)) shard.Set(row, "tier", std::string(Chance(30) ? "gold" : "basic"));
    if (Chance(60)) shard.Set(row, "member", Chance(50));
    if (Chance(40)) return;  // no events
    static const std::vector<std::string> pages = {"/shoes", "/SHOES", "/bags", "/a", ""}, categories = {"shoes", "bags", "hats"};
    auto time = [&] { return shard.now_us - static_cast<int64_t>(random_() % 120) * kDay + (Chance(5) ? 130 * kDay : 0); };
    for (uint64_t i = random_() % 4; i > 0; --i) {
      std::map<std::string, Value> properties = {{"amount", Decimal{static_cast<int64_t>(random_() % 5'000), 2}}};
      if (Chance(60)) properties["category"] = categories[random_() % categories.size()];
      if (Chance(60)) properties["weight"] = static_cast<double>(random_() % 16) / 4 - 2;
      if (Chance(60)) properties["gift"] = Chance(50);
      if (Chance(60)) properties["quantity"] = static_cast<int64_t>(random_() % 5);
      if (Chance(60)) properties["tags"] = Chance(50) ? StringSet{"new"} : StringSet{"new", "sale"};
      shard.Track(row, "order", time(), properties);
    }
    for (uint64_t i = random_() % 3; i > 0; --i) shard.Track(row, "visit", time(), {{"page", pages[random_() % pages.size()]}});
  }

  void Fill() {
    const std::vector<Row> rows = shard.LiveRows();
    std::map<uint32_t, std::vector<Value>> of_attribute;  // all read before the first column is there
    for (const auto& [id, unit] : kept.attributes)
      of_attribute[id] = Values(*PlainPlan(shard.names.schema().attributes[id].name), PlainView());
    for (const auto& [name, segment] : shard.definitions.segments) {
      for (Row row : PlainRows("in segment '" + name + "'")) kept.members[segment.id.value].Set(row);
    }
    for (const char* text : definitions_.aggregates) {
      const ExpressionRef expression = shard.Compile(text);
      const uint64_t serial = kept.aggregates.at(SharingKey(*expression->root(), shard.time_zone, false)).serial;
      if (expression->root()->half_life_us) {
        FillDecay(*expression, serial);
        continue;
      }
      AttributeColumn& column = kept.columns.try_emplace(serial, AttributeId(UINT32_MAX), expression->type()).first->second;
      const std::vector<Value> values = Values(*PlainPlan(text), PlainView());
      for (size_t i = 0; i < rows.size(); ++i) ASSERT_TRUE(column.Set(rows[i], values[i], nullptr).ok());
    }
    for (const auto& [id, values] : of_attribute) {
      AttributeColumn* column = shard.table.GetOrAddColumn(AttributeId(id), kept.attributes.at(id).type);
      for (size_t i = 0; i < rows.size(); ++i) ASSERT_TRUE(column->Set(rows[i], values[i], &shard.index).ok());
    }
  }

  void FillDecay(const Expression& expression, uint64_t serial) {
    TermBuilder terms(shard.time_zone);
    const Term* term = terms.Build(*expression.root());
    const ShardView view = PlainView();
    WorkMeter meter;
    VectorMachine machine(&view, terms.slot_count(), &meter);
    for (Row row : shard.LiveRows()) {
      if (const std::optional<DecayState> decay = machine.DecayOf(*term, row)) kept.decays[{row.value, serial}] = *decay;
    }
  }

  Definitions definitions_;
  std::mt19937_64 random_;
};

std::vector<Row> EveryThird(const std::vector<Row>& rows) {
  std::vector<Row> third;
  for (size_t i = 0; i < rows.size(); i += 3) third.push_back(rows[i]);
  return third;
}

class KeptTest : public testing::TestWithParam<bool> {
 protected:
  static void SetUpTestSuite() { std::printf("KORREL_SEED=%llu\n", static_cast<unsigned long long>(TestSeed())); }
};
INSTANTIATE_TEST_SUITE_P(Postings, KeptTest, testing::Bool(), [](const auto& info) { return info.param ? "Kept" : "None"; });

TEST_P(KeptTest, ConditionsAnswerAlike) {
  const KeptShard world(GetParam(), kBlockRows + 900, TestSeed());
  size_t taken = 0;
  for (const char* text : kConditions) {
    const std::vector<Row> plain = world.PlainRows(text);
    taken += plain.size();
    EXPECT_EQ(world.KeptRows(text), plain) << text << " seed " << TestSeed();
    EXPECT_EQ(KeptShard::Match(*world.KeptPlan(text), world.PlainView(), UINT64_MAX), plain) << text << " in a shard that keeps nothing";
  }
  EXPECT_GT(taken, 0u);
}

TEST_P(KeptTest, ValuesAreAlike) {
  const KeptShard world(GetParam(), 4'000, TestSeed());
  for (const char* text : kValues) {
    const std::vector<Value> plain = world.Values(*world.PlainPlan(text), world.PlainView());
    EXPECT_EQ(world.Values(*world.KeptPlan(text), world.KeptView()), plain) << text << " seed " << TestSeed();
  }
  for (const char* text : kConditions) {
    const std::vector<Value> plain = world.Values(*world.PlainPlan(text), world.PlainView());
    EXPECT_EQ(world.Values(*world.KeptPlan(text), world.KeptView()), plain) << text << " seed " << TestSeed();
  }
}

TEST_P(KeptTest, WhatIsKeptIsRead) {
  KeptShard world(GetParam(), 2'000, TestSeed());
  world.Spoil(world.shard.LiveRows());
  EXPECT_TRUE(world.KeptRows("orders_30d >= 0").empty());
  EXPECT_TRUE(world.KeptRows("count(visit) over 7d >= 0").empty());
  EXPECT_TRUE(world.KeptRows("golden").empty());
  EXPECT_EQ(world.KeptRows("page is absent").size(), 2'000u);
  EXPECT_EQ(world.KeptRows("in segment 'active'").size() + world.PlainRows("in segment 'active'").size(), 2'000u);
  EXPECT_EQ(world.Values(*world.KeptPlan("orders_30d"), world.KeptView()), std::vector<Value>(2'000));
}

TEST_P(KeptTest, DueRowsAreAnsweredFromTheirRecords) {
  KeptShard world(GetParam(), kBlockRows + 300, TestSeed());
  const std::vector<Row> due = EveryThird(world.shard.LiveRows());
  for (Row row : due) world.kept.due.Set(row);
  world.Spoil(due);
  for (const char* text : kConditions) EXPECT_EQ(world.KeptRows(text), world.PlainRows(text)) << text << " seed " << TestSeed();
  for (const char* text : kValues) {
    EXPECT_EQ(world.Values(*world.KeptPlan(text), world.KeptView()), world.Values(*world.PlainPlan(text), world.PlainView())) << text;
  }
}

TEST_P(KeptTest, TinyTurnsWithDueRows) {
  KeptShard world(GetParam(), 300, TestSeed());
  const std::vector<Row> due = EveryThird(world.shard.LiveRows());
  for (Row row : due) world.kept.due.Set(row);
  world.Spoil(due);
  for (const char* text : kConditions) {
    const std::vector<Row> plain = world.PlainRows(text);
    for (uint64_t budget : {1, 20'000, 40'000}) EXPECT_EQ(world.KeptRows(text, budget), plain) << text << " budget " << budget;
  }
  for (const char* text : kValues) {
    EXPECT_EQ(world.Values(*world.KeptPlan(text), world.KeptView(), 1), world.Values(*world.PlainPlan(text), world.PlainView())) << text;
  }
}

TEST_P(KeptTest, EverybodyDueAtOnce) {
  KeptShard world(GetParam(), 3'000, TestSeed());
  for (Row row : world.shard.LiveRows()) world.kept.due.Set(row);
  world.Spoil(world.shard.LiveRows());
  for (const char* text : kConditions) EXPECT_EQ(world.KeptRows(text, 30'000), world.PlainRows(text)) << text;
}

TEST_P(KeptTest, UnitsThatAreNotReadyAreNotRead) {
  KeptShard world(GetParam(), 2'000, TestSeed());
  world.Spoil(world.shard.LiveRows());
  for (uint64_t serial = 1; serial <= world.kept.last_serial; ++serial) world.kept.not_ready.insert(serial);
  for (const char* text : kConditions) EXPECT_EQ(world.KeptRows(text), world.PlainRows(text)) << text;
  // One that is not ready is enough; the others wait for it.
  const uint64_t spend = world.kept.attributes.at(world.shard.names.attribute("spend").id.value).serial;
  world.kept.not_ready = {spend};
  EXPECT_EQ(world.KeptRows("spend > 10 and orders_30d >= 1"), world.PlainRows("spend > 10 and orders_30d >= 1"));
  EXPECT_TRUE(world.KeptRows("orders_30d >= 1").empty());
}

TEST_P(KeptTest, AColumnOfAnotherTypeIsNotRead) {
  KeptShard world(GetParam(), 500, TestSeed());
  const AttributeSchema& page = world.shard.names.attribute("page");
  world.shard.table.DropColumn(page.id);
  ASSERT_TRUE(world.shard.table.GetOrAddColumn(page.id, kIntType)->Set(Row(0), int64_t{7}, &world.shard.index).ok());
  WorkMeter meter;
  EXPECT_FALSE(Evaluator(*world.KeptPlan("page = '/a'"), world.KeptView(), &meter).PlanIsStale());
  EXPECT_EQ(world.KeptRows("page = '/a'"), world.PlainRows("page = '/a'"));
}

TEST_P(KeptTest, NoHistoryIsReadForWhatIsKept) {
  const KeptShard world(GetParam(), 20'000, TestSeed());
  for (const char* text : {"orders_30d >= 2", "count(order) over 30d > 1 and count(visit) over 7d < 2", "in segment 'vip'",
                           "most_frequent(order.category) = 'shoes'", "max(order.weight) > 0.5e0", "golden"}) {
    WorkMeter plain, kept;
    Evaluator(*world.PlainPlan(text), world.PlainView(), &plain).Match(0, 0, nullptr, nullptr);
    Evaluator(*world.KeptPlan(text), world.KeptView(), &kept).Match(0, 0, nullptr, nullptr);
    EXPECT_LT(kept.used() * 20, plain.used()) << text;
  }
}

ExplainNode Explained(const Plan& plan, const ShardView& view, uint64_t budget) {
  ExplainNode node;
  for (uint32_t block = 0; block < view.table->block_count(); ++block) {
    for (uint32_t row = 0; row < kBlockRows;) {
      WorkMeter meter(budget);
      row = Evaluator(plan, view, &meter).Explain(block, row, &node);
    }
  }
  return node;
}

TEST_P(KeptTest, ExplainNamesTheWayItWent) {
  const KeptShard world(GetParam(), 2'000, TestSeed());
  auto access = [&](const char* text) { return Explained(*world.KeptPlan(text), world.KeptView(), UINT64_MAX).access; };
  EXPECT_EQ(access("orders_30d >= 2"), "range scan");
  EXPECT_EQ(access("count(visit) over 7d < 2"), "range scan");
  EXPECT_EQ(access("max(order.weight) > 0.5e0"), "range scan");
  EXPECT_EQ(access("most_frequent(order.category) = 'shoes'"), "code scan");
  EXPECT_EQ(access("most_frequent(order.category) is present"), "presence");
  EXPECT_EQ(access("last(order.tags) has 'new'"), "set scan");
  EXPECT_EQ(access("golden"), GetParam() ? "posting" : "code scan");
  EXPECT_EQ(access("in segment 'vip'"), "members");
  EXPECT_EQ(access("days_active(order) over 60d >= 2"), "events");
}

TEST_P(KeptTest, ExplainCountsDueRowsRight) {
  KeptShard world(GetParam(), 900, TestSeed());
  const std::vector<Row> due = EveryThird(world.shard.LiveRows());
  for (Row row : due) world.kept.due.Set(row);
  world.Spoil(due);
  for (const char* text : {"orders_30d >= 2 and page != '/shoes' or in segment 'quiet'", "not (spend < 30 and golden)",
                           "max(order.weight) > 0.5e0 and days_active(order) over 60d >= 1", "heavy", "last(order.tags)"}) {
    const ExplainNode plain = Explained(*world.PlainPlan(text), world.PlainView(), UINT64_MAX);
    for (uint64_t budget : {uint64_t{1}, uint64_t{50'000}, UINT64_MAX}) {
      const ExplainNode kept = Explained(*world.KeptPlan(text), world.KeptView(), budget);
      std::function<void(const ExplainNode&, const ExplainNode&)> expect_same = [&](const ExplainNode& a, const ExplainNode& b) {
        EXPECT_EQ(a.text, b.text);
        EXPECT_EQ(a.profile_count, b.profile_count) << a.text << " in " << text << " budget " << budget;
        EXPECT_EQ(a.absent_count, b.absent_count) << a.text << " in " << text << " budget " << budget;
        for (size_t i = 0; i < a.inputs.size(); ++i) expect_same(a.inputs[i], b.inputs.at(i));
      };
      expect_same(kept, plain);
    }
  }
}

TEST_P(KeptTest, OneProfileIsExplainedByDefinitions) {
  KeptShard world(GetParam(), 300, TestSeed());
  world.Spoil(world.shard.LiveRows());
  const std::vector<Row> vips = world.PlainRows("in segment 'vip'");
  ASSERT_FALSE(vips.empty()) << "seed " << TestSeed();
  WorkMeter meter;
  const ExplainNode node = Evaluator(*world.KeptPlan("in segment 'vip'"), world.KeptView(), &meter).ExplainRow(vips[0]);
  EXPECT_TRUE(node.truth);
  ASSERT_EQ(node.inputs.size(), 1u);
  EXPECT_EQ(node.inputs[0].access, "or");
}

TEST(KeptTermTest, ClockBoundIsWhatChangesByTimeBesideWhatIsKept) {
  KeptShard world(true, 1, 1);
  world.shard.definitions.segments["list"] = {.id = SegmentId(9), .is_static = true};
  const std::vector<std::tuple<const char*, bool, bool>> cases = {
      // expression, bound in the plain form, bound in the kept form
      {"country = 'NL'", false, false},
      {"birth > now() - 1d", true, true},
      {"age_in(birth, 'year') > 3", true, true},
      {"has_identifier('email')", false, false},
      {"created_at() is present", true, true},
      {"in segment 'list'", true, true},
      {"in segment 'active'", true, false},
      {"orders_30d > 1", true, false},
      {"latest > now() - 1d", true, true},
      {"count(visit) over 7d = 0", true, false},
      {"count(visit) over 8d = 0", true, true},
      {"golden and heavy > 1 and in segment 'vip'", true, false},
      {"bucket('x') < 10 or member", false, false},
  };
  for (const auto& [text, plain_bound, kept_bound] : cases) {
    const ExpressionRef expression = world.shard.Compile(text);
    TermBuilder plain("UTC"), kept("UTC", &world.kept);
    EXPECT_EQ(plain.Build(*expression->root())->clock_bound, plain_bound) << text;
    EXPECT_EQ(kept.Build(*expression->root())->clock_bound, kept_bound) << text;
  }
}

TEST(KeptTermTest, AKeptNameHasNothingBelowIt) {
  KeptShard world(true, 1, 1);
  const ExpressionRef expression =
      world.shard.Compile("golden and count(order) over 30d > 1 and in segment 'vip' and days_active(visit) > 0");
  TermBuilder kept("UTC", &world.kept);
  const Term* root = kept.Build(*expression->root());
  for (const Term& term : kept.terms()) {
    if (!term.kept) continue;
    EXPECT_TRUE(term.inputs.empty() && !term.definition && !term.where && !term.has_aggregate);
  }
  EXPECT_EQ(std::count_if(kept.terms().begin(), kept.terms().end(), [](const Term& term) { return term.kept; }), 3);
  EXPECT_EQ(root->attributes, std::vector<AttributeId>{world.shard.names.attribute("golden").id});
  EXPECT_TRUE(root->has_aggregate);
  EXPECT_FALSE(root->only_attributes);
}

}  // namespace
}  // namespace korrel
