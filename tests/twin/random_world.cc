#include "tests/twin/random_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "tests/twin/naive_calendar.h"

namespace korrel::twin {
namespace {

constexpr int64_t kSecond = 1'000'000, kHour = 3'600 * kSecond, kDay = 24 * kHour;

int64_t Parse(const char* text) { return ParseTimestamp(text, "UTC")->us; }

const std::vector<std::string>& Texts() {
  static const auto* texts = new std::vector<std::string>{
      "NL",    "BE",     "DE", "",      "basic", "gold",     "silver",   "it's blue", "Ünïcode", "ÜNÏCODE", "a_b%c", "info@example.nl",
      "naïve", "日本語", "9",  "shoes", "bags",  "/pricing", "/shoes/1", "gold\\",    "o",       "NLX",     "𝒳y",    "Europe/Amsterdam"};
  return *texts;
}

}  // namespace

const std::vector<int64_t>& InterestingInstants() {
  static const auto* instants = new std::vector<int64_t>{
      Parse("2017-03-26T00:59:59.999999Z"), Parse("2017-03-26T01:00:00Z"), Parse("2017-10-29T00:30:00Z"), Parse("2017-10-29T01:30:00Z"),
      Parse("2017-03-31T22:00:00Z"),        Parse("2017-12-31T23:30:00Z"), Parse("2016-02-29T12:00:00Z"), Parse("2017-03-01T00:00:00Z"),
      Parse("2018-02-18T01:59:59Z"),        Parse("2018-11-04T03:00:00Z"), Parse("2038-01-19T03:14:08Z"), Parse("2100-03-01T00:00:00Z"),
      Parse("2006-10-29T02:31:00Z"),        Parse("2017-07-15T09:26:53Z")};
  return *instants;
}

RandomWorld::RandomWorld(Random* random, int64_t now_us) : random_(*random), now_us_(now_us) {
  vocabulary_.strings = Texts();
  vocabulary_.items = {"shoes", "bags", "hats", "", "Ünïcode"};
  vocabulary_.patterns = {"%",     "",    "_",     "N%", "%o%", "%\\_%",     "__",    "%@example.nl",
                          "it's%", "%ï%", "g_ld%", "%%", "_%_", "a\\_b\\%c", "日_語", "gold\\\\"};
  vocabulary_.ints = {"0",
                      "1",
                      "2",
                      "3",
                      "7",
                      "18",
                      "25",
                      "40",
                      "99",
                      "-1",
                      "-7",
                      "65536",
                      "9223372036854775807",
                      "-9223372036854775808",
                      "9007199254740993"};
  vocabulary_.decimals = {"0.0",
                          "0.5",
                          "1.00",
                          "12.50",
                          "99.99",
                          "100.0",
                          "-0.01",
                          "4.5",
                          "1.21",
                          "0.005",
                          "7.125",
                          "92233720368547758.07",
                          "-9.5",
                          "0.000000000000000001",
                          "9.223372036854775807",
                          "9007199254740993.0"};
  vocabulary_.doubles = {
      "0e0",   "1e0", "9e-1", "5e-1", "1e-1", "2.5e0", "-1.5e0", "1e300", "1e-300", "9.007199254740992e15", "9.223372036854775807e18",
      "2.5e-7"};
  vocabulary_.durations = {"0s", "1us", "30m", "1d", "36h", "7d", "30d", "90d", "400d", "1w", "-1d", "3650d"};
  for (int i = 0; i < 6; ++i) vocabulary_.times.push_back(fmt::format("timestamp '{}'", FormatTimestamp({EventTime()})));
  vocabulary_.times.push_back(fmt::format("timestamp '{}'", FormatTimestamp({now_us_})));
  vocabulary_.times.push_back("date '2017-03-01'");
  vocabulary_.times.push_back("timestamp '0001-01-01T00:00:00Z'");
  vocabulary_.times.push_back("timestamp '9999-12-31T23:59:59.999999Z'");
}

Vocabulary RandomWorld::SimpleVocabulary() const {
  Vocabulary simple = vocabulary_;
  simple.simple = true;
  return simple;
}

std::vector<Definition> RandomWorld::Definitions() {
  auto event = [](const char* name, std::vector<FieldSchema> properties, int64_t retention_us) {
    Definition d;
    d.name = std::string("events/") + name;
    d.kind = DefinitionKind::kEvent;
    d.event.properties = std::move(properties);
    d.event.retention_us = retention_us;
    return d;
  };
  auto attribute = [](const char* name, std::optional<Type> type, const char* expression) {
    Definition d;
    d.name = std::string("attributes/") + name;
    d.kind = DefinitionKind::kAttribute;
    d.attribute.type = type;
    d.attribute.expression = expression;
    return d;
  };
  auto segment = [](const char* name, const char* expression, bool is_static) {
    Definition d;
    d.name = std::string("segments/") + name;
    d.kind = DefinitionKind::kSegment;
    d.segment.expression = expression;
    d.segment.is_static = is_static;
    return d;
  };
  return {event("order",
                {{"amount", DecimalType(2)},
                 {"quantity", kIntType},
                 {"price", DecimalType(3)},
                 {"category", kStringType},
                 {"coupon", kStringType},
                 {"weight", kDoubleType},
                 {"gift", kBoolType},
                 {"shipped", kTimestampType},
                 {"tags", kSetType}},
                400 * kDay),
          event("visit", {{"page", kStringType}, {"seconds", kIntType}}, 400 * kDay),
          event("view", {}, 0),
          event("cart", {{"product", kStringType}}, 0),
          attribute("country", kStringType, ""),
          attribute("tier", kStringType, ""),
          attribute("email", kStringType, ""),
          attribute("time_zone", kStringType, ""),
          attribute("favourite colour", kStringType, ""),
          attribute("age", kIntType, ""),
          attribute("big", kIntType, ""),
          attribute("score", kDoubleType, ""),
          attribute("balance", DecimalType(2), ""),
          attribute("spend_90d", DecimalType(2), ""),
          attribute("precise", DecimalType(18), ""),
          attribute("is_member", kBoolType, ""),
          attribute("birth_date", kTimestampType, ""),
          attribute("last_seen", kTimestampType, ""),
          attribute("interests", kSetType, ""),
          attribute("orders_30d", std::nullopt, "count(order) over 30d"),
          attribute("avg_basket", std::nullopt, "sum(order.amount) / count(order)"),
          attribute("is_adult", std::nullopt, "age_in(birth_date, 'year') >= 18"),
          segment("churn risk", "orders_30d = 0 and count(order) >= 1", false),
          segment("adults", "is_adult and not (country = 'BE')", false),
          segment("vip", "", true)};
}

void RandomWorld::Declare(NaiveStore* twin) {
  for (const Definition& d : Definitions()) {
    std::string name = d.name.substr(d.name.find('/') + 1);
    if (d.kind == DefinitionKind::kEvent) {
      twin->DeclareEvent(name, d.event.properties, d.event.retention_us == 0 ? std::nullopt : std::optional(d.event.retention_us),
                         std::nullopt);
    } else if (d.kind == DefinitionKind::kSegment) {
      twin->DefineSegment(name, d.segment.expression);
    } else if (d.attribute.expression.empty()) {
      twin->DeclareAttribute(name, *d.attribute.type);
    } else {
      twin->DefineAttribute(name, d.attribute.expression);
    }
  }
}

// ---- Values ----

std::string RandomWorld::Text() { return random_.Pick(Texts()); }

int64_t RandomWorld::Int() {
  if (random_.OneIn(12)) return random_.OneIn(2) ? INT64_MAX : INT64_MIN;
  if (random_.OneIn(12)) return 9007199254740993;
  return random_.Between(-7, 99);
}

Decimal RandomWorld::DecimalOf(int scale) {
  auto s = static_cast<uint8_t>(scale);
  if (random_.OneIn(20)) return {random_.OneIn(2) ? INT64_MAX : INT64_MIN, s};
  static const int64_t kHundredths[] = {0, 1, -1, 50, 100, 121, 1250, 9999, 10000, -950, 450, 12345, 700};
  int64_t unscaled = kHundredths[random_.Below(13)];
  for (int i = 2; i < std::min(scale, 18); ++i)
    unscaled = unscaled > INT64_MAX / 20 || unscaled < INT64_MIN / 20 ? unscaled : unscaled * 10;
  return {unscaled + (random_.OneIn(4) ? 5 : 0), s};
}

double RandomWorld::Double() {
  static const double kDoubles[] = {
      0.0,  0.1,   0.2,    0.3, 0.5, 0.9, 1.0, 2.5, -1.5, 7.125, 1e300, 1e-300, 9007199254740992.0, 9.223372036854775807e18,
      1e16, -1e16, 1.7e308};
  return kDoubles[random_.Below(17)];
}

StringSet RandomWorld::Set() {
  StringSet set;
  for (const std::string& item : vocabulary_.items) {
    if (random_.OneIn(3)) set.push_back(item);
  }
  std::sort(set.begin(), set.end());
  return set;
}

int64_t RandomWorld::Instant() {
  switch (random_.Below(6)) {
    case 0:
      return now_us_;
    case 1:
      return random_.OneIn(2) ? kTimestampMinUs : kTimestampMaxUs;
    case 2:
      return random_.Pick(InterestingInstants()) + random_.Between(-1, 1);
    case 3:
      return now_us_ - random_.Between(0, 80 * 366) * kDay + random_.Between(-1, 1);
    default:
      return EventTime();
  }
}

int64_t RandomWorld::EventTime() {
  static const int64_t kEdges[] = {0, 1, kHour, kDay, 36 * kHour, 2 * kDay, 7 * kDay, 28 * kDay, 30 * kDay, 90 * kDay, 400 * kDay};
  static const char* const kZones[] = {"UTC", "Europe/Amsterdam", "America/New_York", "America/St_Johns", "Asia/Kathmandu"};
  int64_t nudge = random_.Between(-1, 1);
  switch (random_.Below(5)) {
    case 0:
      return now_us_ - kEdges[random_.Below(11)] + nudge;
    case 1: {
      auto unit = static_cast<CalendarUnit>(random_.Between(1, 5));
      return UnitStart(now_us_, unit, random_.OneIn(2) ? 0 : -1, *FindZone(kZones[random_.Below(5)])) + nudge;
    }
    case 2:
      return now_us_ - random_.Between(0, 3) * kHour;  // often equal to another's
    default:
      return now_us_ - random_.Between(0, 410 * kDay);
  }
}

Value RandomWorld::ValueFor(const std::string& attribute) {
  static const std::vector<std::string> kZones = {
      "Europe/Amsterdam", "America/New_York", "America/St_Johns", "America/Sao_Paulo", "Australia/Lord_Howe", "Nowhere/City", "", "UTC"};
  if (attribute == "age") return random_.OneIn(20) ? Int() : random_.Between(16, 45);
  if (attribute == "big") return Int();
  if (attribute == "score") return Double();
  if (attribute == "balance" || attribute == "spend_90d") return DecimalOf(2);
  if (attribute == "precise") return DecimalOf(18);
  if (attribute == "is_member") return random_.OneIn(2);
  if (attribute == "birth_date" || attribute == "last_seen") return Timestamp{Instant()};
  if (attribute == "interests") return Set();
  if (attribute == "time_zone") return random_.Pick(kZones);
  if (attribute == "country") return std::string(random_.Pick({"NL", "NL", "NL", "BE", "DE", ""}));
  if (attribute == "tier") return std::string(random_.Pick({"basic", "gold", "silver"}));
  return Text();
}

// ---- Writes ----

std::vector<std::string> RandomWorld::Identifiers(uint64_t person) {
  std::vector<std::string> identifiers = {fmt::format("customer:{}", person)};
  if (person % 3 == 0) identifiers.push_back(fmt::format("email:p{}@example.nl", person));
  return identifiers;
}

ProfileWrite RandomWorld::Profile(uint64_t person) {
  ProfileWrite write;
  write.identifiers = Identifiers(person);
  write.event_time_us = random_.OneIn(2) ? 0 : now_us_ - random_.Between(0, 100) * kDay;
  for (const char* name : {"country", "tier", "email", "time_zone", "favourite colour", "age", "big", "score", "balance", "spend_90d",
                           "precise", "is_member", "birth_date", "last_seen", "interests"}) {
    if (!random_.OneIn(4)) write.attributes.push_back({name, AttributeOperation::kSet, ValueFor(name)});
  }
  return write;
}

ProfileWrite RandomWorld::PlainProfile(uint64_t person) {
  ProfileWrite write;
  write.identifiers = {fmt::format("customer:{}", person)};
  for (const char* name : {"country", "tier", "email", "age", "score", "balance", "is_member", "interests"}) {
    if (!random_.OneIn(5)) write.attributes.push_back({name, AttributeOperation::kSet, ValueFor(name)});
  }
  return write;
}

UpdateMembersRequest RandomWorld::ListChange(int64_t now_us) {
  UpdateMembersRequest request;
  request.segment = "vip";
  MemberOperation operations[] = {MemberOperation::kPut, MemberOperation::kAdd, MemberOperation::kAdd, MemberOperation::kRemove};
  request.operation = operations[random_.Below(4)];
  int64_t ahead[] = {1, kHour, kDay, 30 * kDay};
  if (request.operation != MemberOperation::kRemove && random_.OneIn(2)) request.expire_time_us = now_us + ahead[random_.Below(4)];
  return request;
}

EventWrite RandomWorld::Event(uint64_t person) {
  EventWrite event;
  event.identifiers = {fmt::format("customer:{}", person)};
  event.event_time_us = EventTime();
  auto maybe = [&](const char* name, Value value) {
    if (!random_.OneIn(4)) event.properties.push_back({name, std::move(value)});
  };
  switch (random_.Below(6)) {
    case 0:
      event.type = "visit";
      maybe("page", std::string(random_.Pick({"/pricing", "/shoes/1", "/shoes", "/", "/Ünïcode"})));
      maybe("seconds", random_.Between(0, 60));
      break;
    case 1:
      event.type = "view";
      break;
    case 2:
      event.type = "cart";
      maybe("product", Text());
      break;
    default:
      event.type = "order";
      maybe("amount", DecimalOf(2));
      maybe("quantity", random_.OneIn(20) ? Int() : random_.Between(-1, 5));
      maybe("price", DecimalOf(3));
      maybe("category", std::string(random_.Pick({"shoes", "bags", "hats", "Ünïcode", ""})));
      if (random_.OneIn(3)) maybe("coupon", Text());
      maybe("weight", Double());
      maybe("gift", random_.OneIn(2));
      maybe("shipped", Timestamp{Instant()});
      if (random_.OneIn(2)) maybe("tags", Set());
  }
  if (random_.OneIn(3)) event.message_id = fmt::format("m{}", random_.Below(40));
  return event;
}

// ---- Databases ----

std::string LayoutName(const Layout& layout) {
  return fmt::format("{} shards, postings {}, at most {} events", layout.shards, layout.keep_postings ? "on" : "off",
                     layout.events_hard_max);
}

std::unique_ptr<Database> OpenDatabase(const Layout& layout, ClockMode mode, int64_t start_us, Clock** clock) {
  DatabaseOptions options;
  options.shards = layout.shards;
  options.threads = 2;
  options.keep_postings = layout.keep_postings;
  options.events_hard_max = layout.events_hard_max;
  options.clock = mode == ClockMode::kReplay ? Clock::MakeReplay(kMaxStepDefaultUs) : Clock::MakeManual(start_us);
  if (clock != nullptr) *clock = options.clock.get();
  StatusOr<std::unique_ptr<Database>> database = Database::Open(std::move(options));
  if (!database.ok()) {
    ADD_FAILURE() << database.status();
    return nullptr;
  }
  if (mode == ClockMode::kReplay) {
    EXPECT_TRUE((*database)->AdvanceClock(start_us, "").ok());
  }
  return std::move(*database);
}

void DeclareIn(Database* database) {
  ApplyRequest request;
  request.definitions = RandomWorld::Definitions();
  StatusOr<ApplyAnswer> answer = database->ApplyDefinitions(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  for (const DefinitionChange& change : answer->changes) EXPECT_TRUE(change.error.ok()) << change.name << ": " << change.error;
  WaitUntilFilled(database);
}

void WaitUntilFilled(Database* database) {
  auto deadline = std::chrono::steady_clock::now().time_since_epoch() + std::chrono::minutes(2);
  Status filled = database->WaitUntilFilled(database->GetStatus().catalog_revision,
                                            std::chrono::duration_cast<std::chrono::nanoseconds>(deadline).count(), nullptr);
  EXPECT_TRUE(filled.ok()) << filled;
}

std::string DifferenceOf(const std::vector<ItemOutcome>& expected, const StatusOr<WriteResult>& actual) {
  if (!actual.ok()) return fmt::format("the whole call failed: {}", MessageOf(actual.status()));
  uint32_t applied = 0;
  std::vector<uint32_t> duplicates;
  std::map<uint32_t, std::string> refused, actual_refused;
  std::string wrong;
  for (uint32_t i = 0; i < expected.size(); ++i) {
    if (expected[i].kind == ItemOutcome::Kind::kApplied) ++applied;
    if (expected[i].kind == ItemOutcome::Kind::kDuplicate) duplicates.push_back(i);
    if (expected[i].kind == ItemOutcome::Kind::kRefused) refused[i] = fmt::format("{}", fmt::join(expected[i].reasons, " or "));
  }
  for (const ItemError& error : actual->errors) {
    actual_refused[error.index] = ReasonOf(error.status);
    bool foreseen = error.index < expected.size() && expected[error.index].reasons.count(ReasonOf(error.status)) > 0;
    if (!foreseen) wrong += fmt::format(" item {} is refused: {} {};", error.index, ReasonOf(error.status), MessageOf(error.status));
  }
  for (const auto& [i, reason] : refused) {
    if (actual_refused.count(i) == 0 || !wrong.empty()) wrong += fmt::format(" expected {} for item {};", reason, i);
  }
  if (!wrong.empty()) return "refusals differ:" + wrong;
  if (duplicates != actual->duplicate_indexes)
    return fmt::format("{} duplicates expected, {} answered", duplicates.size(), actual->duplicate_indexes.size());
  if (applied != actual->applied_count) return fmt::format("{} applied expected, {} answered", applied, actual->applied_count);
  return "";
}

}  // namespace korrel::twin
