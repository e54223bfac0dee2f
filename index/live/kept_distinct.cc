// unique_count and most_frequent: read again while the window is small, above that from counts per value. In a small window a single value
// that comes or goes is looked for among the others: mostly it is found soon.
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "index/live/kept_families.h"

namespace korrel {
namespace {

// Events in a window above which values are counted, and below which the counts are given up again.
constexpr uint64_t kCountAbove = 1'024;
constexpr uint64_t kGiveUpBelow = kCountAbove / 2;

// How often each value occurs; the most frequent one, the smallest among equals.
template <class Key>
class ValueCounts {
 public:
  explicit ValueCounts(bool ranked) : ranked_(ranked) {}

  void Add(const Key& key) {
    auto [it, fresh] = counts_.try_emplace(key, 0);
    if (fresh) text_bytes_ += BytesOf(key);
    Rank(key, it->second, it->second + 1);
    ++it->second;
  }
  void Remove(const Key& key) {
    auto it = counts_.find(key);
    if (it == counts_.end()) return;
    Rank(key, it->second, it->second - 1);
    if (--it->second > 0) return;
    text_bytes_ -= BytesOf(key);
    counts_.erase(it);
  }
  size_t size() const { return counts_.size(); }
  const Key& most_frequent() const { return ranks_.begin()->second; }
  size_t MemoryBytes() const {
    return sizeof(*this) + counts_.capacity() * (sizeof(std::pair<Key, uint32_t>) + 1) + ranks_.size() * sizeof(std::pair<uint32_t, Key>) +
           text_bytes_ * (ranked_ ? 2 : 1);
  }

 private:
  static size_t BytesOf(const Key& key) {
    if constexpr (std::is_same_v<Key, std::string>) return key.capacity() > 15 ? key.capacity() + 1 : 0;
    return 0;
  }
  void Rank(const Key& key, uint32_t before, uint32_t after) {
    if (!ranked_) return;
    if (before > 0) ranks_.erase({UINT32_MAX - before, key});
    if (after > 0) ranks_.emplace(UINT32_MAX - after, key);
  }

  const bool ranked_;
  absl::flat_hash_map<Key, uint32_t> counts_;
  absl::btree_set<std::pair<uint32_t, Key>> ranks_;  // most frequent first, then ascending
  size_t text_bytes_ = 0;
};

template <class Key>
class DistinctUnit final : public ColumnUnit {
 public:
  DistinctUnit(const AggregateUnit& unit, Shared* shared)
      : ColumnUnit(unit, shared), ranked_(unit.term->node->aggregate == Aggregate::kMostFrequent) {}

  bool Fill(const Move& move) override {
    Drop(move.row);
    if (move.inside() <= kCountAbove) return ColumnUnit::Fill(move);
    auto counts = std::make_unique<ValueCounts<Key>>(ranked_);
    for (const PieceMove& piece : move.pieces) ForEachKey(piece, piece.window, [&](const Key& key) { counts->Add(key); });
    bytes_ += counts->MemoryBytes();
    const ValueCounts<Key>& kept = *counts_.emplace(move.row, std::move(counts)).first->second;
    return PutFrom(kept, move.row);
  }
  void Forget(Row row) override {
    Drop(row);
    ColumnUnit::Forget(row);
  }
  size_t MemoryBytes() const override { return column_.MemoryBytes() + counts_.capacity() * (sizeof(Row) + sizeof(void*) + 1) + bytes_; }

 private:
  bool BringForward(const Move& move) override {
    if (!TakesAny(move, &PieceMove::left) && !TakesAny(move, &PieceMove::entered)) return false;
    auto it = counts_.find(move.row);
    if (it == counts_.end() && !ranked_ && move.inside() <= kCountAbove && move.left() + move.entered() == 1) return CountOne(move);
    if (it == counts_.end() || move.inside() < kGiveUpBelow) return FillAgain(move);
    ValueCounts<Key>& counts = *it->second;
    bytes_ -= counts.MemoryBytes();
    for (const PieceMove& piece : move.pieces) {
      ForEachKey(piece, piece.left, [&](const Key& key) { counts.Remove(key); });
      ForEachKey(piece, piece.entered, [&](const Key& key) { counts.Add(key); });
    }
    bytes_ += counts.MemoryBytes();
    return PutFrom(counts, move.row);
  }
  // One event that counts came or went: whether its value occurs beside it.
  bool CountOne(const Move& move) {
    std::optional<Key> key;
    bool occurs = false;
    for (const PieceMove& piece : move.pieces) {
      for (EventRange range : {piece.left, piece.entered}) ForEachKey(piece, range, [&](const Key& moved) { key = moved; });
    }
    for (const PieceMove& piece : move.pieces) {
      const bool entered = !piece.entered.empty();
      const EventRange before{piece.window.begin, entered ? piece.entered.begin : piece.window.end};
      occurs =
          occurs || Occurs(piece, before, *key, entered) || (entered && Occurs(piece, {piece.entered.end, piece.window.end}, *key, false));
    }
    if (occurs) return false;
    return column_.Put(move.row, column_.get().RawInt(move.row) + (move.entered() > 0 ? 1 : -1));
  }
  bool Occurs(const PieceMove& piece, EventRange range, const Key& key, bool backwards) {
    uint32_t looked_at = 0;
    bool occurs = false;
    ForEachTaken(
        piece, range,
        [&](const EventRun& run, size_t i, uint32_t) {
          ++looked_at;
          return !(occurs = KeyOf(run, i) == key);
        },
        backwards);
    if (looked_at > EventRuns::kRunEvents) ++shared_->passes;
    return occurs;
  }
  static auto KeyOf(const EventRun& run, size_t i) {
    if constexpr (std::is_same_v<Key, std::string>) return run.argument->texts[i];
    else if constexpr (std::is_same_v<Key, double>) return run.argument->doubles[i];
    else return run.argument->ints[i];
  }
  template <class Visit>
  void ForEachKey(const PieceMove& piece, EventRange range, const Visit& visit) {
    ForEachTaken(piece, range, [&](const EventRun& run, size_t i, uint32_t) {
      visit(Key(KeyOf(run, i)));
      return true;
    });
  }
  bool PutFrom(const ValueCounts<Key>& counts, Row row) {
    if (!ranked_) return column_.Put(row, static_cast<int64_t>(counts.size()));
    if (counts.size() == 0) return column_.Put(row, {});
    if constexpr (std::is_same_v<Key, int64_t>) return column_.Put(row, ValueOfRaw(column_.type(), counts.most_frequent()));
    else return column_.Put(row, counts.most_frequent());
  }
  void Drop(Row row) {
    auto it = counts_.find(row);
    if (it == counts_.end()) return;
    bytes_ -= it->second->MemoryBytes();
    counts_.erase(it);
  }

  const bool ranked_;
  absl::flat_hash_map<Row, std::unique_ptr<ValueCounts<Key>>> counts_;  // of rows with large windows
  size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<KeptUnit> MakeDistinctUnit(const AggregateUnit& unit, KeptUnit::Shared* shared) {
  switch (unit.term->inputs[0]->type.kind) {
    case ValueKind::kString:
      return std::make_unique<DistinctUnit<std::string>>(unit, shared);
    case ValueKind::kDouble:
      return std::make_unique<DistinctUnit<double>>(unit, shared);
    default:
      return std::make_unique<DistinctUnit<int64_t>>(unit, shared);
  }
}

}  // namespace korrel
