#include "engine/write/state_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace korrel {
namespace {

Status InAttribute(const Status& status, size_t index) { return PrefixField(status, fmt::format("attributes[{}].", index)); }

// The attribute as the row has it, with the time of its newest set or unset.
Status CopyAttribute(const ProfileTable& from, Row row, const AttributeSchema& attribute, ProfileTable* to, Row to_row) {
  const AttributeColumn* column = from.column(attribute.id);
  bool present = column && column->Has(row);
  ProfileTable::WriteStamp stamp = from.StampOf(row, attribute.id);
  if (!present && stamp.time_us == INT64_MIN) return absl::OkStatus();
  AttributeOperation operation = present ? AttributeOperation::kSet : AttributeOperation::kUnset;
  return to->Write(to_row, attribute, operation, present ? column->Get(row) : Value(), stamp.time_us, stamp.source).status();
}

// Does the writes on a table of one row that holds what they look at: each operation sees what the one before left, and the profile's
// bytes are counted as they will be.
Status TryInOrder(const ProfileTable& table, std::optional<Row> row, const ProfileChange& change, const Schema& schema, bool whole_row) {
  ProfileTable trial(nullptr);
  Row trial_row = trial.AddRow(change.profile);
  std::vector<bool> copied(schema.attributes.size(), whole_row);
  for (size_t i = 0; row && whole_row && i < schema.attributes.size(); ++i) {
    if (schema.attributes[i].computed) continue;  // worked out, not written
    KORREL_RETURN_IF_ERROR(CopyAttribute(table, *row, schema.attributes[i], &trial, trial_row));
  }
  for (size_t i = 0; i < change.attributes.size(); ++i) {
    const AttributeChange& write = change.attributes[i];
    const AttributeSchema& attribute = schema.attributes[write.attribute.value];
    if (row && !copied[attribute.id.value]) {
      KORREL_RETURN_IF_ERROR(CopyAttribute(table, *row, attribute, &trial, trial_row));
      copied[attribute.id.value] = true;
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

// What the value can add to a row at most.
size_t BytesAtMost(const Value& value) {
  constexpr size_t kNumberBytes = 8;
  size_t bytes = kNumberBytes;
  if (const auto* text = std::get_if<std::string>(&value)) bytes += text->size();
  if (const auto* set = std::get_if<StringSet>(&value)) {
    for (const std::string& item : *set) bytes += item.size();
  }
  return bytes;
}

// Whether the writes together could take the row over its limit, although each alone does not.
bool MayOutgrowRow(const ProfileTable& table, std::optional<Row> row, const ProfileChange& change) {
  size_t bytes = 0;
  for (const AttributeChange& write : change.attributes) bytes += BytesAtMost(write.value);
  if (row) bytes += table.ValueBytesAtMost(*row);
  return bytes > kRowBytesMax;
}

}  // namespace

Status CheckState(const ProfileTable& table, std::optional<Row> row, const ProfileChange& change, const Schema& schema) {
  if (change.attributes.empty()) return absl::OkStatus();
  bool may_outgrow = MayOutgrowRow(table, row, change);
  if (may_outgrow || WritesOneTwice(change.attributes)) return TryInOrder(table, row, change, schema, may_outgrow);
  for (size_t i = 0; i < change.attributes.size(); ++i) {
    const AttributeChange& write = change.attributes[i];
    Status status = table.CheckWrite(row, schema.attributes[write.attribute.value], write.operation, write.value);
    if (!status.ok()) return InAttribute(status, i);
  }
  return absl::OkStatus();
}

}  // namespace korrel
