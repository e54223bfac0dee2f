#include "clients/cli/column_guess.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "clients/cli/number_text.h"

namespace korrel::cli {

void CellKinds::Add(std::string_view text, char point) {
  if (text == "true" || text == "false") {
    ++bools;
    return;
  }
  const NumberScan scan = ScanNumber(text, point);
  switch (scan.kind) {
    case NumberScan::kInt:
      ++ints;
      int_digits = std::max(int_digits, scan.int_digits);
      exact_double &= scan.exact_double;
      return;
    case NumberScan::kDecimal:
      ++decimals;
      int_digits = std::max(int_digits, scan.int_digits);
      scale = std::max(scale, scan.scale);
      return;
    case NumberScan::kDouble:
      ++doubles;
      return;
    case NumberScan::kNotANumber:
      break;
  }
  if (const uint8_t formats = DateFormatsOf(text); formats != 0) {
    ++times;
    date_formats &= formats;
    return;
  }
  ++strings;
}

void CellKinds::Merge(const CellKinds& other) {
  bools += other.bools;
  ints += other.ints;
  decimals += other.decimals;
  doubles += other.doubles;
  times += other.times;
  strings += other.strings;
  sets += other.sets;
  int_digits = std::max(int_digits, other.int_digits);
  scale = std::max(scale, other.scale);
  exact_double &= other.exact_double;
  date_formats &= other.date_formats;
}

void ColumnGuess::Add(const Cell& cell, uint64_t line) {
  switch (cell.form) {
    case CellForm::kEmpty:
      return;
    case CellForm::kSet:
      ++both_.sets;
      return;
    case CellForm::kString:
      ++both_.strings;
      return;
    case CellForm::kBool:
      ++both_.bools;
      return;
    case CellForm::kNumber:
      both_.Add(cell.text, '.');
      return;
    case CellForm::kText:
      break;
  }
  const uint64_t strings = both_.strings + point_.strings;
  if (cell.text.find_first_of(".,") == std::string_view::npos) {
    both_.Add(cell.text, '.');
  } else {
    point_.Add(cell.text, '.');
    comma_.Add(cell.text, ',');
  }
  if (string_line_ == 0 && both_.strings + point_.strings > strings) {
    string_line_ = line;
    string_cell_ = cell.text.substr(0, 40);
    while (!IsValidUtf8(string_cell_) && !string_cell_.empty()) string_cell_.pop_back();
  }
}

CellKinds ColumnGuess::Kinds(char point) const {
  CellKinds kinds = both_;
  kinds.Merge(point == ',' ? comma_ : point_);
  return kinds;
}

uint64_t ColumnGuess::values() const { return Kinds('.').Values(); }

std::optional<DateFormat> ColumnGuess::OnlyDateFormat(char point) const {
  const CellKinds kinds = Kinds(point);
  if (kinds.times == 0) return std::nullopt;
  // Year-first text fits every format; where it fits, it is meant.
  if (kinds.date_formats & 1u << static_cast<int>(DateFormat::kYearFirst)) return DateFormat::kYearFirst;
  if (!std::has_single_bit(kinds.date_formats)) return std::nullopt;
  return static_cast<DateFormat>(std::countr_zero(kinds.date_formats));
}

bool ColumnGuess::AmbiguousDates(char point) const {
  const CellKinds kinds = Kinds(point);
  return kinds.times > 0 && kinds.times == kinds.Values() && kinds.date_formats != 0 && !OnlyDateFormat(point);
}

std::optional<Type> ColumnGuess::Narrowest(char point, std::optional<DateFormat> dates) const {
  const CellKinds kinds = Kinds(point);
  const uint64_t values = kinds.Values();
  const uint64_t numbers = kinds.ints + kinds.decimals + kinds.doubles;
  if (values == 0) return std::nullopt;
  if (kinds.sets > 0) return kSetType;
  if (kinds.bools == values) return kBoolType;
  if (kinds.ints == values) return kIntType;
  if (numbers == values) {
    if (kinds.doubles == 0 && kinds.int_digits + kinds.scale <= 18) return DecimalType(kinds.scale);
    return kinds.exact_double ? kDoubleType : kStringType;  // an int that no double equals fits none of the number types
  }
  if (kinds.times == values) {
    const bool fits = dates ? *dates <= DateFormat::kMonthFirst && (kinds.date_formats & 1u << static_cast<int>(*dates)) != 0
                            : OnlyDateFormat(point).has_value();
    if (fits) return kTimestampType;
  }
  return kStringType;
}

std::string ColumnGuess::StringBecause(char point) const {
  const CellKinds kinds = Kinds(point);
  const uint64_t numbers = kinds.ints + kinds.decimals + kinds.doubles;
  if (string_line_ == 0 || numbers == 0 || numbers < kinds.strings) return {};
  return fmt::format("line {} holds '{}'", string_line_, string_cell_);
}

}  // namespace korrel::cli
