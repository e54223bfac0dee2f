#include "clients/cli/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace korrel::cli {
namespace {

enum class End : uint8_t { kCell, kRow, kMore, kBroken };

struct Split {
  End end;
  size_t next;  // where the next cell or row begins
};

// What follows a cell at `at`: the delimiter, the end of the line, the end of the text, or something that must not.
Split After(std::string_view text, size_t at, bool at_end, char delimiter) {
  if (at == text.size()) return at_end ? Split{End::kRow, at} : Split{End::kMore, at};
  if (text[at] == delimiter) return {End::kCell, at + 1};
  if (text[at] == '\n') return {End::kRow, at + 1};
  if (text[at] == '\r') {
    if (at + 1 == text.size()) return at_end ? Split{End::kRow, at + 1} : Split{End::kMore, at};
    if (text[at + 1] == '\n') return {End::kRow, at + 2};
  }
  return {End::kBroken, at};
}

Split PlainCell(std::string_view text, size_t at, bool at_end, char delimiter, Cell* cell) {
  size_t end = at;
  while (end < text.size() && text[end] != delimiter && text[end] != '\n') ++end;
  const Split split = After(text, end, at_end, delimiter);
  if (split.end == End::kRow && end > at && text[end - 1] == '\r') --end;
  cell->text = text.substr(at, end - at);
  cell->form = cell->text.empty() ? CellForm::kEmpty : CellForm::kText;
  return split;
}

// `at` is behind the opening quote. A doubled quote is the one case that needs a copy.
Split QuotedCell(std::string_view text, size_t at, bool at_end, char delimiter, Row* row, Cell* cell) {
  std::string* copy = nullptr;
  size_t from = at;
  while (true) {
    const void* found = at < text.size() ? std::memchr(text.data() + at, '"', text.size() - at) : nullptr;
    if (found == nullptr) return {at_end ? End::kBroken : End::kMore, text.size()};
    const size_t quote = static_cast<size_t>(static_cast<const char*>(found) - text.data());
    if (quote + 1 == text.size() && !at_end) return {End::kMore, quote};
    if (quote + 1 < text.size() && text[quote + 1] == '"') {
      if (copy == nullptr) copy = &row->NewText();
      copy->append(text.substr(from, quote + 1 - from));
      from = at = quote + 2;
      continue;
    }
    const std::string_view last = text.substr(from, quote - from);
    if (copy != nullptr) copy->append(last);
    cell->text = copy != nullptr ? std::string_view(*copy) : last;
    cell->form = cell->text.empty() ? CellForm::kEmpty : CellForm::kText;
    return After(text, quote + 1, at_end, delimiter);
  }
}

std::string_view WithoutLineEnd(std::string_view line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

// The number of rows of `sample` with as many cells as its first, where that has more than one; whole rows only.
size_t RowsAlike(std::string_view sample, char delimiter) {
  CsvParser parser(delimiter);
  Row row;
  size_t width = 0;
  size_t alike = 0;
  while (!sample.empty()) {
    const size_t used = parser.Parse(sample, false, &row);
    if (used == 0) break;
    sample.remove_prefix(used);
    if (row.raw.empty() || !row.problem.empty()) continue;
    if (width == 0) width = row.cells.size();
    if (row.cells.size() == width) ++alike;
  }
  return width > 1 ? alike : 0;
}

}  // namespace

char GuessDelimiter(std::string_view sample) {
  const std::string whole = std::string(sample) + (sample.ends_with('\n') ? "" : "\n");  // one line without an end is a row too
  char best = ',';
  size_t best_alike = 0;
  for (const char candidate : {',', ';', '\t', '|'}) {
    const size_t alike = RowsAlike(whole, candidate);
    if (alike > best_alike) {
      best = candidate;
      best_alike = alike;
    }
  }
  return best;
}

size_t CsvParser::Broken(std::string_view text, std::string_view problem, Row* row) const {
  const size_t end = text.find('\n');
  const size_t used = end == std::string_view::npos ? text.size() : end + 1;
  row->Clear();
  row->raw = WithoutLineEnd(text.substr(0, used));
  row->splits = false;
  row->problem = problem;
  return used;
}

void CsvParser::CheckWidth(Row* row) const {
  if (columns_.empty() || row->cells.size() == columns_.size() || row->raw.empty()) return;
  row->problem = fmt::format("{} cells instead of {}", row->cells.size(), columns_.size());
}

size_t CsvParser::Parse(std::string_view text, bool at_end, Row* row) {
  row->Clear();
  size_t at = 0;
  while (true) {
    if (row->cells.size() == kColumnsMax) return Broken(text, fmt::format("more than {} cells", kColumnsMax), row);
    Cell& cell = row->cells.emplace_back();
    const bool quoted = at < text.size() && text[at] == '"';
    const Split split = quoted ? QuotedCell(text, at + 1, at_end, delimiter_, row, &cell) : PlainCell(text, at, at_end, delimiter_, &cell);
    switch (split.end) {
      case End::kMore:
        return 0;
      case End::kBroken:
        return Broken(text, split.next == text.size() ? "a quote is opened and never closed" : "text follows a closing quote", row);
      case End::kCell:
        at = split.next;
        continue;
      case End::kRow:
        break;
    }
    row->raw = WithoutLineEnd(text.substr(0, split.next));
    CheckWidth(row);
    return split.next;
  }
}

std::string CsvCell(std::string_view text, char delimiter) {
  const bool plain = text.find(delimiter) == std::string_view::npos && text.find_first_of("\"\r\n") == std::string_view::npos;
  if (plain) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c;
    if (c == '"') quoted += c;
  }
  return quoted + "\"";
}

}  // namespace korrel::cli
