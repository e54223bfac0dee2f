#include "clients/cli/row.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

namespace korrel::cli {

void Row::Clear() {
  raw = {};
  cells.clear();
  problem.clear();
  splits = true;
  texts_used = 0;
  sets_used = 0;
}

std::string& Row::NewText() {
  if (texts_used == texts.size()) texts.emplace_back();
  std::string& text = texts[texts_used++];
  text.clear();
  return text;
}

StringSet& Row::NewSet() {
  if (sets_used == sets.size()) sets.emplace_back();
  StringSet& set = sets[sets_used++];
  set.clear();
  return set;
}

RowReader::RowReader(std::unique_ptr<TextSource> source, RowParser* parser, int skip_rows)
    : source_(std::move(source)), parser_(parser), skip_rows_(skip_rows) {}

Status RowReader::Fill() {
  buffer_.erase(0, at_);
  at_ = 0;
  KORREL_ASSIGN_OR_RETURN(const bool more, source_->Read(&buffer_));
  at_end_ = !more;
  return absl::OkStatus();
}

// A row over the limit is not kept: its line is passed over, and the row says so.
size_t RowReader::SkipLongRow(Row* row) {
  row->Clear();
  row->raw = std::string_view(buffer_).substr(at_, 200);
  row->splits = false;
  row->problem = fmt::format("the row is longer than {} bytes", kFileRowBytesMax);
  const size_t end = buffer_.find('\n', at_);
  skipping_ = end == std::string::npos;
  return skipping_ ? buffer_.size() - at_ : end + 1 - at_;
}

// Passes over what is left of a row over the limit.
void RowReader::SkipRest() {
  const size_t end = buffer_.find('\n', at_);
  skipping_ = end == std::string::npos;
  at_ = skipping_ ? buffer_.size() : end + 1;
  if (!skipping_) ++line_;
}

StatusOr<bool> RowReader::NextAny(Row* row) {
  while (true) {
    if (skipping_) SkipRest();
    const std::string_view text = std::string_view(buffer_).substr(at_);
    if (text.empty() && at_end_) return false;
    size_t used = text.empty() ? 0 : parser_->Parse(text, at_end_, row);
    if (used == 0 && text.size() > kFileRowBytesMax) {
      // A quote that never closes must not take the rest of the file with it: the parser is told that this is all there is.
      const std::string_view most = text.substr(0, kFileRowBytesMax);
      used = most.find('\n') == std::string_view::npos ? SkipLongRow(row) : parser_->Parse(most, true, row);
    }
    if (used == 0) {
      KORREL_RETURN_IF_ERROR(Fill());
      continue;
    }
    row->line = line_;
    line_ += static_cast<uint64_t>(std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(used), '\n'));
    at_ += used;
    return true;
  }
}

StatusOr<bool> RowReader::Next(Row* row) {
  while (true) {
    KORREL_ASSIGN_OR_RETURN(const bool more, NextAny(row));
    if (!more) return false;
    if (row->raw.empty()) continue;  // a blank line
    if (skip_rows_ > 0) {
      --skip_rows_;
      continue;
    }
    if (row->problem.empty() && !simdjson::validate_utf8(row->raw.data(), row->raw.size())) {
      row->problem = kNotUtf8;
    }
    return true;
  }
}

}  // namespace korrel::cli
