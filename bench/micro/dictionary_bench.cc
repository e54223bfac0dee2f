// Question: what does interning cost, for a string seen before and for a new one, and how many bytes does a distinct string take?
// Answers are checked: every code gives back its text.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "bench/micro/size.h"
#include "storage/dictionary.h"

namespace korrel {
namespace {

uint32_t DistinctStrings() { return IsSmallBench() ? 2'000 : 200'000; }

std::vector<std::string> Texts(uint32_t count) {
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < count; ++i) texts.push_back("city-" + std::to_string(i * 2'654'435'761u));
  return texts;
}

void CheckTexts(benchmark::State& state, const Dictionary& dictionary, const std::vector<std::string>& texts) {
  for (uint32_t i = 0; i < texts.size(); ++i)
    if (dictionary.Text(Code(i)) != texts[i]) state.SkipWithError("a code does not give back its text");
}

void BM_InternNew(benchmark::State& state) {
  std::vector<std::string> texts = Texts(DistinctStrings());
  size_t text_bytes = 0, bytes = 0;
  for (const std::string& text : texts) text_bytes += text.size();
  for (auto _ : state) {
    Dictionary dictionary;
    for (const std::string& text : texts) benchmark::DoNotOptimize(dictionary.Intern(text));
    bytes = dictionary.MemoryBytes();
    state.PauseTiming();
    CheckTexts(state, dictionary, texts);
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(texts.size()));
  state.counters["overhead_bytes_per_string"] = static_cast<double>(bytes - text_bytes) / static_cast<double>(texts.size());
}
BENCHMARK(BM_InternNew)->Unit(benchmark::kMillisecond);

void BM_InternKnown(benchmark::State& state) {
  std::vector<std::string> texts = Texts(static_cast<uint32_t>(state.range(0)));
  Dictionary dictionary;
  for (const std::string& text : texts) dictionary.Intern(text).IgnoreError();
  CheckTexts(state, dictionary, texts);
  size_t i = 0;
  for (auto _ : state) {
    if (dictionary.Intern(texts[i])->value != i) state.SkipWithError("wrong code");
    if (++i == texts.size()) i = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_InternKnown)->Arg(8)->Arg(1'000)->Arg(50'000);

}  // namespace
}  // namespace korrel

BENCHMARK_MAIN();
