// Aggregates: which events they read, what their argument and `where` may see, and how far back their window may reach.
#include <fmt/format.h>

#include <algorithm>

#include "index/expression/binder.h"
#include "index/expression/words.h"

namespace korrel {
namespace {

constexpr int64_t kHourUs = 3'600'000'000;
constexpr int64_t kDayUs = 24 * kHourUs;

bool IsAny(std::string_view name, bool quoted) { return !quoted && LowerAscii(name) == "any"; }

// Of an aggregate that counts events and takes nothing else.
std::string_view EventExample(Aggregate aggregate) {
  switch (aggregate) {
    case Aggregate::kFirstSeen:
    case Aggregate::kLastSeen:
    case Aggregate::kDaysActive:
      return "order";
    case Aggregate::kSessions:
      return "visit, gap 30m";
    case Aggregate::kDecayedCount:
      return "order, half_life 30d";
    default:
      return "";
  }
}

// The longest a calendar window can reach back from now: the longest such units of any year, and the hour that a day may have more.
int64_t LongestReach(const Window& window) {
  bool last = window.kind == Window::Kind::kLast;
  switch (window.unit) {
    case CalendarUnit::kDay:
      return (last ? 2 : 1) * kDayUs + kHourUs;
    case CalendarUnit::kWeek:
      return (last ? 14 : 7) * kDayUs + kHourUs;
    case CalendarUnit::kMonth:
      return (last ? 62 : 31) * kDayUs + kHourUs;
    case CalendarUnit::kQuarter:
      return (last ? 184 : 92) * kDayUs + kHourUs;
    case CalendarUnit::kYear:
      return (last ? 731 : 366) * kDayUs + kHourUs;
  }
  return 0;
}

}  // namespace

std::string Binder::PropertyExample(Aggregate aggregate, const EventTypeSchema* event) const {
  bool numeric = aggregate == Aggregate::kSum || aggregate == Aggregate::kAvg || aggregate == Aggregate::kDecayedSum;
  if (event) {
    for (const PropertySchema& property : event->properties) {
      if (!numeric || IsNumber(property.type)) return WrittenName(event->name) + "." + WrittenName(property.name);
    }
  }
  return "order.amount";
}

bool Binder::FindEvent(std::string_view name, bool quoted, const TextRange& range, std::optional<EventTypeId>* event_type, bool* unknown) {
  scope_.event_name = name;
  if (IsAny(name, quoted)) {
    scope_.any_event = true;
    return true;
  }
  const EventTypeSchema* event = options_.schema->FindEventType(name);
  if (event) {
    scope_.event = event;
    uses_.insert("events/" + event->name);
    *event_type = event->id;
    return true;
  }
  if (!options_.allow_unknown_names) return Fail(UnknownName("event type", name, range, KnownEvents()));
  scope_.unknown_event = true;
  *unknown = true;
  return true;
}

// ---- Names inside an aggregate ----

bool Binder::PropertyFound(Node* node, const EventTypeSchema* event) {
  const PropertySchema* property = event ? event->FindProperty(node->text) : nullptr;
  if (property) {
    node->property = property->id;
    node->event_type = event->id;
    node->type = property->type;
    return true;
  }
  node->unknown = true;
  if (event) node->event_type = event->id;
  if (options_.allow_unknown_names) return true;
  std::vector<std::string> known;
  for (const PropertySchema& candidate : event->properties) known.push_back(candidate.name);
  Problem problem = UnknownName("property", node->text, node->range, known);
  std::string shown = fmt::format("unknown property '{}'", node->text);
  problem.message.insert(shown.size(), fmt::format(" of '{}'", event->name));
  bool bare = scope_.kind == Scope::Kind::kWhere && node->event_text.empty();
  if (bare && node->quoted && problem.suggestions.empty()) {
    problem.message += fmt::format("; a string is written in single quotes: {}", WrittenString(node->text));
  }
  return Fail(std::move(problem));
}

// NAME.NAME
bool Binder::BindProperty(Node* node) {
  const EventTypeSchema* event = options_.schema->FindEventType(node->event_text);
  TextRange name{node->range.begin, node->range.begin + static_cast<uint32_t>(node->event_text.size() + (node->quoted ? 2 : 0)),
                 node->range.begin};
  if (!event && !options_.allow_unknown_names) return Fail(UnknownName("event type", node->event_text, name, KnownEvents()));
  if (scope_.kind == Scope::Kind::kProfile) {
    if (event && !event->FindProperty(node->text) && !options_.allow_unknown_names) return PropertyFound(node, event);
    std::string shown = PrintNode(*node);
    return Fail("PLACE", node->range, fmt::format("'{}' has one value per event; choose one, as in last({})", shown, shown));
  }
  bool first = scope_.kind == Scope::Kind::kArgument && scope_.event_name.empty();
  if (!first && node->event_text != scope_.event_name) {
    if (scope_.kind == Scope::Kind::kWhere) {
      return Fail("PLACE", node->range,
                  fmt::format("'{}' is not part of this event; 'where' sees only properties of '{}'", PrintNode(*node), scope_.event_name));
    }
    return Fail("ARGUMENTS", node->range,
                fmt::format("'{}' is of another event type; one aggregate reads one, here '{}'", PrintNode(*node), scope_.event_name));
  }
  if (first) {
    scope_.event_name = node->event_text;
    scope_.event = event;
    scope_.unknown_event = !event;
    if (event) uses_.insert("events/" + event->name);
  }
  return PropertyFound(node, event);
}

// A bare name: a property inside `where`; in an argument it is a mistake.
bool Binder::BindBareProperty(Node* node) {
  bool in_where = scope_.kind == Scope::Kind::kWhere;
  if (in_where && !node->quoted && LowerAscii(node->text) == "event_time") {
    node->op = Op::kEventTime;
    node->type = kTimestampType;
    return true;
  }
  bool property = scope_.event && scope_.event->FindProperty(node->text);
  bool attribute =
      options_.schema->FindAttribute(node->text) || (options_.definitions && options_.definitions->attributes.contains(node->text));
  std::string place = in_where ? "where" : std::string(NameOf(scope_.aggregate));
  std::string event = scope_.event_name.empty() ? "one event type" : fmt::format("'{}'", scope_.event_name);
  if (in_where && scope_.any_event) {
    return Fail("PLACE", node->range,
                fmt::format("'any' stands for all event types; of them 'where' sees only event_time, not '{}'", node->text));
  }
  if (!in_where && property) {
    return Fail("PLACE", node->range,
                fmt::format("write {}.{}; bare names stand only inside 'where'", WrittenName(scope_.event_name), WrittenName(node->text)));
  }
  if (!property && attribute && !scope_.unknown_event) {
    return Fail("PLACE", node->range, fmt::format("'{}' is an attribute; '{}' sees only properties of {}", node->text, place, event));
  }
  if (!in_where) {
    std::string name = scope_.event_name.empty() ? "order" : scope_.event_name;
    return Fail("PLACE", node->range,
                fmt::format("'{}' needs its event type before it, as in {}.{}", node->text, WrittenName(name), WrittenName(node->text)));
  }
  node->op = Op::kProperty;
  return PropertyFound(node, scope_.event);
}

// ---- The aggregate ----

bool Binder::BindAggregate(Node* node) {
  std::string_view name = NameOf(node->aggregate);
  if (scope_.kind != Scope::Kind::kProfile) {
    std::string_view place = scope_.kind == Scope::Kind::kWhere ? "where" : NameOf(scope_.aggregate);
    return Fail("PLACE", node->range, fmt::format("'{}' is an aggregate; it cannot stand inside '{}'", name, place));
  }
  own_aggregate_ = has_aggregate_ = true;
  Scope outer = std::exchange(scope_, Scope{});
  scope_.aggregate = node->aggregate;
  bool bound = BindArgument(node) && (!node->where || BindWhere(node));
  Scope inner = std::exchange(scope_, outer);
  if (!bound) return false;
  if (node->zone && !BindZone(node->zone)) return false;
  bool fades = node->aggregate == Aggregate::kDecayedCount || node->aggregate == Aggregate::kDecayedSum;
  if (fades && node->window.kind != Window::Kind::kLifetime) {
    TextRange window{node->window.range.begin, node->window.range.end, node->window.range.begin};
    return Fail("WINDOW", window, fmt::format("{} takes all events, the older ones less and less; it has no window", name));
  }
  return BindWindow(node);
}

// ---- Sequences ----

bool Binder::BindSequence(Node* node) {
  node->type = kBoolType;
  if (scope_.kind != Scope::Kind::kProfile) {
    std::string place = scope_.kind == Scope::Kind::kWhere ? "where" : std::string(NameOf(scope_.aggregate));
    return Fail("PLACE", node->range, fmt::format("a sequence cannot stand inside '{}'", place));
  }
  own_aggregate_ = has_aggregate_ = true;
  for (SequenceStep& step : node->steps) {
    Scope outer = std::exchange(scope_, Scope{});
    bool bound = BindStep(&step);
    scope_ = outer;
    if (!bound) return false;
  }
  return BindWindow(node);
}

bool Binder::BindStep(SequenceStep* step) {
  if (!FindEvent(step->event_text, step->quoted, step->range, &step->event_type, &step->unknown)) return false;
  scope_.kind = Scope::Kind::kWhere;
  return !step->where || Condition(step->where);
}

bool Binder::NeedsProperty(const Node& node) {
  const Node* argument = node.inputs.empty() ? nullptr : node.inputs[0].get();
  const EventTypeSchema* event = argument ? options_.schema->FindEventType(argument->text) : nullptr;
  if (!event && argument) {
    for (const EventTypeSchema& candidate : options_.schema->event_types) {
      if (!candidate.dropped && candidate.FindProperty(argument->text)) event = event ? event : &candidate;
    }
  }
  TextRange range = argument ? argument->range : node.range;
  std::string example = PropertyExample(node.aggregate, event);
  if (event && event->FindProperty(argument->text)) example = WrittenName(event->name) + "." + WrittenName(argument->text);
  return Fail("ARGUMENTS", range,
              fmt::format("{} needs a property, as in {}({})", NameOf(node.aggregate), NameOf(node.aggregate), example));
}

bool Binder::BindArgument(Node* node) {
  std::string_view name = NameOf(node->aggregate);
  if (node->aggregate_counts_events) {
    TextRange range{node->range.at, node->range.at + static_cast<uint32_t>(node->event_text.size()), node->range.at};
    if (!FindEvent(node->event_text, node->quoted, range, &node->event_type, &node->unknown)) return false;
    return BindArgumentType(node);
  }
  if (node->inputs.empty()) return true;  // the parser has said what is missing
  if (std::string_view example = EventExample(node->aggregate); !example.empty()) {
    return Fail("ARGUMENTS", node->inputs[0]->range, fmt::format("{} needs an event type, as in {}({})", name, name, example));
  }
  if (node->inputs[0]->op == Op::kAttribute) return NeedsProperty(*node);
  scope_.kind = Scope::Kind::kArgument;
  if (!BindNode(Mutable(node->inputs[0]))) return false;
  if (scope_.event_name.empty()) return NeedsProperty(*node);
  node->unknown = scope_.unknown_event;
  if (scope_.event) node->event_type = scope_.event->id;
  return BindArgumentType(node);
}

bool Binder::BindArgumentType(Node* node) {
  std::string_view name = NameOf(node->aggregate);
  const NodeRef argument = node->inputs.empty() ? nullptr : node->inputs[0];
  Type type = argument ? argument->type : Type{};
  auto refuse = [&](std::string_view wanted) {
    return Fail("TYPE", argument->range, fmt::format("{} is {}; {} needs {}", Shown(*argument), WithArticle(type), name, wanted));
  };
  bool unknown = type.kind == ValueKind::kNone;
  switch (node->aggregate) {
    case Aggregate::kCount:
    case Aggregate::kDaysActive:
    case Aggregate::kSessions:
      if (argument) Settle(argument, kStringType);
      node->type = kIntType;
      return true;
    case Aggregate::kUniqueCount:
    case Aggregate::kMostFrequent:
      if (type == kSetType) return refuse("single values, not sets");
      if (node->aggregate == Aggregate::kUniqueCount) Settle(argument, kStringType);
      node->type = node->aggregate == Aggregate::kUniqueCount ? kIntType : type;
      return true;
    case Aggregate::kFirstSeen:
    case Aggregate::kLastSeen:
      node->type = kTimestampType;
      return true;
    case Aggregate::kSum:
    case Aggregate::kAvg:
      if (!unknown && !IsNumber(type)) return refuse("numbers");
      Settle(argument, kIntType);
      node->type = node->aggregate == Aggregate::kAvg ? kDoubleType : argument->type;
      return true;
    case Aggregate::kDecayedCount:
      node->type = kDoubleType;
      return true;
    case Aggregate::kDecayedSum:
      if (!unknown && !IsNumber(type)) return refuse("numbers");
      Settle(argument, kIntType);
      node->type = kDoubleType;
      return true;
    case Aggregate::kMin:
    case Aggregate::kMax:
      if (!unknown && !IsNumber(type) && type != kStringType && type != kTimestampType) return refuse("numbers, strings or timestamps");
      node->type = type;
      return true;
    default:
      node->type = type;
      return true;
  }
}

bool Binder::BindWhere(Node* node) {
  scope_.kind = Scope::Kind::kWhere;
  return Condition(node->where);
}

// ---- Windows ----

bool Binder::BindWindow(Node* node) {
  const Window& window = node->window;
  if (window.kind == Window::Kind::kLifetime) return true;
  TextRange range{window.range.at, window.range.end, window.range.at};
  if (window.kind == Window::Kind::kSliding) {
    if (window.from_us < window.to_us) {
      std::string swapped = fmt::format("between {} and {} ago", FormatDuration(window.to_us), FormatDuration(window.from_us));
      return Fail("WINDOW", range, fmt::format("the window ends before it starts; write '{}'", swapped));
    }
    if (window.from_us == window.to_us) return Fail("WINDOW", range, "a window must be longer than zero");
  }
  return (!window.zone || BindZone(window.zone)) && CheckRetention(*node);
}

const EventTypeSchema* Binder::KeptShortest(const Node& node) const {
  auto looks_at = [&](const EventTypeSchema& event) {
    bool own = event.name == "decision" || event.name == "outcome";  // the engine's; `any` leaves them out
    auto reads = [&](const auto& part) { return !part.unknown && (part.event_type ? *part.event_type == event.id : !own); };
    return node.op == Op::kSequence ? std::any_of(node.steps.begin(), node.steps.end(), reads) : reads(node);
  };
  const EventTypeSchema* shortest = nullptr;
  for (const EventTypeSchema& event : options_.schema->event_types) {
    if (event.dropped || !event.retention_us || !looks_at(event)) continue;
    if (!shortest || *event.retention_us < *shortest->retention_us) shortest = &event;
  }
  return shortest;
}

// A window may not ask for more than is kept: of one event type, or of the one of all it looks at that is kept shortest. What must be
// missing in a sequence counts as well: it could have been there and be forgotten.
bool Binder::CheckRetention(const Node& node) {
  const EventTypeSchema* shortest = KeptShortest(node);
  const Window& window = node.window;
  bool sliding = window.kind == Window::Kind::kSliding;
  int64_t reach = sliding ? window.from_us : LongestReach(window);
  if (!shortest || reach <= *shortest->retention_us) return true;
  std::string retention = FormatDuration(*shortest->retention_us);
  if (node.op == Op::kSequence || !node.event_type) retention += fmt::format(" of '{}'", shortest->name);
  TextRange range{window.range.at, window.range.end, window.range.at};
  if (sliding && window.to_us == 0) {
    return Fail("WINDOW", range, fmt::format("the window of {} is longer than the retention of {}", FormatDuration(reach), retention));
  }
  if (sliding)
    return Fail("WINDOW", range, fmt::format("the window begins {} ago, before the retention of {}", FormatDuration(reach), retention));
  std::string written = fmt::format("{} {}", window.kind == Window::Kind::kLast ? "last" : "this", NameOf(window.unit));
  std::string longest = fmt::format("{} days and an hour", reach / kDayUs);
  return Fail("WINDOW", range,
              fmt::format("the window '{}' reaches back {} at its longest, before the retention of {}", written, longest, retention));
}

}  // namespace korrel
