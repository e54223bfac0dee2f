// tests/index/keeper_fixture.h
//
// A shard whose aggregates are kept by an AggregateKeeper, driven as its owner drives it, and the same aggregates worked out afresh from
// the events by a machine of their own.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "index/evaluation/decay.h"
#include "index/evaluation/edge.h"
#include "index/live/aggregate_keeper.h"
#include "tests/index/shard_fixture.h"

namespace korrel {

class KeeperShard {
 public:
  // What a unit answers: a value, or the state of a decayed aggregate.
  struct Answer {
    Value value;
    std::optional<DecayState> decay;
    friend bool operator==(const Answer& a, const Answer& b) {
      return IsSame(a.value, b.value) && a.decay.has_value() == b.decay.has_value() &&
             (!a.decay || (a.decay->time_us == b.decay->time_us && Bits(a.decay->s) == Bits(b.decay->s)));
    }
    std::string ToText() const {
      if (decay) return DisplayValue(decay->s) + " at " + DisplayValue(Timestamp{decay->time_us});
      return DisplayValue(value);
    }

   private:
    static uint64_t Bits(double x) { return std::bit_cast<uint64_t>(x); }
    static bool IsSame(const Value& a, const Value& b) {
      const auto *x = std::get_if<double>(&a), *y = std::get_if<double>(&b);
      return x && y ? Bits(*x) == Bits(*y) : a == b;
    }
  };

  KeeperShard() { view_ = fresh_view_ = shard.View(); }

  // Before Start. An attribute's values stand in the table.
  uint32_t AddUnit(std::string_view text, std::optional<AttributeId> attribute = std::nullopt) {
    expressions_.push_back(shard.Compile(text));
    texts_.emplace_back(text);
    units_.push_back({.serial = units_.size() + 1, .term = terms_.Build(*expressions_.back()->root()), .attribute = attribute});
    return static_cast<uint32_t>(units_.size()) - 1;
  }
  void Start() {
    machine_ = std::make_unique<VectorMachine>(&view_, terms_.slot_count(), &meter_);
    fresh_ = std::make_unique<VectorMachine>(&fresh_view_, terms_.slot_count(), &meter_);
    keeper.Adopt(units_, machine_.get());
    filled.assign(units_.size(), 1);
  }
  // Units in another order, some of them begun anew.
  void Adopt(const std::vector<uint32_t>& order, const std::vector<uint32_t>& anew, uint64_t first_serial) {
    std::vector<AggregateUnit> units;
    std::vector<std::string> texts;
    for (uint32_t unit : anew) units_[unit].serial = first_serial++;
    for (uint32_t unit : order) {
      units.push_back(units_[unit]);
      texts.push_back(texts_[unit]);
    }
    units_ = std::move(units);
    texts_ = std::move(texts);
    keeper.Adopt(units_, machine_.get());
  }
  uint32_t unit_count() const { return static_cast<uint32_t>(units_.size()); }
  const std::string& text(uint32_t unit) const { return texts_[unit]; }

  // ---- As the owner does ----
  void SetNow(int64_t now_us) { view_.now_us = now_us; }
  int64_t now_us() const { return view_.now_us; }
  Row Add() {
    const Row row = shard.Add();
    for (uint32_t unit = 0; unit < unit_count(); ++unit) keeper.Fill(unit, row);
    at_[row.value] = now_us();
    return row;
  }
  void BringUp(Row row) {
    const std::vector<Answer> before = Answers(row);
    std::vector<uint32_t> changed;
    keeper.Slide(row, at_[row.value], filled, &changed);
    at_[row.value] = now_us();
    ExpectChanged(row, before, changed);
  }
  // The row is at now. What the write pushes out goes first, in a step of its own where times tell it from what stays. What each call says
  // has changed is compared with what did. Answers what Added does; kNever where it is not asked.
  int64_t Track(Row row, std::string_view type_name, int64_t time_us, const std::map<std::string, Value>& properties = {},
                uint32_t hard_max = kEventsHardMax) {
    const EventTypeSchema& type = shard.names.event(type_name);
    EventToAdd event{.time_us = time_us};
    for (const PropertySchema& property : type.properties) {
      auto it = properties.find(property.name);
      if (it != properties.end()) event.properties.emplace_back(property.id, it->second);
    }
    const EventHistory* history = shard.table.History(row, type.id);
    const uint32_t size = history ? history->size() : 0, place = history ? history->UpperBound(time_us) : 0;
    const uint32_t limit = std::min(hard_max, type.max_events.value_or(hard_max));
    const uint32_t out = size + 1 > limit ? size + 1 - limit : 0;
    if (const uint32_t others = place < out ? out - 1 : out) Evict(row, type.id, others);
    shard.table.AddEvent(row, type, event, hard_max);
    if (place < out) return kNever;  // it fell out itself
    const std::vector<Answer> before = Answers(row);
    std::vector<uint32_t> changed;
    const int64_t edge_us = keeper.Added(row, type.id, place - out, filled, &changed);
    ExpectChanged(row, before, changed);
    return edge_us;
  }

