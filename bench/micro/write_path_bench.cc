// What does a write cost, from request to postings and log, without the network? Upserts of one attribute to existing profiles
// (P6 of the goals), first writes that make profiles, and events, in batches of 100 and 10,000. Each run checks what it wrote.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "engine/database.h"

namespace korrel {
namespace {

constexpr int64_t kProfiles = 20'000;

std::unique_ptr<Database> Open() { return std::move(Database::Open({.shards = 8, .threads = 2})).value(); }

std::vector<ProfileWrite> Writes(int64_t first, int64_t count, int64_t value) {
  static const std::string kTiers[] = {"basic", "silver", "gold", "platinum"};
  std::vector<ProfileWrite> writes;
  writes.reserve(count);
  for (int64_t i = 0; i < count; ++i) {
    writes.push_back({{"customer:" + std::to_string(first + i)}, {{"tier", AttributeOperation::kSet, kTiers[(i + value) % 4], 0}}, 0});
  }
  return writes;
}

void Require(benchmark::State& state, bool holds, const char* what) {
  if (!holds) {
    state.SkipWithError(what);
    std::exit(1);
  }
}

void OneAttribute(benchmark::State& state) {
  auto database = Open();
  int64_t batch = state.range(0), round = 0;
  auto all = Writes(0, kProfiles, 0);
  Require(state, database->Upsert(all, {})->applied_count == kProfiles, "the profiles were not made");
  std::vector<std::vector<ProfileWrite>> batches;
  for (int64_t first = 0; first + batch <= kProfiles; first += batch) batches.push_back(Writes(first, batch, first / batch + 1));
  for (auto _ : state) {
    auto result = database->Upsert(batches[round++ % batches.size()], {});
    Require(state, result.ok() && result->applied_count == batch, "a write was not applied");
  }
  state.SetItemsProcessed(state.iterations() * batch);
  Require(state, database->GetStatus().profile_count == kProfiles, "profiles came or went");
}
BENCHMARK(OneAttribute)->Arg(100)->Arg(10'000);

void NewProfiles(benchmark::State& state) {
  auto database = Open();
  int64_t batch = state.range(0), made = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto writes = Writes(made, batch, 0);
    state.ResumeTiming();
    Require(state, database->Upsert(writes, {})->applied_count == batch, "a profile was not made");
    made += batch;
  }
  state.SetItemsProcessed(made);
  Require(state, database->GetStatus().profile_count == static_cast<uint64_t>(made), "profiles are missing");
}
BENCHMARK(NewProfiles)->Arg(100)->Arg(10'000);

void Events(benchmark::State& state) {
  auto database = Open();
  int64_t batch = state.range(0), tracked = 0;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<EventWrite> events;
    for (int64_t i = 0; i < batch; ++i) {
      int64_t n = tracked + i;
      events.push_back({{"customer:" + std::to_string(n % 1'000)},
                        "order",
                        int64_t{1'500'000'000'000'000} + n * 1'000'000,
                        "m" + std::to_string(n),
                        "",
                        {{"amount", Decimal{n % 10'000, 2}}, {"category", std::string(n % 3 ? "shoes" : "bags")}}});
    }
    state.ResumeTiming();
    Require(state, database->Track(events, {})->applied_count == batch, "an event was not applied");
    tracked += batch;
  }
  state.SetItemsProcessed(tracked);
  Require(state, database->GetStatus().event_count == static_cast<uint64_t>(tracked), "events are missing");
}
BENCHMARK(Events)->Arg(100)->Arg(10'000);

}  // namespace
}  // namespace korrel

BENCHMARK_MAIN();
