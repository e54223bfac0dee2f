// The writing side of EventChunk: preparing events, taking chunks apart, and encoding them anew.
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

#include "storage/event_chunk.h"
#include "storage/event_chunk_format.h"

namespace korrel {
namespace {

// A broken promise of the caller (a property's type went back, or aside): a bug, never a request.
void Check(bool truth) {
  if (!truth) std::abort();
}

PreparedCell PrepareCell(PropertyId property, const Value& value, PropertyDictionaries* dictionaries) {
  PreparedCell cell{property, TypeOf(value)};
  switch (cell.type.kind) {
    case ValueKind::kBool:
      cell.raw = std::get<bool>(value);
      break;
    case ValueKind::kInt:
      cell.raw = std::get<int64_t>(value);
      break;
    case ValueKind::kDecimal:
      cell.raw = std::get<Decimal>(value).unscaled;
      break;
    case ValueKind::kDouble:
      cell.raw = std::bit_cast<int64_t>(std::get<double>(value));
      break;
    case ValueKind::kTimestamp:
      cell.raw = std::get<Timestamp>(value).us;
      break;
    case ValueKind::kString: {
      cell.text = std::get<std::string>(value);
      std::optional<Code> code = dictionaries->CodeFor(property, cell.text);
      cell.is_inline = !code;
      cell.raw = code ? code->value : 0;
      break;
    }
    default:
      cell.is_inline = true;  // a set
  }
  return cell;
}

void WidenColumn(DecodedColumn* column, uint32_t size, Type to) {
  if (column->type == to) return;
  for (uint32_t i = 0; i < size; ++i) {
    if (!(column->present >> i & 1)) continue;
    EventCell cell;
    cell.i = column->raw[i];
    WidenCell(column->type, to, &cell);
    column->raw[i] = cell.i;  // a double's bits come through the union as they are
  }
  column->type = to;
}

void MakeInline(DecodedColumn* column, uint32_t size, const PropertyDictionaries& dictionaries) {
  for (uint32_t i = 0; i < size; ++i)
    if (column->present >> i & 1) column->text[i] = dictionaries.Find(column->property)->Text(Code(static_cast<uint32_t>(column->raw[i])));
  column->is_inline = true;
}

template <class T>
void ShiftUp(T* values, uint32_t at, uint32_t size) {
  std::move_backward(values + at, values + size, values + size + 1);
}

}  // namespace

void PrepareEvent(const EventToAdd& event, PropertyDictionaries* dictionaries, PreparedEvent* prepared) {
  prepared->time_us = event.time_us;
  prepared->message_hash = event.message_hash;
  prepared->source = event.source;
  prepared->cells.clear();
  prepared->encoded_sets.clear();
  prepared->encoded_sets.reserve(event.properties.size());  // texts are views into it
  for (const auto& [property, value] : event.properties) {
    prepared->cells.push_back(PrepareCell(property, value, dictionaries));
    if (const auto* items = std::get_if<StringSet>(&value))
      prepared->cells.back().text = prepared->encoded_sets.emplace_back(EncodeSet(*items));
  }
}

std::string EncodeSet(const StringSet& items) {
  std::string encoded;
  auto add_number = [&](uint64_t number) {
    uint8_t bytes[kVarintBytesMax];
    encoded.append(bytes, WriteVarint(bytes, number));
  };
  add_number(items.size());
  for (const std::string& item : items) {
    add_number(item.size());
    encoded += item;
  }
  return encoded;
}

StringSet DecodeSet(std::string_view encoded) {
  const auto* at = reinterpret_cast<const uint8_t*>(encoded.data());
  StringSet items(ReadVarint(&at));
  for (std::string& item : items) {
    uint64_t length = ReadVarint(&at);
    item.assign(reinterpret_cast<const char*>(at), length);
    at += length;
  }
  return items;
}

void WidenCell(Type from, Type to, EventCell* cell) {
  if (from == to) return;
  if (to.kind == ValueKind::kDouble && IsExactNumber(from)) {
    cell->d = ToNearestDouble(cell->i, from.scale);
  } else if (IsExactNumber(from) && to.kind == ValueKind::kDecimal && to.scale >= from.scale) {
    Check(!__builtin_mul_overflow(cell->i, kPowersOf10[to.scale - from.scale], &cell->i));
  } else {
    *cell = EventCell{};  // not wider: nothing that could be shown
  }
}

void DecodedChunk::Clear() {
  size = 0;
  column_count = 0;
}

DecodedColumn& DecodedChunk::AddColumn(uint32_t at, PropertyId property, Type type) {
  if (column_count == columns.size()) columns.push_back(std::make_unique<DecodedColumn>());
  std::rotate(columns.begin() + at, columns.begin() + column_count, columns.begin() + column_count + 1);
  ++column_count;
  DecodedColumn& column = *columns[at];
  column.property = property;
  column.type = type;
  column.is_inline = false;
  column.present = 0;
  return column;
}

DecodedColumn& DecodedChunk::ColumnFor(const PreparedCell& cell, uint32_t* hint) {
  while (*hint < column_count && columns[*hint]->property < cell.property) ++*hint;
  if (*hint < column_count && columns[*hint]->property == cell.property) return *columns[*hint];
  return AddColumn(*hint, cell.property, cell.type);
}

void DecodedChunk::Insert(uint32_t at, const PreparedEvent& event, const PropertyDictionaries& dictionaries) {
  Check(size < kChunkEventsMax && at <= size);
  ShiftUp(times, at, size);
  ShiftUp(sources, at, size);
  ShiftUp(hashes, at, size);
  times[at] = event.time_us;
  sources[at] = event.source.value;
  hashes[at] = static_cast<int64_t>(event.message_hash);
  uint64_t before = LowBits(at);
  for (uint32_t c = 0; c < column_count; ++c) {
    DecodedColumn& column = *columns[c];
    ShiftUp(column.raw, at, size);
    if (column.is_inline) ShiftUp(column.text, at, size);
    column.present = (column.present & before) | (column.present & ~before) << 1;
  }
  uint32_t hint = 0, old_size = size++;
  for (const PreparedCell& cell : event.cells) {
    DecodedColumn& column = ColumnFor(cell, &hint);
    EventCell value;
    value.i = cell.raw;
    if (column.type != cell.type) {
      std::optional<Type> wider = WidenedType(column.type, cell.type);
      Check(wider.has_value());
      WidenColumn(&column, size, *wider);
      WidenCell(cell.type, *wider, &value);
    }
    if (cell.is_inline && !column.is_inline) MakeInline(&column, old_size + 1, dictionaries);
    column.present |= uint64_t{1} << at;
    column.raw[at] = value.i;
    column.text[at] = cell.text;
  }
}

namespace {

// How one field of the records is going to be stored.
struct FieldPlan {
  int64_t base = 0;
  uint8_t bits = 0, index_bits = 0, distinct = 0;
  uint64_t table[1 << kIndexBitsMax];
  uint8_t indexes[kChunkEventsMax];

