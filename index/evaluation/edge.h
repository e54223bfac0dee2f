// index/evaluation/edge.h
//
// EdgeFinder says until when a value holds: for a term, a row and the view's now, an instant no later than the first one after now
// at which the value could differ if nothing is written. Earlier only where something really changes at that instant (an event leaves
// or enters a window, a local reading changes). What every construct answers is tabled in docs/expressions.md.
//
// Values of operands are asked of the machine, for the one row, at the same now. Kept terms (Term::kept) never change by themselves
// here: their own unit has its own edge. Only what fades is kept as it was when it began to: comparing it has an edge all the same.
//
// Threads   One. Lives inside one turn of the shard's lock, like the machine, and begins a batch of its own there.
// Cost      Definitions that stand in several places are walked once per call. An aggregate: binary searches in its histories, not its
//           events; last, first, first_seen and last_seen with `where` or an argument read until they have found one; a count compared
//           with a number reads the events that `where` must be asked about once, up to the one that decides.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "index/evaluation/event_runs.h"
#include "index/evaluation/term.h"
#include "index/evaluation/vector_machine.h"

namespace korrel {

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

class EdgeFinder {
 public:
  EdgeFinder(VectorMachine* machine, const ShardView& view) : machine_(machine), view_(view) {}

  // kNever: while nothing is written it stays as it is. Always later than view.now_us.
  int64_t EdgeOf(const Term& term, Row row);

 private:
  // A test's truth and until when it holds at least.
  struct Held {
    bool truth = false;
    int64_t edge = kNever;
  };
  // A sum of timestamps and durations as a function of the clock: factor * now + rest while from <= now < until, absent otherwise.
  // All of that until `edge`, when an operand differs.
  struct ClockSum {
    bool absent = false;  // whatever the clock says
    int64_t factor = 0;
    int128 rest = 0;
    int128 from = kTimestampMinUs, until = int128{kTimestampMaxUs} + 1;
    int64_t edge = kNever;
  };
  // The events of one type that a window shows, and those that it will show.
  struct Span {
    const EventHistory* history = nullptr;
    const PropertyDictionaries* properties = nullptr;
    uint32_t held = 0;              // what is before it is out for good
    uint32_t begin = 0, end = 0;    // inside
    uint32_t next = 0, size = 0;    // not yet inside
    int64_t leaves_after = kNever;  // what is inside leaves at its time + this
    int64_t enters_after = 0;       // what is not yet inside enters at its time + this; kNever: it does not
    EventPiece Inside() const { return {history, properties, begin, end}; }
    EventPiece Coming() const { return {history, properties, next, size}; }
  };
  struct Shown {
    std::vector<Span> spans;
    int64_t boundary = kNever;  // of a calendar window, where moving on makes a difference
  };

  // edge.cc
  int64_t Edge(const Term& term);
  int64_t FreshEdge(const Term& term);
  int64_t LeastOf(const Term& term);
  int64_t LogicEdge(const Term& term);
  int64_t CallEdge(const Term& term);
  int64_t CoalesceEdge(const Term& term);
  int64_t ListEdge(const Term& term) const;
  int64_t PopulationEdge(const Term& term) const;
  int64_t PresenceEdge(const Term& term);
  bool Truth(const Term& term);
  const Vector& Value(const Term& term);
  std::optional<int64_t> IntOf(const Term& term);
  int64_t ToEdge(int128 instant) const;

  // edge_comparison.cc
  int64_t ComparisonEdge(const Term& term);
  int64_t BetweenEdge(const Term& term);
  int64_t InEdge(const Term& term);
  std::optional<Held> Compare(const Term& left, Op op, const Term& right);
  std::optional<Held> CompareSums(const Term& left, Op op, const Term& right);
  std::optional<Held> CompareCounted(const Term& counted, Op op, const Term& other);
  std::optional<Held> CompareDecay(const Term& left, Op op, const Term& right);
  Held HeldIn(const Term& counted, const IntervalSet& set);
  Held HeldWhile(int128 from, int128 until, int64_t operands) const;

  // edge_clock.cc
  ClockSum SumOf(const Term& term);
  ClockSum BottomOf(const Term& term);
  ClockSum LeafOf(const Term& term);
  ClockSum Added(const Term& term, const ClockSum& a, const ClockSum& b) const;
  ClockSum Within(Type type, ClockSum sum) const;
  static int64_t AbsentUntil(const ClockSum& a, const ClockSum& b);
  int64_t SumPresenceEdge(const ClockSum& sum) const;
  int64_t CalendarEdge(const Term& term, const IntervalSet* test = nullptr);
  int64_t AgeEdge(const Term& term);
  int64_t AgeEdgeAbove(const Term& term, int64_t units);
  const Zone* ZoneOf(const Zone* fixed, const Term* zone_term);

  // edge_aggregate.cc
  Shown EventsOf(const Term& aggregate);
  template <class Visit>
  void ForEachEventType(const Term& aggregate, const Visit& visit) const;
  void AddSpan(const Term& aggregate, EventTypeId type, int64_t from_us, int64_t to_us, Shown* shown) const;
  void SetBoundary(const Window& window, const Zone& zone, Shown* shown) const;
  int64_t AggregateEdge(const Term& term);
  int64_t EventsEdge(const Shown& shown) const;
  int64_t EndsEdge(const Term& term, const Shown& shown);
  int64_t DecayEdge(const Term& term, const Shown& shown);
  int64_t CountEdgeOutside(const Term& term, int64_t count, const RawInterval& range);
  std::vector<int64_t> TimesOf(const Term& term, const EventPiece& piece, bool newest, int64_t n);
  int64_t NthLeaving(const Term& term, const Shown& shown, int64_t n);
  int64_t NthEntering(const Term& term, const Shown& shown, int64_t n);
  int64_t LeavingOf(const Span& span, int64_t time_us) const;
  int64_t EnteringOf(const Span& span, int64_t time_us) const;

  VectorMachine* machine_;
  const ShardView& view_;
  // Of the call that is under way.
  Row row_;
  int64_t now_ = 0;
  absl::flat_hash_map<const Term*, int64_t> edges_;  // of shared definitions
  absl::flat_hash_map<const Term*, ClockSum> sums_;  // of shared definitions
  absl::flat_hash_map<const Term*, bool> truths_;
};

}  // namespace korrel
