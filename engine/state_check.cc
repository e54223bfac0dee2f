#include "engine/state_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace korrel {
namespace {

Status InAttribute(const Status& status, size_t index) { return PrefixField(status, fmt::format("attributes[{}].", index)); }

// An attribute written more than once in one write: each operation sees what the one before left. Tried on a table of one row that
// holds the attribute as it is.
Status TryInOrder(const ProfileTable& table, std::optional<Row> row, const ProfileChange& change, const Schema& schema) {
  ProfileTable trial(nullptr);
  Row trial_row = trial.AddRow(change.profile);
  std::vector<AttributeId> copied;
  for (size_t i = 0; i < change.attributes.size(); ++i) {
    const AttributeChange& write = change.attributes[i];
    const AttributeSchema& attribute = schema.attributes[write.attribute.value];
    const AttributeColumn* column = row ? table.column(attribute.id) : nullptr;
    if (column && column->Has(*row) && std::find(copied.begin(), copied.end(), attribute.id) == copied.end()) {
      copied.push_back(attribute.id);
      ProfileTable::WriteStamp stamp = table.StampOf(*row, attribute.id);
      Status status = trial.Write(trial_row, attribute, AttributeOperation::kSet, column->Get(*row), stamp.time_us, stamp.source).status();
      if (!status.ok()) return InAttribute(status, i);
    }
    Status status = trial.Write(trial_row, attribute, write.operation, write.value, write.event_time_us, write.source).status();
    if (!status.ok()) return InAttribute(status, i);
  }
  return absl::OkStatus();
}

bool WritesOneTwice(const std::vector<AttributeChange>& changes) {
  if (changes.size() < 2) return false;
  std::vector<uint32_t> ids;
  ids.reserve(changes.size());
  for (const AttributeChange& change : changes) ids.push_back(change.attribute.value);
  std::sort(ids.begin(), ids.end());
  return std::adjacent_find(ids.begin(), ids.end()) != ids.end();
}

size_t TextBytes(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->size();
  size_t bytes = 0;
  if (const auto* set = std::get_if<StringSet>(&value)) {
    for (const std::string& item : *set) bytes += item.size();
  }
  return bytes;
}

size_t StoredTextBytes(const AttributeColumn& column, Row row) {
  if (column.type() == kStringType) return column.Text(row).size();
  size_t bytes = 0;
  if (column.type() == kSetType) {
    for (Code code : column.SetCodes(row)) bytes += column.dictionary().Text(code).size();
  }
  return bytes;
}

// Adding up a row costs a look at every column, so small writes are taken on trust: kAttributesMax of them stay below the limit.
bool MayOutgrowRow(const ProfileTable& table, Row row, const ProfileChange& change) {
  constexpr size_t kSmallBytes = 64, kSmallSet = 16;
  size_t bytes = 0;
  for (const AttributeChange& write : change.attributes) {
    bytes += TextBytes(write.value);
    const AttributeColumn* column = write.operation == AttributeOperation::kAdd ? table.column(write.attribute) : nullptr;
    if (column && column->Has(row) && column->type() == kSetType && column->SetCodes(row).size() >= kSmallSet) return true;
  }
  return bytes > kSmallBytes;
}

// The text a row would hold: what is stored and not replaced, and what comes.
Status CheckRowBytes(const ProfileTable& table, Row row, const ProfileChange& change, const Schema& schema) {
  std::vector<bool> replaced(schema.attributes.size());
  size_t bytes = 0;
  for (const AttributeChange& write : change.attributes) {
    bytes += TextBytes(write.value);
    if (write.operation == AttributeOperation::kSet) replaced[write.attribute.value] = true;
  }
  for (const AttributeSchema& attribute : schema.attributes) {
    const AttributeColumn* column = replaced[attribute.id.value] ? nullptr : table.column(attribute.id);
    if (column && column->Has(row)) bytes += StoredTextBytes(*column, row);
  }
  if (bytes <= kRowBytesMax) return absl::OkStatus();
  return InvalidArgument("LIMIT", "attributes", fmt::format("the profile would hold {} bytes of text; at most {}", bytes, kRowBytesMax));
}

}  // namespace

Status CheckState(const ProfileTable& table, std::optional<Row> row, const ProfileChange& change, const Schema& schema) {
  if (row && MayOutgrowRow(table, *row, change)) KORREL_RETURN_IF_ERROR(CheckRowBytes(table, *row, change, schema));
  if (WritesOneTwice(change.attributes)) return TryInOrder(table, row, change, schema);
  if (!row) return absl::OkStatus();  // nothing there that an operation could run into
  for (size_t i = 0; i < change.attributes.size(); ++i) {
    const AttributeChange& write = change.attributes[i];
    Status status = table.CheckWrite(*row, schema.attributes[write.attribute.value], write.operation, write.value);
    if (!status.ok()) return InAttribute(status, i);
  }
  return absl::OkStatus();
}

}  // namespace korrel
