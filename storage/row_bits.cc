#include "storage/row_bits.h"

namespace korrel {

bool RowBits::Set(Row row) {
  uint32_t block = row.value / kBlockRows;
  if (block >= blocks_.size()) {
    blocks_.resize(block + 1);
    counts_.resize(block + 1);
  }
  if (!blocks_[block]) blocks_[block] = std::make_unique<uint64_t[]>(kBlockWords);
  uint64_t& word = blocks_[block][row.value % kBlockRows / 64];
  uint64_t bit = uint64_t{1} << (row.value % 64);
  if (word & bit) return false;
  word |= bit;
  ++counts_[block];
  ++count_;
  return true;
}

bool RowBits::Clear(Row row) {
  if (!Test(row)) return false;
  uint32_t block = row.value / kBlockRows;
  blocks_[block][row.value % kBlockRows / 64] &= ~(uint64_t{1} << (row.value % 64));
  --count_;
  if (--counts_[block] == 0) blocks_[block].reset();
  return true;
}

size_t RowBits::MemoryBytes() const {
  size_t bytes = blocks_.capacity() * sizeof(blocks_[0]) + counts_.capacity() * sizeof(counts_[0]);
  for (const auto& block : blocks_) bytes += block ? kBlockWords * sizeof(uint64_t) : 0;
  return bytes;
}

}  // namespace korrel
