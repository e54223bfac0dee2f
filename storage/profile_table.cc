#include "storage/profile_table.h"

#include <algorithm>
#include <functional>

#include "storage/bit_packing.h"
#include "storage/profile_table_impl.h"

namespace korrel {

std::string_view OperationName(AttributeOperation operation) {
  switch (operation) {
    case AttributeOperation::kSet:
      return "set";
    case AttributeOperation::kUnset:
      return "unset";
    case AttributeOperation::kAdd:
      return "add";
    case AttributeOperation::kRemove:
      return "remove";
    case AttributeOperation::kIncrement:
      return "increment";
    case AttributeOperation::kMin:
      return "min";
    case AttributeOperation::kMax:
      return "max";
  }
  return "?";
}

ProfileTable::ProfileTable(CodeObserver* observer) : impl_(std::make_unique<Impl>(observer)) {}
ProfileTable::~ProfileTable() = default;

// ---- Rows ----

Row ProfileTable::AddRow(ProfileId id) {
  Row row(impl_->row_end);
  if (!impl_->free_rows.empty()) {
    std::pop_heap(impl_->free_rows.begin(), impl_->free_rows.end(), std::greater<>());
    row = Row(impl_->free_rows.back());
    impl_->free_rows.pop_back();
  } else {
    if (row.value % kPageRows == 0) impl_->pages.push_back(std::make_unique<RowPage>());
    ++impl_->row_end;
  }
  impl_->Data(row).id = id;
  impl_->live.Set(row);
  impl_->row_by_id.insert(row.value);
  return row;
}

void ProfileTable::RemoveRow(Row row) {
  for (const auto& column : impl_->columns)
    if (column) column->Set(row, Value(), impl_->observer).IgnoreError();  // erasing cannot fail
  for (RowBits& having : impl_->having_identifier) having.Clear(row);
  for (const auto& type : impl_->event_types)
    if (type) type->truncated.Clear(row);
  std::vector<SegmentId> member_of;
  for (const auto& [segment, list] : impl_->lists)
    if (list->members.Test(row)) member_of.push_back(segment);
  for (SegmentId segment : member_of) RemoveMember(segment, row);
  impl_->exceptions.erase(row.value);
  impl_->pending_activity.erase(row.value);
  RowData& data = impl_->Data(row);
  for (const HistoryList::Entry& entry : data.histories.entries()) impl_->event_count -= entry.history.size();
  impl_->row_by_id.erase(row.value);
  std::destroy_at(&data);
  std::construct_at(&data);
  impl_->BaseSource(row) = SourceId();
  impl_->Flags(row) = 0;
  impl_->live.Clear(row);
  impl_->free_rows.push_back(row.value);
  std::push_heap(impl_->free_rows.begin(), impl_->free_rows.end(), std::greater<>());
}

std::optional<Row> ProfileTable::Find(ProfileId id) const {
  auto it = impl_->row_by_id.find(id);
  if (it == impl_->row_by_id.end()) return std::nullopt;
  return Row(*it);
}

ProfileId ProfileTable::IdOf(Row row) const { return impl_->Data(row).id; }
void ProfileTable::Prefetch(Row row) const {
  const RowData& data = impl_->Data(row);
  __builtin_prefetch(&data);
  __builtin_prefetch(&data.histories);
  __builtin_prefetch(&impl_->Flags(row));
  __builtin_prefetch(&impl_->BaseSource(row));
  impl_->exceptions.prefetch(row.value);
}
const RowBits& ProfileTable::live() const { return impl_->live; }
uint32_t ProfileTable::row_end() const { return impl_->row_end; }
Position ProfileTable::VersionOf(Row row) const { return impl_->Data(row).version; }
void ProfileTable::SetVersion(Row row, Position position) { impl_->Data(row).version = position; }

namespace {

void Extend(RowData* data, int64_t time_us) {
  data->first_us = std::min(data->first_us, time_us);
  data->last_us = std::max(data->last_us, time_us);
}

}  // namespace

std::optional<int64_t> ProfileTable::CreatedAt(Row row, int64_t now_us) const {
  const RowData& data = impl_->Data(row);
  std::optional<int64_t> created;
  if (data.first_us <= data.last_us && data.first_us <= now_us) created = data.first_us;
  if (!impl_->HasFlag(row, kHasPending)) return created;
  int64_t earliest = impl_->pending_activity.at(row.value).front();
  if (earliest <= now_us && (!created || earliest < *created)) created = earliest;
  return created;
}

std::optional<int64_t> ProfileTable::UpdatedAt(Row row, int64_t now_us) const {
  const RowData& data = impl_->Data(row);
  std::optional<int64_t> updated;
  if (data.first_us <= data.last_us && data.last_us <= now_us) updated = data.last_us;
  if (!impl_->HasFlag(row, kHasPending)) return updated;
  const std::vector<int64_t>& pending = impl_->pending_activity.at(row.value);
  auto behind = std::upper_bound(pending.begin(), pending.end(), now_us);
  if (behind != pending.begin() && (!updated || *std::prev(behind) > *updated)) updated = *std::prev(behind);
  return updated;
}

std::optional<int64_t> ProfileTable::NextActivity(Row row, int64_t now_us) const {
  const RowData& data = impl_->Data(row);
  std::optional<int64_t> next;
  auto offer = [&](int64_t time_us) {
    if (time_us > now_us && (!next || time_us < *next)) next = time_us;
  };
  if (data.first_us <= data.last_us) {
    offer(data.first_us);
    offer(data.last_us);
  }
  if (!impl_->HasFlag(row, kHasPending)) return next;
  const std::vector<int64_t>& pending = impl_->pending_activity.at(row.value);
  auto behind = std::upper_bound(pending.begin(), pending.end(), now_us);
  if (behind != pending.end()) offer(*behind);
  return next;
}

void ProfileTable::NoteActivity(Row row, int64_t time_us, int64_t now_us) {
  RowData& data = impl_->Data(row);
  if (impl_->HasFlag(row, kHasPending)) {
    std::vector<int64_t>& pending = impl_->pending_activity.at(row.value);
    auto behind = std::upper_bound(pending.begin(), pending.end(), now_us);
    for (auto it = pending.begin(); it != behind; ++it) Extend(&data, *it);
    pending.erase(pending.begin(), behind);
    if (pending.empty()) {
      impl_->pending_activity.erase(row.value);
      impl_->Flags(row) &= static_cast<uint8_t>(~kHasPending);
    }
  }
  if (time_us <= now_us) return Extend(&data, time_us);
  std::vector<int64_t>& pending = impl_->pending_activity[row.value];
  auto at = std::lower_bound(pending.begin(), pending.end(), time_us);
  if (at == pending.end() || *at != time_us) pending.insert(at, time_us);
  impl_->Flags(row) |= kHasPending;
}

// ---- Identifiers ----

namespace {

std::vector<Identifier> Unpack(const char* packed) {
  std::vector<Identifier> identifiers;
  if (!packed) return identifiers;
  const auto* at = reinterpret_cast<const uint8_t*>(packed);
  uint64_t bytes = ReadVarint(&at);
  for (const uint8_t* end = at + bytes; at < end;) {
    IdentifierTypeId type(static_cast<uint16_t>(ReadVarint(&at)));
    uint64_t length = ReadVarint(&at);
    identifiers.push_back({type, std::string(reinterpret_cast<const char*>(at), length)});
    at += length;
  }
  return identifiers;
}

std::unique_ptr<char[]> Pack(const std::vector<Identifier>& identifiers) {
  uint64_t bytes = 0;
  for (const Identifier& i : identifiers) bytes += VarintBytes(i.type.value) + VarintBytes(i.text.size()) + i.text.size();
  std::unique_ptr<char[]> packed(new char[VarintBytes(bytes) + bytes]);
  auto* at = WriteVarint(reinterpret_cast<uint8_t*>(packed.get()), bytes);
  for (const Identifier& i : identifiers) {
    at = WriteVarint(WriteVarint(at, i.type.value), i.text.size());
    at = std::copy(i.text.begin(), i.text.end(), at);
  }
  return packed;
}

size_t PackedBytes(const char* packed) {
  if (!packed) return 0;
  const auto* at = reinterpret_cast<const uint8_t*>(packed);
  uint64_t bytes = ReadVarint(&at);
  return VarintBytes(bytes) + bytes;
}

}  // namespace

void ProfileTable::AddIdentifier(Row row, IdentifierTypeId type, std::string_view text) {
  std::vector<Identifier> identifiers = IdentifiersOf(row);
  Identifier added{type, std::string(text)};
  if (std::find(identifiers.begin(), identifiers.end(), added) != identifiers.end()) return;
  identifiers.push_back(std::move(added));
  impl_->Data(row).identifiers = Pack(identifiers);
  if (type.value >= impl_->having_identifier.size()) impl_->having_identifier.resize(type.value + 1);
  impl_->having_identifier[type.value].Set(row);
}

std::vector<Identifier> ProfileTable::IdentifiersOf(Row row) const { return Unpack(impl_->Data(row).identifiers.get()); }

const RowBits* ProfileTable::HavingIdentifier(IdentifierTypeId type) const {
  if (type.value >= impl_->having_identifier.size() || impl_->having_identifier[type.value].count() == 0) return nullptr;
  return &impl_->having_identifier[type.value];
}

// ---- Static lists ----

const StaticList* ProfileTable::List(SegmentId id) const {
  auto it = impl_->lists.find(id);
  return it == impl_->lists.end() ? nullptr : it->second.get();
}

void ProfileTable::AddMember(SegmentId id, Row row, std::optional<int64_t> expires_us) {
  auto& list = impl_->lists[id];
  if (!list) list = std::make_unique<StaticList>();
  list->members.Set(row);
  if (expires_us) list->expires_us[row] = *expires_us;
  else list->expires_us.erase(row);
}

void ProfileTable::RemoveMember(SegmentId id, Row row) {
  auto it = impl_->lists.find(id);
  if (it == impl_->lists.end()) return;
  it->second->members.Clear(row);
  it->second->expires_us.erase(row);
  if (it->second->members.count() == 0) impl_->lists.erase(it);
}

void ProfileTable::DropList(SegmentId id) { impl_->lists.erase(id); }

size_t ProfileTable::MemoryBytes() const {
  const Impl& t = *impl_;
  size_t bytes = sizeof(Impl) + t.pages.size() * sizeof(RowPage) + t.live.MemoryBytes() + t.row_by_id.capacity() * 5 +
                 t.free_rows.capacity() * sizeof(uint32_t);
  for (uint32_t r = 0; r < t.row_end; ++r) {
    const RowData& data = t.Data(Row(r));
    bytes += PackedBytes(data.identifiers.get()) + data.histories.MemoryBytes();
    for (const HistoryList::Entry& entry : data.histories.entries()) bytes += entry.history.MemoryBytes();
  }
  for (const RowBits& having : t.having_identifier) bytes += having.MemoryBytes();
  for (const auto& column : t.columns) bytes += column ? column->MemoryBytes() : 0;
  for (const auto& [row, list] : t.exceptions) bytes += 32 + list.capacity() * sizeof(StampException);
  for (const auto& [row, list] : t.pending_activity) bytes += 32 + list.capacity() * sizeof(int64_t);
  for (const auto& type : t.event_types)
    if (type) bytes += sizeof(EventTypeState) + type->dictionaries.MemoryBytes() + type->truncated.MemoryBytes();
  for (const auto& [segment, list] : t.lists) bytes += list->members.MemoryBytes() + list->expires_us.capacity() * 17;
  return bytes;
}

}  // namespace korrel
