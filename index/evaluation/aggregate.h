// index/evaluation/aggregate.h
//
// AggregateFolder computes one aggregate for the rows of a batch from their event histories: it finds the visible events of the
// window by binary search, evaluates `where` and the argument for runs of events, and folds.
//
// Cost  count, first_seen and last_seen without `where`: two binary searches. last reads from the end, first from the beginning,
//       until they have found one. Everything else: one pass over the window.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "index/evaluation/event_runs.h"
#include "index/evaluation/vector_machine.h"

namespace korrel {

// `any` stands for all event types but the engine's own.
bool InAny(const EventTypeSchema& type);

class AggregateFolder {
 public:
  AggregateFolder(VectorMachine* machine, const Term& term);
  // Rows only. Makes the batch smaller where the budget is used up.
  void Evaluate(Batch* batch, const uint8_t* active, Vector* out);
  // The same for one item over the given events instead of those the window shows; its zone is fixed. Pieces are in order of event type.
  void FoldPieces(std::span<const EventPiece> pieces, Vector* out);
  // Of a decayed aggregate that is not kept; nullopt: over nothing.
  std::optional<DecayState> DecayOf(Row row);
  std::optional<DecayState> DecayOfPieces(std::span<const EventPiece> pieces);

 private:
  using Piece = EventPiece;  // the events of one history that the window shows
  using Run = EventRun;
  void FindPieces(Row row, TimeRange range);
  void AddPiece(Row row, EventTypeId type, TimeRange range);
  // Calls fold(run, first event) for runs in event order until it returns false; backwards: for runs from the newest on.
  template <class Fold>
  void ForEachRun(const Piece& piece, bool backwards, const Fold& fold);

  void FoldRow(const Zone* zone, Vector* out, size_t i);
  void Count(Vector* out, size_t i);
  void Sum(Vector* out, size_t i);
  void Extreme(Vector* out, size_t i);
  void FirstOrLast(Vector* out, size_t i);
  void Seen(Vector* out, size_t i);
  void Distinct(Vector* out, size_t i);
  void DistinctTexts(Vector* out, size_t i);
  void DaysActive(const Zone& zone, Vector* out, size_t i);
  void Sessions(Vector* out, size_t i);
  void Decayed(Row row, Vector* out, size_t i);
  std::optional<DecayState> FoldDecay();
  std::vector<int64_t> TimesTaken();
  uint64_t EventsInPieces() const;

  VectorMachine* machine_;
  const Term& term_;
  const Aggregate aggregate_;
  const Term* argument_;  // null: events are counted
  std::vector<Piece> pieces_;
  EventRuns runs_;
};

}  // namespace korrel