  uint32_t width() const { return index_bits ? index_bits : bits; }
  uint32_t description_bytes() const { return 1 + VarintBytes(ZigZag(base)) + (index_bits ? 1 : 0); }
  uint64_t table_bits() const { return index_bits ? uint64_t{bits} << index_bits : 0; }
};

// Number of index bits of the largest table that is shorter than the plain values; 0 where none is.
int LargestUsefulIndex(uint32_t bits, uint32_t records) {
  for (uint32_t index_bits = kIndexBitsMax; index_bits > 0; --index_bits)
    if (index_bits < bits && index_bits * records + (uint64_t{bits} << index_bits) + 8 < uint64_t{bits} * records)
      return static_cast<int>(index_bits);
  return 0;
}

void TryTable(const int64_t* values, uint64_t present, uint32_t records, FieldPlan* plan) {
  int largest = LargestUsefulIndex(plan->bits, records);
  if (largest == 0) return;
  uint32_t distinct = 0, distinct_max = 1u << largest;
  for (uint64_t left = present; left; left &= left - 1) {
    int i = std::countr_zero(left);
    uint64_t offset = static_cast<uint64_t>(values[i]) - static_cast<uint64_t>(plan->base);
    uint32_t index = 0;
    while (index < distinct && plan->table[index] != offset) ++index;
    if (index == distinct_max) return;
    if (index == distinct) plan->table[distinct++] = offset;
    plan->indexes[i] = static_cast<uint8_t>(index);
  }
  plan->distinct = static_cast<uint8_t>(distinct);
  plan->index_bits = static_cast<uint8_t>(std::max(1u, static_cast<unsigned>(std::bit_width(distinct - 1))));
}

struct Range {
  int64_t lowest = INT64_MAX, highest = INT64_MIN;
};

// `provided` is included beside the values.
void PlanField(const int64_t* values, uint64_t present, uint32_t records, bool grows_upwards, Range provided, FieldPlan* plan) {
  auto [lowest, highest] = provided;
  for (uint64_t left = present; left; left &= left - 1) {
    int64_t value = values[std::countr_zero(left)];
    lowest = std::min(lowest, value);
    highest = std::max(highest, value);
  }
  uint64_t range = static_cast<uint64_t>(highest) - static_cast<uint64_t>(lowest);
  plan->bits = static_cast<uint8_t>(std::bit_width(range));
  plan->base = grows_upwards ? lowest : BaseWithSlack(lowest, LowBits(plan->bits) - range);
  plan->index_bits = 0;
  TryTable(values, present, records, plan);
}

}  // namespace

// The allocator's size classes are four to a doubling; a block takes all of its own, so that nothing is lost between them.
size_t RoundUpToSizeClass(size_t bytes) {
  size_t words = (bytes + 7) / 8;
  if (words <= 8) return words * 8;
  size_t step = size_t{1} << (std::bit_width(words - 1) - 3);
  return (words + step - 1) / step * step * 8;
}

class ChunkEncoder {
 public:
  ChunkEncoder(const DecodedChunk& chunk, uint32_t begin, uint32_t end, uint8_t* hint)
      : chunk_(chunk), begin_(begin), records_(end - begin), hint_(hint) {}

