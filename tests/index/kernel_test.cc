// Kernels against plain loops, for every width and for slices that do not fill a vector.

#include "index/kernel.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <random>
#include <vector>

namespace korrel {
namespace {

uint64_t Seed() {
  static const uint64_t seed = std::random_device{}();
  return seed;
}

std::vector<uint64_t> RandomWords(std::mt19937_64* random, size_t size) {
  std::vector<uint64_t> words(size);
  for (uint64_t& word : words) word = (*random)() % 3 == 0 ? 0 : (*random)() & (*random)();
  return words;
}

TEST(Kernel, AndCountEqualsALoopForAnyOperandsAndLengths) {
  std::mt19937_64 random(Seed());
  SCOPED_TRACE(Seed());
  for (size_t size : {0u, 1u, 3u, 4u, 7u, 8u, 9u, 64u, 1'023u, 1'024u}) {
    for (size_t count : {1u, 2u, 4u, 9u}) {
      std::vector<std::vector<uint64_t>> words;
      std::vector<kernel::BitOperand> operands;
      std::vector<uint64_t> expected(size, ~uint64_t{0});
      for (size_t k = 0; k < count; ++k) {
        words.push_back(RandomWords(&random, size));
        const bool complement = random() % 2 == 0;
        for (size_t i = 0; i < size; ++i) expected[i] &= complement ? ~words[k][i] : words[k][i];
        operands.push_back({nullptr, complement});
      }
      for (size_t k = 0; k < count; ++k) operands[k].words = words[k].data();
      uint32_t ones = 0;
      for (uint64_t word : expected) ones += static_cast<uint32_t>(std::popcount(word));
      std::vector<uint64_t> out(size, 7);
      EXPECT_EQ(kernel::AndCount(operands, size, out.data()), ones);
      EXPECT_EQ(out, expected);
      EXPECT_EQ(kernel::AndCount(operands, size, nullptr), ones);
      EXPECT_EQ(kernel::Count(expected.data(), size), ones);
      // In place, as the evaluator calls it.
      EXPECT_EQ(kernel::AndCount(operands, size, words[0].data()), ones);
      EXPECT_EQ(words[0], expected);
    }
  }
}

TEST(Kernel, OrIntoEqualsALoop) {
  std::mt19937_64 random(Seed());
  SCOPED_TRACE(Seed());
  for (size_t size : {1u, 5u, 8u, 17u, 1'024u}) {
    const std::vector<uint64_t> a = RandomWords(&random, size);
    std::vector<uint64_t> inout = RandomWords(&random, size), expected = inout;
    uint32_t ones = 0;
    for (size_t i = 0; i < size; ++i) ones += static_cast<uint32_t>(std::popcount(expected[i] |= a[i]));
    EXPECT_EQ(kernel::OrInto(a.data(), size, inout.data()), ones);
    EXPECT_EQ(inout, expected);
  }
}

template <class T>
void CheckWidth(std::mt19937_64* random) {
  for (size_t rows : {0u, 64u, 192u, 4'096u}) {
    std::vector<T> data(rows);
    for (T& x : data) x = static_cast<T>((*random)() % 4 == 0 ? (*random)() : (*random)() % 100);
    const size_t words = rows / 64 + 2;  // two words beyond the readable rows
    const T last = static_cast<T>(~uint64_t{0});
    for (auto [low, high] : std::vector<std::pair<T, T>>{{0, last}, {0, 0}, {last, last}, {10, 60}, {50, 50}, {60, last}}) {
      std::vector<uint64_t> inout = RandomWords(random, words), expected(words, 0);
      uint32_t ones = 0;
      for (size_t i = 0; i < rows; ++i) {
        if ((inout[i / 64] >> (i % 64) & 1) && data[i] >= low && data[i] <= high) expected[i / 64] |= uint64_t{1} << (i % 64), ++ones;
      }
      EXPECT_EQ(kernel::RangeScan(reinterpret_cast<const uint8_t*>(data.data()), sizeof(T), rows, low, high, inout.data(), words), ones);
      EXPECT_EQ(inout, expected) << sizeof(T) << " bytes " << rows << " rows";
    }
  }
}

TEST(Kernel, RangeScanEqualsALoopForEveryWidth) {
  std::mt19937_64 random(Seed());
  SCOPED_TRACE(Seed());
  CheckWidth<uint8_t>(&random);
  CheckWidth<uint16_t>(&random);
  CheckWidth<uint32_t>(&random);
  CheckWidth<uint64_t>(&random);
}

TEST(Kernel, RangeScanDoubleKnowsOpenAndClosedEnds) {
  std::mt19937_64 random(Seed());
  SCOPED_TRACE(Seed());
  std::vector<double> data(640);
  for (double& x : data) x = static_cast<double>(random() % 9) - 4;
  for (bool low_open : {false, true}) {
    for (bool high_open : {false, true}) {
      std::vector<uint64_t> inout = RandomWords(&random, 10), expected(10, 0);
      uint32_t ones = 0;
      for (size_t i = 0; i < data.size(); ++i) {
        const bool inside = (low_open ? data[i] > -2 : data[i] >= -2) && (high_open ? data[i] < 3 : data[i] <= 3);
        if ((inout[i / 64] >> (i % 64) & 1) && inside) expected[i / 64] |= uint64_t{1} << (i % 64), ++ones;
      }
      EXPECT_EQ(kernel::RangeScanDouble(data.data(), data.size(), -2, low_open, 3, high_open, inout.data(), 10), ones);
      EXPECT_EQ(inout, expected);
    }
  }
}

}  // namespace
}  // namespace korrel
