#include "storage/event_chunk.h"

#include <malloc.h>

#include <bit>
#include <cstdlib>
#include <new>

#include "storage/event_chunk_format.h"

namespace korrel {
namespace {

double DoubleOf(const EventChunk::Column& column, int64_t value) {
  return column.double_scale < 0 ? std::bit_cast<double>(value) : ScaledToDouble(value, column.double_scale);
}

bool IsIntegral(Type type) { return type.kind == ValueKind::kBool || type.kind == ValueKind::kTimestamp || IsExactNumber(type); }

}  // namespace

// Walks the column descriptions of a block in order.
class EventChunk::ColumnReader {
 public:
  explicit ColumnReader(uint8_t* block) : at_(block + sizeof(Header)) {
    auto* header = reinterpret_cast<const Header*>(block);
    table_bit_ = header->tables_begin * 8;
    left_ = header->column_count;
  }

  // First: the time's unit and field, then source and hash, then the properties.
  int64_t ReadTimeUnit() { return kTimeUnitsUs[*Take()]; }
  Field ReadField() {
    Field field;
    uint8_t bits = *Take();
    field.bits = bits & 0x7F;
    field.base = UnZigZag(ReadVarint(&at_));
    field.offset = record_bit_;
    if (bits & kIndexedFlag) {
      field.distinct = const_cast<uint8_t*>(Take());
      field.index_bits = *field.distinct >> 5;
      field.table = table_bit_;
      table_bit_ += uint32_t{field.bits} << field.index_bits;
    }
    record_bit_ += field.width();
    return field;
  }
  void SkipLeadingFields() {
    Take();
    for (int i = 0; i < 3; ++i) ReadField();
  }
  bool Next(Column* column) {
    if (left_-- == 0) return false;
    next_property_ += static_cast<uint32_t>(ReadVarint(&at_));
    column->property = PropertyId(next_property_++);
    uint8_t kind = *Take();
    column->type = Type{static_cast<ValueKind>(kind & kKindMask)};
    column->has_presence = kind & kPresenceFlag;
    column->is_inline = kind & kInlineFlag;
    column->double_scale = -1;
    if (column->type.kind == ValueKind::kDecimal) column->type.scale = *Take();
    if (kind & kScaledFlag) column->double_scale = static_cast<int8_t>(*Take());
    record_bit_ += column->has_presence;
    column->field = ReadField();
    return true;
  }

 private:
  const uint8_t* Take() { return at_++; }

  const uint8_t* at_;
  uint32_t record_bit_ = 0, table_bit_, next_property_ = 0, left_;
};

uint32_t EventChunk::size() const { return header()->count - header()->head; }
bool EventChunk::IsFull() const { return size() >= kChunkEventsMax || header()->capacity > kChunkBytesMax; }

uint64_t EventChunk::RecordAt(uint32_t index) const {
  return uint64_t{header()->records_begin} * 8 + uint64_t{header()->record_bits} * (header()->head + index);
}

uint64_t EventChunk::Raw(const Field& field, uint64_t record) const {
  uint64_t raw = ReadBits(block_, record + field.offset, field.width());
  return field.index_bits ? ReadBits(block_, field.table + raw * field.bits, field.bits) : raw;
}

int64_t EventChunk::TimeOf(uint32_t index) const {
  ColumnReader reader(block_);
  int64_t unit = reader.ReadTimeUnit();
  return ValueAt(reader.ReadField(), RecordAt(index)) * unit;
}

SourceId EventChunk::SourceOf(uint32_t index) const {
  ColumnReader reader(block_);
  reader.ReadTimeUnit();
  reader.ReadField();
  return SourceId(static_cast<uint16_t>(ValueAt(reader.ReadField(), RecordAt(index))));
}

bool EventChunk::HasMessage(uint64_t hash, uint32_t begin, uint32_t end) const {
  ColumnReader reader(block_);
  reader.ReadTimeUnit();
  reader.ReadField();
  reader.ReadField();
  Field field = reader.ReadField();
  if (field.bits == 0) return hash == 0 && begin < end;  // no event of the chunk has one
  uint64_t at = RecordAt(begin) + field.offset, step = header()->record_bits;
  for (uint32_t i = begin; i < end; ++i, at += step)
    if (ReadBits(block_, at, 64) == hash) return true;
  return false;
}

void EventChunk::AppendHashes(std::vector<uint64_t>* out) const {
  ColumnReader reader(block_);
  reader.ReadTimeUnit();
  reader.ReadField();
  reader.ReadField();
  Field field = reader.ReadField();
  for (uint32_t i = 0; i < size(); ++i) out->push_back(static_cast<uint64_t>(ValueAt(field, RecordAt(i))));
}

void EventChunk::AppendTimes(uint32_t begin, uint32_t end, int64_t* out) const {
  ColumnReader reader(block_);
  int64_t unit = reader.ReadTimeUnit();
  Field field = reader.ReadField();
  uint64_t record = RecordAt(begin);
  for (uint32_t i = begin; i < end; ++i, record += header()->record_bits) *out++ = ValueAt(field, record) * unit;
}

uint32_t EventChunk::BoundOf(int64_t time_us, bool after_equals) const {
  ColumnReader reader(block_);
  int64_t unit = reader.ReadTimeUnit();
  Field field = reader.ReadField();
  uint32_t low = 0, high = size();
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    int64_t time = ValueAt(field, RecordAt(middle)) * unit;
    if (time < time_us || (after_equals && time == time_us)) low = middle + 1;
    else high = middle;
  }
  return low;
}
uint32_t EventChunk::LowerBound(int64_t time_us) const { return BoundOf(time_us, false); }
uint32_t EventChunk::UpperBound(int64_t time_us) const { return BoundOf(time_us, true); }