  uint8_t* Encode() {
    PlanLeading();
    column_count_ = 0;
    for (uint32_t c = 0; c < chunk_.column_count; ++c) PlanColumn(*chunk_.columns[c]);
    Allocate();
    Describe();
    for (FieldPlan* field : {&time_, &source_, &hash_}) WriteTable(*field);
    for (uint32_t c = 0; c < column_count_; ++c) WriteTable(columns_[c]->field);
    WriteRecords();
    return block_;
  }

 private:
  struct ColumnPlan {
    const DecodedColumn* source;
    uint64_t present;
    bool is_inline, has_presence;
    int double_scale;
    FieldPlan field;
    int64_t values[kChunkEventsMax];
  };

  void PlanLeading() {
    uint64_t all = LowBits(records_);
    const int64_t* times = chunk_.times + begin_;
    unit_ = kTimeUnitCount - 1;
    for (uint32_t i = 0; i < records_; ++i)
      while (times[i] % kTimeUnitsUs[unit_] != 0) --unit_;
    for (uint32_t i = 0; i < records_; ++i) times_[i] = times[i] / kTimeUnitsUs[unit_];
    PlanField(times_, all, records_, true, Range(), &time_);
    PlanField(chunk_.sources + begin_, all, records_, false, Range(), &source_);
    // Hashes are random: plain 64 bits, or nothing at all where no event has one.
    const int64_t* hashes = chunk_.hashes + begin_;
    hash_.bits = std::any_of(hashes, hashes + records_, [](int64_t hash) { return hash != 0; }) ? 64 : 0;
    hash_.base = 0;
    hash_.index_bits = 0;
  }

  void PlanColumn(const DecodedColumn& column) {
    uint64_t present = column.present >> begin_ & LowBits(records_);
    if (present == 0) return;
    if (column_count_ == columns_.size()) columns_.push_back(std::make_unique<ColumnPlan>());
    ColumnPlan& plan = *columns_[column_count_++];
    plan.source = &column;
    plan.present = present;
    plan.has_presence = present != LowBits(records_);
    plan.is_inline = column.is_inline || column.type.kind == ValueKind::kSet;
    plan.double_scale = -1;
    if (plan.is_inline) PlanHeap(&plan);
    else PlanValues(&plan);
  }

