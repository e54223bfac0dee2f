// storage/event_history.h
//
// EventHistory holds one profile's events of one type, ordered by event time, then arrival, in columnar chunks of up to 64
// events: times as offsets in the coarsest exact unit, properties and message hashes as bit-packed offsets from a base, strings
// as codes of a shard-wide PropertyDictionary or, once that finds a property's strings mostly unique, inline.
//
// It is the truth for every aggregate. Indexes 0 … size()-1 name events in order; they shift when events are added or removed.
//
// Threads     As the shard's lock says.
// Lifetime    A text view in an EventCell lives until the history changes.
// Cost        See docs/storage.md for bytes per event; TimeOf and CellOf are O(log chunks).
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "storage/dictionary.h"
#include "storage/schema.h"
#include "storage/value.h"

namespace korrel {

// One property of one event, physically: ints carry bool, int, unscaled decimal, timestamp.
struct EventCell {
  bool present = false;
  union {
    int64_t i = 0;
    double d;
  };
  std::string_view text;
};

// One property of a range of events in the physical form of `type` (the schema's current one; older chunks are converted).
// Slots of absent values are zero. Sets are not read this way; see EventHistory::ValueOf.
struct EventColumn {
  std::vector<uint8_t> present;
  std::vector<int64_t> ints;
  std::vector<double> doubles;
  std::vector<std::string_view> texts;
};

struct EventToAdd {
  int64_t time_us = 0;
  uint64_t message_hash = 0;  // 0: no message id, never a duplicate
  SourceId source;
  std::vector<std::pair<PropertyId, Value>> properties;  // ascending by PropertyId; values of the schema's types, none absent
};

// The strings of all events of one type in one shard, per property.
class PropertyDictionaries;
struct PreparedEvent;  // storage/event_chunk.h

class EventHistory {
 public:
  EventHistory() = default;
  ~EventHistory() { Clear(); }
  EventHistory(EventHistory&& o) noexcept : root_(std::exchange(o.root_, nullptr)) {}
  EventHistory& operator=(EventHistory&& o) noexcept {
    std::swap(root_, o.root_);
    return *this;
  }

  uint32_t size() const;
  int64_t TimeOf(uint32_t index) const;
  SourceId SourceOf(uint32_t index) const;
  bool HasMessage(uint64_t message_hash) const;
  // The same, faster where the message is held at `likely_time_us`, as a repeated one is.
  bool HasMessage(uint64_t message_hash, int64_t likely_time_us) const;
  // Among the events from index `begin` on.
  bool HasMessageFrom(uint32_t begin, uint64_t message_hash) const;

  // Number of events with time < t, and with time <= t: binary searches.
  uint32_t LowerBound(int64_t time_us) const;
  uint32_t UpperBound(int64_t time_us) const;

  // `type` is the property's type in the current schema, at least as wide as any stored value's.
  EventCell CellOf(uint32_t index, PropertyId property, Type type, const PropertyDictionaries& dictionaries) const;
  Value ValueOf(uint32_t index, PropertyId property, Type type, const PropertyDictionaries& dictionaries) const;
  // Events [begin, end); `out` is resized to end - begin in the members the type uses, and in `present`.
  void ReadColumn(PropertyId property, Type type, uint32_t begin, uint32_t end, const PropertyDictionaries& dictionaries,
                  EventColumn* out) const;
  void ReadTimes(uint32_t begin, uint32_t end, std::vector<int64_t>* out) const;

  // Adds in order (after events of equal time) and returns its index.
  uint32_t Add(const EventToAdd& event, PropertyDictionaries* dictionaries);
  // Removes the oldest `count` events.
  void RemoveOldest(uint32_t count);

  size_t MemoryBytes() const;

 private:
  struct Directory;
  struct Place;

  // Up to 64 events are one chunk and nothing else; more get a directory. One pointer, its lowest bit tells which.
  Directory* directory() const {
    auto bits = reinterpret_cast<uintptr_t>(root_);
    return bits & 1 ? reinterpret_cast<Directory*>(bits & ~uintptr_t{1}) : nullptr;
  }
  std::span<uint8_t* const> Chunks() const;
  Place PlaceOf(uint32_t index) const;
  uint32_t StartOf(uint32_t chunk) const;
  uint32_t ChunkForTime(int64_t time_us, bool after_equals) const;
  uint32_t AddToChunk(uint32_t chunk, uint32_t at, const PreparedEvent& event, const PropertyDictionaries& dictionaries);
  bool Append(uint32_t chunk, const PreparedEvent& event);
  void InsertChunk(uint32_t at, uint8_t* block);
  void NoteGrowth(uint32_t chunk, uint32_t events);
  static void NoteMessage(Directory* d, uint64_t message_hash);
  void ReplaceChunk(uint32_t chunk, std::span<uint8_t* const> blocks);
  void MakeDirectory();
  void Clear();

  uint8_t* root_ = nullptr;
};

class PropertyDictionaries {
 public:
  const Dictionary* Find(PropertyId property) const;  // nullptr: no string was ever stored as a code
  // The code to store `text` under, or nullopt: store it inline.
  std::optional<Code> CodeFor(PropertyId property, std::string_view text);
  size_t MemoryBytes() const;

 private:
  struct Strings {
    Dictionary dictionary;
    uint64_t occurrences = 0;
    bool mostly_unique = false;  // once seen, for good: further strings are stored inline
  };
  std::vector<std::unique_ptr<Strings>> by_property_;
};

}  // namespace korrel
