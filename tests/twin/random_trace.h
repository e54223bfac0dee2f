// tests/twin/random_trace.h
//
// RandomTrace is an endless seeded sequence of operations on everything that can change: attribute writes of all operations and
// types (with older, equal and newer times, widening, clashing and overflowing values), events that are late, doubled, too old, too
// far ahead or pushed out, deletes, static lists with expiry, clock steps onto and around edges, changed definitions.
#pragma once

#include <string>
#include <vector>

#include "tests/twin/random.h"
#include "tests/twin/random_world.h"
#include "tests/twin/side_by_side.h"

namespace korrel::twin {

class RandomTrace {
 public:
  RandomTrace(Random* random, SideBySide* both, uint64_t people);

  void Step();
  uint64_t people() const { return people_; }
  const Vocabulary& vocabulary() const { return world_.vocabulary(); }
  // What the steps did so far, newest last, for the message of a failing test.
  std::string LastSteps(size_t count) const;
  // Writes, events, list changes, moves of the clock and definitions so far, each by itself.
  uint64_t operation_count() const { return steps_.size(); }

 private:
  uint64_t Person() { return 1 + random_.Below(people_); }
  std::vector<std::string> SomeIdentifiers();
  AttributeWrite Operation();
  Value UndeclaredValue(const std::string& name);
  int64_t WriteTime();
  EventWrite SomeEvent();
  std::string RequestId();

  void UpsertSome();
  void TrackSome();
  void ChangeList();
  void MoveClock();
  void ChangeCatalog();
  void Note(std::string what) { steps_.push_back(std::move(what)); }

  Random& random_;
  SideBySide& both_;
  uint64_t people_;
  RandomWorld world_;
  std::vector<EventWrite> sent_;  // to be sent again
  std::vector<std::string> steps_;
  uint64_t request_count_ = 0;
  int narrowed_ = 0;
};

}  // namespace korrel::twin
