#include <fmt/format.h>

#include <algorithm>

#include "server/codec/batch_codec.h"
#include "server/codec/value_codec.h"
#include "server/errors.h"
#include "server/limits.h"

namespace korrel::server {
namespace {

using Ends = google::protobuf::RepeatedField<uint32_t>;

Status BadField(std::string_view field, std::string_view member, std::string_view what) {
  std::string path = member.empty() ? std::string(field) : fmt::format("{}.{}", field, member);
  return InvalidArgument("FIELD", path, fmt::format("{}: {}", path, what));
}

// Ends must ascend and the last one must be exactly `total`.
Status CheckEnds(const Ends& ends, size_t total, std::string_view field, std::string_view member) {
  uint32_t before = 0;
  for (uint32_t end : ends) {
    if (end < before) return BadField(field, member, "ends must ascend");
    before = end;
  }
  if (before != total) return BadField(field, member, fmt::format("the last end is {} where there are {}", before, total));
  return absl::OkStatus();
}

Status CheckLength(size_t length, size_t wanted, std::string_view field, std::string_view member) {
  if (length == wanted) return absl::OkStatus();
  return BadField(field, member, fmt::format("{} entries where {} rows are announced", length, wanted));
}

Status CheckPresent(const v1::Vector& vector, uint32_t rows, std::string_view field) {
  if (vector.present().empty() || vector.present().size() == (size_t{rows} + 7) / 8) return absl::OkStatus();
  return BadField(field, "present", fmt::format("{} bytes where {} rows are announced", vector.present().size(), rows));
}

bool IsPresentAt(const v1::Vector& vector, size_t row) { return vector.present().empty() || TestBit(vector.present(), row); }

// Checks one vector and takes what it decodes to from the budget.
class VectorCheck {
 public:
  VectorCheck(const v1::Vector& vector, Type type, uint32_t rows, std::string_view field)
      : vector_(vector), type_(type), rows_(rows), field_(field) {}

  Status Run(DecodeBudget* budget) {
    KORREL_RETURN_IF_ERROR(CheckPresent(vector_, rows_, field_));
    KORREL_RETURN_IF_ERROR(CheckMembers());
    uint64_t cells = 0, bytes = 0;
    KORREL_RETURN_IF_ERROR(Count(&cells, &bytes));
    if (cells > budget->cells) return OverLimit("BATCH_CELLS", field_, cells, budget->cells);
    if (bytes > budget->text_bytes) return OverLimit("BATCH_TEXT_BYTES", field_, bytes, budget->text_bytes);
    budget->cells -= cells;
    budget->text_bytes -= bytes;
    return absl::OkStatus();
  }

 private:
  bool has_codes() const { return vector_.codes_size() > 0; }

  Status CheckMembers() const {
    switch (type_.kind) {
      case ValueKind::kDouble:
        return CheckLength(static_cast<size_t>(vector_.doubles_size()), rows_, field_, "doubles");
      case ValueKind::kString:
        return CheckStrings(rows_);
      case ValueKind::kSet: {
        KORREL_RETURN_IF_ERROR(CheckLength(static_cast<size_t>(vector_.set_ends_size()), rows_, field_, "set_ends"));
        size_t elements = static_cast<size_t>(has_codes() ? vector_.codes_size() : vector_.text_ends_size());
        if (vector_.set_ends_size() == 0 && !has_codes()) elements = 0;
        KORREL_RETURN_IF_ERROR(CheckEnds(vector_.set_ends(), elements, field_, "set_ends"));
        return CheckStrings(elements);
      }
      default:
        return CheckLength(static_cast<size_t>(vector_.ints_size()), rows_, field_, "ints");
    }
  }

  Status CheckStrings(size_t slots) const {
    KORREL_RETURN_IF_ERROR(CheckEnds(vector_.text_ends(), vector_.text().size(), field_, "text_ends"));
    if (has_codes()) return CheckLength(static_cast<size_t>(vector_.codes_size()), slots, field_, "codes");
    return CheckLength(static_cast<size_t>(vector_.text_ends_size()), slots, field_, "text_ends");
  }

  // Bytes of the string in a slot; the code of a present one must be in range.
  StatusOr<uint64_t> SlotBytes(size_t slot) const {
    size_t entry = has_codes() ? vector_.codes(static_cast<int>(slot)) : slot;
    if (entry >= static_cast<size_t>(vector_.text_ends_size())) {
      return BadField(field_, fmt::format("codes[{}]", slot),
                      fmt::format("{} where the dictionary has {}", entry, vector_.text_ends_size()));
    }
    return vector_.text_ends(static_cast<int>(entry)) - (entry == 0 ? 0 : vector_.text_ends(static_cast<int>(entry - 1)));
  }

