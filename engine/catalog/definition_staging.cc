#include "engine/catalog/definition_staging.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <shared_mutex>

#include "engine/catalog/definition_compiler.h"
#include "engine/core.h"

namespace korrel {
namespace {

constexpr size_t kDescriptionBytesMax = 4 * 1024;

Status FieldError(std::string_view field, std::string_view message) { return InvalidArgument("FIELD", field, message); }

std::string_view ParentOf(DefinitionKind kind) {
  switch (kind) {
    case DefinitionKind::kAttribute:
      return "attributes";
    case DefinitionKind::kEvent:
      return "events";
    case DefinitionKind::kPopulation:
      return "population";
    case DefinitionKind::kSegment:
      break;
  }
  return "segments";
}

bool IsStorable(Type type) { return type.kind != ValueKind::kNone && type.kind != ValueKind::kDuration && type.scale <= 18; }

Status CheckText(std::string_view text, std::string_view field) {
  if (text.size() > kDescriptionBytesMax || !IsValidUtf8(text)) {
    return FieldError(field, fmt::format("text is UTF-8 of at most {} bytes", kDescriptionBytesMax));
  }
  return absl::OkStatus();
}

Status CheckRetention(int64_t retention_us) {
  if (retention_us < 0 || retention_us > kDurationMaxUs) return FieldError("retention_us", "a retention is up to 100 years");
  return absl::OkStatus();
}

Status CheckAttribute(const AttributeDefinition& attribute) {
  if (attribute.type && !IsStorable(*attribute.type)) return FieldError("type", "an attribute cannot be of this type");
  if (attribute.expression.size() > kExpressionBytesMax) return FieldError("expression", "the expression is longer than 64 KiB");
  KORREL_RETURN_IF_ERROR(CheckText(attribute.description, "description"));
  KORREL_RETURN_IF_ERROR(CheckText(attribute.unit, "unit"));
  KORREL_RETURN_IF_ERROR(CheckText(attribute.sensitivity, "sensitivity"));
  KORREL_RETURN_IF_ERROR(CheckRetention(attribute.retention_us));
  if (attribute.retention_us == 0) return absl::OkStatus();
  return MakeError(absl::StatusCode::kUnimplemented, "NOT_YET", "retention_us", "a retention of attributes comes with a later version");
}

Status CheckEvent(std::string_view name, const EventDefinition& event) {
  if (name == "any" || name == "decision" || name == "outcome")
    return FieldError("name", fmt::format("'{}' is a name of the engine's own", name));
  KORREL_RETURN_IF_ERROR(CheckText(event.description, "description"));
  KORREL_RETURN_IF_ERROR(CheckRetention(event.retention_us));
  if (event.max_events > kEventsHardMax) return FieldError("max_events", fmt::format("at most {}", kEventsHardMax));
  if (event.properties.size() > kPropertiesMax) return FieldError("properties", fmt::format("at most {}", kPropertiesMax));
  std::set<std::string_view> names;
  for (const FieldSchema& property : event.properties) {
    KORREL_RETURN_IF_ERROR(PrefixField(CheckName(property.name, "property"), "properties."));
    if (!IsStorable(property.type)) return FieldError("properties", fmt::format("property '{}' has no type", property.name));
    if (!names.insert(property.name).second) return FieldError("properties", fmt::format("property '{}' stands twice", property.name));
  }
  return absl::OkStatus();
}

Status CheckSegment(const SegmentDefinition& segment) {
  KORREL_RETURN_IF_ERROR(CheckText(segment.description, "description"));
  if (segment.expression.size() > kExpressionBytesMax) return FieldError("expression", "the expression is longer than 64 KiB");
  if (segment.is_static != segment.expression.empty()) {
    return FieldError("expression", "a segment is either an expression or static, a list");
  }
  return absl::OkStatus();
}

Status CheckPopulation(const PopulationDefinition& population) {
  KORREL_RETURN_IF_ERROR(CheckText(population.description, "description"));
  if (population.expression.empty()) return FieldError("expression", "a figure needs an expression, as in quantile(spend_90d, 0.9)");
  if (population.expression.size() > kExpressionBytesMax) return FieldError("expression", "the expression is longer than 64 KiB");
  constexpr int64_t kSecondUs = 1'000'000;
  if (population.every_us >= kSecondUs && population.every_us <= kDurationMaxUs) return absl::OkStatus();
  return FieldError("every_us", "a figure is published every second up to every 100 years; write every: 1h");
}

Status Clash(std::string_view what, std::string_view name, Type from, Type to, std::string_view advice) {
  return InvalidArgument("TYPE_CLASH", "type",
                         fmt::format("{} '{}' is {} and cannot become {} by itself; {}", what, name, TypeName(from), TypeName(to), advice));
}

Status TooMany(std::string_view limit, size_t max) {
  return MakeError(absl::StatusCode::kResourceExhausted, limit, "", fmt::format("there are {} already", max));
}

// ---- Attributes ----

Status StageComputed(const Core& core, const std::string& name, AttributeSchema* entry, bool declared, CatalogDraft* draft) {
  if (!entry->computed && entry->id.value < draft->base->schema->attributes.size()) {
    if (uint64_t holders = HolderCount(core, entry->id)) {
      return MakeError(
          absl::StatusCode::kFailedPrecondition, "IN_USE", "expression",
          fmt::format("{} profile{} a value of '{}'; what is stored cannot become computed: delete it first, or take another name", holders,
                      holders == 1 ? " holds" : "s hold", name));
    }
    draft->must_be_empty.push_back(entry->id);
    draft->data.push_back({DataAction::Kind::kDropColumn, entry->id.value, {}});
  }
  entry->computed = true;
  entry->declared = declared;
  return absl::OkStatus();
}

bool EveryShard(const Core& core, const std::function<bool(const ProfileTable&)>& holds) {
  return std::all_of(core.shards.begin(), core.shards.end(), [&](const auto& shard) {
    std::shared_lock<PhaseFairLock> hold(shard->lock);
    return holds(shard->table);
  });
}

// An attribute that values are stored of takes another type where every value stays exact, or where there is none.
Status StageStored(const Core& core, AttributeSchema* entry, Type type, CatalogDraft* draft) {
  if (!entry->computed && entry->type != type && entry->id.value < draft->base->schema->attributes.size()) {
    bool wider = WidenedType(entry->type, type) == type;
    if (wider && EveryShard(core, [&](const ProfileTable& table) { return table.CanWidenColumn(entry->id, type); })) {
      draft->data.push_back({DataAction::Kind::kWidenColumn, entry->id.value, type});
    } else if (HolderCount(core, entry->id) == 0) {
      draft->must_be_empty.push_back(entry->id);
      draft->data.push_back({DataAction::Kind::kDropColumn, entry->id.value, {}});
    } else {
      return Clash("attribute", entry->name, entry->type, type, "see attribute retype");
    }
  }
  entry->computed = false;
  entry->type = type;
  return absl::OkStatus();
}

Status StageAttribute(const Core& core, const Definition& definition, CatalogDraft* draft) {
  std::string name(BareName(definition.name));
  const AttributeDefinition& attribute = definition.attribute;
  auto it = draft->schema->attribute_by_name.find(name);
  bool is_new = it == draft->schema->attribute_by_name.end();
  if (is_new && attribute.expression.empty() && !attribute.type) {
    return FieldError("type", fmt::format("attribute '{}' is unknown so far and needs a type or an expression", name));
  }
  if (is_new && draft->schema->attributes.size() >= kAttributesMax) return TooMany("ATTRIBUTES", kAttributesMax);
  AttributeSchema* entry = is_new ? &draft->AddAttribute(name, attribute.type.value_or(Type())) : &draft->schema->attributes[it->second];
  if (!attribute.expression.empty()) return StageComputed(core, name, entry, attribute.type.has_value(), draft);
  if (entry->computed && !attribute.type) {
    return FieldError("type", fmt::format("attribute '{}' was computed; to be stored it needs a type", name));
  }
  KORREL_RETURN_IF_ERROR(StageStored(core, entry, attribute.type.value_or(entry->type), draft));
  entry->declared = attribute.type.has_value();
  return absl::OkStatus();
}

Status StageAttributeDeletion(const Core& core, const std::string& full_name, CatalogDraft* draft) {
  auto it = draft->schema->attribute_by_name.find(std::string(BareName(full_name)));
  if (it == draft->schema->attribute_by_name.end()) return absl::OkStatus();
  AttributeSchema& entry = draft->schema->attributes[it->second];
  bool undeclared = !draft->next.declared.contains(full_name);
  bool empty = !entry.computed && HolderCount(core, entry.id) == 0;
  if (!entry.computed && !undeclared && !empty) {
    entry.declared = false;  // the values stay
    return absl::OkStatus();
  }
  if (!entry.computed) {
    draft->data.push_back({DataAction::Kind::kDropColumn, entry.id.value, {}});
    if (!undeclared) draft->must_be_empty.push_back(entry.id);
  }
  draft->DropAttributeName(entry.id);
  return absl::OkStatus();
}

// ---- Events ----

Status StageProperties(const Core& core, const EventDefinition& event, EventTypeSchema* type, bool stored) {
  for (PropertySchema& entry : type->properties) entry.declared = false;
  for (const FieldSchema& property : event.properties) {
    auto entry = std::find_if(type->properties.begin(), type->properties.end(), [&](const auto& p) { return p.name == property.name; });
    if (entry == type->properties.end()) {
      if (type->properties.size() >= kPropertiesMax) return TooMany("PROPERTIES", kPropertiesMax);
      CatalogDraft::AddProperty(type, property.name, property.type).declared = true;
      continue;
    }
    auto can_widen = [&](const ProfileTable& table) { return table.CanWidenProperty(type->id, entry->id, property.type); };
    bool fits = entry->type == property.type ||
                (WidenedType(entry->type, property.type) == property.type && (!stored || EveryShard(core, can_widen)));
    if (!fits) {
      return Clash("property", property.name, entry->type, property.type, "events are not changed afterwards: write another property");
    }
    entry->type = property.type;
    entry->declared = true;
  }
  return absl::OkStatus();
}

Status StageEvent(const Core& core, const Definition& definition, CatalogDraft* draft) {
  std::string name(BareName(definition.name));
  auto it = draft->schema->event_type_by_name.find(name);
  bool is_new = it == draft->schema->event_type_by_name.end();
  if (is_new && draft->schema->event_types.size() >= kEventTypesMax) return TooMany("EVENT_TYPES", kEventTypesMax);
  EventTypeSchema changed;
  if (!is_new) changed = draft->schema->event_types[it->second];
  KORREL_RETURN_IF_ERROR(StageProperties(core, definition.event, &changed, !is_new));
  EventTypeSchema& entry = is_new ? draft->AddEventType(name) : draft->schema->event_types[it->second];
  entry.properties = std::move(changed.properties);
  entry.retention_us = entry.max_events = std::nullopt;
  if (definition.event.retention_us > 0) entry.retention_us = definition.event.retention_us;
  if (definition.event.max_events > 0) entry.max_events = definition.event.max_events;
  return absl::OkStatus();
}

void StageEventDeletion(const std::string& full_name, CatalogDraft* draft) {
  auto it = draft->schema->event_type_by_name.find(std::string(BareName(full_name)));
  if (it == draft->schema->event_type_by_name.end()) return;
  EventTypeSchema& entry = draft->schema->event_types[it->second];
  if (draft->next.declared.contains(full_name)) {
    entry.retention_us = std::nullopt;
    entry.max_events = std::nullopt;
    for (PropertySchema& property : entry.properties) property.declared = false;
    return;
  }
  draft->data.push_back({DataAction::Kind::kDropEvents, entry.id.value, {}});
  draft->DropEventTypeName(entry.id);
}

// ---- Segments ----

void DropSegment(std::string_view bare, CatalogDraft* draft) {
  auto it = draft->next.definitions.segments.find(bare);
  if (it == draft->next.definitions.segments.end()) return;
  if (it->second.is_static) draft->data.push_back({DataAction::Kind::kDropList, it->second.id.value, {}});
  draft->next.definitions.segments.erase(it);
}

void StageSegment(const Definition& definition, CatalogDraft* draft) {
  std::string_view bare = BareName(definition.name);
  auto it = draft->next.definitions.segments.find(bare);
  if (it != draft->next.definitions.segments.end() && it->second.is_static == definition.segment.is_static) return;
  DropSegment(bare, draft);  // a list that becomes an expression, or the other way, is another segment
  draft->AddSegment(bare, definition.segment.is_static);
}

bool IsKnown(std::string_view full_name, const CatalogDraft& draft) {
  if (draft.next.declared.find(full_name) != draft.next.declared.end()) return true;
  std::string bare(BareName(full_name));
  return (full_name.starts_with("attributes/") && draft.schema->attribute_by_name.contains(bare)) ||
         (full_name.starts_with("events/") && draft.schema->event_type_by_name.contains(bare));
}

}  // namespace

Status CheckDefinition(const Definition& definition) {
  std::string_view parent = ParentOf(definition.kind);
  if (!definition.name.starts_with(std::string(parent) + "/")) {
    return FieldError("name", fmt::format("'{}' is not the name of one of the {}: {}/…", definition.name, parent, parent));
  }
  std::string_view bare = BareName(definition.name);
  KORREL_RETURN_IF_ERROR(CheckName(bare, parent == "population" ? "figure" : parent.substr(0, parent.size() - 1)));
  switch (definition.kind) {
    case DefinitionKind::kAttribute:
      return CheckAttribute(definition.attribute);
    case DefinitionKind::kEvent:
      return CheckEvent(bare, definition.event);
    case DefinitionKind::kSegment:
      return CheckSegment(definition.segment);
    case DefinitionKind::kPopulation:
      return CheckPopulation(definition.population);
  }
  return FieldError("kind", "unknown kind of definition");
}

Status StageDefinition(const Core& core, const Definition& definition, CatalogDraft* draft) {
  bool is_new = !draft->next.declared.contains(definition.name);
  if (is_new && draft->next.declared.size() >= kDefinitionsMax) return TooMany("DEFINITIONS", kDefinitionsMax);
  switch (definition.kind) {
    case DefinitionKind::kAttribute:
      KORREL_RETURN_IF_ERROR(StageAttribute(core, definition, draft));
      break;
    case DefinitionKind::kEvent:
      KORREL_RETURN_IF_ERROR(StageEvent(core, definition, draft));
      break;
    case DefinitionKind::kSegment:
      StageSegment(definition, draft);
      break;
    case DefinitionKind::kPopulation:
      break;
  }
  Definition& put = draft->next.declared[definition.name];
  uint64_t revision = put.revision;
  put = definition;
  put.used_by.clear();
  put.normal_form.clear();
  put.result_type = {};
  put.revision = revision;
  return absl::OkStatus();
}

Status StageDeletion(const Core& core, std::string_view full_name, CatalogDraft* draft) {
  std::string name(full_name);
  if (!IsKnown(name, *draft)) return MakeError(absl::StatusCode::kNotFound, "DEFINITION", "name", fmt::format("there is no {}", name));
  if (name.starts_with("attributes/")) KORREL_RETURN_IF_ERROR(StageAttributeDeletion(core, name, draft));
  if (name.starts_with("events/")) StageEventDeletion(name, draft);
  if (name.starts_with("segments/")) DropSegment(BareName(name), draft);
  draft->next.declared.erase(name);
  return absl::OkStatus();
}

}  // namespace korrel
