#include "storage/schema.h"

namespace korrel {

const PropertySchema* EventTypeSchema::FindProperty(std::string_view property_name) const {
  for (const PropertySchema& property : properties)
    if (property.name == property_name) return &property;
  return nullptr;
}

const AttributeSchema* Schema::FindAttribute(std::string_view name) const {
  auto it = attribute_by_name.find(Abseil(name));
  if (it == attribute_by_name.end() || attributes[it->second].dropped) return nullptr;
  return &attributes[it->second];
}

const EventTypeSchema* Schema::FindEventType(std::string_view name) const {
  auto it = event_type_by_name.find(Abseil(name));
  if (it == event_type_by_name.end() || event_types[it->second].dropped) return nullptr;
  return &event_types[it->second];
}

}  // namespace korrel
