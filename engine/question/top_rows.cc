#include "engine/question/top_rows.h"

#include <algorithm>
#include <bit>

namespace korrel {
namespace {

bool ByKey(const RankedRow& a, const RankedRow& b) { return a.key < b.key; }

size_t BytesOf(const RankedRow& row) { return sizeof(RankKey) + row.key.text.capacity() + row.row.MemoryBytes(); }

}  // namespace

// Positive doubles order like their bits; of negative ones the larger bits are the smaller number.
int64_t OrderedBits(double x) {
  const int64_t bits = std::bit_cast<int64_t>(x);
  return bits ^ (bits >> 63 & INT64_MAX);
}

double FromOrderedBits(int64_t bits) { return std::bit_cast<double>(bits ^ (bits >> 63 & INT64_MAX)); }

RankKey RankOf(const ValueVector& column, size_t i, bool descending, ProfileId id) {
  RankKey key;
  key.id = id;
  key.falling_text = descending;
  key.absent = !column.present[i];
  if (key.absent) return key;
  switch (column.type.kind) {
    case ValueKind::kNone:
    case ValueKind::kSet:
      break;
    case ValueKind::kString:
      key.text = column.texts[i];
      break;
    case ValueKind::kDouble:
      key.number = OrderedBits(column.doubles[i]);
      break;
    default:
      key.number = column.ints[i];
      break;
  }
  if (descending) key.number = ~key.number;
  return key;
}

std::optional<RankKey> TopRows::Last() const {
  std::lock_guard lock(mutex_);
  if (heap_.size() < row_max_) return std::nullopt;
  return heap_.front().key;
}

bool TopRows::Offer(std::vector<RankedRow>* rows) {
  std::lock_guard lock(mutex_);
  for (RankedRow& row : *rows) {
    if (bytes_ > kTopBytesMax) break;
    if (heap_.size() == row_max_) {
      if (!(row.key < heap_.front().key)) continue;
      std::pop_heap(heap_.begin(), heap_.end(), ByKey);
      bytes_ -= BytesOf(heap_.back());
      heap_.pop_back();
    }
    bytes_ += BytesOf(row);
    heap_.push_back(std::move(row));
    std::push_heap(heap_.begin(), heap_.end(), ByKey);
  }
  rows->clear();
  return bytes_ <= kTopBytesMax;
}

std::vector<RankedRow> TopRows::Release() {
  std::lock_guard lock(mutex_);
  std::sort(heap_.begin(), heap_.end(), ByKey);
  bytes_ = 0;
  return std::exchange(heap_, {});
}

}  // namespace korrel
