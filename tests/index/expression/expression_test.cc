#include "index/expression/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/index/expression/example_catalog.h"

namespace korrel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::string Repeated(std::string_view text, int times) {
  std::string result;
  for (int i = 0; i < times; i++) result += text;
  return result;
}

class Expressions : public testing::Test {
 protected:
  std::string Problem(std::string_view text) { return ErrorText(text, catalog_.Question()); }
  std::string NormalForm(std::string_view text) { return MustCompile(text, catalog_.Question())->normal_form(); }
  std::string InSegment(std::string_view text) { return ErrorText(text, catalog_.LiveSegment()); }
  std::string AsAttribute(std::string_view text) { return ErrorText(text, catalog_.AttributeDefinition()); }
  ExpressionError ErrorOf(std::string_view text) {
    auto compiled = Expression::Compile(text, catalog_.Question());
    return compiled.ok() ? ExpressionError{} : ExpressionErrorOf(compiled.status()).value_or(ExpressionError{});
  }
  // Adds an attribute with `is:`, known to what is compiled afterwards.
  void Define(const std::string& name, std::string_view text) {
    ExpressionRef expression = MustCompile(text, catalog_.AttributeDefinition());
    catalog_.Attribute(name, expression->type());
    catalog_.schema.attributes.back().computed = true;
    catalog_.definitions.attributes[name] = expression;
  }
  ExampleCatalog catalog_;
};

// ---- Text ----

TEST_F(Expressions, WordsComeInAnyLetterCaseAndNamesDoNot) {
  EXPECT_EQ(NormalForm("NOT (age IN (1)) OR TRUE And COUNT(order) Over THIS Month AT 'UTC' > 1"),
            "not (age in (1)) or true and count(order) over this month at 'UTC' > 1");
  EXPECT_EQ(NormalForm("LAST_SEEN(ANY) > TimeStamp '2017-01-01T00:00:00Z'"), "last_seen(any) > timestamp '2017-01-01T00:00:00Z'");
  EXPECT_THAT(Problem("Country = 'NL'"), StartsWith("UNKNOWN_NAME 1: unknown attribute 'Country'; did you mean 'country'?"));
  EXPECT_THAT(Problem("count(Order)"), StartsWith("UNKNOWN_NAME 7"));
}

TEST_F(Expressions, ReservedWordsAreNamesOnlyInQuotes) {
  for (std::string word :
       {"and", "or", "not", "in", "is", "has", "like", "contains", "matches", "between", "where", "over", "did", "true", "false"}) {
    catalog_.Attribute(word, kIntType);
    EXPECT_EQ(NormalForm("\"" + word + "\" = 1"), "\"" + word + "\" = 1");
    EXPECT_NE(Problem(word + " = 1"), "") << word;
  }
}

TEST_F(Expressions, EveryOtherWordIsFreeAsAName) {
  for (std::string word :
       {"order", "date", "timestamp", "first",     "last", "count", "present", "absent", "segment",    "any",       "all",    "none",
        "ago",   "this", "today",     "yesterday", "day",  "at",    "gap",     "then",   "half_life",  "without",   "within", "context",
        "now",   "if",   "month",     "offer",     "min",  "max",   "lower",   "null",   "population", "event_time"}) {
    catalog_.Attribute(word, kIntType);
    EXPECT_EQ(NormalForm(word + " = 1 and " + word + " is present"), word + " = 1 and " + word + " is present");
    EXPECT_EQ(NormalForm("\"" + word + "\" = 1"), (word == "event_time" ? "\"event_time\"" : word) + " = 1");
  }
  EXPECT_THAT(Problem("count(age)"), StartsWith("UNKNOWN_NAME 7")) << "before ( it is always a function";
}

TEST_F(Expressions, SpecialNamesInQuotesArePlainNames) {
  catalog_.Event("any", {{"event_time", kIntType}});
  catalog_.Event("context", {{"page", kStringType}});
  EXPECT_EQ(NormalForm("count(any) + count(\"any\")"), "count(any) + count(\"any\")");
  ExpressionRef of_type = MustCompile("count(\"any\" where \"event_time\" = 1 and event_time < date '2017-01-01')", catalog_.Question());
  EXPECT_TRUE(of_type->root()->event_type.has_value());
  const Node& where = *of_type->root()->where;
  EXPECT_EQ(where.inputs[0]->inputs[0]->op, Op::kProperty);
  EXPECT_EQ(where.inputs[1]->inputs[0]->op, Op::kEventTime);
  EXPECT_EQ(NormalForm("last(\"context\".page)"), "last(\"context\".page)");
}

TEST_F(Expressions, StringsAndNamesDoubleTheirQuotes) {
  catalog_.Attribute("a\"b", kStringType);
  EXPECT_EQ(NormalForm("\"a\"\"b\" = 'c''d'"), "\"a\"\"b\" = 'c''d'");
  EXPECT_EQ(NormalForm("email = ''"), "email = ''");
  EXPECT_EQ(NormalForm("email = 'two\nlines'"), "email = 'two\nlines'");
}

