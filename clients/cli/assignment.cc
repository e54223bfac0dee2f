#include "clients/cli/assignment.h"

#include <fmt/format.h>

#include <limits>

#include "clients/cli/cell_value.h"

namespace korrel::cli {
namespace {

Status Usage(const std::string& message) { return InvalidArgument("USAGE", "", message); }

// 'it''s' as it's; nullopt where the quote does not close at the end.
std::optional<std::string> Unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '\'' || text.back() != '\'') return std::nullopt;
  std::string result;
  const std::string_view inside = text.substr(1, text.size() - 2);
  for (size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] == '\'' && (++i == inside.size() || inside[i] != '\'')) return std::nullopt;
    result += inside[i];
  }
  return result;
}

StatusOr<Value> ParseSet(std::string_view text) {
  StringSet items;
  std::string_view rest = text.substr(1, text.size() - 2);
  while (!rest.empty()) {
    size_t end = 0;
    for (bool quoted = false; end < rest.size() && (quoted || rest[end] != ','); ++end) quoted ^= rest[end] == '\'';
    const std::string_view item = rest.substr(0, end);
    if (item.starts_with('\'')) {
      const auto plain = Unquoted(item);
      if (!plain) return Usage(fmt::format("a quote in {} does not close", text));
      items.push_back(*plain);
    } else if (item.empty()) {
      return Usage(fmt::format("{} holds an empty item; write '' for an empty string", text));
    } else {
      items.emplace_back(item);
    }
    rest.remove_prefix(end == rest.size() ? end : end + 1);
  }
  return Value(std::move(items));
}

// The value with the other sign, for `-=`; nullopt for what has none.
std::optional<Value> Negated(const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return Value(-*number);  // 18 digits at most: never the smallest int
  if (const auto* real = std::get_if<double>(&value)) return Value(-*real);
  if (const auto* decimal = std::get_if<Decimal>(&value)) return Value(Decimal{-decimal->unscaled, decimal->scale});
  return std::nullopt;
}

bool TakeSuffix(std::string_view suffix, std::string* text) {
  if (!text->ends_with(suffix)) return false;
  text->resize(text->size() - suffix.size());
  return true;
}

// What the end of the name says about the operation, for a value of this kind.
Status ReadOperation(Assignment* assignment) {
  const bool numeric = IsNumber(TypeOf(assignment->value));
  if (TakeSuffix("+", &assignment->name)) {
    assignment->operation = numeric ? v1::ATTRIBUTE_OPERATION_INCREMENT : v1::ATTRIBUTE_OPERATION_ADD;
  } else if (TakeSuffix("-", &assignment->name)) {
    assignment->operation = numeric ? v1::ATTRIBUTE_OPERATION_INCREMENT : v1::ATTRIBUTE_OPERATION_REMOVE;
    if (numeric) assignment->value = *Negated(assignment->value);
  } else if (TakeSuffix(":min", &assignment->name)) {
    assignment->operation = v1::ATTRIBUTE_OPERATION_MIN;
  } else if (TakeSuffix(":max", &assignment->name)) {
    assignment->operation = v1::ATTRIBUTE_OPERATION_MAX;
  }
  const bool to_set = assignment->operation == v1::ATTRIBUTE_OPERATION_ADD || assignment->operation == v1::ATTRIBUTE_OPERATION_REMOVE;
  const ValueKind kind = TypeOf(assignment->value).kind;
  if (to_set && kind != ValueKind::kString && kind != ValueKind::kSet) {
    return Usage(fmt::format("only numbers and strings or sets can be added or taken away, not a {}", TypeName(TypeOf(assignment->value))));
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<Value> ParseTypedValue(std::string_view text, const absl::TimeZone& zone) {
  if (text.empty()) return Usage("a value is missing; write '' for an empty string");
  if (text.front() == '\'') {
    const auto plain = Unquoted(text);
    if (!plain) return Usage(fmt::format("the quote in {} does not close; write '' for a quote inside", text));
    return Value(*plain);
  }
  if (text.front() == '{' && text.back() == '}') return ParseSet(text);
  CellStyle style;
  style.zone = zone;
  return ParseValue(text, GuessType(text), style);
}

StatusOr<Assignment> ParseAssignment(std::string_view text, const absl::TimeZone& zone) {
  Assignment assignment;
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    assignment.name = text;
    if (!TakeSuffix("-", &assignment.name)) return Usage(fmt::format("'{}' is not NAME=VALUE (or NAME- to remove)", text));
    assignment.operation = v1::ATTRIBUTE_OPERATION_UNSET;
  } else {
    assignment.name = text.substr(0, equals);
    KORREL_ASSIGN_OR_RETURN(assignment.value, ParseTypedValue(text.substr(equals + 1), zone));
    KORREL_RETURN_IF_ERROR(ReadOperation(&assignment));
  }
  if (assignment.name.empty()) return Usage(fmt::format("'{}' has no name", text));
  return assignment;
}

}  // namespace korrel::cli
