// tests/twin/naive_interpreter.h
//
// NaiveInterpreter says what a bound expression is for one naive profile at one instant, straight from the language's reference:
// one function per construct, no plan, no folding, no early exit, every aggregate recomputed from the raw events.
//
// Sequences and decayed sums have files of their own (naive_sequence.h, naive_decay.h).
//
// Errors  None: what cannot be computed is absent. A construct that this version's binder refuses stops the program.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "index/expression/node.h"
#include "tests/twin/naive_decay.h"
#include "tests/twin/naive_profile.h"
#include "tests/twin/naive_sequence.h"

namespace korrel::twin {

// A value, or a duration, or (neither) absent.
struct Result {
  Value value;
  std::optional<int64_t> duration_us;
  bool present() const { return IsPresent(value) || duration_us.has_value(); }
  // As answers carry it: durations as int64 microseconds.
  Value AsAnswer() const { return duration_us.has_value() ? Value(*duration_us) : value; }
};

class NaiveInterpreter {
 public:
  // `time_zone` is the catalog's. Both must outlive the interpreter.
  NaiveInterpreter(const NaiveStore& store, const NaiveProfile& profile, const Schema& schema)
      : store_(store), profile_(profile), schema_(schema) {}

  Result Evaluate(const Node& node) const;
  // As a condition: an absent bool counts as false.
  bool Holds(const Node& node) const;

 private:
  NaiveInterpreter(const NaiveInterpreter& outside, const NaiveEvent& event)
      : store_(outside.store_), profile_(outside.profile_), schema_(outside.schema_), event_(&event) {}
  NaiveInterpreter Inside(const NaiveEvent& event) const { return NaiveInterpreter(*this, event); }

  Result Attribute(const Node& node) const;
  bool Test(const Node& node) const;
  bool Compares(Op op, const Node& left, const Node& right) const;
  Result Arithmetic(const Node& node) const;
  Result Call(const Node& node) const;
  Result Coalesce(const Node& node) const;
  Result SmallestOrLargest(const Node& node) const;
  Result LocalReadingOf(const Node& node) const;
  Result AgeIn(const Node& node) const;
  Result Activity(bool first) const;
  bool HasIdentifier(const std::string& type) const;

  // The zone a string expression names; nullptr: the catalog's. nullopt: absent or unknown.
  std::optional<std::string> ZoneName(const Node* node) const;

  struct Seen {
    const NaiveEvent* event;
    Result argument;  // absent where events are counted
  };
  // The events an aggregate is about, in event order; nullopt: its window's zone is unknown.
  std::optional<std::vector<Seen>> EventsOf(const Node& node) const;
  std::optional<bool> InWindow(const Window& window, int64_t time_us) const;
  // Not the engine's own, where any type is meant.
  bool IsOfType(const NaiveEvent& event, std::optional<EventTypeId> type) const;
  Result AggregateOf(const Node& node) const;
  Result Sessions(const Node& node, const std::vector<Seen>& in_window) const;
  // nullopt: over nothing.
  std::optional<NaiveDecay> DecayOf(const Node& node) const;
  Result Decayed(const Node& node) const;
  bool Sequence(const Node& node) const;
  Result DaysActive(const Node& node, const std::vector<Seen>& events) const;

  const NaiveStore& store_;
  const NaiveProfile& profile_;
  const Schema& schema_;
  const NaiveEvent* event_ = nullptr;  // inside `where` and arguments of aggregates
};

// -1, 0, 1; both present and comparable by the rules of types.
int CompareResults(const Result& a, const Result& b);
bool LikeMatches(const std::string& text, const std::string& pattern);
// XXH3-64 of salt, a zero byte and the id, modulo 10,000.
int64_t BucketOf(const std::string& salt, uint64_t id);

}  // namespace korrel::twin
