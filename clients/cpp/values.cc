#include "clients/cpp/values.h"

#include <fmt/format.h>

#include <algorithm>

namespace korrel {
namespace {

Status Malformed(std::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, "", "", fmt::format("the server's answer does not hold together: {}", what));
}

// Whether the ends are ascending and none passes `size`.
template <class Ends>
bool AreEnds(const Ends& ends, size_t size) {
  uint32_t previous = 0;
  for (const uint32_t end : ends) {
    if (end < previous || end > size) return false;
    previous = end;
  }
  return true;
}

Status CheckTexts(const v1::Vector& vector, size_t texts) {
  const size_t entries = static_cast<size_t>(vector.text_ends_size());
  if (!AreEnds(vector.text_ends(), vector.text().size())) return Malformed("ends of strings");
  if (vector.codes_size() == 0) return texts <= entries ? absl::OkStatus() : Malformed("too few strings");
  if (texts > static_cast<size_t>(vector.codes_size())) return Malformed("too few codes");
  for (const uint32_t code : vector.codes()) {
    if (code >= entries && entries > 0) return Malformed("a code without its string");
  }
  return absl::OkStatus();
}

bool HasValue(const v1::Vector& vector, size_t rows) {
  if (vector.present().empty()) return rows > 0;
  for (size_t row = 0; row < rows; ++row) {
    if (vector.present()[row / 8] >> (row % 8) & 1) return true;
  }
  return false;
}

Status CheckVector(const v1::Vector& vector, Type type, size_t rows) {
  if (!vector.present().empty() && vector.present().size() < (rows + 7) / 8) return Malformed("presence");
  switch (type.kind) {
    case ValueKind::kBool:
    case ValueKind::kInt:
    case ValueKind::kDecimal:
    case ValueKind::kTimestamp:
      return static_cast<size_t>(vector.ints_size()) >= rows || !HasValue(vector, rows) ? absl::OkStatus() : Malformed("too few numbers");
    case ValueKind::kDouble:
      return static_cast<size_t>(vector.doubles_size()) >= rows || !HasValue(vector, rows) ? absl::OkStatus()
                                                                                           : Malformed("too few doubles");
    case ValueKind::kString:
      return HasValue(vector, rows) ? CheckTexts(vector, rows) : absl::OkStatus();
    case ValueKind::kSet: {
      if (!HasValue(vector, rows)) return absl::OkStatus();
      if (static_cast<size_t>(vector.set_ends_size()) < rows) return Malformed("too few sets");
      const size_t items = static_cast<size_t>(vector.codes_size() > 0 ? vector.codes_size() : vector.text_ends_size());
      if (!AreEnds(vector.set_ends(), items)) return Malformed("ends of sets");
      return CheckTexts(vector, rows == 0 ? 0 : vector.set_ends(static_cast<int>(rows) - 1));
    }
    case ValueKind::kNone:
    case ValueKind::kDuration:
      return absl::OkStatus();  // something newer: shown as absent
  }
  return absl::OkStatus();
}

}  // namespace

v1::ValueType ToWire(Type type) {
  switch (type.kind) {
    case ValueKind::kBool:
      return v1::VALUE_TYPE_BOOL;
    case ValueKind::kInt:
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
    case ValueKind::kNone:
    case ValueKind::kDuration:
      break;
  }
  return v1::VALUE_TYPE_UNSPECIFIED;
}

Type FromWire(v1::ValueType type, uint32_t scale) {
  switch (type) {
    case v1::VALUE_TYPE_BOOL:
      return kBoolType;
    case v1::VALUE_TYPE_INT:
      return kIntType;
    case v1::VALUE_TYPE_DECIMAL:
      return scale <= 18 ? DecimalType(static_cast<int>(scale)) : Type{};
    case v1::VALUE_TYPE_DOUBLE:
      return kDoubleType;
    case v1::VALUE_TYPE_STRING:
      return kStringType;
    case v1::VALUE_TYPE_TIMESTAMP:
      return kTimestampType;
    case v1::VALUE_TYPE_SET:
      return kSetType;
    default:
      return {};
  }
}

