// storage/profile_table.h
//
// ProfileTable is one shard's records: rows and the profiles they hold, attribute columns with their write times, event
// histories, identifiers, static lists. It is the truth; everything in index/ can be rebuilt from it. It checks nothing that
// needs another shard, reads no clock and knows no expression.
//
//   row      ProfileId · version · base write time and source · first and last activity · identifiers · histories
//   column   one AttributeColumn per attribute seen in this shard
//
// Write times. `set` and `unset` are ordered by event time (newest wins, equal times: later arrival). A row has one base
// (time, source); an attribute written at another one is an exception in a small list per row, and so is an `unset` that must
// still win over older sets. When most attributes of a row are exceptions with the same time, that becomes the base.
//
// Threads     Every method under the shard's lock: const ones shared, the others exclusive.
// Invariants  (1) A row is live exactly when Find(IdOf(row)) == row. (2) A dead row has no value, event, identifier or list
//             entry. (3) Rows are given lowest free first.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "storage/attribute_column.h"
#include "storage/event_history.h"
#include "storage/row_bits.h"
#include "storage/schema.h"
#include "storage/value.h"

namespace korrel {

enum class AttributeOperation : uint8_t { kSet = 1, kUnset, kAdd, kRemove, kIncrement, kMin, kMax };

// Name of an operation as users write it: "set", "increment", …
std::string_view OperationName(AttributeOperation operation);

struct Identifier {
  IdentifierTypeId type;
  std::string text;  // without the type
  friend bool operator==(const Identifier&, const Identifier&) = default;
};

// What a static list knows of its members: rows, and for some the time at which they leave by themselves.
struct StaticList {
  RowBits members;
  absl::flat_hash_map<Row, int64_t> expires_us;  // member while now < expires_us
  bool Contains(Row row, int64_t now_us) const {
    if (!members.Test(row)) return false;
    auto it = expires_us.find(row);
    return it == expires_us.end() || now_us < it->second;
  }
};

class ProfileTable {
 public:
  explicit ProfileTable(CodeObserver* observer);  // may be null; must outlive the table
  ~ProfileTable();

  // ---- Rows ----
  Row AddRow(ProfileId id);  // id is not in the table
  void RemoveRow(Row row);   // forgets everything about it
  std::optional<Row> Find(ProfileId id) const;
  ProfileId IdOf(Row row) const;  // row is live
  // Asks for what every change of the row reads, before it is needed.
  void Prefetch(Row row) const;
  const RowBits& live() const;
  uint32_t row_end() const;  // one past the highest row ever used
  uint32_t block_count() const { return (row_end() + kBlockRows - 1) / kBlockRows; }
  Position VersionOf(Row row) const;
  void SetVersion(Row row, Position position);

  // First and latest write or event of the row by event time, of those with time <= now; nullopt where there is none.
  std::optional<int64_t> CreatedAt(Row row, int64_t now_us) const;
  std::optional<int64_t> UpdatedAt(Row row, int64_t now_us) const;
  // The next write or event of the row with time > now.
  std::optional<int64_t> NextActivity(Row row, int64_t now_us) const;
  // Notes a write or event at time_us; one later than now_us counts from its own instant on.
  void NoteActivity(Row row, int64_t time_us, int64_t now_us);

  // ---- Identifiers ----
  void AddIdentifier(Row row, IdentifierTypeId type, std::string_view text);  // nothing if it is there already
  std::vector<Identifier> IdentifiersOf(Row row) const;                       // in order of arrival
  const RowBits* HavingIdentifier(IdentifierTypeId type) const;               // nullptr: nobody

  // ---- Attributes ----
  const AttributeColumn* column(AttributeId id) const;  // nullptr: nobody has it
  // The column, made with `type` where there is none yet.
  AttributeColumn* GetOrAddColumn(AttributeId id, Type type);
  // The same for values that are worked out, not written: they have no write time and do not count towards the row's bytes. A column of
  // another type, or of written values, that stands in its place is dropped.
  AttributeColumn* GetOrAddComputed(AttributeId id, Type type);
  bool IsComputedColumn(AttributeId id) const;
  // Puts a worked out value (of exactly `type`, or absent) into it. Errors: kResourceExhausted from the dictionary; nothing changed.
  Status SetComputed(Row row, AttributeId id, Type type, const Value& value);
  // Converts the whole column (see AttributeColumn::Become). No column: nothing.
  void WidenColumn(AttributeId id, Type type);
  bool CanWidenColumn(AttributeId id, Type type) const;
  // Rebuilds a column value by value for `attribute retype`; with `only_check` nothing changes, else what does
  // not convert becomes absent. Returns how many converted and the first few rows that did not.
  struct RetypeResult {
    uint64_t converted = 0, failed = 0;
    std::vector<Row> failing_sample;  // at most 10
  };
  RetypeResult RetypeColumn(AttributeId id, Type type, bool only_check);
  void DropColumn(AttributeId id);

