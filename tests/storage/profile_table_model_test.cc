// Goal: ProfileTable answers like a naive table of std::maps, for all operations on attributes and events, late and early write times,
// widening columns, profiles that come and go; and its observer hears exactly the codes that rows hold.
// Method: random operations on a few dozen profiles, each outcome compared, everything compared now and then. The seed is printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "storage/profile_table.h"

namespace korrel {
namespace {

constexpr int64_t kNeverUs = std::numeric_limits<int64_t>::min();
constexpr uint32_t kAttributeCount = 12, kEventTypeCount = 3, kHardMax = 12;

class HeardCodes final : public CodeObserver {
 public:
  void CodeAdded(AttributeId attribute, Code code, Row row) override {
    EXPECT_TRUE(held.insert({attribute.value, code.value, row.value}).second);
  }
  void CodeRemoved(AttributeId attribute, Code code, Row row) override {
    EXPECT_EQ(held.erase({attribute.value, code.value, row.value}), 1u);
  }
  void ColumnReplaced(AttributeId attribute) override {
    std::erase_if(held, [&](const auto& entry) { return std::get<0>(entry) == attribute.value; });
  }
  std::set<std::tuple<uint32_t, uint32_t, uint32_t>> held;
};

struct NaiveAttribute {
  Value value;
  int64_t time_us = kNeverUs;
  SourceId source;
};

struct NaiveProfile {
  Row row;
  std::map<uint32_t, NaiveAttribute> attributes;
  std::map<uint32_t, std::vector<EventToAdd>> events;
  std::set<uint32_t> truncated;
  std::vector<Identifier> identifiers;
  std::vector<int64_t> activity;
  std::set<uint32_t> lists;
};

class Twin {
 public:
  explicit Twin(uint64_t seed) : random_(seed) {
    const Type types[kAttributeCount] = {kIntType, kIntType,    DecimalType(2), kDoubleType,    kStringType, kBoolType,
                                         kSetType, kStringType, kTimestampType, DecimalType(0), kSetType,    kIntType};
    for (uint32_t a = 0; a < kAttributeCount; ++a) attributes_.push_back({AttributeId(a), "a" + std::to_string(a), types[a]});
    event_types_.resize(kEventTypeCount);
    for (uint32_t t = 0; t < kEventTypeCount; ++t) event_types_[t].id = EventTypeId(t);
    event_types_[1].max_events = 8;
    event_types_[2].max_events = 30;  // beyond the hard limit, which wins
  }

  void Step() {
    now_us_ += Below(3) * 1000;
    if (profiles_.empty() || (profiles_.size() < 40 && Below(40) == 0)) return AddProfile();
    auto it = std::next(profiles_.begin(), Below(profiles_.size()));
    switch (Below(50)) {
      case 0:
        if (Below(10) == 0) return RemoveProfile(it->first);
        break;
      case 1:
        return Widen();
      case 2:
        return AddIdentifier(&it->second);
      case 3:
        return ChangeList(&it->second);
      case 4:
        return RemoveEvents(&it->second);
      case 5:
        return WriteAll(&it->second);
    }
    if (Below(3) == 0) AddEvent(&it->second);
    else Write(&it->second, Below(kAttributeCount), RandomTime());
  }

  void Compare() {
    ASSERT_EQ(table_.live().count(), profiles_.size());
    uint64_t events = 0;
    for (const auto& [id, profile] : profiles_) {
      ASSERT_EQ(table_.Find(ProfileId(id)), std::optional<Row>(profile.row));
      ASSERT_EQ(table_.IdOf(profile.row).value, id);
      CompareAttributes(profile);
      CompareActivity(profile);
      ASSERT_EQ(table_.IdentifiersOf(profile.row), profile.identifiers);
      for (uint32_t t = 0; t < kEventTypeCount; ++t) CompareEvents(profile, t, &events);
      for (uint32_t l = 0; l < 3; ++l)
        ASSERT_EQ(table_.List(SegmentId(l)) && table_.List(SegmentId(l))->members.Test(profile.row), profile.lists.contains(l));
    }
    ASSERT_EQ(table_.event_count(), events);
    CompareCodes();
  }

 private:
  int64_t Below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  int64_t RandomTime() { return Below(4) ? now_us_ : now_us_ - Below(20) * 1000; }

  void AddProfile() {
    uint64_t id = next_id_++;
    std::set<uint32_t> used;
    for (const auto& [other, profile] : profiles_) used.insert(profile.row.value);
    uint32_t lowest = 0;
    while (used.contains(lowest)) ++lowest;
    Row row = table_.AddRow(ProfileId(id));
    ASSERT_EQ(row.value, lowest);
    profiles_[id].row = row;
    ASSERT_EQ(table_.VersionOf(row), Position());
    table_.SetVersion(row, Position(id));
  }

