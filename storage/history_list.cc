#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "storage/profile_table_impl.h"

namespace korrel {

struct HistoryList::Block {
  uint64_t count;
  Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
};

HistoryList::Block* HistoryList::Allocate(uint32_t count) {
  void* memory = std::malloc(sizeof(Block) + count * sizeof(Entry));
  if (!memory) throw std::bad_alloc();
  return new (memory) Block{count};
}

std::span<HistoryList::Entry> HistoryList::entries() const {
  if (!block_) return {};
  return {block_->entries(), block_->count};
}

EventHistory* HistoryList::Find(EventTypeId type) const {
  for (Entry& entry : entries())
    if (entry.type == type) return &entry.history;
  return nullptr;
}

EventHistory* HistoryList::FindOrAdd(EventTypeId type) {
  if (EventHistory* history = Find(type)) return history;
  std::span<Entry> old = entries();
  size_t at = 0;
  while (at < old.size() && old[at].type < type) ++at;
  Block* block = Allocate(static_cast<uint32_t>(old.size()) + 1);
  std::uninitialized_move(old.begin(), old.begin() + at, block->entries());
  new (block->entries() + at) Entry{type, EventHistory()};
  std::uninitialized_move(old.begin() + at, old.end(), block->entries() + at + 1);
  Clear();
  block_ = block;
  return &block_->entries()[at].history;
}

void HistoryList::Remove(EventTypeId type) {
  std::span<Entry> old = entries();
  if (!Find(type)) return;
  Block* block = old.size() == 1 ? nullptr : Allocate(static_cast<uint32_t>(old.size()) - 1);
  Entry* to = block ? block->entries() : nullptr;
  for (Entry& entry : old)
    if (entry.type != type) new (to++) Entry(std::move(entry));
  Clear();
  block_ = block;
}

void HistoryList::Clear() {
  if (!block_) return;
  std::span<Entry> old = entries();
  std::destroy(old.begin(), old.end());
  std::free(block_);
  block_ = nullptr;
}

size_t HistoryList::MemoryBytes() const { return block_ ? malloc_usable_size(block_) : 0; }

}  // namespace korrel
