// server/codec/batch_codec.h
//
// Columns between wire and engine: Batch and Vector, Values, Identifiers.
//
//   decode   BatchReader checks a whole batch once (lengths, ends, codes, bitmap sizes, limits) before it hands out a cell; what
//            it hands out are views into the message. Values themselves (NaN, UTF-8) are the engine's to check.
//   encode   ResultBatch → Batch: one Vector a field, a zero slot where absent, a dictionary where at most a quarter of the
//            strings are distinct.
//
// Lifetime  Readers and the views they answer live inside the wire message.
// Errors    kInvalidArgument FIELD with the path below `field`; kResourceExhausted BATCH_ITEMS, BATCH_CELLS, BATCH_TEXT_BYTES.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/database.h"
#include "korrel/v1/value.pb.h"

namespace korrel::server {

namespace v1 = ::korrel::v1;

// What the batches of one request may still decode to; shared by all of them.
struct DecodeBudget {
  uint64_t items;
  uint64_t cells;
  uint64_t text_bytes;
  static DecodeBudget OfOneRequest();
};

// Texts in one piece with their ends.
class TextsReader {
 public:
  static StatusOr<TextsReader> Make(const std::string& text, const google::protobuf::RepeatedField<uint32_t>& ends, std::string_view field);
  size_t size() const { return static_cast<size_t>(ends_->size()); }
  std::string_view At(size_t i) const {
    size_t begin = i == 0 ? 0 : (*ends_)[static_cast<int>(i - 1)];
    return std::string_view(*text_).substr(begin, (*ends_)[static_cast<int>(i)] - begin);
  }

 private:
  TextsReader(const std::string* text, const google::protobuf::RepeatedField<uint32_t>* ends) : text_(text), ends_(ends) {}
  const std::string* text_;
  const google::protobuf::RepeatedField<uint32_t>* ends_;
};

class BatchReader {
 public:
  static StatusOr<BatchReader> Make(const v1::Batch& batch, DecodeBudget* budget, std::string_view field);
  uint32_t size() const { return size_; }
  const std::vector<FieldSchema>& fields() const { return fields_; }
  Value At(size_t column, uint32_t row) const;

 private:
  static std::string_view TextAt(const v1::Vector& wire, uint32_t slot);
  uint32_t size_ = 0;
  std::vector<FieldSchema> fields_;
  std::vector<const v1::Vector*> columns_;
};

// Bit i % 8 of byte i / 8.
inline bool TestBit(std::string_view bits, size_t i) { return static_cast<unsigned char>(bits[i / 8]) >> (i % 8) & 1; }
void SetBit(std::string* bits, size_t i);

// Without the schema; the caller adds one where the receiver has none.
void EncodeBatch(const ResultBatch& result, v1::Batch* out);
// Row 0 of a result in projection order.
void EncodeValues(const ResultBatch& result, v1::Values* out);
// One Identifiers entry per type that any row has, with one text per row; a type again where a row has several of it.
void EncodeIdentifiers(const ResultBatch& result, google::protobuf::RepeatedPtrField<v1::Identifiers>* out);

}  // namespace korrel::server
