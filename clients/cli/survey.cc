#include "clients/cli/survey.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "clients/cli/csv.h"
#include "clients/cli/jsonl.h"

namespace korrel::cli {
namespace {

constexpr size_t kSampleBytes = 256 << 10;
constexpr size_t kHeadRows = 3;

Status BadFile(const std::string& message) { return MakeError(absl::StatusCode::kFailedPrecondition, "FILE", "", message); }

bool IsAscii(std::string_view text) {
  unsigned char all = 0;
  for (const char c : text) all |= static_cast<unsigned char>(c);
  return all < 0x80;
}

// How the file begins: whether it is packed or marked, and enough text to tell format and delimiter.
StatusOr<std::string> ReadSample(const std::string& path, FileStyle* style) {
  KORREL_ASSIGN_OR_RETURN(auto source, TextSource::Open(path, Encoding::kUtf8));
  std::string sample;
  while (sample.size() < kSampleBytes) {
    KORREL_ASSIGN_OR_RETURN(const bool more, source->Read(&sample));
    if (!more) break;
  }
  style->packed = source->packed();
  style->had_byte_order_mark = source->had_byte_order_mark();
  if (sample.find_first_not_of(" \t\r\n") == std::string::npos) return BadFile(fmt::format("'{}' is empty", path));
  return sample;
}

FileFormat GuessFormat(std::string_view sample) {
  return sample[sample.find_first_not_of(" \t\r\n")] == '{' ? FileFormat::kJsonLines : FileFormat::kCsv;
}

std::string ToUtf8(std::string_view text) {
  if (IsValidUtf8(text)) return std::string(text);
  std::string utf8;
  AppendWindows1252(text, &utf8);
  return utf8;
}

StatusOr<std::vector<std::string>> ReadHeader(const ImportOptions& options, std::string_view sample, char delimiter) {
  CsvParser parser(delimiter);
  Row row;
  while (row.raw.empty() && !sample.empty()) {
    const size_t used = parser.Parse(sample, true, &row);
    if (used == 0) break;
    sample.remove_prefix(used);
  }
  if (!row.problem.empty()) return BadFile(fmt::format("the header of '{}' cannot be read: {}", options.file, row.problem));
  std::vector<std::string> names;
  absl::flat_hash_set<std::string> seen;
  for (const Cell& cell : row.cells) {
    std::string name = options.no_header ? "" : ToUtf8(cell.text);
    if (name.empty()) name = fmt::format("column_{}", names.size() + 1);
    if (!seen.insert(name).second) {
      return BadFile(
          fmt::format("two columns of '{}' are called '{}'; give them different names, or read it with --no-header", options.file, name));
    }
    names.push_back(std::move(name));
  }
  return names;
}

// Sees all rows. Which encoding the file has is known at the end only, so cells that are not UTF-8 wait to be counted.
class Surveyor {
 public:
  explicit Surveyor(Survey* survey) : survey_(survey) {}

  void Add(Row& row) {
    ++survey_->rows;
    const bool invalid = row.problem == kNotUtf8;
    if (invalid) {
      ++invalid_rows_;
    } else if (!row.problem.empty()) {
      ++survey_->broken_rows;
      return;
    } else if (!IsAscii(row.raw)) {
      ++non_ascii_rows_;
    }
    if (row.cells.size() > survey_->guesses.size()) Grow(row.cells.size());
    for (size_t i = 0; i < row.cells.size(); ++i) {
      if (invalid && !IsValidUtf8(row.cells[i].text)) {
        if (invalid_line_[i] == 0) invalid_line_[i] = row.line;
      } else {
        survey_->guesses[i].Add(row.cells[i], row.line);
      }
    }
    if (survey_->head.size() < kHeadRows) AddHead(row);
  }

  void Grow(size_t columns) {
    survey_->guesses.resize(columns);
    invalid_line_.resize(columns);
  }

