// Question: what does it cost to keep 20 windowed attributes current for one profile, when an event arrives that all of them read, and when
// one leaves their windows, with 100 and with 100,000 events in the window? And what does it cost to work them out from the events instead?
// Answers are checked: after the run every value kept equals the one folded from the events.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>
#include <vector>

#include "bench/micro/size.h"
#include "index/evaluation/edge.h"
#include "index/live/aggregate_keeper.h"

namespace korrel {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kDay = 86'400 * kSecond;

class HotProfile {
 public:
  explicit HotProfile(uint32_t events) : step_us_(30 * kDay / events) {
    schema_.event_types.push_back({.id = EventTypeId(0),
                                   .name = "order",
                                   .properties = {{.id = PropertyId(0), .name = "amount", .type = DecimalType(2)},
                                                  {.id = PropertyId(1), .name = "category", .type = kStringType}}});
    schema_.event_type_by_name["order"] = 0;
    for (const char* window : {"over 30d", "over 29d", "between 30d and 1d ago", "over 28d"}) {
      for (const char* aggregate :
           {"count(order)", "sum(order.amount)", "max(order.amount)", "unique_count(order.category)", "last(order.category)"})
        AddUnit(fmt::format("{} {}", aggregate, window));
    }
    machine_ = std::make_unique<VectorMachine>(&view_, terms_.slot_count(), &meter_);
    keeper_.Adopt(units_, machine_.get());
    filled_.assign(units_.size(), 1);
    row_ = table_.AddRow(ProfileId(1));
    view_.now_us = 1'500'000'000 * kSecond;
    for (uint32_t i = 0; i < events; ++i) {
      Tick();
      Store();
    }
    for (uint32_t unit = 0; unit < units_.size(); ++unit) keeper_.Fill(unit, row_);
  }

  // Time passes by as much as lies between two events.
  int64_t Tick() {
    const int64_t from_us = view_.now_us;
    view_.now_us += step_us_;
    return from_us;
  }
  void Store() {
    const uint64_t i = stored_++;
    const int64_t amount = static_cast<int64_t>(i * 7'919 % 10'000);
    EventToAdd event{.time_us = view_.now_us};
    event.properties = {{PropertyId(0), Decimal{amount, 2}}, {PropertyId(1), fmt::format("category {}", i % 50)}};
    table_.AddEvent(row_, schema_.event_types[0], event, UINT32_MAX);
  }
  void Slide(int64_t from_us) {
    changed_.clear();
    keeper_.Slide(row_, from_us, filled_, &changed_);
  }
  void Added() {
    changed_.clear();
    keeper_.Added(row_, EventTypeId(0), table_.History(row_, EventTypeId(0))->size() - 1, filled_, &changed_);
  }
  int64_t NextEdge() const { return keeper_.NextEdge(row_, filled_); }
  Value FromEvents(uint32_t unit) {
    machine_->NewBatch(false);
    Batch batch = Batch::OfRows({&row_, 1}, false);
    return ValueAt(machine_->Evaluate(*units_[unit].term, &batch, nullptr), units_[unit].term->type, 0);
  }
  bool Agrees() {
    for (uint32_t unit = 0; unit < units_.size(); ++unit) {
      if (keeper_.Column(unit)->Get(row_) != FromEvents(unit)) return false;
    }
    return true;
  }
  uint32_t unit_count() const { return static_cast<uint32_t>(units_.size()); }
  uint64_t passes() const { return keeper_.passes(); }

 private:
  void AddUnit(const std::string& text) {
    expressions_.push_back(Expression::Compile(text, {.schema = &schema_}).value());
    units_.push_back({.serial = units_.size() + 1, .term = terms_.Build(*expressions_.back()->root()), .attribute = {}});
  }

  const int64_t step_us_;
  Schema schema_;
  ProfileTable table_{nullptr};
  ShardView view_{&table_, nullptr, &schema_, 0};
  WorkMeter meter_;
  TermBuilder terms_{"UTC"};
  std::vector<ExpressionRef> expressions_;
  std::vector<AggregateUnit> units_;
  std::unique_ptr<VectorMachine> machine_;
  AggregateKeeper keeper_{&table_, &view_};
  std::vector<uint8_t> filled_;
  std::vector<uint32_t> changed_;
  Row row_;
  uint64_t stored_ = 0;
};

uint32_t Events(const benchmark::State& state) { return static_cast<uint32_t>(IsSmallBench() ? 100 : state.range(0)); }

void Finish(HotProfile* hot, uint64_t passes_before, benchmark::State& state) {
  state.counters["passes"] = benchmark::Counter(static_cast<double>(hot->passes() - passes_before), benchmark::Counter::kAvgIterations);
  if (!hot->Agrees()) state.SkipWithError("what is kept is not what the events say");
}

// The newest event arrives; storing it is not measured.
void BM_Arrival(benchmark::State& state) {
  HotProfile hot(Events(state));
  const uint64_t before = hot.passes();
  for (auto _ : state) {
    state.PauseTiming();
    hot.Slide(hot.Tick());
    hot.Store();
    state.ResumeTiming();
    hot.Added();
  }
  Finish(&hot, before, state);
}
BENCHMARK(BM_Arrival)->Arg(100)->Arg(100'000);

// A step of the clock by which one event leaves every window, and one enters those that end a day ago.
void BM_Expiry(benchmark::State& state) {
  HotProfile hot(Events(state));
  const uint64_t before = hot.passes();
  for (auto _ : state) {
    state.PauseTiming();
    const int64_t from_us = hot.Tick();
    state.ResumeTiming();
    hot.Slide(from_us);
    state.PauseTiming();
    hot.Store();
    hot.Added();
    state.ResumeTiming();
  }
  Finish(&hot, before, state);
}
BENCHMARK(BM_Expiry)->Arg(100)->Arg(100'000);

void BM_NextEdge(benchmark::State& state) {
  HotProfile hot(Events(state));
  for (auto _ : state) benchmark::DoNotOptimize(hot.NextEdge());
  if (hot.NextEdge() == kNever) state.SkipWithError("there is an edge");
}
BENCHMARK(BM_NextEdge)->Arg(100)->Arg(100'000);

// All twenty from the events, for comparison.
void BM_FromEvents(benchmark::State& state) {
  HotProfile hot(Events(state));
  for (auto _ : state) {
    for (uint32_t unit = 0; unit < hot.unit_count(); ++unit) benchmark::DoNotOptimize(hot.FromEvents(unit));
  }
  if (!hot.Agrees()) state.SkipWithError("what is kept is not what the events say");
}
BENCHMARK(BM_FromEvents)->Arg(100)->Arg(100'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace korrel

BENCHMARK_MAIN();
