#include "storage/value.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace korrel {
namespace {

Status CheckText(std::string_view text, std::string_view field) {
  if (text.size() > kStringBytesMax)
    return InvalidArgument("FIELD", field, fmt::format("a string of {} bytes is over the limit of {}", text.size(), kStringBytesMax));
  if (!IsValidUtf8(text)) return InvalidArgument("FIELD", field, "a string is not valid UTF-8");
  return absl::OkStatus();
}

Status NormalizeSet(StringSet* set, std::string_view field) {
  for (const std::string& item : *set) KORREL_RETURN_IF_ERROR(CheckText(item, field));
  std::sort(set->begin(), set->end());
  set->erase(std::unique(set->begin(), set->end()), set->end());
  if (set->size() > kSetItemsMax)
    return InvalidArgument("FIELD", field, fmt::format("a set of {} items is over the limit of {}", set->size(), kSetItemsMax));
  return absl::OkStatus();
}

// unscaled * 10^digits, or nullopt where that leaves int64.
std::optional<int64_t> Rescale(int64_t unscaled, int digits) {
  int64_t result;
  if (__builtin_mul_overflow(unscaled, kPowersOf10[digits], &result)) return std::nullopt;
  return result;
}

std::string QuoteForPeople(std::string_view text) {
  std::string quoted = "'";
  for (char c : text) {
    if (c == '\'') quoted += '\'';
    quoted += c;
  }
  return quoted + "'";
}

struct Displayer {
  std::string operator()(std::monostate) const { return "absent"; }
  std::string operator()(bool b) const { return b ? "true" : "false"; }
  std::string operator()(int64_t i) const { return fmt::format("{}", i); }
  std::string operator()(Decimal d) const { return FormatDecimal(d.unscaled, d.scale); }
  std::string operator()(double d) const { return FormatDouble(d); }
  std::string operator()(const std::string& s) const { return QuoteForPeople(s); }
  std::string operator()(Timestamp t) const { return FormatTimestamp(t); }
  std::string operator()(const StringSet& set) const {
    std::string result = "{";
    for (const std::string& item : set) result += (result.size() > 1 ? ", " : "") + QuoteForPeople(item);
    return result + "}";
  }
};

}  // namespace

std::string TypeName(Type type) {
  switch (type.kind) {
    case ValueKind::kNone:
      return "none";
    case ValueKind::kBool:
      return "bool";
    case ValueKind::kInt:
      return "int";
    case ValueKind::kDecimal:
      return fmt::format("decimal({})", type.scale);
    case ValueKind::kDouble:
      return "double";
    case ValueKind::kString:
      return "string";
    case ValueKind::kTimestamp:
      return "timestamp";
    case ValueKind::kSet:
      return "set";
    case ValueKind::kDuration:
      return "duration";
  }
  return "none";
}

std::optional<Type> ParseTypeName(std::string_view text) {
  for (Type type : {kBoolType, kIntType, kDoubleType, kStringType, kTimestampType, kSetType})
    if (text == TypeName(type)) return type;
  if (!text.starts_with("decimal(") || !text.ends_with(")")) return std::nullopt;
  std::string_view digits = text.substr(8, text.size() - 9);
  if (digits.empty() || digits.size() > 2 || (digits.size() == 2 && digits[0] == '0')) return std::nullopt;
  int scale = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), scale);
  if (error != std::errc() || end != digits.data() + digits.size() || scale < 0 || scale > 18) return std::nullopt;
  return DecimalType(scale);
}

Type TypeOf(const Value& value) {
  switch (value.index()) {
    case 1:
      return kBoolType;
    case 2:
      return kIntType;
    case 3:
      return DecimalType(std::get<Decimal>(value).scale);
    case 4:
      return kDoubleType;
    case 5:
      return kStringType;
    case 6:
      return kTimestampType;
    case 7:
      return kSetType;
    default:
      return Type{};
  }
}

std::string DisplayValue(const Value& value) { return std::visit(Displayer{}, value); }

Status Normalize(Value* value, std::string_view field) {
  if (auto* d = std::get_if<double>(value)) {
    if (!std::isfinite(*d)) return InvalidArgument("FIELD", field, "a double must be finite");
    if (*d == 0) *d = 0.0;
  } else if (auto* decimal = std::get_if<Decimal>(value)) {
    if (decimal->scale > 18) return InvalidArgument("FIELD", field, fmt::format("a decimal scale of {} is over 18", decimal->scale));
  } else if (auto* text = std::get_if<std::string>(value)) {
    return CheckText(*text, field);
  } else if (auto* time = std::get_if<Timestamp>(value)) {
    if (!InTimestampRange(time->us)) return InvalidArgument("FIELD", field, "a timestamp must lie in the years 0001 to 9999 UTC");
  } else if (auto* set = std::get_if<StringSet>(value)) {
    return NormalizeSet(set, field);
  }
  return absl::OkStatus();
}

