#include "engine/catalog/catalog_difference.h"

#include <algorithm>

namespace korrel {
namespace {

bool Same(const AttributeSchema& a, const AttributeSchema& b) {
  return a.name == b.name && a.type == b.type && a.declared == b.declared && a.computed == b.computed && a.dropped == b.dropped;
}

bool Same(const PropertySchema& a, const PropertySchema& b) { return a.name == b.name && a.type == b.type && a.declared == b.declared; }

bool Same(const FieldSchema& a, const FieldSchema& b) { return a.name == b.name && a.type == b.type; }

template <class T>
bool SameLists(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const T& x, const T& y) { return Same(x, y); });
}

bool Same(const EventTypeSchema& a, const EventTypeSchema& b) {
  return a.name == b.name && a.retention_us == b.retention_us && a.max_events == b.max_events && a.dropped == b.dropped &&
         SameLists(a.properties, b.properties);
}

// Whether b is a with more properties and nothing else.
bool OnlyGrown(const EventTypeSchema& a, const EventTypeSchema& b) {
  EventTypeSchema begin = b;
  if (begin.properties.size() < a.properties.size()) return false;
  begin.properties.resize(a.properties.size());
  return Same(a, begin);
}

void SchemaDifference(const Schema& base, const Schema& next, CatalogDifference* out) {
  for (const AttributeSchema& entry : next.attributes) {
    bool is_new = entry.id.value >= base.attributes.size();
    if (!is_new && Same(base.attributes[entry.id.value], entry)) continue;
    out->mutation.attributes.push_back(entry);
    if (!is_new) out->touches_data = out->recompile = true;
  }
  for (const EventTypeSchema& entry : next.event_types) {
    bool is_new = entry.id.value >= base.event_types.size();
    if (!is_new && Same(base.event_types[entry.id.value], entry)) continue;
    out->mutation.event_types.push_back(entry);
    if (!is_new && !OnlyGrown(base.event_types[entry.id.value], entry)) out->touches_data = out->recompile = true;
  }
  auto tail = [](const std::vector<std::string>& names, size_t from) {
    return std::vector<std::string>(names.begin() + from, names.end());
  };
  out->mutation.first_identifier_type = static_cast<uint32_t>(base.identifier_types.size());
  out->mutation.identifier_types = tail(next.identifier_types, base.identifier_types.size());
  out->mutation.first_source = static_cast<uint32_t>(base.sources.size());
  out->mutation.sources = tail(next.sources, base.sources.size());
  // has_identifier('x') was compiled as "nobody has one" until now.
  if (!out->mutation.identifier_types.empty()) out->recompile = true;
}

void DefinitionsDifference(const CatalogSnapshot& base, const CatalogSnapshot& next, CatalogMutation* mutation) {
  for (const auto& [name, definition] : next.declared) {
    auto it = base.declared.find(name);
    if (it == base.declared.end() || !SameDeclaration(it->second, definition)) mutation->definitions.push_back(definition);
  }
  for (const auto& [name, definition] : base.declared) {
    if (!next.declared.contains(name)) mutation->removed.push_back(name);
  }
  for (const auto& [name, segment] : next.definitions.segments) {
    if (segment.id.value >= base.segment_count) mutation->segment_ids.emplace_back(name, segment.id);
  }
}

// The column of a computed attribute that is computed no more, or of another type: its values were worked out and are again.
void AddComputedColumns(const Schema& base, const Schema& next, std::vector<DataAction>* data) {
  for (const AttributeSchema& before : base.attributes) {
    const AttributeSchema& after = next.attributes[before.id.value];
    if (!before.computed || (after.computed && after.type == before.type)) continue;
    data->push_back({DataAction::Kind::kDropColumn, before.id.value, {}});
  }
}

Status OutOfSequence(std::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, "RECORD", "", std::string(what) + " does not follow the catalog before it");
}

// Entries overwrite those of the same id or follow the last one.
Status PutAttribute(const AttributeSchema& entry, Schema* schema) {
  if (entry.id.value > schema->attributes.size()) return OutOfSequence("an attribute");
  if (entry.id.value == schema->attributes.size()) schema->attributes.emplace_back();
  schema->attributes[entry.id.value] = entry;
  if (!entry.dropped) {
    schema->attribute_by_name[entry.name] = entry.id.value;
    return absl::OkStatus();
  }
  auto it = schema->attribute_by_name.find(entry.name);
  if (it != schema->attribute_by_name.end() && it->second == entry.id.value) schema->attribute_by_name.erase(it);
  return absl::OkStatus();
}

