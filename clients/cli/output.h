// clients/cli/output.h
//
// Answers for people and programs: tables of aligned columns, CSV, and JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/value.h"

namespace korrel::cli {

enum class OutputFormat : uint8_t { kTable, kJson, kCsv };

// A value in a table or a CSV cell: strings as they are, sets in braces, times RFC 3339 UTC, absent as nothing.
std::string PlainValue(const Value& value);

// At most `width` code points, the last an ellipsis where something was cut; control characters as blanks.
std::string Shortened(std::string_view text, size_t width);

// Columns of width at terminal (code points), numbers to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  size_t rows() const { return rows_.size(); }
  std::string Text(bool with_header = true) const;
  std::string Csv(bool with_header = true) const;
  // Forgets the rows, so that a long answer can be written piece by piece.
  void Clear() { rows_.clear(); }

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

// JSON on one line. Members and elements are written in the order of the calls; commas come by themselves.
class JsonWriter {
 public:
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view key);
  JsonWriter& String(std::string_view text);
  JsonWriter& Int(int64_t number);
  JsonWriter& Uint(uint64_t number);
  JsonWriter& Double(double number);
  JsonWriter& Bool(bool truth);
  JsonWriter& Null();
  JsonWriter& Time(int64_t us);  // RFC 3339 UTC; 0 is null
  // int and decimal as exact numbers, timestamps RFC 3339 UTC, sets as arrays, absent as null.
  JsonWriter& Put(const Value& value);
  template <class Range>
  JsonWriter& Strings(const Range& range) {
    BeginArray();
    for (const auto& text : range) String(text);
    return EndArray();
  }
  const std::string& text() const { return text_; }
  std::string TakeLine();

 private:
  void Separate();
  std::string text_;
  bool needs_comma_ = false;
};

}  // namespace korrel::cli
