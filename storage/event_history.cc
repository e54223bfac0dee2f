#include "storage/event_history.h"

#include <malloc.h>

#include <algorithm>
#include <bit>

#include "storage/event_chunk.h"

namespace korrel {
namespace {

// Above this many events a history keeps a Bloom filter of its message hashes; below, a scan is quick enough.
constexpr uint32_t kFilteredFrom = 1024;
constexpr uint32_t kFilterBitsPerEvent = 16;

// Chunks of fewer events are encoded anew when they outgrow their block, which finds them a shorter form; larger ones are copied.
constexpr uint32_t kCopiedFrom = 16;

// Says of most message hashes that they are not held, with one or two bytes an event instead of the ten and more of a hash set:
// what it does not exclude is looked for in the chunks. It forgets nothing until it is rebuilt.
class MessageFilter {
 public:
  void Rebuild(const std::vector<uint64_t>& hashes) {
    added_max_ = std::max<uint64_t>(hashes.size() * 2, kFilteredFrom);
    words_.assign(std::bit_ceil(added_max_ * kFilterBitsPerEvent / 2) / 64, 0);
    added_ = 0;
    for (uint64_t hash : hashes) Add(hash);
  }
  bool wants_rebuild() const { return added_ >= added_max_; }
  void Add(uint64_t hash) {
    ++added_;
    ForEachBit(hash, [this](uint64_t bit) { words_[bit / 64] |= uint64_t{1} << (bit % 64); });
  }
  bool MayHold(uint64_t hash) const {
    bool all = true;
    ForEachBit(hash, [&](uint64_t bit) { all = all && (words_[bit / 64] >> (bit % 64) & 1); });
    return all;
  }
  size_t MemoryBytes() const { return words_.capacity() * sizeof(uint64_t); }

 private:
  template <class Visit>
  void ForEachBit(uint64_t hash, Visit visit) const {
    uint64_t mask = words_.size() * 64 - 1;
    // Fibonacci hashing, in case the caller's hashes differ in few bits; double hashing for the four probes.
    uint64_t first = hash * 0x9E3779B97F4A7C15, step = (first >> 32) | 1;
    for (int i = 0; i < 4; ++i, first += step) visit((first ^ first >> 29) & mask);
  }