Status PutEventType(const EventTypeSchema& entry, Schema* schema) {
  if (entry.id.value > schema->event_types.size()) return OutOfSequence("an event type");
  for (size_t i = 0; i < entry.properties.size(); ++i) {
    if (entry.properties[i].id.value != i) return OutOfSequence("a property");
  }
  if (entry.id.value == schema->event_types.size()) schema->event_types.emplace_back();
  schema->event_types[entry.id.value] = entry;
  if (!entry.dropped) {
    schema->event_type_by_name[entry.name] = entry.id.value;
    return absl::OkStatus();
  }
  auto it = schema->event_type_by_name.find(entry.name);
  if (it != schema->event_type_by_name.end() && it->second == entry.id.value) schema->event_type_by_name.erase(it);
  return absl::OkStatus();
}

Status PutNames(const std::vector<std::string>& names, uint32_t first, std::vector<std::string>* all,
                absl::flat_hash_map<std::string, uint32_t>* by_name) {
  if (first != all->size()) return OutOfSequence("a name");
  for (const std::string& name : names) {
    (*by_name)[name] = static_cast<uint32_t>(all->size());
    all->push_back(name);
  }
  return absl::OkStatus();
}

void PutDefinitions(const CatalogMutation& mutation, CatalogSnapshot* next) {
  for (const std::string& name : mutation.removed) {
    next->declared.erase(name);
    if (name.starts_with("segments/")) next->definitions.segments.erase(name.substr(sizeof("segments/") - 1));
  }
  for (const auto& [name, id] : mutation.segment_ids) {
    auto it = std::find_if(mutation.definitions.begin(), mutation.definitions.end(),
                           [&](const Definition& d) { return d.name == "segments/" + name; });
    next->definitions.segments[name] = {id, it != mutation.definitions.end() && it->segment.is_static, nullptr};
    next->segment_count = std::max(next->segment_count, id.value + 1);
  }
  for (const Definition& definition : mutation.definitions) {
    Definition& put = next->declared[definition.name] = definition;
    put.revision = mutation.revision;
  }
}

}  // namespace

bool SameDeclaration(const Definition& a, const Definition& b) {
  return a.kind == b.kind && a.attribute.type == b.attribute.type && a.attribute.expression == b.attribute.expression &&
         a.attribute.description == b.attribute.description && a.attribute.unit == b.attribute.unit &&
         a.attribute.sensitivity == b.attribute.sensitivity && a.attribute.retention_us == b.attribute.retention_us &&
         SameLists(a.event.properties, b.event.properties) && a.event.retention_us == b.event.retention_us &&
         a.event.max_events == b.event.max_events && a.event.description == b.event.description &&
         a.segment.expression == b.segment.expression && a.segment.is_static == b.segment.is_static &&
         a.segment.description == b.segment.description && a.population.expression == b.population.expression &&
         a.population.every_us == b.population.every_us && a.population.description == b.population.description;
}

// What figures there are is known in all shards at once, as what they say is.
bool TouchesFigures(const CatalogMutation& mutation) {
  const auto is_figure = [](const std::string& name) { return name.starts_with("population/"); };
  return std::ranges::any_of(mutation.removed, is_figure) || std::ranges::any_of(mutation.definitions, is_figure, &Definition::name);
}

CatalogDifference DifferenceOf(const CatalogDraft& draft, int64_t now_us) {
  CatalogDifference difference;
  CatalogMutation& mutation = difference.mutation;
  mutation.now_us = now_us;
  SchemaDifference(*draft.base->schema, *draft.schema, &difference);
  DefinitionsDifference(*draft.base, draft.next, &mutation);
  if (draft.next.time_zone != draft.base->time_zone) mutation.time_zone = draft.next.time_zone;
  mutation.data = draft.data;
  AddComputedColumns(*draft.base->schema, *draft.schema, &mutation.data);
  bool defines = !mutation.definitions.empty() || !mutation.removed.empty() || mutation.time_zone;
  mutation.revision = draft.base->revision + (defines ? 1 : 0);
  difference.recompile |= defines;
  difference.touches_data |= !mutation.data.empty() || TouchesFigures(mutation);
  difference.empty = !defines && !difference.touches_data && mutation.attributes.empty() && mutation.event_types.empty() &&
                     mutation.identifier_types.empty() && mutation.sources.empty();
  return difference;
}

Status PutIn(const CatalogMutation& mutation, CatalogDraft* draft) {
  for (const AttributeSchema& entry : mutation.attributes) KORREL_RETURN_IF_ERROR(PutAttribute(entry, draft->schema.get()));
  for (const EventTypeSchema& entry : mutation.event_types) KORREL_RETURN_IF_ERROR(PutEventType(entry, draft->schema.get()));
  Schema& schema = *draft->schema;
  KORREL_RETURN_IF_ERROR(
      PutNames(mutation.identifier_types, mutation.first_identifier_type, &schema.identifier_types, &schema.identifier_type_by_name));
  KORREL_RETURN_IF_ERROR(PutNames(mutation.sources, mutation.first_source, &schema.sources, &schema.source_by_name));
  PutDefinitions(mutation, &draft->next);
  if (mutation.time_zone) draft->next.time_zone = *mutation.time_zone;
  draft->next.revision = mutation.revision;
  return absl::OkStatus();
}

}  // namespace korrel
