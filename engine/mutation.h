// engine/mutation.h
//
// A Mutation is one change of state, typed and checked: what a write, an event, a delete, a catalog change or a clock turn does to
// the database. It is what the log holds, and applying the log's mutations in order to an empty database gives the same database.
// It names profiles, attributes, … by id, never by shard or row, and carries every time and id that was drawn for it.
//
//   record   u8 version (1) · u8 kind · body
//     kind 1 shard part   change* to the end of the record: what happened to profiles of one shard in one turn of its lock
//     kind 2 catalog      new and changed entries of the schema, definitions, what happens to stored data
//     kind 3 clock        zigzag time
//
// Integers are LEB128 varints, signed ones zigzag; times stand as distances from the change's own now. Strings are length and bytes.
//
// Errors      Decode is total: any bytes give a Mutation or kDataLoss RECORD that says what is wrong; no count or length is trusted.
// Invariants  Decode(Encode(m)) == m.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/catalog/catalog_snapshot.h"
#include "storage/event_history.h"
#include "storage/profile_table.h"

namespace korrel {

// ---- What happens to one profile ----

struct AttributeChange {
  AttributeId attribute;
  AttributeOperation operation = AttributeOperation::kSet;
  Value value;  // of the attribute's type; add/remove: a set or one string; unset: absent
  int64_t event_time_us = 0;
  SourceId source;
};
struct EventChange {
  EventTypeId type;
  EventToAdd event;
};
struct MemberChange {
  SegmentId segment;
  bool is_member = true;
  std::optional<int64_t> expires_us;
};
struct ProfileChange {
  ProfileId profile;
  int64_t now_us = 0;                    // the clock when it was applied
  bool creates = false;                  // the profile begins here
  bool deletes = false;                  // the profile ends here; nothing else is in the change
  std::vector<Identifier> identifiers;   // those the profile did not have yet
  std::optional<int64_t> event_time_us;  // of the profile write, where there was one
  std::vector<AttributeChange> attributes;
  std::vector<EventChange> events;
  std::vector<MemberChange> members;
};
struct ShardMutation {
  std::vector<ProfileChange> changes;
};

// ---- What happens to the catalog ----

// What a catalog change does to stored data, beside naming things; every shard does it, in this order.
struct DataAction {
  enum class Kind : uint8_t {
    kWidenColumn = 1,  // attribute → type, exact
    kRetypeColumn,     // attribute → type, value by value
    kDropColumn,       // attribute
    kDropEvents,       // event type
    kDropList,         // segment
  };
  Kind kind = Kind::kWidenColumn;
  uint32_t id = 0;  // AttributeId, EventTypeId or SegmentId
  Type type;
  friend bool operator==(const DataAction&, const DataAction&) = default;
};
struct CatalogMutation {
  int64_t now_us = 0;
  std::vector<AttributeSchema> attributes;             // new or changed entries, by id; a new one's id is the next free
  std::vector<EventTypeSchema> event_types;            // the same
  std::vector<std::string> identifier_types, sources;  // new ones, from the next free id on
  uint32_t first_identifier_type = 0, first_source = 0;
  std::optional<std::string> time_zone;
  std::vector<Definition> definitions;                         // put; only what was declared, not what answers fill in
  std::vector<std::string> removed;                            // definitions, by full name
  std::vector<std::pair<std::string, SegmentId>> segment_ids;  // of new segments
  uint64_t revision = 0;
  std::vector<DataAction> data;
};

struct ClockMutation {
  int64_t to_us = 0;
};

using Mutation = std::variant<ShardMutation, CatalogMutation, ClockMutation>;

std::string EncodeMutation(const Mutation& mutation);
StatusOr<Mutation> DecodeMutation(std::string_view record);

// The pieces of a shard part, so that a turn can write changes one by one as it applies them.
std::string BeginShardRecord();
void AppendChange(const ProfileChange& change, std::string* record);
// At least as many bytes as AppendChange will write.
size_t EncodedBytesMax(const ProfileChange& change);

}  // namespace korrel
