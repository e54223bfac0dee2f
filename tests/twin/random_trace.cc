#include "tests/twin/random_trace.h"

#include <algorithm>

#include "fmt/format.h"

namespace korrel::twin {
namespace {

constexpr int64_t kSecond = 1'000'000, kHour = 3'600 * kSecond, kDay = 24 * kHour;

std::string Shown(const ProfileWrite& write) {
  std::string out = fmt::format("upsert {} at {}:", write.identifiers[0], FormatTimestamp({write.event_time_us}));
  for (const AttributeWrite& a : write.attributes) {
    out += fmt::format(" {} {}={}@{}", OperationName(a.operation), a.name, DisplayValue(a.value), FormatTimestamp({a.event_time_us}));
  }
  return out;
}

std::string Shown(const EventWrite& event) {
  std::string out =
      fmt::format("track {} {} at {} id '{}':", event.identifiers[0], event.type, FormatTimestamp({event.event_time_us}), event.message_id);
  for (const EventProperty& p : event.properties) out += fmt::format(" {}={}", p.name, DisplayValue(p.value));
  return out;
}

}  // namespace

RandomTrace::RandomTrace(Random* random, SideBySide* both, uint64_t people)
    : random_(*random), both_(*both), people_(people), world_(random, both->twin().now_us()) {
  // Attributes and an event type that nobody declared come to be by their first write.
  ProfileWrite write;
  write.identifiers = {"customer:1"};
  for (const char* name : {"points", "ratio", "note", "labels", "flag", "met"}) {
    write.attributes.push_back({name, AttributeOperation::kSet, UndeclaredValue(name), 1 * kSecond});
  }
  write.attributes[0].value = int64_t{5};
  both_.Upsert({write});
}

std::string RandomTrace::LastSteps(size_t count) const {
  std::string out;
  for (size_t i = steps_.size() - std::min(count, steps_.size()); i < steps_.size(); ++i) out += fmt::format("  {}: {}\n", i, steps_[i]);
  return out;
}

void RandomTrace::Step() {
  world_.SetNow(both_.twin().now_us());
  switch (random_.Below(20)) {
    case 0:
      return MoveClock();
    case 1:
      return ChangeList();
    case 2:
      if (random_.OneIn(2)) return ChangeCatalog();
      Note("delete");
      return both_.Delete(SomeIdentifiers()[0]);
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
      return UpsertSome();
    default:
      return TrackSome();
  }
}

std::vector<std::string> RandomTrace::SomeIdentifiers() {
  uint64_t person = Person();
  if (random_.OneIn(30)) return {FormatProfileId(ProfileId(1 + random_.Below(2 * people_)))};
  std::vector<std::string> identifiers = world_.Identifiers(person);
  if (random_.OneIn(25)) identifiers.push_back(fmt::format("customer:{}", Person()));  // mostly another profile's
  if (random_.OneIn(10)) identifiers.push_back(fmt::format("cookie:{}", random_.Below(3 * people_)));
  if (random_.OneIn(4)) std::reverse(identifiers.begin(), identifiers.end());
  return identifiers;
}

std::string RandomTrace::RequestId() { return random_.OneIn(8) ? fmt::format("request {}", ++request_count_) : ""; }

int64_t RandomTrace::WriteTime() {
  int64_t now_us = both_.twin().now_us();
  switch (random_.Below(8)) {
    case 0:
      return now_us + (random_.OneIn(2) ? kFutureSlackUs : kFutureSlackUs + 1);
    case 1:
      return now_us - random_.Between(0, 3) * kDay;
    case 2:
    case 3:
      return now_us - random_.Between(0, 3) * kSecond;
    default:
      return 0;
  }
}

Value RandomTrace::UndeclaredValue(const std::string& name) {
  if (name == "points") {
    if (random_.OneIn(40)) return 2.5;
    if (random_.OneIn(12)) return Decimal{random_.Between(-20, 20), static_cast<uint8_t>(random_.Between(1, 3))};
    if (random_.OneIn(30)) return INT64_MAX - 1;
    if (random_.OneIn(30)) return std::string("many");
    return random_.Between(-3, 9);
  }
  if (name == "ratio") return static_cast<double>(random_.Between(-8, 8)) / 4;
  if (name == "labels") {
    if (random_.OneIn(2)) return std::string(random_.Pick({"new", "vip", "", "ü"}));
    return StringSet{"new", "old"};
  }
  if (name == "flag") return random_.OneIn(2);
  if (name == "met") return Timestamp{world_.EventTime()};
  return world_.ValueFor("note");
}

AttributeWrite RandomTrace::Operation() {
  static const std::vector<std::string> kDeclared = {"country", "tier",    "email",     "time_zone",  "age",       "big",      "score",
                                                     "balance", "precise", "is_member", "birth_date", "last_seen", "interests"};
  static const std::vector<std::string> kUndeclared = {"points", "points", "ratio", "note", "labels", "flag", "met"};
  AttributeWrite write;
  bool declared = random_.OneIn(2);
  write.name = random_.Pick(declared ? kDeclared : kUndeclared);
  write.value = declared ? world_.ValueFor(write.name) : UndeclaredValue(write.name);
  if (random_.OneIn(5)) write.event_time_us = WriteTime();
  bool is_set = write.name == "interests" || write.name == "labels";
  bool is_number = write.name == "age" || write.name == "big" || write.name == "score" || write.name == "balance" ||
                   write.name == "precise" || write.name == "points" || write.name == "ratio";
  if (random_.OneIn(6)) {
    write.operation = AttributeOperation::kUnset;
    write.value = {};
  } else if (is_set && (random_.OneIn(2) || std::holds_alternative<std::string>(write.value))) {
    write.operation = random_.OneIn(3) ? AttributeOperation::kRemove : AttributeOperation::kAdd;
  } else if (is_number && random_.OneIn(2)) {
    AttributeOperation operations[] = {AttributeOperation::kIncrement, AttributeOperation::kMin, AttributeOperation::kMax};
    write.operation = operations[random_.Below(3)];
  } else if (random_.OneIn(60)) {
    write.operation = AttributeOperation::kIncrement;  // does not fit most types
  } else if (write.name == "met" && random_.OneIn(3)) {
    write.operation = random_.OneIn(2) ? AttributeOperation::kMin : AttributeOperation::kMax;
  } else if (random_.OneIn(60)) {
    write.value = random_.OneIn(2) ? Value(std::string("clash")) : Value(true);
  }
  return write;
}

void RandomTrace::UpsertSome() {
  std::vector<ProfileWrite> writes(random_.Between(1, 4));
  for (ProfileWrite& write : writes) {
    write.identifiers = SomeIdentifiers();
    write.event_time_us = WriteTime();
    for (int64_t i = random_.Between(0, 4); i > 0; --i) write.attributes.push_back(Operation());
    // A value that may widen a type comes alone: whether the type has widened when another operation of its write fails is no promise.
    auto widens = [](const AttributeWrite& a) { return a.name == "points" && !std::holds_alternative<int64_t>(a.value); };
    auto wide = std::find_if(write.attributes.begin(), write.attributes.end(), widens);
    if (wide != write.attributes.end()) write.attributes = {AttributeWrite(*wide)};
    Note(Shown(write));
  }
  both_.Upsert(writes, RequestId());
}

EventWrite RandomTrace::SomeEvent() {
  if (!sent_.empty() && random_.OneIn(8)) return random_.Pick(sent_);
  EventWrite event = world_.Event(Person());
  if (random_.OneIn(6)) event.identifiers = SomeIdentifiers();
  if (random_.OneIn(10)) event.source = "elsewhere";
  int64_t now_us = both_.twin().now_us();
  if (random_.OneIn(5)) {
    event.type = "click";  // nobody declared it
    event.properties.clear();
    int64_t quarters = random_.Between(-8, 8);
    if (random_.OneIn(20)) {
      event.properties.push_back({"n", static_cast<double>(quarters) / 4});
    } else if (random_.OneIn(5)) {
      event.properties.push_back({"n", Decimal{quarters * 25, 2}});
    } else if (!random_.OneIn(4)) {
      event.properties.push_back({"n", quarters});
    }
    if (random_.OneIn(15)) event.properties.push_back({"n2", std::string("text")});
  } else if (event.type == "order" && random_.OneIn(30)) {
    event.properties = {{"quantity", std::string("three")}};
  }
  bool replay = both_.mode() == ClockMode::kReplay;
  switch (random_.Below(12)) {
    case 0:
      event.event_time_us = now_us + 1;
      break;
    case 1:
      event.event_time_us = now_us + (replay ? random_.Between(0, 3) * kHour : kFutureSlackUs);
      break;
    case 2:
      event.event_time_us = replay ? now_us + kDay : now_us + kFutureSlackUs + 1;
      break;
    case 3:
      event.event_time_us = 0;
      break;
    case 4:
      if (random_.OneIn(10)) event.event_time_us = now_us + kMaxStepDefaultUs + (random_.OneIn(2) ? 1 : 0);
      break;
    default:
      break;
  }
  return event;
}

void RandomTrace::TrackSome() {
  std::vector<EventWrite> events;
  for (int64_t i = random_.Between(1, 6); i > 0; --i) {
    events.push_back(SomeEvent());
    // A copy of "now" would be another event later; only what names its time is sent again.
    if (!events.back().message_id.empty() && events.back().event_time_us != 0) sent_.push_back(events.back());
    Note(Shown(events.back()));
  }
  if (sent_.size() > 50) sent_.erase(sent_.begin(), sent_.begin() + 25);
  both_.Track(events, RequestId());
}

void RandomTrace::ChangeList() {
  UpdateMembersRequest request = world_.ListChange(both_.twin().now_us());
  if (random_.OneIn(3)) {
    request.selection = Selection{};
    request.selection->expression = random_.Pick({"country = 'NL'", "count(order) over 30d >= 2", "in segment 'churn risk'"});
  } else {
    for (int64_t i = random_.Between(1, 5); i > 0; --i) request.profiles.push_back(fmt::format("customer:{}", Person()));
  }
  Note(fmt::format("members: operation {}, {} profiles, selection {}, expires {}", static_cast<int>(request.operation),
                   request.profiles.size(), request.selection.has_value() ? request.selection->expression : "none",
                   request.expire_time_us));
  both_.UpdateMembers(request);
}

void RandomTrace::MoveClock() {
  static const int64_t kSteps[] = {0, 1, 1, kSecond, kHour, kHour - 1, kDay, kDay - 1, 7 * kDay, 30 * kDay, -1};
  int64_t step = kSteps[random_.Below(11)];
  if (random_.OneIn(25)) step = 400 * kDay;
  if (both_.mode() == ClockMode::kSystem && step < 0) step = 1;
  Note(fmt::format("clock moves by {} us", step));
  both_.AdvanceTo(both_.twin().now_us() + step);
}

void RandomTrace::ChangeCatalog() {
  Definition definition;
  switch (random_.Below(4)) {
    case 0:
      definition.name = "segments/churn risk";
      definition.kind = DefinitionKind::kSegment;
      definition.segment.expression =
          random_.Pick({"count(order) over 90d = 0", "orders_30d = 0 and count(order) >= 1", "last_seen(visit) < now() - 7d",
                        "in segment 'vip' or sum(order.quantity) over this month > 3", "country is absent"});
      break;
    case 1:
      definition.name = fmt::format("attributes/derived_{}", random_.Below(3));
      definition.kind = DefinitionKind::kAttribute;
      definition.attribute.expression = random_.Pick({"count(visit) over 7d", "sum(order.quantity) over last month at 'America/New_York'",
                                                      "if(country = 'NL', age, 0)", "days_active(any) over 30d", "length(interests)"});
      break;
    default: {
      // Limits only ever get tighter: what is out stays out.
      static const int64_t kRetentions[] = {300 * kDay, 90 * kDay, 60 * kDay, 45 * kDay};
      static const uint32_t kMaxEvents[] = {20, 8, 3, 2};
      if (narrowed_ == 4) return;
      bool view = random_.OneIn(2);
      definition.name = view ? "events/view" : "events/cart";
      definition.kind = DefinitionKind::kEvent;
      if (!view) definition.event.properties = {{"product", kStringType}};
      if (view) definition.event.retention_us = kRetentions[narrowed_];
      if (!view) definition.event.max_events = kMaxEvents[narrowed_];
      ++narrowed_;
    }
  }
  Note("define " + definition.name);
  both_.Define(definition);
}

}  // namespace korrel::twin
