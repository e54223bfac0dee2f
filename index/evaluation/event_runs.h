// index/evaluation/event_runs.h
//
// EventRuns reads the events of a history as an aggregate sees them: run by run as columns, with its `where` and argument evaluated.
//
// Lifetime  What a run names lives until the next one is read; computed texts until the fold returns.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "index/evaluation/vector_machine.h"

namespace korrel {

// Events [begin, end) of one history.
struct EventPiece {
  const EventHistory* history;
  const PropertyDictionaries* properties;
  uint32_t begin, end;
};

// A run of events after `where` and the argument: which count, and their values.
struct EventRun {
  size_t size;
  const uint8_t* taken;    // null: all
  const Vector* argument;  // null: events are counted
  bool Takes(size_t i) const { return (!taken || taken[i]) && (!argument || argument->present[i]); }
};

class EventRuns {
 public:
  // Enough events to make the columns worth while, little enough that computed texts stay few.
  static constexpr uint32_t kRunEvents = 256;
  static constexpr uint32_t kFirstRunEvents = 16;  // where the first one found ends the search

  EventRuns(VectorMachine* machine, const Term& aggregate)
      : machine_(machine), where_(aggregate.where), argument_(aggregate.inputs.empty() ? nullptr : aggregate.inputs[0]) {}

  // Whether every event counts, unread.
  bool TakesAll() const { return !where_ && !argument_; }
  const Term* argument() const { return argument_; }

  EventRun Read(const EventPiece& piece, uint32_t begin, uint32_t end);
  // Calls fold(run, first event) for runs in event order until it returns false; backwards: for runs from the newest on.
  template <class Fold>
  void ForEach(const EventPiece& piece, bool backwards, uint32_t first_run_events, const Fold& fold);

 private:
  VectorMachine* machine_;
  const Term* where_;
  const Term* argument_;  // null: events are counted
  std::vector<uint8_t> taken_;
};

template <class Fold>
void EventRuns::ForEach(const EventPiece& piece, bool backwards, uint32_t first_run_events, const Fold& fold) {
  uint32_t run_events = first_run_events;
  for (uint32_t done = 0, count = piece.end - piece.begin; done < count;) {
    const uint32_t size = std::min(run_events, count - done);
    const uint32_t begin = backwards ? piece.end - done - size : piece.begin + done;
    const TextArena::Mark mark = machine_->arena().mark();
    const bool go_on = fold(Read(piece, begin, begin + size), begin);
    // What fold keeps of computed texts it has copied.
    machine_->arena().Rewind(mark);
    if (!go_on) return;
    done += size;
    run_events = kRunEvents;
  }
}

}  // namespace korrel
