// CatalogDraft: the steps by which a snapshot becomes the next one.
#include "engine/catalog/catalog.h"

namespace korrel {

CatalogDraft::CatalogDraft(CatalogRef from) : base(std::move(from)), schema(std::make_shared<Schema>(*base->schema)), next(*base) {
  ++schema->version;
  next.schema = schema;
}

AttributeSchema& CatalogDraft::AddAttribute(std::string_view name, Type type) {
  AttributeSchema& entry = schema->attributes.emplace_back();
  entry.id = AttributeId(static_cast<uint32_t>(schema->attributes.size() - 1));
  entry.name = name;
  entry.type = type;
  schema->attribute_by_name[entry.name] = entry.id.value;
  return entry;
}

EventTypeSchema& CatalogDraft::AddEventType(std::string_view name) {
  EventTypeSchema& entry = schema->event_types.emplace_back();
  entry.id = EventTypeId(static_cast<uint32_t>(schema->event_types.size() - 1));
  entry.name = name;
  schema->event_type_by_name[entry.name] = entry.id.value;
  return entry;
}

PropertySchema& CatalogDraft::AddProperty(EventTypeSchema* type, std::string_view name, Type property_type) {
  PropertySchema& entry = type->properties.emplace_back();
  entry.id = PropertyId(static_cast<uint32_t>(type->properties.size() - 1));
  entry.name = name;
  entry.type = property_type;
  return entry;
}

void CatalogDraft::DropAttributeName(AttributeId id) {
  AttributeSchema& entry = schema->attributes[id.value];
  entry.dropped = true;
  entry.declared = entry.computed = false;
  schema->attribute_by_name.erase(entry.name);
}

void CatalogDraft::DropEventTypeName(EventTypeId id) {
  EventTypeSchema& entry = schema->event_types[id.value];
  entry.dropped = true;
  schema->event_type_by_name.erase(entry.name);
}

SegmentId CatalogDraft::AddSegment(std::string_view bare_name, bool is_static) {
  SegmentId id(next.segment_count++);
  next.definitions.segments[std::string(bare_name)] = {id, is_static, nullptr};
  return id;
}

}  // namespace korrel
