// storage/narrow_column.h
//
// NarrowColumn holds one int64 per row, per block as a base and unsigned offsets of 0, 1, 2, 4 or 8 bytes, widened on demand:
// the physical form of bools, ints, decimals, timestamps and dictionary codes. Whether a row has a value is not its business.
//
// Threads     As the shard's lock says.
// Invariants  Get(row) is the value of the last Set, or unspecified where there was none.
#pragma once

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
  BlockView Block(uint32_t block) const;
  uint32_t block_count() const;
  int64_t Get(Row row) const { return Block(row.value / kBlockRows).Get(row.value % kBlockRows); }
  void Set(Row row, int64_t value);
  size_t MemoryBytes() const;

  NarrowColumn();
  ~NarrowColumn();
  NarrowColumn(NarrowColumn&&) noexcept;
  NarrowColumn& operator=(NarrowColumn&&) noexcept;

 private:
  struct BlockData;
  std::vector<BlockData> blocks_;
};

}  // namespace korrel
