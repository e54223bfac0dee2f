// What does a change of one attribute cost with 10,000 live segments of four predicates registered over a million profiles (200 segments
// and 5,000 profiles with KORREL_BENCH=small), through the whole engine: bound, logged, indexed, every segment kept right? Twice: predicates
// spread evenly over fifty attributes, and half of all predicates on the attribute that changes. Latencies are of single calls, in process.
//
// Afterwards a handful of segments is counted and must hold exactly whom the generator's own bookkeeping says.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "bench/micro/size.h"
#include "engine/database.h"

namespace korrel {
namespace {

constexpr int kAttributes = 50, kValues = 20;

void Require(bool right, std::string_view what) {
  if (right) return;
  fmt::print(stderr, "live_bench: {}\n", what);
  std::exit(1);
}

struct Random {
  uint64_t x;
  uint64_t Below(uint64_t n) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % n;
  }
};

// `attribute` is one of `values`.
struct Predicate {
  int attribute;
  std::vector<int> values;
  std::string Text() const {
    std::string list;
    for (int value : values) list += fmt::format("{}'v{}'", list.empty() ? "" : ", ", value);
    return fmt::format("a{} in ({})", attribute, list);
  }
};
struct Segment {
  std::vector<Predicate> predicates;
  std::string Text() const {
    std::string text;
    for (const Predicate& predicate : predicates) text += (text.empty() ? "" : " and ") + predicate.Text();
    return text;
  }
  bool Holds(const uint8_t* values) const {
    return std::all_of(predicates.begin(), predicates.end(), [&](const Predicate& p) {
      return std::find(p.values.begin(), p.values.end(), values[p.attribute]) != p.values.end();
    });
  }
};

Predicate OnAttribute(int attribute, int values, Random* random) {
  Predicate predicate{attribute, {}};
  while (static_cast<int>(predicate.values.size()) < values) {
    const int value = static_cast<int>(random->Below(kValues));
    if (std::find(predicate.values.begin(), predicate.values.end(), value) == predicate.values.end()) predicate.values.push_back(value);
  }
  return predicate;
}

// Evenly: four different attributes. Skewed: two predicates of every segment stand on a0, which is the one that changes.
std::vector<Segment> SegmentsOf(bool skewed, int count) {
  Random random{42};
  std::vector<Segment> segments(static_cast<size_t>(count));
  for (Segment& segment : segments) {
    if (skewed) segment.predicates = {OnAttribute(0, 8, &random), OnAttribute(0, 8, &random)};
    while (segment.predicates.size() < 4) {
      const int attribute = static_cast<int>(1 + random.Below(kAttributes - 1)) - (skewed ? 0 : random.Below(kAttributes) == 0);
      const bool taken =
          std::any_of(segment.predicates.begin(), segment.predicates.end(), [&](const Predicate& p) { return p.attribute == attribute; });
      if (!taken) segment.predicates.push_back(OnAttribute(attribute, skewed ? 1 : 3, &random));
    }
  }
  return segments;
}

struct World {
  std::unique_ptr<Database> database;
  std::vector<uint8_t> values;  // by profile, kAttributes each
  std::vector<Segment> segments;
  std::vector<std::string> profiles;
};

// KORREL_PROFILES: another number of profiles.
size_t ProfileCount() {
  const char* given = std::getenv("KORREL_PROFILES");
  return given ? std::strtoull(given, nullptr, 10) : IsSmallBench() ? 5'000 : 1'000'000;
}

World MakeWorld(bool skewed) {
  const size_t size = ProfileCount();
  World world;
  world.database = *Database::Open({});
  world.values.resize(size * kAttributes);
  world.segments = SegmentsOf(skewed, IsSmallBench() ? 200 : 10'000);
  Random random{7};
  std::vector<ProfileWrite> writes;
  for (size_t i = 0; i < size; ++i) {
    ProfileWrite write;
    world.profiles.push_back(fmt::format("customer:{}", i));
    write.identifiers = {world.profiles.back()};
    for (int a = 0; a < kAttributes; ++a) {
      const auto value = static_cast<uint8_t>(random.Below(kValues));
      world.values[i * kAttributes + static_cast<size_t>(a)] = value;
      write.attributes.push_back({fmt::format("a{}", a), AttributeOperation::kSet, fmt::format("v{}", value), 0});
    }
    writes.push_back(std::move(write));
    if (writes.size() < 200 && i + 1 < size) continue;
    Require(world.database->Upsert(writes, {})->errors.empty(), "a write was refused");
    writes.clear();
  }
  ApplyRequest request;
  for (size_t s = 0; s < world.segments.size(); ++s) {
    Definition definition;
    definition.name = fmt::format("segments/s{}", s);
    definition.kind = DefinitionKind::kSegment;
    definition.segment.expression = world.segments[s].Text();
    request.definitions.push_back(std::move(definition));
  }
  const auto applied = world.database->ApplyDefinitions(request);
  Require(applied.ok() && applied->changes.front().error.ok(), "the definitions were refused");
  Require(world.database->WaitUntilFilled(applied->revision, 0, nullptr).ok(), "the segments were not filled");
  return world;
}

void CheckMembers(const World& world) {
  for (size_t s = 0; s < world.segments.size(); s += world.segments.size() / 7) {
    uint64_t members = 0;
    for (size_t i = 0; i < world.profiles.size(); ++i) members += world.segments[s].Holds(&world.values[i * kAttributes]);
    const auto answer = world.database->Count({fmt::format("in segment 's{}'", s)});
    Require(answer.ok() && answer->count == members, "a segment has the wrong members");
  }
}

void ChangeOneAttribute(benchmark::State& state) {
  World world = MakeWorld(state.range(0) != 0);
  Random random{99};
  std::vector<int64_t> nanoseconds;
  std::vector<ProfileWrite> write(1);
  write[0].attributes.resize(1);
  for (auto _ : state) {
    const size_t who = random.Below(world.profiles.size());
    const int attribute = state.range(0) != 0 ? 0 : static_cast<int>(random.Below(kAttributes));
    const auto value = static_cast<uint8_t>(random.Below(kValues));
    write[0].identifiers = {world.profiles[who]};
    write[0].attributes[0] = {fmt::format("a{}", attribute), AttributeOperation::kSet, fmt::format("v{}", value), 0};
    const auto begin = std::chrono::steady_clock::now();
    const auto result = world.database->Upsert(write, {});
    nanoseconds.push_back((std::chrono::steady_clock::now() - begin).count());
    Require(result.ok() && result->errors.empty(), "a change was refused");
    world.values[who * kAttributes + static_cast<size_t>(attribute)] = value;
  }
  std::sort(nanoseconds.begin(), nanoseconds.end());
  auto percentile = [&](double p) {
    return static_cast<double>(nanoseconds[static_cast<size_t>(p * static_cast<double>(nanoseconds.size() - 1))]) / 1'000;
  };
  state.counters["p50_us"] = percentile(0.5);
  state.counters["p99_us"] = percentile(0.99);
  state.counters["max_us"] = percentile(1);
  state.counters["segments"] = static_cast<double>(world.segments.size());
  CheckMembers(world);
}
BENCHMARK(ChangeOneAttribute)
    ->ArgName("half_on_it")
    ->Arg(0)
    ->Arg(1)
    ->Iterations(IsSmallBench() ? 500 : 200'000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace korrel

BENCHMARK_MAIN();
