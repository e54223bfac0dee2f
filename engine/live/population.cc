#include "engine/live/population.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <shared_mutex>

#include "engine/catalog/catalog.h"
#include "engine/catalog/definition_compiler.h"
#include "engine/live/horizon.h"
#include "engine/live/live_turn.h"
#include "engine/question/top_rows.h"
#include "engine/read/row_reader.h"
#include "engine/turns.h"
#include "index/evaluation/term.h"

namespace korrel {
namespace {

// The last multiple at or before an instant.
int64_t FloorTo(int64_t every_us, int64_t time_us) {
  const int64_t rest = time_us % every_us;
  return time_us - (rest < 0 ? rest + every_us : rest);
}

// The values of one shard for a figure, turn by turn.
class ValueScan {
 public:
  ValueScan(Core& core, size_t shard, const CatalogSnapshot& catalog, const std::vector<PlanRef>& plans, int64_t instant_us)
      : core_(core), shard_(shard), catalog_(catalog), reader_(plans), instant_us_(instant_us) {}

  TurnEnd RunTurn(uint64_t* work) {
    Turn turn(core_, shard_, catalog_);
    if (!turn.fresh()) return TurnEnd::kStale;
    ShardView view = turn.view();
    view.now_us = instant_us_;
    WorkMeter meter(kTurnWorkUnits);
    if (!reader_.Bind(view, &meter)) return TurnEnd::kStale;
    const uint32_t row_end = view.table->row_end();
    while (mark_ < row_end && !meter.exhausted()) ReadSome(*view.table, row_end, &meter);
    reader_.Unbind();
    turn.AddWork(meter.used());
    *work = meter.used();
    return mark_ < row_end ? TurnEnd::kMore : TurnEnd::kDone;
  }

  std::vector<int64_t>& values() { return values_; }

 private:
  // Rows of one block, and no more than a slice.
  void ReadSome(const ProfileTable& table, uint32_t row_end, WorkMeter* meter) {
    constexpr uint32_t kSliceRows = 1'024;
    const uint32_t end = std::min({row_end, mark_ + kSliceRows, (mark_ / kBlockRows + 1) * kBlockRows});
    rows_.clear();
    for (uint32_t row = mark_; row < end; ++row) {
      if (table.live().Test(Row(row))) rows_.push_back(Row(row));
    }
    meter->Add(end - mark_);
    size_t read = 0;
    if (!rows_.empty()) {
      read = reader_.Read(rows_);
      meter->Add(read * reader_.work_per_row());
      Keep(reader_.columns()[0], read);
    }
    mark_ = read < rows_.size() ? rows_[read].value : end;
  }

  void Keep(const ValueVector& column, size_t count) {
    const bool doubles = column.type.kind == ValueKind::kDouble;
    for (size_t i = 0; i < count; ++i) {
      if (column.present[i]) values_.push_back(doubles ? OrderedBits(column.doubles[i]) : column.ints[i]);
    }
  }

