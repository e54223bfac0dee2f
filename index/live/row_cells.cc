#include "index/live/row_cells.h"

namespace korrel {

RowCells::RowCells(std::span<const uint32_t> cell_counts) : slots_(cell_counts.size()), row_bytes_(1) {
  for (const bool is_wide : {false, true}) {
    for (size_t i = 0; i < cell_counts.size(); ++i) {
      if ((cell_counts[i] > 256) != is_wide) continue;
      slots_[i] = {static_cast<uint32_t>(row_bytes_), is_wide};
      row_bytes_ += is_wide ? 2 : 1;
    }
  }
}

void RowCells::Keep(Row row) {
  const size_t block = row.value / kRows;
  if (block >= blocks_.size()) blocks_.resize(block + 1);
  if (!blocks_[block]) blocks_[block] = std::make_unique<uint8_t[]>(kRows * row_bytes_);
  Of(row)[0] = 1;
}

void RowCells::Put(Row row, uint32_t slot, uint32_t cell) {
  uint8_t* const to = Of(row) + slots_[slot].at;
  if (slots_[slot].is_wide) {
    const auto wide = static_cast<uint16_t>(cell);
    std::memcpy(to, &wide, sizeof(wide));
  } else {
    *to = static_cast<uint8_t>(cell);
  }
}

void RowCells::Forget(Row row) {
  if (Find(row)) Of(row)[0] = 0;
}

size_t RowCells::MemoryBytes() const {
  size_t bytes = slots_.capacity() * sizeof(Slot) + blocks_.capacity() * sizeof(blocks_[0]);
  for (const auto& block : blocks_) bytes += block ? kRows * row_bytes_ : 0;
  return bytes;
}

}  // namespace korrel
