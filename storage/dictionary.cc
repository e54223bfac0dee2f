#include "storage/dictionary.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace korrel {
namespace {

constexpr uint32_t kCodesMax = 0xFFFFFFFE;
constexpr size_t kFirstArenaBytes = 1024, kArenaBytesMax = 64 * 1024;

// Strings packed one behind the other, each as its length in LEB128 and its bytes. Pages grow up to 64 KiB, so that a
// dictionary of three countries stays small.
class TextArena {
 public:
  const char* Add(std::string_view text) {
    size_t bytes = text.size() + 5;
    if (bytes > left_) OpenPage(bytes);
    char* start = at_;
    char* end = start;
    size_t length = text.size();
    for (; length >= 0x80; length >>= 7) *end++ = static_cast<char>(length | 0x80);
    *end++ = static_cast<char>(length);
    std::copy(text.begin(), text.end(), end);
    end += text.size();
    left_ -= static_cast<size_t>(end - start);
    at_ = end;
    return start;
  }
  static std::string_view Read(const char* at) {
    size_t length = 0;
    int shift = 0;
    for (; static_cast<unsigned char>(*at) >= 0x80; ++at, shift += 7) length |= static_cast<size_t>(*at & 0x7F) << shift;
    length |= static_cast<size_t>(*at++) << shift;
    return {at, length};
  }
  size_t MemoryBytes() const { return bytes_ + pages_.capacity() * sizeof(pages_[0]); }

 private:
  void OpenPage(size_t needed) {
    page_bytes_ = std::min(std::max(page_bytes_ * 2, kFirstArenaBytes), kArenaBytesMax);
    size_t size = std::max(page_bytes_, needed);
    pages_.push_back(std::make_unique<char[]>(size));
    at_ = pages_.back().get();
    left_ = size;
    bytes_ += size;
  }
  std::vector<std::unique_ptr<char[]>> pages_;
  char* at_ = nullptr;
  size_t left_ = 0, page_bytes_ = 0, bytes_ = 0;
};

}  // namespace

struct Dictionary::Impl {
  // The set holds codes alone (four bytes a slot) and finds the text through the entries. Impl never moves.
  struct Hash {
    using is_transparent = void;
    const Impl* impl;
    size_t operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }
    size_t operator()(uint32_t code) const { return (*this)(TextArena::Read(impl->texts[code])); }
  };
  struct Equal {
    using is_transparent = void;
    const Impl* impl;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(uint32_t code, std::string_view text) const { return TextArena::Read(impl->texts[code]) == text; }
    bool operator()(std::string_view text, uint32_t code) const { return (*this)(code, text); }
  };

  TextArena arena;
  std::vector<const char*> texts;
  std::vector<uint32_t> row_counts;
  absl::flat_hash_set<uint32_t, Hash, Equal> codes{0, Hash{this}, Equal{this}};
};

Dictionary::Dictionary() : impl_(std::make_unique<Impl>()) {}
Dictionary::~Dictionary() = default;
Dictionary::Dictionary(Dictionary&&) noexcept = default;
Dictionary& Dictionary::operator=(Dictionary&&) noexcept = default;

StatusOr<Code> Dictionary::Intern(std::string_view text) {
  if (auto it = impl_->codes.find(text); it != impl_->codes.end()) return Code(*it);
  if (impl_->texts.size() > kCodesMax)
    return MakeError(absl::StatusCode::kResourceExhausted, "LIMIT", "", "an attribute has too many distinct strings in one shard");
  auto code = static_cast<uint32_t>(impl_->texts.size());
  impl_->texts.push_back(impl_->arena.Add(text));
  impl_->row_counts.push_back(0);
  impl_->codes.insert(code);
  return Code(code);
}

std::optional<Code> Dictionary::Find(std::string_view text) const {
  auto it = impl_->codes.find(text);
  if (it == impl_->codes.end()) return std::nullopt;
  return Code(*it);
}

std::string_view Dictionary::Text(Code code) const { return TextArena::Read(impl_->texts[code.value]); }
uint32_t Dictionary::size() const { return static_cast<uint32_t>(impl_->texts.size()); }
uint32_t Dictionary::RowCount(Code code) const { return impl_->row_counts[code.value]; }
void Dictionary::AddRows(Code code, int32_t delta) { impl_->row_counts[code.value] += static_cast<uint32_t>(delta); }

size_t Dictionary::MemoryBytes() const {
  return sizeof(Impl) + impl_->arena.MemoryBytes() + impl_->texts.capacity() * sizeof(impl_->texts[0]) +
         impl_->row_counts.capacity() * sizeof(impl_->row_counts[0]) + impl_->codes.capacity() * (sizeof(uint32_t) + 1);
}

}  // namespace korrel
