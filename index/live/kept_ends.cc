// first and last: the value of one event. Which one it is shows in the order of the events, so that nothing but the value is kept; when it
// left, the next one is looked for from the same end.
#include "index/live/kept_families.h"

namespace korrel {
namespace {

class EndUnit final : public ColumnUnit {
 public:
  EndUnit(const AggregateUnit& unit, Shared* shared) : ColumnUnit(unit, shared), last_(unit.term->node->aggregate == Aggregate::kLast) {}

 private:
  // An argument is of one event type, so there is one history.
  bool BringForward(const Move& move) override {
    if (move.pieces.empty()) return false;
    const PieceMove& piece = move.pieces[0];
    const bool had = column_.get().Has(move.row);
    if (last_) {
      if (const std::optional<Value> value = EndOf(piece, piece.entered)) return PutUnlessBehind(move, piece, *value, had);
      // Only where it held the value; that it did not shows in one that stayed.
      return had && TakesAny(move, &PieceMove::left) && PutEnd(move, piece);
    }
    if (had && TakesAny(move, &PieceMove::left)) return PutEnd(move, piece);
    if (had && move.newest) return false;
    const std::optional<Value> value = EndOf(piece, piece.entered);
    return value && PutUnlessBehind(move, piece, *value, had);
  }
  // The value of an event that entered, unless another stands nearer to the end.
  bool PutUnlessBehind(const Move& move, const PieceMove& piece, const Value& value, bool had) {
    const EventRange nearer = last_ ? EventRange{piece.entered.end, piece.window.end} : EventRange{piece.window.begin, piece.entered.begin};
    if (had && EndOf(piece, nearer)) return false;
    return column_.Put(move.row, value);
  }
  bool PutEnd(const Move& move, const PieceMove& piece) { return column_.Put(move.row, EndOf(piece, piece.window).value_or(Value())); }

  // The value nearest to the end of the range, if one of its events counts.
  std::optional<Value> EndOf(const PieceMove& piece, EventRange range) {
    std::optional<Value> value;
    uint32_t looked_at = 0;
    ForEachTaken(
        piece, range,
        [&](const EventRun& run, size_t i, uint32_t index) {
          value = ValueAt(*run.argument, column_.type(), i);
          looked_at = last_ ? range.end - index : index - range.begin;
          return false;
        },
        last_);
    if (!value) looked_at = range.size();
    if (looked_at > EventRuns::kRunEvents) ++shared_->passes;
    return value;
  }

  const bool last_;
};

}  // namespace

std::unique_ptr<KeptUnit> MakeEndUnit(const AggregateUnit& unit, KeptUnit::Shared* shared) {
  return std::make_unique<EndUnit>(unit, shared);
}

}  // namespace korrel