TEST_F(Expressions, UnreadableTextIsFoundBeforeAnythingElse) {
  EXPECT_THAT(Problem("nobody ( = $"), StartsWith("TOKEN 12: unexpected character '$'"));
  EXPECT_THAT(Problem("age = 1 \xff"), StartsWith("TOKEN 9: the text is not valid UTF-8"));
  EXPECT_THAT(Problem("age = '\xed\xa0\x80'"), StartsWith("TOKEN 8")) << "a surrogate";
  EXPECT_THAT(Problem("age = '\xc0\x80'"), StartsWith("TOKEN 8")) << "an overlong zero";
  EXPECT_THAT(Problem("age = '\xf4\x90\x80\x80'"), StartsWith("TOKEN 8")) << "beyond U+10FFFF";
  EXPECT_THAT(Problem(std::string_view("age\0= 1", 7)), StartsWith("TOKEN 4: unexpected control character U+0000"));
  EXPECT_THAT(Problem("\"\" = 1"), StartsWith("TOKEN 1: a name has 1 to 128 bytes"));
  EXPECT_THAT(Problem("\"" + Repeated("x", 129) + "\" = 1"), StartsWith("TOKEN 1: a name has 1 to 128 bytes"));
  EXPECT_THAT(Problem(Repeated("x", 129) + " = 1"), StartsWith("TOKEN 1: a name has at most 128 bytes"));
  EXPECT_THAT(Problem("\"a\tb\" = 1"), StartsWith("TOKEN 1: a name has no control characters"));
  EXPECT_THAT(Problem("naïve = 1"), StartsWith("TOKEN 3: unexpected character 'ï'"));
  EXPECT_THAT(Problem("age = ‘x’"), HasSubstr("straight quotes"));
  EXPECT_THAT(Problem("age = 1 && is_member"), StartsWith("TOKEN 9: unknown operator '&&'; write 'and'"));
  EXPECT_THAT(Problem("!is_member"), StartsWith("TOKEN 1: unknown operator '!'; write 'not'"));
}

TEST_F(Expressions, NumbersSayTheirType) {
  auto type = [this](std::string_view text) { return TypeName(MustCompile(text, catalog_.Question())->type()); };
  EXPECT_EQ(type("12"), "int");
  EXPECT_EQ(type("12.0"), "decimal(1)");
  EXPECT_EQ(type("0.000000000000000001"), "decimal(18)");
  EXPECT_EQ(type("12e0"), "double");
  EXPECT_EQ(type("1.5E+3"), "double");
  EXPECT_EQ(type("-4"), "int");
  EXPECT_EQ(type("1d"), "duration");
  EXPECT_EQ(NormalForm("-9223372036854775808 + 9223372036854775807"), "-9223372036854775808 + 9223372036854775807");
  EXPECT_EQ(NormalForm("4.50 + 0.0"), "4.50 + 0.0");
  EXPECT_EQ(NormalForm("100e0 + 1e300 + 2.5e-7 + -0e0"), "1e2 + 1e300 + 2.5e-7 + 0e0");
  EXPECT_EQ(NormalForm("1e-999 + 0e999"), "0e0 + 0e0") << "too small to be told from zero";
  EXPECT_THAT(Problem("-9223372036854775809"), StartsWith("LITERAL 1"));
  EXPECT_THAT(Problem("-(9223372036854775808)"), StartsWith("LITERAL 3"));
  EXPECT_THAT(Problem("92233720368547758.08"), StartsWith("LITERAL 1: '92233720368547758.08' is out of range")) << "unscaled over 64 bits";
  EXPECT_THAT(Problem("0.0000000000000000001"), StartsWith("LITERAL 1: a decimal has at most 18 digits"));
  EXPECT_THAT(Problem("age > 1e309"), StartsWith("LITERAL 7"));
  EXPECT_THAT(Problem("age > 1ee5"), StartsWith("TOKEN 7"));
  EXPECT_THAT(Problem("age > 1e"), StartsWith("TOKEN 7"));
  EXPECT_THAT(Problem("age > 0x1F"), StartsWith("TOKEN 7"));
  EXPECT_THAT(Problem("age > 1."), StartsWith("SYNTAX 8"));
  EXPECT_THAT(Problem("age > .5"), StartsWith("SYNTAX 7"));
}

TEST_F(Expressions, AMinusBelongsToTheNumberBehindIt) {
  EXPECT_EQ(NormalForm("2 * - 4"), "2 * -4");
  EXPECT_EQ(NormalForm("age -4"), "age - 4");
  EXPECT_EQ(NormalForm("age - -4"), "age - -4");
  EXPECT_EQ(NormalForm("--4"), "--4");
  EXPECT_EQ(NormalForm("-(4)"), "-(4)") << "an operation, not a number";
  EXPECT_EQ(NormalForm("-(age * 2)"), "-(age * 2)");
  EXPECT_EQ(NormalForm("-age * 2"), "-age * 2");
  EXPECT_EQ(NormalForm("(-age) * 2"), "-age * 2");
  EXPECT_EQ(NormalForm("last_seen + -30d"), "last_seen + -30d");
}

