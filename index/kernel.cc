#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "index/kernel.cc"
#include <hwy/foreach_target.h>  // includes this file once per instruction set
#include <hwy/highway.h>

#include <cstring>

#include "index/kernel.h"

HWY_BEFORE_NAMESPACE();
namespace korrel::kernel {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Words = hn::CappedTag<uint64_t, 8>;

// Vectors per step: enough to read an operand's place and complement once for many words, and for the counting below.
constexpr size_t kStepVectors = 8;

// Counts ones of eight vectors at a time by carry-save adders, so that only one vector in eight is counted bit by bit.
// Source: Harley and Seal, in Warren, "Hacker's Delight", 2nd ed., 5-2; Mula, Kurz, Lemire, "Faster Population Counts Using AVX2
// Instructions" (2018).
template <class D>
class OnesCounter {
 public:
  using V = hn::Vec<D>;
  explicit HWY_INLINE OnesCounter(D d) : d_(d), ones_(hn::Zero(d)), twos_(hn::Zero(d)), fours_(hn::Zero(d)), eights_(hn::Zero(d)) {}

  HWY_INLINE void Add(V v0, V v1, V v2, V v3, V v4, V v5, V v6, V v7) {
    const V twos_a = Carry(&ones_, v0, v1), twos_b = Carry(&ones_, v2, v3);
    const V fours_a = Carry(&twos_, twos_a, twos_b);
    const V twos_c = Carry(&ones_, v4, v5), twos_d = Carry(&ones_, v6, v7);
    const V fours_b = Carry(&twos_, twos_c, twos_d);
    eights_ = hn::Add(eights_, hn::PopulationCount(Carry(&fours_, fours_a, fours_b)));
  }
  HWY_INLINE uint64_t Total() const {
    return 8 * Sum(eights_) + 4 * Sum(hn::PopulationCount(fours_)) + 2 * Sum(hn::PopulationCount(twos_)) + Sum(hn::PopulationCount(ones_));
  }

 private:
  // Adds a and b to the sum bit by bit; returns the carries.
  static HWY_INLINE V Carry(V* sum, V a, V b) {
    const V half = hn::Xor(*sum, a);
    const V carry = hn::Or(hn::And(*sum, a), hn::And(half, b));
    *sum = hn::Xor(half, b);
    return carry;
  }
  HWY_INLINE uint64_t Sum(V v) const { return hn::GetLane(hn::SumOfLanes(d_, v)); }

