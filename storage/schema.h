// storage/schema.h
//
// Schema names what is stored: attributes, event types and their properties, identifier types, sources. Ids are dense and
// never reused, so a column, chunk or log record that names an id stays right for good.
//
// A Schema is an immutable snapshot behind a shared_ptr (`SchemaRef`); the engine's catalog makes the next one by copying.
// Storage and index only read it. What a definition *computes* (`is:`, `where:`) is the engine's business and not in here.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "storage/value.h"

namespace korrel {

struct AttributeSchema {
  AttributeId id;
  std::string name;
  Type type;              // of the stored values; a computed attribute has its expression's type
  bool declared = false;  // with a type in the catalog: does not widen by itself
  bool computed = false;  // has a definition: nothing is stored, writes are refused
  bool dropped = false;   // the name is free again, the id is not
};

struct PropertySchema {
  PropertyId id;
  std::string name;
  Type type;
  bool declared = false;
};

struct EventTypeSchema {
  EventTypeId id;
  std::string name;
  std::vector<PropertySchema> properties;  // by PropertyId
  std::optional<int64_t> retention_us;     // events older than now - retention are invisible
  std::optional<uint32_t> max_events;      // newest kept, per profile
  bool dropped = false;
  const PropertySchema* FindProperty(std::string_view name) const;  // linear: tens of properties
};

struct Schema {
  std::vector<AttributeSchema> attributes;    // by AttributeId
  std::vector<EventTypeSchema> event_types;   // by EventTypeId
  std::vector<std::string> identifier_types;  // by IdentifierTypeId
  std::vector<std::string> sources;           // by SourceId
  uint64_t version = 0;                       // grows with every change

  absl::flat_hash_map<std::string, uint32_t> attribute_by_name, event_type_by_name, identifier_type_by_name, source_by_name;

  const AttributeSchema* FindAttribute(std::string_view name) const;  // nullptr: unknown or dropped
  const EventTypeSchema* FindEventType(std::string_view name) const;
};
using SchemaRef = std::shared_ptr<const Schema>;

inline constexpr uint32_t kEventsHardMax = 100'000;  // per profile and type, declared or not

}  // namespace korrel
