// engine/question/result_batch.h
//
// Builds the rows of an answer. Texts read under a shard's lock live only as long as it is held, so everything is copied here: into
// a ResultBatch, or into a PackedRow where a row waits to see whether it is among the best.
//
// Threads   One thread at a time.
// Lifetime  Texts of a ResultBatch point into its own text_store and move with it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/database.h"

namespace korrel {

// Texts in pieces that never move.
class TextStore {
 public:
  std::string_view Keep(std::string_view text);
  size_t bytes() const { return bytes_; }
  std::vector<std::unique_ptr<std::string>> Release();

 private:
  std::vector<std::unique_ptr<std::string>> pieces_;
  size_t bytes_ = 0;
};

// Which identifiers of a profile an answer carries.
class IdentifierFilter {
 public:
  // "*": all; nullopt: none are asked.
  static std::optional<IdentifierFilter> Make(const std::vector<std::string>& types);
  // "type:value", in order of arrival; false where the schema is older than the row.
  bool Read(const ProfileTable& table, const Schema& schema, Row row, std::vector<std::string>* out) const;

 private:
  bool all_ = false;
  std::vector<std::string> types_;
};

// One row of an answer in one piece of memory.
struct PackedRow {
  ProfileId id;
  std::string values;  // of all columns
  std::vector<std::string> identifiers;
  size_t MemoryBytes() const;
};
void PackValue(const ValueVector& column, size_t i, std::string* out);

class ResultBuilder {
 public:
  ResultBuilder(std::vector<FieldSchema> fields, bool with_identifiers);

  void Append(ProfileId id, const std::vector<ValueVector>& columns, size_t i, std::vector<std::string> identifiers);
  void Append(const PackedRow& row);
  // Rows of no profile: groups. One value per field, of its type or absent.
  void AppendValues(const std::vector<Value>& values);

  size_t size() const { return batch_.size; }
  // About what the rows take on the wire.
  size_t bytes() const { return bytes_ + texts_.bytes(); }
  const std::vector<FieldSchema>& fields() const { return batch_.fields; }
  // Of every batch from now on.
  void SetFillingFields(std::vector<uint32_t> fields) { batch_.filling_fields = std::move(fields); }
  // What was built; the builder begins anew.
  ResultBatch Release();

 private:
  void Start();
  void FinishRow(std::optional<ProfileId> id, std::vector<std::string> identifiers);

  ResultBatch batch_;
  TextStore texts_;
  size_t bytes_ = 0;
  bool with_identifiers_;
};

// `value`, of the vector's type or absent, as its row i (which exists).
void SetInVector(ValueVector* vector, size_t i, const Value& value, TextStore* texts);
// Row i of `from` as row j of `to`, texts copied. Both of one type; the rows exist.
void CopyInVector(const ValueVector& from, size_t i, ValueVector* to, size_t j, TextStore* texts);

std::vector<FieldSchema> FieldsOf(const std::vector<std::string>& names, const std::vector<PlanRef>& plans);

}  // namespace korrel
