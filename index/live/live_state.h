// index/live/live_state.h
//
// LiveState is what one shard keeps current: columns of computed attributes, aggregates, truths of predicates, members of live segments,
// and for every row the instant up to which that is right (`as_of`) and the next at which it changes by time alone (`next_due`).
// All of it follows from the table and could be worked out again.
//
//   around a change    BringUp(row, now) · Will…/Did… beside each write to the table · Settle(row)
//   by the clock       Advance(now, …): rows whose instant has come, each stepped from edge to edge
//   new definitions    Adopt(plan), then Fill(now, …) until it says done
//
// Every step reports the flips it caused. A row's flips are a function of its own records, the clock and the catalog, whatever the
// number of shards.
//
// Threads     Under the shard's lock: everything but the KeptValues side and SegmentsOf exclusive.
// Invariants  For a row with next_due > now and a ready unit, what is kept is what the definition answers at now.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "index/evaluator.h"
#include "index/live/live_plan.h"
#include "storage/profile_table.h"

namespace korrel {

enum class ChangeCause : uint8_t { kWrite = 1, kClock, kRetention, kDefinition, kDelete, kMerge, kUnmerge, kConsent, kErasure };

// One profile entered or left a live segment.
struct SegmentFlip {
  SegmentId segment;
  bool entered = true;
  int64_t time_us = 0;
  ChangeCause cause = ChangeCause::kWrite;
  friend bool operator==(const SegmentFlip&, const SegmentFlip&) = default;
};

class LiveState final : public KeptValues {
 public:
  // Both must outlive it.
  LiveState(ProfileTable* table, const ShardIndex* index);
  ~LiveState() override;

  using Flips = std::vector<SegmentFlip>;

  // ---- Plans ----
  // What both plans hold (by serial) stays as it is; new units are empty until they are filled. `schema` is the catalog's of the plan.
  void Adopt(LivePlanRef plan, SchemaRef schema);
  const LivePlanRef& plan() const;
  // Figures of `population.x`, in force from `now_us` on, which is no earlier than LatestAsOf(). For a row that instant is one of its
  // edges: what reads a figure is evaluated again there, before anything later happens to the row, whether that is a change, a step of
  // the clock, or Recheck going round. Where no value differs from before, nobody is looked at. Not before Recheck is done with the last.
  void SetPopulation(PopulationRef figures, int64_t now_us);
  // The same without another look: figures came that have no value, or went that nobody reads.
  void RenamePopulation(PopulationRef figures);
  // The latest instant that any row was brought to; INT64_MIN: none.
  int64_t LatestAsOf() const;

  // ---- A change of one row, at `now_us` ----
  // Asks for what every change of the row reads, before it is needed.
  void Prefetch(Row row) const;
  // Steps the row through its own edges up to and including now. Call first; the row is live.
  void BringUp(Row row, int64_t now_us, Flips* flips);
  // The same until the meter is exhausted (at least one edge). False: the row stands at an edge before now, and is due at another up to now.
  bool CatchUp(Row row, int64_t now_us, WorkMeter* meter, Flips* flips);
  void Born(Row row, int64_t now_us);              // instead of BringUp; nothing is known of it yet
  void WillWrite(Row row, AttributeId attribute);  // before the column changes
  void WillEvict(Row row, EventTypeId type, uint32_t count);
  void DidAdd(Row row, EventTypeId type, uint32_t index);  // after an event was added, which stands at `index`
  void WillChangeList(Row row, SegmentId list);
  void DidAddIdentifier(Row row, IdentifierTypeId type);
  void DidNoteActivity(Row row);
  // Works out what follows from everything said since BringUp.
  void Settle(Row row, int64_t now_us, ChangeCause cause, Flips* flips);
  // Before the row is removed: it leaves all its segments. The caller brought it up.
  void End(Row row, int64_t now_us, Flips* flips);

  // ---- The clock ----
  int64_t NextDue() const;  // no later than the next_due of any row; kNever
  struct Step {
    Row row;
    Flips flips;
  };
  // Rows that are due at now, earliest first, until the meter is exhausted (at least one row). Rows without flips are not reported.
  // Returns how many edges were stepped.
  uint64_t Advance(int64_t now_us, WorkMeter* meter, std::vector<Step>* steps);

  // ---- Filling ----
  bool filled() const;
  // The next rows of the units that are not filled, until the meter is exhausted (at least one row, or one edge of a row that is behind).
  void Fill(int64_t now_us, WorkMeter* meter, std::vector<Step>* steps);
  // The same for rows that have not been looked at since SetPopulation. They are brought up to the figures' own instant at least.
  void Recheck(int64_t now_us, WorkMeter* meter, std::vector<Step>* steps);
  bool rechecking() const;
  // Rows done and rows to do, of the units that are not filled; for progress.
  struct Progress {
    uint64_t done = 0, all = 0;
  };
  Progress progress() const;
  // Whether a definition is complete here.
  bool IsReady(uint64_t serial) const override;

  // ---- Replay ----
  // Sets a membership as a record says, where the unit is not filled and nothing can be worked out.
  void Force(Row row, const SegmentFlip& flip);

  // ---- Reading (KeptValues; shared lock) ----
  const AttributeColumn* Aggregate(uint64_t serial) const override;
  std::optional<DecayState> Decay(uint64_t serial, Row row) const override;
  const RowBits* Members(SegmentId id) const override;
  bool DueRows(uint32_t block, int64_t now_us, uint64_t* words) const override;
  bool IsDue(Row row, int64_t now_us) const override;
  // Live segments the row is in, ascending by id; nullopt: not to be said from the tables (the row is due, or something is being filled).
  std::optional<std::vector<SegmentId>> SegmentsOf(Row row, int64_t now_us) const;

  int64_t NextDueOf(Row row) const;
  // The instant up to which the row was brought; INT64_MIN: none yet.
  int64_t AsOf(Row row) const;
  size_t MemoryBytes() const;
  struct Counters {
    uint64_t steps = 0, history_passes = 0, expressions_evaluated = 0, conjunctions_looked_at = 0;
  };
  Counters counters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace korrel
