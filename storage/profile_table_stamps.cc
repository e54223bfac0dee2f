// Write times: a base per row, exceptions for what was written at another time. Absent attributes without an exception were never
// written; so an `unset` leaves an exception behind, which older sets lose to.
#include <algorithm>
#include <bit>

#include "storage/profile_table_impl.h"

namespace korrel {
namespace {

bool Same(const StampException& e, const ProfileTable::WriteStamp& stamp) { return e.time_us == stamp.time_us && e.source == stamp.source; }

auto LowerBound(std::vector<StampException>& list, AttributeId attribute) {
  return std::lower_bound(list.begin(), list.end(), attribute, [](const StampException& e, AttributeId id) { return e.attribute < id; });
}

}  // namespace

const StampException* ProfileTable::Impl::FindException(Row row, AttributeId attribute) const {
  if (!HasFlag(row, kHasExceptions)) return nullptr;
  const std::vector<StampException>& list = exceptions.at(row.value);
  auto it = LowerBound(const_cast<std::vector<StampException>&>(list), attribute);
  return it != list.end() && it->attribute == attribute ? &*it : nullptr;
}

ProfileTable::WriteStamp ProfileTable::Impl::Stamp(Row row, AttributeId attribute) const {
  if (const StampException* e = FindException(row, attribute)) return {e->time_us, e->source};
  const AttributeColumn* column = Column(attribute);
  if (column && column->Has(row)) return {Data(row).base_time_us, BaseSource(row)};
  return {kNever, SourceId()};
}

void ProfileTable::Impl::StampSet(Row row, AttributeId attribute, WriteStamp stamp) {
  RowData& data = Data(row);
  if (data.base_time_us == kNever) {
    if (HasFlag(row, kHasUnstamped)) {
      PutException(row, {attribute, stamp.source, stamp.time_us});  // keeps it out of the way
      Rebase(row, stamp);
      Flags(row) &= static_cast<uint8_t>(~kHasUnstamped);
      return;
    }
    data.base_time_us = stamp.time_us;
    BaseSource(row) = stamp.source;
  }
  if (data.base_time_us == stamp.time_us && BaseSource(row) == stamp.source) return EraseException(row, attribute);
  PutException(row, {attribute, stamp.source, stamp.time_us});
  RebaseIfMost(row, stamp);
}

void ProfileTable::Impl::StampUnset(Row row, AttributeId attribute, WriteStamp stamp) {
  PutException(row, {attribute, stamp.source, stamp.time_us});
}

void ProfileTable::Impl::StampAppeared(Row row, AttributeId attribute, SourceId source) {
  if (FindException(row, attribute)) return;  // unset before: its time goes on counting
  if (Data(row).base_time_us == kNever) Flags(row) |= kHasUnstamped;
  else PutException(row, {attribute, source, kNever});
}

void ProfileTable::Impl::PutException(Row row, const StampException& exception) {
  std::vector<StampException>& list = exceptions[row.value];
  Flags(row) |= kHasExceptions;
  auto it = LowerBound(list, exception.attribute);
  if (it != list.end() && it->attribute == exception.attribute) *it = exception;
  else list.insert(it, exception);
}

void ProfileTable::Impl::EraseException(Row row, AttributeId attribute) {
  if (!FindException(row, attribute)) return;
  std::vector<StampException>& list = exceptions.at(row.value);
  list.erase(LowerBound(list, attribute));
  if (list.empty()) DropExceptions(row);
}

void ProfileTable::Impl::DropExceptions(Row row) {
  exceptions.erase(row.value);
  Flags(row) &= static_cast<uint8_t>(~kHasExceptions);
}

void ProfileTable::Impl::ForgetStampsOf(AttributeId attribute) {
  std::vector<Row> rows;
  for (const auto& [row, list] : exceptions) rows.push_back(Row(row));
  for (Row row : rows) EraseException(row, attribute);
}

// Counting who still holds the base looks at every column, so it is done when the number of equal exceptions doubles.
void ProfileTable::Impl::RebaseIfMost(Row row, WriteStamp stamp) {
  const std::vector<StampException>& list = exceptions.at(row.value);
  auto equal = static_cast<size_t>(std::count_if(list.begin(), list.end(), [&](const StampException& e) { return Same(e, stamp); }));
  if (equal < 2 || !std::has_single_bit(equal)) return;
  size_t others = 0;
  for (const auto& column : columns)
    if (column && column->Has(row) && !FindException(row, column->id())) ++others;
  if (equal > others) Rebase(row, stamp);
}

// Makes `stamp` the base: who held the old one becomes an exception, who held the new one stops being one. An absent attribute
// stays an exception, for without one it would count as never written.
void ProfileTable::Impl::Rebase(Row row, WriteStamp stamp) {
  WriteStamp old{Data(row).base_time_us, BaseSource(row)};
  for (const auto& column : columns)
    if (column && column->Has(row) && !FindException(row, column->id())) PutException(row, {column->id(), old.source, old.time_us});
  Data(row).base_time_us = stamp.time_us;
  BaseSource(row) = stamp.source;
  std::vector<StampException>& list = exceptions.at(row.value);
  std::erase_if(list, [&](const StampException& e) { return Same(e, stamp) && Column(e.attribute) && Column(e.attribute)->Has(row); });
  if (list.empty()) DropExceptions(row);
  else list.shrink_to_fit();
}

}  // namespace korrel
