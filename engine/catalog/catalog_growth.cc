#include "engine/catalog/catalog_growth.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace korrel {
namespace {

// The wider type under which an undeclared thing of type `stored` can hold the value as well; nullopt: it can now, or never will.
std::optional<Type> Widened(Type stored, bool declared, const Growth::Named& wish) {
  if (declared || stored == wish.type || ConvertExactly(*wish.value, stored)) return std::nullopt;
  return WidenedType(stored, wish.type);
}

template <class Find>
size_t CountNew(const std::vector<std::string>& names, Find find) {
  std::set<std::string_view> fresh;
  for (const std::string& name : names) {
    if (!find(name)) fresh.insert(name);
  }
  return fresh.size();
}

std::vector<std::string> Names(const std::vector<Growth::Named>& wishes) {
  std::vector<std::string> names;
  for (const Growth::Named& wish : wishes) names.push_back(wish.name);
  return names;
}

bool WithinLimits(const Growth& item, const Schema& schema) {
  auto known = [](const auto& map) { return [&map](const std::string& name) { return map.contains(name); }; };
  size_t attributes = CountNew(Names(item.attributes), known(schema.attribute_by_name));
  size_t identifier_types = CountNew(item.identifier_types, known(schema.identifier_type_by_name));
  size_t sources = CountNew(item.sources, known(schema.source_by_name));
  const EventTypeSchema* event = item.event_type.empty() ? nullptr : schema.FindEventType(item.event_type);
  size_t event_types = !item.event_type.empty() && !event ? 1 : 0;
  size_t properties = CountNew(Names(item.properties), [event](const std::string& name) { return event && event->FindProperty(name); });
  return schema.attributes.size() + attributes <= kAttributesMax && schema.event_types.size() + event_types <= kEventTypesMax &&
         schema.identifier_types.size() + identifier_types <= kIdentifierTypesMax && schema.sources.size() + sources <= kSourcesMax &&
         (event ? event->properties.size() : 0) + properties <= kPropertiesMax;
}

void AddNames(const std::vector<std::string>& names, std::vector<std::string>* all, absl::flat_hash_map<std::string, uint32_t>* by_name) {
  for (const std::string& name : names) {
    if (by_name->emplace(name, static_cast<uint32_t>(all->size())).second) all->push_back(name);
  }
}

void PutAttributeWish(const Growth::Named& wish, CatalogDraft* draft, std::vector<std::string>* notes) {
  auto it = draft->schema->attribute_by_name.find(wish.name);
  if (it == draft->schema->attribute_by_name.end()) {
    draft->AddAttribute(wish.name, wish.type);
    return;
  }
  AttributeSchema& entry = draft->schema->attributes[it->second];
  if (entry.computed) return;
  std::optional<Type> wider = Widened(entry.type, entry.declared, wish);
  if (!wider) return;
  bool is_new = entry.id.value >= draft->base->schema->attributes.size();
  if (!is_new) {
    draft->data.push_back({DataAction::Kind::kWidenColumn, entry.id.value, *wider});
    notes->push_back(fmt::format("attribute '{}' widened from {} to {}", entry.name, TypeName(entry.type), TypeName(*wider)));
  }
  entry.type = *wider;
}

void PutProperties(const Growth& item, CatalogDraft* draft, std::vector<std::string>* notes) {
  auto it = draft->schema->event_type_by_name.find(item.event_type);
  EventTypeSchema& type =
      it == draft->schema->event_type_by_name.end() ? draft->AddEventType(item.event_type) : draft->schema->event_types[it->second];
  for (const Growth::Named& wish : item.properties) {
    auto entry = std::find_if(type.properties.begin(), type.properties.end(), [&](const PropertySchema& p) { return p.name == wish.name; });
    if (entry == type.properties.end()) {
      CatalogDraft::AddProperty(&type, wish.name, wish.type);
    } else if (std::optional<Type> wider = Widened(entry->type, entry->declared, wish)) {
      notes->push_back(
          fmt::format("property '{}' of '{}' widened from {} to {}", wish.name, type.name, TypeName(entry->type), TypeName(*wider)));
      entry->type = *wider;
    }
  }
}

}  // namespace

std::vector<std::pair<AttributeId, Type>> AttributesToWiden(const Growth& item, const Schema& schema) {
  std::vector<std::pair<AttributeId, Type>> found;
  for (const Growth::Named& wish : item.attributes) {
    const AttributeSchema* entry = schema.FindAttribute(wish.name);
    if (!entry || entry->computed) continue;
    if (std::optional<Type> wider = Widened(entry->type, entry->declared, wish)) found.emplace_back(entry->id, *wider);
  }
  return found;
}

std::vector<PropertyToWiden> PropertiesToWiden(const Growth& item, const Schema& schema) {
  std::vector<PropertyToWiden> found;
  const EventTypeSchema* type = item.event_type.empty() ? nullptr : schema.FindEventType(item.event_type);
  if (!type) return found;
  for (const Growth::Named& wish : item.properties) {
    const PropertySchema* entry = type->FindProperty(wish.name);
    if (!entry) continue;
    if (std::optional<Type> wider = Widened(entry->type, entry->declared, wish)) found.push_back({type->id, entry->id, *wider});
  }
  return found;
}

bool OnlyAdds(const Growth& item, const Schema& schema) {
  return AttributesToWiden(item, schema).empty() && PropertiesToWiden(item, schema).empty();
}

bool PutGrowth(const Growth& item, CatalogDraft* draft, std::vector<std::string>* notes) {
  if (!WithinLimits(item, *draft->schema)) return false;
  for (const Growth::Named& wish : item.attributes) PutAttributeWish(wish, draft, notes);
  if (!item.event_type.empty()) PutProperties(item, draft, notes);
  AddNames(item.identifier_types, &draft->schema->identifier_types, &draft->schema->identifier_type_by_name);
  AddNames(item.sources, &draft->schema->sources, &draft->schema->source_by_name);
  return true;
}

}  // namespace korrel
