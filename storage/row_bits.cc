#include "storage/row_bits.h"

namespace korrel {

bool RowBits::Set(Row row) {
  const uint32_t number = row.value / kBlockRows;
  if (number >= blocks_.size()) blocks_.resize(number + 1);
  BlockBits& block = blocks_[number];
  if (!block.words) block.words = std::make_unique<uint64_t[]>(kBlockWords);
  uint64_t& word = block.words[row.value % kBlockRows / 64];
  const uint64_t bit = uint64_t{1} << (row.value % 64);
  if (word & bit) return false;
  word |= bit;
  ++block.count;
  ++count_;
  return true;
}

bool RowBits::Clear(Row row) {
  if (!Test(row)) return false;
  BlockBits& block = blocks_[row.value / kBlockRows];
  block.words[row.value % kBlockRows / 64] &= ~(uint64_t{1} << (row.value % 64));
  --count_;
  if (--block.count == 0) block.words.reset();
  return true;
}

size_t RowBits::MemoryBytes() const {
  size_t bytes = blocks_.capacity() * sizeof(BlockBits);
  for (const BlockBits& block : blocks_) bytes += block.words ? kBlockWords * sizeof(uint64_t) : 0;
  return bytes;
}

}  // namespace korrel
