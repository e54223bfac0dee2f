#include "server/codec/write_codec.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/codec/value_codec.h"
#include "server/errors.h"
#include "server/limits.h"

namespace korrel::server {
namespace {

Status BadField(std::string_view field, std::string_view what) {
  return InvalidArgument("FIELD", field, fmt::format("{}: {}", field, what));
}

// The path of a part of an item, made only when something is wrong with it.
class Path {
 public:
  Path(std::string_view name, uint32_t index) : name_(name), index_(index) {}
  std::string Of(std::string_view member) const { return fmt::format("{}[{}].{}", name_, index_, member); }

 private:
  std::string_view name_;
  uint32_t index_;
};

StatusOr<AttributeOperation> DecodeOperation(v1::AttributeOperation wire) {
  if (wire == v1::ATTRIBUTE_OPERATION_UNSPECIFIED) return AttributeOperation::kSet;
  if (wire < v1::ATTRIBUTE_OPERATION_SET || wire > v1::ATTRIBUTE_OPERATION_MAX) {
    return BadField("operation", fmt::format("operation {} is not known here", static_cast<int>(wire)));
  }
  return static_cast<AttributeOperation>(wire);
}
static_assert(static_cast<int>(AttributeOperation::kSet) == v1::ATTRIBUTE_OPERATION_SET &&
              static_cast<int>(AttributeOperation::kUnset) == v1::ATTRIBUTE_OPERATION_UNSET &&
              static_cast<int>(AttributeOperation::kAdd) == v1::ATTRIBUTE_OPERATION_ADD &&
              static_cast<int>(AttributeOperation::kRemove) == v1::ATTRIBUTE_OPERATION_REMOVE &&
              static_cast<int>(AttributeOperation::kIncrement) == v1::ATTRIBUTE_OPERATION_INCREMENT &&
              static_cast<int>(AttributeOperation::kMin) == v1::ATTRIBUTE_OPERATION_MIN &&
              static_cast<int>(AttributeOperation::kMax) == v1::ATTRIBUTE_OPERATION_MAX);

Status DecodeAttribute(const v1::AttributeWrite& wire, AttributeWrite* out) {
  out->name = wire.name();
  KORREL_ASSIGN_OR_RETURN(out->operation, DecodeOperation(wire.operation()));
  out->event_time_us = wire.event_time_us();
  if (out->operation == AttributeOperation::kUnset) return absl::OkStatus();
  KORREL_ASSIGN_OR_RETURN(out->value, DecodeValue(wire.value(), "value"));
  if (!IsPresent(out->value)) return BadField("value", "a value is required; UNSET removes one");
  return absl::OkStatus();
}

Status CheckIdentifiers(int count, const Path& path) {
  if (count == 0) return BadField(path.Of("identifiers"), "at least one identifier is required");
  if (count > kItemIdentifiersMax) {
    return OverLimit("ITEM_IDENTIFIERS", path.Of("identifiers"), static_cast<uint64_t>(count), kItemIdentifiersMax);
  }
  return absl::OkStatus();
}

Status DecodeWrite(const v1::ProfileWrite& wire, const Path& path, ProfileWrite* out) {
  KORREL_RETURN_IF_ERROR(CheckIdentifiers(wire.identifiers_size(), path));
  if (wire.attributes_size() > kItemAttributesMax) {
    return OverLimit("ITEM_ATTRIBUTES", path.Of("attributes"), static_cast<uint64_t>(wire.attributes_size()), kItemAttributesMax);
  }
  out->identifiers.assign(wire.identifiers().begin(), wire.identifiers().end());
  out->event_time_us = wire.event_time_us();
  out->attributes.resize(static_cast<size_t>(wire.attributes_size()));
  for (int i = 0; i < wire.attributes_size(); ++i) {
    Status status = DecodeAttribute(wire.attributes(i), &out->attributes[static_cast<size_t>(i)]);
    if (!status.ok()) return PrefixField(status, path.Of(fmt::format("attributes[{}].", i)));
  }
  return absl::OkStatus();
}

Status DecodeEvent(const v1::Event& wire, const Path& path, EventWrite* out) {
  KORREL_RETURN_IF_ERROR(CheckIdentifiers(wire.identifiers_size(), path));
  if (!wire.key().empty() || wire.version() != 0 || wire.retracted()) return NotYet(path.Of("key"), "events that can be corrected");
  if (wire.properties_size() > kItemAttributesMax) {
    return OverLimit("ITEM_ATTRIBUTES", path.Of("properties"), static_cast<uint64_t>(wire.properties_size()), kItemAttributesMax);
  }
  if (wire.message_id().size() > kMessageIdBytesMax) {
    return OverLimit("MESSAGE_ID_BYTES", path.Of("message_id"), wire.message_id().size(), kMessageIdBytesMax);
  }
  if (wire.source().size() > kSourceBytesMax) return OverLimit("SOURCE_BYTES", path.Of("source"), wire.source().size(), kSourceBytesMax);
  out->identifiers.assign(wire.identifiers().begin(), wire.identifiers().end());
  out->type = wire.type();
  out->event_time_us = wire.event_time_us();
  out->message_id = wire.message_id();
  out->source = wire.source();
  out->properties.resize(static_cast<size_t>(wire.properties_size()));
  for (int i = 0; i < wire.properties_size(); ++i) {
    EventProperty& property = out->properties[static_cast<size_t>(i)];
    property.name = wire.properties(i).name();
    StatusOr<Value> value = DecodeValue(wire.properties(i).value(), "value");
    if (!value.ok()) return PrefixField(value.status(), path.Of(fmt::format("properties[{}].", i)));
    property.value = *std::move(value);
  }
  return absl::OkStatus();
}

template <class Write>
void Keep(Status status, Write item, uint32_t index, DecodedItems<Write>* out) {
  if (status.ok()) {
    out->items.push_back(std::move(item));
    out->index_of.push_back(index);
  } else {
    out->refused.push_back({index, std::move(status)});
  }
}

// The identifiers of row `row`: of every piece the row's text, where it has one.
class RowIdentifiers {
 public:
  static StatusOr<RowIdentifiers> Make(std::span<const v1::Identifiers* const> pieces, uint32_t rows, std::string_view field) {
    RowIdentifiers result;
    if (pieces.empty() && rows > 0) return BadField(field, "at least one identifier is required");
    if (pieces.size() > static_cast<size_t>(kItemIdentifiersMax)) {
      return OverLimit("ITEM_IDENTIFIERS", field, pieces.size(), kItemIdentifiersMax);
    }
    for (const v1::Identifiers* piece : pieces) {
      KORREL_ASSIGN_OR_RETURN(TextsReader texts, TextsReader::Make(piece->text(), piece->text_ends(), field));
      if (texts.size() != rows) {
        std::string path = fmt::format("{}.text_ends", field);
        return BadField(path, fmt::format("{} identifiers where {} rows are announced", texts.size(), rows));
      }
      result.types_.push_back(piece->type());
      result.texts_.push_back(texts);
    }
    return result;
  }

