#include "tests/twin/random_expression.h"

#include <algorithm>
#include <string_view>

#include "fmt/format.h"

namespace korrel::twin {
namespace {

bool IsRetained(const std::string& event_type) { return event_type == "order" || event_type == "visit"; }

}  // namespace

std::vector<std::string> RandomExpression::NamesOf(Kind kind) const {
  if (scope_.event_type == "order") {
    switch (kind) {
      case Kind::kInt:
        return {"quantity"};
      case Kind::kDecimal:
        return {"amount", "price"};
      case Kind::kDouble:
        return {"weight"};
      case Kind::kString:
        return {"category", "coupon"};
      case Kind::kBool:
        return {"gift"};
      case Kind::kTime:
        return {"shipped"};
      case Kind::kSet:
        return {"tags"};
    }
  }
  if (scope_.event_type == "visit") {
    if (kind == Kind::kInt) return {"seconds"};
    return kind == Kind::kString ? std::vector<std::string>{"page"} : std::vector<std::string>{};
  }
  if (scope_.event_type == "cart") return kind == Kind::kString ? std::vector<std::string>{"product"} : std::vector<std::string>{};
  if (InEvents()) return {};
  switch (kind) {
    case Kind::kInt:
      return words_.simple ? std::vector<std::string>{"age", "big"} : std::vector<std::string>{"age", "big", "orders_30d"};
    case Kind::kDecimal:
      return {"balance", "spend_90d", "precise"};
    case Kind::kDouble:
      return words_.simple ? std::vector<std::string>{"score"} : std::vector<std::string>{"score", "avg_basket"};
    case Kind::kString:
      return {"country", "tier", "email", "time_zone", "\"favourite colour\""};
    case Kind::kBool:
      return words_.simple ? std::vector<std::string>{"is_member"} : std::vector<std::string>{"is_member", "is_adult"};
    case Kind::kTime:
      return {"birth_date", "last_seen"};
    case Kind::kSet:
      return {"interests"};
  }
  return {};
}

std::string RandomExpression::NameOr(Kind kind, const std::string& otherwise) {
  std::vector<std::string> names = NamesOf(kind);
  if (names.empty()) return otherwise;
  std::string name = random_.Pick(names);
  return InEvents() && !scope_.bare ? scope_.event_type + "." + name : name;
}

std::string RandomExpression::Quoted(const std::string& text) const {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

std::string RandomExpression::List(const std::vector<std::string>& pool, bool quoted) {
  std::string out = "(";
  int size = static_cast<int>(random_.Between(1, random_.OneIn(10) ? 30 : 3));
  for (int i = 0; i < size; ++i) out += (i == 0 ? "" : ", ") + (quoted ? Quoted(random_.Pick(pool)) : random_.Pick(pool));
  return out + ")";
}

std::string RandomExpression::NumberLiteral() {
  switch (random_.Below(3)) {
    case 0:
      return random_.Pick(words_.ints);
    case 1:
      return random_.Pick(words_.decimals);
    default:
      return random_.Pick(words_.doubles);
  }
}

// ---- Conditions ----

std::string RandomExpression::Condition(int depth) {
  if (Leaf(depth)) return Test(depth);
  switch (random_.Below(7)) {
    case 0:
      return fmt::format("{} and {}", Condition(depth - 1), Condition(depth - 1));
    case 1:
      return fmt::format("{} or {}", Condition(depth - 1), Condition(depth - 1));
    case 2:
      return fmt::format("({}) and {} and ({})", Condition(depth - 1), Test(depth - 1), Condition(depth - 1));
    case 3:
      return fmt::format("not ({})", Condition(depth - 1));
    case 4:
      return fmt::format("not {}", Test(depth - 1));
    case 5:
      return fmt::format("if({}, {}, {})", Condition(depth - 1), Test(depth - 1), Condition(depth - 2));
    default:
      return fmt::format("({}) {} ({})", Condition(depth - 1), random_.Pick({"=", "!="}), Condition(depth - 1));
  }
}

std::string RandomExpression::Test(int depth) {
  if (!InEvents() && !words_.simple && random_.OneIn(12)) return random_.OneIn(3) ? DecayTest(depth) : Sequence(depth);
  if (!InEvents() && random_.OneIn(12)) {
    if (words_.simple) return "has_identifier('email')";
    return random_.Pick({"in segment 'churn risk'", "in segment 'vip'", "in segment 'adults'", "has_identifier('email')",
                         "has_identifier('nobody')", "last(order.gift)", "first(order.gift) = false"});
  }
  switch (random_.Below(10)) {
    case 0:
      return random_.OneIn(6) ? random_.Pick({"true", "false"}) : NameOr(Kind::kBool, "true");
    case 1:
      return Presence(depth - 1);
    case 2:
    case 3:
      return SetTest(depth - 1);
    case 4:
    case 5:
      return StringTest(depth - 1);
    default:
      return Comparison(depth - 1);
  }
}

std::string RandomExpression::Comparison(int depth) {
  const char* op = random_.Pick({"=", "!=", "<", "<=", ">", ">="});
  const char* between = random_.Pick({"between", "not between"});
  switch (random_.Below(9)) {
    case 0:
      return fmt::format("{} {} {}", Time(depth), op, Time(0));
    case 1:
      return fmt::format("{} {} {} and {}", Time(depth), between, Time(0), Time(0));
    case 2:
      return fmt::format("{} {} {}", Duration(depth), op, Duration(0));
    case 3:
      return fmt::format("{} {} {} and {}", Number(depth), between, Number(0), NumberLiteral());
    case 4:
      return fmt::format("{} {} {}", Int(depth), random_.Pick({"in", "not in"}), List(words_.ints, false));
    case 5:
      return fmt::format("{} in {}", Number(depth), List(random_.OneIn(2) ? words_.decimals : words_.doubles, false));
    case 6:
      return fmt::format("{} {} {}", NumberLiteral(), op, Number(depth));
    case 7:
      return fmt::format("{} {} {}", Number(depth), op, Number(depth));
    default:
      return fmt::format("{} {} {}", Number(depth), op, NumberLiteral());
  }
}

std::string RandomExpression::StringTest(int depth) {
  switch (random_.Below(6)) {
    case 0:
      return fmt::format("{} {} {}", String(depth), random_.Pick({"=", "!=", "<", "<=", ">", ">="}), String(0));
    case 1:
      return fmt::format("{} {} {}", String(depth), random_.Pick({"in", "not in"}), List(words_.strings, true));
    case 2:
      return fmt::format("{} {} {}", String(depth), random_.Pick({"like", "not like"}), Quoted(random_.Pick(words_.patterns)));
    case 3:
      return fmt::format("{} matches {}", String(depth),
                         Quoted(random_.Pick({"^N", "o", "(?i)INFO@", "[0-9]+$", "^$", "é|ü", "^.{3}$", "(g|b)[oa]"})));
    case 4:
      return fmt::format("{} {} {}", String(depth), random_.Pick({"contains", "not contains"}), String(0));
    default:
      return fmt::format("{} {} {}", String(depth), random_.Pick({"=", "!="}), Quoted(random_.Pick(words_.strings)));
  }
}

std::string RandomExpression::SetTest(int depth) {
  const char* how = random_.Pick({"any", "all", "none"});
  if (random_.OneIn(4)) return fmt::format("{} {} {}", Set(depth), random_.Pick({"has", "not has"}), Quoted(random_.Pick(words_.items)));
  if (random_.OneIn(6)) return fmt::format("{} has {}", Set(depth), String(0));
  return fmt::format("{} {} {} {}", Set(depth), random_.OneIn(5) ? "not has" : "has", how, List(words_.items, true));
}

std::string RandomExpression::Presence(int depth) {
  return fmt::format("{} is {}", Any(depth), random_.Pick({"present", "absent", "not present", "not absent"}));
}

// ---- Values ----

std::string RandomExpression::Any(int depth) {
  switch (random_.Below(7)) {
    case 0:
      return String(depth);
    case 1:
      return Time(depth);
    case 2:
      return Duration(depth);
    case 3:
      return Set(depth);
    case 4:
      return NameOr(Kind::kBool, "false");
    default:
      return Number(depth);
  }
}

std::string RandomExpression::Number(int depth) {
  switch (random_.Below(3)) {
    case 0:
      return Int(depth);
    case 1:
      return Decimal(depth);
    default:
      return Double(depth);
  }
}

std::string RandomExpression::Int(int depth) {
  if (Leaf(depth)) return random_.OneIn(4) ? random_.Pick(words_.ints) : NameOr(Kind::kInt, random_.Pick(words_.ints));
  --depth;
  bool events = !InEvents() && !words_.simple;
  switch (random_.Below(events ? 26 : 12)) {
    case 0:
      return fmt::format("({} {} {})", Int(depth), random_.Pick({"+", "-", "*", "%"}), Int(depth));
    case 1:
      return fmt::format("(-{})", Int(depth));
    case 2:
      return fmt::format("{}({})", random_.Pick({"round", "floor", "ceil"}), Number(depth));
    case 3:
      return fmt::format("abs({})", Int(depth));
    case 4:
      return fmt::format("length({})", random_.OneIn(2) ? String(depth) : Set(depth));
    case 5:
      return fmt::format("{}({})", random_.Pick({"year", "month", "day", "weekday", "hour"}), Time(depth));
    case 6:
      return fmt::format("{}({}, {})", random_.Pick({"year", "month", "day", "weekday", "hour"}), Time(depth), Zone());
    case 7:
      if (InEvents()) return fmt::format("abs({})", Int(depth));
      return fmt::format("age_in({}, '{}'{})", Time(depth), random_.Pick({"second", "minute", "hour", "day", "week", "month", "year"}),
                         random_.OneIn(2) ? "" : ", " + Zone());
    case 8:
      return fmt::format("coalesce({}, {})", Int(depth), Int(depth));
    case 9:
      return fmt::format("if({}, {}, {})", Condition(depth), Int(depth), Int(depth));
    case 10:
      return fmt::format("{}({}, {})", random_.Pick({"min", "max"}), Int(depth), Int(depth));
    case 11:
      return InEvents() ? fmt::format("length({})", String(depth)) : fmt::format("bucket({})", random_.Pick({"'spring'", "''", "'züs'"}));
    case 12:
      return AggregateOver("sum", Kind::kInt, depth);
    case 13:
      return AggregateOver(random_.Pick({"min", "max", "first", "last", "most_frequent"}), Kind::kInt, depth);
    case 14: {
      Kind kinds[] = {Kind::kInt, Kind::kDecimal, Kind::kDouble, Kind::kString, Kind::kTime, Kind::kBool};
      return AggregateOver("unique_count", kinds[random_.Below(6)], depth);
    }
    case 15:
      return AggregateOver("count", random_.OneIn(2) ? Kind::kString : Kind::kDecimal, depth);
    case 16:
    case 17:
      return AggregateOfEvents("days_active", depth, true);
    case 18:
    case 19:
      return AggregateOfEvents("sessions", depth, false);
    default:
      return AggregateOfEvents("count", depth, false);
  }
}

std::string RandomExpression::Decimal(int depth) {
  if (Leaf(depth)) return random_.OneIn(4) ? random_.Pick(words_.decimals) : NameOr(Kind::kDecimal, random_.Pick(words_.decimals));
  --depth;
  bool events = !InEvents() && !words_.simple;
  switch (random_.Below(events ? 11 : 8)) {
    case 0:
      return fmt::format("({} {} {})", Decimal(depth), random_.Pick({"+", "-", "%"}), random_.OneIn(2) ? Int(depth) : Decimal(depth));
    case 1:
      return fmt::format("({} * {})", Decimal(0), random_.OneIn(2) ? Int(depth) : Decimal(0));
    case 2:
      return fmt::format("round({}, {})", Number(depth), random_.Below(random_.OneIn(5) ? 19 : 5));
    case 3:
      return fmt::format("abs({})", Decimal(depth));
    case 4:
      return fmt::format("coalesce({}, {})", Decimal(depth), random_.OneIn(2) ? Int(depth) : Decimal(depth));
    case 5:
      return fmt::format("if({}, {}, {})", Condition(depth), Decimal(depth), Int(depth));
    case 6:
      return fmt::format("{}({}, {})", random_.Pick({"min", "max"}), Decimal(depth), random_.OneIn(2) ? Int(depth) : Decimal(depth));
    case 7:
      return fmt::format("-{}", Decimal(0));
    case 8:
      return AggregateOver(random_.Pick({"min", "max", "first", "last", "most_frequent"}), Kind::kDecimal, depth);
    default:
      return AggregateOver("sum", Kind::kDecimal, depth);
  }
}

std::string RandomExpression::Double(int depth) {
  if (Leaf(depth)) return random_.OneIn(4) ? random_.Pick(words_.doubles) : NameOr(Kind::kDouble, random_.Pick(words_.doubles));
  --depth;
  bool events = !InEvents() && !words_.simple;
  switch (random_.Below(events ? 13 : 7)) {
    case 0:
      return fmt::format("({} {} {})", Double(depth), random_.Pick({"+", "-", "*", "/"}), Number(depth));
    case 1:
      return fmt::format("({} / {})", Number(depth), Number(depth));
    case 2:
      return fmt::format("({} / {})", Duration(depth), Duration(0));
    case 3:
      return fmt::format("abs({})", Double(depth));
    case 4:
      return fmt::format("coalesce({}, {})", Double(depth), Number(depth));
    case 5:
      return fmt::format("if({}, {}, {})", Condition(depth), Number(depth), Double(depth));
    case 6:
      return fmt::format("{}({}, {})", random_.Pick({"min", "max"}), Double(depth), Number(depth));
    case 7:
      return AggregateOver(random_.Pick({"min", "max", "first", "last", "most_frequent"}), Kind::kDouble, depth);
    case 8:
      return AggregateOver("sum", Kind::kDouble, depth);
    case 9:
    case 10:
      return Decayed(depth);
    default: {
      Kind kinds[] = {Kind::kInt, Kind::kDecimal, Kind::kDouble};
      return AggregateOver("avg", kinds[random_.Below(3)], depth);
    }
  }
}

std::string RandomExpression::String(int depth) {
  if (Leaf(depth))
    return random_.OneIn(3) ? Quoted(random_.Pick(words_.strings)) : NameOr(Kind::kString, Quoted(random_.Pick(words_.strings)));
  --depth;
  bool events = !InEvents() && !words_.simple;
  switch (random_.Below(events ? 7 : 4)) {
    case 0:
      return fmt::format("{}({})", random_.Pick({"lower", "upper"}), String(depth));
    case 1:
      return fmt::format("coalesce({}, {})", String(depth), String(depth));
    case 2:
      return fmt::format("if({}, {}, {})", Condition(depth), String(depth), String(depth));
    case 3:
      return fmt::format("{}({}, {})", random_.Pick({"min", "max"}), String(depth), String(depth));
    default:
      return AggregateOver(random_.Pick({"min", "max", "first", "last", "most_frequent"}), Kind::kString, depth);
  }
}

std::string RandomExpression::Time(int depth) {
  if (Leaf(depth)) {
    if (scope_.bare && random_.OneIn(2)) return "event_time";
    if (!InEvents() && random_.OneIn(3)) return "now()";
    return random_.OneIn(3) ? random_.Pick(words_.times) : NameOr(Kind::kTime, random_.Pick(words_.times));
  }
  --depth;
  bool events = !InEvents() && !words_.simple;
  switch (random_.Below(events ? 9 : 4)) {
    case 0:
      return fmt::format("({} {} {})", Time(depth), random_.Pick({"+", "-"}), Duration(depth));
    case 1:
      return fmt::format("coalesce({}, {})", Time(depth), Time(depth));
    case 2:
      return fmt::format("if({}, {}, {})", Condition(depth), Time(depth), Time(depth));
    case 3:
      return fmt::format("{}({}, {})", random_.Pick({"min", "max"}), Time(depth), Time(depth));
    case 4:
      return AggregateOver(random_.Pick({"min", "max", "first", "last", "most_frequent"}), Kind::kTime, depth);
    case 5:
      return random_.Pick({"created_at()", "updated_at()"});
    default:
      return AggregateOfEvents(random_.Pick({"first_seen", "last_seen"}), depth, false);
  }
}

std::string RandomExpression::Duration(int depth) {
  if (Leaf(depth)) return random_.Pick(words_.durations);
  --depth;
  switch (random_.Below(6)) {
    case 0:
      return fmt::format("({} {} {})", Duration(depth), random_.Pick({"+", "-"}), Duration(depth));
    case 1:
      return fmt::format("({} * {})", Duration(depth), Int(depth));
    case 2:
      return fmt::format("abs({})", Duration(depth));
    case 3:
      return fmt::format("coalesce({}, {})", Duration(depth), Duration(depth));
    default:
      return fmt::format("({} - {})", Time(depth), Time(depth));
  }
}

std::string RandomExpression::Set(int depth) {
  std::string interests = InEvents() ? "order.tags" : "interests";
  if (scope_.bare) interests = "tags";
  if (InEvents() && scope_.event_type != "order") return "'no set here'";  // a type error: refused
  if (Leaf(depth)) return interests;
  --depth;
  if (!InEvents() && !words_.simple && random_.OneIn(2)) return AggregateOver(random_.Pick({"first", "last"}), Kind::kSet, depth);
  return random_.OneIn(2) ? fmt::format("coalesce({}, {})", Set(depth), Set(depth))
                          : fmt::format("if({}, {}, {})", Condition(depth), Set(depth), Set(depth));
}

// ---- Aggregates ----

std::string RandomExpression::Zone() {
  if (InEvents() || random_.OneIn(2))
    return Quoted(random_.Pick({"Europe/Amsterdam", "America/New_York", "America/St_Johns", "Asia/Kathmandu"}));
  return random_.Pick({"time_zone", "coalesce(time_zone, 'Europe/Amsterdam')"});
}

std::string RandomExpression::Window(bool retained) {
  switch (random_.Below(5)) {
    case 0:
      return "";
    case 1:
      return " over " + std::string(random_.Pick({"1us", "1h", "1d", "7d", "4w", "30d", "90d", "400d", "1d12h"}));
    case 2:
      return random_.Pick({" between 90d and 30d ago", " between 30d and 0s ago", " between 2d and 1d ago", " between 7d and 1us ago"});
    default: {
      std::string unit = random_.Pick({"day", "week", "month", "quarter"});
      if (random_.OneIn(retained ? 12 : 4)) unit = "year";
      std::string out = " over " + std::string(random_.Pick({"this ", "last "})) + unit;
      if (random_.OneIn(5)) out = random_.Pick({" over today", " over yesterday"});
      return random_.OneIn(2) ? out : out + " at " + Zone();
    }
  }
}

std::string RandomExpression::EventName() { return random_.Pick({"order", "order", "order", "visit", "visit", "view", "cart", "any"}); }

std::string RandomExpression::Where(int depth) {
  if (random_.OneIn(2)) return "";
  scope_.bare = true;
  std::string where;
  if (scope_.event_type == "any" || scope_.event_type == "view") {
    where = fmt::format("event_time {} {}", random_.Pick({"<", "<=", ">", ">=", "=", "!="}), random_.Pick(words_.times));
  } else if (scope_.event_type == "order") {
    where = Condition(std::min(depth, 2));
  } else {
    where = random_.OneIn(2) ? StringTest(std::min(depth, 1)) : Comparison(std::min(depth, 1));
  }
  scope_.bare = false;
  return " where " + where;
}

std::string RandomExpression::AggregateOver(const char* aggregate, Kind kind, int depth) {
  scope_ = {random_.OneIn(4) && (kind == Kind::kInt || kind == Kind::kString) ? "visit" : "order", false};
  std::string argument;
  bool plain = random_.OneIn(2);
  switch (kind) {
    case Kind::kInt:
      argument = plain ? NameOr(kind, "1") : Int(std::min(depth, 1));
      break;
    case Kind::kDecimal:
      argument = plain ? NameOr(kind, "1.0") : Decimal(std::min(depth, 1));
      break;
    case Kind::kDouble:
      argument = plain ? NameOr(kind, "1e0") : Double(std::min(depth, 1));
      break;
    case Kind::kString:
      argument = plain ? NameOr(kind, "''") : String(std::min(depth, 1));
      break;
    case Kind::kTime:
      argument = NameOr(kind, "''");
      break;
    default:
      argument = NameOr(kind, "true");
      break;
  }
  std::string event_type = scope_.event_type;
  // An argument without a property belongs to no event type.
  if (argument.find(event_type + ".") == std::string::npos) argument = NameOr(kind, "order.quantity");
  bool decays = std::string_view(aggregate).starts_with("decayed");
  std::string text = fmt::format("{}({}{}{})", aggregate, argument, Where(depth), decays ? HalfLife() : "");
  scope_ = {};
  return decays ? text : text + Window(IsRetained(event_type));
}

std::string RandomExpression::HalfLife() {
  return ", half_life " + std::string(random_.Pick({"1us", "1h", "1d", "7d", "30d", "400d", "36500d"}));
}

std::string RandomExpression::Decayed(int depth) {
  Kind kinds[] = {Kind::kInt, Kind::kDecimal, Kind::kDouble};
  if (random_.OneIn(2)) return AggregateOver("decayed_sum", kinds[random_.Below(3)], depth);
  scope_ = {EventName(), false};
  std::string text = fmt::format("decayed_count({}{}{})", scope_.event_type, Where(depth), HalfLife());
  scope_ = {};
  return text;
}

std::string RandomExpression::DecayTest(int depth) {
  std::string decayed = Decayed(depth);
  if (random_.OneIn(4)) return fmt::format("{} between {} and {}", decayed, NumberLiteral(), Number(1));
  const char* op = random_.Pick({"=", "!=", "<", "<=", ">", ">="});
  if (random_.OneIn(3)) return fmt::format("{} {} {}", random_.OneIn(2) ? NumberLiteral() : Decayed(0), op, decayed);
  return fmt::format("{} {} {}", decayed, op, random_.OneIn(3) ? Number(1) : NumberLiteral());
}

std::string RandomExpression::Step() {
  scope_ = {EventName(), false};
  std::string where = Where(1), step = where.empty() ? scope_.event_type : fmt::format("({}{})", scope_.event_type, where);
  scope_ = {};
  return step;
}

std::string RandomExpression::Sequence(int depth) {
  std::string text = "did " + Step();
  for (int64_t i = random_.Between(0, std::clamp(depth, 0, 3)); i > 0; --i) {
    while (random_.OneIn(4)) text += " without " + Step();
    text += " then " + Step();
  }
  while (random_.OneIn(3)) text += " without " + Step();
  if (random_.OneIn(2)) text += " within " + std::string(random_.Pick({"1us", "1h", "3h", "1d", "7d", "90d", "400d"}));
  // `any` holds the retained types too.
  return text + Window(true);
}

std::string RandomExpression::AggregateOfEvents(const char* aggregate, int depth, bool with_zone) {
  scope_ = {EventName(), false};
  std::string event_type = scope_.event_type;
  std::string where = Where(depth);
  scope_ = {};
  std::string zone = with_zone && random_.OneIn(2) ? ", " + Zone() : "";
  std::string gap = std::string_view(aggregate) == "sessions" ? ", gap " + std::string(random_.Pick({"1us", "1h", "2h", "1d", "30d"})) : "";
  return fmt::format("{}({}{}{}{})", aggregate, event_type, where, zone, gap) + Window(IsRetained(event_type) || event_type == "any");
}

}  // namespace korrel::twin
