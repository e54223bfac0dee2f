#include "tests/twin/live_trace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "fmt/format.h"
#include "tests/twin/expression_check.h"
#include "tests/twin/state_check.h"

namespace korrel::twin {
namespace {

constexpr int64_t kSecond = 1'000'000, kHour = 3'600 * kSecond, kDay = 24 * kHour;

std::string ShownEvent(const EventWrite& event) {
  std::string out =
      fmt::format("track {} {} at {} id '{}'", event.identifiers[0], event.type, FormatTimestamp({event.event_time_us}), event.message_id);
  for (const EventProperty& p : event.properties) out += fmt::format(" {}={}", p.name, DisplayValue(p.value));
  return out;
}

bool CauseFits(const ExpectedFlip& expected, ChangeCause cause) {
  if (cause == ChangeCause::kRetention) return expected.evicted && expected.cause != ExpectedCause::kDelete;
  switch (expected.cause) {
    case ExpectedCause::kTime:
      return cause == ChangeCause::kClock;
    case ExpectedCause::kWrite:
      return cause == ChangeCause::kWrite;
    case ExpectedCause::kDefinition:
      return cause == ChangeCause::kDefinition;
    default:
      return cause == ChangeCause::kDelete;
  }
}

// The first difference between what one profile should have done and did. Segments that flip at one instant may do so in any order.
std::string DifferenceOf(std::vector<ExpectedFlip> expected, std::vector<ObservedFlip> observed) {
  auto by_time = [](const auto& a, const auto& b) { return std::tie(a.time_us, a.segment) < std::tie(b.time_us, b.segment); };
  std::stable_sort(expected.begin(), expected.end(), by_time);
  std::stable_sort(observed.begin(), observed.end(), by_time);
  for (size_t i = 0; i < std::max(expected.size(), observed.size()); ++i) {
    if (i >= observed.size()) return "missing: " + Shown(expected[i]);
    if (i >= expected.size()) return "unexpected: " + Shown(observed[i]);
    const ExpectedFlip& e = expected[i];
    const ObservedFlip& o = observed[i];
    bool same = e.segment == o.segment && e.entered == o.entered && e.time_us == o.time_us && CauseFits(e, o.cause);
    if (!same) return fmt::format("expected {}, got {}", Shown(e), Shown(o));
  }
  return "";
}

}  // namespace

LiveTrace::LiveTrace(Random* random, const LiveTraceOptions& options)
    : random_(*random),
      options_(options),
      both_(options.layouts, options.mode, options.now_us),
      world_(random, options.now_us),
      timeline_(random) {
  for (Side& side : both_.sides()) streams_.push_back(std::make_unique<LiveStream>(side.database.get()));
  names_ = {{"orders_30d", "avg_basket"}, {}, {}, {"is_adult"}, {"churn risk", "adults"}};
  for (int i = 0; i < options.definitions; ++i) DefineSomething();
}

std::string LiveTrace::LastSteps(size_t count) const {
  std::string out;
  for (size_t i = 0; i < steps_.size(); ++i) {
    bool defines = steps_[i].rfind("define", 0) == 0;
    if (defines || i + count >= steps_.size()) out += fmt::format("  {}: {}\n", i, steps_[i]);
  }
  return out;
}

// ---- What follows from an operation ----

template <class Operation>
void LiveTrace::Run(ExpectedCause cause, Operation operation) {
  NaiveStore before = both_.twin();
  operation();
  if (testing::Test::HasFailure()) return;
  Follow(before, cause);
}

void LiveTrace::Follow(NaiveStore& before, ExpectedCause cause) {
  LiveTimeline saved = timeline_;
  Expected expected = Expect(before, cause, {});
  size_t count = 0;
  for (const auto& [id, flips] : expected) count += flips.size();
  std::vector<std::vector<ObservedFlip>> observed;
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (cause == ExpectedCause::kDefinition) WaitUntilFilled(both_.sides()[i].database.get());
    observed.push_back(Observe(i, count));
  }
  std::string difference = Difference(expected, observed);
  if (!difference.empty()) {
    // Two flips that undo each other between two instants have escaped the twin: it looks again where the database saw some.
    timeline_ = saved;
    difference = Difference(Expect(before, cause, observed[0]), observed);
  }
  EXPECT_EQ(difference, "");
}

LiveTrace::Expected LiveTrace::Expect(NaiveStore& before, ExpectedCause cause, const std::vector<ObservedFlip>& claimed) {
  std::map<uint64_t, std::vector<int64_t>> instants;
  for (const ObservedFlip& flip : claimed) instants[flip.profile].push_back(flip.time_us);
  timeline_.Walk(before, both_.twin().now_us(), instants);
  timeline_.Look(both_.twin(), cause);
  return timeline_.Take();
}