void ToWire(const Value& value, v1::Value* wire) {
  wire->Clear();
  if (const auto* truth = std::get_if<bool>(&value)) wire->set_bool_value(*truth);
  if (const auto* number = std::get_if<int64_t>(&value)) wire->set_int_value(*number);
  if (const auto* decimal = std::get_if<Decimal>(&value)) {
    wire->mutable_decimal_value()->set_unscaled(decimal->unscaled);
    wire->mutable_decimal_value()->set_scale(decimal->scale);
  }
  if (const auto* real = std::get_if<double>(&value)) wire->set_double_value(*real);
  if (const auto* text = std::get_if<std::string>(&value)) wire->set_string_value(*text);
  if (const auto* time = std::get_if<Timestamp>(&value)) wire->set_timestamp_us(time->us);
  if (const auto* set = std::get_if<StringSet>(&value)) {
    auto* items = wire->mutable_set_value();
    for (const std::string& item : *set) items->add_items(item);
  }
}

Value FromWire(const v1::Value& wire) {
  switch (wire.kind_case()) {
    case v1::Value::kBoolValue:
      return wire.bool_value();
    case v1::Value::kIntValue:
      return static_cast<int64_t>(wire.int_value());
    case v1::Value::kDecimalValue:
      return Decimal{wire.decimal_value().unscaled(), static_cast<uint8_t>(std::min(18u, wire.decimal_value().scale()))};
    case v1::Value::kDoubleValue:
      return wire.double_value();
    case v1::Value::kStringValue:
      return wire.string_value();
    case v1::Value::kTimestampUs:
      return Timestamp{wire.timestamp_us()};
    case v1::Value::kSetValue:
      return StringSet(wire.set_value().items().begin(), wire.set_value().items().end());
    case v1::Value::KIND_NOT_SET:
      break;
  }
  return {};
}

std::string ProfileName(uint64_t profile_id) { return fmt::format("profile:{:016x}", profile_id); }

StatusOr<BatchView> BatchView::Make(const v1::Batch& batch, const v1::Schema& schema) {
  BatchView view;
  view.schema_ = &schema;
  view.rows_ = batch.size();
  if (batch.vectors_size() != schema.fields_size()) return Malformed("columns and schema");
  for (int i = 0; i < batch.vectors_size(); ++i) {
    const Type type = FromWire(schema.fields(i).type(), schema.fields(i).scale());
    KORREL_RETURN_IF_ERROR(CheckVector(batch.vectors(i), type, view.rows_));
    view.columns_.push_back({&batch.vectors(i), type});
  }
  return view;
}

bool BatchView::Present(const Column& column, size_t row) const {
  const std::string& present = column.vector->present();
  return present.empty() || (present[row / 8] >> (row % 8) & 1) != 0;
}

std::string_view BatchView::Text(const v1::Vector& vector, size_t index) const {
  const int entry = static_cast<int>(vector.codes_size() > 0 ? vector.codes(static_cast<int>(index)) : index);
  if (entry >= vector.text_ends_size()) return {};
  const uint32_t begin = entry == 0 ? 0 : vector.text_ends(entry - 1);
  return std::string_view(vector.text()).substr(begin, vector.text_ends(entry) - begin);
}

Value BatchView::Get(size_t field, size_t row) const {
  const Column& column = columns_[field];
  if (!Present(column, row)) return {};
  const v1::Vector& vector = *column.vector;
  const int at = static_cast<int>(row);
  switch (column.type.kind) {
    case ValueKind::kBool:
      return vector.ints(at) != 0;
    case ValueKind::kInt:
      return static_cast<int64_t>(vector.ints(at));
    case ValueKind::kDecimal:
      return Decimal{vector.ints(at), column.type.scale};
    case ValueKind::kTimestamp:
      return Timestamp{vector.ints(at)};
    case ValueKind::kDouble:
      return vector.doubles(at);
    case ValueKind::kString:
      return std::string(Text(vector, row));
    case ValueKind::kSet: {
      StringSet set;
      for (uint32_t item = at == 0 ? 0 : vector.set_ends(at - 1); item < vector.set_ends(at); ++item) set.emplace_back(Text(vector, item));
      return set;
    }
    default:
      return {};
  }
}

ColumnBuilder::ColumnBuilder(std::string name, Type type) : name_(std::move(name)), type_(type) {}

void ColumnBuilder::Mark(bool present) {
  if (rows_ % 8 == 0) present_.push_back('\0');
  if (present) present_.back() = static_cast<char>(present_.back() | 1 << (rows_ % 8));
  present_count_ += present;
  ++rows_;
}

