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
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "index/evaluation/vector_machine.h"

namespace korrel {

class AggregateFolder {
 public:
  AggregateFolder(VectorMachine* machine, const Term& term);
  // Rows only. Makes the batch smaller where the budget is used up.
  void Evaluate(Batch* batch, const uint8_t* active, Vector* out);

 private:
  // The events of one history that the window shows.
  struct Piece {
    const EventHistory* history;
    const PropertyDictionaries* properties;
    uint32_t begin, end;
  };
  struct TimeRange {
    int64_t from_us, to_us;  // [from, to)
  };
  // A run of events after `where` and the argument: which count, and their values.
  struct Run {
    size_t size;
    const uint8_t* taken;    // null: all
    const Vector* argument;  // null: events are counted
    bool Takes(size_t i) const { return (!taken || taken[i]) && (!argument || argument->present[i]); }
  };

  TimeRange RangeIn(const Zone& zone) const;
  std::optional<TimeRange> RangeOf(const Vector* zone_names, size_t i);
  void FindPieces(Row row, TimeRange range);
  void AddPiece(Row row, EventTypeId type, TimeRange range);
  Run ReadRun(const Piece& piece, uint32_t begin, uint32_t end);
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
  uint64_t EventsInPieces() const;

  VectorMachine* machine_;
  const Term& term_;
  const Aggregate aggregate_;
  const Term* argument_;  // null: events are counted
  std::vector<Piece> pieces_;
  std::vector<uint8_t> taken_;
};

}  // namespace korrel
