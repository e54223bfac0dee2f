// storage/narrow_column.h
//
// NarrowColumn holds one int64 per row, per block as a base and unsigned offsets of 0, 1, 2, 4 or 8 bytes, widened on demand:
// the physical form of bools, ints, decimals, timestamps and dictionary codes. Whether a row has a value is not its business.
//
// Threads     As the shard's lock says.
// Invariants  Get(row) is the value of the last Set, or unspecified where there was none.
// Cost        Set: O(1), beside one rewrite of the block whenever its range outgrows the width. A value below the base moves the
//             base further down than needed, so that slowly falling values rewrite a block a few dozen times at most. Rows grow
//             by half; a block of one value takes no bytes at all.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "storage/value.h"

namespace korrel {

class NarrowColumn {
 public:
  // value(i) = base + offset(i), offsets little-endian unsigned of `width` bytes; width 0: every value is base. `rows` offsets
  // are readable (a multiple of 64); rows beyond hold no value. data is 64-byte aligned, nullptr when width is 0 or rows is 0.
  struct BlockView {
    const uint8_t* data = nullptr;
    int64_t base = 0;
    uint32_t rows = 0;
    uint8_t width = 0;
    int64_t Get(uint32_t row_in_block) const;
  };
  BlockView Block(uint32_t block) const {
    if (block >= blocks_.size()) return {};
    const BlockData& b = blocks_[block];
    return {b.data.get(), b.base, b.rows, b.width};
  }
  uint32_t block_count() const { return static_cast<uint32_t>(blocks_.size()); }
  int64_t Get(Row row) const { return Block(row.value / kBlockRows).Get(row.value % kBlockRows); }
  void Set(Row row, int64_t value);
  size_t MemoryBytes() const;

  NarrowColumn() = default;
  NarrowColumn(NarrowColumn&&) noexcept = default;
  NarrowColumn& operator=(NarrowColumn&&) noexcept = default;

 private:
  struct Free {
    void operator()(uint8_t* data) const { std::free(data); }
  };
  struct BlockData {
    std::unique_ptr<uint8_t[], Free> data;
    int64_t base = 0;
    uint32_t rows = 0;
    uint8_t width = 0;

    uint64_t Offset(uint32_t row) const;
    void Put(uint32_t row, uint64_t offset);
    void Rewrite(uint32_t new_rows, int64_t new_base, uint8_t new_width);
    void GrowTo(uint32_t row);
    void MakeRoomFor(int64_t value);
  };
  std::vector<BlockData> blocks_;
};

inline int64_t NarrowColumn::BlockView::Get(uint32_t row_in_block) const {
  if (row_in_block >= rows) return base;
  uint64_t offset = 0;
  // Little-endian, so the low bytes of `offset` are the stored ones.
  switch (width) {
    case 0:
      break;
    case 1:
      offset = data[row_in_block];
      break;
    case 2:
      std::memcpy(&offset, data + size_t{2} * row_in_block, 2);
      break;
    case 4:
      std::memcpy(&offset, data + size_t{4} * row_in_block, 4);
      break;
    default:
      std::memcpy(&offset, data + size_t{8} * row_in_block, 8);
      break;
  }
  return static_cast<int64_t>(static_cast<uint64_t>(base) + offset);
}

}  // namespace korrel
