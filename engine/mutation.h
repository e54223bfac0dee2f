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
//     kind 4 turn         what the clock or a fill did to live segments of one shard
//     kind 5 filled       all definitions are complete
//     kind 6 population   published figures
//     kind 7 shard part with flips   as kind 1, each change followed by its flips
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
#include "index/live/live_state.h"
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
  // What it did to live segments, in order: first what the clock did to the row before the change, then what the change did. Not part of
  // the change: Shard::Apply works it out, and a replay that works out something else contradicts the record.
  std::vector<SegmentFlip> flips;
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

// What a turn of the clock, or of filling a definition, did to live segments of one shard. Turns that changed none leave no record; kCatchUp
// does: one profile on its way to the instant of a write, stepped up to now_us, which the clock alone may not have reached yet.
struct TurnMutation {
  enum class Kind : uint8_t { kClock = 1, kFill, kCatchUp };
  struct Profile {
    ProfileId profile;
    std::vector<SegmentFlip> flips;
  };
  Kind kind = Kind::kClock;
  int64_t now_us = 0;
  std::vector<Profile> profiles;
};

// All definitions are filled in all shards, up to the catalog of this revision. From here on a replay works out flips itself.
struct FilledMutation {
  int64_t now_us = 0;
  uint64_t revision = 0;
};

// Figures of `population.x`, as published.
struct PopulationMutation {
  struct Figure {
    std::string name;
    Value value;
    int64_t published_us = 0;
  };
  int64_t now_us = 0;
  std::vector<Figure> figures;
};

using Mutation = std::variant<ShardMutation, CatalogMutation, ClockMutation, TurnMutation, FilledMutation, PopulationMutation>;

// The flips a record tells of, in its order, without decoding the rest of it where there are none.
struct ProfileFlips {
  ProfileId profile;
  std::vector<SegmentFlip> flips;
};
StatusOr<std::vector<ProfileFlips>> FlipsIn(std::string_view record);

std::string EncodeMutation(const Mutation& mutation);
StatusOr<Mutation> DecodeMutation(std::string_view record);

// A shard part written change by change, as a turn applies them: kind 1 until the first change with flips, kind 7 from then on.
class ShardRecordWriter {
 public:
  ShardRecordWriter();
  void Add(const ProfileChange& change);
  bool empty() const { return ends_.empty(); }
  std::string Take() && { return std::move(record_); }

 private:
  void MakeRoomForFlips();

  std::string record_;
  std::vector<size_t> ends_;  // of the changes so far
  bool has_flips_ = false;
};
// At least as many bytes as Add will write, flips left out: nobody knows them before the change is applied, and Log::Append borrows.
size_t EncodedBytesMax(const ProfileChange& change);

}  // namespace korrel