  std::vector<Answer> Answers(Row row) const {
    std::vector<Answer> answers;
    for (uint32_t unit = 0; unit < unit_count(); ++unit) answers.push_back(Kept(unit, row));
    return answers;
  }
  void ExpectChanged(Row row, const std::vector<Answer>& before, const std::vector<uint32_t>& changed) const {
    std::vector<uint32_t> differ, named = changed;
    const std::vector<Answer> after = Answers(row);
    for (uint32_t unit = 0; unit < after.size(); ++unit) {
      if (!(before[unit] == after[unit])) differ.push_back(unit);
    }
    std::sort(named.begin(), named.end());
    EXPECT_EQ(named, differ);
  }
  Answer Kept(uint32_t unit, Row row) const {
    const AttributeColumn* column = keeper.Column(unit);
    if (column) return {column->Get(row), {}};
    return {{}, keeper.Decay(unit, row)};
  }
  Answer Fresh(uint32_t unit, Row row, int64_t now_us) {
    fresh_view_.now_us = now_us;
    fresh_->NewBatch(false);
    const Term& term = *units_[unit].term;
    if (IsDecayed(term.node->aggregate)) return {{}, fresh_->DecayOf(term, row)};
    Batch batch = Batch::OfRows({&row, 1}, false);
    return {ValueAt(fresh_->Evaluate(term, &batch, nullptr), term.type, 0), {}};
  }
  // Whether every unit of the row equals its events.
  ::testing::AssertionResult Agrees(Row row) {
    for (uint32_t unit = 0; unit < unit_count(); ++unit) {
      const Answer kept = Kept(unit, row), fresh = Fresh(unit, row, now_us());
      if (kept == fresh) continue;
      return ::testing::AssertionFailure() << texts_[unit] << " is kept as " << kept.ToText() << ", by its events " << fresh.ToText()
                                           << " at " << DisplayValue(Timestamp{now_us()});
    }
    return ::testing::AssertionSuccess();
  }

  TestShard shard;

 private:
  void Evict(Row row, EventTypeId type, uint32_t count) {
    const std::vector<Answer> before = Answers(row);
    std::vector<uint32_t> changed;
    keeper.Evicting(row, type, count, filled, &changed);
    ExpectChanged(row, before, changed);
    const EventHistory* history = shard.table.History(row, type);
    const int64_t last_us = history->TimeOf(count - 1);
    if (history->UpperBound(last_us) != count) return;
    shard.table.RemoveEventsUpTo(row, type, last_us);
    EXPECT_TRUE(Agrees(row));
  }

  TermBuilder terms_{"UTC"};
  std::vector<ExpressionRef> expressions_;
  std::vector<std::string> texts_;
  std::vector<AggregateUnit> units_;
  ShardView view_, fresh_view_;
  WorkMeter meter_;
  std::unique_ptr<VectorMachine> machine_, fresh_;
  std::map<uint32_t, int64_t> at_;

 public:
  AggregateKeeper keeper{&shard.table, &view_};
  std::vector<uint8_t> filled;
};

}  // namespace korrel
