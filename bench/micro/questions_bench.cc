// What does a question cost in process, over a million profiles (20,000 with KORREL_BENCH=small)? Six predicates counted (four strings
// or flags, two ranges), a breakdown inside such a segment, a top-k, a sample, a point read. Every run checks its answer against what
// the generator knows.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "engine/database.h"

namespace korrel {
namespace {

struct Person {
  int country, tier, channel;
  bool member;
  int64_t age, spend_cents;
};

// The same people everywhere: a multiplicative generator, not the library's, whose numbers may differ between versions.
Person PersonAt(uint64_t i) {
  uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;
  auto next = [&x](uint64_t n) {
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    return x % n;
  };
  Person person;
  person.country = static_cast<int>(next(20));
  person.tier = static_cast<int>(next(4));
  person.channel = static_cast<int>(next(5));
  person.member = next(2) == 0;
  person.age = static_cast<int64_t>(18 + next(70));
  person.spend_cents = static_cast<int64_t>(next(100'000));
  return person;
}

bool InSegment(const Person& p) {
  return p.country != 3 && p.tier == 1 && p.channel != 2 && p.member && p.age >= 25 && p.age <= 60 && p.spend_cents >= 20'000;
}
// A benchmark that answers wrongly ends the program.
void Require(bool right, const char* what) {
  if (right) return;
  fmt::print(stderr, "questions_bench: {}\n", what);
  std::exit(1);
}

constexpr char kSegment[] =
    "country != 'c3' and tier = 't1' and channel != 'h2' and is_member and age between 25 and 60 and spend >= 200.00";

struct Population {
  std::unique_ptr<Database> database;
  uint64_t size = 0, members = 0;
  std::vector<uint64_t> members_by_country = std::vector<uint64_t>(20);
};

ProfileWrite WriteOf(uint64_t i, const Person& p) {
  ProfileWrite write;
  write.identifiers = {fmt::format("customer:{}", i)};
  auto set = [&write](std::string name, Value value) {
    write.attributes.push_back({std::move(name), AttributeOperation::kSet, std::move(value), 0});
  };
  set("country", fmt::format("c{}", p.country));
  set("tier", fmt::format("t{}", p.tier));
  set("channel", fmt::format("h{}", p.channel));
  set("is_member", p.member);
  set("age", p.age);
  set("spend", Decimal{p.spend_cents, 2});
  return write;
}

const Population& People() {
  static const Population population = [] {
    const char* size = std::getenv("KORREL_BENCH");
    Population made;
    made.size = size && std::strcmp(size, "small") == 0 ? 20'000 : 1'000'000;
    made.database = *Database::Open({.shards = 8});
    std::vector<ProfileWrite> writes;
    for (uint64_t i = 0; i < made.size; ++i) {
      const Person person = PersonAt(i);
      made.members += InSegment(person);
      made.members_by_country[person.country] += InSegment(person);
      writes.push_back(WriteOf(i, person));
      if (writes.size() < 1'000 && i + 1 < made.size) continue;
      Require(made.database->Upsert(writes, {})->errors.empty(), "a write was refused");
      writes.clear();
    }
    return made;
  }();
  return population;
}

void CountSixPredicates(benchmark::State& state) {
  const Population& people = People();
  for (auto _ : state) {
    const auto answer = people.database->Count({kSegment});
    Require(answer.ok() && answer->count == people.members, "wrong count");
  }
  state.counters["profiles"] = static_cast<double>(people.size);
}
BENCHMARK(CountSixPredicates)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BreakdownInsideASegment(benchmark::State& state) {
  const Population& people = People();
  const BreakdownRequest request{.selection = {kSegment}, .by = {"country"}};
  for (auto _ : state) {
    const auto answer = people.database->Breakdown(request);
    bool right = answer.ok() && answer->total_count == people.members;
    for (size_t g = 0; right && g < answer->groups.size; ++g) {
      const int country = std::stoi(std::string(answer->groups.columns[0].texts[g].substr(1)));
      right = static_cast<uint64_t>(answer->groups.columns[1].ints[g]) == people.members_by_country[country];
    }
    Require(right, "wrong groups");
  }
}
BENCHMARK(BreakdownInsideASegment)->Unit(benchmark::kMicrosecond)->UseRealTime();

void TopHundredBySpend(benchmark::State& state) {
  const Population& people = People();
  for (auto _ : state) {
    auto stream = people.database->Query(
        {.selection = {"is_member"}, .select = {"spend"}, .order_by = {.by = "spend", .descending = true}, .limit = 100});
    auto chunk = (*stream)->Next();
    const std::vector<int64_t>& spend = (*chunk)->batch.columns[0].ints;
    Require(spend.size() == 100 && std::is_sorted(spend.rbegin(), spend.rend()), "wrong order");
  }
}
BENCHMARK(TopHundredBySpend)->Unit(benchmark::kMicrosecond)->UseRealTime();

void SampleOfAThousand(benchmark::State& state) {
  const Population& people = People();
  for (auto _ : state) {
    const auto answer = people.database->Sample({.selection = {kSegment}, .size = 1'000, .seed = 7});
    Require(answer.ok() && answer->member_count == people.members, "wrong members");
  }
}
BENCHMARK(SampleOfAThousand)->Unit(benchmark::kMicrosecond)->UseRealTime();

void BatchOfAHundred(benchmark::State& state) {
  const Population& people = People();
  const auto projection = people.database->PrepareProjection({"country", "tier", "channel", "is_member", "age", "spend"}, false);
  std::vector<std::string> asked;
  for (uint64_t i = 0; i < 100; ++i) asked.push_back(fmt::format("customer:{}", i * 7'919 % people.size));
  for (auto _ : state) {
    const auto answer = people.database->BatchGet(asked, *projection, {});
    Require(answer.ok() && answer->batch.columns[4].ints[1] == PersonAt(7'919 % people.size).age, "wrong age");
  }
  state.SetItemsProcessed(state.iterations() * 100);
}
BENCHMARK(BatchOfAHundred)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace korrel

BENCHMARK_MAIN();
