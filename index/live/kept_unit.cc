#include "index/live/kept_families.h"

namespace korrel {
namespace {

uint64_t Sum(std::span<const PieceMove> pieces, EventRange PieceMove::*range) {
  uint64_t events = 0;
  for (const PieceMove& piece : pieces) events += (piece.*range).size();
  return events;
}

}  // namespace

uint64_t Move::left() const { return Sum(pieces, &PieceMove::left); }
uint64_t Move::entered() const { return Sum(pieces, &PieceMove::entered); }
uint64_t Move::inside() const { return Sum(pieces, &PieceMove::window); }

KeptColumn::KeptColumn(ProfileTable* table, std::optional<AttributeId> attribute, Type type)
    : table_(table), attribute_(attribute.value_or(AttributeId(UINT32_MAX))), type_(type) {
  if (attribute) table_->GetOrAddComputed(attribute_, type_);
  else own_ = std::make_unique<AttributeColumn>(attribute_, type_);
}

bool KeptColumn::Put(Row row, const Value& value) {
  if (get().Holds(row, value)) return false;
  auto put = [&](const Value& v) { return own_ ? own_->Set(row, v, nullptr) : table_->SetComputed(row, attribute_, type_, v); };
  // A dictionary that takes no more strings: absent rather than the value of before.
  if (!put(value).ok()) (void)put({}).ok();
  return true;
}

std::span<const EventPiece> KeptUnit::Inside(const Move& move) {
  pieces_.clear();
  for (const PieceMove& piece : move.pieces) {
    if (!piece.window.empty()) pieces_.push_back(piece.Piece(piece.window));
  }
  return pieces_;
}

const Vector& KeptUnit::Fold(const Move& move) {
  shared_->machine->NewBatch(false);
  AggregateFolder(shared_->machine, *term_).FoldPieces(Inside(move), &folded_);
  return folded_;
}

std::optional<DecayState> KeptUnit::FoldDecay(const Move& move) {
  return AggregateFolder(shared_->machine, *term_).DecayOfPieces(Inside(move));
}

bool ColumnUnit::Fill(const Move& move) { return column_.Put(move.row, ValueAt(Fold(move), column_.type(), 0)); }

bool KeptUnit::TakesAny(const Move& move, EventRange PieceMove::*range) {
  bool any = false;
  for (const PieceMove& piece : move.pieces) {
    if (!any) ForEachTaken(piece, piece.*range, [&](const EventRun&, size_t, uint32_t) { return !(any = true); });
  }
  return any;
}

Value ValueOfRaw(Type type, int64_t raw) {
  switch (type.kind) {
    case ValueKind::kBool:
      return raw != 0;
    case ValueKind::kDecimal:
      return Decimal{raw, type.scale};
    case ValueKind::kTimestamp:
      return Timestamp{raw};
    default:
      return raw;
  }
}

std::unique_ptr<KeptUnit> MakeKeptUnit(const AggregateUnit& unit, KeptUnit::Shared* shared) {
  switch (unit.term->node->aggregate) {
    case Aggregate::kMin:
    case Aggregate::kMax:
    case Aggregate::kFirstSeen:
    case Aggregate::kLastSeen:
      return MakeExtremeUnit(unit, shared);
    case Aggregate::kFirst:
    case Aggregate::kLast:
      return MakeEndUnit(unit, shared);
    case Aggregate::kUniqueCount:
    case Aggregate::kMostFrequent:
      return MakeDistinctUnit(unit, shared);
    case Aggregate::kDaysActive:
    case Aggregate::kSessions:
      return MakeRunsUnit(unit, shared);
    case Aggregate::kDecayedCount:
    case Aggregate::kDecayedSum:
      return MakeDecayUnit(unit, shared);
    default:
      return MakeSumUnit(unit, shared);
  }
}

}  // namespace korrel
