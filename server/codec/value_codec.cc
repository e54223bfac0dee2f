#include "server/codec/value_codec.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/errors.h"
#include "server/limits.h"

namespace korrel::server {
namespace {

Status BadField(std::string_view field, std::string_view what) {
  return InvalidArgument("FIELD", field, fmt::format("{}: {}", field, what));
}

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

}  // namespace

StatusOr<Value> DecodeValue(const v1::Value& wire, std::string_view field) {
  switch (wire.kind_case()) {
    case v1::Value::kBoolValue:
      return Value(wire.bool_value());
    case v1::Value::kIntValue:
      return Value(int64_t{wire.int_value()});
    case v1::Value::kDecimalValue:
      if (wire.decimal_value().scale() > 18) return BadField(fmt::format("{}.decimal_value.scale", field), "a scale is 0 to 18");
      return Value(Decimal{wire.decimal_value().unscaled(), static_cast<uint8_t>(wire.decimal_value().scale())});
    case v1::Value::kDoubleValue:
      return Value(wire.double_value());
    case v1::Value::kStringValue:
      return Value(wire.string_value());
    case v1::Value::kTimestampUs:
      return Value(Timestamp{wire.timestamp_us()});
    case v1::Value::kSetValue: {
      const auto& items = wire.set_value().items();
      if (static_cast<size_t>(items.size()) > kSetItemsMax) return BadField(field, "a set has at most 10,000 elements");
      StringSet set(items.begin(), items.end());
      std::sort(set.begin(), set.end());
      set.erase(std::unique(set.begin(), set.end()), set.end());
      return Value(std::move(set));
    }
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return Value();
}

void EncodeValue(const Value& value, v1::Value* out) {
  std::visit(Overloaded{[&](std::monostate) { out->clear_kind(); }, [&](bool v) { out->set_bool_value(v); },
                        [&](int64_t v) { out->set_int_value(v); },
                        [&](const Decimal& v) {
                          out->mutable_decimal_value()->set_unscaled(v.unscaled);
                          out->mutable_decimal_value()->set_scale(v.scale);
                        },
                        [&](double v) { out->set_double_value(v); }, [&](const std::string& v) { out->set_string_value(v); },
                        [&](Timestamp v) { out->set_timestamp_us(v.us); },
                        [&](const StringSet& v) {
                          auto* set = out->mutable_set_value();
                          for (const std::string& item : v) set->add_items(item);
                        }},
             value);
}

StatusOr<std::optional<Type>> DecodeType(v1::ValueType type, uint32_t scale, std::string_view field) {
  if (type == v1::VALUE_TYPE_DECIMAL) {
    if (scale > 18) return BadField(field, "the scale of a decimal is 0 to 18");
    return std::optional<Type>(DecimalType(static_cast<int>(scale)));
  }
  if (scale != 0) return BadField(field, "only a decimal has a scale");
  switch (type) {
    case v1::VALUE_TYPE_UNSPECIFIED:
      return std::optional<Type>();
    case v1::VALUE_TYPE_BOOL:
      return std::optional<Type>(kBoolType);
    case v1::VALUE_TYPE_INT:
      return std::optional<Type>(kIntType);
    case v1::VALUE_TYPE_DOUBLE:
      return std::optional<Type>(kDoubleType);
    case v1::VALUE_TYPE_STRING:
      return std::optional<Type>(kStringType);
    case v1::VALUE_TYPE_TIMESTAMP:
      return std::optional<Type>(kTimestampType);
    case v1::VALUE_TYPE_SET:
      return std::optional<Type>(kSetType);
    default:
      return BadField(field, fmt::format("type {} is not known here", static_cast<int>(type)));
  }
}

v1::ValueType EncodeType(Type type) {
  switch (type.kind) {
    case ValueKind::kNone:
      return v1::VALUE_TYPE_UNSPECIFIED;
    case ValueKind::kBool:
      return v1::VALUE_TYPE_BOOL;
    case ValueKind::kInt:
    case ValueKind::kDuration:  // an expression over time: microseconds
      return v1::VALUE_TYPE_INT;
    case ValueKind::kDecimal:
      return v1::VALUE_TYPE_DECIMAL;
    case ValueKind::kDouble:
      return v1::VALUE_TYPE_DOUBLE;
    case ValueKind::kString:
      return v1::VALUE_TYPE_STRING;
    case ValueKind::kTimestamp:
      return v1::VALUE_TYPE_TIMESTAMP;
    case ValueKind::kSet:
      return v1::VALUE_TYPE_SET;
  }
  return v1::VALUE_TYPE_UNSPECIFIED;
}

StatusOr<FieldSchema> DecodeField(const v1::Field& wire, std::string_view field) {
  KORREL_ASSIGN_OR_RETURN(std::optional<Type> type, DecodeType(wire.type(), wire.scale(), fmt::format("{}.type", field)));
  if (!type) return BadField(fmt::format("{}.type", field), "a type is required");
  return FieldSchema{wire.name(), *type};
}

void EncodeSchema(const std::vector<FieldSchema>& fields, uint64_t catalog_revision, v1::Schema* out) {
  out->mutable_fields()->Reserve(static_cast<int>(fields.size()));
  for (const FieldSchema& field : fields) {
    v1::Field* wire = out->add_fields();
    wire->set_name(field.name);
    wire->set_type(EncodeType(field.type));
    wire->set_scale(field.type.scale);
  }
  out->set_catalog_revision(catalog_revision);
}

StatusOr<Durability> DecodeDurability(v1::Durability wire, std::string_view field) {
  switch (wire) {
    case v1::DURABILITY_UNSPECIFIED:
      return Durability::kUnspecified;
    case v1::DURABILITY_SYNCED:
      return Durability::kSynced;
    case v1::DURABILITY_BUFFERED:
      return Durability::kBuffered;
    case v1::DURABILITY_MEMORY:
      return Durability::kMemory;
    default:
      return BadField(field, fmt::format("durability {} is not known here", static_cast<int>(wire)));
  }
}

StatusOr<Position> DecodePositions(const Positions& wire, std::string_view field) {
  Position newest;
  for (int i = 0; i < wire.size(); ++i) {
    if (wire[i].partition() != 0) return BadField(fmt::format("{}[{}].partition", field, i), "this database has partition 0 alone");
    newest = std::max(newest, Position(wire[i].value()));
  }
  return newest;
}

void EncodePosition(Position position, Positions* out) {
  if (position != Position()) out->Add()->set_value(position.value);
}

void EncodeWriteResult(const WriteResult& result, v1::WriteResult* out) {
  EncodePosition(result.position, out->mutable_positions());
  out->set_durability(result.durability == Durability::kUnspecified ? v1::DURABILITY_MEMORY
                                                                    : static_cast<v1::Durability>(result.durability));
  out->set_applied_count(result.applied_count);
  out->mutable_duplicate_indexes()->Add(result.duplicate_indexes.begin(), result.duplicate_indexes.end());
  for (const ItemError& error : result.errors) EncodeItemError(error, out->add_errors());
  for (const std::string& note : result.notes) out->add_notes(note);
}

}  // namespace korrel::server
