#include "storage/profile_table.h"

#include <gtest/gtest.h>

#include "storage/retype.h"

namespace korrel {
namespace {

constexpr int64_t kNow = 1'500'000'000'000'000;
constexpr int64_t kNeverUs = std::numeric_limits<int64_t>::min();
const SourceId kSource(1);

AttributeSchema Attribute(uint32_t id, Type type) { return {AttributeId(id), "a" + std::to_string(id), type}; }

class ProfileTableTest : public ::testing::Test {
 protected:
  ProfileTable::WriteOutcome Set(const AttributeSchema& attribute, Value value, int64_t time = kNow) {
    auto outcome = table_.Write(row_, attribute, AttributeOperation::kSet, value, time, kSource);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.value_or(ProfileTable::WriteOutcome());
  }
  Status Try(const AttributeSchema& attribute, AttributeOperation operation, const Value& value) {
    Status check = table_.CheckWrite(row_, attribute, operation, value);
    Status write = table_.Write(row_, attribute, operation, value, kNow, kSource).status();
    EXPECT_EQ(check, write);
    return write;
  }
  Value Get(const AttributeSchema& attribute) {
    const AttributeColumn* column = table_.column(attribute.id);
    return column ? column->Get(row_) : Value();
  }

  ProfileTable table_{nullptr};
  Row row_ = table_.AddRow(ProfileId(1));
  AttributeSchema text_ = Attribute(0, kStringType), number_ = Attribute(1, kIntType), tags_ = Attribute(2, kSetType);
};

TEST_F(ProfileTableTest, NewestSetWinsWhateverTheOrder) {
  EXPECT_TRUE(Set(number_, int64_t{2}, kNow).changed);
  EXPECT_TRUE(Set(number_, int64_t{1}, kNow - 1).superseded);
  EXPECT_EQ(Get(number_), Value(int64_t{2}));
  EXPECT_TRUE(Set(number_, int64_t{3}, kNow).changed);  // equal times: the later arrival
  EXPECT_FALSE(Set(number_, int64_t{3}, kNow + 1).changed);
  EXPECT_EQ(table_.StampOf(row_, number_.id).time_us, kNow + 1);
}

TEST_F(ProfileTableTest, AnUnsetBeatsOlderSets) {
  Set(number_, int64_t{1}, kNow - 10);
  ASSERT_TRUE(table_.Write(row_, number_, AttributeOperation::kUnset, Value(), kNow, kSource)->changed);
  EXPECT_TRUE(Set(number_, int64_t{1}, kNow - 5).superseded);
  EXPECT_EQ(Get(number_), Value());
  EXPECT_TRUE(Set(number_, int64_t{1}, kNow).changed);
}

TEST_F(ProfileTableTest, AnUnsetOfWhatWasNeverThereIsRemembered) {
  EXPECT_FALSE(table_.Write(row_, text_, AttributeOperation::kUnset, Value(), kNow, kSource)->changed);
  EXPECT_TRUE(Set(text_, std::string("late"), kNow - 1).superseded);
}

TEST_F(ProfileTableTest, OtherOperationsLeaveTheWriteTimeAlone) {
  ASSERT_TRUE(Try(number_, AttributeOperation::kIncrement, Value(int64_t{5})).ok());
  EXPECT_EQ(table_.StampOf(row_, number_.id).time_us, kNeverUs);
  Set(text_, std::string("x"), kNow);
  EXPECT_EQ(table_.StampOf(row_, number_.id).time_us, kNeverUs);
  EXPECT_TRUE(Set(number_, int64_t{1}, kTimestampMinUs).changed);  // any set wins
  ASSERT_TRUE(Try(number_, AttributeOperation::kIncrement, Value(int64_t{5})).ok());
  EXPECT_EQ(Get(number_), Value(int64_t{6}));
  EXPECT_EQ(table_.StampOf(row_, number_.id).time_us, kTimestampMinUs);
}

TEST_F(ProfileTableTest, RefusedWritesChangeNothing) {
  Set(number_, std::numeric_limits<int64_t>::max());
  Status overflow = Try(number_, AttributeOperation::kIncrement, Value(int64_t{1}));
  EXPECT_EQ(overflow.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(overflow), "FIELD");
  EXPECT_EQ(Get(number_), Value(std::numeric_limits<int64_t>::max()));
  for (auto operation : {AttributeOperation::kIncrement, AttributeOperation::kMin, AttributeOperation::kAdd})
    EXPECT_EQ(ReasonOf(Try(text_, operation, Value(std::string("x")))), "TYPE_CLASH") << OperationName(operation);
  EXPECT_EQ(ReasonOf(Try(number_, AttributeOperation::kSet, Value(1.5))), "TYPE_CLASH");
  EXPECT_EQ(ReasonOf(Try(number_, AttributeOperation::kSet, Value())), "TYPE_CLASH");
  AttributeSchema wider = number_;
  wider.type = DecimalType(2);
  EXPECT_EQ(ReasonOf(Try(wider, AttributeOperation::kSet, Value(Decimal{1, 2}))), "TYPE_CLASH");  // the column was not widened
  EXPECT_EQ(Get(text_), Value());
  EXPECT_EQ(table_.StampOf(row_, text_.id).time_us, kNeverUs);
}

TEST_F(ProfileTableTest, SetsOverTheirLimitAreRefused) {
  StringSet many;
  for (size_t i = 0; i < kSetItemsMax; ++i) many.push_back(std::to_string(i));
  Value value = many;
  ASSERT_TRUE(Normalize(&value, "").ok());
  Set(tags_, value);
  EXPECT_TRUE(Try(tags_, AttributeOperation::kAdd, Value(std::string("7"))).ok());  // there already
  EXPECT_EQ(ReasonOf(Try(tags_, AttributeOperation::kAdd, Value(std::string("new")))), "FIELD");
  EXPECT_EQ(std::get<StringSet>(Get(tags_)).size(), kSetItemsMax);
}

TEST_F(ProfileTableTest, RowsOfMoreThanAMebibyteAreRefused) {
  std::string longest(kStringBytesMax, 'x');
  for (uint32_t a = 0; a < 16; ++a) Set(Attribute(a, kStringType), longest);
  Status status = Try(Attribute(16, kStringType), AttributeOperation::kSet, Value(std::string("y")));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "LIMIT");
  EXPECT_EQ(table_.column(AttributeId(16)), nullptr);
  Set(Attribute(0, kStringType), std::string("short"));  // makes room
  EXPECT_TRUE(Try(Attribute(16, kStringType), AttributeOperation::kSet, Value(std::string("y"))).ok());
}

TEST_F(ProfileTableTest, AnEmptySetIsPresent) {
  Set(tags_, StringSet{});
  EXPECT_EQ(Get(tags_), Value(StringSet{}));
  ASSERT_TRUE(Try(tags_, AttributeOperation::kAdd, Value(std::string("a"))).ok());
  ASSERT_TRUE(Try(tags_, AttributeOperation::kRemove, Value(std::string("a"))).ok());
  EXPECT_EQ(Get(tags_), Value(StringSet{}));
}

TEST_F(ProfileTableTest, ActivityAheadOfTheClockCountsFromItsInstant) {
  EXPECT_FALSE(table_.CreatedAt(row_, kNow).has_value());
  table_.NoteActivity(row_, kNow + 100, kNow);
  EXPECT_FALSE(table_.CreatedAt(row_, kNow).has_value());
  table_.NoteActivity(row_, kNow - 50, kNow);
  EXPECT_EQ(table_.CreatedAt(row_, kNow), std::optional<int64_t>(kNow - 50));
  EXPECT_EQ(table_.UpdatedAt(row_, kNow + 99), std::optional<int64_t>(kNow - 50));
  EXPECT_EQ(table_.UpdatedAt(row_, kNow + 100), std::optional<int64_t>(kNow + 100));
  table_.NoteActivity(row_, kNow + 200, kNow + 200);
  EXPECT_EQ(table_.UpdatedAt(row_, kNow + 200), std::optional<int64_t>(kNow + 200));
}

TEST_F(ProfileTableTest, LowestFreeRowComesFirst) {
  for (uint64_t id = 2; id <= 10; ++id) EXPECT_EQ(table_.AddRow(ProfileId(id)).value, id - 1);
  for (uint32_t row : {7u, 3u, 5u}) table_.RemoveRow(Row(row));
  EXPECT_EQ(table_.AddRow(ProfileId(11)).value, 3u);
  EXPECT_EQ(table_.AddRow(ProfileId(12)).value, 5u);
  EXPECT_EQ(table_.AddRow(ProfileId(13)).value, 7u);
  EXPECT_EQ(table_.AddRow(ProfileId(14)).value, 10u);
  EXPECT_EQ(table_.row_end(), 11u);
}

TEST_F(ProfileTableTest, ARemovedRowLeavesNothingBehind) {
  EventTypeSchema type;
  EventToAdd event;
  event.message_hash = 5;
  Set(text_, std::string("x"));
  Set(tags_, StringSet{"a"});
  Set(text_, std::string("y"), kNow + 1);
  table_.NoteActivity(row_, kNow + 100, kNow);
  table_.AddIdentifier(row_, IdentifierTypeId(0), "k");
  table_.AddMember(SegmentId(0), row_, kNow + 5);
  for (int64_t i = 0; i < 5; ++i) {
    event.time_us = i;
    event.message_hash = static_cast<uint64_t>(i) + 1;
    table_.AddEvent(row_, type, event, 3);
  }
  ASSERT_TRUE(table_.IsTruncated(row_, type.id));
  ASSERT_EQ(table_.event_count(), 3u);
  table_.RemoveRow(row_);
  EXPECT_EQ(table_.event_count(), 0u);
  EXPECT_EQ(table_.TruncatedRows(type.id), nullptr);
  EXPECT_EQ(table_.HavingIdentifier(IdentifierTypeId(0)), nullptr);
  EXPECT_EQ(table_.List(SegmentId(0)), nullptr);
  EXPECT_EQ(table_.column(text_.id)->presence().count(), 0u);
  EXPECT_EQ(table_.column(tags_.id)->dictionary().RowCount(Code(0)), 0u);
  ASSERT_EQ(table_.AddRow(ProfileId(2)), row_);
  EXPECT_EQ(table_.History(row_, type.id), nullptr);
  EXPECT_TRUE(table_.IdentifiersOf(row_).empty());
  EXPECT_FALSE(table_.UpdatedAt(row_, kNow + 1000).has_value());
  EXPECT_EQ(table_.VersionOf(row_), Position());
  EXPECT_TRUE(Set(text_, std::string("z"), kTimestampMinUs).changed);
}

TEST_F(ProfileTableTest, MembersLeaveWhenTheyExpire) {
  table_.AddMember(SegmentId(4), row_, kNow);
  EXPECT_TRUE(table_.List(SegmentId(4))->Contains(row_, kNow - 1));
  EXPECT_FALSE(table_.List(SegmentId(4))->Contains(row_, kNow));
  table_.AddMember(SegmentId(4), row_, std::nullopt);  // for good now
  EXPECT_TRUE(table_.List(SegmentId(4))->Contains(row_, kTimestampMaxUs));
}

TEST_F(ProfileTableTest, DuplicatesAreFoundOverAllTypes) {
  EventTypeSchema first, second;
  second.id = EventTypeId(1);
  EventToAdd event;
  event.message_hash = 77;
  EXPECT_EQ(table_.AddEvent(row_, first, event).result, ProfileTable::AddEventResult::kAdded);
  event.time_us = 5;
  EXPECT_EQ(table_.AddEvent(row_, second, event).result, ProfileTable::AddEventResult::kDuplicate);
  event.message_hash = 0;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(table_.AddEvent(row_, second, event).result, ProfileTable::AddEventResult::kAdded);
  EXPECT_EQ(table_.EventTypesOf(row_), (std::vector<EventTypeId>{EventTypeId(0), EventTypeId(1)}));
}

TEST_F(ProfileTableTest, AnEventOlderThanAllMayBePushedOutAtOnce) {
  EventTypeSchema type;
  type.max_events = 2;
  EventToAdd event;
  for (int64_t time : {30, 20, 10}) {
    event.time_us = time;
    EXPECT_EQ(table_.AddEvent(row_, type, event).evicted, time == 10 ? 1u : 0u);
  }
  EXPECT_EQ(table_.History(row_, type.id)->TimeOf(0), 20);
  EXPECT_FALSE(table_.IsTruncated(row_, type.id));  // declared, not by the hard limit
}

TEST_F(ProfileTableTest, RetentionAndMaxEventsBoundWhatIsVisible) {
  EventTypeSchema type;
  EventToAdd event;
  for (int64_t i = 0; i < 10; ++i) {
    event.time_us = i * 10;
    table_.AddEvent(row_, type, event);
  }
  const EventHistory& history = *table_.History(row_, type.id);
  auto visible = [&](int64_t now) {
    auto range = ProfileTable::Visible(history, type, now);
    return std::pair(range.begin, range.end);
  };
  EXPECT_EQ(visible(-1), std::pair(0u, 0u));
  EXPECT_EQ(visible(55), std::pair(0u, 6u));
  type.retention_us = 30;
  EXPECT_EQ(visible(90), std::pair(7u, 10u));  // 60 is exactly 30 old, so it is gone
  EXPECT_EQ(visible(500), std::pair(10u, 10u));
  type.max_events = 4;
  EXPECT_EQ(visible(50), std::pair(6u, 6u));  // the newest held are not visible yet
  type.retention_us = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(visible(kTimestampMinUs), std::pair(0u, 0u));
}

TEST_F(ProfileTableTest, PropertiesWidenWhileAllTheyHeldStaysExact) {
  EventTypeSchema type;
  EventToAdd event;
  event.properties.emplace_back(PropertyId(0), int64_t{1} << 40);
  event.properties.emplace_back(PropertyId(1), Decimal{125, 3});
  event.properties.emplace_back(PropertyId(2), std::string("x"));
  table_.AddEvent(row_, type, event);
  auto can = [&](uint32_t property, Type to) { return table_.CanWidenProperty(type.id, PropertyId(property), to); };
  EXPECT_TRUE(can(0, DecimalType(6)));
  EXPECT_FALSE(can(0, DecimalType(7)));
  EXPECT_TRUE(can(0, kDoubleType));
  EXPECT_TRUE(can(1, kDoubleType));
  EXPECT_FALSE(can(1, DecimalType(2)));
  EXPECT_TRUE(can(1, DecimalType(18)));
  EXPECT_FALSE(can(2, kIntType));
  EXPECT_TRUE(can(2, kStringType));
  EXPECT_TRUE(can(9, kBoolType));
  event.properties.clear();
  event.properties.emplace_back(PropertyId(1), Decimal{1, 1});
  table_.AddEvent(row_, type, event);
  EXPECT_FALSE(can(1, kDoubleType));
}

TEST_F(ProfileTableTest, RetypeChecksFirstAndConvertsThen) {
  std::vector<Row> rows{row_};
  for (uint64_t id = 2; id <= 20; ++id) rows.push_back(table_.AddRow(ProfileId(id)));
  for (size_t i = 0; i < rows.size(); ++i) {
    Value value = i % 5 == 4 ? std::string("n/a") : std::to_string(i) + ".50";
    ASSERT_TRUE(table_.Write(rows[i], text_, AttributeOperation::kSet, value, kNow, kSource).ok());
  }
  auto preview = table_.RetypeColumn(text_.id, DecimalType(2), true);
  EXPECT_EQ(preview.converted, 16u);
  EXPECT_EQ(preview.failed, 4u);
  EXPECT_EQ(preview.failing_sample, (std::vector<Row>{rows[4], rows[9], rows[14], rows[19]}));
  EXPECT_EQ(table_.column(text_.id)->type(), kStringType);
  table_.RetypeColumn(text_.id, DecimalType(2), false);
  EXPECT_EQ(table_.column(text_.id)->Get(rows[3]), Value(Decimal{350, 2}));
  EXPECT_FALSE(table_.column(text_.id)->Has(rows[4]));
  table_.DropColumn(text_.id);
  EXPECT_EQ(table_.column(text_.id), nullptr);
}

TEST(Retype, GivesWhatTheTextMeansOrNothing) {
  auto from_text = [](const char* text, Type type) { return Retype(Value(std::string(text)), type); };
  EXPECT_EQ(from_text("-12.50", DecimalType(1)), std::optional<Value>(Decimal{-125, 1}));
  EXPECT_EQ(from_text("1e3", kIntType), std::optional<Value>(int64_t{1000}));
  EXPECT_EQ(from_text("100000000000000000000000e-20", kIntType), std::optional<Value>(int64_t{1000}));
  EXPECT_EQ(from_text("-9223372036854775808", kIntType), std::optional<Value>(std::numeric_limits<int64_t>::min()));
  EXPECT_EQ(from_text("0.0", kIntType), std::optional<Value>(int64_t{0}));
  EXPECT_EQ(from_text("1050", kIntType), std::optional<Value>(int64_t{1050}));
  EXPECT_EQ(from_text("0.1", kDoubleType), std::optional<Value>(0.1));
  EXPECT_EQ(from_text("2017-03-01T11:00:00+02:00", kTimestampType), std::optional<Value>(Timestamp{1488358800'000000}));
  EXPECT_EQ(from_text("2017-03-01", kTimestampType), std::optional<Value>(Timestamp{1488326400'000000}));
  for (const char* bad : {"", "-", ".", "1.5", "9223372036854775808", "1e99999999999", "0x10", "1 ", "1e", "--1", "1.2.3"})
    EXPECT_FALSE(from_text(bad, kIntType).has_value()) << bad;
  for (const char* bad : {"nan", "inf", "1e999", "1,5"}) EXPECT_FALSE(from_text(bad, kDoubleType).has_value()) << bad;
  EXPECT_FALSE(from_text("True", kBoolType).has_value());
  EXPECT_FALSE(from_text("2017-13-01", kTimestampType).has_value());
  EXPECT_EQ(Retype(Value(0.1), DecimalType(1)), std::optional<Value>(Decimal{1, 1}));
  EXPECT_EQ(Retype(Value(1e300), kStringType), std::optional<Value>(std::string("1e+300")));
  EXPECT_EQ(Retype(Value(StringSet{"a"}), kStringType), std::optional<Value>(std::string("a")));
  EXPECT_FALSE(Retype(Value(StringSet{"a", "b"}), kStringType).has_value());
  EXPECT_EQ(Retype(Value(true), kIntType), std::optional<Value>(int64_t{1}));
  EXPECT_FALSE(Retype(Value(int64_t{2}), kBoolType).has_value());
}

TEST(ProfileTable, RowsAreCompact) {
  ProfileTable table(nullptr);
  constexpr uint32_t kRows = 100 * 1024;
  for (uint64_t id = 1; id <= kRows; ++id) table.NoteActivity(table.AddRow(ProfileId(id * 7919)), kNow, kNow);
  EXPECT_LE(table.MemoryBytes() / kRows, 72u);
  for (uint64_t id = 1; id <= kRows; ++id) ASSERT_EQ(table.Find(ProfileId(id * 7919))->value, id - 1);
}

TEST(ProfileTable, RowsWrittenAgainAsAWholeNeedNoExceptions) {
  auto bytes = [](bool again) {
    ProfileTable table(nullptr);
    for (uint64_t id = 1; id <= 1000; ++id) {
      Row row = table.AddRow(ProfileId(id));
      for (int64_t time = 0; time <= (again ? 3 : 0); ++time)
        for (uint32_t a = 0; a < 20; ++a)
          EXPECT_TRUE(table.Write(row, Attribute(a, kIntType), AttributeOperation::kSet, Value(int64_t{5}), time, kSource).ok());
    }
    return table.MemoryBytes();
  };
  EXPECT_LE(bytes(true), bytes(false) + 1000);
}

}  // namespace
}  // namespace korrel