void ColumnBuilder::AddAbsent() {
  Mark(false);
  bytes_ += 8;
  switch (type_.kind) {
    case ValueKind::kDouble:
      doubles_.push_back(0);
      break;
    case ValueKind::kString:
      codes_.push_back(Intern({}));
      break;
    case ValueKind::kSet:
      set_ends_.push_back(static_cast<uint32_t>(codes_.size()));
      break;
    default:
      numbers_.push_back(0);
      break;
  }
}

void ColumnBuilder::AddNumber(int64_t number) {
  Mark(true);
  bytes_ += 8;
  numbers_.push_back(number);
}

void ColumnBuilder::AddDouble(double value) {
  Mark(true);
  bytes_ += 8;
  doubles_.push_back(value);
}

void ColumnBuilder::AddText(std::string_view text) {
  Mark(true);
  bytes_ += 4 + text.size();
  codes_.push_back(Intern(text));
}

void ColumnBuilder::AddSet(const std::vector<std::string>& items) {
  Mark(true);
  bytes_ += 4;
  for (const std::string& item : items) {
    bytes_ += 4 + item.size();
    codes_.push_back(Intern(item));
  }
  set_ends_.push_back(static_cast<uint32_t>(codes_.size()));
}

uint32_t ColumnBuilder::Intern(std::string_view text) {
  const auto found = code_of_.find(Abseil(text));
  if (found != code_of_.end()) return found->second;
  const auto code = static_cast<uint32_t>(text_ends_.size());
  code_of_.emplace(std::string(text), code);
  text_.append(text);
  text_ends_.push_back(static_cast<uint32_t>(text_.size()));
  return code;
}

void ColumnBuilder::WriteTexts(v1::Vector* vector) {
  if (text_ends_.size() * 4 <= codes_.size()) {
    vector->set_text(std::move(text_));
    vector->mutable_text_ends()->Add(text_ends_.begin(), text_ends_.end());
    vector->mutable_codes()->Add(codes_.begin(), codes_.end());
    return;
  }
  std::string* all = vector->mutable_text();
  vector->mutable_text_ends()->Reserve(static_cast<int>(codes_.size()));
  for (const uint32_t code : codes_) {
    const uint32_t begin = code == 0 ? 0 : text_ends_[code - 1];
    all->append(text_, begin, text_ends_[code] - begin);
    vector->add_text_ends(static_cast<uint32_t>(all->size()));
  }
}

void ColumnBuilder::MoveInto(v1::Batch* batch) {
  if (present_count_ > 0) {
    v1::Vector* vector = batch->add_vectors();
    v1::Field* field = batch->mutable_schema()->add_fields();
    field->set_name(name_);
    field->set_type(ToWire(type_));
    field->set_scale(type_.scale);
    if (present_count_ < rows_) vector->set_present(present_);
    vector->mutable_ints()->Add(numbers_.begin(), numbers_.end());
    vector->mutable_doubles()->Add(doubles_.begin(), doubles_.end());
    vector->mutable_set_ends()->Add(set_ends_.begin(), set_ends_.end());
    if (type_.kind == ValueKind::kString || type_.kind == ValueKind::kSet) WriteTexts(vector);
  }
  rows_ = present_count_ = bytes_ = 0;
  present_.clear();
  numbers_.clear();
  doubles_.clear();
  text_.clear();
  text_ends_.clear();
  set_ends_.clear();
  codes_.clear();
  code_of_.clear();
}

void AddIdentifier(std::string_view text, v1::Identifiers* identifiers) {
  identifiers->mutable_text()->append(text);
  identifiers->add_text_ends(static_cast<uint32_t>(identifiers->text().size()));
}

StatusOr<std::vector<std::string_view>> IdentifierTexts(const v1::Identifiers& identifiers) {
  if (!AreEnds(identifiers.text_ends(), identifiers.text().size())) return Malformed("ends of identifiers");
  std::vector<std::string_view> texts;
  uint32_t begin = 0;
  for (const uint32_t end : identifiers.text_ends()) {
    texts.push_back(std::string_view(identifiers.text()).substr(begin, end - begin));
    begin = end;
  }
  return texts;
}

}  // namespace korrel
