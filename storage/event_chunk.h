// storage/event_chunk.h
//
// EventChunk is up to 64 events of one profile and type in one heap block, in time order. For storage/event_history.cc alone.
//
//   header     sizes and counts, 24 bytes
//   columns    time, source, message hash, then one per property: kind, width and base, a few bytes each
//   tables     for columns of few distinct values: those values
//   records    one per event, all of the same number of bits: each column's presence bit (if some are absent) and value
//   slack      room for the next records
//   heap       grows downwards: inline strings and sets, each behind its length
//   padding    kBitPadding bytes
//
// A value is stored as base + offset in the fewest bits that hold the chunk's largest offset, or, where that is shorter, as the
// number of an offset in the column's table. Zero bits where all are equal. Times count the coarsest unit that divides all of
// them. Doubles are stored as decimals of up to six places where all are equal to one. Records side by side (not columns side by
// side) make an append one write behind the last; a column is then read in equal steps of less than two cache lines in a few
// nanoseconds a value. Whatever does not fit is decoded, changed and encoded anew.
//
// Threads   As the shard's lock says; encoding uses buffers of the calling thread.
// Lifetime  An EventChunk is a view; whoever made the block frees it. Texts live in the block, or in the dictionaries.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/bit_packing.h"
#include "storage/event_history.h"

namespace korrel {

inline constexpr uint32_t kChunkEventsMax = 64;
inline constexpr uint32_t kChunkBytesMax = 64 * 1024;  // a chunk beyond it is full, however few events it has

// One property value of an event on its way into a chunk.
struct PreparedCell {
  PropertyId property;
  Type type;
  int64_t raw = 0;        // numbers, times, bools; the bits of a double; the code of a string
  std::string_view text;  // a string's text, a set's encoding
  bool is_inline = false;
};
struct PreparedEvent {
  int64_t time_us = 0;
  uint64_t message_hash = 0;
  SourceId source;
  std::vector<PreparedCell> cells;  // ascending by property
  std::vector<std::string> encoded_sets;
};
// Interns the strings; `prepared` holds views into `event`.
void PrepareEvent(const EventToAdd& event, PropertyDictionaries* dictionaries, PreparedEvent* prepared);

// A chunk taken apart. Texts are views into the block it came from, into the dictionaries or into a prepared event.
struct DecodedColumn {
  PropertyId property;
  Type type;
  bool is_inline = false;  // strings: text holds the values, else raw the codes; sets always
  uint64_t present = 0;
  int64_t raw[kChunkEventsMax];
  std::string_view text[kChunkEventsMax];
};
struct DecodedChunk {
  uint32_t size = 0;
  int64_t times[kChunkEventsMax];
  int64_t sources[kChunkEventsMax];
  int64_t hashes[kChunkEventsMax];
  std::vector<std::unique_ptr<DecodedColumn>> columns;  // the first column_count are used, ascending by property
  uint32_t column_count = 0;

  void Clear();
  void Insert(uint32_t at, const PreparedEvent& event, const PropertyDictionaries& dictionaries);

 private:
  DecodedColumn& ColumnFor(const PreparedCell& cell, uint32_t* hint);
  DecodedColumn& AddColumn(uint32_t at, PropertyId property, Type type);
  friend class EventChunk;
};

class EventChunk {
 public:
  // A column of values inside the records.
  struct Field {
    int64_t base = 0;
    uint32_t offset = 0;          // bits from the start of a record
    uint32_t table = 0;           // first bit of the table in the block
    uint8_t bits = 0;             // of an offset from the base
    uint8_t index_bits = 0;       // 0: no table, the record holds the offset itself
    uint8_t* distinct = nullptr;  // where the number of table entries is kept
    uint32_t width() const { return index_bits ? index_bits : bits; }
  };
  struct Column {
    PropertyId property;
    Type type;
    bool is_inline = false;     // strings and sets: the value is a distance into the heap
    int8_t double_scale = -1;   // doubles: stored as decimals of this scale; -1: as their bits
    bool has_presence = false;  // the bit lies right before the value
    Field field;
  };

  explicit EventChunk(uint8_t* block) : block_(block) {}

  uint32_t size() const;  // live events
  bool IsFull() const;
  int64_t TimeOf(uint32_t index) const;
  SourceId SourceOf(uint32_t index) const;
  bool HasMessage(uint64_t hash, uint32_t begin, uint32_t end) const;
  void AppendHashes(std::vector<uint64_t>* out) const;
  void AppendTimes(uint32_t begin, uint32_t end, int64_t* out) const;
  // Events with time < t and with time <= t.
  uint32_t LowerBound(int64_t time_us) const;
  uint32_t UpperBound(int64_t time_us) const;

  bool FindColumn(PropertyId property, Column* column) const;
  EventCell CellOf(const Column& column, uint32_t index, const PropertyDictionaries& dictionaries) const;
  // Writes events [begin, end) behind position `out_at` of the vectors, which have room.
  void ReadColumn(const Column& column, Type type, uint32_t begin, uint32_t end, const Dictionary* dictionary, size_t out_at,
                  EventColumn* out) const;

  // Adds the newest event in place; false (and nothing changed) where it does not fit.
  bool TryAppend(const PreparedEvent& event);
  void RemoveOldest(uint32_t count);
  // The same chunk with room for another record, as a new block; nullptr where there is room.
  uint8_t* Grown() const;

  void Decode(DecodedChunk* out) const;
  static void Free(uint8_t* block);
  static size_t MemoryBytes(const uint8_t* block);

 private:
  friend class ChunkEncoder;
  struct Header {
    uint32_t capacity;      // bytes of the block
    uint32_t heap_bytes;    // in use, before the padding
    uint32_t tables_begin;  // byte offsets
    uint32_t records_begin;
    uint32_t record_bits;
    uint16_t column_count;  // of properties
    uint8_t count;          // records, dead ones included
    uint8_t head;           // records at the start whose events were removed
  };
  class ColumnReader;

  Header* header() const { return reinterpret_cast<Header*>(block_); }
  bool PutValue(const Field& field, uint64_t record, int64_t value);
  bool PutCell(const Column& column, uint64_t record, const PreparedCell& cell, uint32_t* heap_bytes);
  bool PutText(const Column& column, uint64_t record, std::string_view text, uint32_t* heap_bytes);
  uint64_t RecordAt(uint32_t index) const;
  uint64_t Raw(const Field& field, uint64_t record) const;
  int64_t ValueAt(const Field& field, uint64_t record) const {
    return static_cast<int64_t>(static_cast<uint64_t>(field.base) + Raw(field, record));
  }
  std::string_view HeapText(uint64_t distance) const;
  uint32_t BoundOf(int64_t time_us, bool after_equals) const;

  uint8_t* block_;
};

// Events [begin, end) of a decoded chunk as a new block, the caller's to free. `hint`, if not null, is the full chunk before this
// one: its ranges are provided for too, so that a chunk that grows behind it need not be encoded anew for each of them.
uint8_t* EncodeChunk(const DecodedChunk& chunk, uint32_t begin, uint32_t end, uint8_t* hint = nullptr);

// The least capacity that a block of `bytes` gets: the allocator's size class, all of it.
size_t RoundUpToSizeClass(size_t bytes);

// A set's items in their encoded form and back.
std::string EncodeSet(const StringSet& items);
StringSet DecodeSet(std::string_view encoded);

// A stored value in the physical form of a wider type: int → decimal, decimal → larger scale, int and decimal → double.
void WidenCell(Type from, Type to, EventCell* cell);

}  // namespace korrel