  // Bytes that are not UTF-8: a few in a file full of valid sequences are damage, otherwise the file is Windows-1252.
  void Finish(const std::string& wanted) {
    const bool windows = wanted.empty() ? invalid_rows_ > non_ascii_rows_ : wanted != "utf-8";
    survey_->style.encoding = windows ? Encoding::kWindows1252 : Encoding::kUtf8;
    if (!windows) {
      survey_->broken_rows += invalid_rows_;
      return;
    }
    for (size_t i = 0; i < survey_->guesses.size(); ++i) {
      if (invalid_line_[i] != 0) survey_->guesses[i].Add(Cell{CellForm::kString, "text", nullptr}, invalid_line_[i]);
    }
  }

 private:
  void AddHead(const Row& row) {
    std::vector<std::string> texts;
    for (const Cell& cell : row.cells) {
      texts.push_back(cell.form == CellForm::kSet ? DisplayValue(Value(*cell.set)) : ToUtf8(cell.text));
    }
    survey_->head.push_back(std::move(texts));
  }

  Survey* survey_;
  uint64_t invalid_rows_ = 0;
  uint64_t non_ascii_rows_ = 0;
  std::vector<uint64_t> invalid_line_;
};

char GuessPoint(const Survey& survey) {
  uint64_t points = 0;
  uint64_t commas = 0;
  for (const ColumnGuess& guess : survey.guesses) {
    const auto under_point = guess.Narrowest('.', std::nullopt);
    const auto under_comma = guess.Narrowest(',', std::nullopt);
    if (under_point && IsNumber(*under_point)) points += guess.point_decimals();
    if (under_comma && IsNumber(*under_comma)) commas += guess.comma_decimals();
  }
  return commas > points ? ',' : '.';
}

Status SurveyRows(const ImportOptions& options, Survey* survey) {
  const auto parser = MakeParser(survey->style, survey->columns);
  KORREL_ASSIGN_OR_RETURN(auto reader, OpenRows(options.file, survey->style, parser.get()));
  Surveyor surveyor(survey);
  surveyor.Grow(survey->columns.size());
  Row row;
  while (true) {
    KORREL_ASSIGN_OR_RETURN(const bool more, reader->Next(&row));
    if (!more) break;
    surveyor.Add(row);
  }
  survey->columns = parser->columns();
  surveyor.Grow(survey->columns.size());
  surveyor.Finish(options.encoding);
  survey->digest = reader->source().Digest();
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<RowParser> MakeParser(const FileStyle& style, const std::vector<std::string>& columns) {
  if (style.format == FileFormat::kJsonLines) return std::make_unique<JsonLinesParser>(columns);
  auto parser = std::make_unique<CsvParser>(style.delimiter);
  parser->set_columns(columns);
  return parser;
}

StatusOr<std::unique_ptr<RowReader>> OpenRows(const std::string& path, const FileStyle& style, RowParser* parser) {
  KORREL_ASSIGN_OR_RETURN(auto source, TextSource::Open(path, style.encoding));
  const bool header = style.format == FileFormat::kCsv && style.header;
  return std::make_unique<RowReader>(std::move(source), parser, header ? 1 : 0);
}

StatusOr<Survey> SurveyFile(const ImportOptions& options) {
  Survey survey;
  KORREL_ASSIGN_OR_RETURN(const std::string sample, ReadSample(options.file, &survey.style));
  FileStyle& style = survey.style;
  style.format = options.format.empty() ? GuessFormat(sample) : options.format == "jsonl" ? FileFormat::kJsonLines : FileFormat::kCsv;
  style.header = !options.no_header;
  if (style.format == FileFormat::kCsv) {
    const auto given = ParseDelimiter(options.delimiter);
    style.delimiter = given ? *given : GuessDelimiter(sample);
    KORREL_ASSIGN_OR_RETURN(survey.columns, ReadHeader(options, sample, style.delimiter));
  }
  KORREL_RETURN_IF_ERROR(SurveyRows(options, &survey));
  if (survey.columns.empty()) return BadFile(fmt::format("'{}' has no row that can be read", options.file));
  if (style.format == FileFormat::kCsv) style.point = options.decimal.empty() ? GuessPoint(survey) : options.decimal == "comma" ? ',' : '.';
  return survey;
}

}  // namespace korrel::cli
