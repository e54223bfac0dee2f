#include "clients/cli/output.h"

#include <fmt/format.h>

#include <algorithm>

#include "clients/cli/csv.h"

namespace korrel::cli {
namespace {

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

size_t CodePoints(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

bool LooksNumeric(std::string_view text) {
  if (text.empty()) return true;
  return text.find_first_not_of("0123456789.-+e%") == std::string_view::npos && text.find_first_of("0123456789") != std::string_view::npos;
}

// Whether every cell of the column is a number or nothing, so that it lines up at its right end.
bool IsNumericColumn(const std::vector<std::vector<std::string>>& rows, size_t column) {
  return std::all_of(rows.begin(), rows.end(), [&](const auto& row) { return column >= row.size() || LooksNumeric(row[column]); });
}

void AppendPadded(std::string_view cell, size_t width, bool right, std::string* line) {
  const std::string padding(width - std::min(width, CodePoints(cell)), ' ');
  if (right) line->append(padding);
  line->append(cell);
  if (!right) line->append(padding);
}

}  // namespace

std::string PlainValue(const Value& value) {
  if (!IsPresent(value)) return {};
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* set = std::get_if<StringSet>(&value)) {
    std::string text = "{";
    for (const std::string& item : *set) text += (text.size() == 1 ? "" : ",") + item;
    return text + "}";
  }
  if (const auto* time = std::get_if<Timestamp>(&value)) return FormatTimestamp(*time);
  return DisplayValue(value);
}

std::string Shortened(std::string_view text, size_t width) {
  std::string shown;
  size_t points = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!IsContinuation(text[i]) && ++points > width) {
      while (!shown.empty() && IsContinuation(shown.back())) shown.pop_back();
      if (!shown.empty()) shown.pop_back();
      return shown + "…";
    }
    shown += static_cast<unsigned char>(text[i]) < 0x20 || text[i] == 0x7F ? ' ' : text[i];
  }
  return shown;
}

std::string Table::Text(bool with_header) const {
  std::vector<size_t> widths;
  std::vector<bool> right;
  for (size_t column = 0; column < header_.size(); ++column) {
    size_t width = CodePoints(header_[column]);
    for (const auto& row : rows_) width = std::max(width, column < row.size() ? CodePoints(row[column]) : 0);
    widths.push_back(width);
    right.push_back(!rows_.empty() && IsNumericColumn(rows_, column));
  }
  std::string text;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t column = 0; column < cells.size() && column < widths.size(); ++column) {
      if (column > 0) line += "  ";
      AppendPadded(Shortened(cells[column], 1'000), widths[column], right[column], &line);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  if (with_header) add_line(header_);
  for (const auto& row : rows_) add_line(row);
  return text;
}

std::string Table::Csv(bool with_header) const {
  std::string text;
  const auto add_line = [&text](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) text += (i > 0 ? "," : "") + CsvCell(cells[i], ',');
    text += "\n";
  };
  if (with_header) add_line(header_);
  for (const auto& row : rows_) add_line(row);
  return text;
}

void JsonWriter::Separate() {
  if (needs_comma_) text_ += ", ";
  needs_comma_ = true;
}

JsonWriter& JsonWriter::BeginObject() {
  Separate();
  text_ += '{';
  needs_comma_ = false;
  return *this;
}
JsonWriter& JsonWriter::EndObject() {
  text_ += '}';
  needs_comma_ = true;
  return *this;
}
JsonWriter& JsonWriter::BeginArray() {
  Separate();
  text_ += '[';
  needs_comma_ = false;
  return *this;
}
JsonWriter& JsonWriter::EndArray() {
  text_ += ']';
  needs_comma_ = true;
  return *this;
}
JsonWriter& JsonWriter::Key(std::string_view key) {
  String(key);
  text_ += ": ";
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view text) {
  Separate();
  text_ += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        text_ += "\\\"";
        break;
      case '\\':
        text_ += "\\\\";
        break;
      case '\n':
        text_ += "\\n";
        break;
      case '\r':
        text_ += "\\r";
        break;
      case '\t':
        text_ += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          text_ += fmt::format("\\u{:04x}", static_cast<int>(c));
        } else {
          text_ += c;
        }
    }
  }
  text_ += '"';
  return *this;
}

JsonWriter& JsonWriter::Int(int64_t number) {
  Separate();
  text_ += fmt::format("{}", number);
  return *this;
}
JsonWriter& JsonWriter::Uint(uint64_t number) {
  Separate();
  text_ += fmt::format("{}", number);
  return *this;
}
JsonWriter& JsonWriter::Double(double number) {
  Separate();
  text_ += FormatDouble(number);
  return *this;
}
JsonWriter& JsonWriter::Bool(bool truth) {
  Separate();
  text_ += truth ? "true" : "false";
  return *this;
}
JsonWriter& JsonWriter::Null() {
  Separate();
  text_ += "null";
  return *this;
}
JsonWriter& JsonWriter::Time(int64_t us) { return us == 0 ? Null() : String(FormatTimestamp(Timestamp{us})); }

JsonWriter& JsonWriter::Put(const Value& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return Bool(*truth);
  if (const auto* number = std::get_if<int64_t>(&value)) return Int(*number);
  if (const auto* real = std::get_if<double>(&value)) return Double(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return String(*text);
  if (const auto* time = std::get_if<Timestamp>(&value)) return String(FormatTimestamp(*time));
  if (const auto* set = std::get_if<StringSet>(&value)) return Strings(*set);
  if (const auto* decimal = std::get_if<Decimal>(&value)) {
    Separate();
    text_ += FormatDecimal(decimal->unscaled, decimal->scale);
    return *this;
  }
  return Null();
}

std::string JsonWriter::TakeLine() {
  std::string line = std::move(text_) + "\n";
  text_.clear();
  needs_comma_ = false;
  return line;
}

}  // namespace korrel::cli
