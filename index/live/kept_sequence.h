// index/live/kept_sequence.h
//
// KeptSequence keeps the truth of one `did … then …` for the rows of a shard, and the instant at which it is to be asked again. It is
// answered from the events whenever one of its event types moved.
//
// Threads  As AggregateKeeper.
#pragma once

#include "index/live/kept_unit.h"
#include "storage/narrow_column.h"

namespace korrel {

class KeptSequence final : public ColumnUnit {
 public:
  using ColumnUnit::ColumnUnit;

  bool Reads(const EventTypeSchema& type) const;
  // Whether the truth is another than before.
  bool AnswerAgain(Row row);
  bool AnswerWithoutOldest(Row row, EventTypeId type, uint32_t count);
  // No later than the next instant at which the truth changes by time alone; kNever.
  int64_t EdgeOf(Row row) const { return has_edge_.Test(row) ? edges_.Get(row) : kNever; }

  bool Fill(const Move& move) override { return Answer(move.row, EventTypeId(), 0); }
  void Forget(Row row) override;
  size_t MemoryBytes() const override { return column_.MemoryBytes() + edges_.MemoryBytes() + has_edge_.MemoryBytes(); }

 private:
  bool BringForward(const Move& move) override { return FillAgain(move); }
  bool Answer(Row row, EventTypeId hidden_type, uint32_t hidden);

  NarrowColumn edges_;
  RowBits has_edge_;
};

}  // namespace korrel
