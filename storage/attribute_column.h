// storage/attribute_column.h
//
// AttributeColumn holds the values of one attribute for all rows of one shard, in the physical form its type wants:
//
//   bool int decimal timestamp   NarrowColumn of 0/1, the int, the unscaled int, microseconds
//   double                       one double per row and block
//   string                       NarrowColumn of codes into the column's Dictionary
//   set                          per row a list of codes, ascending by code, into the column's Dictionary
//
// and a presence bit per row. Write times live in ProfileTable.
//
// Threads  As the shard's lock says.
// Cost     Dense: width bytes for every row of a block that holds any value, beside 1 bit of presence.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "storage/dictionary.h"
#include "storage/narrow_column.h"
#include "storage/row_bits.h"
#include "storage/value.h"

namespace korrel {

// Told of every code that a row gains or loses, so that postings can follow without storage knowing them. Codes are the
// dictionary's for strings and sets, 0 and 1 for bools. Called after the column changed, under the shard's exclusive lock.
class CodeObserver {
 public:
  virtual ~CodeObserver() = default;
  virtual void CodeAdded(AttributeId attribute, Code code, Row row) = 0;
  virtual void CodeRemoved(AttributeId attribute, Code code, Row row) = 0;
  // The column was rebuilt under another type; every code the observer knew of it is void.
  virtual void ColumnReplaced(AttributeId attribute) = 0;
};

class AttributeColumn {
 public:
  AttributeColumn(AttributeId id, Type type);
  AttributeColumn(AttributeColumn&&) noexcept = default;
  AttributeColumn& operator=(AttributeColumn&&) noexcept = default;

  AttributeId id() const { return id_; }
  Type type() const { return type_; }
  const RowBits& presence() const { return presence_; }
  bool Has(Row row) const { return presence_.Test(row); }
  // Asks for the row's memory before it is needed.
  void Prefetch(Row row) const;

  // Physical views for the evaluator; which one is filled depends on type(), see above.
  const NarrowColumn& narrow() const { return narrow_; }  // bool int decimal timestamp string
  const double* DoubleBlock(uint32_t block) const;        // double: `rows` of DoubleBlockRows, or nullptr
  uint32_t DoubleBlockRows(uint32_t block) const;
  const Dictionary& dictionary() const { return dictionary_; }          // string set
  std::span<const Code> SetCodes(Row row) const;                        // set; ascending by code
  uint32_t BoolCount(bool value) const { return bool_counts_[value]; }  // bool: rows holding it

  // One row, by its own type. Unspecified where !Has(row).
  int64_t RawInt(Row row) const { return narrow_.Get(row); }
  double RawDouble(Row row) const;
  std::string_view Text(Row row) const { return dictionary_.Text(Code(static_cast<uint32_t>(narrow_.Get(row)))); }

  Value Get(Row row) const;                       // absent where !Has(row)
  bool Holds(Row row, const Value& value) const;  // Get(row) == value, without the copy where it can be avoided

  // `value` is of exactly type() or absent (which erases). Errors: kResourceExhausted from the dictionary; nothing changed.
  Status Set(Row row, const Value& value, CodeObserver* observer);

  // Bytes of the row's value as kRowBytesMax counts them: of a string its text, of a set all texts, 8 of anything else.
  size_t ValueBytes(Row row) const;

  // Whether every present value converts exactly to `type` (see ConvertExactly), and the conversion itself, in one pass.
  bool CanBecome(Type type) const;
  void Become(Type type, CodeObserver* observer);

  size_t MemoryBytes() const;

 private:
  // A row's codes behind their number; null: the empty set (or no value).
  using CodeList = std::unique_ptr<uint32_t[]>;

  Status SetText(Row row, std::string_view text, CodeObserver* observer);
  Status SetItems(Row row, const StringSet& items, CodeObserver* observer);
  void SetBool(Row row, bool value, CodeObserver* observer);
  void SetDouble(Row row, double value);
  void ReplaceCodes(Row row, std::vector<Code> codes, CodeObserver* observer);
  void Erase(Row row, CodeObserver* observer);
  void GainCode(Code code, Row row, CodeObserver* observer);
  void LoseCode(Code code, Row row, CodeObserver* observer);

  AttributeId id_;
  Type type_;
  RowBits presence_;
  NarrowColumn narrow_;
  std::vector<std::vector<double>> doubles_;
  Dictionary dictionary_;
  std::vector<std::vector<CodeList>> sets_;
  uint32_t bool_counts_[2] = {0, 0};
};

}  // namespace korrel
