// The valid test expressions of the language's reference on five hand-made people, with answers worked out by hand: asked of the
// database and of the twin.
#include <gtest/gtest.h>

#include "fmt/format.h"
#include "index/evaluation/exponential.h"
#include "tests/twin/expression_check.h"
#include "tests/twin/hand_made.h"
#include "tests/twin/side_by_side.h"

namespace korrel::twin {
namespace {

const Value kAbsent;
const Value T = true, F = false;
Value Int(int64_t x) { return x; }

struct Fact {
  std::string expression;
  std::vector<Value> answers;  // of Anna, Bart, Cleo, Dirk, Emma
};

// On Wednesday 15 November 2017, half past ten in London, half past eleven in Amsterdam, half past five in New York.
constexpr int64_t kDay = int64_t{86'400} * 1'000'000;
constexpr char kNow[] = "2017-11-15T10:30:00Z";

class LanguagePage : public testing::Test {
 protected:
  LanguagePage() : both_({{1, true}, {4, false}}, ClockMode::kReplay, At(kNow)) {
    Person("anna", {{"country", Text("NL")},
                    {"tier", Text("gold")},
                    {"email", Text("Info@example.nl")},
                    {"favourite colour", Text("it's blue")},
                    {"age", Int(30)},
                    {"score", 0.95},
                    {"balance", Money(10000)},
                    {"is_member", true},
                    {"birth_date", Time("1987-11-15T00:00:00Z")},
                    {"last_seen", Time("2017-11-10T09:00:00Z")},
                    {"interests", StringSet{"hats", "shoes"}}});
    Person("bart", {{"country", Text("BE")},
                    {"tier", Text("basic")},
                    {"email", Text("a_b@example.nl")},
                    {"time_zone", Text("America/New_York")},
                    {"age", Int(40)},
                    {"score", 0.1},
                    {"balance", Money(-1250)},
                    {"birth_date", Time("1999-11-16T00:00:00Z")},
                    {"last_seen", Time("2017-11-01T10:30:00Z")},  // fourteen days ago to the microsecond
                    {"interests", StringSet{}}});
    Person("cleo", {{"tier", Text("gold")}, {"age", Int(7)}, {"score", 0.9}, {"balance", Money(0)}, {"is_member", false}});
    Person("dirk", {{"country", Text("NL")},
                    {"tier", Text("basic")},
                    {"email", Text("x@other.org")},
                    {"time_zone", Text("Nowhere/City")},
                    {"age", Int(25)},
                    {"is_member", false},
                    {"birth_date", Time("1999-11-15T10:30:00Z")},  // eighteen at this very instant
                    {"last_seen", Time("2017-11-14T00:00:00Z")}});
    Person("emma", {{"country", Text("NL")}});

    Order("anna", "2017-11-14T10:00:00Z", "shoes", 2, Value(Decimal{30000, 3}), Money(10000), "X");
    Order("anna", "2017-11-01T00:00:00Z", "bags", 1, Value(Decimal{45500, 3}), Money(4550), "");
    Order("anna", "2017-10-20T08:00:00Z", "shoes", 4, Value(Decimal{1250, 3}), Money(500), "");
    Order("bart", "2017-09-01T00:00:00Z", "hats", 1, Value(Decimal{9990, 3}), Money(999), "");
    Order("bart", "2017-10-16T10:30:00Z", "hats", 3, Value(Decimal{6670, 3}), Money(2001), "");  // thirty days ago to the microsecond
    Order("dirk", "2017-11-02T00:00:00Z", "bags", 5, kAbsent, kAbsent, "");
    Visit("anna", "2017-11-15T09:00:00Z", "/pricing");
    Visit("bart", "2017-11-03T09:00:00Z", "/shoes");
    Visit("bart", "2017-11-04T09:00:00Z", "/pricing");
    EventWrite view{{"customer:emma"}, "view", At("2017-08-17T10:29:59.999999Z"), "", "", {}};  // ninety days and a microsecond ago
    both_.Track({view});
  }

  void Person(const std::string& name, std::vector<std::pair<std::string, Value>> values) {
    ProfileWrite write;
    write.identifiers = {"customer:" + name};
    for (auto& [attribute, value] : values) write.attributes.push_back({attribute, AttributeOperation::kSet, value});
    both_.Upsert({write});
  }
  void Order(const std::string& name, const char* time, const char* category, int64_t quantity, Value price, Value amount,
             const char* coupon) {
    EventWrite event{{"customer:" + name}, "order", At(time), "", "", {}};
    event.properties = {{"category", Text(category)}, {"quantity", Int(quantity)}, {"price", price}, {"amount", amount}};
    if (*coupon != '\0') event.properties.push_back({"coupon", Text(coupon)});
    both_.Track({event});
  }
  void Visit(const std::string& name, const char* time, const char* page) {
    EventWrite event{{"customer:" + name}, "visit", At(time), "", "", {}};
    event.properties = {{"page", Text(page)}};
    both_.Track({event});
  }

  void ExpectFact(const Fact& fact, const std::map<std::string, Value, std::less<>>& parameters = {}) {
    StatusOr<ExpressionRef> expression = both_.twin().Compile(fact.expression, &parameters);
    ASSERT_TRUE(expression.ok()) << fact.expression << ": " << expression.status();
    for (auto& [id, value] : ValuesInTwin(both_.twin(), **expression)) {
      EXPECT_TRUE(SameValue(value, fact.answers[id - 1]))
          << "twin, profile " << id << ": " << fact.expression << " is " << DisplayValue(value);
    }
    for (Side& side : both_.sides()) {
      QueryRequest request;
      request.selection.expression = "true";
      request.selection.parameters = parameters;
      request.select = {fact.expression};
      if (parameters.empty()) {
        StatusOr<QueryResult> result = RunQuery(*side.database, std::move(request));
        ASSERT_TRUE(result.ok()) << fact.expression << ": " << result.status();
        ASSERT_EQ(result->ids.size(), 5u);
        for (size_t i = 0; i < 5; ++i) {
          EXPECT_TRUE(SameValue(result->columns[0][i], fact.answers[result->ids[i] - 1]))
              << "database, profile " << result->ids[i] << ": " << fact.expression << " is " << DisplayValue(result->columns[0][i]);
        }
      }
      if (fact.answers[0].index() != T.index()) continue;
      Selection selection;
      selection.expression = fact.expression;
      selection.parameters = parameters;
      StatusOr<CountAnswer> count = side.database->Count(selection);
      ASSERT_TRUE(count.ok()) << fact.expression << ": " << count.status();
      EXPECT_EQ(count->count, static_cast<uint64_t>(std::count(fact.answers.begin(), fact.answers.end(), T))) << fact.expression;
    }
  }

  SideBySide both_;
};

TEST_F(LanguagePage, Attributes) {
  for (const Fact& fact : std::vector<Fact>{
           {"true", {T, T, T, T, T}},
           {"country = 'NL' and age between 25 and 40 and not (tier = 'basic')", {T, F, F, F, F}},
           {"country = 'NL' or tier = 'gold' and not is_member", {T, F, T, T, T}},
           {"not country = 'NL'", {F, T, T, F, F}},
           {"country != 'NL'", {F, T, F, F, F}},
           {"country not in ('NL', 'BE')", {F, F, T, F, F}},
           {"balance = 100 and age > 4.5", {T, F, F, F, F}},
           {"score >= 0.9", {T, F, T, F, F}},
           {"interests has any ('shoes', 'bags') and email is not absent", {T, F, F, F, F}},
           {"interests has none ('shoes')", {F, T, F, F, F}},
           {"\"favourite colour\" = 'it''s blue'", {T, F, F, F, F}},
           {"email like '%\\_%@example.nl'", {F, T, F, F, F}},
           {"email matches '(?i)^info@'", {T, F, F, F, F}},
       }) {
    ExpectFact(fact);
  }
}

TEST_F(LanguagePage, Arithmetic) {
  Value nothing = Decimal{0, 2};
  for (const Fact& fact : std::vector<Fact>{
           {"age / 2", {15.0, 20.0, 3.5, 12.5, kAbsent}},
           {"balance * 1.21", {Decimal{1210000, 4}, Decimal{-151250, 4}, Decimal{0, 4}, kAbsent, kAbsent}},
           {"round(balance * 1.21, 2)", {Money(12100), Money(-1513), nothing, kAbsent, kAbsent}},
           {"-age % 3 + 2 * -4", {Int(-8), Int(-9), Int(-9), Int(-9), kAbsent}},
           {"coalesce(score, 0)", {0.95, 0.1, 0.9, 0.0, 0.0}},
           {"if(is_member, balance, 0)", {Money(10000), nothing, nothing, nothing, nothing}},
           {"min(age, 99)", {Int(30), Int(40), Int(7), Int(25), kAbsent}},
       }) {
    ExpectFact(fact);
  }
}

TEST_F(LanguagePage, TheClock) {
  for (const Fact& fact : std::vector<Fact>{
           {"last_seen > now() - 14d", {T, F, F, T, F}},
           {"now() - last_seen >= 1d12h", {T, T, F, F, F}},
           {"age_in(birth_date, 'year') >= 18", {T, F, F, T, F}},
           {"hour(now(), coalesce(time_zone, 'Europe/Amsterdam')) between 9 and 17", {T, F, T, F, T}},
           {"last_seen >= timestamp '2017-03-01T12:00:00+01:00'", {T, T, F, T, F}},
       }) {
    ExpectFact(fact);
  }
}

TEST_F(LanguagePage, Aggregates) {
  Value nothing = Decimal{0, 3};
  for (const Fact& fact : std::vector<Fact>{
           {"min(order.amount) < 10", {T, T, F, F, F}},
           {"count(order) over 30d >= 3", {T, F, F, F, F}},
           {"count(order) between 90d and 30d ago between 2 and 5", {F, T, F, F, F}},
           {"sum(order.amount where category = 'shoes' and quantity > 1) over 4w > 100", {T, F, F, F, F}},
           {"sum(order.quantity * order.price)", {Decimal{110500, 3}, Decimal{30000, 3}, nothing, nothing, nothing}},
           {"count(order.coupon) over this month at 'Europe/Amsterdam' = 0", {F, T, T, T, T}},
           {"most_frequent(order.category) over 180d", {Text("shoes"), Text("hats"), kAbsent, Text("bags"), kAbsent}},
           {"avg(order.amount) > 20.00", {T, F, F, F, F}},
           {"last(visit.page) = '/pricing' and count(order) over 7d = 0", {F, T, F, F, F}},
           {"in segment 'churn risk'", {F, T, F, F, F}},
       }) {
    ExpectFact(fact);
  }
}

TEST_F(LanguagePage, Parameters) {
  ExpectFact({"country = @country and last_seen(any) < now() - 90d", {F, F, F, F, T}}, {{"country", Text("NL")}});
}

TEST_F(LanguagePage, SessionsDecayAndSequences) {
  // What anna and bart spent halves every thirty days.
  auto left = [](double s, const char* time) { return Halved(s, At(kNow) - At(time), 30 * kDay); };
  double anna = Halved(5.0, At("2017-11-01T00:00:00Z") - At("2017-10-20T08:00:00Z"), 30 * kDay) + 45.5;
  anna = Halved(anna, At("2017-11-14T10:00:00Z") - At("2017-11-01T00:00:00Z"), 30 * kDay) + 100.0;
  double bart = Halved(9.99, At("2017-10-16T10:30:00Z") - At("2017-09-01T00:00:00Z"), 30 * kDay) + 20.01;
  for (const Fact& fact : std::vector<Fact>{
           {"sessions(visit, gap 30m) over 7d >= 2", {F, F, F, F, F}},
           {"sessions(visit, gap 30m) over 14d", {Int(1), Int(2), Int(0), Int(0), Int(0)}},
           {"sessions(visit, gap 1d) over 14d", {Int(1), Int(1), Int(0), Int(0), Int(0)}},  // a day apart to the microsecond
           {"decayed_sum(order.amount, half_life 30d)",
            {left(anna, "2017-11-14T10:00:00Z"), left(bart, "2017-10-16T10:30:00Z"), 0.0, 0.0, 0.0}},
           {"decayed_count(view, half_life 90d) > 0.5", {F, F, F, F, F}},  // emma's is ninety days and a microsecond old
           {"decayed_count(view, half_life 90d) >= 0.4", {F, F, F, F, T}},
           {"did (visit where page like '/shoes%') then visit", {F, T, F, F, F}},
           {"did order then order then order", {T, F, F, F, F}},
           {"did order without visit then order over 60d", {T, F, F, F, F}},
           {"did visit without order within 1d", {F, T, F, F, F}},  // anna's visit was this morning
           {"did visit without order", {T, T, F, F, F}},
           {"did (visit where page like '/shoes%') then cart without order within 1d over 30d", {F, F, F, F, F}},
           {"DID visit THEN visit WITHIN 1d BETWEEN 4w AND 1w AGO", {F, T, F, F, F}},
       }) {
    ExpectFact(fact);
  }
}

TEST_F(LanguagePage, WhatComesLaterIsRefusedByName) {
  for (Side& side : both_.sides()) {
    Selection selection;
    selection.expression = "consent('marketing', 'email') and is_member";
    EXPECT_EQ(ReasonOf(side.database->Count(selection).status()), "NOT_YET");
  }
}

}  // namespace
}  // namespace korrel::twin
