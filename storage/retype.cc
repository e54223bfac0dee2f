#include "storage/retype.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/time/time.h"

namespace korrel {
namespace {

// "-12.50e-1" as -1250 of scale 3, then brought to `scale`; nullopt where it is no number or not exact in an int64.
std::optional<int64_t> ParseUnscaled(std::string_view text, int scale) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  size_t exponent_at = text.find_first_of("eE");
  int exponent = 0;
  if (exponent_at != std::string_view::npos) {
    std::string_view digits = text.substr(exponent_at + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (error != std::errc() || end != digits.data() + digits.size() || exponent < -400 || exponent > 400) return std::nullopt;
    text = text.substr(0, exponent_at);
  }
  int128 unscaled = 0;
  int fraction_digits = 0, digit_count = 0;
  bool in_fraction = false;
  int zeros = 0;  // trailing ones are held back: they may be too many to multiply in
  for (char c : text) {
    if (c == '.' && !in_fraction) {
      in_fraction = true;
      continue;
    }
    if (c < '0' || c > '9') return std::nullopt;
    ++digit_count;
    fraction_digits += in_fraction;
    if (c == '0') {
      ++zeros;
      continue;
    }
    for (int i = unscaled == 0 ? zeros : 0; i <= zeros; ++i)
      if ((unscaled *= 10) > int128{INT64_MAX} * 10) return std::nullopt;
    unscaled += c - '0';
    zeros = 0;
  }
  if (digit_count == 0) return std::nullopt;
  if (unscaled == 0) return 0;
  int power = scale + exponent - fraction_digits + zeros;
  for (; power > 0; --power)
    if ((unscaled *= 10) > int128{INT64_MAX} + 1) return std::nullopt;
  for (; power < 0; ++power) {
    if (unscaled % 10 != 0) return std::nullopt;
    unscaled /= 10;
  }
  if (negative) unscaled = -unscaled;
  if (unscaled > INT64_MAX || unscaled < INT64_MIN) return std::nullopt;
  return static_cast<int64_t>(unscaled);
}

std::optional<Value> ParseNumber(std::string_view text, Type type) {
  if (type.kind != ValueKind::kDouble) {
    std::optional<int64_t> unscaled = ParseUnscaled(text, type.scale);
    if (!unscaled) return std::nullopt;
    return type.kind == ValueKind::kInt ? Value(*unscaled) : Value(Decimal{*unscaled, type.scale});
  }
  if (text.starts_with('+')) text.remove_prefix(1);
  double number;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return Value(number == 0 ? 0.0 : number);
}

std::optional<Value> ParseTimestamp(std::string_view text) {
  absl::Time time;
  if (text.find('T') == std::string_view::npos && text.find('t') == std::string_view::npos) {
    if (!absl::ParseTime("%Y-%m-%d", Abseil(text), &time, nullptr)) return std::nullopt;
  } else if (!absl::ParseTime(absl::RFC3339_full, Abseil(text), &time, nullptr)) {
    return std::nullopt;
  }
  int64_t us = absl::ToUnixMicros(time);
  if (!InTimestampRange(us)) return std::nullopt;
  return Value(Timestamp{us});
}

std::optional<Value> FromText(const std::string& text, Type type) {
  switch (type.kind) {
    case ValueKind::kBool:
      if (text != "true" && text != "false") return std::nullopt;
      return Value(text == "true");
    case ValueKind::kInt:
    case ValueKind::kDecimal:
    case ValueKind::kDouble:
      return ParseNumber(text, type);
    case ValueKind::kTimestamp:
      return ParseTimestamp(text);
    case ValueKind::kSet:
      return Value(StringSet{text});
    default:
      return std::nullopt;
  }
}

std::optional<Value> ToText(const Value& value) {
  const auto* set = std::get_if<StringSet>(&value);
  if (!set) return Value(DisplayValue(value));
  if (set->size() != 1) return std::nullopt;
  return Value(set->front());
}

}  // namespace

std::optional<Value> Retype(const Value& value, Type type) {
  if (TypeOf(value) == type) return value;
  if (type == kStringType) return ToText(value);
  if (const auto* text = std::get_if<std::string>(&value)) return FromText(*text, type);
  if (const auto* number = std::get_if<double>(&value); number && IsExactNumber(type)) return ParseNumber(FormatDouble(*number), type);
  if (const auto* truth = std::get_if<bool>(&value); truth && type == kIntType) return Value(int64_t{*truth});
  if (const auto* number = std::get_if<int64_t>(&value); number && type == kBoolType) {
    if (*number != 0 && *number != 1) return std::nullopt;
    return Value(*number == 1);
  }
  return ConvertExactly(value, type);
}

}  // namespace korrel
