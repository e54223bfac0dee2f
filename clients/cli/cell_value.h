// clients/cli/cell_value.h
//
// A cell as a value of its column's type.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "clients/cli/row.h"
#include "clients/cli/time_text.h"
#include "storage/value.h"

namespace korrel::cli {

// How a file writes its values.
struct CellStyle {
  char point = '.';
  DateFormat dates = DateFormat::kYearFirst;
  absl::TimeZone zone = absl::UTCTimeZone();
  bool round = false;         // surplus digits of a declared scale
  char set_separator = '\0';  // splits text into a set; '\0': the text is a set of one
};

// One value, without owning strings.
struct CellValue {
  bool present = false;
  int64_t number = 0;  // bool, int, unscaled decimal, timestamp
  double real = 0;
  std::string_view text;
  const StringSet* set = nullptr;
};

// Reads `cell` as `type` into `value`, whose views live as long as the row. Answers what is wrong; empty: nothing. An empty
// cell is an absent value.
std::string ReadCell(const Cell& cell, Type type, const CellStyle& style, Row* row, CellValue* value);

// The type a text would be guessed as by itself (command line), with the decimal point.
Type GuessType(std::string_view text);
// The text as a value of that type; the error names the text.
StatusOr<Value> ParseValue(std::string_view text, Type type, const CellStyle& style);

}  // namespace korrel::cli