TEST_F(Expressions, DurationsGoFromLargeToSmall) {
  EXPECT_EQ(ParseDuration("90s"), 90'000'000);
  EXPECT_EQ(ParseDuration("1d12h"), int64_t{36} * 3'600'000'000);
  EXPECT_EQ(ParseDuration("1w1d1h1m1s1ms1us"), int64_t{694'861'001'001});
  EXPECT_EQ(ParseDuration("0d"), 0);
  EXPECT_EQ(ParseDuration("36500d"), kDurationMaxUs);
  for (std::string_view bad : {"", "d", "30", "30days", "12h1d", "1h1h", "1.5d", "-1d", "1D", " 1d", "1d ", "36501d",
                               "99999999999999999999d", "18446744073709551617us"}) {
    EXPECT_EQ(ParseDuration(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(FormatDuration(int64_t{28} * 86'400'000'000), "28d");
  EXPECT_EQ(FormatDuration(int64_t{36} * 3'600'000'000), "36h");
  EXPECT_EQ(FormatDuration(90'000'000), "90s");
  EXPECT_EQ(FormatDuration(1'500'000), "1500ms");
  EXPECT_EQ(FormatDuration(-1), "-1us");
  EXPECT_EQ(FormatDuration(0), "0s");
  EXPECT_EQ(FormatDuration(INT64_MIN), "-9223372036854775808us");
  EXPECT_THAT(Problem("count(order) over 12h1d"), StartsWith("TOKEN 19: '12h1d' is not a duration; units go from large to small"));
  EXPECT_THAT(Problem("last_seen + 36501d > now()"), StartsWith("LIMIT 13: '36501d' is longer than 100 years"));
}

TEST_F(Expressions, TimestampsAreReadInTheCatalogsZone) {
  auto at = [](std::string_view text, std::string_view zone) {
    auto time = ParseTimestamp(text, zone);
    return time.ok() ? FormatTimestamp(*time) : ReasonOf(time.status());
  };
  EXPECT_EQ(at("2017-03-01T12:00:00Z", "Europe/Amsterdam"), "2017-03-01T12:00:00Z");
  EXPECT_EQ(at("2017-03-01t12:00:00.000001z", "UTC"), "2017-03-01T12:00:00.000001Z");
  EXPECT_EQ(at("2017-03-01T12:00:00", "Europe/Amsterdam"), "2017-03-01T11:00:00Z");
  EXPECT_EQ(at("2017-03-01 12:00", "Europe/Amsterdam"), "2017-03-01T11:00:00Z");
  EXPECT_EQ(at("2017-07-01", "Europe/Amsterdam"), "2017-06-30T22:00:00Z");
  EXPECT_EQ(at("2017-03-01T12:00:00-05:30", "UTC"), "2017-03-01T17:30:00Z");
  EXPECT_EQ(at("2016-12-31T23:59:60Z", "UTC"), "2017-01-01T00:00:00Z") << "second 60 is the next second";
  EXPECT_EQ(at("2017-10-29T02:30:00", "Europe/Amsterdam"), "2017-10-29T00:30:00Z") << "of two the first";
  EXPECT_EQ(at("2017-03-26T02:30:00", "Europe/Amsterdam"), "2017-03-26T01:00:00Z") << "skipped: the jump";
  EXPECT_EQ(at("0001-01-01T00:00:00Z", "UTC"), "0001-01-01T00:00:00Z");
  EXPECT_EQ(at("9999-12-31T23:59:59.999999Z", "UTC"), "9999-12-31T23:59:59.999999Z");
  for (std::string_view bad : {"",
                               "2017",
                               "2017-3-1",
                               "2017-02-29",
                               "2017-13-01",
                               "2017-00-01",
                               "2017-01-00",
                               "0000-01-01",
                               "2017-01-01T",
                               "2017-01-01T24:00:00Z",
                               "2017-01-01T12:60:00Z",
                               "2017-01-01T12:00:61Z",
                               "2017-01-01T12:00:00.1234567Z",
                               "2017-01-01T12:00:00.Z",
                               "2017-01-01T12:00:00+0100",
                               "2017-01-01T12:00:00+24:00",
                               "2017-01-01Z",
                               "2017-01-01T12:00:00 Z",
                               "9999-12-31T23:59:60Z",
                               "0001-01-01T00:00:00+00:01",
                               "20170101"}) {
    EXPECT_EQ(at(bad, "UTC"), "LITERAL") << bad;
  }
  EXPECT_EQ(at("2017-03-01", "Nowhere"), "LITERAL");
  EXPECT_TRUE(IsTimeZone("Europe/Amsterdam"));
  EXPECT_FALSE(IsTimeZone("CET+1"));
}

TEST_F(Expressions, DatesPrintAsDatesAndTimestampsInUtc) {
  CompileOptions options = catalog_.Question();
  options.time_zone = "Europe/Amsterdam";
  ExpressionRef date = MustCompile("last_seen >= date '2017-07-01'", options);
  EXPECT_EQ(date->normal_form(), "last_seen >= date '2017-07-01'");
  EXPECT_EQ(std::get<Timestamp>(date->root()->inputs[1]->constant.value), ParseTimestamp("2017-06-30T22:00:00Z", "UTC").value());
  ExpressionRef time = MustCompile("last_seen >= timestamp '2017-07-01T12:00:00'", options);
  EXPECT_EQ(time->normal_form(), "last_seen >= timestamp '2017-07-01T10:00:00Z'");
  EXPECT_EQ(date->time_zone(), "Europe/Amsterdam");
}

// ---- Grammar ----

TEST_F(Expressions, ParenthesesStayWhereBindingNeedsThem) {
  EXPECT_EQ(NormalForm("((age)) > ((1 + 2))"), "age > 1 + 2");
  EXPECT_EQ(NormalForm("(age + 1) * 2"), "(age + 1) * 2");
  EXPECT_EQ(NormalForm("age + (1 * 2)"), "age + 1 * 2");
  EXPECT_EQ(NormalForm("age - (1 - 2)"), "age - (1 - 2)");
  EXPECT_EQ(NormalForm("age / (2 / 3)"), "age / (2 / 3)");
  EXPECT_EQ(NormalForm("(is_member or age > 1) and (age < 3)"), "(is_member or age > 1) and age < 3");
  EXPECT_EQ(NormalForm("is_member and (is_member and age > 1)"), "is_member and (is_member and age > 1)") << "another tree";
  EXPECT_EQ(NormalForm("(age > 1) = (age > 2)"), "(age > 1) = (age > 2)");
  EXPECT_EQ(NormalForm("is_member = (not is_member)"), "is_member = (not is_member)");
  EXPECT_EQ(NormalForm("(is_member = true) is present"), "(is_member = true) is present");
}

TEST_F(Expressions, NotTakesParenthesesExceptBeforeNamesCallsAndSegments) {
  EXPECT_EQ(NormalForm("not (is_member)"), "not is_member");
  EXPECT_EQ(NormalForm("not has_identifier('email')"), "not has_identifier('email')");
  EXPECT_EQ(NormalForm("not (in segment 'vip')"), "not in segment 'vip'");
  EXPECT_EQ(NormalForm("not age = 1"), "not (age = 1)");
  EXPECT_EQ(NormalForm("not true"), "not (true)");
  EXPECT_EQ(NormalForm("not age between 1 and 2 and is_member"), "not (age between 1 and 2) and is_member");
  EXPECT_EQ(NormalForm("age not between 1 and 2 and is_member"), "not (age between 1 and 2) and is_member");
}

TEST_F(Expressions, BetweenAndADurationIsAWindowOnlyBehindAnAggregate) {
  EXPECT_EQ(NormalForm("count(order) between 2 and 5"), "count(order) between 2 and 5");
  EXPECT_EQ(NormalForm("now() - last_seen between 1d and 2d"), "now() - last_seen between 1d and 2d");
  EXPECT_THAT(Problem("last(order.amount) between 1d and 2d"), StartsWith("SYNTAX 37: expected 'ago'"));
  catalog_.Event("stay", {{"begin", kTimestampType}, {"finish", kTimestampType}});
  EXPECT_EQ(NormalForm("(last(stay.finish - stay.begin)) between 1d and 2d"), "(last(stay.finish - stay.begin)) between 1d and 2d");
  EXPECT_EQ(NormalForm("(2h - last(stay.finish - stay.begin)) between 1d + 1h and 2d"),
            "(2h - last(stay.finish - stay.begin)) between 1d + 1h and 2d");
  EXPECT_EQ(NormalForm("(last(stay.finish - stay.begin) over 30d) between 1d and 2d"),
            "last(stay.finish - stay.begin) over 30d between 1d and 2d");
}

TEST_F(Expressions, WindowsBindTighterThanAnything) {
  EXPECT_EQ(NormalForm("-count(order) over 30d * 2"), "-count(order) over 30d * 2");
  EXPECT_EQ(NormalForm("count(order) over this week at if(is_member, 'UTC', time_zone) + 1"),
            "count(order) over this week at if(is_member, 'UTC', time_zone) + 1");
  EXPECT_THAT(Problem("age over 30d"), StartsWith("SYNTAX 5: 'over' stands behind an aggregate"));
  EXPECT_THAT(Problem("min(age, 3) over 30d"), StartsWith("SYNTAX 13: 'over'"));
  EXPECT_THAT(Problem("count(order) over last 30 days"), StartsWith("SYNTAX 24: expected day, week, month"));
  EXPECT_THAT(Problem("count(order) over 30"), StartsWith("SYNTAX 19: expected a duration"));
  EXPECT_THAT(Problem("count(order) over today at 'Mars'"), StartsWith("LITERAL 28: unknown time zone 'Mars'"));
  EXPECT_THAT(Problem("count(order) over today at age"), StartsWith("TYPE 28"));
}

TEST_F(Expressions, MistakesOfGrammarSayWhatWasExpected) {
  EXPECT_EQ(Problem(""), "SYNTAX 1: expected a value, found end of text");
  EXPECT_EQ(Problem("(age = 1"), "SYNTAX 9: expected ')', found end of text");
  EXPECT_EQ(Problem("age = 1)"), "SYNTAX 8: unexpected ')'");
  EXPECT_EQ(Problem("age = 1 age"), "SYNTAX 9: unexpected 'age'");
  EXPECT_EQ(Problem("age = and"), "SYNTAX 7: expected a value, found 'and'");
  EXPECT_EQ(Problem("age between 1 or 2"), "SYNTAX 15: expected 'and' and the upper end of 'between', found 'or'");
  EXPECT_EQ(Problem("country is not null"), "SYNTAX 16: write 'is present'");
  EXPECT_EQ(Problem("is_member is true"), "SYNTAX 14: write '= true'");
  EXPECT_EQ(Problem("country in 'NL'"), "SYNTAX 12: expected a list of constants in parentheses, found the string 'NL'");
  EXPECT_EQ(Problem("country like tier"), "SYNTAX 14: expected a pattern in single quotes after 'like', found 'tier'");
  EXPECT_EQ(Problem("age = 1 in (2)"), "SYNTAX 9: tests do not chain; join them with 'and'");
  EXPECT_EQ(Problem("in segment vip"), "SYNTAX 12: expected the name of a segment in single quotes, found 'vip'");
  EXPECT_EQ(Problem("@ = 1"), "SYNTAX 3: expected the name of a parameter after '@', found '='");
  EXPECT_THAT(Problem("age = not is_member"), StartsWith("SYNTAX 7: expected a value, found 'not'"));
  EXPECT_THAT(Problem("did visit then"), StartsWith("SYNTAX 15: expected an event type"));
  EXPECT_THAT(Problem("\"count\"(order)"), StartsWith("SYNTAX 8"));
}

// ---- Limits ----

TEST_F(Expressions, NestingStopsAtThirtyTwo) {
  for (auto [open, close] : {std::pair{"(", ")"}, {"abs(", ")"}, {"coalesce(", ")"}}) {
    EXPECT_EQ(Problem(Repeated(open, 32) + "age" + Repeated(close, 32) + " > 1"), "") << open;
    EXPECT_THAT(Problem(Repeated(open, 33) + "age" + Repeated(close, 33) + " > 1"), StartsWith("LIMIT")) << open;
    EXPECT_THAT(Problem(Repeated(open, 8'000)), StartsWith("LIMIT")) << open;
  }
  EXPECT_EQ(Problem(Repeated("not ", 32) + "is_member"), "");
  EXPECT_THAT(Problem(Repeated("not ", 33) + "is_member"), StartsWith("LIMIT 129"));
  EXPECT_EQ(Problem(Repeated("-", 32) + "age"), "");
  EXPECT_THAT(Problem(Repeated("-", 33) + "age"), StartsWith("LIMIT 33"));
  EXPECT_THAT(Problem(Repeated("(", 10'000) + "age" + Repeated(")", 10'000)), StartsWith("LIMIT 33"));
  EXPECT_THAT(Problem(Repeated("not ", 10'000)), StartsWith("LIMIT"));
  EXPECT_THAT(Problem(Repeated("-", 10'000)), StartsWith("LIMIT 33"));
  EXPECT_THAT(Problem(Repeated("count(order) over today at ", 2'000)), StartsWith("LIMIT"));
  EXPECT_THAT(Problem(Repeated("did (visit where ", 3'000)), StartsWith("LIMIT"));
}

TEST_F(Expressions, PartsAreCountedAndItemsAreFree) {
  EXPECT_EQ(Problem("age" + Repeated(" + 1", 499)), "");
  EXPECT_THAT(Problem("age" + Repeated(" + 1", 500)), StartsWith("LIMIT"));
  EXPECT_EQ(Problem("is_member" + Repeated(" and is_member", 998)), "");
  EXPECT_THAT(Problem("is_member" + Repeated(" and is_member", 999)), StartsWith("LIMIT"));
  EXPECT_EQ(Problem("age in (1" + Repeated(",2", 9'999) + ")"), "");
  EXPECT_THAT(Problem("age in (1" + Repeated(",2", 10'000) + ")"), StartsWith("LIMIT"));
}

TEST_F(Expressions, LengthsAreChecked) {
  EXPECT_EQ(Problem("is_member" + Repeated(" ", kExpressionBytesMax - 9)), "");
  EXPECT_THAT(Problem("is_member" + Repeated(" ", kExpressionBytesMax - 8)), StartsWith("LIMIT 65537: an expression has at most 64 KiB"));
  EXPECT_EQ(Problem("email matches '" + Repeated("a", 4'096) + "'"), "");
  EXPECT_THAT(Problem("email matches '" + Repeated("a", 4'097) + "'"), StartsWith("LIMIT 15: a pattern has at most 4 KiB"));
  EXPECT_THAT(Problem("email matches '((a{100}){100}){100}'"), testing::AnyOf(StartsWith("LIMIT 15"), StartsWith("PATTERN 15")));
  EXPECT_THAT(Problem("email matches '[^\xc3\xa9]{900}\\pL{900}'"), StartsWith("LIMIT 15: the compiled pattern is larger than 1 MiB"));
  EXPECT_THAT(Problem("did view" + Repeated(" then view", 7)), "");
  EXPECT_THAT(Problem("did view" + Repeated(" then view", 8)), StartsWith("LIMIT"));
}

TEST_F(Expressions, DefinitionsStandAtMostThirtyTwoDeep) {
  Define("d1", "age + 1");
  for (int i = 2; i <= 32; i++) Define("d" + std::to_string(i), "d" + std::to_string(i - 1) + " + d" + std::to_string(i - 1));
  ExpressionRef deepest = MustCompile("d31 > 1", catalog_.Question());
  EXPECT_EQ(deepest->definition_depth(), 31);
  EXPECT_EQ(MustCompile("d32 > 1", catalog_.LiveSegment())->definition_depth(), 32) << "walked once for each, not 2^32 times";
  EXPECT_THAT(AsAttribute("1 + d32 + d32"), IsEmpty());
  Define("d33", "d32 + 1");
  EXPECT_THAT(Problem("d33 > 1"), StartsWith("LIMIT 1"));
}

// ---- Errors ----

TEST_F(Expressions, ErrorsPointIntoTheirLine) {
  ExpressionError error = ErrorOf("country = 'é'\n  and contry = 'NL'\n  and age = 1");
  EXPECT_EQ(error.reason, "UNKNOWN_NAME");
  EXPECT_EQ(error.offset, 21u);
  EXPECT_EQ(error.length, 6u);
  EXPECT_EQ(error.line, 2u);
  EXPECT_EQ(error.column, 7u);
  EXPECT_THAT(error.suggestions, ElementsAre("country"));
  EXPECT_EQ(error.rendered, "2:7: unknown attribute 'contry'; did you mean 'country'?\n      and contry = 'NL'\n          ^^^^^^");
}

TEST_F(Expressions, ColumnsCountCodePoints) {
  ExpressionError error = ErrorOf("email = 'éé€😀' and nobody = 1");
  EXPECT_EQ(error.column, 20u);
  EXPECT_EQ(error.offset, 26u);
  EXPECT_THAT(error.rendered, HasSubstr("\n    " + std::string(19, ' ') + "^^^^^^"));
}

TEST_F(Expressions, OfALongLineTheSurroundingsAreShown) {
  ExpressionError error = ErrorOf(Repeated("is_member and ", 40) + "nobody = 1" + Repeated(" and is_member", 40));
  EXPECT_EQ(error.column, 561u);
  std::string shown = error.rendered.substr(error.rendered.find('\n') + 5, 120);
  EXPECT_EQ(shown.find('\n'), shown.npos);
  size_t caret_line = error.rendered.rfind('\n') + 5;
  EXPECT_EQ(shown.substr(error.rendered.find('^') - caret_line, 6), "nobody");
}

TEST_F(Expressions, ErrorsTravelInAStatus) {
  auto compiled = Expression::Compile("contry = 'NL'", catalog_.Question());
  EXPECT_EQ(compiled.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(compiled.status()), "UNKNOWN_NAME");
  ExpressionError cycle{"CYCLE", 3, 4, 1, 4, "segment 'a' uses itself: a → b → a", {"x:1", "", "z"}, "rendered\n"};
  Status status = ToStatus(cycle);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  auto back = ExpressionErrorOf(status);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->reason, "CYCLE");
  EXPECT_EQ(back->offset, 3u);
  EXPECT_EQ(back->length, 4u);
  EXPECT_EQ(back->line, 1u);
  EXPECT_EQ(back->column, 4u);
  EXPECT_EQ(back->message, cycle.message);
  EXPECT_EQ(back->rendered, cycle.rendered);
  EXPECT_THAT(back->suggestions, ElementsAre("x:1", "", "z"));
  EXPECT_FALSE(ExpressionErrorOf(InvalidArgument("FIELD", "x", "another error")));
}

TEST_F(Expressions, TheFirstErrorIsReported) {
  EXPECT_THAT(Problem("nobody = 1 and age = date '2017-02-30'"), StartsWith("UNKNOWN_NAME 1"));
  EXPECT_THAT(Problem("last_seen > date '2017-02-30' and nobody = 1"), StartsWith("LITERAL 18"));
  EXPECT_THAT(Problem("age = 'x' and nobody = 1"), StartsWith("TYPE 7"));
  EXPECT_THAT(Problem("nobody = 1 and"), StartsWith("SYNTAX 15")) << "grammar before names";
  EXPECT_THAT(Problem("nobody(1) and stranger = 2"), StartsWith("UNKNOWN_NAME 1: unknown function"));
}

TEST(ExpressionNames, TheNearestIsAtMostAThirdAway) {
  EXPECT_EQ(Nearest("contry", {"age", "country", "county"}), "country");
  EXPECT_EQ(Nearest("ab", {"ac"}), std::nullopt);
  EXPECT_EQ(Nearest("abc", {"abd", "abb"}), "abb") << "of equally near ones the first";
  EXPECT_EQ(Nearest("COUNTRY", {"country"}), "country") << "letter case is no distance";
  EXPECT_EQ(Nearest("", {"a", ""}), "");
  EXPECT_EQ(Nearest("xyz", {}), std::nullopt);
  EXPECT_EQ(Nearest("email_adress", {"email", "email_address", "address"}), "email_address");
}

// ---- Names, types, places ----

TEST_F(Expressions, BoundTreesCarryIds) {
  ExpressionRef expression =
      MustCompile("sum(order.quantity * order.price where category = 'x' and order.amount > 1) over 30d > age", catalog_.Question());
  const Node& aggregate = *expression->root()->inputs[0];
  EXPECT_EQ(aggregate.event_type, EventTypeId(0));
  EXPECT_EQ(aggregate.type, DecimalType(3));
  EXPECT_EQ(aggregate.inputs[0]->inputs[1]->property, PropertyId(2));
  EXPECT_EQ(aggregate.where->inputs[0]->inputs[0]->op, Op::kProperty);
  EXPECT_EQ(aggregate.where->inputs[0]->inputs[0]->property, PropertyId(3));
  EXPECT_EQ(aggregate.window.from_us, int64_t{30} * 86'400'000'000);
  EXPECT_EQ(expression->root()->inputs[1]->attribute, AttributeId(5));
  EXPECT_THAT(expression->uses(), ElementsAre("attributes/age", "events/order"));
  EXPECT_TRUE(expression->has_aggregate());
  EXPECT_FALSE(expression->reads_now());
  EXPECT_TRUE(MustCompile("age_in(birth_date, 'year') > 1", catalog_.Question())->reads_now());
}

TEST_F(Expressions, ParametersAreTypedValuesOfTheRequest) {
  ExpressionRef expression = MustCompile("country in ('BE', @country) and age > @min", catalog_.Question());
  EXPECT_EQ(expression->normal_form(), "country in ('BE', @country) and age > @min");
  EXPECT_EQ(std::get<std::string>(expression->root()->inputs[0]->items[1].value), "NL");
  EXPECT_EQ(std::get<int64_t>(expression->root()->inputs[1]->inputs[1]->constant.value), 3);
  EXPECT_THAT(Problem("age > @country"), StartsWith("TYPE 7: 'age' is an int; it cannot be compared with a string"));
  catalog_.parameters["set"] = StringSet{"a"};
  catalog_.parameters["nothing"] = Value{};
  catalog_.parameters["nan"] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(Problem("interests has @set"), StartsWith("TYPE 15: the parameter '@set' is a set"));
  EXPECT_THAT(Problem("age > @nothing"), StartsWith("LITERAL 7"));
  EXPECT_THAT(Problem("score > @nan"), StartsWith("LITERAL 9"));
  EXPECT_THAT(AsAttribute("age + @min"), StartsWith("PLACE 7"));
}

TEST_F(Expressions, UnknownNamesCanBeAllowed) {
  CompileOptions options = catalog_.Question();
  options.allow_unknown_names = true;
  auto type_of = [&](std::string_view text) { return TypeName(MustCompile(text, options)->root()->inputs[0]->type); };
  EXPECT_EQ(type_of("nobody = 'x'"), "string");
  EXPECT_EQ(type_of("nobody > 4.5"), "decimal(1)");
  EXPECT_EQ(type_of("nobody has 'x'"), "set");
  EXPECT_EQ(type_of("nobody and true"), "bool");
  EXPECT_EQ(type_of("nobody > now()"), "timestamp");
  EXPECT_EQ(type_of("nobody is absent"), "string");
  EXPECT_EQ(type_of("last(order.nothing) = 4"), "int");
  EXPECT_EQ(type_of("last(ordr.x) = 'a'"), "string");
  EXPECT_EQ(type_of("count(ordr where a = 1 and b has 'c') over 500d > 1"), "int");
  EXPECT_EQ(type_of("coalesce(nobody, stranger) = date '2017-01-01'"), "timestamp");
  EXPECT_EQ(type_of("if(nobody, stranger, 1) > 0"), "int");
  EXPECT_EQ(type_of("nobody + stranger > 1"), "int");
  ExpressionRef expression = MustCompile("nobody = 'x' and sum(ordr.x) > 1", options);
  EXPECT_TRUE(expression->root()->inputs[0]->inputs[0]->unknown);
  EXPECT_TRUE(expression->root()->inputs[1]->inputs[0]->unknown);
  EXPECT_THAT(expression->uses(), IsEmpty());
  for (const NodeRef& input : expression->root()->inputs) EXPECT_EQ(input->type, kBoolType);
}

TEST_F(Expressions, AggregatesSeeOnlyTheirEvents) {
  EXPECT_THAT(Problem("sum(order.amount + age)"), StartsWith("PLACE 20: 'age' is an attribute; 'sum' sees only properties of 'order'"));
  EXPECT_THAT(Problem("sum(order.amount + quantity)"), StartsWith("PLACE 20: write order.quantity"));
  EXPECT_THAT(Problem("count(order where count(visit) > 1)"),
              StartsWith("PLACE 19: 'count' is an aggregate; it cannot stand inside 'where'"));
  EXPECT_THAT(Problem("sum(count(order))"), StartsWith("PLACE 5"));
  EXPECT_THAT(Problem("count(order where in segment 'vip')"), StartsWith("PLACE 19"));
  EXPECT_THAT(Problem("count(order where bucket('x') = 1)"), StartsWith("PLACE 19"));
  EXPECT_THAT(Problem("count(order where visit.page = 'x')"), StartsWith("PLACE 19"));
  EXPECT_THAT(Problem("count(any where amount > 1)"), StartsWith("PLACE 17: 'any' stands for all event types"));
  EXPECT_THAT(Problem("count(order where quantity)"), StartsWith("TYPE 19: 'quantity' is an int; a condition is needed here"));
  EXPECT_THAT(Problem("sum(amount)"), StartsWith("ARGUMENTS 5: sum needs a property, as in sum(order.amount)"));
  EXPECT_THAT(Problem("avg(visit)"), StartsWith("ARGUMENTS 5: avg needs a property, as in avg(visit.seconds)"));
  EXPECT_THAT(Problem("sum(1)"), StartsWith("ARGUMENTS 5"));
  EXPECT_THAT(Problem("count()"), StartsWith("ARGUMENTS 1: count needs an event type"));
  EXPECT_THAT(Problem("count(order, 3)"), StartsWith("ARGUMENTS 14"));
  EXPECT_THAT(Problem("count(order, gap 3d)"), StartsWith("ARGUMENTS 14: count has no gap"));
  EXPECT_EQ(Problem("count(any where event_time > date '2017-01-01') > 1"), "");
}

TEST_F(Expressions, CalendarWindowsAreHeldAgainstTheRetentionAtTheirLongest) {
  auto with_retention = [this](std::string_view retention, std::string_view window) {
    catalog_.schema.event_types[0].retention_us = ParseDuration(retention);
    return Problem("count(order) over " + std::string(window));
  };
  for (auto [window, just, too_short] : {std::tuple{"today", "25h", "24h"},
                                         {"yesterday", "49h", "48h"},
                                         {"this week", "7d1h", "7d"},
                                         {"last week", "14d1h", "14d"},
                                         {"this month", "31d1h", "31d"},
                                         {"last month", "62d1h", "62d"},
                                         {"this quarter", "92d1h", "92d"},
                                         {"last quarter", "184d1h", "184d"},
                                         {"this year", "366d1h", "366d"},
                                         {"last year", "731d1h", "731d"}}) {
    EXPECT_EQ(with_retention(just, window), "") << window;
    EXPECT_THAT(with_retention(too_short, window), StartsWith("WINDOW 19")) << window;
  }
  EXPECT_THAT(with_retention("30d", "31d"), StartsWith("WINDOW 19: the window of 31d is longer than the retention of 30d"));
  EXPECT_EQ(with_retention("30d", "30d"), "");
}

TEST_F(Expressions, DefinitionsAreBoundIntoTheTree) {
  Define("orders", "count(order)");
  Define("quiet", "now() - last_seen > 30d");
  catalog_.definitions.segments["loyal"] = {SegmentId(7), false, MustCompile("orders > 3", catalog_.LiveSegment())};
  ExpressionRef expression = MustCompile("in segment 'loyal' and quiet and in segment 'vip'", catalog_.Question());
  const auto& inputs = expression->root()->inputs;
  EXPECT_EQ(inputs[0]->segment, SegmentId(7));
  EXPECT_EQ(PrintNode(*inputs[0]->definition), "orders > 3");
  EXPECT_EQ(PrintNode(*inputs[1]->definition), "now() - last_seen > 30d");
  EXPECT_EQ(inputs[2]->definition, nullptr) << "a static segment is a list";
  EXPECT_TRUE(expression->has_aggregate());
  EXPECT_TRUE(expression->reads_now());
  EXPECT_EQ(expression->definition_depth(), 2);
  EXPECT_THAT(expression->uses(), ElementsAre("attributes/quiet", "segments/loyal", "segments/vip"));
}

TEST_F(Expressions, KeptDefinitionsCompareWhatDecays) {
  Define("warmth", "decayed_count(order, half_life 30d)");
  Define("half", "warmth / 2");
  for (std::string_view text : {"decayed_sum(order.amount, half_life 30d) > 5", "5 <= decayed_sum(order.amount, half_life 30d)",
                                "warmth > age", "warmth between 1 and population.spend_p90", "not (warmth < count(order) over 30d)",
                                "spend_90d >= population.spend_p90", "did visit without order within 1d"}) {
    EXPECT_EQ(InSegment(text), "") << text;
  }
  for (std::string_view text : {"warmth = 1", "warmth in (1, 2)", "half > 1", "warmth is present", "coalesce(warmth, 0) > 1", "-warmth < 1",
                                "warmth > decayed_count(visit, half_life 30d)", "if(is_member, warmth, 0) > 2", "floor(warmth) = 2"}) {
    EXPECT_THAT(InSegment(text), StartsWith("NOT_CLOCK_EXACT")) << text;
    EXPECT_EQ(Problem(text), "") << text;
  }
  EXPECT_THAT(InSegment("population.spend_p90 > 1"), StartsWith("NOT_CLOCK_EXACT 1"));
  EXPECT_EQ(ErrorText("decayed_count(order, half_life 1d) > 1", catalog_.AttributeDefinition()), "");
  EXPECT_THAT(MustCompile("population.spend_p90 > 1", catalog_.Question())->uses(), ElementsAre("population/spend_p90"));
  EXPECT_THAT(MustCompile("did visit without any then cart", catalog_.Question())->uses(), ElementsAre("events/cart", "events/visit"));
}

TEST_F(Expressions, UnknownStepsAreNeverDone) {
  CompileOptions options = catalog_.Question();
  options.allow_unknown_names = true;
  ExpressionRef expression = MustCompile("did flight then (visit where gate = 'b')", options);
  EXPECT_TRUE(expression->root()->steps[0].unknown);
  EXPECT_EQ(expression->type(), kBoolType);
  EXPECT_EQ(expression->normal_form(), "did flight then (visit where gate = 'b')");
}

TEST_F(Expressions, KeptDefinitionsUseTheClockExactly) {
  for (std::string_view text :
       {"last_seen > now() - 14d", "now() - last_seen >= 36h", "last_seen between now() - 2d and now() - 1d", "now() > last_seen",
        "hour(now()) >= 9 and is_member", "hour(now() - 2h, time_zone) = 9 and is_member", "age_in(birth_date, 'year') = 18",
        "count(order) over 7d > 1", "not (now() - last_seen < 1d)", "true", "weekday(birth_date) = weekday(now())"}) {
    EXPECT_EQ(InSegment(text), "") << text;
  }
  for (std::string_view text :
       {"last_seen != now()", "now() in (date '2017-01-01')", "(now() - last_seen) / 1d > 3", "abs(now() - last_seen) < 1d",
        "max(last_seen, now()) > birth_date", "now() - last_seen > birth_date - now()", "coalesce(last_seen, now()) > birth_date",
        "hour(last_seen + (last_seen - now())) = 1", "now() is present"}) {
    EXPECT_THAT(InSegment(text), StartsWith("NOT_CLOCK_EXACT")) << text;
    EXPECT_EQ(Problem(text), "") << "a question may: " << text;
  }
  EXPECT_EQ(InSegment("now() - last_seen > now() - birth_date"), "") << "now() falls out";
}

TEST_F(Expressions, AConditionOnTheClockAloneIsNoSegment) {
  for (std::string_view text :
       {"hour(now()) >= 9", "is_member or hour(now()) >= 9", "now() > date '2020-01-01'", "is_member or (age > 1 or hour(now()) = 3)",
        "not (is_member and hour(now()) = 9)", "hour(now()) >= 9 and weekday(now()) < 6", "age_in(date '2000-01-01', 'year') > 20"}) {
    EXPECT_THAT(InSegment(text), StartsWith("NOT_CLOCK_EXACT")) << text;
    EXPECT_EQ(Problem(text), "") << text;
  }
  EXPECT_EQ(InSegment("is_member and hour(now()) >= 9"), "");
  EXPECT_EQ(InSegment("is_member or age > 3 and hour(now()) >= 9"), "");
}

TEST_F(Expressions, DerivedAttributesCountAsTheirText) {
  Define("days_away", "(now() - last_seen) / 1d");
  Define("quiet_since", "last_seen + 30d");
  Define("away_at", "now() - 30d");
  Define("local_hour", "hour(now())");
  EXPECT_THAT(InSegment("is_member and days_away > 3"), StartsWith("NOT_CLOCK_EXACT 15"));
  EXPECT_EQ(Problem("days_away > 3"), "");
  EXPECT_EQ(InSegment("quiet_since < now()"), "");
  EXPECT_EQ(InSegment("last_seen < away_at"), "");
  EXPECT_THAT(InSegment("last_seen = away_at"), StartsWith("NOT_CLOCK_EXACT 1: equality with now()"));
  EXPECT_THAT(InSegment("local_hour >= 9"), StartsWith("NOT_CLOCK_EXACT 1: a condition on the clock alone"));
  EXPECT_EQ(InSegment("local_hour >= 9 and is_member"), "");
  EXPECT_EQ(AsAttribute("days_away * 2"), "") << "derived: computed when it is read";
  EXPECT_THAT(AsAttribute("days_away * count(order)"), StartsWith("NOT_CLOCK_EXACT 1")) << "computed: kept current";
}

TEST_F(Expressions, DeclaredWiderTypesAreTheNodesType) {
  Define("orders", "count(order)");
  catalog_.schema.attributes.back().type = DecimalType(2);
  ExpressionRef expression = MustCompile("orders * 1.0", catalog_.Question());
  EXPECT_EQ(expression->type(), DecimalType(3));
  EXPECT_EQ(expression->root()->inputs[0]->definition->type, kIntType);
}

TEST(ExpressionNames, AnUnboundTreeSaysWhatItMentions) {
  auto parsed = ParseExpression(
      "b = 1 and a = b and in segment 'y' and count(order where x = 1) over today at zone > c "
      "and sum(order.amount * order.q) > 1 and not (in segment 'x') and days_active(e, z2) = 1 and did (v where w = 1) then u");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  MentionedNames names = NamesIn(**parsed);
  EXPECT_THAT(names.attributes, ElementsAre("a", "b", "c", "z2", "zone"));
  EXPECT_THAT(names.segments, ElementsAre("x", "y"));
}

TEST_F(Expressions, ABadZoneOfTheCatalogIsAnError) {
  CompileOptions options = catalog_.Question();
  options.time_zone = "Mars";
  auto compiled = Expression::Compile("true", options);
  EXPECT_EQ(ReasonOf(compiled.status()), "LITERAL");
}

}  // namespace
}  // namespace korrel
