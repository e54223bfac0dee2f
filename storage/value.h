// storage/value.h
//
// The value types of attributes and event properties, the strong ids that name things, and the exact conversions between
// numeric types.
//
// Invariants  A double in the database is finite and never -0.0. A set is sorted by bytes and has no duplicates. A string is
//             valid UTF-8 of at most kStringBytesMax bytes. Timestamps lie in years 0001–9999 UTC.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/status.h"

namespace korrel {

using int128 = __int128;

// kDuration (microseconds) exists inside expressions only; no attribute or property holds one.
enum class ValueKind : uint8_t { kNone = 0, kBool, kInt, kDecimal, kDouble, kString, kTimestamp, kSet, kDuration };

// A type is a kind and, for decimals, a scale (0–18). Two types are equal when both are.
struct Type {
  ValueKind kind = ValueKind::kNone;
  uint8_t scale = 0;
  friend bool operator==(const Type&, const Type&) = default;
};

inline constexpr Type kBoolType{ValueKind::kBool};
inline constexpr Type kIntType{ValueKind::kInt};
inline constexpr Type kDoubleType{ValueKind::kDouble};
inline constexpr Type kStringType{ValueKind::kString};
inline constexpr Type kTimestampType{ValueKind::kTimestamp};
inline constexpr Type kSetType{ValueKind::kSet};
inline constexpr Type kDurationType{ValueKind::kDuration};
constexpr Type DecimalType(int scale) { return {ValueKind::kDecimal, static_cast<uint8_t>(scale)}; }
inline bool IsNumber(Type t) { return t.kind == ValueKind::kInt || t.kind == ValueKind::kDecimal || t.kind == ValueKind::kDouble; }
inline bool IsExactNumber(Type t) { return t.kind == ValueKind::kInt || t.kind == ValueKind::kDecimal; }

// "int", "decimal(2)", "set", …
std::string TypeName(Type type);
// The inverse; nullopt for anything else. Case-sensitive.
std::optional<Type> ParseTypeName(std::string_view text);

// Microseconds since 1970-01-01T00:00:00Z. Within [kTimestampMin, kTimestampMax].
struct Timestamp {
  int64_t us = 0;
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};
inline constexpr int64_t kTimestampMinUs = -62135596800000000;  // 0001-01-01T00:00:00Z
inline constexpr int64_t kTimestampMaxUs = 253402300799999999;  // 9999-12-31T23:59:59.999999Z
inline bool InTimestampRange(int64_t us) { return us >= kTimestampMinUs && us <= kTimestampMaxUs; }

struct Decimal {
  int64_t unscaled = 0;                                              // the value is unscaled / 10^scale
  uint8_t scale = 0;                                                 // 0–18
  friend bool operator==(const Decimal&, const Decimal&) = default;  // representation, not number: 1.0 != 1.00
};

using StringSet = std::vector<std::string>;  // sorted by bytes, distinct

// std::monostate is absent.
using Value = std::variant<std::monostate, bool, int64_t, Decimal, double, std::string, Timestamp, StringSet>;

inline bool IsPresent(const Value& v) { return v.index() != 0; }
// The type of a present value; {kNone} for absent.
Type TypeOf(const Value& value);
// For people and error messages: strings in single quotes, timestamps RFC 3339, sets in braces, absent as "absent".
std::string DisplayValue(const Value& value);

inline constexpr size_t kNameBytesMax = 128;
inline constexpr size_t kStringBytesMax = 64 * 1024;
inline constexpr size_t kSetItemsMax = 10'000;
inline constexpr size_t kRowBytesMax = 1 << 20;

// Checks one value from outside and brings it to the invariants above: sorts and de-duplicates a set, turns -0.0 into 0.0.
// Errors: kInvalidArgument FIELD for NaN, infinity, bad UTF-8, a string or set over its limit, a scale over 18, a timestamp
// out of range.
Status Normalize(Value* value, std::string_view field);

// Whether `name` may name an attribute, event type, property or segment: 1–128 bytes of UTF-8 without control characters.
Status CheckName(std::string_view name, std::string_view what);

bool IsValidUtf8(std::string_view text);

// ---- Exact numeric conversion ----

inline constexpr int64_t kPowersOf10[19] = {1,
                                            10,
                                            100,
                                            1'000,
                                            10'000,
                                            100'000,
                                            1'000'000,
                                            10'000'000,
                                            100'000'000,
                                            1'000'000'000,
                                            10'000'000'000,
                                            100'000'000'000,
                                            1'000'000'000'000,
                                            10'000'000'000'000,
                                            100'000'000'000'000,
                                            1'000'000'000'000'000,
                                            10'000'000'000'000'000,
                                            100'000'000'000'000'000,
                                            1'000'000'000'000'000'000};

// `value` converted to `type` without loss, or nullopt where that is impossible (an int of 2^53 + 1 to double, 0.125 to
// decimal(2), a string to anything else). Int and decimal convert among each other where exact; to double only where the
// double is exactly equal; a double becomes int or decimal never (a column does not narrow).
std::optional<Value> ConvertExactly(const Value& value, Type type);

// Whether some double equals unscaled / 10^scale; scale 0–18.
bool IsExactlyDouble(int64_t unscaled, int scale);

// The narrowest type an *undeclared* attribute or property of type `stored` may widen to so that it can hold `incoming`
// as well: int → decimal(s) → larger scale, int/decimal → double. nullopt: a type clash. Whether the stored values stay
// exact is checked by the caller, value by value.
std::optional<Type> WidenedType(Type stored, Type incoming);

// unscaled / 10^scale as the nearest double, ties to even; exact in 128 bits before the one rounding.
double ToNearestDouble(int128 unscaled, int scale);
// The quotient a/10^sa ÷ b/10^sb rounded once to nearest even; b != 0, scales 0–76.
double ExactQuotient(int128 a, int scale_a, int128 b, int scale_b);

// Decimal text for people and JSON: "-12.50", "7". Doubles in shortest form that reads back the same ("0.1", "1e+300").
std::string FormatDecimal(int64_t unscaled, int scale);
std::string FormatDouble(double value);
// RFC 3339 in UTC, as few fraction digits as needed: "2017-03-01T11:00:00Z", "…:00.5Z".
std::string FormatTimestamp(Timestamp t);

// ---- Ids ----
// Strong types: a Row is a profile's dense number inside its shard, a Code a string's number inside one dictionary.

template <class Tag, class Rep>
struct Id {
  Rep value{};
  constexpr Id() = default;
  constexpr explicit Id(Rep v) : value(v) {}
  friend auto operator<=>(const Id&, const Id&) = default;
  template <class H>
  friend H AbslHashValue(H h, const Id& id) {
    return H::combine(std::move(h), id.value);
  }
};
using ProfileId = Id<struct ProfileIdTag, uint64_t>;  // from 1, never reused
using Row = Id<struct RowTag, uint32_t>;
using Code = Id<struct CodeTag, uint32_t>;
using AttributeId = Id<struct AttributeIdTag, uint32_t>;  // dense from 0, database-wide, never reused
using EventTypeId = Id<struct EventTypeIdTag, uint32_t>;  // dense from 0, database-wide, never reused
using PropertyId = Id<struct PropertyIdTag, uint32_t>;    // dense from 0 inside its event type
using SegmentId = Id<struct SegmentIdTag, uint32_t>;      // dense from 0, database-wide, never reused
using SourceId = Id<struct SourceIdTag, uint16_t>;        // dense from 0, database-wide: who wrote
using IdentifierTypeId = Id<struct IdentifierTypeIdTag, uint16_t>;

// 16-bit epoch, 48-bit sequence; comparable. 0: before everything.
using Position = Id<struct PositionTag, uint64_t>;

inline constexpr uint32_t kBlockRows = 65'536;  // one roaring container, one unit of evaluation
inline constexpr uint32_t kBlockWords = kBlockRows / 64;

}  // namespace korrel
