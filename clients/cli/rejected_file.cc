#include "clients/cli/rejected_file.h"

#include <fmt/format.h>

#include <filesystem>

#include "clients/cli/csv.h"
#include "clients/cli/output.h"

namespace korrel::cli {
namespace {
constexpr size_t kExamplesMax = 5;
}

RejectedFile::RejectedFile(std::string path, const FileStyle& style, std::vector<std::string> columns)
    : path_(std::move(path)), style_(style), columns_(std::move(columns)) {
  std::error_code ignored;  // nothing to remove is the usual case
  std::filesystem::remove(path_, ignored);
}

void RejectedFile::Add(uint64_t line, std::string_view reason, std::string_view raw, bool splits) {
  const std::lock_guard lock(mutex_);
  if (examples_.size() < kExamplesMax) examples_.push_back(fmt::format("line {}: {}", line, reason));
  const char delimiter = style_.delimiter;
  if (count_++ == 0) {
    file_.open(path_, std::ios::binary | std::ios::trunc);
    if (style_.format == FileFormat::kCsv) {
      file_ << "line" << delimiter << "reason";
      for (const std::string& column : columns_) file_ << delimiter << CsvCell(column, delimiter);
      file_ << '\n';
    }
  }
  if (style_.format == FileFormat::kJsonLines) {
    const std::string text = IsValidUtf8(raw) ? std::string(raw) : "";  // what is not UTF-8 cannot stand in JSON
    file_ << JsonWriter().BeginObject().Key("line").Uint(line).Key("reason").String(reason).Key("row").String(text).EndObject().TakeLine();
    return;
  }
  file_ << line << delimiter << CsvCell(reason, delimiter) << delimiter;
  if (splits) {
    file_ << raw << '\n';
  } else {
    file_ << CsvCell(raw, delimiter) << '\n';
  }
}

uint64_t RejectedFile::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

std::vector<std::string> RejectedFile::Examples() const {
  const std::lock_guard lock(mutex_);
  return examples_;
}

bool RejectedFile::written() const {
  const std::lock_guard lock(mutex_);
  return count_ > 0 && file_.is_open() && file_.good();
}

}  // namespace korrel::cli
