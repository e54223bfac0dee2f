#include "engine/question/top_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <random>

namespace korrel {
namespace {

ValueVector Column(Type type, const std::vector<Value>& values) {
  ValueVector column;
  column.type = type;
  for (const Value& value : values) {
    column.present.push_back(IsPresent(value));
    const int64_t* number = std::get_if<int64_t>(&value);
    const double* real = std::get_if<double>(&value);
    const std::string* text = std::get_if<std::string>(&value);
    column.ints.push_back(number ? *number : 0);
    column.doubles.push_back(real ? *real : 0);
    column.texts.push_back(text ? std::string_view(*text) : std::string_view());
  }
  return column;
}

// The ids in the order that an answer gives them.
std::vector<uint64_t> Ranked(Type type, const std::vector<Value>& values, bool descending, size_t limit = 100) {
  const ValueVector column = Column(type, values);
  TopRows top(limit);
  std::vector<RankedRow> rows;
  for (size_t i = 0; i < values.size(); ++i) {
    const ProfileId id(i + 1);
    rows.push_back({RankOf(column, i, descending, id), {id}});
  }
  EXPECT_TRUE(top.Offer(&rows));
  std::vector<uint64_t> ids;
  for (const RankedRow& row : top.Release()) ids.push_back(row.row.id.value);
  return ids;
}

using Ids = std::vector<uint64_t>;

TEST(TopRows, OrdersNumbersBothWaysAbsentLast) {
  const std::vector<Value> values = {int64_t{5}, Value(), int64_t{-3}, INT64_MAX, INT64_MIN};
  EXPECT_EQ(Ranked(kIntType, values, false), (Ids{5, 3, 1, 4, 2}));
  EXPECT_EQ(Ranked(kIntType, values, true), (Ids{4, 1, 3, 5, 2}));
}

TEST(TopRows, OrdersDoublesBothWays) {
  const std::vector<Value> values = {0.0, -1.5, DBL_MAX, -DBL_MAX, DBL_TRUE_MIN, Value()};
  EXPECT_EQ(Ranked(kDoubleType, values, false), (Ids{4, 2, 1, 5, 3, 6}));
  EXPECT_EQ(Ranked(kDoubleType, values, true), (Ids{3, 5, 1, 2, 4, 6}));
}

TEST(TopRows, OrdersTextsByBytesBothWays) {
  const std::vector<Value> values = {std::string("b"), std::string("é"), std::string(), Value(), std::string("ba")};
  EXPECT_EQ(Ranked(kStringType, values, false), (Ids{3, 1, 5, 2, 4}));
  EXPECT_EQ(Ranked(kStringType, values, true), (Ids{2, 5, 1, 3, 4}));
}

TEST(TopRows, TiesGoByProfileIdBothWays) {
  const std::vector<Value> values = {int64_t{1}, int64_t{1}, Value(), Value(), int64_t{1}};
  EXPECT_EQ(Ranked(kIntType, values, false), (Ids{1, 2, 5, 3, 4}));
  EXPECT_EQ(Ranked(kIntType, values, true), (Ids{1, 2, 5, 3, 4}));
  EXPECT_EQ(Ranked(kIntType, values, true, 2), (Ids{1, 2}));
}

TEST(TopRows, OrderedBitsAreReversible) {
  for (double x : {0.0, 1.5, -1.5, DBL_MAX, -DBL_MAX, DBL_TRUE_MIN, -DBL_TRUE_MIN}) EXPECT_EQ(FromOrderedBits(OrderedBits(x)), x);
}

// Method: random values with many ties, offered in random portions; the sorted list is the twin.
TEST(TopRows, KeepsTheFirstOfAnyPortions) {
  const uint64_t seed = 42;
  std::mt19937_64 random(seed);
  for (int round = 0; round < 50; ++round) {
    std::vector<Value> values;
    for (int i = 0; i < 300; ++i) {
      values.emplace_back();
      if (random() % 5 != 0) values.back() = static_cast<int64_t>(random() % 20);
    }
    const ValueVector column = Column(kIntType, values);
    std::vector<RankKey> twin;
    const size_t limit = 1 + random() % 100;
    TopRows top(limit);
    std::vector<RankedRow> portion;
    for (size_t i = 0; i < values.size(); ++i) {
      const ProfileId id(random());
      const RankKey key = RankOf(column, i, round % 2, id);
      twin.push_back(key);
      // What a scan does: rows that Last() beats are not offered.
      const std::optional<RankKey> last = top.Last();
      if (!last || key < *last) portion.push_back({key, {id}});
      const bool offer = random() % 10 == 0 || i + 1 == values.size();
      ASSERT_TRUE(!offer || top.Offer(&portion));
    }
    std::sort(twin.begin(), twin.end());
    const std::vector<RankedRow> rows = top.Release();
    ASSERT_EQ(rows.size(), limit);
    for (size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(rows[i].row.id, twin[i].id) << "seed " << seed << ", round " << round;
  }
}

}  // namespace
}  // namespace korrel