  void PlanHeap(ColumnPlan* plan) {
    for (uint32_t i = 0; i < records_; ++i) {
      if (!(plan->present >> i & 1)) continue;
      size_t length = plan->source->text[begin_ + i].size();
      heap_bytes_ += VarintBytes(length) + length;
      plan->values[i] = static_cast<int64_t>(heap_bytes_);
    }
    plan->field.base = 0;
    plan->field.bits = static_cast<uint8_t>(std::bit_width(heap_bytes_));
    plan->field.index_bits = 0;
  }

  void PlanValues(ColumnPlan* plan) {
    std::copy_n(plan->source->raw + begin_, records_, plan->values);
    if (plan->source->type.kind == ValueKind::kDouble) ScaleDoubles(plan);
    PlanField(plan->values, plan->present, records_, false, HintOf(*plan), &plan->field);
  }

  Range HintOf(const ColumnPlan& plan) const {
    EventChunk::Column column;
    if (!hint_ || !EventChunk(hint_).FindColumn(plan.source->property, &column)) return {};
    if (column.type != plan.source->type || column.is_inline || column.double_scale != plan.double_scale) return {};
    uint64_t room_above = static_cast<uint64_t>(INT64_MAX) - static_cast<uint64_t>(column.field.base);
    uint64_t largest = std::min(LowBits(column.field.bits), room_above);
    return {column.field.base, static_cast<int64_t>(static_cast<uint64_t>(column.field.base) + largest)};
  }

  void ScaleDoubles(ColumnPlan* plan) {
    int64_t scaled[kChunkEventsMax] = {};
    int scale = 0;
    for (uint64_t left = plan->present; left; left &= left - 1)
      while (!DoubleToScaled(std::bit_cast<double>(plan->values[std::countr_zero(left)]), scale, &scaled[0]))
        if (++scale > kDoubleScaleMax) return;
    // A decimal of some scale is one of every larger scale too, but only up to 2^53: all are tried again.
    for (uint64_t left = plan->present; left; left &= left - 1)
      if (int i = std::countr_zero(left); !DoubleToScaled(std::bit_cast<double>(plan->values[i]), scale, &scaled[i])) return;
    std::copy_n(scaled, records_, plan->values);
    plan->double_scale = scale;
  }

  void Allocate() {
    uint64_t description = 1 + time_.description_bytes() + source_.description_bytes() + hash_.description_bytes();
    uint64_t tables = time_.table_bits() + source_.table_bits() + hash_.table_bits();
    uint64_t record = time_.width() + source_.width() + hash_.width();
    uint32_t previous = 0;
    for (uint32_t c = 0; c < column_count_; ++c) {
      const ColumnPlan& plan = *columns_[c];
      description += VarintBytes(plan.source->property.value - previous) + 1 + plan.field.description_bytes() +
                     (plan.source->type.kind == ValueKind::kDecimal) + (plan.double_scale >= 0);
      previous = plan.source->property.value + 1;
      tables += plan.field.table_bits();
      record += plan.has_presence + plan.field.width();
    }
    uint64_t tables_begin = sizeof(EventChunk::Header) + description, records_begin = tables_begin + (tables + 7) / 8;
    uint64_t bytes = records_begin + (record * records_ + 7) / 8 + heap_bytes_ + kBitPadding;
    size_t capacity = RoundUpToSizeClass(bytes);
    Check(capacity <= UINT32_MAX && column_count_ <= UINT16_MAX);
    block_ = static_cast<uint8_t*>(std::malloc(capacity));
    if (!block_) throw std::bad_alloc();
    std::memset(block_ + tables_begin, 0, capacity - tables_begin);
    *header() = {static_cast<uint32_t>(capacity),     0,
                 static_cast<uint32_t>(tables_begin), static_cast<uint32_t>(records_begin),
                 static_cast<uint32_t>(record),       static_cast<uint16_t>(column_count_),
                 static_cast<uint8_t>(records_),      0};
  }

