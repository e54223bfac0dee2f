// Catalog files: what they define, and what is refused with its place.
#include "clients/cli/catalog_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace korrel::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Catalog Read(const std::string& text) {
  Catalog catalog;
  const Status status = ReadCatalogText(text, "c.yaml", &catalog);
  EXPECT_TRUE(status.ok()) << status;
  return catalog;
}

std::string Problem(const std::string& text) {
  Catalog catalog;
  const Status status = ReadCatalogText(text, "c.yaml", &catalog);
  EXPECT_FALSE(status.ok()) << text;
  return std::string(status.message());
}

TEST(CatalogFile, ReadsEveryKindOfDefinition) {
  const Catalog catalog = Read(R"(
time_zone: Europe/Amsterdam
events:
  - {name: order, properties: {amount: decimal(2), category: string}, retention: 1200d, max_events: 500}
  - {name: visit}
attributes:
  - {name: country, type: string, unit: ISO, sensitivity: internal, description: where}
  - name: orders_30d
    is: count(order) over 30d
segments:
  - {name: lapsing, where: count(order) >= 3 and count(order) over 60d = 0}
  - {name: vip, static: true}
)");
  EXPECT_EQ(catalog.time_zone, "Europe/Amsterdam");
  ASSERT_EQ(catalog.entries.size(), 6u);
  const v1::Definition& order = catalog.entries[0].definition;
  EXPECT_EQ(order.name(), "events/order");
  EXPECT_EQ(order.event().properties(0).name(), "amount");
  EXPECT_EQ(order.event().properties(0).type(), v1::VALUE_TYPE_DECIMAL);
  EXPECT_EQ(order.event().properties(0).scale(), 2u);
  EXPECT_EQ(order.event().retention_us(), 1200ll * 86'400 * 1'000'000);
  EXPECT_EQ(order.event().max_events(), 500u);
  EXPECT_TRUE(catalog.entries[1].definition.has_event());
  EXPECT_EQ(catalog.entries[2].definition.attribute().unit(), "ISO");
  EXPECT_EQ(catalog.entries[3].definition.attribute().expression(), "count(order) over 30d");
  EXPECT_EQ(catalog.entries[3].line, 8);
  EXPECT_EQ(catalog.entries[3].expression_line, 9);
  EXPECT_EQ(catalog.entries[4].definition.segment().expression(), "count(order) >= 3 and count(order) over 60d = 0");
  EXPECT_TRUE(catalog.entries[5].definition.segment().static_());
}

TEST(CatalogFile, EmptyFilesAndListsDefineNothing) {
  EXPECT_TRUE(Read("").entries.empty());
  EXPECT_TRUE(Read("events:\nattributes: []\n").entries.empty());
}

TEST(CatalogFile, UnknownKeysComeWithASuggestion) {
  EXPECT_THAT(Problem("atributes:\n  - {name: a}\n"), HasSubstr("c.yaml:1:1: unknown key 'atributes'; did you mean 'attributes'?"));
  EXPECT_THAT(Problem("attributes:\n  - name: a\n    typ: int\n"), HasSubstr("c.yaml:3:5: unknown key 'typ'; did you mean 'type'?"));
  EXPECT_THAT(Problem("segments:\n  - {name: a, is: true}\n"), HasSubstr("unknown key 'is'"));
}

TEST(CatalogFile, WhatComesLaterIsRefusedByName) {
  for (const char* key : {"actions", "context", "identity", "purposes"}) {
    EXPECT_THAT(Problem(std::string("time_zone: UTC\n") + key + ":\n  - {name: x}\n"),
                HasSubstr(std::string("c.yaml:2:1: '") + key + "' is not available in this version"));
  }
}

TEST(CatalogFile, AFigureHasWhatItIsAndHowOftenItIsPublished) {
  const Catalog catalog = Read("population:\n  - {name: spend_p90, is: \"quantile(spend_90d, 0.9)\", every: 1h, description: rich}\n");
  ASSERT_EQ(catalog.entries.size(), 1u);
  EXPECT_EQ(catalog.entries[0].definition.name(), "population/spend_p90");
  const v1::PopulationDefinition& figure = catalog.entries[0].definition.population();
  EXPECT_EQ(figure.expression(), "quantile(spend_90d, 0.9)");
  EXPECT_EQ(figure.every_us(), int64_t{3'600'000'000});
  EXPECT_EQ(figure.description(), "rich");
  EXPECT_THAT(Problem("population:\n  - {name: a, every: 1h}\n"), HasSubstr("c.yaml:2:5: a figure needs 'is'"));
  EXPECT_THAT(Problem("population:\n  - {name: a, is: \"quantile(x, 1)\"}\n"), HasSubstr("a figure needs 'every', as in every: 1h"));
  EXPECT_THAT(Problem("population:\n  - {name: a, is: \"quantile(x, 1)\", every: often}\n"), HasSubstr("'often' is not a duration"));
  EXPECT_THAT(Problem("population:\n  - {name: a, where: x}\n"), HasSubstr("unknown key 'where'"));
  EXPECT_THAT(Problem("population:\n  - {name: a, is: quantile(x, 0.5), every: 1h}\n"), HasSubstr("was cut off")) << "a comma inside {…}";
}

TEST(CatalogFile, WrongValuesNameTheirPlace) {
  EXPECT_THAT(Problem("time_zone: Europe/Nowhere\n"), HasSubstr("c.yaml:1:12: unknown time zone 'Europe/Nowhere'"));
  EXPECT_THAT(Problem("attributes:\n  - {name: a, type: intt}\n"), HasSubstr("'intt' is not a type; did you mean 'int'?"));
  EXPECT_THAT(Problem("attributes:\n  - {name: a, type: duration}\n"), HasSubstr("not a type"));
  EXPECT_THAT(Problem("events:\n  - {name: a, retention: 5 days}\n"), HasSubstr("not a duration"));
  EXPECT_THAT(Problem("events:\n  - {name: a, max_events: -1}\n"), HasSubstr("max_events is a number"));
  EXPECT_THAT(Problem("events:\n  - {name: a, properties: {x: int, x: int}}\n"), HasSubstr("twice"));
  EXPECT_THAT(Problem("attributes:\n  - {type: int}\n"), HasSubstr("needs a name"));
  EXPECT_THAT(Problem("attributes: 5\n"), HasSubstr("is a list"));
  EXPECT_THAT(Problem("- 5\n"), HasSubstr("a catalog is a map"));
  EXPECT_THAT(Problem("segments:\n  - {name: a}\n"), HasSubstr("either 'where: EXPRESSION' or 'static: true'"));
  EXPECT_THAT(Problem("segments:\n  - {name: a, static: true, where: 'true'}\n"), HasSubstr("either"));
  EXPECT_THAT(Problem("attributes:\n  - {name: a, name: b}\n"), HasSubstr("twice"));
  EXPECT_THAT(Problem("a: \xFF\n"), HasSubstr("UTF-8"));
}

TEST(CatalogFile, AnExpressionCutOffByACommentIsSaidToBe) {
  const std::string problem = Problem("segments:\n  - name: a\n    where: page = '/x #y'\n");
  EXPECT_THAT(problem, StartsWith("c.yaml:3:12: the rest of the line was cut off at ' #'"));
  EXPECT_THAT(problem, HasSubstr("where: page = '/x #y'"));
  EXPECT_EQ(Read("segments:\n  - name: a\n    where: age > 3 # adults\n").entries[0].definition.segment().expression(), "age > 3")
      << "a comment behind a whole expression is a comment";
}

TEST(CatalogFile, AnExpressionCutOffByACommaIsSaidToBe) {
  EXPECT_THAT(Problem("segments:\n  - {name: a, where: country in ('NL', 'BE')}\n"), HasSubstr("quotes"));
}

TEST(CatalogFile, AnExpressionYamlCannotReadGetsAdvice) {
  EXPECT_THAT(Problem("segments:\n  - name: a\n    where: 'x' = page\n"), HasSubstr("put the expression into quotes"));
  EXPECT_THAT(Problem("segments:\n  - name: a\n    where: page = 'a: b'\n"), HasSubstr("put the expression into quotes"));
}

TEST(CatalogFile, QuotedAndBlockExpressionsAreWhole) {
  const Catalog catalog =
      Read("segments:\n  - {name: a, where: \"page = '/x #y'\"}\n  - name: b\n    where: |\n      page = '/x #y'\n      and age > 3\n");
  EXPECT_EQ(catalog.entries[0].definition.segment().expression(), "page = '/x #y'");
  EXPECT_EQ(catalog.entries[1].definition.segment().expression(), "page = '/x #y'\nand age > 3\n");
}

TEST(CatalogFile, ANameStandsOnceOverAllFiles) {
  Catalog catalog;
  ASSERT_TRUE(ReadCatalogText("attributes:\n  - {name: a}\n", "one.yaml", &catalog).ok());
  ASSERT_TRUE(ReadCatalogText("events:\n  - {name: a}\n", "two.yaml", &catalog).ok());
  EXPECT_TRUE(catalog.CheckNames().ok()) << "events and attributes are different name spaces";
  ASSERT_TRUE(ReadCatalogText("\nattributes:\n  - {name: a}\n", "three.yaml", &catalog).ok());
  EXPECT_THAT(std::string(catalog.CheckNames().message()), HasSubstr("three.yaml:3: attributes/a is defined already at one.yaml:2"));
}

TEST(CatalogFile, DeepNestingIsAnErrorNotACrash) { EXPECT_FALSE(Problem("attributes: " + std::string(100'000, '[')).empty()); }

TEST(Suggestion, IsTheClosestUpToAThird) {
  EXPECT_EQ(Suggestion("contry", {"country", "county"}), "country");
  EXPECT_EQ(Suggestion("xyz", {"country"}), "");
  EXPECT_EQ(Suggestion("ag", {"age"}), "");
}

}  // namespace
}  // namespace korrel::cli
