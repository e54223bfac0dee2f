// What is reading containers as they lie worth? The count of four dense sets of rows, over 10,000,000 rows (1,000,000 with
// KORREL_BENCH=small):
//
//   OperatorByOperator  CRoaring's own and, and, and, count over whole bitmaps: C_ops of the performance goals
//   LastOperatorFused   the same with its and-cardinality for the last two
//   Fused               the same containers, block by block, one pass of the fused kernel; goal: 15 times as fast
//   FusedIntoWords      the same, with the rows themselves written to a block's words
//
// All must give the count that a plain loop over flags gives.

#include <benchmark/benchmark.h>
#include <roaring/roaring.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "bench/micro/size.h"
#include "index/kernel.h"
#include "index/posting.h"

namespace korrel {
namespace {

constexpr int kOperands = 4;
constexpr uint64_t kSeed = 4'711;
constexpr int kPercent[kOperands] = {50, 40, 60, 30};

uint32_t RowCount() { return IsSmallBench() ? 1'000'000 : 10'000'000; }

struct Data {
  Data() {
    std::mt19937_64 random(kSeed);
    for (auto& bitmap : bitmaps) bitmap = roaring_bitmap_create();
    for (uint32_t row = 0; row < RowCount(); ++row) {
      int holding = 0;
      for (int k = 0; k < kOperands; ++k) {
        if (static_cast<int>(random() % 100) >= kPercent[k]) continue;
        ++holding;
        roaring_bitmap_add(bitmaps[k], row);
        postings[k].Add(Row(row));
      }
      expected += holding == kOperands;
    }
  }
  Data(const Data&) = delete;
  ~Data() {
    for (auto* bitmap : bitmaps) roaring_bitmap_free(bitmap);
  }
  roaring_bitmap_t* bitmaps[kOperands];
  Posting postings[kOperands];
  uint64_t expected = 0;
};

const Data& TheData() {
  static const Data data;
  return data;
}

void Check(benchmark::State& state, uint64_t count) {
  if (count != TheData().expected) {
    std::fprintf(stderr, "wrong answer: %llu\n", static_cast<unsigned long long>(count));
    std::exit(1);
  }
  state.counters["rows"] = RowCount();
  state.counters["bytes"] = static_cast<double>(RowCount()) / 8 * kOperands;
}

template <bool kFuseLast>
void BM_OperatorByOperator(benchmark::State& state) {
  const Data& data = TheData();
  uint64_t count = 0;
  for (auto _ : state) {
    roaring_bitmap_t* two = roaring_bitmap_and(data.bitmaps[0], data.bitmaps[1]);
    roaring_bitmap_t* three = roaring_bitmap_and(two, data.bitmaps[2]);
    if (kFuseLast) {
      count = roaring_bitmap_and_cardinality(three, data.bitmaps[3]);
    } else {
      roaring_bitmap_t* four = roaring_bitmap_and(three, data.bitmaps[3]);
      count = roaring_bitmap_get_cardinality(four);
      roaring_bitmap_free(four);
    }
    roaring_bitmap_free(two);
    roaring_bitmap_free(three);
  }
  Check(state, count);
}
BENCHMARK(BM_OperatorByOperator<false>)->Name("BM_OperatorByOperator")->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_OperatorByOperator<true>)->Name("BM_LastOperatorFused")->Unit(benchmark::kMicrosecond);

uint64_t CountFused(const Data& data, uint64_t* words) {
  uint64_t count = 0;
  for (uint32_t block = 0; block * uint64_t{kBlockRows} < RowCount(); ++block) {
    kernel::BitOperand operands[kOperands];
    for (int k = 0; k < kOperands; ++k) operands[k] = {data.postings[k].Block(block).bits, false};
    count += kernel::AndCount(operands, kBlockWords, words);
  }
  return count;
}

void BM_Fused(benchmark::State& state) {
  const Data& data = TheData();
  uint64_t count = 0;
  for (auto _ : state) count = CountFused(data, nullptr);
  Check(state, count);
}
BENCHMARK(BM_Fused)->Unit(benchmark::kMicrosecond);

void BM_FusedIntoWords(benchmark::State& state) {
  const Data& data = TheData();
  std::vector<uint64_t> words(kBlockWords);
  uint64_t count = 0;
  for (auto _ : state) {
    count = CountFused(data, words.data());
    benchmark::DoNotOptimize(words.data());
  }
  Check(state, count);
}
BENCHMARK(BM_FusedIntoWords)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace korrel

BENCHMARK_MAIN();
