#include "tests/twin/random_definition.h"

#include "fmt/format.h"

namespace korrel::twin {

std::string RandomDefinition::Condition(int depth) {
  if (depth <= 0 || random_.OneIn(3)) return Leaf();
  switch (random_.Below(6)) {
    case 0:
    case 1:
      return fmt::format("({} and {})", Condition(depth - 1), Condition(depth - 1));
    case 2:
      return fmt::format("({} or {})", Condition(depth - 1), Condition(depth - 1));
    case 3:
      return fmt::format("not ({})", Condition(depth - 1));
    case 4:
      return fmt::format("if({}, {}, {})", Leaf(), Leaf(), Leaf());
    default: {
      RandomExpression anything(&random_, &words_);
      return fmt::format("({} and {})", anything.Condition(2), Leaf());
    }
  }
}

std::string RandomDefinition::Leaf() {
  switch (random_.Below(12)) {
    case 0:
    case 1:
      return StoredTest();
    case 2:
    case 3:
      return ClockComparison();
    case 4:
      return LocalReading();
    case 5:
      return DecayTest();
    case 6:
      return Sequence();
    case 7:
    case 8:
      return NameTest();
    default:
      return AggregateTest();
  }
}

std::string RandomDefinition::StoredTest() {
  return random_.Pick({"country = 'NL'",
                       "country != 'NL'",
                       "tier in ('gold', 'silver')",
                       "tier is absent",
                       "is_member",
                       "age >= 18",
                       "age between 25 and 40",
                       "score > 0.5",
                       "balance * 2 > 100.00",
                       "interests has any ('shoes', 'bags')",
                       "interests has none ('hats')",
                       "email like '%@example.nl'",
                       "has_identifier('email')",
                       "bucket('spring') < 5000",
                       "in segment 'vip'",
                       "in segment 'vip'",
                       "created_at() < timestamp '2017-07-01T00:00:00Z'",
                       "balance > spend_90d",
                       "time_zone is present",
                       "big % 2 = 0"});
}

std::string RandomDefinition::Time() {
  return random_.Pick({"birth_date", "last_seen", "last_seen", "last_seen(any)", "last_seen(order)", "first_seen(visit)", "last_seen(cart)",
                       "updated_at()", "last(order.shipped)", "coalesce(last_seen, birth_date)"});
}

std::string RandomDefinition::ClockComparison() {
  std::string time = Time();
  switch (random_.Below(6)) {
    case 0:
      return fmt::format("now() - {} {} {}", time, Operator(), Span());
    case 1:
      return fmt::format("{} + {} {} now()", time, Span(), Operator());
    case 2:
      return fmt::format("{} between now() - {} and now() - {}", time, random_.Pick({"90d", "30d", "7d"}),
                         random_.Pick({"1d", "1us", "0s"}));
    case 3:
      return fmt::format("age_in({}, '{}'{}) {} {}", time, random_.Pick({"hour", "day", "week", "month", "month", "year", "year"}),
                         random_.OneIn(2) ? "" : ", " + Zone(), Operator(), random_.Pick({"-1", "0", "1", "2", "12", "18"}));
    default:
      return fmt::format("{} {} now() - {}", time, Operator(), Span());
  }
}

std::string RandomDefinition::LocalReading() {
  std::string zone = random_.Pick({"time_zone", "coalesce(time_zone, 'America/New_York')"});
  switch (random_.Below(5)) {
    case 0:
      return fmt::format("hour(now(), {}) between {} and {}", zone, random_.Below(12), 12 + random_.Below(12));
    case 1:
      return fmt::format("weekday(now(), {}) >= 6", zone);
    case 2:
      return fmt::format("(country = 'NL' and day(now(){}) <= 15)", random_.OneIn(2) ? "" : ", 'Asia/Kathmandu'");
    case 3:
      return fmt::format("month(birth_date) = month(now(), {})", zone);
    default:
      return fmt::format("(age > 20 and hour(now() + {}) < 12)", random_.Pick({"1us", "6h", "0s"}));
  }
}

std::string RandomDefinition::Zone() {
  return random_.Pick({"'Europe/Amsterdam'", "'America/New_York'", "'America/St_Johns'", "'Asia/Kathmandu'", "time_zone",
                       "coalesce(time_zone, 'Europe/Amsterdam')"});
}

std::string RandomDefinition::Window() {
  switch (random_.Below(6)) {
    case 0:
      return "";
    case 1:
      return random_.Pick({" between 90d and 30d ago", " between 7d and 1us ago", " between 2d and 1d ago", " between 400d and 30d ago"});
    case 2: {
      std::string unit = random_.Pick({"day", "day", "week", "month", "quarter"});
      std::string out = fmt::format(" over {} {}", random_.Pick({"this", "last"}), unit);
      return random_.OneIn(2) ? out : out + " at " + Zone();
    }
    default:
      return " over " + std::string(random_.Pick({"1us", "1h", "1d", "36h", "7d", "30d", "90d", "400d"}));
  }
}

std::string RandomDefinition::Where(const std::string& event_type) {
  if (random_.OneIn(2)) return "";
  if (event_type == "order")
    return random_.Pick({" where quantity >= 2", " where category = 'shoes'", " where amount > 10 and not gift", " where coupon is absent",
                         " where tags has any ('hats')", " where weight > 0.3"});
  if (event_type == "visit") return random_.Pick({" where page like '/shoes%'", " where seconds > 20", " where page = '/pricing'"});
  return event_type == "cart" ? " where product is present" : "";
}

std::string RandomDefinition::Events(bool properties) {
  if (!properties) {
    std::string type = random_.Pick({"order", "order", "visit", "visit", "view", "cart", "any"});
    return type + Where(type);
  }
  std::string argument = random_.Pick({"order.amount", "order.quantity", "order.weight", "order.price", "order.quantity * order.price"});
  return argument + Where("order");
}

std::string RandomDefinition::Number() {
  switch (random_.Below(8)) {
    case 0:
      return fmt::format("{}({}){}", random_.Pick({"sum", "avg", "min", "max"}), Events(true), Window());
    case 1:
      return fmt::format("{}({}){}", random_.Pick({"first", "last", "most_frequent", "unique_count"}), Events(true), Window());
    case 2:
      return fmt::format("sessions({}, gap {}){}", Events(false), random_.Pick({"1us", "1h", "2h", "1d", "30d"}), Window());
    case 3:
      return fmt::format("days_active({}{}){}", Events(false), random_.OneIn(2) ? "" : ", " + Zone(), Window());
    case 4:
      return fmt::format("unique_count(order.category{}){}", Where("order"), Window());
    default:
      return fmt::format("count({}){}", Events(false), Window());
  }
}

std::string RandomDefinition::AggregateTest() {
  const char* number = random_.Pick({"0", "1", "1", "2", "3", "5", "10.00", "0.5"});
  switch (random_.Below(7)) {
    case 0:
      return fmt::format("{}(order.category{}){} = 'shoes'", random_.Pick({"first", "last", "most_frequent", "max"}), Where("order"),
                         Window());
    case 1:
      return fmt::format("{} = {}", Number(), random_.Pick({"0", "1", "2"}));
    case 2:
      return fmt::format("{} between 1 and {}", Number(), random_.Pick({"2", "20"}));
    case 3:
      return fmt::format("sum(order.quantity){} > count(visit){}", Window(), Window());
    case 4:
      return fmt::format("last(visit.page){} is present", Window());
    default:
      return fmt::format("{} {} {}", Number(), Operator(), number);
  }
}

std::string RandomDefinition::DecayTest() {
  const char* half_life = random_.Pick({"1h", "1d", "7d", "30d", "1us"});
  const char* bound = random_.Pick({"1", "0.5", "2", "0", "1.5", "-1", "10.00", "2.5e-1"});
  if (random_.OneIn(2)) return fmt::format("decayed_count({}, half_life {}) {} {}", Events(false), half_life, Operator(), bound);
  return fmt::format("decayed_sum({}, half_life {}) {} {}", Events(true), half_life, Operator(), bound);
}

std::string RandomDefinition::Step() {
  std::string type = random_.Pick({"order", "visit", "visit", "view", "cart", "any"});
  std::string where = Where(type);
  return where.empty() ? type : fmt::format("({}{})", type, where);
}

std::string RandomDefinition::Sequence() {
  std::string text = "did " + Step();
  for (int64_t i = random_.Between(0, 2); i > 0; --i) {
    if (random_.OneIn(3)) text += " without " + Step();
    text += " then " + Step();
  }
  if (random_.OneIn(2)) text += " without " + Step();
  if (random_.OneIn(2)) text += fmt::format(" within {}", random_.Pick({"1us", "1h", "1d", "7d", "90d"}));
  return text + Window();
}

std::string RandomDefinition::NameTest() {
  switch (random_.Below(5)) {
    case 0:
      if (!names_.flags.empty()) return random_.Pick(names_.flags);
      break;
    case 1:
      if (!names_.texts.empty()) return random_.Pick(names_.texts) + random_.Pick({" = 'shoes'", " is present", " like 's%'"});
      break;
    case 2:
      if (!names_.times.empty()) return fmt::format("{} {} now() - {}", random_.Pick(names_.times), Operator(), Span());
      break;
    case 3:
      if (!names_.numbers.empty())
        return fmt::format("{} {} {}", random_.Pick(names_.numbers), Operator(), random_.Pick({"0", "1", "2", "0.5"}));
      break;
    default:
      break;
  }
  if (names_.segments.empty()) return StoredTest();
  return fmt::format("{}in segment '{}'", random_.OneIn(3) ? "not " : "", random_.Pick(names_.segments));
}

std::string RandomDefinition::Value(char* kind) {
  *kind = 'n';
  switch (random_.Below(12)) {
    case 0:
      return fmt::format("sum(order.amount){} / count(order)", Window());
    case 1:
      return fmt::format("if({}, {}, 0)", Leaf(), random_.Pick({"age", "1", "count(visit) over 7d"}));
    case 2:
      *kind = 't';
      return fmt::format("{}(order.category{}){}", random_.Pick({"first", "last", "most_frequent", "min"}), Where("order"), Window());
    case 3:
      *kind = 't';
      return fmt::format("if({}, 'shoes', country)", Leaf());
    case 4:
      *kind = 'i';
      return fmt::format("{}({}){}", random_.Pick({"first_seen", "last_seen"}), Events(false), Window());
    case 5:
      *kind = 'i';
      return fmt::format("coalesce({}, last_seen)", Time());
    case 6:
      *kind = 'f';
      return Condition(2);
    case 7:
      return fmt::format("decayed_sum({}, half_life {})", Events(true), random_.Pick({"1d", "30d"}));
    case 8:
      return fmt::format("age_in({}, '{}')", Time(), random_.Pick({"day", "month", "year"}));
    case 9:
      return "(now() - last_seen) / 1d";
    default:
      return Number();
  }
}

}  // namespace korrel::twin
