// storage/bit_packing.h
//
// Values of 0 to 64 bits at any bit position of a byte block, least significant bit first, and LEB128 numbers between them: the
// alphabet of EventChunk.
//
// Invariants  A value at bit position p touches bytes [p / 8, p / 8 + 9); blocks end with kBitPadding bytes that may be touched and
//             hold nothing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace korrel {

inline constexpr uint32_t kBitPadding = 8;

inline uint64_t LowBits(uint32_t bits) { return bits >= 64 ? UINT64_MAX : (uint64_t{1} << bits) - 1; }

inline uint64_t ReadBits(const uint8_t* block, uint64_t position, uint32_t bits) {
  if (bits == 0) return 0;
  const uint8_t* at = block + (position >> 3);
  uint32_t shift = position & 7;
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  word >>= shift;
  if (shift + bits > 64) word |= uint64_t{at[8]} << (64 - shift);
  return word & LowBits(bits);
}

// Replaces the bits; the ones around keep their values.
inline void WriteBits(uint8_t* block, uint64_t position, uint32_t bits, uint64_t value) {
  if (bits == 0) return;
  uint8_t* at = block + (position >> 3);
  uint32_t shift = position & 7;
  uint64_t mask = LowBits(bits), word;
  std::memcpy(&word, at, sizeof(word));
  word = (word & ~(mask << shift)) | value << shift;
  std::memcpy(at, &word, sizeof(word));
  if (shift + bits > 64) at[8] = static_cast<uint8_t>((at[8] & ~(mask >> (64 - shift))) | value >> (64 - shift));
}

inline uint64_t ZigZag(int64_t value) { return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63); }
inline int64_t UnZigZag(uint64_t value) { return static_cast<int64_t>(value >> 1 ^ -(value & 1)); }

inline constexpr uint32_t kVarintBytesMax = 10;

inline uint64_t ReadVarint(const uint8_t** at) {
  uint64_t value = *(*at)++;
  if (value < 0x80) return value;
  value &= 0x7F;
  for (int shift = 7;; shift += 7) {
    uint64_t byte = *(*at)++;
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
}

inline uint8_t* WriteVarint(uint8_t* at, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<uint8_t>(value | 0x80);
  *at++ = static_cast<uint8_t>(value);
  return at;
}

inline uint32_t VarintBytes(uint64_t value) {
  uint32_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}

// A base at or below `lowest` that leaves `spare` unused offsets: non-negative values keep a base of 0 where that is near
// enough (codes start there), others get half of the spare room below and half above, so that a slightly lower value fits too.
inline int64_t BaseWithSlack(int64_t lowest, uint64_t spare) {
  if (lowest >= 0 && static_cast<uint64_t>(lowest) <= spare) return 0;
  uint64_t room_below = static_cast<uint64_t>(lowest) - static_cast<uint64_t>(INT64_MIN);
  return static_cast<int64_t>(static_cast<uint64_t>(lowest) - std::min(spare / 2, room_below));
}

}  // namespace korrel