bool EventChunk::FindColumn(PropertyId property, Column* column) const {
  ColumnReader reader(block_);
  reader.SkipLeadingFields();
  while (reader.Next(column) && column->property <= property)
    if (column->property == property) return true;
  return false;
}

std::string_view EventChunk::HeapText(uint64_t distance) const {
  const uint8_t* at = block_ + header()->capacity - kBitPadding - distance;
  uint64_t length = ReadVarint(&at);
  return {reinterpret_cast<const char*>(at), length};
}

EventCell EventChunk::CellOf(const Column& column, uint32_t index, const PropertyDictionaries& dictionaries) const {
  EventCell cell;
  uint64_t record = RecordAt(index);
  if (column.has_presence && ReadBits(block_, record + column.field.offset - 1, 1) == 0) return cell;
  cell.present = true;
  int64_t value = ValueAt(column.field, record);
  if (column.is_inline) {
    cell.text = HeapText(static_cast<uint64_t>(value));
  } else if (column.type.kind == ValueKind::kString) {
    cell.text = dictionaries.Find(column.property)->Text(Code(static_cast<uint32_t>(value)));
  } else if (column.type.kind == ValueKind::kDouble) {
    cell.d = DoubleOf(column, value);
  } else {
    cell.i = value;
  }
  return cell;
}

void EventChunk::ReadColumn(const Column& column, Type type, uint32_t begin, uint32_t end, const Dictionary* dictionary, size_t out_at,
                            EventColumn* out) const {
  uint64_t record = RecordAt(begin);
  auto for_each_present = [&](auto store) {
    for (uint32_t i = begin; i < end; ++i, ++out_at, record += header()->record_bits) {
      bool present = !column.has_presence || ReadBits(block_, record + column.field.offset - 1, 1) != 0;
      out->present[out_at] = present;
      if (present) store(out_at, ValueAt(column.field, record));
    }
  };
  bool same_kind = column.type.kind == type.kind;
  if (same_kind && type.kind == ValueKind::kString) {
    if (column.is_inline) for_each_present([&](size_t at, int64_t v) { out->texts[at] = HeapText(static_cast<uint64_t>(v)); });
    else for_each_present([&](size_t at, int64_t v) { out->texts[at] = dictionary->Text(Code(static_cast<uint32_t>(v))); });
  } else if (same_kind && type.kind == ValueKind::kDouble) {
    for_each_present([&](size_t at, int64_t v) { out->doubles[at] = DoubleOf(column, v); });
  } else if (type.kind == ValueKind::kDouble && IsExactNumber(column.type)) {
    for_each_present([&](size_t at, int64_t v) { out->doubles[at] = ToNearestDouble(v, column.type.scale); });
  } else if (column.type == type && IsIntegral(type)) {
    for_each_present([&](size_t at, int64_t v) { out->ints[at] = v; });
  } else if (IsExactNumber(column.type) && IsExactNumber(type) && type.scale >= column.type.scale) {
    auto factor = static_cast<uint64_t>(kPowersOf10[type.scale - column.type.scale]);
    for_each_present([&](size_t at, int64_t v) { out->ints[at] = static_cast<int64_t>(static_cast<uint64_t>(v) * factor); });
  }
}

bool EventChunk::PutValue(const Field& field, uint64_t record, int64_t value) {
  uint64_t offset = static_cast<uint64_t>(value) - static_cast<uint64_t>(field.base);
  // Offsets wrap around, so 64 bits hold every value, below the base too (half of all message hashes are negative).
  if (field.bits < 64 && (value < field.base || offset > LowBits(field.bits))) return false;
  if (field.index_bits == 0) {
    WriteBits(block_, record + field.offset, field.bits, offset);
    return true;
  }
  uint32_t distinct = (*field.distinct & kDistinctMask) + 1u, index = 0;
  while (index < distinct && ReadBits(block_, field.table + uint64_t{index} * field.bits, field.bits) != offset) ++index;
  if (index == 1u << field.index_bits) return false;
  if (index == distinct) {
    WriteBits(block_, field.table + uint64_t{index} * field.bits, field.bits, offset);
    ++*field.distinct;
  }
  WriteBits(block_, record + field.offset, field.index_bits, index);
  return true;
}

