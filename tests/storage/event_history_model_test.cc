// Goal: EventHistory gives back every event as it was added, in (time, arrival) order, whatever the order of arrival, the types, the
// widening of a property's type, absent values and removals.
// Method: random operations against a plain sorted vector; after a few of them every answer is compared. The seed is printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "storage/event_history.h"

namespace korrel {
namespace {

struct PlainEvent {
  EventToAdd event;
  Value Get(PropertyId property) const {
    for (const auto& [id, value] : event.properties)
      if (id == property) return value;
    return {};
  }
};

class Twin {
 public:
  explicit Twin(uint64_t seed) : random_(seed) {
    types_ = {kBoolType, kIntType, DecimalType(2), kDoubleType, kStringType, kTimestampType, kSetType, kIntType, kStringType, kDoubleType};
  }

  void Add() {
    EventToAdd event;
    event.time_us = NextTime();
    event.message_hash = Chance(10) ? 0 : random_() | 1;
    event.source = SourceId(static_cast<uint16_t>(Chance(4) ? random_() : 7));
    for (uint32_t p = 0; p < types_.size(); ++p)
      if (!Chance(absent_one_in_)) event.properties.emplace_back(PropertyId(p), RandomValue(types_[p]));
    auto at =
        std::upper_bound(plain_.begin(), plain_.end(), event.time_us, [](int64_t t, const PlainEvent& e) { return t < e.event.time_us; });
    auto expected = static_cast<uint32_t>(at - plain_.begin());
    plain_.insert(at, PlainEvent{event});
    ASSERT_EQ(history_.Add(event, &dictionaries_), expected);
  }

  void RemoveOldest() {
    uint32_t count = std::min<uint32_t>(random_() % 100, plain_.size());
    if (Chance(3)) count = std::min<uint32_t>(1, plain_.size());
    history_.RemoveOldest(count);
    plain_.erase(plain_.begin(), plain_.begin() + count);
  }

  // The schema widens a property where all values held convert exactly.
  void Widen() {
    auto p = static_cast<uint32_t>(random_() % types_.size());
    if (!IsExactNumber(types_[p])) return;
    Type to = Chance(3) ? kDoubleType : DecimalType(std::min(18, types_[p].scale + static_cast<int>(random_() % 3)));
    for (const PlainEvent& e : plain_)
      if (Value v = e.Get(PropertyId(p)); IsPresent(v) && !ConvertExactly(v, to)) return;
    types_[p] = to;
    for (PlainEvent& e : plain_)
      for (auto& [id, value] : e.event.properties)
        if (id.value == p) value = *ConvertExactly(value, to);
  }

  void Compare() {
    auto size = static_cast<uint32_t>(plain_.size());
    ASSERT_EQ(history_.size(), size);
    uint32_t begin = size ? static_cast<uint32_t>(random_() % size) : 0,
             end = begin + (size ? static_cast<uint32_t>(random_() % (size - begin + 1)) : 0);
    if (Chance(3)) begin = 0, end = size;
    std::vector<int64_t> times;
    history_.ReadTimes(begin, end, &times);
    for (uint32_t i = begin; i < end; ++i) {
      const EventToAdd& event = plain_[i].event;
      ASSERT_EQ(history_.TimeOf(i), event.time_us) << i;
      ASSERT_EQ(times[i - begin], event.time_us);
      ASSERT_EQ(history_.SourceOf(i), event.source);
      if (event.message_hash != 0) {
        ASSERT_TRUE(history_.HasMessage(event.message_hash));
        ASSERT_TRUE(history_.HasMessage(event.message_hash, event.time_us));
        ASSERT_TRUE(history_.HasMessage(event.message_hash, event.time_us + 1));
      }
    }
    ASSERT_FALSE(history_.HasMessage((random_() & ~uint64_t{1}) | 2));
    for (uint32_t p = 0; p < types_.size(); ++p) CompareColumn(PropertyId(p), begin, end);
    CompareColumn(PropertyId(1000), begin, end);
    CompareBounds();
  }

 private:
  void CompareColumn(PropertyId property, uint32_t begin, uint32_t end) {
    Type type = property.value < types_.size() ? types_[property.value] : kIntType;
    EventColumn column;
    if (type != kSetType) history_.ReadColumn(property, type, begin, end, dictionaries_, &column);
    for (uint32_t i = begin; i < end; ++i) {
      Value expected = plain_[i].Get(property);
      ASSERT_EQ(history_.ValueOf(i, property, type, dictionaries_), expected) << "event " << i << " property " << property.value;
      if (type == kSetType) continue;
      EventCell cell = history_.CellOf(i, property, type, dictionaries_);
      size_t k = i - begin;
      ASSERT_EQ(cell.present, IsPresent(expected));
      ASSERT_EQ(column.present[k] != 0, cell.present);
      if (type == kStringType) {
        ASSERT_EQ(column.texts[k], cell.text);
      } else if (type == kDoubleType) {
        ASSERT_EQ(column.doubles[k], cell.present ? cell.d : 0.0);
      } else {
        ASSERT_EQ(column.ints[k], cell.present ? cell.i : 0);
      }
    }
  }

