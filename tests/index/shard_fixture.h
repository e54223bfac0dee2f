// tests/index/shard_fixture.h
//
// One shard with a small schema, filled by hand or at random, and the evaluator asked over it block by block.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "index/evaluator.h"

namespace korrel {

inline constexpr int64_t kSecond = 1'000'000;
inline constexpr int64_t kDay = 86'400 * kSecond;
inline constexpr int64_t kNow = 1'491'004'800 * kSecond;  // 2017-04-01T00:00:00Z

// KORREL_SEED, or another one every run; printed where something fails.
inline uint64_t TestSeed() {
  static const uint64_t seed = [] {
    const char* given = std::getenv("KORREL_SEED");
    return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  }();
  return seed;
}

class TestSchema {
 public:
  TestSchema() {
    Attribute("country", kStringType);
    Attribute("tier", kStringType);
    Attribute("email", kStringType);
    Attribute("zone", kStringType);
    Attribute("age", kIntType);
    Attribute("big", kIntType);
    Attribute("balance", DecimalType(2));
    Attribute("rate", DecimalType(18));
    Attribute("score", kDoubleType);
    Attribute("member", kBoolType);
    Attribute("birth", kTimestampType);
    Attribute("interests", kSetType);
    Event("order", {{"amount", DecimalType(2)},
                    {"quantity", kIntType},
                    {"weight", kDoubleType},
                    {"category", kStringType},
                    {"gift", kBoolType},
                    {"due", kTimestampType},
                    {"tags", kSetType}});
    Event("visit", {{"page", kStringType}});
    schema_->identifier_types = {"email", "customer"};
    schema_->identifier_type_by_name = {{"email", 0}, {"customer", 1}};
    schema_->sources = {"test"};
    schema_->source_by_name = {{"test", 0}};
  }
  const Schema& schema() const { return *schema_; }
  Schema* mutable_schema() { return schema_.get(); }
  const AttributeSchema& attribute(std::string_view name) const { return *schema_->FindAttribute(name); }
  const EventTypeSchema& event(std::string_view name) const { return *schema_->FindEventType(name); }

 private:
  void Attribute(const std::string& name, Type type) {
    const auto id = static_cast<uint32_t>(schema_->attributes.size());
    schema_->attributes.push_back({.id = AttributeId(id), .name = name, .type = type});
    schema_->attribute_by_name[name] = id;
  }
  void Event(const std::string& name, const std::vector<std::pair<std::string, Type>>& properties) {
    const auto id = static_cast<uint32_t>(schema_->event_types.size());
    EventTypeSchema type{.id = EventTypeId(id), .name = name};
    for (const auto& [property, property_type] : properties)
      type.properties.push_back({.id = PropertyId(static_cast<uint32_t>(type.properties.size())), .name = property, .type = property_type});
    schema_->event_types.push_back(std::move(type));
    schema_->event_type_by_name[name] = id;
  }
  std::shared_ptr<Schema> schema_ = std::make_shared<Schema>();
};

struct TestShard {
  explicit TestShard(bool keep_postings = true) : index(keep_postings), table(&index) { index.Attach(&table); }

  Row Add() { return table.AddRow(ProfileId(++last_id)); }
  void Set(Row row, std::string_view attribute, const Value& value) {
    const auto outcome = table.Write(row, names.attribute(attribute), AttributeOperation::kSet, value, ++write_time, SourceId(0));
    ASSERT_TRUE(outcome.ok()) << outcome.status();
  }
  void Unset(Row row, std::string_view attribute) {
    const auto outcome = table.Write(row, names.attribute(attribute), AttributeOperation::kUnset, {}, ++write_time, SourceId(0));
    ASSERT_TRUE(outcome.ok()) << outcome.status();
  }
  void Track(Row row, std::string_view type, int64_t time_us, const std::map<std::string, Value>& properties = {}) {
    EventToAdd event;
    event.time_us = time_us;
    for (const PropertySchema& property : names.event(type).properties) {
      auto it = properties.find(property.name);
      if (it != properties.end()) event.properties.emplace_back(property.id, it->second);
    }
    table.AddEvent(row, names.event(type), event);
  }

