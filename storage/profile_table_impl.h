// storage/profile_table_impl.h
//
// What ProfileTable is made of; for storage/profile_table*.cc alone.
//
//   rows        pages of 1,024: 59 bytes a row, beside a hash set of row numbers that finds a ProfileId (6 to 11 bytes a row)
//   stamps      one base (time, source) a row; exceptions, pending activity and expiries in maps of the few rows that have any
//   histories   per row one block: a count and per event type its id and one pointer
#pragma once

#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "storage/profile_table.h"

namespace korrel {

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::min();

// The histories of one row by event type, in one block of its own: rows have few types, and most none.
class HistoryList {
 public:
  struct Entry {
    EventTypeId type;
    EventHistory history;
  };
  HistoryList() = default;
  HistoryList(const HistoryList&) = delete;
  ~HistoryList() { Clear(); }

  std::span<Entry> entries() const;
  EventHistory* Find(EventTypeId type) const;
  EventHistory* FindOrAdd(EventTypeId type);
  void Remove(EventTypeId type);
  void Clear();
  size_t MemoryBytes() const;  // of the list alone

 private:
  struct Block;
  static Block* Allocate(uint32_t count);
  Block* block_ = nullptr;
};

struct RowData {
  ProfileId id;
  Position version;
  int64_t base_time_us = kNever;
  int64_t first_us = std::numeric_limits<int64_t>::max(), last_us = kNever;  // activity; first > last: none
  std::unique_ptr<char[]> identifiers;  // varint bytes behind it · per identifier: varint type, varint length, text
  HistoryList histories;
};

enum RowFlag : uint8_t {
  kHasExceptions = 1,  // of write times
  kHasUnstamped = 2,   // an attribute that was never set, in a row without a base
  kHasPending = 4,     // activity from the future
  kHasLongValue = 8,   // a value over kShortValueBytes: the row's bytes must be counted at every write
};

inline constexpr uint32_t kPageRows = 1024;
struct RowPage {
  RowData rows[kPageRows];
  SourceId base_sources[kPageRows];
  uint8_t flags[kPageRows] = {};
};

// The write time of one attribute that differs from its row's base; also of one that was unset.
struct StampException {
  AttributeId attribute;
  SourceId source;
  int64_t time_us;
};

// What is known of all values ever stored for a property, evicted ones included.
struct PropertyBounds {
  uint16_t kinds = 0;               // bit per ValueKind
  uint8_t scale = 0;                // largest
  bool all_exactly_double = true;   // of ints and decimals
  unsigned __int128 magnitude = 0;  // of ints and decimals, as unscaled of `scale`

  void Note(const Value& value);
  bool CanWiden(Type to) const;
};

struct EventTypeState {
  PropertyDictionaries dictionaries;
  RowBits truncated;
  std::vector<PropertyBounds> bounds;  // by PropertyId
};

struct ProfileTable::Impl {
  explicit Impl(CodeObserver* o) : observer(o) {}

  // Finds rows by profile through the rows themselves. Impl never moves.
  struct RowHash {
    using is_transparent = void;
    const Impl* impl;
    size_t operator()(ProfileId id) const { return absl::Hash<uint64_t>()(id.value); }
    size_t operator()(uint32_t row) const { return (*this)(impl->Data(Row(row)).id); }
  };
  struct RowEqual {
    using is_transparent = void;
    const Impl* impl;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(uint32_t row, ProfileId id) const { return impl->Data(Row(row)).id == id; }
    bool operator()(ProfileId id, uint32_t row) const { return (*this)(row, id); }
  };

  RowData& Data(Row row) const { return pages[row.value / kPageRows]->rows[row.value % kPageRows]; }
  SourceId& BaseSource(Row row) const { return pages[row.value / kPageRows]->base_sources[row.value % kPageRows]; }
  uint8_t& Flags(Row row) const { return pages[row.value / kPageRows]->flags[row.value % kPageRows]; }
  bool HasFlag(Row row, RowFlag flag) const { return Flags(row) & flag; }
  AttributeColumn* Column(AttributeId id) const { return id.value < columns.size() ? columns[id.value].get() : nullptr; }
  bool IsComputed(AttributeId id) const { return id.value < computed_columns.size() && computed_columns[id.value]; }
  EventTypeState* Events(EventTypeId type) const { return type.value < event_types.size() ? event_types[type.value].get() : nullptr; }

  void RemoveOldestEvents(Row row, EventTypeId type, uint32_t count);  // the row has a history of the type

  // Writes; profile_table_writes.cc.
  Status PlanWrite(std::optional<Row> row, const AttributeSchema& attribute, AttributeOperation operation, const Value& value,
                   Value* computed, const Value** result) const;
  Status CheckRowBytes(std::optional<Row> row, AttributeId changed, const Value& value) const;
  bool NeedsByteCount(Row row, size_t value_bytes) const;

  // Write times; profile_table_stamps.cc.
  const StampException* FindException(Row row, AttributeId attribute) const;
  WriteStamp Stamp(Row row, AttributeId attribute) const;
  void StampSet(Row row, AttributeId attribute, WriteStamp stamp);      // after the value was stored
  void StampUnset(Row row, AttributeId attribute, WriteStamp stamp);    // after it was erased
  void StampAppeared(Row row, AttributeId attribute, SourceId source);  // a value where there was none, by another operation
  void PutException(Row row, const StampException& exception);
  void EraseException(Row row, AttributeId attribute);
  void DropExceptions(Row row);
  void ForgetStampsOf(AttributeId attribute);
  void RebaseIfMost(Row row, WriteStamp stamp);
  void Rebase(Row row, WriteStamp stamp);

  CodeObserver* observer;
  std::vector<std::unique_ptr<RowPage>> pages;
  uint32_t row_end = 0;
  std::vector<uint32_t> free_rows;  // a min-heap
  RowBits live;
  absl::flat_hash_set<uint32_t, RowHash, RowEqual> row_by_id{0, RowHash{this}, RowEqual{this}};
  std::vector<RowBits> having_identifier;  // by IdentifierTypeId

  std::vector<std::unique_ptr<AttributeColumn>> columns;                  // by AttributeId
  uint32_t text_columns = 0;                                              // of strings and sets, written ones
  std::vector<bool> computed_columns;                                     // by AttributeId
  absl::flat_hash_map<uint32_t, std::vector<StampException>> exceptions;  // by row; each ascending by attribute
  absl::flat_hash_map<uint32_t, std::vector<int64_t>> pending_activity;   // by row; each ascending

  std::vector<std::unique_ptr<EventTypeState>> event_types;  // by EventTypeId
  uint64_t event_count = 0;

  absl::flat_hash_map<SegmentId, std::unique_ptr<StaticList>> lists;
};

}  // namespace korrel
