// clients/cli/row.h
//
// Row is one row of a file, split into cells, whatever the format; RowParser splits, RowReader reads a whole file.
//
// Lifetime   The views of a Row live until the next call that fills it, and no longer than the text it was parsed from.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "clients/cli/text_source.h"
#include "storage/value.h"

namespace korrel::cli {

// How a cell was written: CSV knows only text; JSON says what it is.
enum class CellForm : uint8_t { kEmpty, kText, kString, kNumber, kBool, kSet };

struct Cell {
  CellForm form = CellForm::kEmpty;
  std::string_view text;           // all forms but kEmpty and kSet
  const StringSet* set = nullptr;  // kSet, items as written
};

struct Row {
  uint64_t line = 0;     // of the row's first byte, from 1
  std::string_view raw;  // as it stands in the file, without the end of its last line
  std::vector<Cell> cells;
  std::string problem;  // why the row cannot be used; empty: it can
  bool splits = true;   // the cells could be told apart

  // Keepers of text that does not stand in `raw` as it is; deques, because their elements stay where they are.
  std::deque<std::string> texts;
  std::deque<StringSet> sets;
  size_t texts_used = 0;
  size_t sets_used = 0;

  void Clear();
  std::string& NewText();
  StringSet& NewSet();
};

// A row may have as many bytes as a profile.
inline constexpr size_t kFileRowBytesMax = kRowBytesMax;
inline constexpr size_t kColumnsMax = 10'000;
inline constexpr std::string_view kNotUtf8 = "the row is not valid UTF-8";

class RowParser {
 public:
  virtual ~RowParser() = default;
  // Splits the first row of `text` and answers how many bytes it takes with its line end; 0: more text is needed (never when
  // `at_end`). A row that cannot be split takes its first line alone, and says why in `problem`.
  virtual size_t Parse(std::string_view text, bool at_end, Row* row) = 0;
  virtual const std::vector<std::string>& columns() const = 0;
};

class RowReader {
 public:
  // `parser` outlives the reader. `skip_rows` rows (a header) are passed over.
  RowReader(std::unique_ptr<TextSource> source, RowParser* parser, int skip_rows);

  // The next row that is not blank; false at the end.
  StatusOr<bool> Next(Row* row);
  const TextSource& source() const { return *source_; }

 private:
  Status Fill();
  StatusOr<bool> NextAny(Row* row);
  size_t SkipLongRow(Row* row);
  void SkipRest();

  std::unique_ptr<TextSource> source_;
  RowParser* parser_;
  int skip_rows_;
  std::string buffer_;
  size_t at_ = 0;
  uint64_t line_ = 1;
  bool at_end_ = false;
  bool skipping_ = false;  // inside a row over the limit
};

}  // namespace korrel::cli
