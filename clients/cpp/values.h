// clients/cpp/values.h
//
// The wire's shapes of a value and korrel::Value, in both directions: single values, and batches column by column.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "korrel/v1/value.pb.h"
#include "storage/value.h"

namespace korrel {

v1::ValueType ToWire(Type type);
// {kNone} for a type this version does not know.
Type FromWire(v1::ValueType type, uint32_t scale);

void ToWire(const Value& value, v1::Value* wire);
Value FromWire(const v1::Value& wire);

// "profile:" and 16 hex digits.
std::string ProfileName(uint64_t profile_id);

// BatchView reads a Batch as rows.
//
// Lifetime   Lives inside the batch and schema it was made from.
// Errors     Make: DATA_LOSS for a batch whose parts do not fit together; after it, no access can go wrong.
class BatchView {
 public:
  static StatusOr<BatchView> Make(const v1::Batch& batch, const v1::Schema& schema);

  size_t rows() const { return rows_; }
  size_t fields() const { return columns_.size(); }
  const std::string& name(size_t field) const { return schema_->fields(static_cast<int>(field)).name(); }
  Type type(size_t field) const { return columns_[field].type; }
  Value Get(size_t field, size_t row) const;

 private:
  struct Column {
    const v1::Vector* vector;
    Type type;
  };
  bool Present(const Column& column, size_t row) const;
  std::string_view Text(const v1::Vector& vector, size_t index) const;

  const v1::Schema* schema_ = nullptr;
  std::vector<Column> columns_;
  size_t rows_ = 0;
};

// ColumnBuilder collects one column of a batch to be sent. Strings go as a dictionary while at most a quarter of them are
// distinct.
//
// Threads    One thread.
class ColumnBuilder {
 public:
  ColumnBuilder(std::string name, Type type);

  void AddAbsent();
  void AddNumber(int64_t number);  // bool, int, unscaled decimal, timestamp
  void AddDouble(double value);
  void AddText(std::string_view text);
  void AddSet(const std::vector<std::string>& items);

  const std::string& name() const { return name_; }
  Type type() const { return type_; }
  // Bytes it will take on the wire, about.
  size_t bytes() const { return bytes_; }

  // Appends the column and its field to the batch, and begins anew. A column without a single value is left out.
  void MoveInto(v1::Batch* batch);

 private:
  void Mark(bool present);
  uint32_t Intern(std::string_view text);
  void WriteTexts(v1::Vector* vector);

  std::string name_;
  Type type_;
  size_t rows_ = 0;
  size_t present_count_ = 0;
  size_t bytes_ = 0;
  std::string present_;
  std::vector<int64_t> numbers_;
  std::vector<double> doubles_;
  std::string text_;  // distinct strings
  std::vector<uint32_t> text_ends_;
  std::vector<uint32_t> set_ends_;
  std::vector<uint32_t> codes_;  // of rows, or of set items
  absl::flat_hash_map<std::string, uint32_t> code_of_;
};

// Adds one identifier (empty: none) to a list in one piece.
void AddIdentifier(std::string_view text, v1::Identifiers* identifiers);
// The texts of such a list; DATA_LOSS where its ends do not fit.
StatusOr<std::vector<std::string_view>> IdentifierTexts(const v1::Identifiers& identifiers);

}  // namespace korrel