  std::vector<uint64_t> words_;  // a power of two of bits
  uint64_t added_ = 0, added_max_ = 0;
};

PreparedEvent* ThreadPrepared() {
  thread_local PreparedEvent prepared;
  return &prepared;
}

DecodedChunk* ThreadDecoded() {
  thread_local DecodedChunk decoded;
  return &decoded;
}

template <class T>
void ResizeZeroed(size_t size, std::vector<T>* values) {
  values->assign(size, T{});
}

}  // namespace

struct EventHistory::Directory {
  std::vector<uint8_t*> chunks;
  std::vector<uint32_t> starts;  // index of each chunk's first event
  uint32_t size = 0;
  std::unique_ptr<MessageFilter> filter;
};

struct EventHistory::Place {
  EventChunk chunk;
  uint32_t index;
};

std::span<uint8_t* const> EventHistory::Chunks() const {
  if (const Directory* d = directory()) return d->chunks;
  return {&root_, root_ ? size_t{1} : 0};
}

void EventHistory::Clear() {
  for (uint8_t* block : Chunks()) EventChunk::Free(block);
  delete directory();
  root_ = nullptr;
}

uint32_t EventHistory::size() const {
  if (const Directory* d = directory()) return d->size;
  return root_ ? EventChunk(Chunks()[0]).size() : 0;
}

uint32_t EventHistory::StartOf(uint32_t chunk) const { return directory() ? directory()->starts[chunk] : 0; }

EventHistory::Place EventHistory::PlaceOf(uint32_t index) const {
  const Directory* d = directory();
  if (!d) return {EventChunk(Chunks()[0]), index};
  auto behind = std::upper_bound(d->starts.begin(), d->starts.end(), index);
  auto chunk = static_cast<uint32_t>(behind - d->starts.begin()) - 1;
  return {EventChunk(d->chunks[chunk]), index - d->starts[chunk]};
}

int64_t EventHistory::TimeOf(uint32_t index) const {
  Place place = PlaceOf(index);
  return place.chunk.TimeOf(place.index);
}

SourceId EventHistory::SourceOf(uint32_t index) const {
  Place place = PlaceOf(index);
  return place.chunk.SourceOf(place.index);
}

// The last chunk whose first event is before the time (or at it, with `after_equals`); the first chunk where there is none.
uint32_t EventHistory::ChunkForTime(int64_t time_us, bool after_equals) const {
  std::span<uint8_t* const> chunks = Chunks();
  auto begins_before = [&](uint8_t* block) {
    int64_t first = EventChunk(block).TimeOf(0);
    return first < time_us || (after_equals && first == time_us);
  };
  auto behind = std::partition_point(chunks.begin(), chunks.end(), begins_before);
  return behind == chunks.begin() ? 0 : static_cast<uint32_t>(behind - chunks.begin()) - 1;
}

uint32_t EventHistory::LowerBound(int64_t time_us) const {
  if (!root_) return 0;
  uint32_t chunk = ChunkForTime(time_us, false);
  return StartOf(chunk) + EventChunk(Chunks()[chunk]).LowerBound(time_us);
}

uint32_t EventHistory::UpperBound(int64_t time_us) const {
  if (!root_) return 0;
  uint32_t chunk = ChunkForTime(time_us, true);
  return StartOf(chunk) + EventChunk(Chunks()[chunk]).UpperBound(time_us);
}

bool EventHistory::HasMessage(uint64_t message_hash) const {
  if (const Directory* d = directory(); d && d->filter && !d->filter->MayHold(message_hash)) return false;
  for (uint8_t* block : Chunks())
    if (EventChunk chunk(block); chunk.HasMessage(message_hash, 0, chunk.size())) return true;
  return false;
}

bool EventHistory::HasMessage(uint64_t message_hash, int64_t likely_time_us) const {
  const Directory* d = directory();
  if (!d) return HasMessage(message_hash);
  if (d->filter && !d->filter->MayHold(message_hash)) return false;
  uint32_t begin = LowerBound(likely_time_us), end = UpperBound(likely_time_us);
  while (begin < end) {
    Place place = PlaceOf(begin);
    uint32_t count = std::min(end - begin, place.chunk.size() - place.index);
    if (place.chunk.HasMessage(message_hash, place.index, place.index + count)) return true;
    begin += count;
  }
  return HasMessage(message_hash);
}

bool EventHistory::HasMessageFrom(uint32_t begin, uint64_t message_hash) const {
  if (const Directory* d = directory(); d && d->filter && !d->filter->MayHold(message_hash)) return false;
  for (uint32_t end = size(); begin < end;) {
    Place place = PlaceOf(begin);
    if (place.chunk.HasMessage(message_hash, place.index, place.chunk.size())) return true;
    begin += place.chunk.size() - place.index;
  }
  return false;
}

EventCell EventHistory::CellOf(uint32_t index, PropertyId property, Type type, const PropertyDictionaries& dictionaries) const {
  Place place = PlaceOf(index);
  EventChunk::Column column;
  if (!place.chunk.FindColumn(property, &column)) return {};
  EventCell cell = place.chunk.CellOf(column, place.index, dictionaries);
  if (cell.present) WidenCell(column.type, type, &cell);
  return cell;
}

Value EventHistory::ValueOf(uint32_t index, PropertyId property, Type type, const PropertyDictionaries& dictionaries) const {
  EventCell cell = CellOf(index, property, type, dictionaries);
  if (!cell.present) return {};
  switch (type.kind) {
    case ValueKind::kBool:
      return cell.i != 0;
    case ValueKind::kInt:
      return cell.i;
    case ValueKind::kDecimal:
      return Decimal{cell.i, type.scale};
    case ValueKind::kDouble:
      return cell.d;
    case ValueKind::kString:
      return std::string(cell.text);
    case ValueKind::kTimestamp:
      return Timestamp{cell.i};
    case ValueKind::kSet:
      return DecodeSet(cell.text);
    default:
      return {};
  }
}

void EventHistory::ReadColumn(PropertyId property, Type type, uint32_t begin, uint32_t end, const PropertyDictionaries& dictionaries,
                              EventColumn* out) const {
  size_t size = end - begin, at = 0;
  ResizeZeroed(size, &out->present);
  if (type.kind == ValueKind::kDouble) ResizeZeroed(size, &out->doubles);
  else if (type.kind == ValueKind::kString) ResizeZeroed(size, &out->texts);
  else ResizeZeroed(size, &out->ints);
  const Dictionary* dictionary = dictionaries.Find(property);
  while (begin < end) {
    Place place = PlaceOf(begin);
    uint32_t count = std::min(end - begin, place.chunk.size() - place.index);
    if (EventChunk::Column column; place.chunk.FindColumn(property, &column))
      place.chunk.ReadColumn(column, type, place.index, place.index + count, dictionary, at, out);
    begin += count;
    at += count;
  }
}

void EventHistory::ReadTimes(uint32_t begin, uint32_t end, std::vector<int64_t>* out) const {
  out->resize(end - begin);
  for (int64_t* at = out->data(); begin < end;) {
    Place place = PlaceOf(begin);
    uint32_t count = std::min(end - begin, place.chunk.size() - place.index);
    place.chunk.AppendTimes(place.index, place.index + count, at);
    begin += count;
    at += count;
  }
}

uint32_t EventHistory::Add(const EventToAdd& event, PropertyDictionaries* dictionaries) {
  PreparedEvent* prepared = ThreadPrepared();
  PrepareEvent(event, dictionaries, prepared);
  uint32_t chunk = 0, at = 0;
  if (root_) {
    chunk = static_cast<uint32_t>(Chunks().size()) - 1;
    EventChunk last(Chunks()[chunk]);
    at = last.size();
    if (last.TimeOf(at - 1) > event.time_us) {  // late: not the newest of all
      chunk = ChunkForTime(event.time_us, true);
      at = EventChunk(Chunks()[chunk]).UpperBound(event.time_us);
    }
  }
  uint32_t index = AddToChunk(chunk, at, *prepared, *dictionaries);
  if (Directory* d = directory(); d && event.message_hash != 0) NoteMessage(d, event.message_hash);
  return index;
}

uint32_t EventHistory::AddToChunk(uint32_t chunk, uint32_t at, const PreparedEvent& event, const PropertyDictionaries& dictionaries) {
  uint32_t chunk_count = static_cast<uint32_t>(Chunks().size());
  DecodedChunk* decoded = ThreadDecoded();
  if (chunk_count > 0) {
    EventChunk there(Chunks()[chunk]);
    uint32_t size = there.size();
    // The last event of a full chunk has it encoded anew, as tightly as it goes.
    bool completes = size + 1 == kChunkEventsMax;
    if (at == size && !completes && Append(chunk, event)) return StartOf(chunk) + at;
    there = EventChunk(Chunks()[chunk]);
    if (!there.IsFull()) {
      there.Decode(decoded);
      decoded->Insert(at, event, dictionaries);
      bool grows = at == size && !completes && chunk > 0 && chunk + 1 == chunk_count;
      uint8_t* block = EncodeChunk(*decoded, 0, decoded->size, grows ? Chunks()[chunk - 1] : nullptr);
      ReplaceChunk(chunk, {&block, 1});
      return StartOf(chunk) + at;
    }
    // Between two full chunks (or at either end) begins a new one; inside a full one it is split.
    if (at == size && chunk + 1 < chunk_count && !EventChunk(Chunks()[chunk + 1]).IsFull())
      return AddToChunk(chunk + 1, 0, event, dictionaries);
    if (at != 0 && at != size) {
      there.Decode(decoded);
      uint8_t* halves[] = {EncodeChunk(*decoded, 0, size / 2), EncodeChunk(*decoded, size / 2, size)};
      ReplaceChunk(chunk, halves);
      bool second = at > size / 2;
      return AddToChunk(chunk + second, second ? at - size / 2 : at, event, dictionaries);
    }
    chunk += at != 0;
  }
  decoded->Clear();
  decoded->Insert(0, event, dictionaries);
  uint8_t* block = EncodeChunk(*decoded, 0, 1, chunk > 0 && chunk == chunk_count ? Chunks()[chunk - 1] : nullptr);
  InsertChunk(chunk, block);
  return StartOf(chunk);
}

bool EventHistory::Append(uint32_t chunk, const PreparedEvent& event) {
  EventChunk there(Chunks()[chunk]);
  if (there.size() >= kCopiedFrom && !there.IsFull()) {
    if (uint8_t* grown = there.Grown()) {
      ReplaceChunk(chunk, {&grown, 1});
      there = EventChunk(grown);
    }
  }
  if (!there.TryAppend(event)) return false;
  NoteGrowth(chunk, 1);
  return true;
}

void EventHistory::NoteGrowth(uint32_t chunk, uint32_t events) {
  Directory* d = directory();
  if (!d) return;
  d->size += events;
  for (size_t i = chunk + 1; i < d->starts.size(); ++i) d->starts[i] += events;
}

void EventHistory::MakeDirectory() {
  auto* d = new Directory;
  if (root_) {
    d->chunks.push_back(root_);
    d->starts.push_back(0);
    d->size = EventChunk(d->chunks[0]).size();
  }
  root_ = reinterpret_cast<uint8_t*>(reinterpret_cast<uintptr_t>(d) | 1);
}

void EventHistory::InsertChunk(uint32_t at, uint8_t* block) {
  if (!root_) {
    root_ = block;
    return;
  }
  if (!directory()) MakeDirectory();
  Directory* d = directory();
  d->chunks.insert(d->chunks.begin() + at, block);
  d->starts.insert(d->starts.begin() + at, at < d->starts.size() ? d->starts[at] : d->size);
  NoteGrowth(at, EventChunk(block).size());
}

// Puts one or more blocks where a chunk was; frees the old one.
void EventHistory::ReplaceChunk(uint32_t chunk, std::span<uint8_t* const> blocks) {
  uint8_t* old = Chunks()[chunk];
  uint32_t old_size = EventChunk(old).size();
  EventChunk::Free(old);
  if (!directory() && blocks.size() == 1) {
    root_ = blocks[0];
    return;
  }
  if (!directory()) {
    root_ = nullptr;
    for (uint32_t i = 0; i < blocks.size(); ++i) InsertChunk(i, blocks[i]);
    return;
  }
  Directory* d = directory();
  d->chunks[chunk] = blocks[0];
  NoteGrowth(chunk, EventChunk(blocks[0]).size() - old_size);  // may go back: unsigned, so it comes out right
  for (uint32_t i = 1; i < blocks.size(); ++i) InsertChunk(chunk + i, blocks[i]);
}

void EventHistory::NoteMessage(Directory* d, uint64_t message_hash) {
  if (d->filter && !d->filter->wants_rebuild()) return d->filter->Add(message_hash);
  if (d->size <= kFilteredFrom) return;
  std::vector<uint64_t> hashes;
  hashes.reserve(d->size);
  for (uint8_t* block : d->chunks) EventChunk(block).AppendHashes(&hashes);
  if (!d->filter) d->filter = std::make_unique<MessageFilter>();
  d->filter->Rebuild(hashes);
}

void EventHistory::RemoveOldest(uint32_t count) {
  if (count >= size()) return Clear();
  Directory* d = directory();
  if (!d) return EventChunk(Chunks()[0]).RemoveOldest(count);
  uint32_t whole = 0, left = count;
  for (; left >= EventChunk(d->chunks[whole]).size(); ++whole) {
    left -= EventChunk(d->chunks[whole]).size();
    EventChunk::Free(d->chunks[whole]);
  }
  d->chunks.erase(d->chunks.begin(), d->chunks.begin() + whole);
  d->starts.erase(d->starts.begin(), d->starts.begin() + whole);
  if (left > 0) EventChunk(d->chunks[0]).RemoveOldest(left);
  d->size -= count;
  d->starts[0] = 0;
  for (size_t i = 1; i < d->starts.size(); ++i) d->starts[i] -= count;
}

size_t EventHistory::MemoryBytes() const {
  size_t bytes = 0;
  for (uint8_t* block : Chunks()) bytes += EventChunk::MemoryBytes(block);
  if (Directory* d = directory()) {
    bytes += malloc_usable_size(d) + d->chunks.capacity() * sizeof(uint8_t*) + d->starts.capacity() * sizeof(uint32_t);
    if (d->filter) bytes += sizeof(MessageFilter) + d->filter->MemoryBytes();
  }
  return bytes;
}

}  // namespace korrel
