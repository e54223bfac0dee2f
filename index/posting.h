// index/posting.h
//
// Posting is the set of rows of one shard that hold one value: a roaring bitmap. This is the only file that names CRoaring.
//
// The evaluator reads a posting's containers as they lie, one block (65,536 rows) at a time. With the distribution's 0.2.66 we
// use none of: copy-on-write, add_range/remove_range/flip, contains_range, run_optimize on bitmaps that still change,
// deserialisation.
#pragma once

#include <cstdint>
#include <memory>

#include "storage/value.h"

namespace korrel {

class Posting {
 public:
  Posting();
  ~Posting();
  Posting(Posting&&) noexcept;
  Posting& operator=(Posting&&) noexcept;

  void Add(Row row);
  void Remove(Row row);
  bool Contains(Row row) const;
  uint64_t count() const;
  uint32_t CountInBlock(uint32_t block) const;

  // A block's container as it lies. Lives until the posting changes.
  struct Container {
    enum class Kind : uint8_t { kEmpty, kBits, kArray, kRuns } kind = Kind::kEmpty;
    const uint64_t* bits = nullptr;    // kBits: kBlockWords words
    const uint16_t* values = nullptr;  // kArray: `size` ascending values; kRuns: `size` pairs (start, length - 1)
    uint32_t size = 0;
    uint32_t cardinality = 0;
  };
  Container Block(uint32_t block) const;
  // Ors the block into kBlockWords words.
  void OrInto(uint32_t block, uint64_t* words) const;
  // Ors words [first_word, end_word) of a container into those of a block's words; others are not touched.
  static void Expand(const Container& container, uint64_t* words, uint32_t first_word = 0, uint32_t end_word = kBlockWords);
  size_t MemoryBytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace korrel
