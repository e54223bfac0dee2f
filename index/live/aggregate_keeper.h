// index/live/aggregate_keeper.h
//
// AggregateKeeper keeps the values of aggregates and sequences for the rows of one shard: one column per unit beside (or, for an
// attribute that is nothing but the aggregate, in) the table, brought forward by what arrives and leaves instead of being computed anew.
//
//   count, sum, avg of exact numbers       add and subtract
//   min max first last first_seen last_seen   compare; the next one is looked for when the one that held it leaves
//   days_active, sessions                  compare with the neighbours
//   sums of doubles, decayed_…             O(1) when the newest event arrives; the events again otherwise
//   unique_count, most_frequent            the events again; above 1,024 events in the window counts per value
//   sequences                              the events again
//
// It keeps no cursor into a history: what left a window between two instants is found by binary search.
//
// Threads     Under the shard's exclusive lock; columns are read under the shared one.
// Invariants  For a filled unit and a row brought up to `now`, the column holds what AggregateFolder answers at `now`, bit for bit.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "index/evaluation/kept.h"
#include "index/evaluation/vector_machine.h"

namespace korrel {

// One aggregate or sequence that is kept. Its zones are fixed: what a profile's own values decide is not kept this way.
struct AggregateUnit {
  uint64_t serial = 0;
  const Term* term = nullptr;            // Op::kAggregate or Op::kSequence, nothing below it kept; lives as long as the plan
  std::optional<AttributeId> attribute;  // the computed attribute that is this and nothing else: its column in the table is the unit's
};

class AggregateKeeper {
 public:
  // All must outlive the keeper. The view's now_us is the instant of everything that follows and is set by the owner. The machine evaluates
  // `where`, arguments and whole aggregates; its terms are those of the plan adopted last.
  AggregateKeeper(ProfileTable* table, ShardView* view);
  ~AggregateKeeper();

  // Units of the same serial keep their columns, others are dropped; new ones are empty and must be filled row by row.
  // `machine` replaces the one before.
  void Adopt(std::span<const AggregateUnit> units, VectorMachine* machine);

  // In everything below units are numbered as in the span given to Adopt. `filled` says per unit whether it is maintained for this row:
  // the others are left alone. `changed` gets the units whose value (or decay state) differs from before, each at most once per call.
  using Filled = std::span<const uint8_t>;

  // Works out a unit for a row from its events, at the view's now; also for a row that just began (over nothing).
  void Fill(uint32_t unit, Row row);
  // From the instant the row was at to the view's now: what left and entered by time alone.
  void Slide(Row row, int64_t from_us, Filled filled, std::vector<uint32_t>* changed);
  // The next instant after the view's now at which Slide could find something; kNever.
  int64_t NextEdge(Row row, Filled filled) const;
  // The oldest `count` events of the type are about to be removed by a limit; the row is at the view's now.
  void Evicting(Row row, EventTypeId type, uint32_t count, Filled filled, std::vector<uint32_t>* changed);
  // The event at `index` of the row's history of the type was just added; the row is at the view's now.
  // Returns the next instant at which that event changes something; kNever.
  int64_t Added(Row row, EventTypeId type, uint32_t index, Filled filled, std::vector<uint32_t>* changed);
  // The row ends.
  void Forget(Row row);

  const AttributeColumn* Column(uint32_t unit) const;  // not of decayed ones
  std::optional<DecayState> Decay(uint32_t unit, Row row) const;
  size_t MemoryBytes() const;
  uint64_t passes() const;  // how often a history was read again because a value could not be brought forward; tests and Status

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace korrel
