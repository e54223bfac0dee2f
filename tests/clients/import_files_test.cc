// Files as rows: CSV, JSON lines, gzip, encodings, and what the first pass recognises.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "clients/cli/csv.h"
#include "clients/cli/jsonl.h"
#include "clients/cli/rejected_file.h"
#include "clients/cli/survey.h"

namespace korrel::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TempFile {
 public:
  explicit TempFile(const std::string& content, const std::string& name = "file.csv") : path_(testing::TempDir() + "korrel_" + name) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TempFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string Gzip(const std::string& content) {
  const std::string path = testing::TempDir() + "korrel_pack.gz";
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Seen {
  uint64_t line;
  std::vector<std::string> cells;
  std::string problem;
  std::string raw;
};

std::vector<Seen> ReadAll(RowParser* parser, const std::string& content, int skip = 0) {
  const TempFile file(content);
  RowReader reader(TextSource::Open(file.path(), Encoding::kUtf8).value(), parser, skip);
  std::vector<Seen> rows;
  Row row;
  while (*reader.Next(&row)) {
    Seen seen{row.line, {}, row.problem, std::string(row.raw)};
    for (const Cell& cell : row.cells)
      seen.cells.push_back(cell.form == CellForm::kSet ? DisplayValue(Value(*cell.set)) : std::string(cell.text));
    rows.push_back(std::move(seen));
  }
  return rows;
}

std::vector<Seen> ReadCsv(const std::string& content, size_t columns) {
  CsvParser parser(',');
  parser.set_columns(std::vector<std::string>(columns, "x"));
  return ReadAll(&parser, content);
}

// All the text of a file, and how reading it ended.
std::pair<std::string, Status> ReadText(const TempFile& file) {
  auto source = TextSource::Open(file.path(), Encoding::kUtf8).value();
  std::string text;
  while (true) {
    const auto more = source->Read(&text);
    if (!more.ok()) return {text, more.status()};
    if (!*more) return {text, absl::OkStatus()};
  }
}

TEST(Gzip, MembersFollowOneAnother) {
  const std::string first(3 << 20, 'a');
  const auto [text, status] = ReadText(TempFile(Gzip(first) + Gzip("") + Gzip("b\n"), "members.gz"));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(text, first + "b\n");
}

TEST(Gzip, WhatFollowsAMemberAndIsNoneIsAnErrorWithItsByte) {
  const std::string first = Gzip("id\n1\n");
  std::string damaged = Gzip("2\n");
  damaged[1] = static_cast<char>(damaged[1] ^ 0x10);
  for (const std::string& rest : {damaged, std::string("garbage"), std::string(512, '\0')}) {
    const TempFile file(first + rest, "followed.gz");
    const auto [text, status] = ReadText(file);
    EXPECT_EQ(text, "id\n1\n");
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(MessageOf(status)), HasSubstr(file.path()));
    EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("ends at byte " + std::to_string(first.size())));
  }
  for (const std::string& cut : {first.substr(0, first.size() - 1), first + Gzip("2\n").substr(0, 5), first + "x"}) {
    const auto [text, status] = ReadText(TempFile(cut, "cut.gz"));
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("at byte " + std::to_string(cut.size())));
  }
}

TEST(Csv, SplitsPlainAndQuotedCells) {
  const auto rows = ReadCsv("a,\"b,c\",\"d \"\"e\"\"\"\r\n,,\n", 3);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_THAT(rows[0].cells, ElementsAre("a", "b,c", "d \"e\""));
  EXPECT_THAT(rows[1].cells, ElementsAre("", "", ""));
}

TEST(Csv, LinesAreThoseOfTheFileAlsoBehindLineEndsInQuotesAndBlankLines) {
  const auto rows = ReadCsv("1,\"two\nlines\"\n\n3,4\n", 2);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].cells[1], "two\nlines");
  EXPECT_EQ(rows[1].line, 4u);
}

TEST(Csv, LastLineNeedsNoEnd) { EXPECT_THAT(ReadCsv("1,2", 2)[0].cells, ElementsAre("1", "2")); }

TEST(Csv, AQuoteInsideAnUnquotedCellIsText) { EXPECT_THAT(ReadCsv("5\" pipe,1\n", 2)[0].cells, ElementsAre("5\" pipe", "1")); }

