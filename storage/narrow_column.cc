#include "storage/narrow_column.h"

#include <algorithm>
#include <new>

#include "storage/bit_packing.h"

namespace korrel {
namespace {

constexpr size_t kAlignment = 64;

// The largest offset that `width` bytes hold.
uint64_t LargestOffset(int width) { return width >= 8 ? UINT64_MAX : (uint64_t{1} << (8 * width)) - 1; }

uint8_t WidthFor(uint64_t offset) {
  for (int width : {0, 1, 2, 4})
    if (offset <= LargestOffset(width)) return static_cast<uint8_t>(width);
  return 8;
}

// high - low, for low <= high: never negative, so it fits where the signed difference may not.
uint64_t Distance(int64_t low, int64_t high) { return static_cast<uint64_t>(high) - static_cast<uint64_t>(low); }

}  // namespace

uint64_t NarrowColumn::BlockData::Offset(uint32_t row) const {
  uint64_t offset = 0;
  if (width > 0) std::memcpy(&offset, data.get() + size_t{width} * row, width);
  return offset;
}

void NarrowColumn::BlockData::Put(uint32_t row, uint64_t offset) { std::memcpy(data.get() + size_t{width} * row, &offset, width); }

void NarrowColumn::BlockData::Rewrite(uint32_t new_rows, int64_t new_base, uint8_t new_width) {
  BlockData next;
  next.rows = new_rows;
  next.base = new_base;
  next.width = new_width;
  if (new_width > 0 && new_rows > 0) {
    size_t bytes = size_t{new_width} * new_rows;  // a multiple of 64, because rows are
    next.data.reset(static_cast<uint8_t*>(std::aligned_alloc(kAlignment, bytes)));
    if (!next.data) throw std::bad_alloc();
    if (new_width == width && new_base == base) {
      if (rows > 0) std::memcpy(next.data.get(), data.get(), size_t{width} * rows);
    } else {
      // Rows that were never set may hold an offset that means nothing under the new base; they stay unspecified.
      uint64_t shift = static_cast<uint64_t>(base) - static_cast<uint64_t>(new_base);
      for (uint32_t row = 0; row < rows; ++row) next.Put(row, Offset(row) + shift);
    }
    std::memset(next.data.get() + size_t{new_width} * rows, 0, size_t{new_width} * (new_rows - rows));
  }
  *this = std::move(next);
}

void NarrowColumn::BlockData::GrowTo(uint32_t row) {
  if (row < rows) return;
  uint32_t wanted = std::max(row + 1, rows + rows / 2);
  Rewrite(std::min((wanted + 63) / 64 * 64, kBlockRows), base, width);
}

void NarrowColumn::BlockData::MakeRoomFor(int64_t value) {
  uint64_t largest = 0;
  if (width > 0)
    for (uint32_t row = 0; row < rows; ++row) largest = std::max(largest, Offset(row));
  auto highest = static_cast<int64_t>(static_cast<uint64_t>(base) + largest);
  if (value >= base) return Rewrite(rows, base, WidthFor(Distance(base, value)));
  uint64_t range = Distance(value, highest);
  uint8_t new_width = std::max(width, WidthFor(range));
  Rewrite(rows, BaseWithSlack(value, LargestOffset(new_width) - range), new_width);
}

void NarrowColumn::Set(Row row, int64_t value) {
  uint32_t block = row.value / kBlockRows, row_in_block = row.value % kBlockRows;
  if (block >= blocks_.size()) blocks_.resize(block + 1);
  BlockData& b = blocks_[block];
  if (b.rows == 0) b.base = value;
  b.GrowTo(row_in_block);
  if (value < b.base || Distance(b.base, value) > LargestOffset(b.width)) b.MakeRoomFor(value);
  if (b.width > 0) b.Put(row_in_block, Distance(b.base, value));
}

size_t NarrowColumn::MemoryBytes() const {
  size_t bytes = blocks_.capacity() * sizeof(BlockData);
  for (const BlockData& b : blocks_) bytes += size_t{b.width} * b.rows;
  return bytes;
}

}  // namespace korrel
