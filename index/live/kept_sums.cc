// count, sum and avg. Of ints and decimals what left is taken out again; of doubles the value is the fold in the order of the events,
// which only a newest event carries on.
#include "index/evaluation/exact.h"
#include "index/live/kept_families.h"
#include "storage/narrow_column.h"

namespace korrel {
namespace {

class CountUnit final : public ColumnUnit {
 public:
  using ColumnUnit::ColumnUnit;

 private:
  bool BringForward(const Move& move) override {
    int64_t count = column_.get().RawInt(move.row);
    for (const PieceMove& piece : move.pieces) count += CountOf(piece, piece.entered) - CountOf(piece, piece.left);
    return column_.Put(move.row, count);
  }
  int64_t CountOf(const PieceMove& piece, EventRange range) {
    if (Runs().TakesAll()) return range.size();
    int64_t count = 0;
    ForEachTaken(piece, range, [&](const EventRun&, size_t, uint32_t) { return ++count > 0; });
    return count;
  }
};

struct Total {
  int128 sum = 0;
  int64_t count = 0;
};

// Of ints or decimals.
class ExactUnit : public ColumnUnit {
 public:
  using ColumnUnit::ColumnUnit;

 protected:
  Total TotalIn(const PieceMove& piece, EventRange range) {
    Total total;
    ForEachTaken(piece, range, [&](const EventRun& run, size_t i, uint32_t) {
      total.sum += run.argument->ints[i];
      ++total.count;
      return true;
    });
    return total;
  }
};

// A sum that does not fit is absent, and then the events alone know it.
class SumUnit final : public ExactUnit {
 public:
  using ExactUnit::ExactUnit;

 private:
  bool BringForward(const Move& move) override {
    if (!column_.get().Has(move.row)) return FillAgain(move);
    int128 sum = column_.get().RawInt(move.row);
    for (const PieceMove& piece : move.pieces) {
      sum += TotalIn(piece, piece.entered).sum;
      sum -= TotalIn(piece, piece.left).sum;
    }
    const std::optional<int64_t> fit = exact::Fit(sum);
    return column_.Put(move.row, fit ? ValueOfRaw(column_.type(), *fit) : Value());
  }
};

// Keeps sum and count beside the quotient.
class AverageUnit final : public ExactUnit {
 public:
  using ExactUnit::ExactUnit;
  bool Fill(const Move& move) override {
    Total total;
    for (const PieceMove& piece : move.pieces) Add(TotalIn(piece, piece.window), 1, &total);
    return Keep(move.row, total);
  }
  size_t MemoryBytes() const override {
    return column_.MemoryBytes() + sums_.MemoryBytes() + counts_.MemoryBytes() + too_large_.MemoryBytes();
  }

 private:
  bool BringForward(const Move& move) override {
    if (too_large_.Test(move.row)) return FillAgain(move);
    Total total{sums_.Get(move.row), counts_.Get(move.row)};
    for (const PieceMove& piece : move.pieces) {
      Add(TotalIn(piece, piece.entered), 1, &total);
      Add(TotalIn(piece, piece.left), -1, &total);
    }
    return Keep(move.row, total);
  }
  static void Add(const Total& part, int sign, Total* total) {
    total->sum += sign * part.sum;
    total->count += sign * part.count;
  }
  bool Keep(Row row, const Total& total) {
    const std::optional<int64_t> fit = exact::Fit(total.sum);
    if (fit) too_large_.Clear(row);
    else too_large_.Set(row);
    sums_.Set(row, fit.value_or(0));
    counts_.Set(row, total.count);
    if (total.count == 0) return column_.Put(row, {});
    const std::optional<double> average = exact::Finite(ExactQuotient(total.sum, term().inputs[0]->type.scale, total.count, 0));
    return column_.Put(row, average ? Value(*average) : Value());
  }

  NarrowColumn sums_, counts_;
  RowBits too_large_;  // rows whose sum does not fit
};

// The left fold of doubles; what is not finite stays so as long as events are only added.
class DoubleSumUnit final : public ColumnUnit {
 public:
  using ColumnUnit::ColumnUnit;

 private:
  bool BringForward(const Move& move) override {
    if (TakesAny(move, &PieceMove::left)) return FillAgain(move);
    if (!move.newest) return TakesAny(move, &PieceMove::entered) && FillAgain(move);
    if (!column_.get().Has(move.row)) return false;
    double fold = column_.get().RawDouble(move.row);
    for (const PieceMove& piece : move.pieces) {
      ForEachTaken(piece, piece.entered, [&](const EventRun& run, size_t i, uint32_t) {
        fold += run.argument->doubles[i];
        return true;
      });
    }
    const std::optional<double> finite = exact::Finite(fold);
    return column_.Put(move.row, finite ? Value(*finite) : Value());
  }
};

class DoubleAverageUnit final : public ColumnUnit {
 public:
  DoubleAverageUnit(const AggregateUnit& unit, Shared* shared)
      : ColumnUnit(unit, shared), folds_(shared->table, std::nullopt, kDoubleType) {}
  bool Fill(const Move& move) override {
    double fold = 0;
    int64_t count = 0;
    for (const PieceMove& piece : move.pieces) Add(piece, piece.window, &fold, &count);
    return Keep(move.row, fold, count);
  }
  void Forget(Row row) override {
    ColumnUnit::Forget(row);
    folds_.Put(row, {});
  }
  size_t MemoryBytes() const override { return column_.MemoryBytes() + folds_.MemoryBytes() + counts_.MemoryBytes(); }

 private:
  bool BringForward(const Move& move) override {
    if (TakesAny(move, &PieceMove::left)) return FillAgain(move);
    if (!move.newest) return TakesAny(move, &PieceMove::entered) && FillAgain(move);
    double fold = folds_.get().RawDouble(move.row);
    int64_t count = counts_.Get(move.row);
    for (const PieceMove& piece : move.pieces) Add(piece, piece.entered, &fold, &count);
    return Keep(move.row, fold, count);
  }
  void Add(const PieceMove& piece, EventRange range, double* fold, int64_t* count) {
    ForEachTaken(piece, range, [&](const EventRun& run, size_t i, uint32_t) {
      *fold += run.argument->doubles[i];
      ++*count;
      return true;
    });
  }
  bool Keep(Row row, double fold, int64_t count) {
    folds_.Put(row, fold);
    counts_.Set(row, count);
    if (count == 0) return column_.Put(row, {});
    const std::optional<double> average = exact::Finite(fold / static_cast<double>(count));
    return column_.Put(row, average ? Value(*average) : Value());
  }

  KeptColumn folds_;  // perhaps not finite
  NarrowColumn counts_;
};

}  // namespace

std::unique_ptr<KeptUnit> MakeSumUnit(const AggregateUnit& unit, KeptUnit::Shared* shared) {
  const Aggregate aggregate = unit.term->node->aggregate;
  if (aggregate == Aggregate::kCount) return std::make_unique<CountUnit>(unit, shared);
  const bool doubles = unit.term->inputs[0]->type.kind == ValueKind::kDouble;
  if (aggregate == Aggregate::kSum && doubles) return std::make_unique<DoubleSumUnit>(unit, shared);
  if (aggregate == Aggregate::kSum) return std::make_unique<SumUnit>(unit, shared);
  if (doubles) return std::make_unique<DoubleAverageUnit>(unit, shared);
  return std::make_unique<AverageUnit>(unit, shared);
}

}  // namespace korrel
