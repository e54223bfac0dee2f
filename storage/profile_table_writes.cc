// Writes of attributes: checked and computed first, then applied, so that a refused write changes nothing.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "storage/profile_table_impl.h"

namespace korrel {
namespace {

// A row without a longer value cannot come near kRowBytesMax, with up to kShortColumnsMax columns that hold text.
constexpr size_t kShortValueBytes = 512;
constexpr uint32_t kShortColumnsMax = kRowBytesMax / kShortValueBytes;

Status Clash(const AttributeSchema& attribute, AttributeOperation operation, Type given) {
  std::string with = given.kind == ValueKind::kNone ? "" : fmt::format(" with a {}", TypeName(given));
  return InvalidArgument("TYPE_CLASH", "value",
                         fmt::format("'{}'{} does not fit attribute '{}' of type {}", OperationName(operation), with, attribute.name,
                                     TypeName(attribute.type)));
}

Status Overflow(const AttributeSchema& attribute) {
  return InvalidArgument("FIELD", "value",
                         fmt::format("incrementing attribute '{}' leaves the range of {}", attribute.name, TypeName(attribute.type)));
}

bool Fits(AttributeOperation operation, Type attribute, Type value) {
  switch (operation) {
    case AttributeOperation::kUnset:
      return true;
    case AttributeOperation::kSet:
      return value == attribute;
    case AttributeOperation::kAdd:
    case AttributeOperation::kRemove:
      return attribute == kSetType && (value == kSetType || value == kStringType);
    case AttributeOperation::kIncrement:
      return IsNumber(attribute) && value == attribute;
    case AttributeOperation::kMin:
    case AttributeOperation::kMax:
      return (IsNumber(attribute) || attribute == kTimestampType) && value == attribute;
  }
  return false;
}

StatusOr<Value> Incremented(const AttributeSchema& attribute, const Value& old, const Value& by) {
  if (!IsPresent(old)) return by;
  int64_t sum;
  if (const auto* a = std::get_if<int64_t>(&old)) {
    if (__builtin_add_overflow(*a, std::get<int64_t>(by), &sum)) return Overflow(attribute);
    return Value(sum);
  }
  if (const auto* a = std::get_if<Decimal>(&old)) {
    if (__builtin_add_overflow(a->unscaled, std::get<Decimal>(by).unscaled, &sum)) return Overflow(attribute);
    return Value(Decimal{sum, a->scale});
  }
  double total = std::get<double>(old) + std::get<double>(by);
  if (!std::isfinite(total)) return Overflow(attribute);
  return Value(total == 0 ? 0.0 : total);
}

bool IsLess(const Value& a, const Value& b) {
  if (const auto* i = std::get_if<int64_t>(&a)) return *i < std::get<int64_t>(b);
  if (const auto* d = std::get_if<Decimal>(&a)) return d->unscaled < std::get<Decimal>(b).unscaled;
  if (const auto* d = std::get_if<double>(&a)) return *d < std::get<double>(b);
  return std::get<Timestamp>(a).us < std::get<Timestamp>(b).us;
}

StringSet ItemsOf(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return {*text};
  return std::get<StringSet>(value);
}

StatusOr<Value> Added(const AttributeSchema& attribute, const Value& old, const Value& value) {
  StringSet before = IsPresent(old) ? std::get<StringSet>(old) : StringSet(), items = ItemsOf(value), all;
  std::set_union(before.begin(), before.end(), items.begin(), items.end(), std::back_inserter(all));
  if (all.size() > kSetItemsMax)
    return InvalidArgument(
        "FIELD", "value",
        fmt::format("attribute '{}' would hold {} items, over the limit of {}", attribute.name, all.size(), kSetItemsMax));
  return Value(std::move(all));
}

Value Removed(const Value& old, const Value& value) {
  if (!IsPresent(old)) return old;
  const auto& before = std::get<StringSet>(old);
  StringSet items = ItemsOf(value), left;
  std::set_difference(before.begin(), before.end(), items.begin(), items.end(), std::back_inserter(left));
  return left;
}

StatusOr<Value> Computed(const AttributeSchema& attribute, AttributeOperation operation, const Value& old, const Value& value) {
  switch (operation) {
    case AttributeOperation::kAdd:
      return Added(attribute, old, value);
    case AttributeOperation::kRemove:
      return Removed(old, value);
    case AttributeOperation::kIncrement:
      return Incremented(attribute, old, value);
    case AttributeOperation::kMin:
      return !IsPresent(old) || IsLess(value, old) ? value : old;
    default:
      return !IsPresent(old) || IsLess(old, value) ? value : old;  // max
  }
}

size_t TextBytes(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->size();
  size_t bytes = 0;
  if (const auto* set = std::get_if<StringSet>(&value))
    for (const std::string& item : *set) bytes += item.size();
  return bytes;
}

}  // namespace

bool ProfileTable::Impl::NeedsByteCount(Row row, size_t value_bytes) const {
  return value_bytes > kShortValueBytes || HasFlag(row, kHasLongValue) || text_columns > kShortColumnsMax / 2;
}

Status ProfileTable::Impl::CheckRowBytes(std::optional<Row> row, AttributeId changed, const Value& value) const {
  size_t bytes = TextBytes(value);
  if (bytes == 0 || !row || !NeedsByteCount(*row, bytes)) return absl::OkStatus();
  for (const auto& column : columns)
    if (column && column->id() != changed && !IsComputed(column->id())) bytes += column->ValueBytes(*row);
  if (bytes <= kRowBytesMax) return absl::OkStatus();
  return InvalidArgument("LIMIT", "value",
                         fmt::format("the profile's attributes would take {} bytes, over the limit of {}", bytes, kRowBytesMax));
}

// What the attribute holds after the operation: *result, which is `value` itself or made in *computed.
Status ProfileTable::Impl::PlanWrite(std::optional<Row> row, const AttributeSchema& attribute, AttributeOperation operation,
                                     const Value& value, Value* computed, const Value** result) const {
  const AttributeColumn* column = Column(attribute.id);
  Type stored = column ? column->type() : attribute.type;
  if (stored != attribute.type || !Fits(operation, attribute.type, TypeOf(value))) return Clash(attribute, operation, TypeOf(value));
  *result = &value;
  if (operation == AttributeOperation::kUnset) {
    *computed = Value();
    *result = computed;
  } else if (operation != AttributeOperation::kSet) {
    KORREL_ASSIGN_OR_RETURN(*computed, Computed(attribute, operation, column && row ? column->Get(*row) : Value(), value));
    *result = computed;
  }
  return CheckRowBytes(row, attribute.id, **result);
}

size_t ProfileTable::ValueBytesAtMost(Row row) const {
  // A number takes 8 bytes, less than a short text may.
  if (!impl_->NeedsByteCount(row, 0)) return impl_->text_columns * kShortValueBytes + impl_->columns.size() * 8;
  size_t bytes = 0;
  for (const auto& column : impl_->columns)
    if (column && !impl_->IsComputed(column->id())) bytes += column->ValueBytes(row);
  return bytes;
}

Status ProfileTable::CheckWrite(std::optional<Row> row, const AttributeSchema& attribute, AttributeOperation operation,
                                const Value& value) const {
  Value computed;
  const Value* result;
  return impl_->PlanWrite(row, attribute, operation, value, &computed, &result);
}

StatusOr<ProfileTable::WriteOutcome> ProfileTable::Write(Row row, const AttributeSchema& attribute, AttributeOperation operation,
                                                         const Value& value, int64_t event_time_us, SourceId source) {
  Value computed;
  const Value* result;
  KORREL_RETURN_IF_ERROR(impl_->PlanWrite(row, attribute, operation, value, &computed, &result));
  bool is_set = operation == AttributeOperation::kSet, is_unset = operation == AttributeOperation::kUnset;
  WriteOutcome outcome;
  if ((is_set || is_unset) && event_time_us < impl_->Stamp(row, attribute.id).time_us) {
    outcome.superseded = true;
    return outcome;
  }
  AttributeColumn* column = impl_->Column(attribute.id);
  bool had = column && column->Has(row);
  outcome.changed = column ? !column->Holds(row, *result) : IsPresent(*result);
  if (outcome.changed) {
    column = GetOrAddColumn(attribute.id, attribute.type);
    KORREL_RETURN_IF_ERROR(column->Set(row, *result, impl_->observer));
    if (TextBytes(*result) > kShortValueBytes) impl_->Flags(row) |= kHasLongValue;
  }
  if (is_set) impl_->StampSet(row, attribute.id, {event_time_us, source});
  else if (is_unset) impl_->StampUnset(row, attribute.id, {event_time_us, source});
  else if (!had && IsPresent(*result)) impl_->StampAppeared(row, attribute.id, source);
  return outcome;
}

ProfileTable::WriteStamp ProfileTable::StampOf(Row row, AttributeId attribute) const { return impl_->Stamp(row, attribute); }

}  // namespace korrel