  std::vector<std::string> Of(uint32_t row) const {
    std::vector<std::string> result;
    for (size_t i = 0; i < texts_.size(); ++i) {
      std::string_view text = texts_[i].At(row);
      if (text.empty()) continue;
      result.push_back(types_[i].empty() ? std::string(text) : fmt::format("{}:{}", types_[i], text));
    }
    return result;
  }

 private:
  std::vector<std::string_view> types_;
  std::vector<TextsReader> texts_;
};

Status CheckRowTimes(int times, uint32_t rows, std::string_view field) {
  if (times == 0 || static_cast<uint32_t>(times) == rows) return absl::OkStatus();
  return BadField(field, fmt::format("{} entries where {} rows are announced", times, rows));
}

// Bytes that the identifiers and names of a batch's rows take once each row is a write of its own.
Status ChargeRows(uint64_t bytes_per_row, uint32_t rows, std::string_view field, DecodeBudget* budget) {
  uint64_t bytes = bytes_per_row * rows;
  if (bytes > budget->text_bytes) return OverLimit("BATCH_TEXT_BYTES", field, bytes, budget->text_bytes);
  budget->text_bytes -= bytes;
  return absl::OkStatus();
}

Status DecodeProfileBatch(const v1::ProfileBatch& wire, uint32_t first_index, DecodeBudget* budget, DecodedProfileWrites* out) {
  KORREL_ASSIGN_OR_RETURN(BatchReader reader, BatchReader::Make(wire.values(), budget, "batch.values"));
  const v1::Identifiers* piece = &wire.identifiers();
  KORREL_ASSIGN_OR_RETURN(RowIdentifiers identifiers, RowIdentifiers::Make({&piece, 1}, reader.size(), "batch.identifiers"));
  KORREL_RETURN_IF_ERROR(CheckRowTimes(wire.event_time_us_size(), reader.size(), "batch.event_time_us"));
  KORREL_RETURN_IF_ERROR(ChargeRows(piece->type().size(), reader.size(), "batch.identifiers.type", budget));
  for (uint32_t row = 0; row < reader.size(); ++row) {
    ProfileWrite write;
    write.identifiers = identifiers.Of(row);
    if (wire.event_time_us_size() > 0) write.event_time_us = wire.event_time_us(static_cast<int>(row));
    for (size_t column = 0; column < reader.fields().size(); ++column) {
      Value value = reader.At(column, row);
      if (!IsPresent(value)) continue;
      write.attributes.push_back({.name = reader.fields()[column].name, .value = std::move(value)});
    }
    Status status = write.identifiers.empty()
                        ? BadField(fmt::format("batch.row[{}].identifiers", row), "at least one identifier is required")
                        : absl::OkStatus();
    Keep(std::move(status), std::move(write), first_index + row, out);
  }
  return absl::OkStatus();
}

struct EventColumns {
  BatchReader reader;
  RowIdentifiers identifiers;
};

StatusOr<EventColumns> CheckEventBatch(const v1::EventBatch& wire, std::string_view field, DecodeBudget* budget) {
  KORREL_ASSIGN_OR_RETURN(BatchReader reader, BatchReader::Make(wire.properties(), budget, fmt::format("{}.properties", field)));
  uint32_t rows = reader.size();
  std::vector<const v1::Identifiers*> pieces;
  uint64_t bytes_per_row = wire.type().size();
  for (const v1::Identifiers& piece : wire.identifiers()) {
    pieces.push_back(&piece);
    bytes_per_row += piece.type().size();
  }
  KORREL_ASSIGN_OR_RETURN(RowIdentifiers identifiers, RowIdentifiers::Make(pieces, rows, fmt::format("{}.identifiers", field)));
  KORREL_RETURN_IF_ERROR(ChargeRows(bytes_per_row, rows, fmt::format("{}.type", field), budget));
  KORREL_RETURN_IF_ERROR(CheckRowTimes(wire.event_time_us_size(), rows, fmt::format("{}.event_time_us", field)));
  KORREL_RETURN_IF_ERROR(CheckRowTimes(wire.message_ids_size(), rows, fmt::format("{}.message_ids", field)));
  return EventColumns{std::move(reader), std::move(identifiers)};
}

Status CheckEventRow(const EventWrite& event, std::string_view field, uint32_t row) {
  if (event.identifiers.empty()) return BadField(fmt::format("{}.row[{}].identifiers", field, row), "at least one identifier is required");
  if (event.message_id.size() > kMessageIdBytesMax) {
    return OverLimit("MESSAGE_ID_BYTES", fmt::format("{}.message_ids[{}]", field, row), event.message_id.size(), kMessageIdBytesMax);
  }
  return absl::OkStatus();
}

Status DecodeEventBatch(const v1::EventBatch& wire, std::string_view field, uint32_t first_index, DecodeBudget* budget,
                        DecodedEvents* out) {
  KORREL_ASSIGN_OR_RETURN(EventColumns columns, CheckEventBatch(wire, field, budget));
  const BatchReader& reader = columns.reader;
  for (uint32_t row = 0; row < reader.size(); ++row) {
    EventWrite event;
    event.identifiers = columns.identifiers.Of(row);
    event.type = wire.type();
    if (wire.event_time_us_size() > 0) event.event_time_us = wire.event_time_us(static_cast<int>(row));
    if (wire.message_ids_size() > 0) event.message_id = wire.message_ids(static_cast<int>(row));
    for (size_t column = 0; column < reader.fields().size(); ++column) {
      Value value = reader.At(column, row);
      if (IsPresent(value)) event.properties.push_back({reader.fields()[column].name, std::move(value)});
    }
    Status status = CheckEventRow(event, field, row);
    Keep(std::move(status), std::move(event), first_index + row, out);
  }
  return absl::OkStatus();
}

Status TakeSingles(int count, std::string_view field, DecodeBudget* budget) {
  if (static_cast<uint64_t>(count) > budget->items) return OverLimit("BATCH_ITEMS", field, static_cast<uint64_t>(count), budget->items);
  budget->items -= static_cast<uint64_t>(count);
  return absl::OkStatus();
}

}  // namespace

StatusOr<DecodedProfileWrites> DecodeUpsert(const v1::UpsertProfilesRequest& request) {
  DecodedProfileWrites out;
  DecodeBudget budget = DecodeBudget::OfOneRequest();
  KORREL_RETURN_IF_ERROR(TakeSingles(request.writes_size(), "writes", &budget));
  for (int i = 0; i < request.writes_size(); ++i) {
    ProfileWrite write;
    Status status = DecodeWrite(request.writes(i), Path("writes", static_cast<uint32_t>(i)), &write);
    Keep(std::move(status), std::move(write), static_cast<uint32_t>(i), &out);
  }
  if (request.has_batch()) {
    KORREL_RETURN_IF_ERROR(DecodeProfileBatch(request.batch(), static_cast<uint32_t>(request.writes_size()), &budget, &out));
  }
  return out;
}

StatusOr<DecodedEvents> DecodeEvents(const WireEvents& events, const WireEventBatches& batches) {
  DecodedEvents out;
  DecodeBudget budget = DecodeBudget::OfOneRequest();
  KORREL_RETURN_IF_ERROR(TakeSingles(events.size(), "events", &budget));
  for (int i = 0; i < events.size(); ++i) {
    EventWrite event;
    Status status = DecodeEvent(events[i], Path("events", static_cast<uint32_t>(i)), &event);
    Keep(std::move(status), std::move(event), static_cast<uint32_t>(i), &out);
  }
  uint32_t index = static_cast<uint32_t>(events.size());
  for (int i = 0; i < batches.size(); ++i) {
    KORREL_RETURN_IF_ERROR(DecodeEventBatch(batches[i], fmt::format("batches[{}]", i), index, &budget, &out));
    index += batches[i].properties().size();
  }
  return out;
}

std::string ItemPlaces::PathOf(uint32_t index) const {
  if (index < single_count) return fmt::format("{}[{}]", name, index);
  for (size_t i = batches.size(); i-- > 0;) {
    if (index >= batches[i].begin) return fmt::format("{}.row[{}]", batches[i].name, index - batches[i].begin);
  }
  return fmt::format("{}[{}]", name, index);
}

ItemPlaces PlacesOf(const v1::UpsertProfilesRequest& request) {
  uint32_t singles = static_cast<uint32_t>(request.writes_size());
  return {.name = "writes", .single_count = singles, .batches = {{"batch", singles}}};
}

ItemPlaces PlacesOf(const WireEvents& events, const WireEventBatches& batches) {
  ItemPlaces places{.name = "events", .single_count = static_cast<uint32_t>(events.size()), .batches = {}};
  uint32_t index = places.single_count;
  for (int i = 0; i < batches.size(); ++i) {
    places.batches.push_back({fmt::format("batches[{}]", i), index});
    index += batches[i].properties().size();
  }
  return places;
}

WriteResult MergeResult(WriteResult result, const std::vector<uint32_t>& index_of, std::vector<ItemError> refused,
                        const ItemPlaces& places) {
  for (uint32_t& index : result.duplicate_indexes) index = index_of[index];
  for (ItemError& error : result.errors) {
    // The engine numbers what it was given: `writes[2].attributes[0].value`. What stands behind the first dot is the item's own.
    std::string own = fmt::format("{}[{}]", places.name, error.index);
    std::string field = FieldOf(error.status);
    if (field.starts_with(own)) field.erase(0, std::min(field.size(), own.size() + 1));
    error.index = index_of[error.index];
    std::string path = places.PathOf(error.index);
    if (!field.empty()) path += "." + field;
    std::string reason = ReasonOf(error.status);
    error.status = MakeError(error.status.code(), reason, path, MessageOf(error.status));
  }
  std::vector<ItemError> merged;
  merged.reserve(result.errors.size() + refused.size());
  std::merge(std::make_move_iterator(result.errors.begin()), std::make_move_iterator(result.errors.end()),
             std::make_move_iterator(refused.begin()), std::make_move_iterator(refused.end()), std::back_inserter(merged),
             [](const ItemError& a, const ItemError& b) { return a.index < b.index; });
  result.errors = std::move(merged);
  return result;
}

}  // namespace korrel::server