  void Describe() {
    at_ = block_ + sizeof(EventChunk::Header);
    *at_++ = static_cast<uint8_t>(unit_);
    for (FieldPlan* field : {&time_, &source_, &hash_}) DescribeField(*field);
    uint32_t previous = 0;
    for (uint32_t c = 0; c < column_count_; ++c) {
      const ColumnPlan& plan = *columns_[c];
      Type type = plan.source->type;
      at_ = WriteVarint(at_, plan.source->property.value - previous);
      previous = plan.source->property.value + 1;
      *at_++ = static_cast<uint8_t>(static_cast<uint8_t>(type.kind) | (plan.has_presence ? kPresenceFlag : 0) |
                                    (plan.is_inline ? kInlineFlag : 0) | (plan.double_scale >= 0 ? kScaledFlag : 0));
      if (type.kind == ValueKind::kDecimal) *at_++ = type.scale;
      if (plan.double_scale >= 0) *at_++ = static_cast<uint8_t>(plan.double_scale);
      DescribeField(plan.field);
    }
    Check(at_ == block_ + header()->tables_begin);
    table_bit_ = uint64_t{header()->tables_begin} * 8;
  }

  void DescribeField(const FieldPlan& field) {
    *at_++ = static_cast<uint8_t>(field.bits | (field.index_bits ? kIndexedFlag : 0));
    at_ = WriteVarint(at_, ZigZag(field.base));
    if (field.index_bits) *at_++ = static_cast<uint8_t>(field.index_bits << 5 | (field.distinct - 1));
  }

  void WriteTable(const FieldPlan& field) {
    if (field.index_bits == 0) return;
    for (uint32_t i = 0; i < field.distinct; ++i) WriteBits(block_, table_bit_ + uint64_t{i} * field.bits, field.bits, field.table[i]);
    table_bit_ += field.table_bits();
  }

  void WriteRecords() {
    uint64_t all = LowBits(records_), offset = 0;
    WriteField(time_, times_, all, &offset);
    WriteField(source_, chunk_.sources + begin_, all, &offset);
    WriteField(hash_, chunk_.hashes + begin_, all, &offset);
    for (uint32_t c = 0; c < column_count_; ++c) {
      const ColumnPlan& plan = *columns_[c];
      if (plan.has_presence) {
        uint64_t record = RecordAt(0) + offset++;
        for (uint32_t i = 0; i < records_; ++i, record += header()->record_bits) WriteBits(block_, record, 1, plan.present >> i & 1);
      }
      WriteField(plan.field, plan.values, plan.present, &offset);
      if (plan.is_inline) WriteTexts(plan);
    }
    header()->heap_bytes = static_cast<uint32_t>(heap_bytes_);
  }

  void WriteField(const FieldPlan& field, const int64_t* values, uint64_t present, uint64_t* offset) {
    uint32_t width = field.width();
    uint64_t record = RecordAt(0) + *offset;
    *offset += width;
    if (width == 0) return;
    for (uint32_t i = 0; i < records_; ++i, record += header()->record_bits) {
      if (!(present >> i & 1)) continue;
      uint64_t stored = field.index_bits ? field.indexes[i] : static_cast<uint64_t>(values[i]) - static_cast<uint64_t>(field.base);
      WriteBits(block_, record, width, stored);
    }
  }

  void WriteTexts(const ColumnPlan& plan) {
    for (uint32_t i = 0; i < records_; ++i) {
      if (!(plan.present >> i & 1)) continue;
      std::string_view text = plan.source->text[begin_ + i];
      uint8_t* at = WriteVarint(block_ + header()->capacity - kBitPadding - plan.values[i], text.size());
      std::copy(text.begin(), text.end(), at);
    }
  }

  uint64_t RecordAt(uint32_t i) const { return uint64_t{header()->records_begin} * 8 + uint64_t{header()->record_bits} * i; }
  EventChunk::Header* header() const { return reinterpret_cast<EventChunk::Header*>(block_); }

  const DecodedChunk& chunk_;
  const uint32_t begin_, records_;
  uint8_t* const hint_;
  int unit_ = 0;
  int64_t times_[kChunkEventsMax] = {};  // in units
  FieldPlan time_, source_, hash_;
  // Plans are large and made all the time, so each thread keeps its own.
  inline static thread_local std::vector<std::unique_ptr<ColumnPlan>> columns_;
  uint32_t column_count_ = 0;
  uint64_t heap_bytes_ = 0, table_bit_ = 0;
  uint8_t* block_ = nullptr;
  uint8_t* at_ = nullptr;
};

uint8_t* EncodeChunk(const DecodedChunk& chunk, uint32_t begin, uint32_t end, uint8_t* hint) {
  return ChunkEncoder(chunk, begin, end, hint).Encode();
}

}  // namespace korrel
