// engine/question/top_rows.h
//
// TopRows keeps the k rows that come first in an order, with what the answer shows of them, over all shards of one question: a
// top-k by a value, a sample by a hash. A row is kept as it was when it was judged.
//
// Not for a whole answer in order: k rows stay in memory.
//
// Threads  All methods from any thread.
// Cost     Memory of k rows, at most kTopBytesMax; a scan offers only rows that beat Last(), so a shard of n rows in random order
//          offers about k · ln(n / k) of them.
#pragma once

#include <compare>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/question/result_batch.h"
#include "storage/value.h"

namespace korrel {

// The place of a row in an order: by value, absent last, ties by profile id. Numbers of every kind are brought to int64s that
// order alike; where the order falls, numbers are complemented and texts compared the other way round.
struct RankKey {
  bool absent = false;
  bool falling_text = false;  // the same in all keys of one order
  int64_t number = 0;
  std::string text;
  ProfileId id;
  friend bool operator<(const RankKey& a, const RankKey& b) {
    if (a.absent != b.absent) return b.absent;
    if (a.number != b.number) return a.number < b.number;
    if (const int order = a.text.compare(b.text); order != 0) return (order < 0) != a.falling_text;
    return a.id < b.id;
  }
};
// An int64 that orders like the double.
int64_t OrderedBits(double x);
double FromOrderedBits(int64_t bits);
// The place of row i of a column (not a set).
RankKey RankOf(const ValueVector& column, size_t i, bool descending, ProfileId id);

struct RankedRow {
  RankKey key;
  PackedRow row;
};

inline constexpr size_t kTopBytesMax = size_t{512} << 20;

class TopRows {
 public:
  explicit TopRows(size_t row_max) : row_max_(row_max) {}  // at least 1

  // The key that a further row must come before; nullopt while there is room.
  std::optional<RankKey> Last() const;
  // Takes what is among the first; false when that takes more than kTopBytesMax, and from then on.
  bool Offer(std::vector<RankedRow>* rows);
  // All kept, in order.
  std::vector<RankedRow> Release();

 private:
  const size_t row_max_;
  mutable std::mutex mutex_;
  std::vector<RankedRow> heap_;  // guarded by mutex_: the last in order on top
  size_t bytes_ = 0;             // guarded by mutex_
};

}  // namespace korrel
