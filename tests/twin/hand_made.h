// tests/twin/hand_made.h
//
// Small hand-made profiles for facts about the language: write a few values and events, ask for an expression's value.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/twin/naive_interpreter.h"
#include "tests/twin/naive_profile.h"
#include "tests/twin/random_world.h"

namespace korrel::twin {

inline int64_t At(const char* text) {
  StatusOr<Timestamp> time = ParseTimestamp(text, "UTC");
  EXPECT_TRUE(time.ok()) << time.status();
  return time.ok() ? time->us : 0;
}
inline Value Time(const char* text) { return Timestamp{At(text)}; }
inline Value Text(const char* text) { return std::string(text); }
inline Value Money(int64_t cents) { return Decimal{cents, 2}; }

// The test schema with as many profiles as are named, on a clock that stands at `now`.
class HandMade {
 public:
  explicit HandMade(const char* now) : store_({ClockMode::kReplay, At(now)}) { RandomWorld::Declare(&store_); }

  NaiveStore& store() { return store_; }
  void Set(const std::string& who, std::vector<std::pair<std::string, Value>> values) {
    ProfileWrite write;
    write.identifiers = {"customer:" + who};
    for (auto& [name, value] : values) write.attributes.push_back({name, AttributeOperation::kSet, value});
    ItemOutcome outcome = store_.Upsert(write, "test");
    EXPECT_EQ(outcome.reason, "") << who;
  }
  void Track(const std::string& who, const std::string& type, const char* time,
             std::vector<std::pair<std::string, Value>> properties = {}) {
    TrackAt(who, type, At(time), std::move(properties));
  }
  void TrackAt(const std::string& who, const std::string& type, int64_t time_us,
               std::vector<std::pair<std::string, Value>> properties = {}) {
    EventWrite event;
    event.identifiers = {"customer:" + who};
    event.type = type;
    event.event_time_us = time_us;
    for (auto& [name, value] : properties) event.properties.push_back({name, value});
    ItemOutcome outcome = store_.Track(event, "test");
    EXPECT_EQ(outcome.reason, "") << who << " " << type;
  }
  void Advance(const char* to) { EXPECT_TRUE(store_.AdvanceClock(At(to))); }

  Value Ask(const std::string& who, const std::string& expression, const std::map<std::string, Value, std::less<>>* parameters = nullptr) {
    StatusOr<ExpressionRef> compiled = store_.Compile(expression, parameters);
    EXPECT_TRUE(compiled.ok()) << expression << ": " << compiled.status();
    if (!compiled.ok()) return {};
    const NaiveProfile& profile = store_.profile(*store_.Find("customer:" + who));
    return NaiveInterpreter(store_, profile, store_.schema()).Evaluate(*(*compiled)->root()).AsAnswer();
  }
  bool Holds(const std::string& who, const std::string& expression) { return Ask(who, expression) == Value(true); }

 private:
  NaiveStore store_;
};

}  // namespace korrel::twin