bool EventChunk::PutText(const Column& column, uint64_t record, std::string_view text, uint32_t* heap_bytes) {
  uint64_t distance = uint64_t{*heap_bytes} + VarintBytes(text.size()) + text.size();
  uint64_t records_end = (record + header()->record_bits + 7) / 8;
  if (distance > LowBits(column.field.bits) || records_end + distance + kBitPadding > header()->capacity) return false;
  uint8_t* at = WriteVarint(block_ + header()->capacity - kBitPadding - distance, text.size());
  std::copy(text.begin(), text.end(), at);
  *heap_bytes = static_cast<uint32_t>(distance);
  WriteBits(block_, record + column.field.offset, column.field.bits, distance);
  return true;
}

bool EventChunk::PutCell(const Column& column, uint64_t record, const PreparedCell& cell, uint32_t* heap_bytes) {
  if (cell.type != column.type || (cell.is_inline && !column.is_inline)) return false;
  if (column.has_presence) WriteBits(block_, record + column.field.offset - 1, 1, 1);
  if (column.is_inline) return PutText(column, record, cell.text, heap_bytes);
  if (column.double_scale < 0) return PutValue(column.field, record, cell.raw);
  int64_t scaled;
  return DoubleToScaled(std::bit_cast<double>(cell.raw), column.double_scale, &scaled) && PutValue(column.field, record, scaled);
}

bool EventChunk::TryAppend(const PreparedEvent& event) {
  Header* h = header();
  uint64_t record = RecordAt(size());
  uint32_t heap_bytes = h->heap_bytes;
  if (h->count == kChunkEventsMax || (record + h->record_bits + 7) / 8 + heap_bytes + kBitPadding > h->capacity) return false;
  ColumnReader reader(block_);
  int64_t unit = reader.ReadTimeUnit();
  if (event.time_us % unit != 0 || !PutValue(reader.ReadField(), record, event.time_us / unit)) return false;
  if (!PutValue(reader.ReadField(), record, event.source.value)) return false;
  Field hash = reader.ReadField();
  if (!PutValue(hash, record, static_cast<int64_t>(event.message_hash))) return false;
  auto cell = event.cells.begin();
  for (Column column; reader.Next(&column);) {
    if (cell != event.cells.end() && cell->property == column.property) {
      if (!PutCell(column, record, *cell++, &heap_bytes)) return false;
    } else {
      if (!column.has_presence) return false;
      WriteBits(block_, record + column.field.offset - 1, 1, 0);
      WriteBits(block_, record + column.field.offset, column.field.width(), 0);
    }
  }
  if (cell != event.cells.end()) return false;  // a property the chunk does not know yet
  h->heap_bytes = heap_bytes;
  ++h->count;
  return true;
}

void EventChunk::RemoveOldest(uint32_t count) { header()->head = static_cast<uint8_t>(header()->head + count); }

uint8_t* EventChunk::Grown() const {
  const Header* h = header();
  uint64_t used = (RecordAt(size()) + 7) / 8, needed = (RecordAt(size()) + h->record_bits + 7) / 8 + h->heap_bytes + kBitPadding;
  if (needed <= h->capacity) return nullptr;
  size_t capacity = RoundUpToSizeClass(needed);
  auto* block = static_cast<uint8_t*>(std::calloc(1, capacity));
  if (!block) throw std::bad_alloc();
  std::memcpy(block, block_, used);
  size_t heap_and_padding = h->heap_bytes + kBitPadding;
  std::memcpy(block + capacity - heap_and_padding, block_ + h->capacity - heap_and_padding, heap_and_padding);
  EventChunk(block).header()->capacity = static_cast<uint32_t>(capacity);
  return block;
}

void EventChunk::Decode(DecodedChunk* out) const {
  out->Clear();
  out->size = size();
  ColumnReader reader(block_);
  int64_t unit = reader.ReadTimeUnit();
  Field time = reader.ReadField(), source = reader.ReadField(), hash = reader.ReadField();
  for (uint32_t i = 0; i < out->size; ++i) {
    uint64_t record = RecordAt(i);
    out->times[i] = ValueAt(time, record) * unit;
    out->sources[i] = ValueAt(source, record);
    out->hashes[i] = ValueAt(hash, record);
  }
  for (Column column; reader.Next(&column);) {
    DecodedColumn& decoded = out->AddColumn(out->column_count, column.property, column.type);
    decoded.is_inline = column.is_inline;
    uint64_t record = RecordAt(0);
    for (uint32_t i = 0; i < out->size; ++i, record += header()->record_bits) {
      if (column.has_presence && ReadBits(block_, record + column.field.offset - 1, 1) == 0) continue;
      decoded.present |= uint64_t{1} << i;
      int64_t value = ValueAt(column.field, record);
      if (column.is_inline) decoded.text[i] = HeapText(static_cast<uint64_t>(value));
      else if (column.double_scale >= 0) decoded.raw[i] = std::bit_cast<int64_t>(ScaledToDouble(value, column.double_scale));
      else decoded.raw[i] = value;
    }
  }
}

void EventChunk::Free(uint8_t* block) { std::free(block); }
size_t EventChunk::MemoryBytes(const uint8_t* block) { return malloc_usable_size(const_cast<uint8_t*>(block)); }

}  // namespace korrel
