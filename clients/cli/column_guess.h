// clients/cli/column_guess.h
//
// ColumnGuess sees every cell of a column and answers the narrowest type that fits them all.
//
// In this order: bool (`true`, `false`), int, decimal, double, timestamp, string. Text of digits with a leading zero, a plus
// sign or more than 18 digits is a string. JSON strings are strings, JSON arrays of strings are sets, and a single string
// among them is a set of one. Decimal sign and date format are a matter of the whole file: the guess is kept for both signs.
//
// Invariants The answer does not depend on the order of the cells.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "clients/cli/row.h"
#include "clients/cli/time_text.h"
#include "storage/value.h"

namespace korrel::cli {

// What the cells of a column allow, under one decimal sign.
struct CellKinds {
  uint64_t bools = 0, ints = 0, decimals = 0, doubles = 0, times = 0, strings = 0, sets = 0;
  int int_digits = 0;        // of ints and decimals
  int scale = 0;             // of decimals
  bool exact_double = true;  // every int equals its nearest double
  uint8_t date_formats = 0xFF;

  void Add(std::string_view text, char point);
  void Merge(const CellKinds& other);
  uint64_t Values() const { return bools + ints + decimals + doubles + times + strings + sets; }
};

class ColumnGuess {
 public:
  void Add(const Cell& cell, uint64_t line);

  uint64_t values() const;
  // Cells that are decimals only with a decimal comma, or only with a point.
  uint64_t comma_decimals() const { return comma_.decimals + comma_.doubles; }
  uint64_t point_decimals() const { return point_.decimals + point_.doubles; }

  // The narrowest type under this decimal sign; nullopt: no value at all. `dates` fixes the date format; nullopt: whichever
  // single one fits.
  std::optional<Type> Narrowest(char point, std::optional<DateFormat> dates) const;
  // The one date format that fits all times; nullopt: several or none.
  std::optional<DateFormat> OnlyDateFormat(char point) const;
  // Whether all values are times but day and month cannot be told apart.
  bool AmbiguousDates(char point) const;
  // Why a column of numbers is one of strings: "line 17 holds 'NA'"; empty otherwise.
  std::string StringBecause(char point) const;

 private:
  CellKinds Kinds(char point) const;

  CellKinds both_;   // cells without point or comma
  CellKinds point_;  // the others, read with a decimal point
  CellKinds comma_;  // the others, read with a decimal comma
  uint64_t string_line_ = 0;
  std::string string_cell_;
};

}  // namespace korrel::cli
