// decayed_count and decayed_sum: the fold and the time of its newest event. A newest event is folded in; what comes late or leaves makes
// the fold another one.
#include <algorithm>
#include <bit>

#include "index/evaluation/decay.h"
#include "index/evaluation/promotion.h"
#include "index/live/kept_families.h"
#include "storage/narrow_column.h"

namespace korrel {
namespace {

class DecayUnit final : public KeptUnit {
 public:
  DecayUnit(const AggregateUnit& unit, Shared* shared) : KeptUnit(unit, shared), sums_(shared->table, std::nullopt, kDoubleType) {}

  bool Fill(const Move& move) override { return Keep(move.row, FoldDecay(move)); }
  void Forget(Row row) override { sums_.Put(row, {}); }
  const AttributeColumn* column() const override { return nullptr; }
  std::optional<DecayState> Decay(Row row) const override {
    if (!sums_.get().Has(row)) return std::nullopt;
    return DecayState{sums_.get().RawDouble(row), times_.Get(row)};
  }
  size_t MemoryBytes() const override { return sums_.MemoryBytes() + times_.MemoryBytes(); }

 private:
  struct Part {
    int64_t time_us;
    double x;
  };

  bool BringForward(const Move& move) override {
    if (TakesAny(move, &PieceMove::left)) return FillAgain(move);
    if (!move.newest) return TakesAny(move, &PieceMove::entered) && FillAgain(move);
    std::optional<DecayState> state = Decay(move.row);
    for (const Part& part : PartsThatEntered(move)) state = DecayAfter(state, *term().node->half_life_us, part.time_us, part.x);
    return Keep(move.row, state);
  }
  std::vector<Part> PartsThatEntered(const Move& move) {
    std::vector<Part> parts;
    for (const PieceMove& piece : move.pieces) {
      ForEachTaken(piece, piece.entered, [&](const EventRun& run, size_t i, uint32_t index) {
        parts.push_back({piece.history->TimeOf(index), run.argument ? ToDouble(*run.argument, term().inputs[0]->type, i) : 1});
        return true;
      });
    }
    // Of several histories events are only counted, so that the order of those of one instant does not show.
    if (move.pieces.size() > 1)
      std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.time_us < b.time_us; });
    return parts;
  }

  bool Keep(Row row, const std::optional<DecayState>& state) {
    const std::optional<DecayState> before = Decay(row);
    if (before.has_value() == state.has_value() && (!state || IsSame(*before, *state))) return false;
    if (state) times_.Set(row, state->time_us);
    sums_.Put(row, state ? Value(state->s) : Value());
    return true;
  }
  static bool IsSame(const DecayState& a, const DecayState& b) {
    return a.time_us == b.time_us && std::bit_cast<uint64_t>(a.s) == std::bit_cast<uint64_t>(b.s);
  }

  KeptColumn sums_;  // perhaps not finite; nothing: over nothing
  NarrowColumn times_;
};

}  // namespace

std::unique_ptr<KeptUnit> MakeDecayUnit(const AggregateUnit& unit, KeptUnit::Shared* shared) {
  return std::make_unique<DecayUnit>(unit, shared);
}

}  // namespace korrel