  ExpressionRef Compile(std::string_view text) const {
    CompileOptions options;
    options.schema = &names.schema();
    options.definitions = &definitions;
    options.time_zone = time_zone;
    options.allow_unknown_names = allow_unknown_names;
    StatusOr<ExpressionRef> compiled = Expression::Compile(text, options);
    EXPECT_TRUE(compiled.ok()) << text << ": " << compiled.status();
    return compiled.ok() ? *compiled : nullptr;
  }
  // An expression that does not compile has failed the test; it goes on with `false`.
  PlanRef PlanOf(std::string_view text) const {
    const ExpressionRef compiled = Compile(text);
    return Plan::Make(compiled ? compiled : Compile("false"));
  }
  ShardView View() const { return {&table, &index, &names.schema(), now_us}; }

  // Rows that match, in turns of `budget`.
  std::vector<Row> Match(std::string_view text, uint64_t budget = UINT64_MAX, uint64_t* largest_turn = nullptr) const {
    const PlanRef plan = PlanOf(text);
    std::vector<Row> rows;
    for (uint32_t block = 0; block < table.block_count(); ++block) {
      for (uint32_t row = 0; row < kBlockRows;) {
        WorkMeter meter(budget);
        Evaluator evaluator(*plan, View(), &meter);
        EXPECT_FALSE(evaluator.PlanIsStale());
        std::vector<uint64_t> bits(kBlockWords, ~uint64_t{0});
        uint32_t matches = 0;
        const uint32_t end = evaluator.Match(block, row, bits.data(), &matches);
        EXPECT_GT(end, row);
        const size_t before = rows.size();
        for (uint32_t at = 0; at < kBlockWords; ++at) {
          for (uint64_t word = bits[at]; word != 0; word &= word - 1) {
            const uint32_t i = at * 64 + static_cast<uint32_t>(std::countr_zero(word));
            EXPECT_TRUE(i >= row && i < end) << text << " row " << i << " of [" << row << ", " << end << ")";
            rows.emplace_back(block * kBlockRows + i);
          }
        }
        EXPECT_EQ(matches, rows.size() - before) << text;
        if (largest_turn) *largest_turn = std::max(*largest_turn, meter.used());
        row = end;
      }
    }
    return rows;
  }
  // The same rows by reading the condition row by row: the complete evaluator without physical predicates.
  std::vector<Row> MatchByReading(std::string_view text) const {
    const PlanRef plan = PlanOf(text);
    std::vector<Row> live = LiveRows(), rows;
    for (size_t first = 0, end = 0; first < live.size(); first = end) {
      while (end < live.size() && end < first + 1'000 && live[end].value / kBlockRows == live[first].value / kBlockRows) ++end;
      WorkMeter meter;
      Evaluator evaluator(*plan, View(), &meter);
      ValueVector values;
      EXPECT_EQ(evaluator.Read(std::span(live).subspan(first, end - first), &values), end - first);
      for (size_t i = 0; i < end - first; ++i) {
        if (values.present[i] && values.ints[i]) rows.push_back(live[first + i]);
      }
    }
    return rows;
  }
  std::vector<Row> LiveRows() const {
    std::vector<Row> rows;
    for (uint32_t row = 0; row < table.row_end(); ++row) {
      if (table.live().Test(Row(row))) rows.emplace_back(row);
    }
    return rows;
  }
  Value Read(Row row, std::string_view text) const {
    const PlanRef plan = PlanOf(text);
    WorkMeter meter;
    Evaluator evaluator(*plan, View(), &meter);
    EXPECT_FALSE(evaluator.PlanIsStale());
    ValueVector values;
    EXPECT_EQ(evaluator.Read({&row, 1}, &values), 1u);
    return values.At(0);
  }

  TestSchema names;
  ShardIndex index;
  ProfileTable table;
  NamedDefinitions definitions;
  std::string time_zone = "UTC";
  bool allow_unknown_names = false;
  int64_t now_us = kNow;
  uint64_t last_id = 0;
  int64_t write_time = 0;
};

}  // namespace korrel
