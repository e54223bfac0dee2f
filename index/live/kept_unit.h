// index/live/kept_unit.h
//
// KeptUnit keeps the value of one aggregate for the rows of a shard: it is told which events left its window and which entered, and
// brings its column forward; where it cannot, it reads the window again. One class per family of aggregates, made by MakeKeptUnit:
//
//   kept_sums.cc      count, sum, avg
//   kept_extremes.cc  min, max, first_seen, last_seen, first, last
//   kept_distinct.cc  unique_count, most_frequent
//   kept_runs.cc      days_active, sessions
//   kept_decay.cc     decayed_count, decayed_sum
//
// Threads  As AggregateKeeper.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "index/evaluation/aggregate.h"
#include "index/live/aggregate_keeper.h"
#include "index/live/kept_window.h"

namespace korrel {

// What happened to one history under one window.
struct PieceMove {
  const EventHistory* history;
  const PropertyDictionaries* properties;
  EventRange left;     // were inside and are not any more; they stand before the window
  EventRange window;   // inside now
  EventRange entered;  // those of the window that were not inside before

  EventPiece Piece(EventRange range) const { return {history, properties, range.begin, range.end}; }
};

struct Move {
  Row row;
  std::span<const PieceMove> pieces;  // by event type
  bool newest;                        // what entered stands behind all that was inside

  uint64_t left() const;
  uint64_t entered() const;
  uint64_t inside() const;
};

// Values of one unit: a column of its own, or the table's of a computed attribute.
class KeptColumn {
 public:
  KeptColumn(ProfileTable* table, std::optional<AttributeId> attribute, Type type);
  const AttributeColumn& get() const { return own_ ? *own_ : *table_->column(attribute_); }
  Type type() const { return type_; }
  // Whether the value is another than before.
  bool Put(Row row, const Value& value);
  size_t MemoryBytes() const { return own_ ? own_->MemoryBytes() : 0; }

 private:
  ProfileTable* table_;
  AttributeId attribute_;
  Type type_;
  std::unique_ptr<AttributeColumn> own_;  // null: the table's
};

class KeptUnit {
 public:
  // What all units of a keeper share; outlives them.
  struct Shared {
    ProfileTable* table;
    VectorMachine* machine = nullptr;
    uint64_t passes = 0;
  };

  KeptUnit(const AggregateUnit& unit, Shared* shared) : shared_(shared), term_(unit.term) {}
  virtual ~KeptUnit() = default;
  KeptUnit(const KeptUnit&) = delete;
  KeptUnit& operator=(const KeptUnit&) = delete;

  // The same unit under another plan.
  void Rebind(const Term* term) { term_ = term; }
  const Term& term() const { return *term_; }

  // Works the value out from what is inside; whether it is another than before.
  virtual bool Fill(const Move& move) = 0;
  // Brings it from before the move to after; the same. Whatever the unit, a move of more events than stay inside is a Fill.
  bool Apply(const Move& move) { return move.left() + move.entered() >= move.inside() ? Fill(move) : BringForward(move); }
  virtual void Forget(Row row) = 0;
  virtual const AttributeColumn* column() const = 0;  // nullptr: it has none
  virtual std::optional<DecayState> Decay(Row) const { return std::nullopt; }
  virtual size_t MemoryBytes() const = 0;

 protected:
  virtual bool BringForward(const Move& move) = 0;
  bool FillAgain(const Move& move) {
    ++shared_->passes;
    return Fill(move);
  }
  EventRuns Runs() const { return EventRuns(shared_->machine, *term_); }
  // Calls visit(run, i, index) for the events of a range that count, in order (backwards: from the newest on), until it returns false.
  template <class Visit>
  void ForEachTaken(const PieceMove& piece, EventRange range, const Visit& visit, bool backwards = false);
  bool TakesAny(const Move& move, EventRange PieceMove::*range);
  // The value of the aggregate over all that is inside; texts live until the machine's next batch.
  const Vector& Fold(const Move& move);
  std::optional<DecayState> FoldDecay(const Move& move);

  Shared* const shared_;

 private:
  std::span<const EventPiece> Inside(const Move& move);

  const Term* term_;
  std::vector<EventPiece> pieces_;
  Vector folded_;
};

template <class Visit>
void KeptUnit::ForEachTaken(const PieceMove& piece, EventRange range, const Visit& visit, bool backwards) {
  EventRuns runs = Runs();
  const bool all = range.size() <= EventRuns::kFirstRunEvents;
  runs.ForEach(piece.Piece(range), backwards, all ? range.size() : EventRuns::kFirstRunEvents, [&](const EventRun& run, uint32_t begin) {
    for (size_t k = 0; k < run.size; ++k) {
      const size_t i = backwards ? run.size - 1 - k : k;
      if (run.Takes(i) && !visit(run, i, begin + static_cast<uint32_t>(i))) return false;
    }
    return true;
  });
}

// A unit whose state is its column.
class ColumnUnit : public KeptUnit {
 public:
  ColumnUnit(const AggregateUnit& unit, Shared* shared) : KeptUnit(unit, shared), column_(shared->table, unit.attribute, unit.term->type) {}
  bool Fill(const Move& move) override;
  void Forget(Row row) override { column_.Put(row, {}); }
  const AttributeColumn* column() const override { return &column_.get(); }
  size_t MemoryBytes() const override { return column_.MemoryBytes(); }

 protected:
  KeptColumn column_;
};

std::unique_ptr<KeptUnit> MakeKeptUnit(const AggregateUnit& unit, KeptUnit::Shared* shared);

}  // namespace korrel
