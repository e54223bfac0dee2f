// Which of many live segments does one change of one profile touch, and which is the profile in?
//
//   ChangeEven    10,000 rules of four predicates over 50 attributes, each predicate on any of them; any attribute changes
//   ChangeSkewed  the same with two of the four predicates, an interval, on the attribute that changes
//   RulesOf       all rules of one profile, over the even rules
//
// Attributes are 25 ints of 1,000 values and 25 strings of 20, as columns of one shard of 1,000,000 rows (10,000 rows and 1,000 rules with
// KORREL_BENCH=small); changes go to random rows, so what they read is in no cache. p50 and p99 are of single changes: the cell before and
// the flips. A part of all answers is compared with a plain loop over plain structs.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/micro/size.h"
#include "index/live/rule_table.h"

namespace korrel {
namespace {

constexpr uint32_t kAttributes = 50;
constexpr int64_t kInts = 1'000, kTexts = 20;
constexpr uint64_t kSeed = 20'170'401;

uint32_t RowCount() { return IsSmallBench() ? 10'000 : 1'000'000; }
uint32_t RuleCount() { return IsSmallBench() ? 1'000 : 10'000; }
bool IsText(uint32_t attribute) { return attribute % 2 == 1; }
int64_t ValuesOf(uint32_t attribute) { return IsText(attribute) ? kTexts : kInts; }
std::string TextOf(int64_t value) { return "value" + std::to_string(value); }

// low <= value < high of one attribute; a text is its number.
struct Test {
  uint32_t attribute;
  int64_t low, high;
};

class Columns final : public RuleInputs {
 public:
  Columns() : values_(size_t{RowCount()} * kAttributes) {
    std::mt19937_64 random(kSeed);
    for (uint32_t a = 0; a < kAttributes; ++a) columns_.emplace_back(AttributeId(a), IsText(a) ? kStringType : kIntType);
    for (uint32_t row = 0; row < RowCount(); ++row) {
      for (uint32_t a = 0; a < kAttributes; ++a) Set(Row(row), a, static_cast<int64_t>(random() % static_cast<uint64_t>(ValuesOf(a))));
    }
  }
  void Set(Row row, uint32_t attribute, int64_t value) {
    values_[size_t{row.value} * kAttributes + attribute] = static_cast<uint16_t>(value);
    const Status status = columns_[attribute].Set(row, IsText(attribute) ? Value(TextOf(value)) : Value(value), nullptr);
    if (!status.ok()) std::abort();
  }
  bool Holds(const std::vector<Test>& rule, Row row) const {
    return std::all_of(rule.begin(), rule.end(), [&](const Test& test) {
      const int64_t value = values_[size_t{row.value} * kAttributes + test.attribute];
      return test.low <= value && value < test.high;
    });
  }
  const AttributeColumn* ColumnOf(const Term& value) const override { return &columns_[value.node->attribute.value]; }
  bool Truth(uint32_t, Row) const override { return false; }
  bool IsListMember(SegmentId, Row) const override { return false; }
  bool IsMember(uint32_t, Row) const override { return false; }
  bool HasIdentifier(IdentifierTypeId, Row) const override { return false; }

 private:
  std::deque<AttributeColumn> columns_;
  std::vector<uint16_t> values_;
};

// Made once: a benchmark that is run again goes on with the rows as they are.
Columns& TheColumns() {
  static Columns columns;
  return columns;
}

class Rules {
 public:
  explicit Rules(bool skewed) {
    std::mt19937_64 random(kSeed + skewed);
    CompileOptions options;
    const Schema schema = MakeSchema();
    options.schema = &schema;
    std::vector<RuleTable::Rule> rules;
    for (uint32_t i = 0; i < RuleCount(); ++i) {
      tests.push_back(MakeTests(skewed, &random));
      held_.push_back(*Expression::Compile(TextOfRule(tests.back()), options));
      rules.push_back({SegmentId(i), conditions_.Build(*terms_.Build(*held_.back()->root()))});
    }
    table = RuleTable::Make(rules, "UTC");
    judged = std::make_unique<ShardRules>(table, &TheColumns());
    variable_of_.assign(kAttributes, UINT32_MAX);
    for (uint32_t v = 0; v < table->variables().size(); ++v) variable_of_[table->variables()[v].value->node->attribute.value] = v;
  }
  uint32_t VariableOf(uint32_t attribute) const { return variable_of_[attribute]; }
  std::vector<uint32_t> ByReading(Row row) const {
    std::vector<uint32_t> holding;
    for (uint32_t rule = 0; rule < tests.size(); ++rule) {
      if (TheColumns().Holds(tests[rule], row)) holding.push_back(rule);
    }
    return holding;
  }

  std::vector<std::vector<Test>> tests;
  std::shared_ptr<const RuleTable> table;
  std::unique_ptr<ShardRules> judged;

 private:
  static Schema MakeSchema() {
    Schema schema;
    for (uint32_t a = 0; a < kAttributes; ++a) {
      const std::string name = fmt::format("a{}", a);
      schema.attributes.push_back({.id = AttributeId(a), .name = name, .type = IsText(a) ? kStringType : kIntType});
      schema.attribute_by_name[name] = a;
    }
    return schema;
  }
  static Test MakeTest(uint32_t attribute, std::mt19937_64* random) {
    const int64_t values = ValuesOf(attribute), at = static_cast<int64_t>((*random)() % static_cast<uint64_t>(values));
    if (IsText(attribute)) return {attribute, at, at + 1};
    return (*random)() % 2 == 0 ? Test{attribute, at, values} : Test{attribute, 0, at};
  }
  static std::vector<Test> MakeTests(bool skewed, std::mt19937_64* random) {
    std::vector<Test> tests;
    if (skewed) {
      const auto a = static_cast<int64_t>((*random)() % kInts), b = static_cast<int64_t>((*random)() % kInts);
      tests.push_back({0, std::min(a, b), std::max(a, b) + 1});
    }
    for (int i = skewed ? 2 : 0; i < 4; ++i) tests.push_back(MakeTest(static_cast<uint32_t>((*random)() % kAttributes), random));
    return tests;
  }
  static std::string TextOfRule(const std::vector<Test>& tests) {
    std::string text;
    for (const Test& test : tests) {
      if (!text.empty()) text += " and ";
      if (IsText(test.attribute)) {
        text += fmt::format("a{} = '{}'", test.attribute, TextOf(test.low));
      } else {
        text += fmt::format("a{} >= {} and a{} < {}", test.attribute, test.low, test.attribute, test.high);
      }
    }
    return text;
  }

  TermBuilder terms_{"UTC"};
  ConditionBuilder conditions_;
  std::vector<ExpressionRef> held_;
  std::vector<uint32_t> variable_of_;
};

const Rules& TheRules(bool skewed) {
  static const Rules even(false);
  static const Rules leaning(true);
  return skewed ? leaning : even;
}

void Check(bool right, const char* what) {
  if (right) return;
  std::fprintf(stderr, "wrong answer: %s\n", what);
  std::exit(1);
}

double Quantile(std::vector<int64_t>* ns, double part) {
  const auto at = static_cast<size_t>(part * static_cast<double>(ns->size() - 1));
  std::nth_element(ns->begin(), ns->begin() + static_cast<ptrdiff_t>(at), ns->end());
  return static_cast<double>((*ns)[at]);
}

int64_t NowNs() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

void CheckFlips(const std::vector<uint32_t>& before, const std::vector<uint32_t>& after, const std::vector<ShardRules::Flip>& flips) {
  std::vector<uint32_t> by_flips = before;
  for (const ShardRules::Flip& flip : flips) {
    auto at = std::lower_bound(by_flips.begin(), by_flips.end(), flip.rule);
    const bool in = at != by_flips.end() && *at == flip.rule;
    Check(in != flip.entered, "a flip of what was so already");
    flip.entered ? by_flips.insert(at, flip.rule) : by_flips.erase(at);
  }
  Check(by_flips == after, "flips");
}

void Change(benchmark::State& state, bool skewed) {
  constexpr uint64_t kCheckEvery = 509;
  const Rules& rules = TheRules(skewed);
  ShardRules& judged = *rules.judged;
  for (Row row(0); row.value < RowCount(); ++row.value) {  // what changed for other rules, these were not told
    judged.ForgetCells(row);
    judged.KeepCells(row, {});
  }
  std::mt19937_64 random(kSeed + 7);
  std::vector<int64_t> ns;
  std::vector<ShardRules::Flip> flips;
  uint64_t flip_count = 0, looked_at = judged.conjunctions_looked_at();
  for (auto _ : state) {
    const Row row(static_cast<uint32_t>(random() % RowCount()));
    const auto attribute = skewed ? 0 : static_cast<uint32_t>(random() % kAttributes);
    const auto value = static_cast<int64_t>(random() % static_cast<uint64_t>(ValuesOf(attribute)));
    const bool check = ns.size() % kCheckEvery == 0;
    const std::vector<uint32_t> before = check ? rules.ByReading(row) : std::vector<uint32_t>();
    flips.clear();
    const int64_t begin = NowNs();
    const ShardRules::Change change{rules.VariableOf(attribute), judged.CellOf(rules.VariableOf(attribute), row)};
    const int64_t noted = NowNs();
    TheColumns().Set(row, attribute, value);
    const int64_t changed = NowNs();
    judged.FindFlips(row, 0, {&change, 1}, &flips);
    judged.KeepCells(row, {&change, 1});
    ns.push_back(NowNs() - changed + noted - begin);
    state.SetIterationTime(static_cast<double>(ns.back()) * 1e-9);
    flip_count += flips.size();
    if (check) CheckFlips(before, rules.ByReading(row), flips);
  }
  const auto count = static_cast<double>(ns.size());
  state.counters["p50_ns"] = Quantile(&ns, 0.5);
  state.counters["p99_ns"] = Quantile(&ns, 0.99);
  state.counters["flips"] = static_cast<double>(flip_count) / count;
  state.counters["looked_at"] = static_cast<double>(judged.conjunctions_looked_at() - looked_at) / count;
  state.counters["table_bytes"] = static_cast<double>(rules.table->MemoryBytes());
  state.counters["shard_bytes"] = static_cast<double>(judged.MemoryBytes());
}

void ChangeEven(benchmark::State& state) { Change(state, false); }
void ChangeSkewed(benchmark::State& state) { Change(state, true); }
BENCHMARK(ChangeEven)->UseManualTime();
BENCHMARK(ChangeSkewed)->UseManualTime();

void RulesOf(benchmark::State& state) {
  const Rules& rules = TheRules(false);
  std::mt19937_64 random(kSeed + 9);
  std::vector<uint32_t> holding;
  uint64_t asked = 0, found = 0;
  for (auto _ : state) {
    const Row row(static_cast<uint32_t>(random() % RowCount()));
    rules.judged->RulesOf(row, &holding);
    found += holding.size();
    if (asked++ % 1'009 != 0) continue;
    state.PauseTiming();
    Check(holding == rules.ByReading(row), "rules of a row");
    state.ResumeTiming();
  }
  state.counters["rules"] = static_cast<double>(found) / static_cast<double>(asked);
}
BENCHMARK(RulesOf);

}  // namespace
}  // namespace korrel

BENCHMARK_MAIN();
