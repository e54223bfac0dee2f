#include "index/posting.h"

#include <roaring/roaring.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace korrel {
namespace {

// The container's place in the bitmap's parallel arrays, or -1. Keys are ascending.
int FindContainer(const roaring_array_t& array, uint32_t block) {
  if (block > UINT16_MAX) return -1;
  const uint16_t* end = array.keys + array.size;
  const uint16_t* at = std::lower_bound(static_cast<const uint16_t*>(array.keys), end, static_cast<uint16_t>(block));
  return at != end && *at == block ? static_cast<int>(at - array.keys) : -1;
}

Posting::Container View(const void* container, uint8_t type) {
  Posting::Container view;
  switch (type) {
    case BITSET_CONTAINER_TYPE_CODE: {
      auto* bits = static_cast<const bitset_container_t*>(container);
      view.kind = Posting::Container::Kind::kBits;
      view.bits = bits->array;
      view.cardinality = static_cast<uint32_t>(bits->cardinality);
      break;
    }
    case ARRAY_CONTAINER_TYPE_CODE: {
      auto* array = static_cast<const array_container_t*>(container);
      view.kind = Posting::Container::Kind::kArray;
      view.values = array->array;
      view.size = view.cardinality = static_cast<uint32_t>(array->cardinality);
      break;
    }
    case RUN_CONTAINER_TYPE_CODE: {
      auto* runs = static_cast<const run_container_t*>(container);
      static_assert(sizeof(rle16_t) == 2 * sizeof(uint16_t));
      view.kind = Posting::Container::Kind::kRuns;
      view.values = reinterpret_cast<const uint16_t*>(runs->runs);
      view.size = static_cast<uint32_t>(runs->n_runs);
      for (uint32_t i = 0; i < view.size; ++i) view.cardinality += view.values[2 * i + 1] + 1u;
      break;
    }
    default:
      // Copy-on-write is never switched on, so that shared containers cannot exist.
      std::fputs("posting: shared container\n", stderr);
      std::abort();
  }
  return view;
}

void SetRun(uint32_t first, uint32_t last, uint64_t* words) {
  const uint32_t first_word = first / 64, last_word = last / 64;
  const uint64_t first_mask = ~uint64_t{0} << (first % 64), last_mask = ~uint64_t{0} >> (63 - last % 64);
  if (first_word == last_word) {
    words[first_word] |= first_mask & last_mask;
    return;
  }
  words[first_word] |= first_mask;
  for (uint32_t word = first_word + 1; word < last_word; ++word) words[word] = ~uint64_t{0};
  words[last_word] |= last_mask;
}

}  // namespace

struct Posting::Impl {
  Impl() : bitmap(roaring_bitmap_create()) {
    if (!bitmap) throw std::bad_alloc();
  }
  ~Impl() { roaring_bitmap_free(bitmap); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  roaring_bitmap_t* bitmap;
  // Kept here: CRoaring would add up all containers.
  uint64_t count = 0;
};

Posting::Posting() : impl_(std::make_unique<Impl>()) {}
Posting::~Posting() = default;
Posting::Posting(Posting&&) noexcept = default;
Posting& Posting::operator=(Posting&&) noexcept = default;

void Posting::Add(Row row) { impl_->count += roaring_bitmap_add_checked(impl_->bitmap, row.value); }
void Posting::Remove(Row row) { impl_->count -= roaring_bitmap_remove_checked(impl_->bitmap, row.value); }
bool Posting::Contains(Row row) const { return roaring_bitmap_contains(impl_->bitmap, row.value); }
uint64_t Posting::count() const { return impl_->count; }
uint32_t Posting::CountInBlock(uint32_t block) const { return Block(block).cardinality; }

Posting::Container Posting::Block(uint32_t block) const {
  const roaring_array_t& array = impl_->bitmap->high_low_container;
  const int at = FindContainer(array, block);
  return at < 0 ? Container{} : View(array.containers[at], array.typecodes[at]);
}

void Posting::OrInto(uint32_t block, uint64_t* words) const { Expand(Block(block), words); }

void Posting::Expand(const Container& container, uint64_t* words, uint32_t first_word, uint32_t end_word) {
  const uint32_t first_row = first_word * 64, end_row = end_word * 64;
  switch (container.kind) {
    case Container::Kind::kEmpty:
      break;
    case Container::Kind::kBits:
      for (uint32_t i = first_word; i < end_word; ++i) words[i] |= container.bits[i];
      break;
    case Container::Kind::kArray: {
      const uint16_t* const end = container.values + container.size;
      for (const uint16_t* row = std::lower_bound(container.values, end, first_row); row != end && *row < end_row; ++row)
        words[*row / 64] |= uint64_t{1} << (*row % 64);
      break;
    }
    case Container::Kind::kRuns:
      for (uint32_t i = 0; i < container.size; ++i) {
        const uint32_t first = std::max<uint32_t>(container.values[2 * i], first_row);
        const uint32_t end = std::min<uint32_t>(container.values[2 * i] + container.values[2 * i + 1] + 1u, end_row);
        if (first < end) SetRun(first, end - 1, words);
      }
      break;
  }
}

size_t Posting::MemoryBytes() const {
  const roaring_array_t& array = impl_->bitmap->high_low_container;
  size_t bytes = sizeof(Impl) + sizeof(roaring_bitmap_t) +
                 static_cast<size_t>(array.allocation_size) * (sizeof(void*) + sizeof(uint16_t) + sizeof(uint8_t));
  for (int i = 0; i < array.size; ++i) {
    switch (array.typecodes[i]) {
      case BITSET_CONTAINER_TYPE_CODE:
        bytes += sizeof(bitset_container_t) + kBlockRows / 8;
        break;
      case ARRAY_CONTAINER_TYPE_CODE:
        bytes += sizeof(array_container_t) + 2 * static_cast<size_t>(static_cast<array_container_t*>(array.containers[i])->capacity);
        break;
      default:
        bytes += sizeof(run_container_t) + 4 * static_cast<size_t>(static_cast<run_container_t*>(array.containers[i])->capacity);
    }
  }
  return bytes;
}

}  // namespace korrel
