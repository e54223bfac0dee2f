#include "clients/cli/cell_value.h"

#include <fmt/format.h>

#include <algorithm>

#include "clients/cli/column_guess.h"
#include "clients/cli/number_text.h"

namespace korrel::cli {
namespace {

// A cell in a message, cut to what a line of a terminal holds.
std::string Quoted(std::string_view text) {
  constexpr size_t kShown = 60;
  if (text.size() <= kShown) return fmt::format("'{}'", text);
  std::string cut(text.substr(0, kShown));
  while (!cut.empty() && !IsValidUtf8(cut)) cut.pop_back();
  return fmt::format("'{}…'", cut);
}

std::string Unfit(std::string_view text, Type type, std::string_view problem) {
  return fmt::format("{} is no {}: {}", Quoted(text), TypeName(type), problem);
}

std::string CheckString(std::string_view text) {
  if (text.size() <= kStringBytesMax) return {};
  return fmt::format("a string of {} bytes is longer than {}", text.size(), kStringBytesMax);
}

bool IsBool(std::string_view text, bool* value) {
  if (text.size() != 4 && text.size() != 5) return false;
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c | 0x20);
  *value = lower == "true";
  return *value || lower == "false";
}

// Items by the separator; a text that is empty between two separators is no item.
std::string SplitSet(std::string_view text, char separator, Row* row, CellValue* value) {
  StringSet& set = row->NewSet();
  while (!text.empty()) {
    const size_t end = separator == '\0' ? std::string_view::npos : text.find(separator);
    const std::string_view item = text.substr(0, end);
    if (set.size() == kSetItemsMax) return fmt::format("a set has more than {} items", kSetItemsMax);
    if (!item.empty()) set.emplace_back(item);
    if (auto problem = CheckString(item); !problem.empty()) return problem;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  value->set = &set;
  return {};
}

std::string ReadSet(const Cell& cell, const CellStyle& style, Row* row, CellValue* value) {
  if (cell.form != CellForm::kSet) return SplitSet(cell.text, style.set_separator, row, value);
  for (const std::string& item : *cell.set) {
    if (auto problem = CheckString(item); !problem.empty()) return problem;
  }
  value->set = cell.set;
  return {};
}

}  // namespace

std::string ReadCell(const Cell& cell, Type type, const CellStyle& style, Row* row, CellValue* value) {
  *value = {};
  if (cell.form == CellForm::kEmpty) return {};
  value->present = true;
  const std::string_view text = cell.text;
  const char point = cell.form == CellForm::kNumber ? '.' : style.point;
  if (cell.form == CellForm::kSet && type.kind != ValueKind::kSet) return fmt::format("a list is no {}", TypeName(type));
  Problem problem;
  switch (type.kind) {
    case ValueKind::kBool: {
      bool truth = false;
      if (!IsBool(text, &truth)) return Unfit(text, type, "write true or false");
      value->number = truth;
      return {};
    }
    case ValueKind::kInt:
      problem = ParseScaled(text, point, 0, style.round, &value->number);
      break;
    case ValueKind::kDecimal:
      problem = ParseScaled(text, point, type.scale, style.round, &value->number);
      break;
    case ValueKind::kDouble:
      problem = ParseDouble(text, point, &value->real);
      break;
    case ValueKind::kTimestamp: {
      const auto us = ParseTimeUs(text, style.dates, style.zone);
      if (!us) return Unfit(text, type, fmt::format("not a time in the format {}", DateFormatName(style.dates)));
      value->number = *us;
      return {};
    }
    case ValueKind::kString:
      value->text = text;
      return CheckString(text);
    case ValueKind::kSet:
      return ReadSet(cell, style, row, value);
    case ValueKind::kNone:
    case ValueKind::kDuration:
      return "a column cannot have this type";
  }
  return problem.empty() ? std::string() : Unfit(text, type, problem);
}

Type GuessType(std::string_view text) {
  ColumnGuess guess;
  guess.Add(Cell{CellForm::kText, text, nullptr}, 1);
  const auto type = guess.Narrowest('.', std::nullopt);
  return type ? *type : kStringType;
}

StatusOr<Value> ParseValue(std::string_view text, Type type, const CellStyle& style) {
  Row row;
  CellValue value;
  const Cell cell{CellForm::kText, text, nullptr};
  if (auto problem = ReadCell(cell, type, style, &row, &value); !problem.empty()) return InvalidArgument("FIELD", "", problem);
  switch (type.kind) {
    case ValueKind::kBool:
      return Value(value.number != 0);
    case ValueKind::kInt:
      return Value(value.number);
    case ValueKind::kDecimal:
      return Value(Decimal{value.number, type.scale});
    case ValueKind::kDouble:
      return Value(value.real);
    case ValueKind::kTimestamp:
      return Value(Timestamp{value.number});
    case ValueKind::kSet:
      return Value(*value.set);
    default:
      return Value(std::string(value.text));
  }
}

}  // namespace korrel::cli
