// tests/index/expression/random_expression.h
//
// Random well-typed expressions over the names of ExampleCatalog, written carelessly: any letter case, spare parentheses and spaces,
// durations in odd units. Every one of them compiles.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace korrel {

class RandomExpression {
 public:
  explicit RandomExpression(uint64_t seed) : random_(seed) {}

  std::string Condition(int depth) {
    switch (depth <= 0 ? Below(3) : Below(17)) {
      case 0:
        return Any({"is_member", "true", "not is_member", "in segment 'vip'", "has_identifier('email')", "\"is_member\""});
      case 1:
        return Number(0) + Compare() + Number(0);
      case 2:
        return Text(0) + Any({" = ", " != ", " < ", " contains "}) + Text(0);
      case 3:
        return Wrapped(Condition(depth - 1)) + Word(" and ") + Wrapped(Condition(depth - 1));
      case 4:
        return Wrapped(Condition(depth - 1)) + Word(" or ") + Wrapped(Condition(depth - 1)) + Word(" or ") + Wrapped(Condition(depth - 1));
      case 5:
        return Word("not ") + "(" + Condition(depth - 1) + ")";
      case 6:
        return Number(depth - 1) + Compare() + Number(depth - 1);
      case 7:
        return "(" + Number(depth - 1) + ")" + Maybe(" not") + Word(" between ") + NumberConstant() + Word(" and ") + Number(depth - 1);
      case 8:
        return Wrapped(Text(depth - 1), 9) + Maybe(" not") + Word(" in ") + TextList();
      case 9:
        return "interests" + Maybe(" not") + Any({" has any ", " HAS ALL ", " has none "}) + TextList();
      case 10:
        return Wrapped(Text(depth - 1), 9) + Maybe(" not") + Any({" like 'a%'", " matches '^[a-c]+$'", " like '\\%_'", " LIKE ''''"});
      case 11:
        return Wrapped(Any({Number(depth - 1), Text(depth - 1), Time(depth - 1), "interests"}), 9) +
               Any({" is present", " is absent", " IS NOT PRESENT", " is not absent"});
      case 12:
        return Wrapped(Time(depth - 1), 9) + Compare() + Wrapped(Time(depth - 1), 9);
      case 13:
        return Wrapped(Duration(depth - 1), 9) + Compare() + Wrapped(Duration(depth - 1), 9);
      case 14:
        return Wrapped(Number(depth - 1), 9) + Maybe(" not") + Word(" in ") + "(" + NumberConstant() + ", " + NumberConstant() + ", @min)";
      case 15:
        return "if(" + Condition(depth - 1) + ", " + Condition(depth - 1) + ", is_member)";
      default:
        return "interests has " + Text(depth - 1);
    }
  }

  // Of scale 2 at most before a product, so that scales never pass 18.
  std::string Number(int depth) {
    switch (depth <= 0 ? Below(3) : Below(14)) {
      case 0:
        return NumberConstant();
      case 1:
        return Any({"age", "score", "balance", "spend_90d", "\"age\""});
      case 2:
        return Aggregate();
      case 3:
        return Number(depth - 1) + Any({" + ", " - ", "-", "+"}) + Number(0);
      case 4:
        return "(" + Number(depth - 1) + ") - (" + Number(depth - 1) + ")";
      case 5:
        return "age * (" + Whole(depth - 1) + ")";
      case 6:
        return "(" + Number(depth - 1) + ") / (" + Number(depth - 1) + ")";
      case 7:
        return "(" + Whole(depth - 1) + ") % " + Any({"3", "(2)", "-7", "age"});
      case 8:
        return "-(" + Number(depth - 1) + ")";
      case 9:
        return Word("coalesce(") + Number(depth - 1) + ", " + Number(depth - 1) + ")";
      case 10:
        return Word("if(") + Condition(depth - 1) + "," + Number(depth - 1) + " , " + Number(depth - 1) + ")";
      case 11:
        return Any({"min(", "MAX("}) + Number(depth - 1) + ", " + Number(depth - 1) + ")";
      case 12:
        return "(" + Duration(depth - 1) + ") / 1d12h";
      default:
        return Any({"length(interests)", "length(" + Text(depth - 1) + ")", "round(" + Number(depth - 1) + ")", "round(score, 2)",
                    "hour(" + Time(depth - 1) + ", 'Europe/Amsterdam')", "age_in(" + Time(depth - 1) + ", 'month')",
                    "weekday(birth_date, time_zone)", "abs(" + Number(depth - 1) + ")", "bucket('x')"});
    }
  }

