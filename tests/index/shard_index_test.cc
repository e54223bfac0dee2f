// Which values have a posting, and that a posting is always the rows that hold its value.

#include <random>

#include "tests/index/shard_fixture.h"

namespace korrel {
namespace {

const Posting* PostingOf(const TestShard& shard, const char* attribute, const char* text) {
  const AttributeColumn* column = shard.table.column(shard.names.attribute(attribute).id);
  const std::optional<Code> code = column ? column->dictionary().Find(text) : std::nullopt;
  return code ? shard.index.Find(column->id(), *code) : nullptr;
}

TEST(ShardIndex, AValueGetsAPostingAtSixtyFourRowsAndLosesItBelowHalf) {
  TestShard shard;
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(shard.index.posting_count(), 0u) << i;
    shard.Set(shard.Add(), "country", std::string("NL"));
  }
  ASSERT_NE(PostingOf(shard, "country", "NL"), nullptr);
  EXPECT_EQ(PostingOf(shard, "country", "NL")->count(), 64u);
  for (uint32_t i = 0; i < 32; ++i) shard.Unset(Row(i), "country");
  ASSERT_NE(PostingOf(shard, "country", "NL"), nullptr);
  shard.Unset(Row(32), "country");
  EXPECT_EQ(PostingOf(shard, "country", "NL"), nullptr);
}

TEST(ShardIndex, InALargeShardAValueNeedsOneRowIn256) {
  TestShard shard;
  for (int i = 0; i < 25'600; ++i) shard.Set(shard.Add(), "country", std::string(i % 300 == 0 ? "rare" : "NL"));
  // 86 rows hold it; a hundred are asked for.
  for (uint32_t i = 1; i <= 13; ++i) shard.Set(Row(i), "country", std::string("rare"));
  EXPECT_EQ(PostingOf(shard, "country", "rare"), nullptr);
  shard.Set(Row(14), "country", std::string("rare"));
  ASSERT_NE(PostingOf(shard, "country", "rare"), nullptr);
  EXPECT_EQ(PostingOf(shard, "country", "rare")->count(), 100u);
}

TEST(ShardIndex, EveryPostingHoldsExactlyTheRowsWithItsCode) {
  std::mt19937_64 random(TestSeed());
  SCOPED_TRACE(TestSeed());
  TestShard shard;
  for (int step = 0; step < 30'000; ++step) {
    const uint32_t rows = shard.table.row_end();
    const Row row = rows == 0 || random() % 3 == 0 ? shard.Add() : Row(static_cast<uint32_t>(random() % rows));
    if (!shard.table.live().Test(row)) continue;
    switch (random() % 8) {
      case 0:
        shard.table.RemoveRow(row);
        break;
      case 1:
        shard.Unset(row, "country");
        break;
      case 2:
        shard.Set(row, "member", random() % 2 == 0);
        break;
      case 3:
        shard.Set(row, "interests", random() % 2 == 0 ? StringSet{"a", "b"} : StringSet{"b"});
        break;
      default:
        shard.Set(row, "country", std::string(1, static_cast<char>('a' + random() % 12)));
    }
  }
  size_t found = 0;
  for (const char* name : {"country", "member", "interests"}) {
    const AttributeColumn* column = shard.table.column(shard.names.attribute(name).id);
    for (uint32_t code = 0; code < 12; ++code) {
      const Posting* posting = shard.index.Find(column->id(), Code(code));
      if (!posting) continue;
      ++found;
      uint64_t held = 0;
      for (uint32_t at = 0; at < shard.table.row_end(); ++at) {
        bool holds = column->Has(Row(at));
        if (holds && column->type() == kSetType) {
          const auto codes = column->SetCodes(Row(at));
          holds = std::find(codes.begin(), codes.end(), Code(code)) != codes.end();
        } else if (holds) {
          holds = column->RawInt(Row(at)) == code;
        }
        EXPECT_EQ(posting->Contains(Row(at)), holds) << name << " " << at;
        held += holds;
      }
      EXPECT_EQ(posting->count(), held);
    }
  }
  EXPECT_EQ(found, shard.index.posting_count());
  EXPECT_GE(found, 16u);
}

TEST(ShardIndex, KeepsNothingWhereToldSo) {
  TestShard shard(false);
  for (int i = 0; i < 500; ++i) shard.Set(shard.Add(), "country", std::string("NL"));
  EXPECT_EQ(shard.index.posting_count(), 0u);
  EXPECT_EQ(shard.Match("country = 'NL'").size(), 500u);
}

}  // namespace
}  // namespace korrel
