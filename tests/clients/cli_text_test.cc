// Text in and out of the command line: assignments, lists, tables, JSON.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cli/assignment.h"
#include "clients/cli/cli.h"
#include "clients/cli/import_options.h"
#include "clients/cli/output.h"
#include "clients/cli/question_commands.h"

namespace korrel::cli {
namespace {

using testing::ElementsAre;

Assignment Parse(std::string_view text) {
  const auto assignment = ParseAssignment(text, absl::UTCTimeZone());
  EXPECT_TRUE(assignment.ok()) << text << ": " << assignment.status();
  return assignment.value_or(Assignment{});
}

TEST(Assignment, SetsWhatTheTextLooksLike) {
  EXPECT_EQ(Parse("age=41").value, Value(int64_t{41}));
  EXPECT_EQ(Parse("age=41").name, "age");
  EXPECT_EQ(Parse("price=4.50").value, Value(Decimal{450, 2}));
  EXPECT_EQ(Parse("member=true").value, Value(true));
  EXPECT_EQ(Parse("score=1e-3").value, Value(0.001));
  EXPECT_EQ(Parse("zip=01234").value, Value(std::string("01234")));
  EXPECT_EQ(Parse("born=1970-01-02").value, Value(Timestamp{86'400'000'000}));
  EXPECT_EQ(Parse("equation=a=b").value, Value(std::string("a=b")));
}

TEST(Assignment, QuotesMakeAString) {
  EXPECT_EQ(Parse("zip='41'").value, Value(std::string("41")));
  EXPECT_EQ(Parse("name='it''s'").value, Value(std::string("it's")));
  EXPECT_EQ(Parse("name=''").value, Value(std::string()));
}

TEST(Assignment, Sets) {
  EXPECT_EQ(Parse("tags={a,b}").value, Value(StringSet{"a", "b"}));
  EXPECT_EQ(Parse("tags={}").value, Value(StringSet{}));
  EXPECT_EQ(Parse("tags={'x,y',z}").value, Value(StringSet{"x,y", "z"}));
}

TEST(Assignment, OtherOperations) {
  EXPECT_EQ(Parse("tier-").operation, v1::ATTRIBUTE_OPERATION_UNSET);
  EXPECT_EQ(Parse("tier-").name, "tier");
  EXPECT_EQ(Parse("visits+=2").operation, v1::ATTRIBUTE_OPERATION_INCREMENT);
  const Assignment less = Parse("balance-=2.50");
  EXPECT_EQ(less.operation, v1::ATTRIBUTE_OPERATION_INCREMENT);
  EXPECT_EQ(less.value, Value(Decimal{-250, 2}));
  EXPECT_EQ(Parse("tags+={a}").operation, v1::ATTRIBUTE_OPERATION_ADD);
  EXPECT_EQ(Parse("tags-={a}").operation, v1::ATTRIBUTE_OPERATION_REMOVE);
  EXPECT_EQ(Parse("tags+=a").operation, v1::ATTRIBUTE_OPERATION_ADD);
  EXPECT_EQ(Parse("best:max=7").operation, v1::ATTRIBUTE_OPERATION_MAX);
  EXPECT_EQ(Parse("best:max=7").name, "best");
  EXPECT_EQ(Parse("best:min=7").operation, v1::ATTRIBUTE_OPERATION_MIN);
}

TEST(Assignment, RefusesWhatIsNone) {
  for (const char* text : {"age", "=5", "-", "age=", "name='open", "name='a'b'", "tags={a,,b}", "flag+=true", "+=5"}) {
    const auto assignment = ParseAssignment(text, absl::UTCTimeZone());
    EXPECT_FALSE(assignment.ok()) << text;
    EXPECT_EQ(ReasonOf(assignment.status()), "USAGE") << text;
  }
}

TEST(ImportOptions, ListsTypesAndIdentifiers) {
  EXPECT_THAT(SplitList("a,b(1,2),\"c,d\""), ElementsAre("a", "b(1,2)", "c,d"));
  const auto types = ParseTypes("a:string,b:decimal(2),c:set(|),d:set(,)");
  ASSERT_TRUE(types.ok());
  EXPECT_EQ((*types)[1].type, DecimalType(2));
  EXPECT_EQ((*types)[2].set_separator, '|');
  EXPECT_EQ((*types)[3].set_separator, ',');
  for (const char* bad : {"a", "a:", ":int", "a:integer", "a:decimal(19)", "a:duration"}) EXPECT_FALSE(ParseTypes(bad).ok()) << bad;
  const auto ids = ParseIdentifierColumns("CustomerID,mail:email");
  ASSERT_TRUE(ids.ok());
  EXPECT_EQ((*ids)[0].type, "customer_id");
  EXPECT_EQ((*ids)[1].column, "mail");
  EXPECT_EQ((*ids)[1].type, "email");
  EXPECT_FALSE(ParseIdentifierColumns("a:Bad Type").ok());
  EXPECT_FALSE(ParseIdentifierColumns("").ok());
}

TEST(ImportOptions, IdentifierTypesAreColumnNamesInLowerCase) {
  EXPECT_EQ(IdentifierTypeOf("CustomerID"), "customer_id");
  EXPECT_EQ(IdentifierTypeOf("Customer ID"), "customer_id");
  EXPECT_EQ(IdentifierTypeOf("household_id"), "household_id");
  EXPECT_EQ(IdentifierTypeOf("InvoiceNo"), "invoice_no");
  EXPECT_EQ(IdentifierTypeOf("e-mail"), "e_mail");
  EXPECT_EQ(IdentifierTypeOf("HTTPServer2"), "http_server2");
}

TEST(Expressions, AreSplitOutsideQuotesAndParentheses) {
  EXPECT_THAT(SplitExpressions("age, min(a, b),\"x,y\",lower('a,b')"), ElementsAre("age", "min(a, b)", "\"x,y\"", "lower('a,b')"));
  EXPECT_EQ(InSegment("it's"), "in segment 'it''s'");
}

TEST(Json, NumbersAreExactAndTextIsEscaped) {
  JsonWriter json;
  json.BeginObject().Key("a").Put(Value(Decimal{-1250, 2})).Key("b").Put(Value(int64_t{9'007'199'254'740'993}));
  json.Key("c").Put(Value(0.1)).Key("d").Put(Value(std::string("q\"\\\n\x01é"))).Key("e").Put(Value(Timestamp{0}));
  json.Key("f").Put(Value(StringSet{"x", "y"})).Key("g").Put(Value()).Key("h").Put(Value(true)).EndObject();
  EXPECT_EQ(json.TakeLine(),
            "{\"a\": -12.50, \"b\": 9007199254740993, \"c\": 0.1, \"d\": \"q\\\"\\\\\\n\\u0001é\", \"e\": \"1970-01-01T00:00:00Z\", "
            "\"f\": [\"x\", \"y\"], \"g\": null, \"h\": true}\n");
  json.BeginArray().BeginObject().EndObject().BeginObject().EndObject().EndArray();
  EXPECT_EQ(json.TakeLine(), "[{}, {}]\n") << "a writer can be used again";
}

TEST(Table, AlignsByCodePointsAndNumbersToTheRight) {
  Table table({"name", "n"});
  table.Add({"Zoë", "7"});
  table.Add({"Bartholomew", "1250"});
  EXPECT_EQ(table.Text(), "name            n\nZoë             7\nBartholomew  1250\n");
  EXPECT_EQ(table.Csv(), "name,n\nZoë,7\nBartholomew,1250\n");
}

TEST(Table, ControlCharactersDoNotReachTheTerminal) {
  Table table({"x"});
  table.Add({"a\x1b[31mb\nc"});
  EXPECT_EQ(table.Text(), "x\na [31mb c\n");
  EXPECT_EQ(Shortened("héllo", 3), "hé…");
}

}  // namespace
}  // namespace korrel::cli