  void RemoveProfile(uint64_t id) {
    Row row = profiles_[id].row;
    table_.RemoveRow(row);
    profiles_.erase(id);
    ASSERT_FALSE(table_.Find(ProfileId(id)).has_value());
    ASSERT_FALSE(table_.live().Test(row));
  }

  void AddIdentifier(NaiveProfile* profile) {
    Identifier identifier{IdentifierTypeId(static_cast<uint16_t>(Below(3))),
                          std::string(static_cast<size_t>(Below(200)), 'i') + std::to_string(Below(5))};
    table_.AddIdentifier(profile->row, identifier.type, identifier.text);
    if (std::find(profile->identifiers.begin(), profile->identifiers.end(), identifier) == profile->identifiers.end())
      profile->identifiers.push_back(identifier);
    ASSERT_TRUE(table_.HavingIdentifier(identifier.type)->Test(profile->row));
  }

  void ChangeList(NaiveProfile* profile) {
    auto list = static_cast<uint32_t>(Below(3));
    if (Below(2)) {
      table_.AddMember(SegmentId(list), profile->row, std::nullopt);
      profile->lists.insert(list);
    } else {
      table_.RemoveMember(SegmentId(list), profile->row);
      profile->lists.erase(list);
    }
  }

  void Widen() {
    AttributeSchema& attribute = attributes_[static_cast<size_t>(Below(kAttributeCount))];
    if (!IsExactNumber(attribute.type) || Below(10)) return;
    Type to = Below(4) == 0 ? kDoubleType : DecimalType(std::min(18, static_cast<int>(attribute.type.scale + Below(3))));
    bool can = true;
    for (const auto& [id, profile] : profiles_)
      if (auto it = profile.attributes.find(attribute.id.value); it != profile.attributes.end() && IsPresent(it->second.value))
        can = can && ConvertExactly(it->second.value, to).has_value();
    ASSERT_EQ(table_.CanWidenColumn(attribute.id, to), can);
    if (!can) return;
    table_.WidenColumn(attribute.id, to);
    attribute.type = to;
    for (auto& [id, profile] : profiles_)
      if (auto it = profile.attributes.find(attribute.id.value); it != profile.attributes.end() && IsPresent(it->second.value))
        it->second.value = *ConvertExactly(it->second.value, to);
  }

  void WriteAll(NaiveProfile* profile) {
    int64_t time = RandomTime();
    for (uint32_t a = 0; a < kAttributeCount; ++a) Write(profile, a, time);
  }

  std::string RandomText() { return "t" + std::to_string(Below(Below(10) == 0 ? 1000 : 6)); }

  Value RandomValue(Type type) {
    int64_t small = Below(50) == 0 ? std::numeric_limits<int64_t>::max() - Below(2) : Below(100) - 50;
    switch (type.kind) {
      case ValueKind::kBool:
        return Below(2) == 1;
      case ValueKind::kInt:
        return small;
      case ValueKind::kDecimal:
        return Decimal{small, type.scale};
      case ValueKind::kDouble:
        return static_cast<double>(Below(100)) / 4;
      case ValueKind::kString:
        return RandomText();
      case ValueKind::kTimestamp:
        return Timestamp{Below(1'000'000)};
      default:
        break;
    }
    std::set<std::string> items;
    for (int64_t i = Below(4); i > 0; --i) items.insert(RandomText());
    return StringSet(items.begin(), items.end());
  }

  // Adds, in the widest arithmetic; nullopt where the answer leaves the type.
  static std::optional<Value> Sum(const Value& a, const Value& b) {
    if (const auto* x = std::get_if<double>(&a)) return Value(*x + std::get<double>(b));
    auto unscaled = [](const Value& v) {
      return std::holds_alternative<int64_t>(v) ? std::get<int64_t>(v) : std::get<Decimal>(v).unscaled;
    };
    int128 sum = int128{unscaled(a)} + unscaled(b);
    if (sum > std::numeric_limits<int64_t>::max() || sum < std::numeric_limits<int64_t>::min()) return std::nullopt;
    if (const auto* d = std::get_if<Decimal>(&a)) return Value(Decimal{static_cast<int64_t>(sum), d->scale});
    return Value(static_cast<int64_t>(sum));
  }

  static bool Less(const Value& a, const Value& b) {
    if (const auto* d = std::get_if<Decimal>(&a)) return d->unscaled < std::get<Decimal>(b).unscaled;
    if (const auto* d = std::get_if<double>(&a)) return *d < std::get<double>(b);
    if (const auto* t = std::get_if<Timestamp>(&a)) return *t < std::get<Timestamp>(b);
    return std::get<int64_t>(a) < std::get<int64_t>(b);
  }

