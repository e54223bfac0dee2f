// Question: what does a write to a column cost by type, what does a read, and how many bytes does a row take?
// Answers are checked: every row reads back what was written.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "bench/micro/size.h"
#include "storage/attribute_column.h"

namespace korrel {
namespace {

uint32_t Rows() { return IsSmallBench() ? 5'000 : 200'000; }

std::vector<Value> Values(Type type, uint32_t count) {
  std::mt19937_64 random(1);
  std::vector<Value> values;
  for (uint32_t i = 0; i < count; ++i) {
    auto number = static_cast<int64_t>(random() % 100'000);
    switch (type.kind) {
      case ValueKind::kBool:
        values.emplace_back(number % 2 == 0);
        break;
      case ValueKind::kInt:
        values.emplace_back(number);
        break;
      case ValueKind::kDouble:
        values.emplace_back(static_cast<double>(number) / 8);
        break;
      case ValueKind::kString:
        values.emplace_back("value-" + std::to_string(number % 50));
        break;
      default:
        values.emplace_back(StringSet{"kind-" + std::to_string(number % 10), "tag-" + std::to_string(number % 50)});
    }
  }
  return values;
}

void WriteColumn(benchmark::State& state, Type type) {
  std::vector<Value> values = Values(type, Rows());
  size_t bytes = 0;
  for (auto _ : state) {
    AttributeColumn column(AttributeId(0), type);
    for (uint32_t row = 0; row < values.size(); ++row) column.Set(Row(row), values[row], nullptr).IgnoreError();
    bytes = column.MemoryBytes();
    state.PauseTiming();
    for (uint32_t row = 0; row < values.size(); ++row)
      if (!column.Holds(Row(row), values[row])) state.SkipWithError("a row does not hold what was written");
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(values.size()));
  state.counters["bytes_per_row"] = static_cast<double>(bytes) / static_cast<double>(values.size());
}
BENCHMARK_CAPTURE(WriteColumn, bool, kBoolType);
BENCHMARK_CAPTURE(WriteColumn, int, kIntType);
BENCHMARK_CAPTURE(WriteColumn, double, kDoubleType);
BENCHMARK_CAPTURE(WriteColumn, string, kStringType);
BENCHMARK_CAPTURE(WriteColumn, set, kSetType);

void BM_ReadInt(benchmark::State& state) {
  std::vector<Value> values = Values(kIntType, Rows());
  AttributeColumn column(AttributeId(0), kIntType);
  int64_t expected = 0;
  for (uint32_t row = 0; row < values.size(); ++row) {
    column.Set(Row(row), values[row], nullptr).IgnoreError();
    expected += std::get<int64_t>(values[row]);
  }
  for (auto _ : state) {
    int64_t sum = 0;
    for (uint32_t row = 0; row < values.size(); ++row) sum += column.RawInt(Row(row));
    if (sum != expected) state.SkipWithError("wrong sum");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(values.size()));
}
BENCHMARK(BM_ReadInt);

}  // namespace
}  // namespace korrel

BENCHMARK_MAIN();
