// index/live/row_timers.h
//
// RowTimers keeps for every row the next instant at which it changes by time alone, and finds the rows whose instant has come,
// earliest first. A row has one entry at most that counts: one is added only when it is earlier than the row's last; an entry that turns
// out too early is put in again at the row's instant.
//
// Threads   As the shard's lock says.
// Cost      16 bytes per row and 16 per entry; O(log entries) to set and to take.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "storage/value.h"

namespace korrel {

class RowTimers {
 public:
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

  int64_t DueOf(Row row) const { return row.value < due_.size() ? due_[row.value] : kNone; }
  void Prefetch(Row row) const {
    if (row.value >= due_.size()) return;
    __builtin_prefetch(&due_[row.value]);
    __builtin_prefetch(&entry_[row.value]);
  }
  // Sets the row's instant, whatever it was.
  void Set(Row row, int64_t due_us) {
    Reach(row);
    due_[row.value] = due_us;
    if (due_us < entry_[row.value]) Push(row, due_us);
  }
  void SetEarlier(Row row, int64_t due_us) {
    if (due_us < DueOf(row)) Set(row, due_us);
  }
  // No later than the instant of any row.
  int64_t Earliest() const { return entries_.empty() ? kNone : entries_.top().first; }
  // Takes a row that is due at now; nullopt: none. Its instant stays, and whoever serves it sets the next.
  std::optional<Row> TakeDue(int64_t now_us) {
    while (!entries_.empty() && entries_.top().first <= now_us) {
      const auto [time_us, row] = entries_.top();
      entries_.pop();
      if (entry_[row] != time_us) continue;  // an earlier one took its place
      entry_[row] = kNone;
      if (due_[row] <= now_us) return Row(row);
      if (due_[row] != kNone) Push(Row(row), due_[row]);
    }
    return std::nullopt;
  }
  // Puts a row that was taken back in, where it is due again.
  void Rearm(Row row) {
    if (due_[row.value] < entry_[row.value]) Push(row, due_[row.value]);
  }
  const std::vector<int64_t>& due() const { return due_; }
  size_t MemoryBytes() const { return (due_.capacity() + entry_.capacity() + 2 * entries_.size()) * sizeof(int64_t); }

 private:
  void Reach(Row row) {
    if (row.value < due_.size()) return;
    due_.resize(row.value + 1, kNone);
    entry_.resize(row.value + 1, kNone);
  }
  void Push(Row row, int64_t time_us) {
    entry_[row.value] = time_us;
    entries_.emplace(time_us, row.value);
  }

  using Entry = std::pair<int64_t, uint32_t>;
  std::vector<int64_t> due_, entry_;  // per row: its instant, and that of its entry which counts
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> entries_;
};

}  // namespace korrel