  // The new value, or nullopt where the operation is refused.
  std::optional<Value> Expected(const AttributeSchema& attribute, AttributeOperation operation, const Value& old, const Value& value) {
    bool number = IsNumber(attribute.type), set = attribute.type == kSetType;
    switch (operation) {
      case AttributeOperation::kSet:
        return value;
      case AttributeOperation::kUnset:
        return Value();
      case AttributeOperation::kIncrement:
        if (!number) return std::nullopt;
        return IsPresent(old) ? Sum(old, value) : value;
      case AttributeOperation::kMin:
      case AttributeOperation::kMax:
        if (!number && attribute.type != kTimestampType) return std::nullopt;
        if (!IsPresent(old)) return value;
        return Less(value, old) == (operation == AttributeOperation::kMin) && (Less(value, old) || Less(old, value)) ? value : old;
      default:
        break;
    }
    if (!set) return std::nullopt;
    bool add = operation == AttributeOperation::kAdd;
    if (!IsPresent(old) && !add) return Value();
    std::set<std::string> items;
    if (IsPresent(old)) items.insert(std::get<StringSet>(old).begin(), std::get<StringSet>(old).end());
    for (const std::string& item :
         std::holds_alternative<std::string>(value) ? StringSet{std::get<std::string>(value)} : std::get<StringSet>(value)) {
      if (add) items.insert(item);
      else items.erase(item);
    }
    return Value(StringSet(items.begin(), items.end()));
  }

  void Write(NaiveProfile* profile, int64_t a, int64_t time) {
    const AttributeSchema& attribute = attributes_[static_cast<size_t>(a)];
    auto operation = static_cast<AttributeOperation>(Below(2) ? 1 : 1 + Below(7));
    Value value = RandomValue(attribute.type);
    if (attribute.type == kSetType && operation != AttributeOperation::kSet && Below(2)) value = RandomText();
    SourceId source(static_cast<uint16_t>(1 + Below(3)));
    NaiveAttribute& naive = profile->attributes[attribute.id.value];
    std::optional<Value> expected = Expected(attribute, operation, naive.value, value);
    Status check = table_.CheckWrite(profile->row, attribute, operation, value);
    auto outcome = table_.Write(profile->row, attribute, operation, value, time, source);
    ASSERT_EQ(check.ok(), outcome.ok());
    ASSERT_EQ(outcome.ok(), expected.has_value())
        << OperationName(operation) << " on " << TypeName(attribute.type) << ": " << outcome.status();
    if (!expected) return;
    bool timed = operation == AttributeOperation::kSet || operation == AttributeOperation::kUnset;
    ASSERT_EQ(outcome->superseded, timed && time < naive.time_us);
    if (outcome->superseded) {
      ASSERT_FALSE(outcome->changed);
      return;
    }
    ASSERT_EQ(outcome->changed, *expected != naive.value);
    naive.value = *expected;
    if (timed) {
      naive.time_us = time;
      naive.source = source;
    }
    table_.NoteActivity(profile->row, time, now_us_);
    profile->activity.push_back(time);
  }

  void AddEvent(NaiveProfile* profile) {
    auto t = static_cast<uint32_t>(Below(kEventTypeCount));
    EventToAdd event;
    event.time_us = Below(20) == 0 ? now_us_ + Below(20) * 1000 : RandomTime();
    event.message_hash = Below(5) ? random_() | 1 : static_cast<uint64_t>(Below(100));
    event.properties.emplace_back(PropertyId(0), Below(1000));
    bool duplicate = false;
    for (const auto& [type, events] : profile->events)
      for (const EventToAdd& e : events) duplicate = duplicate || (event.message_hash != 0 && e.message_hash == event.message_hash);
    auto outcome = table_.AddEvent(profile->row, event_types_[t], event, kHardMax);
    ASSERT_EQ(outcome.result == ProfileTable::AddEventResult::kDuplicate, duplicate);
    table_.NoteActivity(profile->row, event.time_us, now_us_);
    profile->activity.push_back(event.time_us);
    if (duplicate) return;
    auto& events = profile->events[t];
    events.insert(
        std::upper_bound(events.begin(), events.end(), event.time_us, [](int64_t time, const EventToAdd& e) { return time < e.time_us; }),
        event);
    uint32_t limit = std::min(kHardMax, event_types_[t].max_events.value_or(kHardMax));
    uint32_t over = events.size() > limit ? static_cast<uint32_t>(events.size()) - limit : 0;
    ASSERT_EQ(outcome.evicted, over);
    events.erase(events.begin(), events.begin() + over);
    if (over > 0 && limit == kHardMax) profile->truncated.insert(t);
  }

