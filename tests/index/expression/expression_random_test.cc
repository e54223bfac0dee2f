// Goal: what is printed is what was read. Method: random expressions of all types, written carelessly; each compiles, its normal form
// prints itself, and both have the same type, sharing key and names. Then the same texts with a few bytes changed: whatever comes out is
// either a tree that prints itself or one error that points into the text.
#include <gtest/gtest.h>

#include "tests/index/expression/example_catalog.h"
#include "tests/index/expression/random_expression.h"

namespace korrel {
namespace {

void ExpectSameMeaning(const Expression& a, const Expression& b) {
  EXPECT_EQ(a.normal_form(), b.normal_form());
  EXPECT_EQ(a.type(), b.type());
  EXPECT_EQ(a.sharing_key(), b.sharing_key());
  EXPECT_EQ(a.uses(), b.uses());
  EXPECT_EQ(a.has_aggregate(), b.has_aggregate());
  EXPECT_EQ(a.reads_now(), b.reads_now());
}

TEST(ExpressionRandom, PrintingAndReadingAgree) {
  uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomExpression random(seed);
  ExampleCatalog catalog;
  int compiled_count = 0;
  for (int i = 0; i < 6000; i++) {
    int depth = static_cast<int>(random.Below(4));
    std::string text;
    switch (random.Below(4)) {
      case 0:
        text = random.Number(depth);
        break;
      case 1:
        text = random.Time(depth);
        break;
      default:
        text = random.Condition(depth);
    }
    SCOPED_TRACE(text);
    auto first = Expression::Compile(text, catalog.Question());
    if (!first.ok()) {
      // The one thing the generator does not look after.
      ASSERT_EQ(ReasonOf(first.status()), "LIMIT") << first.status();
      continue;
    }
    compiled_count++;
    auto second = Expression::Compile((*first)->normal_form(), catalog.Question());
    ASSERT_TRUE(second.ok()) << (*first)->normal_form() << "\n" << second.status();
    ExpectSameMeaning(**first, **second);
    if (HasFailure()) return;
  }
  EXPECT_GT(compiled_count, 5000);
}

TEST(ExpressionRandom, DamagedTextsGiveATreeOrAnErrorThatPoints) {
  uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomExpression random(seed);
  ExampleCatalog catalog;
  int error_count = 0;
  for (int i = 0; i < 10'000; i++) {
    std::string text = random.Condition(2);
    for (uint64_t change = 0; change <= random.Below(3); change++) {
      size_t at = random.Below(text.size());
      switch (random.Below(4)) {
        case 0:
          text.erase(at, random.Below(6) + 1);
          break;
        case 1:
          text.insert(at, random.Any({"(", ")", "'", "\"", "not ", " and ", "-", ".", "@", "\xff", "é", "1e", "over", " in ", ",", "\n"}));
          break;
        case 2:
          text[at] = static_cast<char>(random.Below(256));
          break;
        default:
          text += text.substr(at);
      }
      if (text.empty()) text = " ";
    }
    SCOPED_TRACE(text);
    auto compiled = Expression::Compile(text, random.Below(2) ? catalog.Question() : catalog.LiveSegment());
    if (compiled.ok()) {
      auto parsed = ParseExpression((*compiled)->normal_form());
      ASSERT_TRUE(parsed.ok()) << parsed.status();
      ASSERT_EQ(PrintNode(**parsed), (*compiled)->normal_form());
      continue;
    }
    error_count++;
    auto error = ExpressionErrorOf(compiled.status());
    ASSERT_TRUE(error);
    ASSERT_LE(error->offset + error->length, text.size());
    ASSERT_GE(error->column, 1u);
    ASSERT_FALSE(error->message.empty());
    ASSERT_NE(error->rendered.find('^'), std::string::npos);
  }
  EXPECT_GT(error_count, 1000);
}

}  // namespace
}  // namespace korrel
