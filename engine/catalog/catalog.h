// engine/catalog/catalog.h
//
// Catalog owns the names of the database: it publishes immutable snapshots and makes the next one, by writes that bring new names
// (Grow), by definitions (engine/catalog/definitions.h) and by retyping. Every change is a CatalogMutation that goes through Apply.
//
//   change_mutex ──▶ draft from the current snapshot ──▶ Commit: what the draft changed becomes a mutation, is logged, applied,
//                                                        published
//
// A change that only adds names takes no shard's lock: nobody can use a name before it is published, hence never before it is in the
// log. A change of what is stored (types, drops, retention, attributes that become computed) holds the locks of **all shards at
// once**, exclusive, while it checks every stored value, converts columns, appends and publishes, and raises the snapshot's
// `layout`; a write that was prepared against an older layout finds that out under its shard's lock and is prepared again, a
// question finds its plan stale and compiles again. So no value of the old type can slip in behind the check, and the change has one
// place in the log for all rows. The price: everybody waits for one pass over the attribute's column, about 20 ms for a million
// profiles. It happens once per attribute that widens, in practice while first data arrive, and once where a stored value stands against
// it: that value is remembered and looked at alone by the next who ask; a way in bounded turns would have every
// write check two types for as long as the change lasts.
//
// Threads   All methods from any thread. change_mutex is taken before shards' locks, never behind one; Current() may be called
//           under any lock.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "engine/catalog/catalog_snapshot.h"
#include "engine/catalog/segment_names.h"
#include "engine/mutation.h"

namespace korrel {

struct Core;

// How much may be known by name. Beyond them: kResourceExhausted with the limit's name.
inline constexpr size_t kAttributesMax = 10'000;
inline constexpr size_t kEventTypesMax = 10'000;
inline constexpr size_t kPropertiesMax = 1'000;  // of one event type
inline constexpr size_t kIdentifierTypesMax = 1'000;
inline constexpr size_t kSourcesMax = 10'000;
inline constexpr size_t kDefinitionsMax = 100'000;

// The next snapshot while it is being made.
struct CatalogDraft {
  explicit CatalogDraft(CatalogRef from);

  CatalogRef base;
  std::shared_ptr<Schema> schema;  // the same as next.schema, open for change
  CatalogSnapshot next;
  std::vector<DataAction> data;
  std::vector<AttributeId> must_be_empty;  // refused if anybody holds a value when it comes to it

  // New entries; the name is free. The limits are the caller's business.
  AttributeSchema& AddAttribute(std::string_view name, Type type);
  EventTypeSchema& AddEventType(std::string_view name);
  static PropertySchema& AddProperty(EventTypeSchema* type, std::string_view name, Type property_type);
  void DropAttributeName(AttributeId id);
  void DropEventTypeName(EventTypeId id);
  SegmentId AddSegment(std::string_view bare_name, bool is_static);
};

// What one write needs to be known by name: attributes and properties that are new or need a wider type.
struct Growth {
  struct Named {
    std::string name;
    Type type;           // it would be made with
    const Value* value;  // that it must hold; lives in the request
  };
  std::vector<Named> attributes;
  std::string event_type;  // empty: none
  std::vector<Named> properties;
  std::vector<std::string> identifier_types, sources;
  Status missing;  // on the last try: of the first name that could not be made; nothing is wished for then
  bool empty() const {
    return attributes.empty() && event_type.empty() && properties.empty() && identifier_types.empty() && sources.empty();
  }
};

class Catalog {
 public:
  explicit Catalog(Core* core);

  CatalogRef Current() const;
  const SegmentNames& segment_names() const { return segment_names_; }

  // Makes what the items need, in their order, each item wholly or not at all. What could not be made is missing from the snapshot
  // afterwards, or still of its old type: who looks again finds out why. Widenings are reported in `notes`.
  // Errors: kResourceExhausted QUEUE.
  Status Grow(std::span<const Growth> items, std::vector<std::string>* notes);

  StatusOr<RetypeAnswer> Retype(std::string_view attribute, Type type, bool validate_only);

  // One change after the other: runs `change` with the newest snapshot while no other can be made. It ends in Commit or changes
  // nothing.
  template <class F>
  auto Exclusively(F change) {
    std::lock_guard<std::mutex> hold(change_mutex_);
    return change(Current());
  }
  // Logs, applies and publishes the draft, which was made and compiled inside Exclusively from the newest snapshot. nullopt: it
  // changes nothing. Errors: kFailedPrecondition IN_USE for must_be_empty; kInvalidArgument TYPE_CLASH where a stored value does not
  // fit a wider type; kResourceExhausted QUEUE. Nothing changed then.
  StatusOr<std::optional<Position>> Commit(CatalogDraft* draft);

  // Inside Exclusively, with `base` the newest snapshot and all of it filled in all shards: publishes it again without the segments
  // that were dropped, and returns it. No change for anybody else: nothing is logged.
  CatalogRef ForgetDropped(const CatalogRef& base);

  // Replay: applies a mutation of the log.
  Status Apply(const CatalogMutation& mutation, Position position);

 private:
  Status CommitAdded(CatalogDraft* draft);
  Status ApplyAndPublish(const CatalogMutation& mutation, CatalogDraft* draft, bool touches_data, Position position);
  void ApplyData(const std::vector<DataAction>& actions);
  Status CheckStoredValues(const CatalogDraft& draft);
  bool CannotWiden(const Growth& item, const Schema& schema);
  bool IsHeldBack(AttributeId id, Type type);
  void RememberRefused(size_t shard, AttributeId id, Type type);
  void Publish(CatalogRef next);

  Core* const core_;
  std::mutex change_mutex_;
  // Under change_mutex_: one of the values for which an attribute was not widened to a type. While it stands where it was, the answer
  // is the same, and nobody has to be stopped to find out.
  struct Witness {
    size_t shard;
    Row row;
  };
  std::map<std::pair<uint32_t, std::string>, Witness> refused_;  // by attribute and type name
  SegmentNames segment_names_;                                   // of every snapshot published so far
  mutable std::mutex current_mutex_;                             // held for a pointer copy only
  CatalogRef current_ ABSL_GUARDED_BY(current_mutex_);
};

// Rows of all shards that hold a value.
uint64_t HolderCount(const Core& core, AttributeId id);

// Locks all shards, exclusive, in their order; the one place where more than one is held.
class AllShards {
 public:
  explicit AllShards(Core& core);
  ~AllShards();
  AllShards(const AllShards&) = delete;

 private:
  Core& core_;
};

}  // namespace korrel
