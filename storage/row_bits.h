// storage/row_bits.h
//
// RowBits is a set of rows of one shard as one bitset per block: presence of an attribute, live rows, members of a list.
//
// Threads     As the shard's lock says: shared for reading, exclusive for writing.
// Cost        8 KiB per block that was ever non-empty; an empty block is a null pointer.
// Invariants  count() equals the number of set bits.
#pragma once

#include <bit>
#include <memory>
#include <vector>

#include "storage/value.h"

namespace korrel {

class RowBits {
 public:
  bool Test(Row row) const {
    const uint64_t* words = Block(row.value / kBlockRows);
    return words && (words[row.value % kBlockRows / 64] >> (row.value % 64) & 1);
  }
  // Both return whether the bit changed.
  bool Set(Row row);
  bool Clear(Row row);
  uint32_t count() const { return count_; }
  uint32_t block_count() const { return static_cast<uint32_t>(blocks_.size()); }
  // kBlockWords words, bit i of the block = row block * 65,536 + i; nullptr: no row of the block is in the set. The pointer
  // lives until the next Clear or Set in the same block at most.
  const uint64_t* Block(uint32_t block) const { return block < blocks_.size() ? blocks_[block].words.get() : nullptr; }
  uint32_t CountInBlock(uint32_t block) const { return block < blocks_.size() ? blocks_[block].count : 0; }
  // Asks for the row's bit before it is needed: it lies somewhere else than those of other sets.
  void Prefetch(Row row) const {
    if (const uint64_t* words = Block(row.value / kBlockRows)) __builtin_prefetch(words + row.value % kBlockRows / 64);
  }
  size_t MemoryBytes() const;

 private:
  struct BlockBits {
    std::unique_ptr<uint64_t[]> words;
    uint32_t count = 0;
  };
  std::vector<BlockBits> blocks_;
  uint32_t count_ = 0;
};

}  // namespace korrel