  void CompareBounds() {
    for (int i = 0; i < 5; ++i) {
      int64_t t = plain_.empty() || Chance(5) ? NextTime()
                                              : plain_[random_() % plain_.size()].event.time_us + static_cast<int64_t>(random_() % 3) - 1;
      auto count = [&](auto holds) { return static_cast<uint32_t>(std::count_if(plain_.begin(), plain_.end(), holds)); };
      ASSERT_EQ(history_.LowerBound(t), count([&](const PlainEvent& e) { return e.event.time_us < t; }));
      ASSERT_EQ(history_.UpperBound(t), count([&](const PlainEvent& e) { return e.event.time_us <= t; }));
    }
  }

  bool Chance(uint64_t one_in) { return random_() % one_in == 0; }

  int64_t NextTime() {
    static constexpr int64_t kUnits[] = {1, 1'000, 1'000'000, 60'000'000, 3'600'000'000, 86'400'000'000};
    if (Chance(400)) unit_ = kUnits[random_() % 6];
    if (Chance(300)) return Chance(2) ? kTimestampMinUs : kTimestampMaxUs;
    if (Chance(3)) return static_cast<int64_t>(random_() % 2000) * unit_ - 1000 * unit_;  // late, often equal
    clock_ += static_cast<int64_t>(random_() % 3) * unit_;
    return clock_ / unit_ * unit_;
  }

  int64_t RandomInt() {
    switch (random_() % 8) {
      case 0:
        return std::numeric_limits<int64_t>::min() + static_cast<int64_t>(random_() % 2);
      case 1:
        return std::numeric_limits<int64_t>::max() - static_cast<int64_t>(random_() % 2);
      case 2:
        return static_cast<int64_t>(random_());
      default:
        return static_cast<int64_t>(random_() % 2001) - 1000;
    }
  }
  // Mostly small, so that types can widen.
  int64_t SomeInt() { return extreme_ ? RandomInt() : static_cast<int64_t>(random_() % 2001) - 1000; }

  std::string RandomText() {
    if (Chance(20)) return std::string(random_() % 3000, 'x');
    return Chance(3) ? "text " + std::to_string(random_()) : std::string(1, static_cast<char>('a' + random_() % 5));
  }

  Value RandomValue(Type type) {
    switch (type.kind) {
      case ValueKind::kBool:
        return Chance(2);
      case ValueKind::kInt:
        return SomeInt();
      case ValueKind::kDecimal:
        return Decimal{SomeInt(), type.scale};
      case ValueKind::kDouble:
        return RandomDouble();
      case ValueKind::kString:
        return RandomText();
      case ValueKind::kTimestamp:
        return Timestamp{static_cast<int64_t>(random_() % 1'000'000'000'000)};
      default:
        break;
    }
    StringSet items;
    for (uint64_t i = random_() % 4; i > 0; --i) items.push_back(RandomText());
    Value set(items);
    EXPECT_TRUE(Normalize(&set, "").ok());
    return set;
  }

  double RandomDouble() {
    switch (random_() % (extreme_ ? 6 : 4)) {
      case 0:
        return static_cast<double>(random_() % 1000);
      case 4:
        return std::ldexp(static_cast<double>(random_() | 1), static_cast<int>(random_() % 1900) - 1000);
      case 5:
        return Chance(2) ? std::numeric_limits<double>::max() : std::numeric_limits<double>::denorm_min();
      default:
        return static_cast<double>(random_() % 100'000) / 100;
    }
  }

  std::mt19937_64 random_;
  std::vector<Type> types_;
  std::vector<PlainEvent> plain_;
  EventHistory history_;
  PropertyDictionaries dictionaries_;
  int64_t clock_ = 1'500'000'000'000'000, unit_ = 1'000'000;

 public:
  bool extreme_ = false;
  uint64_t absent_one_in_ = 5;
};

class EventHistoryModel : public ::testing::TestWithParam<int> {};

TEST_P(EventHistoryModel, EqualsASortedVector) {
  uint64_t seed = std::random_device()() * 10ull + static_cast<uint64_t>(GetParam());
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  RecordProperty("seed", std::to_string(seed));
  Twin twin(seed);
  twin.extreme_ = GetParam() % 2;
  twin.absent_one_in_ = GetParam() % 3 == 0 ? 1'000'000 : 5;
  std::mt19937_64 random(seed + 1);
  for (int step = 0; step < 2500; ++step) {
    if (random() % 300 == 0) twin.RemoveOldest();
    if (random() % 100 == 0) twin.Widen();
    twin.Add();
    if (::testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << " step " << step;
    if (step % 97 == 0 || step < 70) twin.Compare();
    if (::testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << " step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, EventHistoryModel, ::testing::Range(0, 6));

}  // namespace
}  // namespace korrel
