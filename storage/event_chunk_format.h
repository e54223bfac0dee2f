// storage/event_chunk_format.h
//
// The constants of an EventChunk's column descriptions, shared by its reader and its encoder:
//
//   time       unit (index into kTimeUnitsUs), field
//   source     field
//   hash       field
//   property   id - previous id - 1 (varint) · kind and flags (1) · [decimal's scale (1)] · [scale of scaled doubles (1)] · field
//   field      bits of an offset, kIndexedFlag (1) · base (zigzag varint) · [index bits << 5 | (table entries in use - 1) (1)]
#pragma once

#include <cmath>
#include <cstdint>

namespace korrel {

inline constexpr int64_t kTimeUnitsUs[] = {1, 1'000, 1'000'000, 60'000'000, 3'600'000'000, 86'400'000'000};
inline constexpr int kTimeUnitCount = 6;

inline constexpr uint8_t kIndexedFlag = 0x80;   // of a field's bits
inline constexpr uint8_t kDistinctMask = 0x1F;  // of a table's byte
inline constexpr int kIndexBitsMax = 5;

inline constexpr uint8_t kKindMask = 0x0F;  // a ValueKind
inline constexpr uint8_t kPresenceFlag = 0x10;
inline constexpr uint8_t kInlineFlag = 0x20;
inline constexpr uint8_t kScaledFlag = 0x40;

// Doubles that people write are decimals: 0.43 is stored as 43 of scale 2. Exact, because both 43 and 100 are doubles and a
// division is correctly rounded.
inline constexpr int kDoubleScaleMax = 6;
inline constexpr double kDoublePowersOf10[kDoubleScaleMax + 1] = {1, 10, 100, 1'000, 10'000, 100'000, 1'000'000};

inline double ScaledToDouble(int64_t scaled, int scale) { return static_cast<double>(scaled) / kDoublePowersOf10[scale]; }

inline bool DoubleToScaled(double value, int scale, int64_t* scaled) {
  double product = value * kDoublePowersOf10[scale];
  if (!(std::fabs(product) < 9007199254740992.0)) return false;  // 2^53
  *scaled = static_cast<int64_t>(product < 0 ? product - 0.5 : product + 0.5);
  return ScaledToDouble(*scaled, scale) == value;
}

}  // namespace korrel