  struct WriteOutcome {
    bool changed = false;     // the stored value differs from before
    bool superseded = false;  // an older set or unset lost to a newer one; nothing changed
  };
  // Whether Write would succeed, without doing it: the same errors. Used to keep a profile write whole. nullopt: of a row that begins.
  Status CheckWrite(std::optional<Row> row, const AttributeSchema& attribute, AttributeOperation operation, const Value& value) const;
  // Applies one operation by the rules of the write times. `value` already converted to attribute.type (for add/remove: a set
  // or one string; for unset: ignored). increment: adds exactly; absent counts as 0 of the type. min, max: absent takes the
  // value. add on absent makes the set. Errors: kInvalidArgument TYPE_CLASH (operation does not fit the type), FIELD (overflow,
  // set too large); nothing changed.
  StatusOr<WriteOutcome> Write(Row row, const AttributeSchema& attribute, AttributeOperation operation, const Value& value,
                               int64_t event_time_us, SourceId source);
  // At least as many bytes as all values of the row take by the count that kRowBytesMax limits. A row of short values is not looked at.
  size_t ValueBytesAtMost(Row row) const;
  struct WriteStamp {
    int64_t time_us = 0;  // of the newest set; INT64_MIN: never set, only other operations
    SourceId source;
  };
  WriteStamp StampOf(Row row, AttributeId attribute) const;

  // ---- Events ----
  const EventHistory* History(Row row, EventTypeId type) const;  // nullptr: none
  const PropertyDictionaries& Properties(EventTypeId type) const;
  std::vector<EventTypeId> EventTypesOf(Row row) const;  // ascending
  enum class AddEventResult { kAdded, kDuplicate };
  struct AddEventOutcome {
    AddEventResult result = AddEventResult::kAdded;
    uint32_t evicted = 0;  // oldest events pushed out by max_events or the hard limit, possibly the new one itself
  };
  // A duplicate is an event of this row, of any type, with the same non-zero message_hash. `hard_max` is kEventsHardMax unless
  // a test says otherwise; eviction by it marks the row truncated for the type, eviction by the declared max_events does not.
  AddEventOutcome AddEvent(Row row, const EventTypeSchema& type, const EventToAdd& event, uint32_t hard_max = kEventsHardMax);
  // What AddEvent would do, but for a duplicate: how many of the events held it would push out, oldest first, and where the new one would
  // stand then; nullopt: it would be pushed out itself.
  struct AddEventPreview {
    uint32_t evicted = 0;
    std::optional<uint32_t> index;
  };
  AddEventPreview PreviewEvent(Row row, const EventTypeSchema& type, int64_t time_us, uint32_t hard_max = kEventsHardMax) const;
  bool IsTruncated(Row row, EventTypeId type) const;
  const RowBits* TruncatedRows(EventTypeId type) const;  // nullptr: nobody
  // Largest |unscaled| or |int| and whether a double was ever stored: whether all stored values of a property convert exactly.
  bool CanWidenProperty(EventTypeId type, PropertyId property, Type to) const;
  // Whether the row holds an event of any type with the same non-zero message_hash, of those that are not out at now.
  bool HoldsMessage(Row row, const EventToAdd& event, const Schema& schema, int64_t now_us) const;
  // Frees what the type's declared retention and max_events have put out at now: nobody can see it any more.
  void FreeEventsThatAreOut(Row row, const EventTypeSchema& type, int64_t now_us);
  // Frees events at or before `time_us` of one row and type.
  void RemoveEventsUpTo(Row row, EventTypeId type, int64_t time_us);
  uint64_t event_count() const;

  // The range of events of a history that may be seen at now: (now - retention, now], the newest max_events of those held.
  struct VisibleRange {
    uint32_t begin = 0, end = 0;
  };
  static VisibleRange Visible(const EventHistory& history, const EventTypeSchema& type, int64_t now_us);

  // ---- Static lists ----
  const StaticList* List(SegmentId id) const;  // nullptr: empty
  void AddMember(SegmentId id, Row row, std::optional<int64_t> expires_us);
  void RemoveMember(SegmentId id, Row row);
  void DropList(SegmentId id);

  size_t MemoryBytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace korrel
