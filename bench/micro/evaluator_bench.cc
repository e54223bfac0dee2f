// How fast is a question inside one process, on one thread?
//
//   SixPredicates      four low-cardinality strings and flags, a range on an int age, a range on a decimal spend, over R rows in
//                      8 shards
//   SixPredicatesScan  the same without postings: what they are worth
//   RangeOverEverybody one narrow scan of all rows
//   RowByRow           arithmetic between two attributes
//   WindowCount        count(order) over 30d >= 3: two binary searches a row
//
// R (a tenth of it for WindowCount) is 1,000,000, or 100,000 with KORREL_BENCH=small. Every answer is compared with a plain loop over plain
// structs. `units` is the work counted, beside the time it took: what index/evaluation/work.h is set by.

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "index/evaluator.h"

namespace korrel {
namespace {

constexpr int64_t kDay = int64_t{86'400} * 1'000'000;
constexpr int64_t kNow = 17'000 * kDay;
constexpr int kShards = 8;
constexpr uint64_t kSeed = 20'170'401;

struct Person {
  int country, tier, channel;
  bool member;
  int64_t age, spend_cents;
  int orders_in_window;
};

struct Shard {
  explicit Shard(bool keep_postings) : index(keep_postings), table(&index) { index.Attach(&table); }
  ShardIndex index;
  ProfileTable table;
};

std::shared_ptr<Schema> MakeSchema() {
  auto schema = std::make_shared<Schema>();
  const std::vector<std::pair<const char*, Type>> attributes = {{"country", kStringType}, {"tier", kStringType}, {"channel", kStringType},
                                                                {"member", kBoolType},    {"age", kIntType},     {"spend", DecimalType(2)}};
  for (const auto& [name, type] : attributes) {
    const auto id = static_cast<uint32_t>(schema->attributes.size());
    schema->attributes.push_back({.id = AttributeId(id), .name = name, .type = type});
    schema->attribute_by_name[name] = id;
  }
  schema->event_types.push_back({.id = EventTypeId(0), .name = "order"});
  schema->event_type_by_name["order"] = 0;
  schema->sources = {"bench"};
  return schema;
}

size_t RowCount() {
  const char* size = std::getenv("KORREL_BENCH");
  return size && std::strcmp(size, "small") == 0 ? 100'000 : 1'000'000;
}

class World {
 public:
  explicit World(bool keep_postings, bool with_events) {
    for (int i = 0; i < kShards; ++i) shards.push_back(std::make_unique<Shard>(keep_postings));
    std::mt19937_64 random(kSeed);
    const size_t rows = with_events ? RowCount() / 10 : RowCount();
    for (size_t i = 0; i < rows; ++i) Add(i, with_events, &random);
  }
  ShardView View(int shard) const { return {&shards[shard]->table, &shards[shard]->index, schema.get(), kNow}; }
  PlanRef PlanOf(std::string_view text) const {
    CompileOptions options;
    options.schema = schema.get();
    return Plan::Make(*Expression::Compile(text, options));
  }
  template <class Test>
  uint64_t CountPlainly(const Test& test) const {
    uint64_t count = 0;
    for (const Person& person : people) count += test(person);
    return count;
  }

  std::shared_ptr<Schema> schema = MakeSchema();
  std::vector<std::unique_ptr<Shard>> shards;
  std::vector<Person> people;

 private:
  void Add(size_t i, bool with_events, std::mt19937_64* random) {
    auto below = [&](uint64_t n) { return static_cast<int>((*random)() % n); };
    Person p{.country = below(8),
             .tier = below(4),
             .channel = below(5),
             .member = below(2) == 0,
             .age = 18 + below(70),
             .spend_cents = below(100'000),
             .orders_in_window = 0};
    ProfileTable& table = shards[i % kShards]->table;
    const Row row = table.AddRow(ProfileId(i + 1));
    Set(&table, row, 0, "country" + std::to_string(p.country));
    Set(&table, row, 1, "tier" + std::to_string(p.tier));
    Set(&table, row, 2, "channel" + std::to_string(p.channel));
    Set(&table, row, 3, p.member);
    Set(&table, row, 4, p.age);
    Set(&table, row, 5, Decimal{p.spend_cents, 2});
    for (int k = 0; with_events && k < 10; ++k) {
      EventToAdd event;
      event.time_us = kNow - static_cast<int64_t>((*random)() % static_cast<uint64_t>(120 * kDay));
      p.orders_in_window += event.time_us > kNow - 30 * kDay;
      table.AddEvent(row, schema->event_types[0], event);
    }
    people.push_back(p);
  }
  void Set(ProfileTable* table, Row row, uint32_t attribute, const Value& value) {
    if (!table->Write(row, schema->attributes[attribute], AttributeOperation::kSet, value, 1, SourceId(0)).ok()) std::abort();
  }
};

uint64_t Count(const World& world, const Plan& plan, uint64_t* units) {
  uint64_t total = 0;
  for (int shard = 0; shard < kShards; ++shard) {
    const ShardView view = world.View(shard);
    WorkMeter meter;
    Evaluator evaluator(plan, view, &meter);
    for (uint32_t block = 0; block < view.table->block_count(); ++block) {
      uint32_t matches = 0;
      evaluator.Match(block, 0, nullptr, &matches);
      total += matches;
    }
    *units += meter.used();
  }
  return total;
}

void Run(benchmark::State& state, const World& world, std::string_view text, uint64_t expected) {
  const PlanRef plan = world.PlanOf(text);
  uint64_t units = 0, total = 0;
  for (auto _ : state) {
    units = 0;
    total = Count(world, *plan, &units);
    benchmark::DoNotOptimize(total);
  }
  if (total != expected) {
    std::fprintf(stderr, "wrong answer: %llu, expected %llu\n", static_cast<unsigned long long>(total),
                 static_cast<unsigned long long>(expected));
    std::exit(1);
  }
  state.counters["rows"] = static_cast<double>(world.people.size());
  state.counters["matches"] = static_cast<double>(total);
  state.counters["units"] = static_cast<double>(units);
}

constexpr char kSix[] =
    "country = 'country3' and tier = 'tier1' and channel = 'channel2' and member and age between 25 and 40 and spend > 250.00";

bool Six(const Person& p) {
  return p.country == 3 && p.tier == 1 && p.channel == 2 && p.member && p.age >= 25 && p.age <= 40 && p.spend_cents > 25'000;
}

const World& Indexed() {
  static const World world(true, false);
  return world;
}

void BM_SixPredicates(benchmark::State& state) { Run(state, Indexed(), kSix, Indexed().CountPlainly(Six)); }
BENCHMARK(BM_SixPredicates)->Unit(benchmark::kMicrosecond);

void BM_SixPredicatesScan(benchmark::State& state) {
  static const World world(false, false);
  Run(state, world, kSix, world.CountPlainly(Six));
}
BENCHMARK(BM_SixPredicatesScan)->Unit(benchmark::kMicrosecond);

void BM_RangeOverEverybody(benchmark::State& state) {
  Run(state, Indexed(), "spend > 250.00", Indexed().CountPlainly([](const Person& p) { return p.spend_cents > 25'000; }));
}
BENCHMARK(BM_RangeOverEverybody)->Unit(benchmark::kMicrosecond);

void BM_RowByRow(benchmark::State& state) {
  Run(state, Indexed(), "age * 10 > spend", Indexed().CountPlainly([](const Person& p) { return p.age * 1'000 > p.spend_cents; }));
}
BENCHMARK(BM_RowByRow)->Unit(benchmark::kMicrosecond);

void BM_WindowCount(benchmark::State& state) {
  static const World world(true, true);
  Run(state, world, "count(order) over 30d >= 3", world.CountPlainly([](const Person& p) { return p.orders_in_window >= 3; }));
}
BENCHMARK(BM_WindowCount)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace korrel

BENCHMARK_MAIN();
