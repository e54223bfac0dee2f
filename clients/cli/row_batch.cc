#include "clients/cli/row_batch.h"

#include <fmt/format.h>

#include "clients/cli/time_text.h"

namespace korrel::cli {
namespace {

constexpr size_t kRowsMax = 4'096;
constexpr size_t kBytesMax = 2 << 20;
// A row may grow on the wire; with it, a batch that is not full stays under the receive limit of 4 MiB.
constexpr size_t kRowWireBytesMax = kRowBytesMax + (kRowBytesMax >> 1);
constexpr size_t kIdentifierBytesMax = 1'024;
constexpr size_t kMessageIdBytesMax = 1'024;

const Cell& CellAt(const Row& row, size_t column) {
  static const Cell empty;
  return column < row.cells.size() ? row.cells[column] : empty;
}

void AddTo(ColumnBuilder& column, Type type, const CellValue& value) {
  if (!value.present) {
    column.AddAbsent();
  } else if (type.kind == ValueKind::kDouble) {
    column.AddDouble(value.real);
  } else if (type.kind == ValueKind::kString) {
    column.AddText(value.text);
  } else if (type.kind == ValueKind::kSet) {
    column.AddSet(*value.set);
  } else {
    column.AddNumber(value.number);
  }
}

void ToWire(Type type, const CellValue& value, v1::Value* wire) {
  switch (type.kind) {
    case ValueKind::kBool:
      wire->set_bool_value(value.number != 0);
      break;
    case ValueKind::kInt:
      wire->set_int_value(value.number);
      break;
    case ValueKind::kDecimal:
      wire->mutable_decimal_value()->set_unscaled(value.number);
      wire->mutable_decimal_value()->set_scale(type.scale);
      break;
    case ValueKind::kDouble:
      wire->set_double_value(value.real);
      break;
    case ValueKind::kTimestamp:
      wire->set_timestamp_us(value.number);
      break;
    case ValueKind::kSet:
      wire->mutable_set_value()->mutable_items()->Add(value.set->begin(), value.set->end());
      break;
    default:
      wire->set_string_value(std::string(value.text));
      break;
  }
}

size_t BytesOf(const CellValue& value) {
  size_t bytes = 12 + value.text.size();
  if (value.set != nullptr) {
    for (const std::string& item : *value.set) bytes += 8 + item.size();
  }
  return bytes;
}

}  // namespace

std::string RowTime(const ImportPlan& plan, Row* row, int64_t* us) {
  *us = 0;
  if (!plan.time) return {};
  const std::string& name = plan.names[*plan.time];
  CellValue value;
  if (auto problem = ReadCell(CellAt(*row, *plan.time), kTimestampType, plan.time_style, row, &value); !problem.empty()) {
    return fmt::format("{}: {}", name, problem);
  }
  if (!value.present) return fmt::format("{}: the row has no time", name);
  if (value.number == kTimeNotGiven) return fmt::format("{}: the time is {}", name, kTimeNotGivenProblem);
  *us = value.number;
  return {};
}

RowBatch::RowBatch(const ImportOptions& options, const ImportPlan& plan, std::string digest)
    : options_(options), plan_(plan), digest_(std::move(digest)), identifiers_(plan.identifiers.size()) {
  for (const PlannedValue& value : plan.values) columns_.emplace_back(value.name, value.type);
}

std::string RowBatch::ReadIdentifiers(const Row& row) {
  ids_.clear();
  bool any = false;
  for (const PlannedIdentifier& identifier : plan_.identifiers) {
    const std::string_view text = CellAt(row, identifier.column).text;
    if (text.size() > kIdentifierBytesMax)
      return fmt::format("{}: an identifier of more than {} bytes", plan_.names[identifier.column], kIdentifierBytesMax);
    any |= !text.empty();
    ids_.push_back(text);
  }
  return any ? std::string() : "the row has no identifier";
}

// Several values are joined with ':'; one inside a value is escaped, so that different values never make the same id.
static void AppendEscaped(std::string_view text, std::string* id) {
  for (const char c : text) {
    if (c == ':' || c == '\\') *id += '\\';
    *id += c;
  }
}

// The values of the message-id columns, or the digest of the file with the line, so that a second run finds everything there.
std::string RowBatch::MessageId(const Row& row) const {
  std::string id;
  bool any = false;
  for (const size_t column : plan_.message_ids) {
    const std::string_view text = CellAt(row, column).text;
    any |= !text.empty();
    if (column != plan_.message_ids.front()) id += ':';
    if (plan_.message_ids.size() == 1) {
      id = text;
    } else {
      AppendEscaped(text, &id);
    }
  }
  return any ? id : fmt::format("{}:{}", digest_, row.line);
}

std::string RowBatch::Add(Row* row, int64_t time_us) {
  if (auto problem = ReadIdentifiers(*row); !problem.empty()) return problem;
  values_.resize(plan_.values.size());
  size_t bytes = 0;
  for (size_t i = 0; i < plan_.values.size(); ++i) {
    const PlannedValue& planned = plan_.values[i];
    if (auto problem = ReadCell(CellAt(*row, planned.column), planned.type, planned.style, row, &values_[i]); !problem.empty()) {
      return fmt::format("{}: {}", planned.name, problem);
    }
    bytes += BytesOf(values_[i]);
  }
  if (bytes > kRowWireBytesMax) return fmt::format("the row is longer than {} bytes", kRowBytesMax);
  if (options_.events) {
    std::string id = MessageId(*row);
    if (id.size() > kMessageIdBytesMax) return fmt::format("the message id is longer than {} bytes", kMessageIdBytesMax);
    bytes += id.size();
    events_.add_message_ids(std::move(id));
    if (plan_.time) events_.add_event_time_us(time_us);
  }
  if (UsesWrites()) {
    AddWrite(time_us);
  } else {
    AddColumns();
    if (!options_.events && plan_.time) profiles_.add_event_time_us(time_us);
  }
  prepared_.origins.push_back({row->line, prepared_.raw.size(), row->raw.size()});
  prepared_.raw += row->raw;
  bytes_ += bytes + 16;
  ++rows_;
  return {};
}

void RowBatch::AddColumns() {
  for (size_t i = 0; i < ids_.size(); ++i) {
    AddIdentifier(ids_[i], &identifiers_[i]);
    bytes_ += ids_[i].size();
  }
  for (size_t i = 0; i < columns_.size(); ++i) AddTo(columns_[i], plan_.values[i].type, values_[i]);
}

void RowBatch::AddWrite(int64_t time_us) {
  v1::ProfileWrite* write = writes_.add_writes();
  write->set_event_time_us(time_us);
  for (size_t i = 0; i < ids_.size(); ++i) {
    if (!ids_[i].empty()) write->add_identifiers(fmt::format("{}:{}", plan_.identifiers[i].type, ids_[i]));
  }
  for (size_t i = 0; i < values_.size(); ++i) {
    if (!values_[i].present && !plan_.unset_empty) continue;
    v1::AttributeWrite* attribute = write->add_attributes();
    attribute->set_name(plan_.values[i].name);
    bytes_ += plan_.values[i].name.size() + 12;
    if (values_[i].present) {
      ToWire(plan_.values[i].type, values_[i], attribute->mutable_value());
    } else {
      attribute->set_operation(v1::ATTRIBUTE_OPERATION_UNSET);
    }
  }
}

bool RowBatch::Full() const { return rows_ >= kRowsMax || bytes_ >= kBytesMax; }

PreparedBatch RowBatch::Take() {
  const auto finish = [this](v1::Batch* batch) {
    batch->set_size(static_cast<uint32_t>(rows_));
    for (ColumnBuilder& column : columns_) column.MoveInto(batch);
    for (size_t i = 0; i < identifiers_.size(); ++i) identifiers_[i].set_type(plan_.identifiers[i].type);
  };
  if (options_.events) {
    v1::TrackRequest request;
    request.set_source(options_.source);
    events_.set_type(options_.event_type);
    finish(events_.mutable_properties());
    for (v1::Identifiers& identifiers : identifiers_) *events_.add_identifiers() = std::move(identifiers);
    *request.add_batches() = std::move(events_);
    events_ = {};
    prepared_.request = std::move(request);
  } else {
    writes_.set_source(options_.source);
    if (!UsesWrites()) {
      finish(profiles_.mutable_values());
      *profiles_.mutable_identifiers() = std::move(identifiers_[0]);
      *writes_.mutable_batch() = std::move(profiles_);
      profiles_ = {};
    }
    prepared_.request = std::move(writes_);
    writes_ = {};
  }
  for (v1::Identifiers& identifiers : identifiers_) identifiers.Clear();
  rows_ = bytes_ = 0;
  PreparedBatch taken = std::move(prepared_);
  prepared_ = {};
  return taken;
}

}  // namespace korrel::cli
