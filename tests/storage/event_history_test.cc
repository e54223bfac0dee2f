#include "storage/event_history.h"

#include <gtest/gtest.h>

#include <random>

namespace korrel {
namespace {

EventToAdd At(int64_t time_us, uint64_t hash = 0) {
  EventToAdd event;
  event.time_us = time_us;
  event.message_hash = hash;
  return event;
}

TEST(EventHistory, EqualTimesStayInOrderOfArrival) {
  EventHistory history;
  PropertyDictionaries dictionaries;
  for (int64_t i = 0; i < 200; ++i) {
    EventToAdd event = At(5'000'000);
    event.properties.emplace_back(PropertyId(0), i);
    EXPECT_EQ(history.Add(event, &dictionaries), i);
  }
  for (uint32_t i = 0; i < 200; ++i) EXPECT_EQ(history.CellOf(i, PropertyId(0), kIntType, dictionaries).i, i);
  EXPECT_EQ(history.LowerBound(5'000'000), 0u);
  EXPECT_EQ(history.UpperBound(5'000'000), 200u);
}

TEST(EventHistory, EventsThatArriveBackwardsEndUpInOrder) {
  EventHistory history;
  PropertyDictionaries dictionaries;
  for (int64_t i = 999; i >= 0; --i) EXPECT_EQ(history.Add(At(i * 1000), &dictionaries), 0u);
  for (uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(history.TimeOf(i), i * 1000);
}

TEST(EventHistory, MessagesAreFoundAboveAndBelowTheFilter) {
  EventHistory history;
  PropertyDictionaries dictionaries;
  std::mt19937_64 random(4711);
  std::vector<uint64_t> hashes;
  for (int64_t i = 0; i < 20'000; ++i) {
    hashes.push_back(random() | 1);
    history.Add(At(i, hashes.back()), &dictionaries);
    if (i % 997 != 0) continue;
    for (size_t k = 0; k < hashes.size(); k += 101) ASSERT_TRUE(history.HasMessage(hashes[k])) << k << " of " << i;
  }
  for (uint64_t hash : hashes) ASSERT_TRUE(history.HasMessage(hash, 0));
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(history.HasMessage(random() & ~uint64_t{1}));
  history.RemoveOldest(19'000);
  for (int i = 0; i < 19'000; i += 100) EXPECT_FALSE(history.HasMessage(hashes[i]));
  for (int i = 19'000; i < 20'000; ++i) EXPECT_TRUE(history.HasMessage(hashes[i]));
}

TEST(EventHistory, OldestLeaveOneByOne) {
  EventHistory history;
  PropertyDictionaries dictionaries;
  for (int64_t i = 0; i < 10'000; ++i) {
    history.Add(At(i, static_cast<uint64_t>(i) + 1), &dictionaries);
    if (history.size() > 100) history.RemoveOldest(1);
  }
  ASSERT_EQ(history.size(), 100u);
  for (uint32_t i = 0; i < 100; ++i) EXPECT_EQ(history.TimeOf(i), 9'900 + i);
  EXPECT_LT(history.MemoryBytes(), 8'000u);  // what left is not held for good
  history.RemoveOldest(100);
  EXPECT_EQ(history.size(), 0u);
  EXPECT_EQ(history.MemoryBytes(), 0u);
}

TEST(EventHistory, MostlyUniqueStringsAreStoredInline) {
  EventHistory history;
  PropertyDictionaries dictionaries;
  for (int64_t i = 0; i < 70'000; ++i) {
    EventToAdd event = At(i);
    event.properties.emplace_back(PropertyId(0), "session-" + std::to_string(i));
    event.properties.emplace_back(PropertyId(1), std::string(i % 2 ? "web" : "app"));
    history.Add(event, &dictionaries);
  }
  EXPECT_EQ(dictionaries.Find(PropertyId(0))->size(), 65'536u);
  EXPECT_EQ(dictionaries.Find(PropertyId(1))->size(), 2u);
  EventColumn column;
  history.ReadColumn(PropertyId(0), kStringType, 0, 70'000, dictionaries, &column);
  for (uint32_t i = 0; i < 70'000; ++i) ASSERT_EQ(column.texts[i], "session-" + std::to_string(i));
  EXPECT_EQ(history.CellOf(69'999, PropertyId(1), kStringType, dictionaries).text, "web");
}

TEST(EventHistory, LongTextsSplitChunksByBytes) {
  EventHistory history;
  PropertyDictionaries dictionaries;
  for (int64_t i = 0; i < 40; ++i) {
    EventToAdd event = At(i % 7);
    event.properties.emplace_back(PropertyId(3), StringSet{std::string(60'000, static_cast<char>('a' + i % 26))});
    history.Add(event, &dictionaries);
  }
  ASSERT_EQ(history.size(), 40u);
  for (uint32_t i = 0; i < 40; ++i) {
    Value value = history.ValueOf(i, PropertyId(3), kSetType, dictionaries);
    EXPECT_EQ(std::get<StringSet>(value)[0].size(), 60'000u);
  }
}

TEST(EventHistory, ConstantColumnsTakeNoBits) {
  auto bytes_of = [](bool constant) {
    EventHistory history;
    PropertyDictionaries dictionaries;
    for (int64_t i = 0; i < 64; ++i) {
      EventToAdd event = At(i * 86'400'000'000);
      int64_t value = constant ? 42 : i * 1'000'003;
      for (uint32_t p = 0; p < 10; ++p) event.properties.emplace_back(PropertyId(p), value);
      history.Add(event, &dictionaries);
    }
    return history.MemoryBytes();
  };
  EXPECT_LT(bytes_of(true), 200u);
  EXPECT_GT(bytes_of(false), 1'000u);
}

TEST(EventHistory, MovedFromIsEmpty) {
  EventHistory history;
  PropertyDictionaries dictionaries;
  for (int64_t i = 0; i < 300; ++i) history.Add(At(i), &dictionaries);
  EventHistory other = std::move(history);
  EXPECT_EQ(other.size(), 300u);
  EXPECT_EQ(EventHistory().size(), 0u);
  EXPECT_EQ(EventHistory().UpperBound(0), 0u);
}

}  // namespace
}  // namespace korrel