  Core& core_;
  const size_t shard_;
  const CatalogSnapshot& catalog_;
  RowReader reader_;
  const int64_t instant_us_;
  uint32_t mark_ = 0;
  std::vector<Row> rows_;
  std::vector<int64_t> values_;
};

Value NumberOf(int64_t ordered, Type type) {
  switch (type.kind) {
    case ValueKind::kDouble:
      return Value(FromOrderedBits(ordered));
    case ValueKind::kDecimal:
      return Value(Decimal{ordered, type.scale});
    case ValueKind::kTimestamp:
      return Value(Timestamp{ordered});
    default:
      return Value(ordered);
  }
}

Value NearestRank(const Quantile& quantile, std::vector<int64_t> values) {
  if (values.empty()) return Value();
  const auto place = values.begin() + static_cast<ptrdiff_t>(quantile.RankAmong(values.size()));
  std::nth_element(values.begin(), place, values.end());
  return NumberOf(*place, quantile.of->type());
}

// The figures that a definition reads, through others too.
std::set<std::string> FiguresReadBy(const CatalogSnapshot& catalog, const std::string& full_name) {
  std::set<std::string> seen, figures;
  std::vector<std::string> open = {full_name};
  while (!open.empty()) {
    const Expression* expression = CompiledExpression(catalog, open.back());
    open.pop_back();
    if (!expression) continue;
    for (const std::string& used : expression->uses()) {
      if (!seen.insert(used).second) continue;
      if (used.starts_with("population/")) figures.emplace(BareName(used));
      open.push_back(used);
    }
  }
  return figures;
}

bool AnybodyLives(const Core& core) {
  return std::any_of(core.shards.begin(), core.shards.end(), [](const auto& shard) {
    std::shared_lock<PhaseFairLock> hold(shard->lock);
    return shard->table.live().count() > 0;
  });
}

}  // namespace

std::vector<std::string> FirstToPublish(const CatalogSnapshot& catalog, const std::vector<std::string>& names) {
  std::vector<std::string> first;
  for (const std::string& name : names) {
    const std::set<std::string> read = FiguresReadBy(catalog, "population/" + name);
    if (std::none_of(names.begin(), names.end(), [&](const std::string& other) { return read.contains(other); })) first.push_back(name);
  }
  return first;
}

int64_t Population::Figure::NextInstant() const {
  const int64_t last = FloorTo(every_us, handled_us);
  return last > kNever - every_us ? kNever : last + every_us;
}

// ---- Definitions ----

void Population::Adopt(const CatalogSnapshot& catalog) {
  std::lock_guard<std::mutex> hold(mutex_);
  current_.clear();
  std::erase_if(by_name_, [&](const auto& named) { return !catalog.population.contains(named.first); });
  const int64_t now_us = core_.clock->NowUs();
  for (const auto& [name, quantile] : catalog.population) {
    auto [it, is_new] = by_name_.try_emplace(name);
    const int64_t every_us = catalog.declared.find("population/" + name)->second.population.every_us;
    if (is_new || it->second.every_us != every_us) it->second.handled_us = std::max(it->second.handled_us, now_us);
    if (is_new) it->second.handled_us = now_us;
    it->second.every_us = every_us;
    it->second.type = quantile.of->type();
  }
  MakeFigures();
  HoldClock();
  for (const auto& shard : core_.shards) {
    shard->population = figures_;
    shard->live.RenamePopulation(figures_);
  }
}

// Under the mutex.
void Population::MakeFigures() {
  auto figures = std::make_shared<PopulationFigures>();
  for (const auto& [name, figure] : by_name_) {
    const int64_t next_us = figure.NextInstant();
    figures->by_name[name] = {figure.value, figure.published_us, next_us == kNever ? 0 : next_us};
  }
  figures_ = std::move(figures);
}

// Under the mutex. An event may have passed the first instant of a new figure between a look at the clock and here: that one is none.
void Population::HoldClock() {
  if (core_.clock->mode() != ClockMode::kReplay) return;
  for (;;) {
    int64_t next_us = reached_us_ ? *reached_us_ + 1 : kNever;
    for (const auto& [name, figure] : by_name_) {
      if (!reached_us_) next_us = std::min(next_us, figure.NextInstant());
    }
    core_.clock->Hold(next_us);
    const int64_t now_us = core_.clock->NowUs();
    if (reached_us_ || now_us < next_us) return;
    for (auto& [name, figure] : by_name_) figure.handled_us = std::max(figure.handled_us, now_us);
  }
}

int64_t Population::NextInstant() const {
  std::lock_guard<std::mutex> hold(mutex_);
  int64_t next_us = kNever;
  for (const auto& [name, figure] : by_name_) next_us = std::min(next_us, figure.NextInstant());
  return next_us;
}

// ---- Instants ----

void Population::Reach(int64_t instant_us) {
  std::lock_guard<std::mutex> hold(mutex_);
  reached_us_ = instant_us;
  HoldClock();
  core_.clock->Pass(instant_us);
}

void Population::Release() {
  if (core_.stopping) return;  // the instant may not have been published: the clock stays held at it
  std::lock_guard<std::mutex> hold(mutex_);
  reached_us_.reset();
  HoldClock();
}

void Population::SkipTo(int64_t to_us) {
  const bool only_last = core_.clock->mode() == ClockMode::kSystem || !AnybodyLives(core_);
  const std::optional<int64_t> steady_until_us = only_last ? kNever : SteadyUntil();
  std::lock_guard<std::mutex> hold(mutex_);
  for (auto& [name, figure] : by_name_) {
    const int64_t every_us = figure.every_us;
    const auto leave_out = [&](int64_t before_us) { figure.handled_us = std::max(figure.handled_us, before_us); };
    const int64_t last = FloorTo(every_us, to_us);
    if (last <= figure.handled_us) continue;
    leave_out(last - every_us * std::min(kInstantsAtOnceMax, kDurationMaxUs / every_us));
    if (!steady_until_us) continue;
    const int64_t steady = FloorTo(every_us, std::min(to_us, *steady_until_us - 1));
    if (steady > figure.handled_us) leave_out(steady - every_us);
  }
}

// Before which instant every figure is what the last publications made it: nothing was written since, no row has an edge earlier, and
// what figures say depends on the clock through nothing but what is kept. nullopt: that cannot be said.
std::optional<int64_t> Population::SteadyUntil() const {
  {
    std::lock_guard<std::mutex> hold(mutex_);
    if (current_.size() != by_name_.size() || core_.log->Last() != last_record_) return std::nullopt;
  }
  const CatalogRef catalog = core_.CurrentCatalog();
  for (const auto& [name, quantile] : catalog->population) {
    TermBuilder terms(catalog->time_zone, catalog->live.get());
    if (terms.Build(*quantile.of->root())->clock_bound) return std::nullopt;
  }
  int64_t until_us = kNever;
  for (const auto& shard : core_.shards) until_us = std::min(until_us, shard->next_due.load(std::memory_order_relaxed));
  return until_us;
}

std::vector<std::string> Population::DueAt(int64_t instant_us) const {
  std::lock_guard<std::mutex> hold(mutex_);
  std::vector<std::string> due;
  for (const auto& [name, figure] : by_name_) {
    if (figure.handled_us < instant_us && instant_us % figure.every_us == 0) due.push_back(name);
  }
  return due;
}

// ---- Publication ----

// nullopt: what is stored has changed its type; compile again.
std::optional<Value> Population::ValueOf(const CatalogSnapshot& catalog, const Quantile& quantile, int64_t instant_us) const {
  const std::vector<PlanRef> plans = {Plan::Make(quantile.of, catalog.live.get())};
  std::vector<std::unique_ptr<ValueScan>> scans;
  for (size_t i = 0; i < core_.shards.size(); ++i) scans.push_back(std::make_unique<ValueScan>(core_, i, catalog, plans, instant_us));
  const TurnEnd end = RunShards(core_, scans.size(), 0, [&](size_t shard, uint64_t* work) { return scans[shard]->RunTurn(work); });
  if (end != TurnEnd::kDone) return std::nullopt;
  std::vector<int64_t> values;
  for (const auto& scan : scans) {
    values.insert(values.end(), scan->values().begin(), scan->values().end());
    scan->values() = {};
  }
  return NearestRank(quantile, std::move(values));
}

// No figures where what is stored has changed its type meanwhile.
Population::Collected Population::Collect(const std::vector<std::string>& due, int64_t instant_us) const {
  Collected collected;
  collected.begin = core_.log->Last();
  collected.catalog = core_.CurrentCatalog();
  for (const std::string& name : FirstToPublish(*collected.catalog, due)) {
    auto quantile = collected.catalog->population.find(name);
    if (quantile == collected.catalog->population.end()) continue;  // it goes this moment
    std::optional<Value> value = ValueOf(*collected.catalog, quantile->second, instant_us);
    if (!value) {
      collected.figures.clear();
      break;
    }
    collected.figures.push_back({name, *std::move(value), instant_us});
  }
  return collected;
}

void Population::Publish(int64_t instant_us, const std::atomic<bool>& stop) {
  FinishRechecks(stop);
  for (std::vector<std::string> due = DueAt(instant_us); !due.empty() && !stop; due = DueAt(instant_us)) {
    const Collected collected = Collect(due, instant_us);
    if (collected.figures.empty() || !Log(collected, instant_us)) std::this_thread::yield();
    FinishRechecks(stop);
  }
}

// False: definitions have changed since the values were collected, and nothing was published.
bool Population::Log(const Collected& collected, int64_t instant_us) {
  return core_.catalog->Exclusively([&](const CatalogRef& base) {
    if (base->revision != collected.catalog->revision || base->layout != collected.catalog->layout) return false;
    AllShards all(core_);
    PopulationMutation mutation{instant_us, collected.figures};
    for (const auto& shard : core_.shards) {
      shard->Adopt(*base);
      mutation.now_us = std::max(mutation.now_us, shard->live.LatestAsOf());
    }
    const Position end = core_.log->Last(), position = core_.log->Append(EncodeMutation(mutation));
    PutIn(mutation, position);
    std::lock_guard<std::mutex> hold(mutex_);
    if (end != last_record_) current_.clear();
    if (end == collected.begin) {
      for (const PopulationMutation::Figure& figure : mutation.figures) current_.insert(figure.name);
    }
    last_record_ = position;
    return true;
  });
}

// Under the locks of all shards, which have adopted the newest catalog.
void Population::PutIn(const PopulationMutation& mutation, Position position) {
  PopulationRef figures;
  {
    std::lock_guard<std::mutex> hold(mutex_);
    for (const PopulationMutation::Figure& published : mutation.figures) {
      Figure& figure = by_name_.find(published.name)->second;
      figure.value = published.value;
      figure.published_us = figure.handled_us = published.published_us;
    }
    MakeFigures();
    figures = figures_;
  }
  for (const auto& shard : core_.shards) {
    shard->population = figures;
    shard->live.SetPopulation(figures, mutation.now_us);
    shard->applied = position;
    shard->NoteDue();
  }
  rechecking_ = true;
}

void Population::FinishRechecks(const std::atomic<bool>& stop) {
  if (!rechecking_.exchange(false)) return;
  std::vector<uint8_t> left(core_.shards.size(), 1);
  core_.executor->ForEach(core_.shards.size(), [&](size_t i) {
    while (left[i] && !stop) {
      const LiveTurn turn = TakeRecheckTurn(core_, *core_.shards[i]);
      left[i] = turn.rechecking;
      if (left[i]) StayAway(turn);
    }
  });
  if (stop) rechecking_ = true;
}

// ---- Replay ----

Status Population::Replay(const PopulationMutation& mutation, Position position) {
  return core_.catalog->Exclusively([&](const CatalogRef& catalog) -> Status {
    for (const PopulationMutation::Figure& figure : mutation.figures) {
      auto known = catalog->population.find(figure.name);
      const Type type = TypeOf(figure.value);
      if (known != catalog->population.end() && (type.kind == ValueKind::kNone || type == known->second.of->type())) continue;
      return MakeError(absl::StatusCode::kInternal, "RECORD", "", fmt::format("there is no figure '{}' of such values", figure.name));
    }
    AllShards all(core_);
    core_.clock->Restore(mutation.now_us);
    for (const auto& shard : core_.shards) shard->Adopt(*catalog);
    PutIn(mutation, position);
    return absl::OkStatus();
  });
}

void Population::EndReplay() {
  std::lock_guard<std::mutex> hold(mutex_);
  const int64_t now_us = core_.clock->NowUs();
  for (auto& [name, figure] : by_name_) figure.handled_us = std::max(figure.handled_us, now_us);
  HoldClock();
}

}  // namespace korrel
