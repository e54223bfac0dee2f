// Any bytes as a CSV file: every row takes at least a byte, lies inside the text, and splits alike whether more text follows or
// not; every cell can be guessed and read as any type.
#include <cstdlib>
#include <string_view>

#include "clients/cli/cell_value.h"
#include "clients/cli/column_guess.h"
#include "clients/cli/csv.h"

namespace {

void Check(bool truth) {
  if (!truth) std::abort();
}

void ReadAsEveryType(const korrel::cli::Cell& cell, korrel::cli::Row* scratch) {
  using namespace korrel;
  for (const Type type : {kBoolType, kIntType, DecimalType(2), DecimalType(18), kDoubleType, kStringType, kTimestampType, kSetType}) {
    cli::CellValue value;
    cli::CellStyle style;
    style.set_separator = '|';
    const std::string problem = cli::ReadCell(cell, type, style, scratch, &value);
    Check(problem.empty() || !problem.starts_with(' '));
    style.round = true;
    style.point = ',';
    cli::ReadCell(cell, type, style, scratch, &value);
    scratch->Clear();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace korrel::cli;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const char delimiter = GuessDelimiter(text.substr(0, 4'096));
  CsvParser parser(delimiter);
  std::string_view rest = text;
  Row row;
  Row early;
  Row scratch;
  ColumnGuess guess;
  while (!rest.empty()) {
    const size_t used = parser.Parse(rest, true, &row);
    Check(used > 0 && used <= rest.size());
    Check(row.raw.size() <= used);
    // Where the row is whole already, what follows it does not change it.
    const size_t used_early = parser.Parse(rest, false, &early);
    Check(used_early == 0 || (used_early == used && early.cells.size() == row.cells.size() && early.problem == row.problem));
    for (const Cell& cell : row.cells) {
      guess.Add(cell, 1);
      ReadAsEveryType(cell, &scratch);
    }
    rest.remove_prefix(used);
  }
  guess.Narrowest('.', std::nullopt);
  guess.Narrowest(',', std::nullopt);
  return 0;
}