TEST(Csv, TextBehindAClosingQuoteCostsItsOwnRowOnly) {
  const auto rows = ReadCsv("1,2\n\"a\"b,2\n3,4\n", 2);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_THAT(rows[1].problem, HasSubstr("closing quote"));
  EXPECT_EQ(rows[1].line, 2u);
  EXPECT_EQ(rows[1].raw, "\"a\"b,2");
  EXPECT_THAT(rows[2].cells, ElementsAre("3", "4"));
}

TEST(Csv, AQuoteThatNeverClosesCostsItsOwnLineOnly) {
  const auto rows = ReadCsv("1,\"open\n3,4\n5,6\n", 2);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_THAT(rows[0].problem, HasSubstr("never closed"));
  EXPECT_TRUE(rows[1].problem.empty());
  EXPECT_THAT(rows[2].cells, ElementsAre("5", "6"));
}

TEST(Csv, AnOpenQuoteDoesNotSwallowAFileLargerThanARow) {
  std::string content = "1,\"open\n";
  for (int i = 0; i < 300'000; ++i) content += "3,4\n";
  ASSERT_GT(content.size(), kFileRowBytesMax);
  const auto rows = ReadCsv(content, 2);
  ASSERT_EQ(rows.size(), 300'001u);
  EXPECT_FALSE(rows[0].problem.empty());
  EXPECT_TRUE(rows[1].problem.empty());
  EXPECT_EQ(rows.back().line, 300'001u);
}

TEST(Csv, ARowOverTheLimitIsRefusedAndReadingGoesOn) {
  const auto rows = ReadCsv("1,2\n" + std::string(3 * kFileRowBytesMax, 'x') + "\n3,4\n", 2);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_THAT(rows[1].problem, HasSubstr("longer than"));
  EXPECT_THAT(rows[2].cells, ElementsAre("3", "4"));
  EXPECT_EQ(rows[2].line, 3u);
}

TEST(Csv, AWrongNumberOfCellsIsSaid) {
  EXPECT_EQ(ReadCsv("1,2,3\n", 2)[0].problem, "3 cells instead of 2");
  EXPECT_EQ(ReadCsv("1\n", 2)[0].problem, "1 cells instead of 2");
}

TEST(Csv, ARowThatIsNotUtf8IsSaid) {
  const auto rows = ReadCsv("1,\xFF\n3,4\n", 2);
  EXPECT_EQ(rows[0].problem, kNotUtf8);
  EXPECT_TRUE(rows[1].problem.empty());
}

TEST(Csv, RowsSplitTheSameWhereverTheTextIsCut) {
  const std::string content = "a,\"b\"\"\nc\"\r\n\"\",x\r\n";
  CsvParser parser(',');
  Row whole;
  const size_t used = parser.Parse(content, true, &whole);
  for (size_t cut = 0; cut < used; ++cut) {
    Row part;
    EXPECT_EQ(parser.Parse(std::string_view(content).substr(0, cut), false, &part), 0u) << cut;
  }
  Row exact;
  EXPECT_EQ(parser.Parse(std::string_view(content).substr(0, used), false, &exact), used);
}

TEST(Csv, DelimiterIsTheOneThatSplitsRowsAlike) {
  EXPECT_EQ(GuessDelimiter("a,b\n1,2\n"), ',');
  EXPECT_EQ(GuessDelimiter("a;b\n1,5;2\n2,5;3\n"), ';');
  EXPECT_EQ(GuessDelimiter("a\tb\n1\t2\n"), '\t');
  EXPECT_EQ(GuessDelimiter("a|b\n1|2"), '|');
  EXPECT_EQ(GuessDelimiter("alone\n1\n"), ',');
}

TEST(Csv, CellIsQuotedOnlyWhereItMustBe) {
  EXPECT_EQ(CsvCell("plain", ','), "plain");
  EXPECT_EQ(CsvCell("a,b", ','), "\"a,b\"");
  EXPECT_EQ(CsvCell("a,b", ';'), "a,b");
  EXPECT_EQ(CsvCell("say \"x\"\n", ','), "\"say \"\"x\"\"\n\"");
}

TEST(JsonLines, NamesBecomeColumnsAndNestedNamesPaths) {
  JsonLinesParser parser;
  const auto rows = ReadAll(&parser, R"({"a": 1, "b": {"c": "x", "d": {"e": true}}}
{"b": {"c": "y"}, "f": ["q", "p"], "a": 12.50, "g": null}
)");
  EXPECT_THAT(parser.columns(), ElementsAre("a", "b.c", "b.d.e", "f", "g"));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_THAT(rows[0].cells, ElementsAre("1", "x", "true"));
  EXPECT_EQ(rows[1].cells[0], "12.50");
  EXPECT_EQ(rows[1].cells[3], "{'q', 'p'}");
}

TEST(JsonLines, BrokenLinesSayWhereAndCostThemselvesOnly) {
  JsonLinesParser parser;
  const auto rows =
      ReadAll(&parser, "{\"a\": 1}\n{\"a\": }\n[1]\n{\"a\": 1} x\n{\"a\": [1]}\n{\"a\": 1, \"a\": 2}\nnot json\n{\"a\": 2}\n");
  ASSERT_EQ(rows.size(), 8u);
  for (size_t i = 1; i < 7; ++i) EXPECT_FALSE(rows[i].problem.empty()) << i << rows[i].raw;
  EXPECT_THAT(rows[1].problem, HasSubstr("column "));
  EXPECT_THAT(rows[4].problem, HasSubstr("strings"));
  EXPECT_THAT(rows[5].problem, HasSubstr("twice"));
  EXPECT_TRUE(rows[7].problem.empty()) << rows[7].problem;
  EXPECT_EQ(rows[7].line, 8u);
}

TEST(JsonLines, DeepNestingIsRefusedNotFollowed) {
  std::string line;
  for (int i = 0; i < 10'000; ++i) line += "{\"a\":";
  JsonLinesParser parser;
  EXPECT_FALSE(ReadAll(&parser, line + "1" + std::string(10'000, '}') + "\n")[0].problem.empty());
}

TEST(JsonLines, KnownColumnsKeepTheirPlaces) {
  JsonLinesParser parser({"a", "b"});
  EXPECT_THAT(ReadAll(&parser, "{\"b\": 1, \"a\": 2}\n")[0].cells, ElementsAre("2", "1"));
}

ImportOptions Options(const std::string& path) {
  ImportOptions options;
  options.file = path;
  return options;
}

Survey SurveyOf(const std::string& content) {
  const TempFile file(content);
  auto survey = SurveyFile(Options(file.path()));
  EXPECT_TRUE(survey.ok()) << survey.status();
  return survey.ok() ? *survey : Survey{};
}

TEST(Survey, RecognisesSemicolonAndDecimalComma) {
  const Survey survey = SurveyOf("id;price\n1;2,50\n2;10,00\n");
  EXPECT_EQ(survey.style.delimiter, ';');
  EXPECT_EQ(survey.style.point, ',');
  EXPECT_EQ(survey.guesses[1].Narrowest(',', std::nullopt), DecimalType(2));
  EXPECT_EQ(survey.rows, 2u);
}

TEST(Survey, ByteOrderMarkIsNoPartOfTheFirstName) {
  const Survey survey = SurveyOf("\xEF\xBB\xBFid,b\n1,2\n");
  EXPECT_TRUE(survey.style.had_byte_order_mark);
  EXPECT_THAT(survey.columns, ElementsAre("id", "b"));
}

TEST(Survey, BytesThatAreNotUtf8MeanWindows1252) {
  const TempFile file("id,name\n1,Andr\xE9\n2,\x80 5\n");
  const auto survey = SurveyFile(Options(file.path()));
  ASSERT_TRUE(survey.ok());
  EXPECT_EQ(survey->style.encoding, Encoding::kWindows1252);
  EXPECT_EQ(survey->guesses[1].Narrowest('.', std::nullopt), kStringType);
  EXPECT_EQ(survey->head[0][1], "André");
  const auto parser = MakeParser(survey->style, survey->columns);
  const auto reader = OpenRows(file.path(), survey->style, parser.get()).value();
  Row row;
  ASSERT_TRUE(*reader->Next(&row));
  EXPECT_EQ(row.cells[1].text, "André");
  ASSERT_TRUE(*reader->Next(&row));
  EXPECT_EQ(row.cells[1].text, "€ 5");
}

TEST(Survey, OneDamagedRowInAUtf8FileIsDamageNotAnotherEncoding) {
  const Survey survey = SurveyOf("id,n\n1,André\n2,Zoë\n3,\xFF\n");
  EXPECT_EQ(survey.style.encoding, Encoding::kUtf8);
  EXPECT_EQ(survey.broken_rows, 1u);
}

TEST(Survey, DigestIsOfTheUnpackedContent) {
  const std::string content = "id,b\n1,2\n";
  const TempFile packed(Gzip(content), "packed.csv.gz");
  const auto survey = SurveyFile(Options(packed.path()));
  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_TRUE(survey->style.packed);
  EXPECT_EQ(survey->digest, SurveyOf(content).digest);
  EXPECT_NE(survey->digest, SurveyOf("id,b\n1,3\n").digest);
}

TEST(Survey, RefusesFilesThatAreNone) {
  const auto problem = [](const std::string& content) {
    const TempFile file(content, "bad.gz");
    return std::string(SurveyFile(Options(file.path())).status().message());
  };
  EXPECT_THAT(problem(""), HasSubstr("empty"));
  EXPECT_THAT(problem("\n \n"), HasSubstr("empty"));
  EXPECT_THAT(problem(std::string("a\0b,c\n", 6)), HasSubstr("not a text file"));
  EXPECT_THAT(problem("\xFF\xFE"
                      "a\0"),
              HasSubstr("UTF-16"));
  EXPECT_THAT(problem("a,a\n1,2\n"), HasSubstr("two columns"));
  std::string content = "id,value\n";
  for (int i = 0; i < 10'000; ++i) content += std::to_string(i * 7919 % 10'007) + ",x\n";
  const std::string packed = Gzip(content);
  EXPECT_THAT(problem(packed.substr(0, packed.size() / 2)), HasSubstr("cut off"));
  EXPECT_THAT(std::string(SurveyFile(Options("/no/such/file")).status().message()), HasSubstr("cannot read"));
  EXPECT_THAT(std::string(SurveyFile(Options("/tmp")).status().message()), HasSubstr("regular file"));
}

TEST(Survey, HeaderOnlyIsAFileOfNoRows) {
  const Survey survey = SurveyOf("id,b\n");
  EXPECT_EQ(survey.rows, 0u);
  EXPECT_EQ(survey.columns.size(), 2u);
}

TEST(Survey, JsonLinesAreRecognisedByTheirFirstBrace) {
  const Survey survey = SurveyOf("{\"id\": \"1\", \"n\": 2}\n{\"id\": \"2\", \"n\": 3.5}\n");
  EXPECT_EQ(survey.style.format, FileFormat::kJsonLines);
  EXPECT_EQ(survey.guesses[0].Narrowest('.', std::nullopt), kStringType) << "a JSON string stays a string";
  EXPECT_EQ(survey.guesses[1].Narrowest('.', std::nullopt), DecimalType(1));
}

TEST(RejectedFile, HoldsLineReasonAndRow) {
  const std::string path = testing::TempDir() + "korrel_x.csv.rejected";
  std::ofstream(path) << "from an earlier run";
  FileStyle style;
  style.delimiter = ';';
  RejectedFile rejected(path, style, {"id", "n"});
  EXPECT_FALSE(std::filesystem::exists(path)) << "a file of an earlier run must not be mistaken for this one's";
  rejected.Add(3, "n: 'x;y' is no int", "1;x", true);
  rejected.Add(9, "text follows a closing quote", "\"a\"b;2", false);
  EXPECT_EQ(rejected.count(), 2u);
  EXPECT_TRUE(rejected.written());
  EXPECT_THAT(rejected.Examples(), ElementsAre("line 3: n: 'x;y' is no int", "line 9: text follows a closing quote"));
  std::filesystem::remove(path);
}

TEST(RejectedFile, IsReadableCsvWhenDone) {
  const std::string path = testing::TempDir() + "korrel_y.csv.rejected";
  {
    RejectedFile rejected(path, FileStyle{}, {"id", "n"});
    rejected.Add(3, "a, b", "1,x", true);
  }
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text, "line,reason,id,n\n3,\"a, b\",1,x\n");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace korrel::cli
