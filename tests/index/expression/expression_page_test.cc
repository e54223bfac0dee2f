// docs/expressions.md is true: every row of its tables headed *valid*, *not yet* and *invalid* is compiled and compared, column by column.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>

#include "tests/index/expression/example_catalog.h"

namespace korrel {
namespace {

struct Row {
  size_t line = 0;
  std::string code, remark;  // of the first cell: what is in backticks, and what stands behind
  std::vector<std::string> cells;
};

std::string Trimmed(std::string text) {
  size_t begin = text.find_first_not_of(' ');
  if (begin == text.npos) return "";
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

std::vector<std::string> Cells(const std::string& line) {
  std::vector<std::string> cells;
  for (size_t at = 1; at < line.size();) {
    size_t end = std::min(line.find('|', at), line.size());
    cells.push_back(Trimmed(line.substr(at, end - at)));
    at = end + 1;
  }
  return cells;
}

// The rows of the tables whose header begins with `kind`.
std::vector<Row> RowsOf(const std::string& kind) {
  std::filesystem::path page = std::filesystem::path(__FILE__).parent_path() / "../../../docs/expressions.md";
  std::ifstream in(page);
  if (!in) throw std::runtime_error("cannot read " + page.string());
  std::vector<Row> rows;
  bool inside = false;
  size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    number++;
    if (!line.starts_with("|")) {
      inside = false;
      continue;
    }
    std::vector<std::string> cells = Cells(line);
    if (cells[0] == kind) inside = true;
    size_t close = cells[0].rfind('`');
    if (!inside || !cells[0].starts_with("`")) continue;
    rows.push_back({number, cells[0].substr(1, close - 1), Trimmed(cells[0].substr(close + 1)), cells});
  }
  return rows;
}

// What stands in backticks in a cell that promises another normal form.
std::optional<std::string> CodeIn(const std::string& cell, const std::string& prefix) {
  if (!cell.starts_with(prefix + "`")) return std::nullopt;
  size_t begin = prefix.size() + 1;
  return cell.substr(begin, cell.rfind('`') - begin);
}

TEST(ExpressionPage, ValidExamplesHaveTheirTypeAndNormalForm) {
  ExampleCatalog catalog;
  std::vector<Row> rows = RowsOf("valid");
  ASSERT_GT(rows.size(), 50u);
  for (const Row& row : rows) {
    SCOPED_TRACE("line " + std::to_string(row.line) + ": " + row.code);
    auto compiled = Expression::Compile(row.code, catalog.Question());
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    EXPECT_EQ(TypeName((*compiled)->type()), row.cells[1]);
    EXPECT_EQ((*compiled)->normal_form(), CodeIn(row.cells[2], "→ ").value_or(row.code));
    ExpressionRef again = MustCompile((*compiled)->normal_form(), catalog.Question());
    EXPECT_EQ(again->normal_form(), (*compiled)->normal_form());
    EXPECT_EQ(again->type(), (*compiled)->type());
    EXPECT_EQ(again->sharing_key(), (*compiled)->sharing_key());
  }
}

TEST(ExpressionPage, NotYetExamplesParsePrintAndAreRefusedByName) {
  ExampleCatalog catalog;
  std::vector<Row> rows = RowsOf("not yet");
  ASSERT_EQ(rows.size(), 4u);
  for (const Row& row : rows) {
    SCOPED_TRACE("line " + std::to_string(row.line) + ": " + row.code);
    auto parsed = ParseExpression(row.code);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    std::string printed = PrintNode(**parsed);
    EXPECT_EQ(printed, CodeIn(row.cells[1], "").value_or(row.code));
    auto again = ParseExpression(printed);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(PrintNode(**again), printed);
    auto compiled = Expression::Compile(row.code, catalog.Question());
    EXPECT_EQ(ReasonOf(compiled.status()), "NOT_YET");
    EXPECT_EQ(compiled.status().code(), absl::StatusCode::kUnimplemented);
  }
}

TEST(ExpressionPage, InvalidExamplesHaveTheirReasonColumnAndMessage) {
  ExampleCatalog catalog;
  std::vector<Row> rows = RowsOf("invalid");
  ASSERT_GT(rows.size(), 50u);
  for (const Row& row : rows) {
    SCOPED_TRACE("line " + std::to_string(row.line) + ": " + row.code);
    CompileOptions options = catalog.Question();
    if (row.remark == "(in a live segment)" || row.remark == "(as a segment)") options = catalog.LiveSegment();
    else if (row.remark == "(as an attribute)") options = catalog.AttributeDefinition();
    else ASSERT_EQ(row.remark, "");
    EXPECT_EQ(ErrorText(row.code, options), row.cells[1] + ": " + row.cells[2]);
  }
}

}  // namespace
}  // namespace korrel
