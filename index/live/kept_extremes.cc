// min and max; first_seen and last_seen, which are the least and greatest time. What enters is compared; the events are read again when
// one that left held the value, and no further than to another that holds it.
#include "index/live/kept_families.h"

namespace korrel {
namespace {

// The argument of an event, T being how it is held.
template <class T>
auto ItemOf(const Vector& vector, size_t i) {
  if constexpr (std::is_same_v<T, double>) return vector.doubles[i];
  else if constexpr (std::is_same_v<T, std::string>) return vector.texts[i];
  else return vector.ints[i];
}

class ExtremeUnit final : public ColumnUnit {
 public:
  ExtremeUnit(const AggregateUnit& unit, Shared* shared)
      : ColumnUnit(unit, shared), smallest_(unit.term->node->aggregate == Aggregate::kMin) {}

 private:
  bool BringForward(const Move& move) override {
    switch (column_.type().kind) {
      case ValueKind::kDouble:
        return Bring<double>(move);
      case ValueKind::kString:
        return Bring<std::string>(move);
      default:
        return Bring<int64_t>(move);
    }
  }

  template <class T>
  bool Bring(const Move& move) {
    const std::optional<T> held = Held<T>(move.row);
    std::optional<T> best;
    for (const PieceMove& piece : move.pieces) FindBest(piece, piece.entered, &best);
    // Everything else inside is no better than what was held.
    if (best && (!held || !Better(*held, *best))) return Put(move.row, *best);
    if (!held || !Leaves(move, *held)) return false;
    return ReadAgain(move, *held);
  }

  template <class A, class B>
  bool Better(const A& a, const B& b) const {
    return smallest_ ? a < b : b < a;
  }
  template <class T>
  std::optional<T> Held(Row row) const {
    const AttributeColumn& column = column_.get();
    if (!column.Has(row)) return std::nullopt;
    if constexpr (std::is_same_v<T, double>) return column.RawDouble(row);
    else if constexpr (std::is_same_v<T, std::string>) return std::string(column.Text(row));
    else return column.RawInt(row);
  }
  template <class T>
  bool Put(Row row, const T& item) {
    if constexpr (std::is_same_v<T, int64_t>) return column_.Put(row, ValueOfRaw(column_.type(), item));
    else return column_.Put(row, item);
  }

  template <class T>
  void FindBest(const PieceMove& piece, EventRange range, std::optional<T>* best) {
    ForEachTaken(piece, range, [&](const EventRun& run, size_t i, uint32_t) {
      const auto item = ItemOf<T>(*run.argument, i);
      if (!*best || Better(item, **best)) *best = T(item);
      return true;
    });
  }
  // Whether a taken event of the range holds the item.
  template <class T>
  bool Holds(const PieceMove& piece, EventRange range, const T& wanted) {
    bool holds = false;
    ForEachTaken(piece, range, [&](const EventRun& run, size_t i, uint32_t) {
      holds = ItemOf<T>(*run.argument, i) == wanted;
      return !holds;
    });
    return holds;
  }
  template <class T>
  bool Leaves(const Move& move, const T& held) {
    return std::any_of(move.pieces.begin(), move.pieces.end(), [&](const PieceMove& piece) { return Holds(piece, piece.left, held); });
  }

  template <class T>
  bool ReadAgain(const Move& move, const T& held) {
    ++shared_->passes;
    std::optional<T> best;
    for (const PieceMove& piece : move.pieces) {
      ForEachTaken(piece, piece.window, [&](const EventRun& run, size_t i, uint32_t) {
        const auto item = ItemOf<T>(*run.argument, i);
        if (!best || Better(item, *best)) best = T(item);
        return *best != held;  // nothing inside is better
      });
    }
    return best ? Put(move.row, *best) : column_.Put(move.row, {});
  }

  const bool smallest_;
};

class SeenUnit final : public ColumnUnit {
 public:
  SeenUnit(const AggregateUnit& unit, Shared* shared)
      : ColumnUnit(unit, shared), first_(unit.term->node->aggregate == Aggregate::kFirstSeen) {}

 private:
  bool BringForward(const Move& move) override {
    const AttributeColumn& column = column_.get();
    std::optional<int64_t> seen;
    if (column.Has(move.row)) seen = column.RawInt(move.row);
    for (const PieceMove& piece : move.pieces) {
      const std::optional<int64_t> left = TimeIn(piece, piece.left, !first_);
      // Where every event counts, the next one stands at the end of the window.
      if (left && left == seen) return Runs().TakesAll() ? Fill(move) : FillAgain(move);
    }
    for (const PieceMove& piece : move.pieces) {
      const std::optional<int64_t> time = TimeIn(piece, piece.entered, !first_);
      if (time) seen = !seen ? *time : first_ ? std::min(*seen, *time) : std::max(*seen, *time);
    }
    return column_.Put(move.row, seen ? Value(Timestamp{*seen}) : Value());
  }
  // The time of the first (backwards: the last) event of the range that counts.
  std::optional<int64_t> TimeIn(const PieceMove& piece, EventRange range, bool backwards) {
    std::optional<int64_t> time;
    ForEachTaken(
        piece, range,
        [&](const EventRun&, size_t, uint32_t index) {
          time = piece.history->TimeOf(index);
          return false;
        },
        backwards);
    return time;
  }

  const bool first_;
};

}  // namespace

std::unique_ptr<KeptUnit> MakeExtremeUnit(const AggregateUnit& unit, KeptUnit::Shared* shared) {
  const Aggregate aggregate = unit.term->node->aggregate;
  if (aggregate == Aggregate::kMin || aggregate == Aggregate::kMax) return std::make_unique<ExtremeUnit>(unit, shared);
  return std::make_unique<SeenUnit>(unit, shared);
}

}  // namespace korrel
