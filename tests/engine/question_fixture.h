// tests/engine/question_fixture.h
//
// A small database for tests of questions and reads, and short words to fill it. Its clock stands where it is told.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "engine/database.h"

namespace korrel {

inline constexpr int64_t kDayUs = int64_t{86'400} * 1'000'000;
inline constexpr int64_t kNowUs = int64_t{1'488'366'000} * 1'000'000;  // 2017-03-01T11:00:00Z

using Attributes = std::map<std::string, Value>;

class TestDatabase {
 public:
  explicit TestDatabase(uint32_t shards, uint32_t events_hard_max = kEventsHardMax) {
    DatabaseOptions options;
    options.shards = shards;
    options.threads = 2;
    auto clock = Clock::MakeManual(kNowUs);
    clock_ = clock.get();
    options.clock = std::move(clock);
    options.events_hard_max = events_hard_max;
    auto opened = Database::Open(std::move(options));
    EXPECT_TRUE(opened.ok()) << opened.status();
    db_ = std::move(*opened);
  }

  Database& operator*() { return *db_; }
  Database* operator->() { return db_.get(); }
  Clock& clock() { return *clock_; }

  void Put(const std::string& id, const Attributes& attributes, int64_t time_us = kNowUs) {
    ProfileWrite write;
    write.identifiers = {id};
    write.event_time_us = time_us;
    for (const auto& [name, value] : attributes) write.attributes.push_back({name, AttributeOperation::kSet, value, 0});
    const auto result = db_->Upsert({&write, 1}, {.source = "test"});
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_TRUE(result->errors.empty()) << result->errors[0].status;
  }

  void Track(const std::string& id, const std::string& type, int64_t time_us, const Attributes& properties) {
    EventWrite event;
    event.identifiers = {id};
    event.type = type;
    event.event_time_us = time_us;
    for (const auto& [name, value] : properties) event.properties.push_back({name, value});
    const auto result = db_->Track({&event, 1}, {.source = "test"});
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_TRUE(result->errors.empty()) << result->errors[0].status;
  }

  void Define(std::vector<Definition> definitions) {
    ApplyRequest request;
    request.definitions = std::move(definitions);
    const auto answer = db_->ApplyDefinitions(request);
    ASSERT_TRUE(answer.ok()) << answer.status();
    for (const DefinitionChange& change : answer->changes) ASSERT_TRUE(change.error.ok()) << change.name << ": " << change.error;
  }

  uint64_t Count(const std::string& expression) {
    const auto answer = db_->Count({expression});
    EXPECT_TRUE(answer.ok()) << expression << ": " << answer.status();
    return answer.ok() ? answer->count : UINT64_MAX;
  }

 private:
  std::unique_ptr<Database> db_;
  Clock* clock_;
};

inline Definition ComputedAttribute(const std::string& name, const std::string& expression) {
  Definition definition;
  definition.name = "attributes/" + name;
  definition.kind = DefinitionKind::kAttribute;
  definition.attribute.expression = expression;
  return definition;
}
inline Definition LiveSegment(const std::string& name, const std::string& expression) {
  Definition definition;
  definition.name = "segments/" + name;
  definition.kind = DefinitionKind::kSegment;
  definition.segment.expression = expression;
  return definition;
}
inline Definition StaticSegment(const std::string& name) {
  Definition definition = LiveSegment(name, "");
  definition.segment.is_static = true;
  return definition;
}
inline Definition EventType(const std::string& name, int64_t retention_us) {
  Definition definition;
  definition.name = "events/" + name;
  definition.kind = DefinitionKind::kEvent;
  definition.event.retention_us = retention_us;
  return definition;
}

// Row i of a batch as people see it, joined by spaces.
inline std::string RowText(const ResultBatch& batch, size_t i) {
  std::string text;
  for (const ValueVector& column : batch.columns) text += (text.empty() ? "" : " ") + DisplayValue(column.At(i));
  return text;
}
inline std::vector<std::string> RowTexts(const ResultBatch& batch) {
  std::vector<std::string> rows;
  for (size_t i = 0; i < batch.size; ++i) rows.push_back(RowText(batch, i));
  return rows;
}
inline std::vector<std::string> FieldNames(const ResultBatch& batch) {
  std::vector<std::string> names;
  for (const FieldSchema& field : batch.fields) names.push_back(field.name);
  return names;
}

MATCHER_P2(FailsWith, code, reason, "") {
  *result_listener << arg.status() << " reason " << ReasonOf(arg.status());
  return arg.status().code() == code && ReasonOf(arg.status()) == reason;
}

}  // namespace korrel
