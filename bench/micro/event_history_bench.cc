// Question: what does it cost to add a purchase of nine properties to a profile's history (in order, and late), to read a property
// over a range, and to find a message; and how many bytes does a purchase take?
// Answers are checked: counts, sums and look-ups against what was generated.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <random>
#include <vector>

#include "bench/micro/size.h"
#include "storage/event_history.h"

namespace korrel {
namespace {

constexpr PropertyId kProductId(2);
constexpr PropertyId kSalesValue(4);

// A household's purchases in a year, in order of time; see tests/storage/purchase_bytes_test.cc for the shape.
std::vector<EventToAdd> Purchases(uint32_t count) {
  std::mt19937_64 random(count);
  auto uniform = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1)); };
  std::vector<int64_t> seconds(count);
  for (int64_t& second : seconds) second = uniform(0, 365 * 86'400 - 1);
  std::sort(seconds.begin(), seconds.end());
  std::vector<EventToAdd> purchases(count);
  for (uint32_t i = 0; i < count; ++i) {
    EventToAdd& p = purchases[i];
    p.time_us = (1'483'228'800 + seconds[i]) * 1'000'000;
    p.message_hash = random() | 1;
    const Value values[] = {uniform(300, 302),
                            31'198'000'000 + seconds[i] * 80 + uniform(0, 1'000),
                            uniform(25'000, 18'300'000),
                            uniform(1, 3),
                            Decimal{uniform(50, 2'000), 2},
                            Decimal{std::max<int64_t>(0, uniform(-200, 300)), 2},
                            Decimal{0, 2},
                            Decimal{0, 2},
                            seconds[i] / 604'800 + 1};
    for (uint32_t v = 0; v < 9; ++v) p.properties.emplace_back(PropertyId(v), values[v]);
  }
  return purchases;
}

uint32_t Scaled(int64_t count) { return static_cast<uint32_t>(IsSmallBench() ? std::min<int64_t>(count, 500) : count); }

void Fill(const std::vector<EventToAdd>& purchases, EventHistory* history, PropertyDictionaries* dictionaries) {
  for (const EventToAdd& p : purchases) history->Add(p, dictionaries);
}

void BM_AddInOrder(benchmark::State& state) {
  std::vector<EventToAdd> purchases = Purchases(Scaled(state.range(0)));
  size_t bytes = 0;
  for (auto _ : state) {
    EventHistory history;
    PropertyDictionaries dictionaries;
    Fill(purchases, &history, &dictionaries);
    if (history.size() != purchases.size()) state.SkipWithError("events are missing");
    bytes = history.MemoryBytes();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(purchases.size()));
  state.counters["bytes_per_event"] = static_cast<double>(bytes) / static_cast<double>(purchases.size());
}
BENCHMARK(BM_AddInOrder)->Arg(30)->Arg(600)->Arg(100'000)->Unit(benchmark::kMicrosecond);

void BM_AddShuffled(benchmark::State& state) {
  std::vector<EventToAdd> purchases = Purchases(Scaled(state.range(0)));
  std::shuffle(purchases.begin(), purchases.end(), std::mt19937_64(5));
  for (auto _ : state) {
    EventHistory history;
    PropertyDictionaries dictionaries;
    Fill(purchases, &history, &dictionaries);
    for (uint32_t i = 1; i < history.size(); i += 97)
      if (history.TimeOf(i - 1) > history.TimeOf(i)) state.SkipWithError("not in order");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(purchases.size()));
}
BENCHMARK(BM_AddShuffled)->Arg(600)->Arg(20'000)->Unit(benchmark::kMicrosecond);

void BM_ReadColumn(benchmark::State& state) {
  std::vector<EventToAdd> purchases = Purchases(Scaled(600));
  PropertyId property = state.range(0) ? kSalesValue : kProductId;
  Type type = state.range(0) ? DecimalType(2) : kIntType;
  int64_t expected = 0;
  for (const EventToAdd& p : purchases)
    expected += state.range(0) ? std::get<Decimal>(p.properties[4].second).unscaled : std::get<int64_t>(p.properties[2].second);
  EventHistory history;
  PropertyDictionaries dictionaries;
  Fill(purchases, &history, &dictionaries);
  EventColumn column;
  for (auto _ : state) {
    history.ReadColumn(property, type, 0, history.size(), dictionaries, &column);
    if (std::accumulate(column.ints.begin(), column.ints.end(), int64_t{0}) != expected) state.SkipWithError("wrong sum");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(purchases.size()));
}
BENCHMARK(BM_ReadColumn)->ArgName("decimal")->Arg(0)->Arg(1);

void BM_FindNewMessage(benchmark::State& state) {
  std::vector<EventToAdd> purchases = Purchases(Scaled(state.range(0)));
  EventHistory history;
  PropertyDictionaries dictionaries;
  Fill(purchases, &history, &dictionaries);
  for (const EventToAdd& p : purchases)
    if (!history.HasMessage(p.message_hash, p.time_us)) state.SkipWithError("a message is missing");
  std::mt19937_64 random(3);
  for (auto _ : state)
    if (history.HasMessage(random() & ~uint64_t{1}, purchases[0].time_us)) state.SkipWithError("a message that was never added");
}
BENCHMARK(BM_FindNewMessage)->Arg(30)->Arg(1'000)->Arg(100'000);

}  // namespace
}  // namespace korrel

BENCHMARK_MAIN();