  void RemoveEvents(NaiveProfile* profile) {
    if (profile->events.empty() || Below(5)) return;
    auto& [type, events] = *profile->events.begin();
    int64_t until = events.empty() ? now_us_ : events[static_cast<size_t>(Below(static_cast<int64_t>(events.size())))].time_us;
    table_.RemoveEventsUpTo(profile->row, EventTypeId(type), until);
    std::erase_if(events, [&](const EventToAdd& e) { return e.time_us <= until; });
  }

  void CompareAttributes(const NaiveProfile& profile) {
    for (const AttributeSchema& attribute : attributes_) {
      auto it = profile.attributes.find(attribute.id.value);
      NaiveAttribute naive = it == profile.attributes.end() ? NaiveAttribute() : it->second;
      const AttributeColumn* column = table_.column(attribute.id);
      ASSERT_EQ(column ? column->Get(profile.row) : Value(), naive.value) << attribute.name << " of row " << profile.row.value;
      ProfileTable::WriteStamp stamp = table_.StampOf(profile.row, attribute.id);
      ASSERT_EQ(stamp.time_us, naive.time_us) << attribute.name << " of row " << profile.row.value;
      if (stamp.time_us != kNeverUs) {
        ASSERT_EQ(stamp.source, naive.source);
      }
    }
  }

  void CompareActivity(const NaiveProfile& profile) {
    std::optional<int64_t> first, last;
    for (int64_t t : profile.activity) {
      if (t > now_us_) continue;
      first = std::min(t, first.value_or(t));
      last = std::max(t, last.value_or(t));
    }
    ASSERT_EQ(table_.CreatedAt(profile.row, now_us_), first);
    ASSERT_EQ(table_.UpdatedAt(profile.row, now_us_), last);
  }

  void CompareEvents(const NaiveProfile& profile, uint32_t t, uint64_t* total) {
    const EventHistory* history = table_.History(profile.row, EventTypeId(t));
    auto it = profile.events.find(t);
    size_t expected = it == profile.events.end() ? 0 : it->second.size();
    ASSERT_EQ(history ? history->size() : 0, expected);
    ASSERT_EQ(table_.IsTruncated(profile.row, EventTypeId(t)), profile.truncated.contains(t));
    for (uint32_t i = 0; i < expected; ++i) {
      ASSERT_EQ(history->TimeOf(i), it->second[i].time_us);
      ASSERT_EQ(history->ValueOf(i, PropertyId(0), kIntType, table_.Properties(EventTypeId(t))), it->second[i].properties[0].second);
    }
    *total += expected;
  }

  void CompareCodes() {
    std::set<std::tuple<uint32_t, uint32_t, uint32_t>> expected;
    for (const AttributeSchema& attribute : attributes_) {
      const AttributeColumn* column = table_.column(attribute.id);
      if (!column) continue;
      std::map<uint32_t, uint32_t> rows_of_code;
      uint32_t present = 0;
      for (const auto& [id, profile] : profiles_) {
        if (!column->Has(profile.row)) continue;
        ++present;
        std::vector<Code> codes;
        if (column->type() == kBoolType) codes.push_back(Code(column->RawInt(profile.row) != 0));
        if (column->type() == kStringType) codes.push_back(*column->dictionary().Find(column->Text(profile.row)));
        if (column->type() == kSetType) codes.assign(column->SetCodes(profile.row).begin(), column->SetCodes(profile.row).end());
        ASSERT_TRUE(std::is_sorted(codes.begin(), codes.end()));
        for (Code code : codes) {
          ++rows_of_code[code.value];
          expected.insert({attribute.id.value, code.value, profile.row.value});
        }
      }
      ASSERT_EQ(column->presence().count(), present);
      for (uint32_t code = 0; code < column->dictionary().size(); ++code)
        ASSERT_EQ(column->dictionary().RowCount(Code(code)), rows_of_code[code]);
      if (column->type() != kBoolType) continue;
      for (uint32_t b : {0u, 1u}) ASSERT_EQ(column->BoolCount(b), rows_of_code[b]);
    }
    ASSERT_EQ(heard_.held, expected);
  }

  std::mt19937_64 random_;
  HeardCodes heard_;
  ProfileTable table_{&heard_};
  std::vector<AttributeSchema> attributes_;
  std::vector<EventTypeSchema> event_types_;
  std::map<uint64_t, NaiveProfile> profiles_;
  uint64_t next_id_ = 1;
  int64_t now_us_ = 1'500'000'000'000'000;
};

TEST(ProfileTableModel, EqualsANaiveTable) {
  for (int run = 0; run < 6; ++run) {
    uint64_t seed = std::random_device()();
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    Twin twin(seed);
    for (int step = 0; step < 8'000; ++step) {
      twin.Step();
      if (step % 50 == 0) twin.Compare();
      if (::testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace korrel