  // Set elements count as cells too: each becomes a string of its own.
  Status Count(uint64_t* cells, uint64_t* bytes) const {
    for (uint32_t row = 0; row < rows_; ++row) {
      if (!IsPresentAt(vector_, row)) continue;
      ++*cells;
      if (type_.kind == ValueKind::kBool && vector_.ints(static_cast<int>(row)) >> 1 != 0) {
        return BadField(field_, fmt::format("ints[{}]", row), "a bool is 0 or 1");
      }
      size_t begin = row, end = row;
      if (type_.kind == ValueKind::kString) end = row + 1;
      if (type_.kind == ValueKind::kSet) {
        begin = row == 0 ? 0 : vector_.set_ends(static_cast<int>(row - 1));
        end = vector_.set_ends(static_cast<int>(row));
        *cells += end - begin;
      }
      for (size_t slot = begin; slot < end; ++slot) {
        KORREL_ASSIGN_OR_RETURN(uint64_t length, SlotBytes(slot));
        *bytes += length;
      }
    }
    return absl::OkStatus();
  }

  const v1::Vector& vector_;
  Type type_;
  uint32_t rows_;
  std::string_view field_;
};

}  // namespace

DecodeBudget DecodeBudget::OfOneRequest() { return {kBatchItemsMax, kBatchCellsMax, kBatchTextBytesMax}; }

StatusOr<TextsReader> TextsReader::Make(const std::string& text, const Ends& ends, std::string_view field) {
  KORREL_RETURN_IF_ERROR(CheckEnds(ends, text.size(), field, "text_ends"));
  return TextsReader(&text, &ends);
}

StatusOr<BatchReader> BatchReader::Make(const v1::Batch& batch, DecodeBudget* budget, std::string_view field) {
  BatchReader reader;
  if (batch.size() > budget->items) return OverLimit("BATCH_ITEMS", fmt::format("{}.size", field), batch.size(), budget->items);
  budget->items -= batch.size();
  reader.size_ = batch.size();
  if (batch.vectors_size() > kBatchColumnsMax) {
    return OverLimit("BATCH_COLUMNS", fmt::format("{}.vectors", field), static_cast<uint64_t>(batch.vectors_size()), kBatchColumnsMax);
  }
  if (batch.vectors_size() != batch.schema().fields_size()) {
    return BadField(field, "vectors", fmt::format("{} where the schema has {} fields", batch.vectors_size(), batch.schema().fields_size()));
  }
  for (int i = 0; i < batch.vectors_size(); ++i) {
    KORREL_ASSIGN_OR_RETURN(FieldSchema schema, DecodeField(batch.schema().fields(i), fmt::format("{}.schema.fields[{}]", field, i)));
    std::string path = fmt::format("{}.vectors[{}]", field, i);
    KORREL_RETURN_IF_ERROR(VectorCheck(batch.vectors(i), schema.type, batch.size(), path).Run(budget));
    reader.fields_.push_back(std::move(schema));
    reader.columns_.push_back(&batch.vectors(i));
  }
  return reader;
}

std::string_view BatchReader::TextAt(const v1::Vector& wire, uint32_t slot) {
  int entry = static_cast<int>(wire.codes_size() > 0 ? wire.codes(static_cast<int>(slot)) : slot);
  size_t begin = entry == 0 ? 0 : wire.text_ends(entry - 1);
  return std::string_view(wire.text()).substr(begin, wire.text_ends(entry) - begin);
}

Value BatchReader::At(size_t column, uint32_t row) const {
  const v1::Vector& wire = *columns_[column];
  if (!IsPresentAt(wire, row)) return {};
  int slot = static_cast<int>(row);
  Type type = fields_[column].type;
  switch (type.kind) {
    case ValueKind::kBool:
      return wire.ints(slot) != 0;
    case ValueKind::kDecimal:
      return Decimal{wire.ints(slot), type.scale};
    case ValueKind::kDouble:
      return wire.doubles(slot);
    case ValueKind::kString:
      return std::string(TextAt(wire, row));
    case ValueKind::kTimestamp:
      return Timestamp{wire.ints(slot)};
    case ValueKind::kSet: {
      StringSet set;
      for (uint32_t i = row == 0 ? 0 : wire.set_ends(slot - 1); i < wire.set_ends(slot); ++i) set.emplace_back(TextAt(wire, i));
      std::sort(set.begin(), set.end());
      set.erase(std::unique(set.begin(), set.end()), set.end());
      return set;
    }
    default:
      return int64_t{wire.ints(slot)};
  }
}

}  // namespace korrel::server
