#include "engine/question/result_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "engine/read/row_reader.h"

namespace korrel {
namespace {

constexpr size_t kPieceBytes = 64 * 1024;
constexpr size_t kRowOverheadBytes = 8;

template <class Number>
void PutNumber(Number number, std::string* out) {
  char bytes[sizeof(number)];
  std::memcpy(bytes, &number, sizeof(number));
  out->append(bytes, sizeof(number));
}

void PutText(std::string_view text, std::string* out) {
  PutNumber(static_cast<uint32_t>(text.size()), out);
  out->append(text);
}

// Reads what PackValue wrote.
class Unpacker {
 public:
  explicit Unpacker(std::string_view packed) : left_(packed) {}

  template <class Number>
  Number TakeNumber() {
    Number number;
    std::memcpy(&number, left_.data(), sizeof(number));
    left_.remove_prefix(sizeof(number));
    return number;
  }
  std::string_view TakeText() {
    const uint32_t size = TakeNumber<uint32_t>();
    const std::string_view text = left_.substr(0, size);
    left_.remove_prefix(size);
    return text;
  }

 private:
  std::string_view left_;
};

void UnpackValue(Unpacker* from, ValueVector* column, size_t i, TextStore* texts) {
  column->present[i] = from->TakeNumber<uint8_t>();
  if (!column->present[i]) return;
  switch (column->type.kind) {
    case ValueKind::kNone:
      break;
    case ValueKind::kDouble:
      column->doubles[i] = from->TakeNumber<double>();
      break;
    case ValueKind::kString:
      column->texts[i] = texts->Keep(from->TakeText());
      break;
    case ValueKind::kSet:
      column->sets[i].resize(from->TakeNumber<uint32_t>());
      for (std::string& item : column->sets[i]) item = from->TakeText();
      break;
    default:
      column->ints[i] = from->TakeNumber<int64_t>();
      break;
  }
}

size_t WireBytes(const ValueVector& column, size_t i) {
  size_t bytes = 1;
  if (column.type.kind == ValueKind::kSet) {
    for (const std::string& item : column.sets[i]) bytes += item.size() + 4;
  }
  return bytes + (column.type.kind == ValueKind::kString ? 4 : 8);
}

}  // namespace

std::string_view TextStore::Keep(std::string_view text) {
  if (text.empty()) return {};
  if (pieces_.empty() || pieces_.back()->capacity() - pieces_.back()->size() < text.size()) {
    pieces_.push_back(std::make_unique<std::string>());
    pieces_.back()->reserve(std::max(text.size(), kPieceBytes));
  }
  std::string& piece = *pieces_.back();
  const size_t start = piece.size();
  piece.append(text);  // within its capacity: views into it stay where they are
  bytes_ += text.size();
  return std::string_view(piece).substr(start);
}

std::vector<std::unique_ptr<std::string>> TextStore::Release() {
  bytes_ = 0;
  return std::exchange(pieces_, {});
}

std::optional<IdentifierFilter> IdentifierFilter::Make(const std::vector<std::string>& types) {
  if (types.empty()) return std::nullopt;
  IdentifierFilter filter;
  filter.types_ = types;
  filter.all_ = std::ranges::count(types, "*") > 0;
  return filter;
}

bool IdentifierFilter::Read(const ProfileTable& table, const Schema& schema, Row row, std::vector<std::string>* out) const {
  for (const Identifier& identifier : table.IdentifiersOf(row)) {
    if (identifier.type.value >= schema.identifier_types.size()) return false;
    const std::string& type = schema.identifier_types[identifier.type.value];
    if (all_ || std::ranges::count(types_, type) > 0) out->push_back(fmt::format("{}:{}", type, identifier.text));
  }
  return true;
}

size_t PackedRow::MemoryBytes() const {
  size_t bytes = sizeof(*this) + values.capacity() + identifiers.capacity() * sizeof(std::string);
  for (const std::string& identifier : identifiers) bytes += identifier.capacity();
  return bytes;
}

void PackValue(const ValueVector& column, size_t i, std::string* out) {
  PutNumber(column.present[i], out);
  if (!column.present[i]) return;
  switch (column.type.kind) {
    case ValueKind::kNone:
      break;
    case ValueKind::kDouble:
      PutNumber(column.doubles[i], out);
      break;
    case ValueKind::kString:
      PutText(column.texts[i], out);
      break;
    case ValueKind::kSet:
      PutNumber(static_cast<uint32_t>(column.sets[i].size()), out);
      for (const std::string& item : column.sets[i]) PutText(item, out);
      break;
    default:
      PutNumber(column.ints[i], out);
      break;
  }
}

void CopyInVector(const ValueVector& from, size_t i, ValueVector* to, size_t j, TextStore* texts) {
  to->present[j] = from.present[i];
  if (!from.present[i]) return;
  switch (to->type.kind) {
    case ValueKind::kNone:
      break;
    case ValueKind::kDouble:
      to->doubles[j] = from.doubles[i];
      break;
    case ValueKind::kString:
      to->texts[j] = texts->Keep(from.texts[i]);
      break;
    case ValueKind::kSet:
      to->sets[j] = from.sets[i];
      break;
    default:
      to->ints[j] = from.ints[i];
      break;
  }
}

void SetInVector(ValueVector* vector, size_t i, const Value& value, TextStore* texts) {
  vector->present[i] = IsPresent(value);
  if (!IsPresent(value)) return;
  switch (vector->type.kind) {
    case ValueKind::kNone:
      break;
    case ValueKind::kBool:
      vector->ints[i] = std::get<bool>(value);
      break;
    case ValueKind::kDecimal:
      vector->ints[i] = std::get<Decimal>(value).unscaled;
      break;
    case ValueKind::kDouble:
      vector->doubles[i] = std::get<double>(value);
      break;
    case ValueKind::kString:
      vector->texts[i] = texts->Keep(std::get<std::string>(value));
      break;
    case ValueKind::kTimestamp:
      vector->ints[i] = std::get<Timestamp>(value).us;
      break;
    case ValueKind::kSet:
      vector->sets[i] = std::get<StringSet>(value);
      break;
    case ValueKind::kInt:
    case ValueKind::kDuration:
      vector->ints[i] = std::get<int64_t>(value);
      break;
  }
}

ResultBuilder::ResultBuilder(std::vector<FieldSchema> fields, bool with_identifiers) : with_identifiers_(with_identifiers) {
  batch_.fields = std::move(fields);
  Start();
}

void ResultBuilder::Start() {
  batch_.columns.resize(batch_.fields.size());
  for (size_t i = 0; i < batch_.fields.size(); ++i) batch_.columns[i].type = batch_.fields[i].type;
}

void ResultBuilder::FinishRow(std::optional<ProfileId> id, std::vector<std::string> identifiers) {
  if (id) batch_.profile_ids.push_back(*id);
  bytes_ += kRowOverheadBytes;
  for (const std::string& identifier : identifiers) bytes_ += identifier.size() + 4;
  if (with_identifiers_) batch_.identifiers.push_back(std::move(identifiers));
  ++batch_.size;
}

void ResultBuilder::Append(ProfileId id, const std::vector<ValueVector>& columns, size_t i, std::vector<std::string> identifiers) {
  for (size_t c = 0; c < columns.size(); ++c) {
    ValueVector& column = batch_.columns[c];
    ResizeVector(&column, batch_.size + 1);
    CopyInVector(columns[c], i, &column, batch_.size, &texts_);
    bytes_ += WireBytes(column, batch_.size);
  }
  FinishRow(id, std::move(identifiers));
}

void ResultBuilder::Append(const PackedRow& row) {
  Unpacker values(row.values);
  for (ValueVector& column : batch_.columns) {
    ResizeVector(&column, batch_.size + 1);
    UnpackValue(&values, &column, batch_.size, &texts_);
    bytes_ += WireBytes(column, batch_.size);
  }
  FinishRow(row.id, row.identifiers);
}

void ResultBuilder::AppendValues(const std::vector<Value>& values) {
  for (size_t c = 0; c < values.size(); ++c) {
    ValueVector& column = batch_.columns[c];
    ResizeVector(&column, batch_.size + 1);
    SetInVector(&column, batch_.size, values[c], &texts_);
    bytes_ += WireBytes(column, batch_.size);
  }
  FinishRow(std::nullopt, {});
}

ResultBatch ResultBuilder::Release() {
  std::vector<FieldSchema> fields = batch_.fields;
  std::vector<uint32_t> filling_fields = batch_.filling_fields;
  ResultBatch batch = std::exchange(batch_, {});
  batch.text_store = texts_.Release();
  bytes_ = 0;
  batch_.fields = std::move(fields);
  batch_.filling_fields = std::move(filling_fields);
  Start();
  return batch;
}

std::vector<FieldSchema> FieldsOf(const std::vector<std::string>& names, const std::vector<PlanRef>& plans) {
  std::vector<FieldSchema> fields;
  for (size_t i = 0; i < plans.size(); ++i) fields.push_back({names[i], plans[i]->expression().type()});
  return fields;
}

}  // namespace korrel