Status CheckName(std::string_view name, std::string_view what) {
  auto refuse = [&](std::string_view why) { return InvalidArgument("FIELD", "name", fmt::format("the name of {} {}", what, why)); };
  if (name.empty()) return refuse("is empty");
  if (name.size() > kNameBytesMax) return refuse(fmt::format("has {} bytes, over the limit of {}", name.size(), kNameBytesMax));
  if (!IsValidUtf8(name)) return refuse("is not valid UTF-8");
  for (size_t i = 0; i < name.size(); ++i) {
    unsigned char c = name[i];
    bool c1_control = c == 0xC2 && static_cast<unsigned char>(name[i + 1]) < 0xA0;
    if (c < 0x20 || c == 0x7F || c1_control) return refuse("holds a control character");
  }
  return absl::OkStatus();
}

bool IsValidUtf8(std::string_view text) {
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    uint64_t eight;
    if (end - at >= 8 && (std::memcpy(&eight, at, 8), (eight & 0x8080808080808080) == 0)) {
      at += 8;
      continue;
    }
    utf8proc_int32_t code_point;
    utf8proc_ssize_t bytes = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(at), end - at, &code_point);
    if (bytes <= 0) return false;
    at += bytes;
  }
  return true;
}

std::optional<Value> ConvertExactly(const Value& value, Type type) {
  Type from = TypeOf(value);
  if (from == type) return value;
  if (!IsExactNumber(from)) return std::nullopt;
  int64_t unscaled = from.kind == ValueKind::kInt ? std::get<int64_t>(value) : std::get<Decimal>(value).unscaled;
  if (type.kind == ValueKind::kDouble) {
    if (!IsExactlyDouble(unscaled, from.scale)) return std::nullopt;
    return Value(ToNearestDouble(unscaled, from.scale));
  }
  if (!IsExactNumber(type)) return std::nullopt;
  std::optional<int64_t> result;
  if (type.scale >= from.scale) {
    result = Rescale(unscaled, type.scale - from.scale);
  } else if (unscaled % kPowersOf10[from.scale - type.scale] == 0) {
    result = unscaled / kPowersOf10[from.scale - type.scale];
  }
  if (!result) return std::nullopt;
  if (type.kind == ValueKind::kInt) return Value(*result);
  return Value(Decimal{*result, type.scale});
}

bool IsExactlyDouble(int64_t unscaled, int scale) {
  // It is one when what is left after dividing by 5^scale is whole and has at most 53 significant bits.
  int64_t odd_part = unscaled;
  for (int i = 0; i < scale; ++i) {
    if (odd_part % 5 != 0) return false;
    odd_part /= 5;
  }
  if (odd_part == 0) return true;
  uint64_t magnitude = odd_part < 0 ? -static_cast<uint64_t>(odd_part) : static_cast<uint64_t>(odd_part);
  return (magnitude >> __builtin_ctzll(magnitude)) < uint64_t{1} << 53;
}

std::optional<Type> WidenedType(Type stored, Type incoming) {
  if (stored == incoming) return stored;
  if (!IsNumber(stored) || !IsNumber(incoming)) return std::nullopt;
  if (stored.kind == ValueKind::kDouble || incoming.kind == ValueKind::kDouble) return kDoubleType;
  return DecimalType(std::max(stored.scale, incoming.scale));
}

std::string FormatDecimal(int64_t unscaled, int scale) {
  uint64_t magnitude = unscaled < 0 ? -static_cast<uint64_t>(unscaled) : static_cast<uint64_t>(unscaled);
  std::string_view sign = unscaled < 0 ? "-" : "";
  if (scale == 0) return fmt::format("{}{}", sign, magnitude);
  uint64_t unit = static_cast<uint64_t>(kPowersOf10[scale]);
  return fmt::format("{}{}.{:0{}}", sign, magnitude / unit, magnitude % unit, scale);
}

std::string FormatDouble(double value) { return fmt::format("{}", value); }

namespace {

struct CivilDate {
  int64_t year;
  unsigned month, day;
};

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
CivilDate CivilFromDays(int64_t days_since_1970) {
  int64_t z = days_since_1970 + 719468;
  int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  auto day_of_era = static_cast<unsigned>(z - era * 146097);
  unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  unsigned shifted_month = (5 * day_of_year + 2) / 153;
  unsigned day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  unsigned month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {static_cast<int64_t>(year_of_era) + era * 400 + (month <= 2), month, day};
}

}  // namespace

std::string FormatTimestamp(Timestamp t) {
  constexpr int64_t kSecondUs = 1'000'000, kDayUs = 86'400 * kSecondUs;
  int64_t days = t.us / kDayUs - (t.us % kDayUs < 0);
  int64_t us_of_day = t.us - days * kDayUs;
  CivilDate date = CivilFromDays(days);
  int64_t seconds = us_of_day / kSecondUs;
  std::string text =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", date.year, date.month, date.day, seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (int64_t fraction = us_of_day % kSecondUs; fraction != 0) {
    text += fmt::format(".{:06}", fraction);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + "Z";
}

}  // namespace korrel
