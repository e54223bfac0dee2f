// clients/cli/survey.h
//
// Survey is the first pass over a file: how it is written, which columns it has, what fits them, and the digest of its content.
//
// Errors     What makes the whole file unusable: not a text, damaged, empty, without a usable header.
// Cost       One pass; memory does not grow with the file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "clients/cli/column_guess.h"
#include "clients/cli/import_options.h"
#include "clients/cli/row.h"

namespace korrel::cli {

enum class FileFormat : uint8_t { kCsv, kJsonLines };

struct FileStyle {
  FileFormat format = FileFormat::kCsv;
  char delimiter = ',';
  bool header = true;
  Encoding encoding = Encoding::kUtf8;
  char point = '.';
  bool had_byte_order_mark = false;
  bool packed = false;
};

struct Survey {
  FileStyle style;
  std::vector<std::string> columns;
  std::vector<ColumnGuess> guesses;            // one for each column
  std::vector<std::vector<std::string>> head;  // the first rows, as text
  uint64_t rows = 0;                           // with broken ones, without header and blank lines
  uint64_t broken_rows = 0;
  std::string digest;
};

StatusOr<Survey> SurveyFile(const ImportOptions& options);

// A reader of the rows, with the style known. The parser must outlive it.
StatusOr<std::unique_ptr<RowReader>> OpenRows(const std::string& path, const FileStyle& style, RowParser* parser);
std::unique_ptr<RowParser> MakeParser(const FileStyle& style, const std::vector<std::string>& columns);

}  // namespace korrel::cli
