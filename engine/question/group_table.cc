#include "engine/question/group_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "engine/question/top_rows.h"

namespace korrel {
namespace {

// Walks a key column by column.
class KeyReader {
 public:
  explicit KeyReader(std::string_view key) : left_(key) {}
  bool TakePresent() { return Take(1)[0] != 0; }
  int64_t TakeNumber() {
    int64_t number;
    std::memcpy(&number, Take(sizeof(number)).data(), sizeof(number));
    return number;
  }
  std::string_view TakeText() {
    uint32_t size;
    std::memcpy(&size, Take(sizeof(size)).data(), sizeof(size));
    return Take(size);
  }

 private:
  std::string_view Take(size_t bytes) {
    const std::string_view taken = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return taken;
  }
  std::string_view left_;
};

bool IsText(Type type) { return type.kind == ValueKind::kString || type.kind == ValueKind::kSet; }

// By value, column after column, absent last.
bool KeyLess(std::string_view a, std::string_view b, const std::vector<Type>& types) {
  KeyReader left(a), right(b);
  for (Type type : types) {
    const bool left_present = left.TakePresent(), right_present = right.TakePresent();
    if (left_present != right_present) return left_present;
    if (!left_present) continue;
    if (IsText(type)) {
      const int order = left.TakeText().compare(right.TakeText());
      if (order != 0) return order < 0;
    } else {
      const int64_t x = left.TakeNumber(), y = right.TakeNumber();
      if (x != y) return x < y;
    }
  }
  return false;
}

}  // namespace

GroupTable::GroupTable(std::vector<Type> key_types, const std::vector<MeasurePlan>* measures)
    : key_types_(std::move(key_types)), measures_(measures) {}

void GroupTable::Fail(std::string_view reason, std::string_view message) {
  if (!error_) error_ = MakeError(absl::StatusCode::kResourceExhausted, reason, "", message);
}

uint32_t GroupTable::SlotOf(std::string_view key) {
  auto it = slots_.find(Abseil(key));
  if (it != slots_.end()) return it->second;
  if (groups_.size() >= kGroupsMax || (bytes_ > kGroupBytesMax && !groups_.empty())) {
    Fail("GROUPS", fmt::format("more than {} groups, or {} MiB of what is measured of them; group by fewer or coarser values", kGroupsMax,
                               kGroupBytesMax >> 20));
    return 0;  // whatever it counts now is not answered
  }
  const uint32_t slot = static_cast<uint32_t>(groups_.size());
  slots_.emplace(std::string(key), slot);
  Group group;
  group.key = key;
  group.measures.resize(measures_->size());
  bytes_ += sizeof(Group) + 2 * key.size();
  for (size_t m = 0; m < measures_->size(); ++m) {
    group.measures[m].histogram.resize((*measures_)[m].bucket_count());
    bytes_ += sizeof(MeasureState) + group.measures[m].histogram.size() * sizeof(uint64_t);
  }
  groups_.push_back(std::move(group));
  return slot;
}

void GroupTable::Add(uint32_t slot, const std::vector<ValueVector>& columns, size_t first_measure, size_t i) {
  Group& group = groups_[slot];
  ++group.count;
  for (size_t m = 0; m < measures_->size(); ++m) {
    const MeasurePlan& plan = (*measures_)[m];
    const ValueVector& column = columns[first_measure + m];
    group.measures[m].Add(plan, column, i);
    if (!plan.quantiles().empty()) quantile_values_ += column.present[i];
  }
  if (quantile_values_ > kQuantileValuesMax) {
    Fail("QUANTILE_VALUES", fmt::format("more than {} values to rank for quantiles; narrow the selection", kQuantileValuesMax));
  }
}

void GroupTable::Merge(GroupTable&& other) {
  if (other.error_ && !error_) error_ = other.error_;
  quantile_values_ += other.quantile_values_;
  if (quantile_values_ > kQuantileValuesMax) Fail("QUANTILE_VALUES", "more values to rank for quantiles than fit; narrow the selection");
  if (error_) return;
  for (Group& from : other.groups_) {
    const uint32_t slot = SlotOf(from.key);
    if (error_) return;
    Group& into = groups_[slot];
    into.count += from.count;
    for (size_t m = 0; m < into.measures.size(); ++m) into.measures[m].Merge(std::move(from.measures[m]));
  }
}

std::vector<Group> GroupTable::Release() {
  slots_.clear();
  std::sort(groups_.begin(), groups_.end(),
            [this](const Group& a, const Group& b) { return a.count != b.count ? a.count > b.count : KeyLess(a.key, b.key, key_types_); });
  return std::exchange(groups_, {});
}

void AppendAbsentToKey(std::string* key) { key->push_back(0); }

void AppendNumberToKey(int64_t number, std::string* key) {
  char bytes[1 + sizeof(number)] = {1};
  std::memcpy(bytes + 1, &number, sizeof(number));
  key->append(bytes, sizeof(bytes));
}

void AppendTextToKey(std::string_view text, std::string* key) {
  const uint32_t size = static_cast<uint32_t>(text.size());
  char bytes[1 + sizeof(size)] = {1};
  std::memcpy(bytes + 1, &size, sizeof(size));
  key->append(bytes, sizeof(bytes)).append(text);
}

std::vector<Value> ValuesOfKey(std::string_view key, const std::vector<Type>& types) {
  std::vector<Value> values;
  KeyReader reader(key);
  for (Type type : types) {
    if (!reader.TakePresent()) {
      values.emplace_back();
      continue;
    }
    switch (type.kind) {
      case ValueKind::kString:
      case ValueKind::kSet:
        values.emplace_back(std::string(reader.TakeText()));
        break;
      case ValueKind::kBool:
        values.emplace_back(reader.TakeNumber() != 0);
        break;
      case ValueKind::kDecimal:
        values.emplace_back(Decimal{reader.TakeNumber(), type.scale});
        break;
      case ValueKind::kDouble:
        values.emplace_back(FromOrderedBits(reader.TakeNumber()));
        break;
      case ValueKind::kTimestamp:
        values.emplace_back(Timestamp{reader.TakeNumber()});
        break;
      default:
        values.emplace_back(reader.TakeNumber());
        break;
    }
  }
  return values;
}

}  // namespace korrel
