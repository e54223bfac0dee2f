#include "engine/question/resume_token.h"

#include <xxhash.h>

#include <cstring>

namespace korrel {
namespace {

constexpr char kVersion = 1;

void Put(uint64_t number, size_t bytes, std::string* out) {
  for (size_t i = 0; i < bytes; ++i) out->push_back(static_cast<char>(number >> (8 * i)));
}

uint64_t Take(std::string_view* from, size_t bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < bytes; ++i) number |= uint64_t{static_cast<unsigned char>((*from)[i])} << (8 * i);
  from->remove_prefix(bytes);
  return number;
}

constexpr size_t kBodyBytes = 1 + 4 * 8 + 3 * 4 + 8;
constexpr size_t kTokenBytes = kBodyBytes + 8;

}  // namespace

std::string ResumeToken::Encode() const {
  std::string out(1, kVersion);
  for (uint64_t number : {request, meaning, revision, incarnation}) Put(number, 8, &out);
  for (uint32_t number : {shard_count, shard, row.value}) Put(number, 4, &out);
  Put(sent, 8, &out);
  Put(XXH3_64bits(out.data(), out.size()), 8, &out);
  return out;
}

StatusOr<ResumeToken> ResumeToken::Decode(std::string_view bytes) {
  const Status malformed = InvalidArgument("FIELD", "resume_token", "this is not a resume token of this version");
  if (bytes.size() != kTokenBytes || bytes[0] != kVersion) return malformed;
  std::string_view checksum = bytes.substr(kBodyBytes);
  if (Take(&checksum, 8) != XXH3_64bits(bytes.data(), kBodyBytes)) return malformed;
  bytes.remove_prefix(1);
  ResumeToken token;
  for (uint64_t* number : {&token.request, &token.meaning, &token.revision, &token.incarnation}) *number = Take(&bytes, 8);
  for (uint32_t* number : {&token.shard_count, &token.shard, &token.row.value}) *number = static_cast<uint32_t>(Take(&bytes, 4));
  token.sent = Take(&bytes, 8);
  return token;
}

TextHash& TextHash::Add(std::string_view text) {
  Put(text.size(), 8, &bytes_);
  bytes_.append(text);
  return *this;
}

TextHash& TextHash::Add(uint64_t number) {
  Put(number, 8, &bytes_);
  return *this;
}

uint64_t TextHash::Sum64() const { return XXH3_64bits(bytes_.data(), bytes_.size()); }

std::string TextHash::Sum128() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes_.data(), bytes_.size()));
  return std::string(reinterpret_cast<const char*>(canonical.digest), sizeof(canonical.digest));
}

}  // namespace korrel