  D d_;
  V ones_, twos_, fours_, eights_;
};

uint64_t AndWord(std::span<const BitOperand> operands, size_t at) {
  uint64_t word = ~uint64_t{0};
  for (const BitOperand& operand : operands) word &= operand.complement ? ~operand.words[at] : operand.words[at];
  return word;
}

uint32_t AndCount(std::span<const BitOperand> operands, size_t word_count, uint64_t* out) {
  const Words d;
  const size_t lanes = hn::Lanes(d), step = kStepVectors * lanes;
  OnesCounter<Words> count(d);
  size_t at = 0;
  for (; at + step <= word_count; at += step) {
    auto v0 = hn::Set(d, ~uint64_t{0}), v1 = v0, v2 = v0, v3 = v0, v4 = v0, v5 = v0, v6 = v0, v7 = v0;
    for (const BitOperand& operand : operands) {
      const uint64_t* words = operand.words + at;
      if (operand.complement) {
        v0 = hn::AndNot(hn::LoadU(d, words), v0), v1 = hn::AndNot(hn::LoadU(d, words + lanes), v1);
        v2 = hn::AndNot(hn::LoadU(d, words + 2 * lanes), v2), v3 = hn::AndNot(hn::LoadU(d, words + 3 * lanes), v3);
        v4 = hn::AndNot(hn::LoadU(d, words + 4 * lanes), v4), v5 = hn::AndNot(hn::LoadU(d, words + 5 * lanes), v5);
        v6 = hn::AndNot(hn::LoadU(d, words + 6 * lanes), v6), v7 = hn::AndNot(hn::LoadU(d, words + 7 * lanes), v7);
      } else {
        v0 = hn::And(hn::LoadU(d, words), v0), v1 = hn::And(hn::LoadU(d, words + lanes), v1);
        v2 = hn::And(hn::LoadU(d, words + 2 * lanes), v2), v3 = hn::And(hn::LoadU(d, words + 3 * lanes), v3);
        v4 = hn::And(hn::LoadU(d, words + 4 * lanes), v4), v5 = hn::And(hn::LoadU(d, words + 5 * lanes), v5);
        v6 = hn::And(hn::LoadU(d, words + 6 * lanes), v6), v7 = hn::And(hn::LoadU(d, words + 7 * lanes), v7);
      }
    }
    if (out) {
      hn::StoreU(v0, d, out + at), hn::StoreU(v1, d, out + at + lanes);
      hn::StoreU(v2, d, out + at + 2 * lanes), hn::StoreU(v3, d, out + at + 3 * lanes);
      hn::StoreU(v4, d, out + at + 4 * lanes), hn::StoreU(v5, d, out + at + 5 * lanes);
      hn::StoreU(v6, d, out + at + 6 * lanes), hn::StoreU(v7, d, out + at + 7 * lanes);
    }
    count.Add(v0, v1, v2, v3, v4, v5, v6, v7);
  }
  uint64_t total = count.Total();
  for (; at < word_count; ++at) {
    const uint64_t word = AndWord(operands, at);
    if (out) out[at] = word;
    total += hwy::PopCount(word);
  }
  return static_cast<uint32_t>(total);
}

uint32_t OrInto(const uint64_t* a, size_t word_count, uint64_t* inout) {
  const Words d;
  const size_t step = hn::Lanes(d);
  auto count = hn::Zero(d);
  size_t at = 0;
  for (; at + step <= word_count; at += step) {
    const auto bits = hn::Or(hn::LoadU(d, a + at), hn::LoadU(d, inout + at));
    hn::StoreU(bits, d, inout + at);
    count = hn::Add(count, hn::PopulationCount(bits));
  }
  uint64_t total = hn::GetLane(hn::SumOfLanes(d, count));
  for (; at < word_count; ++at) total += hwy::PopCount(inout[at] |= a[at]);
  return static_cast<uint32_t>(total);
}

// The mask's lanes as the low bits of a word.
template <class D, class M>
HWY_INLINE uint64_t MaskWord(D d, M mask) {
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(d, mask, bytes);
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

// Runs `test` (vector → mask) over the 64 values of every non-zero word and keeps the bits it confirms.
template <class T, class D, class Test>
HWY_INLINE uint32_t Scan(D d, const T* data, size_t rows, uint64_t* inout, size_t word_count, const Test& test) {
  const size_t step = hn::Lanes(d), readable = rows / 64 < word_count ? rows / 64 : word_count;
  uint32_t count = 0;
  for (size_t at = 0; at < readable; ++at) {
    if (inout[at] == 0) continue;
    const T* values = data + at * 64;
    uint64_t word = 0;
    for (size_t i = 0; i < 64; i += step) word |= MaskWord(d, test(hn::LoadU(d, values + i))) << i;
    inout[at] &= word;
    count += static_cast<uint32_t>(hwy::PopCount(inout[at]));
  }
  for (size_t at = readable; at < word_count; ++at) inout[at] = 0;
  return count;
}

// low <= x <= high as one comparison: x - low, wrapping, is at most high - low.
template <class T>
uint32_t ScanIntegers(const uint8_t* data, size_t rows, uint64_t low, uint64_t high, uint64_t* inout, size_t word_count) {
  const hn::CappedTag<T, 64> d;
  const auto base = hn::Set(d, static_cast<T>(low));
  const auto span = hn::Set(d, static_cast<T>(high - low));
  return Scan(d, reinterpret_cast<const T*>(data), rows, inout, word_count, [&](auto x) HWY_ATTR {
    const auto offset = hn::Sub(x, base);
    return hn::Eq(hn::Min(offset, span), offset);
  });
}

uint32_t RangeScan(const uint8_t* data, int width, size_t rows, uint64_t low, uint64_t high, uint64_t* inout, size_t word_count) {
  switch (width) {
    case 1:
      return ScanIntegers<uint8_t>(data, rows, low, high, inout, word_count);
    case 2:
      return ScanIntegers<uint16_t>(data, rows, low, high, inout, word_count);
    case 4:
      return ScanIntegers<uint32_t>(data, rows, low, high, inout, word_count);
    default:
      return ScanIntegers<uint64_t>(data, rows, low, high, inout, word_count);
  }
}

uint32_t RangeScanDouble(const double* data, size_t rows, double low, bool low_open, double high, bool high_open, uint64_t* inout,
                         size_t word_count) {
  const hn::CappedTag<double, 64> d;
  const auto lowest = hn::Set(d, low), highest = hn::Set(d, high);
  auto scan = [&](const auto& test) HWY_ATTR { return Scan(d, data, rows, inout, word_count, test); };
  if (low_open && high_open) return scan([&](auto x) HWY_ATTR { return hn::And(hn::Gt(x, lowest), hn::Lt(x, highest)); });
  if (low_open) return scan([&](auto x) HWY_ATTR { return hn::And(hn::Gt(x, lowest), hn::Le(x, highest)); });
  if (high_open) return scan([&](auto x) HWY_ATTR { return hn::And(hn::Ge(x, lowest), hn::Lt(x, highest)); });
  return scan([&](auto x) HWY_ATTR { return hn::And(hn::Ge(x, lowest), hn::Le(x, highest)); });
}

}  // namespace HWY_NAMESPACE
}  // namespace korrel::kernel
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace korrel::kernel {

HWY_EXPORT(AndCount);
HWY_EXPORT(OrInto);
HWY_EXPORT(RangeScan);
HWY_EXPORT(RangeScanDouble);

uint32_t AndCount(std::span<const BitOperand> operands, size_t word_count, uint64_t* out) {
  return HWY_DYNAMIC_DISPATCH(AndCount)(operands, word_count, out);
}

uint32_t OrInto(const uint64_t* a, size_t word_count, uint64_t* inout) { return HWY_DYNAMIC_DISPATCH(OrInto)(a, word_count, inout); }

uint32_t Count(const uint64_t* words, size_t word_count) {
  const BitOperand operand{words, false};
  return AndCount({&operand, 1}, word_count, nullptr);
}

uint32_t RangeScan(const uint8_t* data, int width, size_t rows, uint64_t low, uint64_t high, uint64_t* inout, size_t word_count) {
  return HWY_DYNAMIC_DISPATCH(RangeScan)(data, width, rows, low, high, inout, word_count);
}

uint32_t RangeScanDouble(const double* data, size_t rows, double low, bool low_open, double high, bool high_open, uint64_t* inout,
                         size_t word_count) {
  return HWY_DYNAMIC_DISPATCH(RangeScanDouble)(data, rows, low, low_open, high, high_open, inout, word_count);
}

}  // namespace korrel::kernel
#endif
