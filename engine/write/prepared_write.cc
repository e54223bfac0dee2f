#include "engine/write/prepared_write.h"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>

namespace korrel {
namespace {

Status FieldError(std::string_view field, std::string_view message) { return InvalidArgument("FIELD", field, message); }

Status CheckNameIn(std::string_view field, std::string_view name, std::string_view what) {
  Status status = CheckName(name, what);
  return status.ok() ? status : FieldError(field, MessageOf(status));
}

Status LimitReached(std::string_view limit, std::string_view field, std::string_view name, size_t max) {
  return MakeError(absl::StatusCode::kResourceExhausted, limit, field,
                   fmt::format("'{}' would be new, and {} are known already", name, max));
}

// On the last try, of a name that could not be made. The rest of the item is still looked at: where something in it clashes, that is
// why nothing was made.
void KeepMissing(Growth* growth, Status limit_reached) {
  if (growth->missing.ok()) growth->missing = std::move(limit_reached);
}

Status TypeClash(std::string_view field, std::string_view what, std::string_view name, Type stored, const Value& value) {
  return InvalidArgument("TYPE_CLASH", field,
                         fmt::format("{} '{}' is {}; {} is {} and does not fit exactly", what, name, TypeName(stored), DisplayValue(value),
                                     TypeName(TypeOf(value))));
}

std::optional<uint64_t> ParseHex16(std::string_view text) {
  if (text.size() != 16) return std::nullopt;
  uint64_t value = 0;
  for (char c : text) {
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<uint64_t>(digit);
  }
  return value;
}

bool IsIdentifierType(std::string_view type) {
  if (type.empty() || type.size() > 64 || type[0] < 'a' || type[0] > 'z') return false;
  return std::all_of(type.begin(), type.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

Status BindIdentifiers(const std::vector<std::string>& identifiers, const BindContext& context, PreparedWrite* out, Growth* growth) {
  if (identifiers.empty()) return FieldError("identifiers", "a write names its profile by at least one identifier");
  if (identifiers.size() > kIdentifiersPerWriteMax) {
    return FieldError("identifiers", fmt::format("{} identifiers; at most {}", identifiers.size(), kIdentifiersPerWriteMax));
  }
  const Schema& schema = *context.catalog->schema;
  for (size_t i = 0; i < identifiers.size(); ++i) {
    auto parts = SplitIdentifier(identifiers[i], "");
    if (!parts.ok()) return PrefixField(parts.status(), fmt::format("identifiers[{}]", i));
    if (parts->profile) {
      if (out->named && *out->named != *parts->profile) {
        return MakeError(
            absl::StatusCode::kFailedPrecondition, "WOULD_JOIN", "identifiers",
            fmt::format("the identifiers name two profiles, {} and {}", FormatProfileId(*out->named), FormatProfileId(*parts->profile)));
      }
      out->named = parts->profile;
      continue;
    }
    auto it = schema.identifier_type_by_name.find(Abseil(parts->type));
    if (it != schema.identifier_type_by_name.end()) {
      out->keys.push_back({IdentifierTypeId(static_cast<uint16_t>(it->second)), parts->value});
    } else if (context.last_try) {
      KeepMissing(growth, LimitReached("IDENTIFIER_TYPES", fmt::format("identifiers[{}]", i), parts->type, kIdentifierTypesMax));
    } else {
      growth->identifier_types.emplace_back(parts->type);
    }
  }
  return absl::OkStatus();
}

StatusOr<SourceId> BindSource(std::string_view name, const BindContext& context, Growth* growth) {
  if (name.empty()) name = context.source.empty() ? kDefaultSource : context.source;
  const Schema& schema = *context.catalog->schema;
  auto it = schema.source_by_name.find(Abseil(name));
  if (it != schema.source_by_name.end()) return SourceId(static_cast<uint16_t>(it->second));
  KORREL_RETURN_IF_ERROR(CheckNameIn("source", name, "source"));
  if (context.last_try) {
    KeepMissing(growth, LimitReached("SOURCES", "source", name, kSourcesMax));
  } else {
    growth->sources.emplace_back(name);
  }
  return SourceId();
}

StatusOr<int64_t> BindTime(int64_t event_time_us, int64_t otherwise_us) {
  if (event_time_us == 0) return otherwise_us;
  if (!InTimestampRange(event_time_us)) return FieldError("event_time_us", "a time lies in the years 0001 to 9999");
  return event_time_us;
}

size_t TextBytes(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->size();
  size_t bytes = 0;
  if (const auto* set = std::get_if<StringSet>(&value)) {
    for (const std::string& item : *set) bytes += item.size();
  }
  return bytes;
}

// ---- Attributes ----

bool WritesSets(AttributeOperation operation) { return operation == AttributeOperation::kAdd || operation == AttributeOperation::kRemove; }

// Whether an operation can be the first to write an attribute with such a value; what is there already is the table's to judge.
Status CheckOperation(AttributeOperation operation, Type type, std::string_view name) {
  bool fits = true;
  switch (operation) {
    case AttributeOperation::kAdd:
    case AttributeOperation::kRemove:
      fits = type == kSetType || type == kStringType;
      break;
    case AttributeOperation::kIncrement:
      fits = IsNumber(type);
      break;
    case AttributeOperation::kMin:
    case AttributeOperation::kMax:
      fits = IsNumber(type) || type == kTimestampType;
      break;
    default:
      break;
  }
  if (fits) return absl::OkStatus();
  return InvalidArgument("TYPE_CLASH", "value",
                         fmt::format("'{}' of attribute '{}' does not take a {}", OperationName(operation), name, TypeName(type)));
}

// Brings change->value to the attribute's type, or wishes for a wider one.
Status FitValue(const AttributeSchema& attribute, const AttributeWrite& write, bool last_try, AttributeChange* change, Growth* growth) {
  if (attribute.computed) {
    return FieldError("name", fmt::format("attribute '{}' is computed by its definition and cannot be written", attribute.name));
  }
  change->attribute = attribute.id;
  if (write.operation == AttributeOperation::kUnset) return absl::OkStatus();
  Type given = TypeOf(change->value);
  if (WritesSets(write.operation)) {
    return attribute.type == kSetType ? absl::OkStatus() : TypeClash("value", "attribute", attribute.name, attribute.type, change->value);
  }
  if (given == attribute.type) return absl::OkStatus();
  if (std::optional<Value> exact = ConvertExactly(change->value, attribute.type)) {
    change->value = *std::move(exact);
    return absl::OkStatus();
  }
  bool may_widen = !attribute.declared && !last_try && WidenedType(attribute.type, given);
  if (!may_widen) return TypeClash("value", "attribute", attribute.name, attribute.type, change->value);
  growth->attributes.push_back({attribute.name, given, &write.value});
  return absl::OkStatus();
}

Status BindNewAttribute(const AttributeWrite& write, const Value& value, const std::string& prefix, bool last_try, Growth* growth,
                        bool* skip) {
  KORREL_RETURN_IF_ERROR(CheckNameIn("name", write.name, "attribute"));
  // Nobody has it, and nothing says of what type it would be.
  *skip = write.operation == AttributeOperation::kUnset || write.operation == AttributeOperation::kRemove;
  if (*skip) return absl::OkStatus();
  if (last_try) {
    KeepMissing(growth, PrefixField(LimitReached("ATTRIBUTES", "name", write.name, kAttributesMax), prefix));
  } else {
    growth->attributes.push_back({write.name, WritesSets(write.operation) ? kSetType : TypeOf(value), &write.value});
  }
  return absl::OkStatus();
}

// `prefix` is what stands before the fields of errors that are kept instead of returned.
Status BindAttribute(const AttributeWrite& write, int64_t write_time_us, const std::string& prefix, const BindContext& context,
                     PreparedWrite* out, Growth* growth) {
  auto code = static_cast<uint8_t>(write.operation);
  if (code < static_cast<uint8_t>(AttributeOperation::kSet) || code > static_cast<uint8_t>(AttributeOperation::kMax)) {
    return FieldError("operation", fmt::format("unknown operation {}", code));
  }
  AttributeChange change;
  change.operation = write.operation;
  KORREL_ASSIGN_OR_RETURN(change.event_time_us, BindTime(write.event_time_us, write_time_us));
  KORREL_RETURN_IF_ERROR(context.clock->AdmitWrite(change.event_time_us));
  if (write.operation != AttributeOperation::kUnset) {
    if (!IsPresent(write.value)) return FieldError("value", fmt::format("no value for '{}'; to remove one, write 'unset'", write.name));
    change.value = write.value;
    KORREL_RETURN_IF_ERROR(Normalize(&change.value, "value"));
    KORREL_RETURN_IF_ERROR(CheckOperation(write.operation, TypeOf(change.value), write.name));
  }
  const AttributeSchema* attribute = context.catalog->schema->FindAttribute(write.name);
  bool skip = false;
  if (attribute) {
    KORREL_RETURN_IF_ERROR(FitValue(*attribute, write, context.last_try, &change, growth));
  } else {
    KORREL_RETURN_IF_ERROR(BindNewAttribute(write, change.value, prefix, context.last_try, growth, &skip));
  }
  if (!skip) out->change.attributes.push_back(std::move(change));
  return absl::OkStatus();
}

// ---- Events ----

// Names the language gives a meaning of their own.
bool IsReservedEventType(std::string_view name) { return name == "any" || name == "decision" || name == "outcome"; }

uint64_t MessageHash(std::string_view source, std::string_view message_id) {
  if (message_id.empty()) return 0;
  std::string text(source);  // holds no control characters: the zero byte ends it
  text.push_back('\0');
  text += message_id;
  uint64_t hash = XXH3_64bits(text.data(), text.size());
  return hash == 0 ? 1 : hash;
}

Status BindProperty(const EventProperty& property, const EventTypeSchema* type, const std::string& prefix, const BindContext& context,
                    EventToAdd* event, Growth* growth) {
  if (!IsPresent(property.value)) return absl::OkStatus();
  Value value = property.value;
  KORREL_RETURN_IF_ERROR(Normalize(&value, "value"));
  const PropertySchema* known = type ? type->FindProperty(property.name) : nullptr;
  if (!known) {
    KORREL_RETURN_IF_ERROR(CheckNameIn("name", property.name, "property"));
    if (context.last_try) {
      KeepMissing(growth, PrefixField(LimitReached("PROPERTIES", "name", property.name, kPropertiesMax), prefix));
      return absl::OkStatus();
    }
    growth->properties.push_back({property.name, TypeOf(value), &property.value});
    return absl::OkStatus();
  }
  Type given = TypeOf(value);
  if (given != known->type) {
    if (std::optional<Value> exact = ConvertExactly(value, known->type)) {
      value = *std::move(exact);
    } else if (!known->declared && !context.last_try && WidenedType(known->type, given)) {
      growth->properties.push_back({property.name, given, &property.value});
      return absl::OkStatus();
    } else {
      return TypeClash("value", "property", known->name, known->type, value);
    }
  }
  event->properties.emplace_back(known->id, std::move(value));
  return absl::OkStatus();
}

Status BindProperties(const EventWrite& write, const EventTypeSchema* type, const BindContext& context, EventToAdd* event, Growth* growth) {
  if (write.properties.size() > kPropertiesMax) {
    return FieldError("properties", fmt::format("{} properties; at most {}", write.properties.size(), kPropertiesMax));
  }
  size_t bytes = 0;
  for (size_t i = 0; i < write.properties.size(); ++i) {
    bytes += TextBytes(write.properties[i].value);
    const std::string prefix = fmt::format("properties[{}].", i);
    KORREL_RETURN_IF_ERROR(PrefixField(BindProperty(write.properties[i], type, prefix, context, event, growth), prefix));
  }
  if (bytes > kRowBytesMax) return InvalidArgument("LIMIT", "properties", fmt::format("{} bytes of text; at most {}", bytes, kRowBytesMax));
  auto& bound = event->properties;
  std::sort(bound.begin(), bound.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  auto twice = std::adjacent_find(bound.begin(), bound.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twice == bound.end()) return absl::OkStatus();
  return FieldError("properties", fmt::format("property '{}' stands twice", type->properties[twice->first.value].name));
}

// New names can stand twice as well; they have no ids yet to tell.
Status CheckNewNamesDistinct(const std::vector<Growth::Named>& wishes) {
  for (size_t i = 0; i < wishes.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (wishes[i].name == wishes[j].name) return FieldError("properties", fmt::format("property '{}' stands twice", wishes[i].name));
    }
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<IdentifierParts> SplitIdentifier(std::string_view text, std::string_view field) {
  size_t colon = text.find(':');
  if (colon == std::string_view::npos) return FieldError(field, "an identifier is type:value, as in email:a@example.nl");
  IdentifierParts parts{text.substr(0, colon), text.substr(colon + 1), std::nullopt};
  if (!IsIdentifierType(parts.type)) {
    return FieldError(field, "the type of an identifier is a lower-case letter and up to 63 lower-case letters, digits or _");
  }
  if (parts.value.empty()) return FieldError(field, fmt::format("the identifier of type '{}' is empty", parts.type));
  if (parts.value.size() > kIdentifierBytesMax) {
    return FieldError(field, fmt::format("an identifier of {} bytes; at most {}", parts.value.size(), kIdentifierBytesMax));
  }
  if (!IsValidUtf8(parts.value)) return FieldError(field, "the identifier is not UTF-8");
  if (parts.type != "profile") return parts;
  std::optional<uint64_t> id = ParseHex16(parts.value);
  if (!id) return FieldError(field, "profile: takes the 16 hex digits of a profile's id");
  parts.profile = ProfileId(*id);
  return parts;
}

Status BindProfileWrite(const ProfileWrite& write, const BindContext& context, PreparedWrite* out, Growth* growth) {
  KORREL_RETURN_IF_ERROR(BindIdentifiers(write.identifiers, context, out, growth));
  out->addressed = true;
  if (write.attributes.size() > kAttributesPerWriteMax) {
    return FieldError("attributes", fmt::format("{} attributes; at most {}", write.attributes.size(), kAttributesPerWriteMax));
  }
  KORREL_ASSIGN_OR_RETURN(int64_t time_us, BindTime(write.event_time_us, context.now_us));
  KORREL_RETURN_IF_ERROR(context.clock->AdmitWrite(time_us));
  KORREL_ASSIGN_OR_RETURN(SourceId source, BindSource({}, context, growth));
  out->change.event_time_us = time_us;
  out->change.attributes.reserve(write.attributes.size());
  size_t bytes = 0;
  for (size_t i = 0; i < write.attributes.size(); ++i) {
    bytes += TextBytes(write.attributes[i].value);
    const std::string prefix = fmt::format("attributes[{}].", i);
    KORREL_RETURN_IF_ERROR(PrefixField(BindAttribute(write.attributes[i], time_us, prefix, context, out, growth), prefix));
  }
  if (bytes > kRowBytesMax) return InvalidArgument("LIMIT", "attributes", fmt::format("{} bytes of text; at most {}", bytes, kRowBytesMax));
  for (AttributeChange& change : out->change.attributes) change.source = source;
  return growth->missing;
}

Status BindEventWrite(const EventWrite& write, const BindContext& context, PreparedWrite* out, Growth* growth) {
  KORREL_RETURN_IF_ERROR(BindIdentifiers(write.identifiers, context, out, growth));
  EventChange& change = out->change.events.emplace_back();
  KORREL_ASSIGN_OR_RETURN(change.event.time_us, BindTime(write.event_time_us, context.now_us));
  // A replay clock moves with every event before this one; it is asked when this one's turn comes.
  if (context.clock->mode() == ClockMode::kSystem) KORREL_RETURN_IF_ERROR(context.clock->CheckEvent(change.event.time_us));
  if (write.message_id.size() > kMessageIdBytesMax || !IsValidUtf8(write.message_id)) {
    return FieldError("message_id", fmt::format("a message id is UTF-8 of at most {} bytes", kMessageIdBytesMax));
  }
  std::string_view source = !write.source.empty() ? write.source : !context.source.empty() ? context.source : kDefaultSource;
  KORREL_ASSIGN_OR_RETURN(change.event.source, BindSource(source, context, growth));
  change.event.message_hash = MessageHash(source, write.message_id);

  const EventTypeSchema* type = context.catalog->schema->FindEventType(write.type);
  if (type) {
    change.type = type->id;
  } else {
    KORREL_RETURN_IF_ERROR(CheckNameIn("type", write.type, "event type"));
    if (IsReservedEventType(write.type)) return FieldError("type", fmt::format("'{}' is a name of the engine's own", write.type));
    change.type = kNoEventType;
    growth->event_type = write.type;
  }
  out->addressed = true;
  if (!type && context.last_try) KeepMissing(growth, LimitReached("EVENT_TYPES", "type", write.type, kEventTypesMax));
  KORREL_RETURN_IF_ERROR(BindProperties(write, type, context, &change.event, growth));
  KORREL_RETURN_IF_ERROR(CheckNewNamesDistinct(growth->properties));
  if (!growth->properties.empty()) growth->event_type = write.type;
  return growth->missing;
}

}  // namespace korrel