  std::string Text(int depth) {
    switch (depth <= 0 ? Below(2) : Below(5)) {
      case 0:
        return Any({"'NL'", "''", "'it''s'", "'é'", "@country", "'a%'"});
      case 1:
        return Any({"country", "tier", "email", "\"favourite colour\"", "\"country\""});
      case 2:
        return Any({"lower(", "Upper("}) + Text(depth - 1) + ")";
      case 3:
        return "coalesce(" + Text(depth - 1) + ", " + Text(depth - 1) + ")";
      default:
        return Any({"last(visit.page)", "first(order.category where quantity > 1) over 4w", "most_frequent(order.category)",
                    "max(cart.product) over this quarter"});
    }
  }

  std::string Time(int depth) {
    switch (depth <= 0 ? Below(2) : Below(5)) {
      case 0:
        return Any({"timestamp '2017-03-01T12:00:00.5+01:00'", "DATE '2017-03-01'", "now()", "timestamp '1969-12-31 23:59:60Z'"});
      case 1:
        return Any({"birth_date", "last_seen", "created_at()", "updated_at()"});
      case 2:
        return Wrapped(Time(depth - 1)) + Any({" + ", " - "}) + "(" + Duration(depth - 1) + ")";
      case 3:
        return "coalesce(" + Time(depth - 1) + ", " + Time(depth - 1) + ")";
      default:
        return Any({"last_seen(any)", "first_seen(order where amount > 3.0) over 30d", "last_seen(visit) between 4w and 1d ago"});
    }
  }

  std::string Duration(int depth) {
    switch (depth <= 0 ? 0 : Below(4)) {
      case 0:
        return Any({"1d12h", "90m", "4w", "-30s", "1500ms", "7us", "0d", "1d"});
      case 1:
        return "(" + Time(depth - 1) + ") - (" + Time(depth - 1) + ")";
      case 2:
        return "(" + Duration(depth - 1) + ") * (" + Whole(depth - 1) + ")";
      default:
        return "abs(" + Duration(depth - 1) + ")";
    }
  }

  uint64_t Below(uint64_t n) { return random_() % n; }
  std::string Any(const std::vector<std::string>& choices) { return choices[Below(choices.size())]; }

 private:
  std::string Whole(int depth) {
    if (depth <= 0) return Any({"age", "3", "-4", "count(order)", "count(visit) over 1d"});
    return Any({"age - (" + Whole(depth - 1) + ")", "length(tier)", "floor(" + Number(depth - 1) + ")", "(" + Whole(depth - 1) + ") % 5"});
  }
  std::string NumberConstant() {
    return Any({"0", "42", "-1", "4.50", "-0.07", "1e0", "2.5e-7", "-3E2", "9223372036854775807", "1000000.00"});
  }
  std::string TextList() { return Any({"('a')", "('NL', 'BE', 'NL')", "('', @country)", "( 'it''s','x' )"}); }
  std::string Compare() { return Any({" = ", " != ", " < ", "<=", " > ", " >=", "="}); }

  std::string Aggregate() {
    std::string counted =
        Any({"count(order)", "COUNT(order where amount > 3 and category in ('a'))", "sum(order.quantity * order.price)",
             "avg(order.amount)", "min(order.amount where event_time >= date '2017-01-01')", "unique_count(order.coupon)",
             "days_active(visit, 'Europe/Amsterdam')", "count(any)", "count(view where hour(event_time) between 1 and 2)"});
    return counted + Any({"", " over 30d", " OVER 1w", " between 4w and 1d ago", " over this month", " over today",
                          " over yesterday at 'Europe/Amsterdam'", " over last week at time_zone",
                          " over this year at coalesce(time_zone, 'UTC')", " between 3d and 0s ago"});
  }

  // In parentheses, or not: one time in three. With `odds` 9 always.
  std::string Wrapped(const std::string& text, int odds = 1) { return odds == 9 || Below(3) == 0 ? "(" + text + ")" : text; }
  std::string Maybe(const std::string& word) { return Below(3) == 0 ? word : ""; }
  std::string Word(const std::string& word) {
    std::string result = word;
    if (Below(4) == 0) {
      for (char& c : result) c = c >= 'a' && c <= 'z' ? c - 32 : c;
    }
    return result;
  }

  std::mt19937_64 random_;
};

}  // namespace korrel
