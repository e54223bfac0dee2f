#include "server/codec/catalog_codec.h"

#include <fmt/format.h>

#include "server/codec/value_codec.h"
#include "server/errors.h"
#include "server/limits.h"

namespace korrel::server {
namespace {

Status BadField(std::string_view field, std::string_view what) {
  return InvalidArgument("FIELD", field, fmt::format("{}: {}", field, what));
}

Status CheckRetention(int64_t retention_us, std::string_view field) {
  if (retention_us < 0) return BadField(fmt::format("{}.retention_us", field), "a retention is not negative");
  return absl::OkStatus();
}

StatusOr<AttributeDefinition> DecodeAttribute(const v1::AttributeDefinition& wire, std::string_view field) {
  AttributeDefinition out;
  KORREL_ASSIGN_OR_RETURN(out.type, DecodeType(wire.type(), wire.scale(), fmt::format("{}.type", field)));
  KORREL_RETURN_IF_ERROR(CheckRetention(wire.retention_us(), field));
  out.expression = wire.expression();
  out.description = wire.description();
  out.unit = wire.unit();
  out.sensitivity = wire.sensitivity();
  out.retention_us = wire.retention_us();
  return out;
}

StatusOr<EventDefinition> DecodeEvent(const v1::EventDefinition& wire, std::string_view field) {
  EventDefinition out;
  if (wire.properties_size() > kItemAttributesMax) {
    return OverLimit("ITEM_ATTRIBUTES", fmt::format("{}.properties", field), static_cast<uint64_t>(wire.properties_size()),
                     kItemAttributesMax);
  }
  for (int i = 0; i < wire.properties_size(); ++i) {
    KORREL_ASSIGN_OR_RETURN(FieldSchema property, DecodeField(wire.properties(i), fmt::format("{}.properties[{}]", field, i)));
    out.properties.push_back(std::move(property));
  }
  KORREL_RETURN_IF_ERROR(CheckRetention(wire.retention_us(), field));
  out.retention_us = wire.retention_us();
  out.max_events = wire.max_events();
  out.description = wire.description();
  return out;
}

Status CheckPrefix(const v1::Definition& wire, std::string_view prefix, std::string_view field) {
  if (wire.name().size() > prefix.size() && wire.name().starts_with(prefix)) return absl::OkStatus();
  return BadField(fmt::format("{}.name", field), fmt::format("the name of this kind of definition is {}NAME", prefix));
}

void EncodeAttribute(const AttributeDefinition& attribute, v1::AttributeDefinition* out) {
  if (attribute.type) {
    out->set_type(EncodeType(*attribute.type));
    out->set_scale(attribute.type->scale);
  }
  out->set_expression(attribute.expression);
  out->set_description(attribute.description);
  out->set_unit(attribute.unit);
  out->set_sensitivity(attribute.sensitivity);
  out->set_retention_us(attribute.retention_us);
}

void EncodeEvent(const EventDefinition& event, v1::EventDefinition* out) {
  for (const FieldSchema& property : event.properties) {
    v1::Field* field = out->add_properties();
    field->set_name(property.name);
    field->set_type(EncodeType(property.type));
    field->set_scale(property.type.scale);
  }
  out->set_retention_us(event.retention_us);
  out->set_max_events(event.max_events);
  out->set_description(event.description);
}

void EncodePreview(const SegmentPreview& preview, v1::SegmentPreview* out) {
  out->set_added_count(preview.added_count);
  out->set_removed_count(preview.removed_count);
  out->set_member_count(preview.member_count);
  for (const std::string& profile : preview.added_sample) out->add_added_sample(profile);
  for (const std::string& profile : preview.removed_sample) out->add_removed_sample(profile);
}

}  // namespace

StatusOr<Definition> DecodeDefinition(const v1::Definition& wire, std::string_view field) {
  Definition out;
  out.name = wire.name();
  switch (wire.kind_case()) {
    case v1::Definition::kAttribute: {
      KORREL_RETURN_IF_ERROR(CheckPrefix(wire, "attributes/", field));
      KORREL_ASSIGN_OR_RETURN(out.attribute, DecodeAttribute(wire.attribute(), fmt::format("{}.attribute", field)));
      out.kind = DefinitionKind::kAttribute;
      return out;
    }
    case v1::Definition::kEvent: {
      KORREL_RETURN_IF_ERROR(CheckPrefix(wire, "events/", field));
      KORREL_ASSIGN_OR_RETURN(out.event, DecodeEvent(wire.event(), fmt::format("{}.event", field)));
      out.kind = DefinitionKind::kEvent;
      return out;
    }
    case v1::Definition::kSegment:
      KORREL_RETURN_IF_ERROR(CheckPrefix(wire, "segments/", field));
      out.kind = DefinitionKind::kSegment;
      out.segment = {wire.segment().expression(), wire.segment().static_(), wire.segment().description()};
      return out;
    case v1::Definition::kPopulation:
      KORREL_RETURN_IF_ERROR(CheckPrefix(wire, "population/", field));
      out.kind = DefinitionKind::kPopulation;
      out.population = {wire.population().expression(), wire.population().every_us(), wire.population().description()};
      return out;
    case v1::Definition::KIND_NOT_SET:
      break;
  }
  return BadField(field, "attribute, event, segment or population is required");
}

void EncodeDefinition(const Definition& definition, v1::Definition* out) {
  out->set_name(definition.name);
  out->set_state(static_cast<v1::DefinitionState>(definition.state));
  out->set_fill_ratio(definition.fill_ratio);
  for (const std::string& user : definition.used_by) out->add_used_by(user);
  out->set_normal_form(definition.normal_form);
  out->set_revision(definition.revision);
  out->set_result_type(EncodeType(definition.result_type));
  out->set_result_scale(definition.result_type.scale);
  switch (definition.kind) {
    case DefinitionKind::kAttribute:
      return EncodeAttribute(definition.attribute, out->mutable_attribute());
    case DefinitionKind::kEvent:
      return EncodeEvent(definition.event, out->mutable_event());
    case DefinitionKind::kSegment:
      out->mutable_segment()->set_expression(definition.segment.expression);
      out->mutable_segment()->set_static_(definition.segment.is_static);
      out->mutable_segment()->set_description(definition.segment.description);
      return;
    case DefinitionKind::kPopulation:
      out->mutable_population()->set_expression(definition.population.expression);
      out->mutable_population()->set_every_us(definition.population.every_us);
      out->mutable_population()->set_description(definition.population.description);
  }
}
static_assert(static_cast<int>(DefinitionState::kReady) == v1::DEFINITION_STATE_READY &&
              static_cast<int>(DefinitionState::kFilling) == v1::DEFINITION_STATE_FILLING &&
              static_cast<int>(DefinitionState::kUndeclared) == v1::DEFINITION_STATE_UNDECLARED);

void EncodeChange(const DefinitionChange& change, uint32_t index, v1::DefinitionChange* out) {
  out->set_name(change.name);
  out->set_kind(static_cast<v1::ChangeKind>(change.kind));
  if (change.before) EncodeDefinition(*change.before, out->mutable_before());
  if (change.after) EncodeDefinition(*change.after, out->mutable_after());
  if (!change.error.ok()) {
    EncodeItemError({index, change.error}, out->mutable_error());
    // An item error has no room for the details of an expression error: its picture says it all to people.
    v1::ExpressionError detail;
    if (auto error = ExpressionErrorOf(change.error)) {
      EncodeExpressionError(*error, &detail);
      out->mutable_error()->set_message(detail.rendered());
    }
  }
  if (change.segment) EncodePreview(*change.segment, out->mutable_segment());
}
static_assert(static_cast<int>(ChangeKind::kCreate) == v1::CHANGE_KIND_CREATE &&
              static_cast<int>(ChangeKind::kUpdate) == v1::CHANGE_KIND_UPDATE &&
              static_cast<int>(ChangeKind::kDelete) == v1::CHANGE_KIND_DELETE &&
              static_cast<int>(ChangeKind::kNone) == v1::CHANGE_KIND_NONE);

}  // namespace korrel::server
