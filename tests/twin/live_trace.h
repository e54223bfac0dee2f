// tests/twin/live_trace.h
//
// LiveTrace is an endless seeded sequence of operations on databases with live segments and computed attributes, each followed by
// its consequences: what entered and left, read from every database's log, must be what the naive twin says must have entered and
// left (live_timeline.h) – no flip missing, none too many, each at its true instant and for its true cause, the same with every
// number of shards.
//
// A batch of a busy trace touches profiles many times, and the twin looks at each after every item; other operations touch each once at
// most. So no state between two looks remains unseen.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/twin/live_stream.h"
#include "tests/twin/live_timeline.h"
#include "tests/twin/random.h"
#include "tests/twin/random_definition.h"
#include "tests/twin/random_world.h"
#include "tests/twin/side_by_side.h"

namespace korrel::twin {

struct LiveTraceOptions {
  std::vector<Layout> layouts;
  ClockMode mode = ClockMode::kReplay;
  int64_t now_us = 0;
  uint64_t people = 5;
  int definitions = 8;  // to begin with
  int batch = 0;        // items of a batch of writes or events; 0: single ones and small ones
};

class LiveTrace {
 public:
  LiveTrace(Random* random, const LiveTraceOptions& options);

  void Step();
  // Everything that is kept, read in every way it can be read.
  void CheckWhatIsRead();
  SideBySide& both() { return both_; }
  std::string LastSteps(size_t count) const;
  // Writes, events, list changes, moves of the clock and definitions so far, each by itself.
  uint64_t operation_count() const { return steps_.size(); }
  uint64_t recomputed() const { return timeline_.recomputed(); }  // profiles at instants, by the twin
  int refused_count() const { return refused_; }
  int accepted_count() const { return accepted_; }

 private:
  template <class Operation>
  void Run(ExpectedCause cause, Operation operation);
  using Expected = std::map<uint64_t, std::vector<ExpectedFlip>>;
  void Follow(NaiveStore& before, ExpectedCause cause);
  // By the twin. `claimed`: flips whose instants are to be looked at as well.
  Expected Expect(NaiveStore& before, ExpectedCause cause, const std::vector<ObservedFlip>& claimed);
  // What the i-th database's log tells, once it tells of `count` flips or has had time to.
  std::vector<ObservedFlip> Observe(size_t i, size_t count);
  // The first difference of any database; empty: none.
  std::string Difference(const Expected& expected, const std::vector<std::vector<ObservedFlip>>& observed);
  std::string DifferenceIn(size_t i, const Expected& expected, const std::vector<ObservedFlip>& observed);

  std::string Person() { return "customer:" + std::to_string(1 + random_.Below(options_.people)); }
  ProfileWrite MakeWrite();
  EventWrite MakeEvent(uint64_t person);
  void WriteProfile();
  void WriteMany();
  void TrackOne();
  void TrackSeveral();
  void TrackMany();
  void ChangeList();
  void MoveClock();
  void DefineSomething();
  void DropSomething();
  void TightenLimits();
  void Note(std::string what) { steps_.push_back(std::move(what)); }

  Random& random_;
  LiveTraceOptions options_;
  SideBySide both_;
  RandomWorld world_;
  LiveTimeline timeline_;
  std::vector<std::unique_ptr<LiveStream>> streams_;
  DefinedNames names_;
  std::vector<std::string> droppable_;  // full names, newest last
  std::vector<EventWrite> sent_;
  std::vector<std::string> steps_;
  int defined_ = 0, tightened_ = 0, refused_ = 0, accepted_ = 0;
};

}  // namespace korrel::twin
