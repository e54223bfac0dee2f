// clients/cli/rejected_file.h
//
// RejectedFile takes the rows that could not be loaded: FILE.rejected with line, reason, and the row as it stood in the file.
//
// Of a CSV file it is a CSV file with the same delimiter: `line`, `reason`, then the columns of the file; a row that could not
// be split stands in one quoted cell. Of JSON lines it is JSON lines with the members `line`, `reason` and `row`, the row's text.
//
// Threads    Safe for several.
// Invariants The file exists exactly when a row was rejected; one left by an earlier run is removed.
#pragma once

#include <cstdint>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "clients/cli/survey.h"

namespace korrel::cli {

class RejectedFile {
 public:
  RejectedFile(std::string path, const FileStyle& style, std::vector<std::string> columns);

  void Add(uint64_t line, std::string_view reason, std::string_view raw, bool splits);

  uint64_t count() const;
  const std::string& path() const { return path_; }
  // The first few, as "line 17: …".
  std::vector<std::string> Examples() const;
  // False where the file could not be written (a folder that is read-only): the examples are all there is then.
  bool written() const;

 private:
  mutable std::mutex mutex_;
  std::string path_;
  FileStyle style_;
  std::vector<std::string> columns_;
  std::ofstream file_;
  uint64_t count_ = 0;
  std::vector<std::string> examples_;
};

}  // namespace korrel::cli
