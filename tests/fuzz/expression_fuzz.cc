// Arbitrary text against a fixed catalog. Whatever it is: no crash, and either one error that points into the text, or a tree whose
// normal form reads back as itself, with the same type and sharing key.
//
//   expression_fuzz tests/fuzz/corpus/expression
#include <cstdlib>
#include <string_view>

#include "tests/index/expression/example_catalog.h"

namespace korrel {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void RequireErrorPoints(const Status& status, std::string_view text) {
  auto error = ExpressionErrorOf(status);
  Require(error && !error->reason.empty() && !error->message.empty() && error->line >= 1 && error->column >= 1);
  Require(size_t{error->offset} + error->length <= text.size());
}

void ParseAndPrint(std::string_view text) {
  auto parsed = ParseExpression(text);
  if (!parsed.ok()) return RequireErrorPoints(parsed.status(), text);
  std::string printed = PrintNode(**parsed);
  auto again = ParseExpression(printed);
  // Printing may make a text longer than is allowed; nothing else may go wrong with it.
  if (!again.ok()) return Require(ReasonOf(again.status()) == "LIMIT" && printed.size() > text.size());
  Require(PrintNode(**again) == printed);
  NamesIn(**parsed);
}

void Compile(std::string_view text, const CompileOptions& options) {
  auto compiled = Expression::Compile(text, options);
  if (!compiled.ok()) return RequireErrorPoints(compiled.status(), text);
  auto again = Expression::Compile((*compiled)->normal_form(), options);
  if (!again.ok()) return Require(ReasonOf(again.status()) == "LIMIT");
  Require((*again)->normal_form() == (*compiled)->normal_form());
  Require((*again)->type() == (*compiled)->type());
  Require((*again)->sharing_key() == (*compiled)->sharing_key());
}

}  // namespace
}  // namespace korrel

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto& catalog = *new korrel::ExampleCatalog;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  korrel::ParseAndPrint(text);
  korrel::CompileOptions options = catalog.Question();
  korrel::Compile(text, options);
  options.allow_unknown_names = true;
  korrel::Compile(text, options);
  korrel::Compile(text, catalog.LiveSegment());
  return 0;
}
