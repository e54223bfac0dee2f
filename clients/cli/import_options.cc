#include "clients/cli/import_options.h"

#include <fmt/format.h>

namespace korrel::cli {
namespace {

Status Usage(const std::string& message) { return InvalidArgument("USAGE", "", message); }

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> items;
  std::string item;
  bool quoted = false;
  int depth = 0;
  for (const char c : text) {
    if (c == '"') {
      quoted = !quoted;
      continue;
    }
    if (!quoted && c == '(') ++depth;
    if (!quoted && c == ')' && depth > 0) --depth;
    if (c == ',' && !quoted && depth == 0) {
      items.push_back(std::move(item));
      item.clear();
    } else {
      item += c;
    }
  }
  if (!text.empty()) items.push_back(std::move(item));
  return items;
}

StatusOr<std::vector<DeclaredType>> ParseTypes(std::string_view text) {
  std::vector<DeclaredType> types;
  for (const std::string& item : SplitList(text)) {
    const size_t colon = item.rfind(':', item.ends_with(')') ? item.rfind('(') : std::string::npos);
    if (colon == std::string::npos || colon == 0) return Usage(fmt::format("--types: '{}' is not COLUMN:TYPE", item));
    DeclaredType declared{item.substr(0, colon), {}, '\0'};
    const std::string name = item.substr(colon + 1);
    if (name.starts_with("set(") && name.size() == 6 && name.ends_with(')')) {
      declared.type = kSetType;
      declared.set_separator = name[4];
    } else if (const auto type = ParseTypeName(name); type && type->kind != ValueKind::kDuration && type->kind != ValueKind::kNone) {
      declared.type = *type;
    } else {
      return Usage(fmt::format("--types: '{}' is not a type; types are bool int decimal(S) double string timestamp set set(|)", name));
    }
    types.push_back(std::move(declared));
  }
  return types;
}

StatusOr<std::vector<std::pair<std::string, std::string>>> ParseRenames(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> renames;
  for (const std::string& item : SplitList(text)) {
    const size_t equals = item.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == item.size()) {
      return Usage(fmt::format("--rename: '{}' is not OLD=NEW", item));
    }
    renames.emplace_back(item.substr(0, equals), item.substr(equals + 1));
  }
  return renames;
}

std::string IdentifierTypeOf(std::string_view column) {
  std::string type;
  for (size_t i = 0; i < column.size(); ++i) {
    const char c = column[i];
    if (!IsUpper(c) && !IsLower(c) && !IsDigit(c)) {
      if (!type.empty() && type.back() != '_') type += '_';
      continue;
    }
    if (IsUpper(c) && i > 0 && !type.empty() && type.back() != '_') {
      const bool word_begins = !IsUpper(column[i - 1]) || (i + 1 < column.size() && IsLower(column[i + 1]));
      if (word_begins) type += '_';
    }
    type += IsUpper(c) ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  while (!type.empty() && type.back() == '_') type.pop_back();
  return type;
}

bool IsIdentifierType(std::string_view text) {
  if (text.empty() || text.size() > 64 || !IsLower(text[0])) return false;
  for (const char c : text) {
    if (!IsLower(c) && !IsDigit(c) && c != '_') return false;
  }
  return true;
}

StatusOr<std::vector<IdentifierColumn>> ParseIdentifierColumns(std::string_view text) {
  std::vector<IdentifierColumn> columns;
  for (const std::string& item : SplitList(text)) {
    const size_t colon = item.rfind(':');
    IdentifierColumn column{item.substr(0, colon), {}};
    column.type = colon == std::string::npos ? IdentifierTypeOf(item) : item.substr(colon + 1);
    if (!IsIdentifierType(column.type)) {
      return Usage(fmt::format("--id: '{}' is not an identifier type ([a-z][a-z0-9_]*); write COLUMN:TYPE", column.type));
    }
    columns.push_back(std::move(column));
  }
  if (columns.empty()) return Usage("--id needs at least one column");
  return columns;
}

std::optional<char> ParseDelimiter(std::string_view text) {
  if (text == "," || text == "comma") return ',';
  if (text == ";" || text == "semicolon") return ';';
  if (text == "|" || text == "pipe") return '|';
  if (text == "\t" || text == "\\t" || text == "tab") return '\t';
  return std::nullopt;
}

std::string_view DelimiterName(char delimiter) {
  switch (delimiter) {
    case ',':
      return "comma";
    case ';':
      return "semicolon";
    case '|':
      return "pipe";
    default:
      return "tab";
  }
}

}  // namespace korrel::cli