// Rows that nobody writes to are brought up to the clock behind the operation; nothing is asserted about how soon. Once nothing is behind
// and as much is told as was expected, everything is told.
std::vector<ObservedFlip> LiveTrace::Observe(size_t i, size_t count) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::vector<ObservedFlip> observed;
  while (true) {
    bool done = both_.sides()[i].database->GetStatus().timer_lag_us == 0;
    std::string problem;
    for (const ObservedFlip& flip : streams_[i]->Read(&problem)) observed.push_back(flip);
    EXPECT_EQ(problem, "") << LayoutName(both_.sides()[i].layout);
    done = done && observed.size() >= count;
    if (done || !problem.empty() || std::chrono::steady_clock::now() > deadline) return observed;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::string LiveTrace::Difference(const Expected& expected, const std::vector<std::vector<ObservedFlip>>& observed) {
  for (size_t i = 0; i < observed.size(); ++i) {
    std::string difference = DifferenceIn(i, expected, observed[i]);
    if (!difference.empty()) return fmt::format("{}: {}", LayoutName(both_.sides()[i].layout), difference);
  }
  return "";
}

std::string LiveTrace::DifferenceIn(size_t i, const Expected& expected, const std::vector<ObservedFlip>& observed) {
  std::map<uint64_t, std::vector<ObservedFlip>> by_profile;
  for (const ObservedFlip& flip : observed) by_profile[flip.profile].push_back(flip);
  std::set<uint64_t> ids;
  for (const auto& [id, flips] : expected) ids.insert(id);
  for (const auto& [id, flips] : by_profile) ids.insert(id);
  const auto &here = streams_[i]->by_profile(), &there = streams_[0]->by_profile();
  for (uint64_t id : ids) {
    auto wanted = expected.find(id);
    std::string difference = DifferenceOf(wanted == expected.end() ? std::vector<ExpectedFlip>() : wanted->second, by_profile[id]);
    if (!difference.empty())
      return fmt::format("{}\n{}", difference, both_.twin().profiles().count(id) > 0 ? both_.twin().Dump(id) : "deleted");
    // Not only the same for the twin: the same in the same order whatever the layout.
    bool same = here.count(id) == there.count(id) && (here.count(id) == 0 || here.at(id) == there.at(id));
    if (!same) return fmt::format("the order of what profile {} does depends on the layout", id);
  }
  return "";
}

void LiveTrace::CheckWhatIsRead() {
  NaiveStore& twin = both_.twin();
  std::vector<std::string> everyone = {"customer:nobody"};
  for (const auto& [id, profile] : twin.profiles()) everyone.push_back(FormatProfileId(ProfileId(id)));
  std::vector<ExpressionRef> kept;
  for (const auto& [name, expression] : twin.definitions().attributes) kept.push_back(*twin.Compile("\"" + name + "\""));
  for (const auto& [name, segment] : twin.definitions().segments) kept.push_back(*twin.Compile(fmt::format("in segment '{}'", name)));
  for (size_t i = 0; i < both_.sides().size(); ++i) {
    Side& side = both_.sides()[i];
    auto expect = [&](const std::string& difference) {
      EXPECT_EQ(difference, "") << LayoutName(side.layout);
      return difference.empty();
    };
    for (const std::string& who : everyone) {
      if (!expect(DifferenceInProfile(twin, *side.database, who))) return;
    }
    for (const ExpressionRef& expression : kept) {
      if (!expect(twin::DifferenceIn(twin, *side.database, *expression))) return;
    }
    if (!expect(DifferenceInBatchGet(twin, *side.database, kept, everyone))) return;
    for (const auto& [name, segment] : twin.definitions().segments) {
      if (segment.is_static) continue;
      std::vector<uint64_t> members = MatchesInTwin(twin, **twin.Compile(fmt::format("in segment '{}'", name)));
      EXPECT_EQ(streams_[i]->MembersOf(name), std::set<uint64_t>(members.begin(), members.end())) << name;
    }
  }
}

// ---- Operations ----

void LiveTrace::Step() {
  world_.SetNow(both_.twin().now_us());
  if (options_.batch > 0 && random_.OneIn(2)) return random_.OneIn(3) ? WriteMany() : TrackMany();
  switch (random_.Below(40)) {
    case 0:
    case 1:
      return DefineSomething();
    case 2:
      return DropSomething();
    case 3:
      return TightenLimits();
    case 4: {
      std::string who = Person();
      Note("delete " + who);
      return Run(ExpectedCause::kDelete, [&] { both_.Delete(who); });
    }
    case 5:
    case 6:
    case 7:
      return ChangeList();
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
    case 13:
      return MoveClock();
    case 14:
    case 15:
    case 16:
    case 17:
    case 18:
    case 19:
    case 20:
    case 21:
      return WriteProfile();
    case 22:
    case 23:
    case 24:
    case 25:
      return TrackSeveral();
    default:
      return TrackOne();
  }
}

ProfileWrite LiveTrace::MakeWrite() {
  ProfileWrite write;
  write.identifiers = world_.Identifiers(1 + random_.Below(options_.people));
  if (random_.OneIn(4)) write.event_time_us = both_.twin().now_us() - random_.Between(0, 3) * kDay;
  static const std::vector<std::string> kNames = {"country", "tier",      "email",     "time_zone",  "age",       "big",       "score",
                                                  "balance", "spend_90d", "is_member", "birth_date", "last_seen", "last_seen", "interests"};
  std::string shown = fmt::format("upsert {} at {}:", write.identifiers[0], FormatTimestamp({write.event_time_us}));
  for (int64_t i = random_.Between(0, 4); i > 0; --i) {
    AttributeWrite attribute{random_.Pick(kNames), AttributeOperation::kSet, {}};
    attribute.value = world_.ValueFor(attribute.name);
    if (attribute.name == "last_seen" && random_.OneIn(2)) attribute.value = Timestamp{world_.EventTime()};
    if (random_.OneIn(6)) {
      attribute.operation = AttributeOperation::kUnset;
      attribute.value = {};
    } else if (attribute.name == "interests" && random_.OneIn(2)) {
      attribute.operation = random_.OneIn(3) ? AttributeOperation::kRemove : AttributeOperation::kAdd;
    } else if (attribute.name == "age" && random_.OneIn(3)) {
      attribute.operation = AttributeOperation::kIncrement;
    }
    shown += fmt::format(" {} {}={}", OperationName(attribute.operation), attribute.name, DisplayValue(attribute.value));
    write.attributes.push_back(std::move(attribute));
  }
  Note(shown);
  return write;
}

void LiveTrace::WriteProfile() {
  const ProfileWrite write = MakeWrite();
  Run(ExpectedCause::kWrite, [&] { both_.Upsert({write}); });
}

void LiveTrace::WriteMany() {
  std::vector<ProfileWrite> writes;
  for (int i = 0; i < options_.batch; ++i) writes.push_back(MakeWrite());
  const auto look = [&](size_t i) { timeline_.LookAt(both_.twin(), both_.twin().Find(writes[i].identifiers[0]), ExpectedCause::kWrite); };
  Run(ExpectedCause::kWrite, [&] { both_.Upsert(writes, "", look); });
}

void LiveTrace::TrackOne() {
  EventWrite event = !sent_.empty() && random_.OneIn(8) ? random_.Pick(sent_) : world_.Event(1 + random_.Below(options_.people));
  static const int64_t kAhead[] = {0, 1, kSecond, kHour, kHour - 1, kDay, kDay + 1, 7 * kDay, 30 * kDay};
  int64_t now_us = both_.twin().now_us();
  bool replay = options_.mode == ClockMode::kReplay;
  if (random_.OneIn(2)) event.event_time_us = replay ? now_us + kAhead[random_.Below(9)] : now_us + random_.Between(-1, 1);
  if (!replay && random_.OneIn(4)) event.event_time_us = now_us + random_.Between(1, 300) * kSecond;
  if (!event.message_id.empty()) sent_.push_back(event);
  Note(ShownEvent(event));
  Run(ExpectedCause::kWrite, [&] { both_.Track({event}); });
}

// It does not move the clock: what each of several does is seen by itself.
EventWrite LiveTrace::MakeEvent(uint64_t person) {
  EventWrite event = world_.Event(person);
  event.event_time_us = std::min(event.event_time_us, both_.twin().now_us());
  Note(ShownEvent(event));
  return event;
}

void LiveTrace::TrackSeveral() {
  std::vector<EventWrite> events;
  for (uint64_t person = 1; person <= options_.people; ++person) {
    if (!random_.OneIn(3)) events.push_back(MakeEvent(person));
  }
  Run(ExpectedCause::kWrite, [&] { both_.Track(events); });
}

void LiveTrace::TrackMany() {
  std::vector<EventWrite> events;
  for (int i = 0; i < options_.batch; ++i) events.push_back(MakeEvent(1 + random_.Below(options_.people)));
  const auto look = [&](size_t i) { timeline_.LookAt(both_.twin(), both_.twin().Find(events[i].identifiers[0]), ExpectedCause::kWrite); };
  Run(ExpectedCause::kWrite, [&] { both_.Track(events, "", look); });
}

void LiveTrace::ChangeList() {
  UpdateMembersRequest request = world_.ListChange(both_.twin().now_us());
  std::set<std::string> people;
  for (int64_t i = random_.Between(1, 4); i > 0; --i) people.insert(Person());
  request.profiles.assign(people.begin(), people.end());
  if (random_.OneIn(4)) {
    request.profiles.clear();
    request.selection = Selection{};
    request.selection->expression = fmt::format("in segment '{}'", random_.Pick(names_.segments));
  }
  Note(fmt::format("members: operation {} of {} until {}", static_cast<int>(request.operation),
                   request.selection.has_value() ? request.selection->expression : fmt::format("{} people", request.profiles.size()),
                   request.expire_time_us));
  Run(ExpectedCause::kWrite, [&] { both_.UpdateMembers(request); });
}

void LiveTrace::MoveClock() {
  static const int64_t kSteps[] = {0, 1, 1, kSecond, kHour, kHour - 1, kDay, kDay - 1, kDay + 1, 7 * kDay, 30 * kDay};
  int64_t step = kSteps[random_.Below(11)];
  int64_t now_us = both_.twin().now_us();
  if (random_.OneIn(3)) {
    // Onto an edge of somebody's window, or a microsecond to either side.
    for (const auto& [id, profile] : both_.twin().profiles()) {
      if (profile.events.empty() || !random_.OneIn(3)) continue;
      int64_t edge_us = random_.Pick(profile.events).time_us + kSteps[4 + random_.Below(7)] + random_.Between(-1, 1);
      if (edge_us > now_us) step = edge_us - now_us;
    }
  }
  if (random_.OneIn(30)) step = 400 * kDay;
  Note(fmt::format("clock moves by {} us", step));
  Run(ExpectedCause::kTime, [&] { both_.AdvanceTo(now_us + step); });
}

void LiveTrace::DefineSomething() {
  RandomDefinition generator(&random_, &world_.vocabulary(), &names_);
  Definition definition;
  char kind = 's';
  bool is_segment = !random_.OneIn(3);
  bool again = is_segment && random_.OneIn(5) && !names_.segments.empty();
  std::string name = fmt::format("{}{}", is_segment ? "s" : "a", defined_++);
  definition.kind = is_segment ? DefinitionKind::kSegment : DefinitionKind::kAttribute;
  if (is_segment) {
    // A segment that others use already names nothing that could use it.
    DefinedNames nothing;
    RandomDefinition alone(&random_, &world_.vocabulary(), &nothing);
    if (again) name = random_.Pick(names_.segments);
    definition.segment.expression = again ? alone.Condition(2) : generator.Condition(2);
  } else {
    definition.attribute.expression = generator.Value(&kind);
  }
  definition.name = (is_segment ? "segments/" : "attributes/") + name;
  std::string text = is_segment ? definition.segment.expression : definition.attribute.expression;
  bool accepted = false;
  std::string reason;
  Note(fmt::format("define {}: {}", definition.name, text));
  Run(ExpectedCause::kDefinition, [&] { accepted = both_.TryDefine(definition, &reason); });
  accepted ? ++accepted_ : ++refused_;
  if (!accepted) steps_.back() = fmt::format("refused ({}): {}", reason, text);
  if (!accepted || again) return;
  droppable_.push_back(definition.name);
  auto& names = kind == 's'   ? names_.segments
                : kind == 'n' ? names_.numbers
                : kind == 't' ? names_.texts
                : kind == 'i' ? names_.times
                              : names_.flags;
  names.push_back(name);
}

void LiveTrace::DropSomething() {
  if (droppable_.empty()) return;
  std::string name = random_.OneIn(2) ? droppable_.back() : random_.Pick(droppable_);
  bool dropped = false;
  Note("drop " + name);
  Run(ExpectedCause::kDefinition, [&] { dropped = both_.TryDrop(name); });
  if (!dropped) return;
  std::erase(droppable_, name);
  std::string bare = name.substr(name.find('/') + 1);
  for (auto* names : {&names_.numbers, &names_.texts, &names_.times, &names_.flags, &names_.segments}) std::erase(*names, bare);
}

void LiveTrace::TightenLimits() {
  static const int64_t kRetentions[] = {300 * kDay, 120 * kDay, 100 * kDay};
  static const uint32_t kMaxEvents[] = {20, 8, 3};
  if (tightened_ == 3) return;
  Definition definition;
  bool view = random_.OneIn(2);
  definition.name = view ? "events/view" : "events/cart";
  definition.kind = DefinitionKind::kEvent;
  if (view) definition.event.retention_us = kRetentions[tightened_];
  if (!view) definition.event.properties = {{"product", kStringType}};
  if (!view) definition.event.max_events = kMaxEvents[tightened_];
  ++tightened_;
  std::string reason;
  Note("define tighter " + definition.name);
  // Refused where a window reaches further back.
  Run(ExpectedCause::kDefinition, [&] { both_.TryDefine(definition, &reason); });
}

}  // namespace korrel::twin
