// index/kernel.h
//
// The only door to Highway: bitset and narrow-scan kernels with run-time dispatch. All bitsets are kBlockWords words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace korrel::kernel {

// One operand of a fused AND: words, complemented or not.
struct BitOperand {
  const uint64_t* words;
  bool complement;
};
// out = AND of all operands over words [0, word_count); returns its population count. out may be null: count only.
uint32_t AndCount(std::span<const BitOperand> operands, size_t word_count, uint64_t* out);
uint32_t OrInto(const uint64_t* a, size_t word_count, uint64_t* inout);  // inout |= a; returns the count
uint32_t Count(const uint64_t* words, size_t word_count);

// out[i] bit = inout[i] bit AND low <= data[i] <= high, for unsigned values of `width` 1, 2, 4 or 8 bytes; only words of
// `inout` that are non-zero are looked at. `rows` (a multiple of 64) values are readable; bits beyond are cleared.
// Returns the count.
uint32_t RangeScan(const uint8_t* data, int width, size_t rows, uint64_t low, uint64_t high, uint64_t* inout, size_t word_count);
// The same for doubles, low <= x <= high with each end open or closed.
uint32_t RangeScanDouble(const double* data, size_t rows, double low, bool low_open, double high, bool high_open, uint64_t* inout,
                         size_t word_count);

}  // namespace korrel::kernel
