// Goal: NarrowColumn and RowBits hold what a map and a set hold, through widening, re-basing, the whole int64 range and many blocks.
// Method: random values of growing, falling and extreme ranges at random rows; the seed is printed.
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>
#include <set>

#include "storage/narrow_column.h"
#include "storage/row_bits.h"

namespace korrel {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max(), kMin = std::numeric_limits<int64_t>::min();

void ExpectEqual(const NarrowColumn& column, const std::map<uint32_t, int64_t>& twin) {
  for (const auto& [row, value] : twin) {
    ASSERT_EQ(column.Get(Row(row)), value) << row;
    NarrowColumn::BlockView block = column.Block(row / kBlockRows);
    ASSERT_LT(row % kBlockRows, block.rows);
    ASSERT_EQ(block.rows % 64, 0u);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(block.data) % 64, 0u);
    ASSERT_EQ(block.data == nullptr, block.width == 0);
  }
}

TEST(NarrowColumnModel, EqualsAMap) {
  uint64_t seed = std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  for (int run = 0; run < 60; ++run) {
    NarrowColumn column;
    std::map<uint32_t, int64_t> twin;
    int bits = 1 + static_cast<int>(random() % 63);
    auto centre = static_cast<int64_t>(random()) >> (random() % 64);
    for (int i = 0; i < 1'500; ++i) {
      auto row = static_cast<uint32_t>(random() % (run % 3 == 0 ? 3 * kBlockRows : 500));
      auto value = static_cast<int64_t>(static_cast<uint64_t>(centre) + (random() >> (64 - bits)));
      if (run % 5 == 0 && i > 1'000) value = random() % 2 ? kMax : kMin;
      column.Set(Row(row), value);
      twin[row] = value;
      if (i % 500 == 0) ExpectEqual(column, twin);
      if (::testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << " run " << run;
    }
    ExpectEqual(column, twin);
    if (::testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << " run " << run;
  }
}

TEST(NarrowColumn, WidthsFollowTheRange) {
  auto width_of = [](std::initializer_list<int64_t> values) {
    NarrowColumn column;
    uint32_t row = 0;
    for (int64_t value : values) column.Set(Row(row++), value);
    return int{column.Block(0).width};
  };
  EXPECT_EQ(width_of({7, 7, 7}), 0);
  EXPECT_EQ(width_of({kMin}), 0);
  EXPECT_EQ(width_of({0, 1}), 1);
  EXPECT_EQ(width_of({1, 0}), 1);
  EXPECT_EQ(width_of({1'000'000, 1'000'255}), 1);
  EXPECT_EQ(width_of({1'000'000, 1'000'256}), 2);
  EXPECT_EQ(width_of({-1, 1 << 20}), 4);
  EXPECT_EQ(width_of({kMin, kMax}), 8);
}

TEST(NarrowColumn, FallingValuesRewriteTheBlockSeldom) {
  NarrowColumn column;
  for (uint32_t row = 0; row < 10'000; ++row) column.Set(Row(row), 1'000'000'000 + row % 10);
  int rewrites = 0;
  const uint8_t* data = column.Block(0).data;
  for (uint32_t i = 0; i < 50'000; ++i) {
    column.Set(Row(5), 1'000'000'000 - static_cast<int64_t>(i));
    if (column.Block(0).data != data) ++rewrites;
    data = column.Block(0).data;
  }
  EXPECT_LT(rewrites, 40);
}

TEST(NarrowColumn, EqualValuesTakeNoBytes) {
  NarrowColumn column;
  for (uint32_t i = 0; i < 3 * kBlockRows; ++i) column.Set(Row(i), 42);
  EXPECT_LT(column.MemoryBytes(), 500u);
  EXPECT_EQ(column.Get(Row(2 * kBlockRows + 5)), 42);
}

TEST(RowBitsModel, EqualsASet) {
  uint64_t seed = std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  RowBits bits;
  std::set<uint32_t> twin;
  for (int i = 0; i < 30'000; ++i) {
    auto row = static_cast<uint32_t>(random() % 40) * 6'007;
    if (random() % 2) {
      ASSERT_EQ(bits.Set(Row(row)), twin.insert(row).second) << "seed " << seed;
    } else {
      ASSERT_EQ(bits.Clear(Row(row)), twin.erase(row) == 1) << "seed " << seed;
    }
    ASSERT_EQ(bits.Test(Row(row)), twin.contains(row));
    ASSERT_EQ(bits.count(), twin.size());
    uint32_t block = row / kBlockRows;
    auto in_block = static_cast<uint32_t>(std::distance(twin.lower_bound(block * kBlockRows), twin.lower_bound((block + 1) * kBlockRows)));
    ASSERT_EQ(bits.CountInBlock(block), in_block);
    ASSERT_EQ(bits.Block(block) == nullptr, in_block == 0);
  }
  EXPECT_EQ(bits.Block(1'000), nullptr);
  EXPECT_FALSE(bits.Test(Row(0xFFFFFFFF)));
}

}  // namespace
}  // namespace korrel
