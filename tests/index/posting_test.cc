// Posting against std::set: containers around the array limit and block edges; expansion of every kind of container.

#include "index/posting.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace korrel {
namespace {

std::set<uint32_t> RowsOf(const std::vector<uint64_t>& words) {
  std::set<uint32_t> rows;
  for (uint32_t row = 0; row < kBlockRows; ++row) {
    if (words[row / 64] >> (row % 64) & 1) rows.insert(row);
  }
  return rows;
}

void ExpectEqual(const Posting& posting, const std::set<uint32_t>& rows, uint32_t blocks) {
  ASSERT_EQ(posting.count(), rows.size());
  for (uint32_t block = 0; block < blocks; ++block) {
    std::set<uint32_t> expected;
    for (uint32_t row : rows) {
      if (row / kBlockRows == block) expected.insert(row % kBlockRows);
    }
    std::vector<uint64_t> words(kBlockWords, 0);
    posting.OrInto(block, words.data());
    EXPECT_EQ(RowsOf(words), expected);
    EXPECT_EQ(posting.CountInBlock(block), expected.size());
    EXPECT_EQ(posting.Block(block).cardinality, expected.size());
  }
}

TEST(Posting, EqualsASetThroughAddsAndRemovesAroundTheArrayLimit) {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  SCOPED_TRACE(seed);
  Posting posting;
  std::set<uint32_t> rows;
  for (uint32_t target : {1u, 4'095u, 4'096u, 4'097u, 30'000u, 4'097u, 4'096u, 4'095u, 10u, 0u}) {
    while (rows.size() < target) {
      const auto row =
          static_cast<uint32_t>(random() % (2 * kBlockRows) < kBlockRows ? random() % kBlockRows : kBlockRows - 1 + random() % 3);
      posting.Add(Row(row));
      rows.insert(row);
    }
    while (rows.size() > target) {
      const uint32_t row = *std::next(rows.begin(), static_cast<std::ptrdiff_t>(random() % std::min<size_t>(rows.size(), 50)));
      posting.Remove(Row(row));
      posting.Remove(Row(row));
      rows.erase(row);
      EXPECT_FALSE(posting.Contains(Row(row)));
    }
    ExpectEqual(posting, rows, 3);
  }
}

TEST(Posting, ShowsBitsetsAndArraysAsTheyLie) {
  Posting posting;
  for (uint32_t i = 0; i < 4'096; ++i) posting.Add(Row(i * 3));
  EXPECT_EQ(posting.Block(0).kind, Posting::Container::Kind::kArray);
  EXPECT_EQ(posting.Block(0).values[4'095], 4'095 * 3);
  posting.Add(Row(1));
  EXPECT_EQ(posting.Block(0).kind, Posting::Container::Kind::kBits);
  EXPECT_EQ(posting.Block(0).bits[0] & 0xF, 0b1011u);
  EXPECT_EQ(posting.Block(1).kind, Posting::Container::Kind::kEmpty);
  EXPECT_EQ(posting.Block(70'000).kind, Posting::Container::Kind::kEmpty);
}

TEST(Posting, RunsAreExpandedAcrossWordsAndToTheLastRow) {
  const uint16_t runs[] = {3, 0, 60, 10, 128, 63, 300, 500, 65'530, 5};
  Posting::Container container;
  container.kind = Posting::Container::Kind::kRuns;
  container.values = runs;
  container.size = 5;
  std::vector<uint64_t> words(kBlockWords, 0);
  Posting::Expand(container, words.data());
  std::set<uint32_t> expected;
  for (int i = 0; i < 5; ++i) {
    for (uint32_t row = runs[2 * i]; row <= runs[2 * i] + uint32_t{runs[2 * i + 1]}; ++row) expected.insert(row);
  }
  EXPECT_EQ(RowsOf(words), expected);
}

}  // namespace
}  // namespace korrel
