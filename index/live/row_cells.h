// index/live/row_cells.h
//
// RowCells keeps the cells of a row's variables side by side, so that judging a row reads one or two lines of memory and not one for each
// column.
//
//   row      known │ cells of at most 256, a byte each │ cells of more, two bytes each
//
// Whoever keeps a row here says of every change; a row that is not kept is read from its columns.
//
// Threads   As the shard's lock says: shared for reading, exclusive for writing.
// Cost      1 B + 1 or 2 B for each variable, for every row of a block of 1,024 that has a kept one.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "storage/value.h"

namespace korrel {

class RowCells {
 public:
  static constexpr uint32_t kCellCountMax = 65'536;  // of a variable

  // One slot for each variable, by its number of cells.
  explicit RowCells(std::span<const uint32_t> cell_counts);

  // The row's cells, for Cell; nullptr: not kept. Lives until the next Put or Forget.
  const uint8_t* Find(Row row) const {
    const size_t block = row.value / kRows;
    if (block >= blocks_.size() || !blocks_[block]) return nullptr;
    const uint8_t* cells = blocks_[block].get() + row.value % kRows * row_bytes_;
    return cells[0] ? cells : nullptr;
  }
  void Prefetch(Row row) const {
    const size_t block = row.value / kRows;
    if (block >= blocks_.size() || !blocks_[block]) return;
    const uint8_t* cells = blocks_[block].get() + row.value % kRows * row_bytes_;
    __builtin_prefetch(cells);
    __builtin_prefetch(cells + row_bytes_ - 1);
  }
  uint32_t Cell(const uint8_t* cells, uint32_t slot) const {
    const uint32_t at = slots_[slot].at;
    if (!slots_[slot].is_wide) return cells[at];
    uint16_t cell;
    std::memcpy(&cell, cells + at, sizeof(cell));
    return cell;
  }

  // The row is kept from now on; its cells are those that Put says, for a new row of every slot.
  void Keep(Row row);
  void Put(Row row, uint32_t slot, uint32_t cell);
  void Forget(Row row);

  size_t slot_count() const { return slots_.size(); }
  size_t MemoryBytes() const;

 private:
  static constexpr uint32_t kRows = 1'024;  // of a block
  struct Slot {
    uint32_t at;  // bytes from the row's begin
    bool is_wide;
  };
  uint8_t* Of(Row row) { return blocks_[row.value / kRows].get() + row.value % kRows * row_bytes_; }

  std::vector<Slot> slots_;
  size_t row_bytes_;
  std::vector<std::unique_ptr<uint8_t[]>> blocks_;
};

}  // namespace korrel
