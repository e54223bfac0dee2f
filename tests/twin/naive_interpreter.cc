#include "tests/twin/naive_interpreter.h"

#include <re2/re2.h>
#include <utf8proc.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/twin/naive_calendar.h"
#include "tests/twin/naive_number.h"

namespace korrel::twin {
namespace {

[[noreturn]] void Stop(const char* what) {
  std::fprintf(stderr, "twin: %s\n", what);
  std::abort();
}

Result Of(Value value) { return {std::move(value), std::nullopt}; }
Result OfDuration(int128 us) {
  if (us < INT64_MIN || us > INT64_MAX) return {};
  return {Value(), static_cast<int64_t>(us)};
}
Result OfTimestamp(int128 us) { return us < kTimestampMinUs || us > kTimestampMaxUs ? Result() : Of(Timestamp{static_cast<int64_t>(us)}); }
Result OfConstant(const Constant& constant) { return {constant.value, constant.duration_us}; }
Result PromotedTo(const Result& x, Type type) { return x.duration_us.has_value() ? x : Of(Promoted(x.value, type)); }

const std::string* TextOf(const Result& x) { return std::get_if<std::string>(&x.value); }
int64_t TimeOf(const Result& x) { return std::get<Timestamp>(x.value).us; }
bool IsTime(const Result& x) { return std::holds_alternative<Timestamp>(x.value); }

template <class T>
int Order(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

std::vector<int32_t> CodePoints(const std::string& text) {
  std::vector<int32_t> points;
  auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t point = 0;
    utf8proc_ssize_t used = utf8proc_iterate(at, left, &point);
    points.push_back(point);
    at += used;
    left -= used;
  }
  return points;
}

std::string Mapped(const std::string& text, utf8proc_int32_t (*map)(utf8proc_int32_t)) {
  std::string out;
  for (int32_t point : CodePoints(text)) {
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t size = utf8proc_encode_char(map(point), bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  }
  return out;
}

bool LikeFrom(const std::vector<int32_t>& text, size_t i, const std::vector<int32_t>& pattern, size_t j) {
  if (j == pattern.size()) return i == text.size();
  if (pattern[j] == '%') {
    for (size_t k = i; k <= text.size(); ++k) {
      if (LikeFrom(text, k, pattern, j + 1)) return true;
    }
    return false;
  }
  if (i == text.size()) return false;
  if (pattern[j] == '_') return LikeFrom(text, i + 1, pattern, j + 1);
  if (pattern[j] == '\\' && j + 1 < pattern.size()) ++j;
  return text[i] == pattern[j] && LikeFrom(text, i + 1, pattern, j + 1);
}

bool RegexFinds(const std::string& text, const std::string& pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  return re2::RE2::PartialMatch(text, re2::RE2(pattern, options));
}

bool Contains(const StringSet& set, const std::string& item) { return std::find(set.begin(), set.end(), item) != set.end(); }

}  // namespace

int CompareResults(const Result& a, const Result& b) {
  if (a.duration_us.has_value()) return Order(*a.duration_us, *b.duration_us);
  if (auto* x = std::get_if<bool>(&a.value)) return Order(*x, std::get<bool>(b.value));
  if (auto* x = std::get_if<std::string>(&a.value)) return Order(*x, std::get<std::string>(b.value));
  if (IsTime(a)) return Order(TimeOf(a), TimeOf(b));
  if (std::holds_alternative<double>(a.value) || std::holds_alternative<double>(b.value))
    return Order(AsDouble(a.value), AsDouble(b.value));
  return CompareExact(*ExactOf(a.value), *ExactOf(b.value));
}

bool LikeMatches(const std::string& text, const std::string& pattern) { return LikeFrom(CodePoints(text), 0, CodePoints(pattern), 0); }

int64_t BucketOf(const std::string& salt, uint64_t id) {
  std::string bytes = salt + '\0';
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(id >> (8 * i) & 0xff));
  return static_cast<int64_t>(XXH3_64bits(bytes.data(), bytes.size()) % 10'000);
}

bool NaiveInterpreter::Holds(const Node& node) const {
  Result x = Evaluate(node);
  return x.present() && std::get<bool>(x.value);
}

Result NaiveInterpreter::Evaluate(const Node& node) const {
  switch (node.op) {
    case Op::kConstant:
    case Op::kParameter:
      return OfConstant(node.constant);
    case Op::kAttribute:
      return Attribute(node);
    case Op::kProperty: {
      if (node.unknown) return {};
      auto it = event_->properties.find(node.property.value);
      return it == event_->properties.end() ? Result() : Of(it->second);
    }
    case Op::kEventTime:
      return Of(Timestamp{event_->time_us});
    case Op::kInSegment:
      return Of(node.definition ? Holds(*node.definition) : store_.IsMember(node.text, profile_.id));
    case Op::kAnd:
      return Of(std::all_of(node.inputs.begin(), node.inputs.end(), [&](const NodeRef& x) { return Holds(*x); }));
    case Op::kOr:
      return Of(std::any_of(node.inputs.begin(), node.inputs.end(), [&](const NodeRef& x) { return Holds(*x); }));
    case Op::kNot:
      return Of(!Holds(*node.inputs[0]));
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kModulo:
    case Op::kNegate:
      return Arithmetic(node);
    case Op::kCall:
      return Call(node);
    case Op::kAggregate:
      return AggregateOf(node);
    case Op::kSequence:
      return Of(Sequence(node));
    case Op::kPopulation:
      return Of(store_.Figure(node.text));
    case Op::kContext:
    case Op::kOffer:
      Stop("a construct that this version refuses");
    default:
      return Of(Test(node));
  }
}

Result NaiveInterpreter::Attribute(const Node& node) const {
  if (node.unknown) return {};
  if (node.definition) return PromotedTo(Evaluate(*node.definition), node.type);
  auto it = profile_.attributes.find(node.text);
  return it == profile_.attributes.end() ? Result() : Of(it->second.value);
}

namespace {

// The decayed aggregate that a node is, or is the name of.
const Node* DecayedAggregate(const Node& node) {
  if (node.op == Op::kAttribute && node.definition) return DecayedAggregate(*node.definition);
  bool decays = node.aggregate == Aggregate::kDecayedCount || node.aggregate == Aggregate::kDecayedSum;
  return node.op == Op::kAggregate && decays ? &node : nullptr;
}

}  // namespace

// An order of two present operands. A decayed sum against something that does not decay is a question about instants, not doubles.
bool NaiveInterpreter::Compares(Op op, const Node& left, const Node& right) const {
  const Node *decayed = DecayedAggregate(left), *other = DecayedAggregate(right);
  if (decayed == nullptr && other != nullptr) return Compares(Mirrored(op), right, left);
  if (decayed != nullptr && other == nullptr) {
    std::optional<NaiveDecay> decay = DecayOf(*decayed);
    return DecayCompares(decay.value_or(NaiveDecay{0, 0, 1}), op, AsDouble(Evaluate(right).value), store_.now_us());
  }
  int order = CompareResults(Evaluate(left), Evaluate(right));
  switch (op) {
    case Op::kLess:
      return order < 0;
    case Op::kLessEqual:
      return order <= 0;
    case Op::kGreater:
      return order > 0;
    default:
      return order >= 0;
  }
}

bool NaiveInterpreter::Test(const Node& node) const {
  Result x = Evaluate(*node.inputs[0]);
  if (node.op == Op::kIsPresent) return x.present();
  if (node.op == Op::kIsAbsent) return !x.present();
  std::vector<Result> others;
  for (size_t i = 1; i < node.inputs.size(); ++i) others.push_back(Evaluate(*node.inputs[i]));
  if (!x.present() || !std::all_of(others.begin(), others.end(), [](const Result& y) { return y.present(); })) return false;
  auto holds_item = [&](const Constant& item) { return Contains(std::get<StringSet>(x.value), std::get<std::string>(item.value)); };
  auto equals_item = [&](const Constant& item) { return CompareResults(x, OfConstant(item)) == 0; };
  switch (node.op) {
    case Op::kEqual:
      return CompareResults(x, others[0]) == 0;
    case Op::kNotEqual:
      return CompareResults(x, others[0]) != 0;
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kGreater:
    case Op::kGreaterEqual:
      return Compares(node.op, *node.inputs[0], *node.inputs[1]);
    case Op::kBetween:
      return Compares(Op::kGreaterEqual, *node.inputs[0], *node.inputs[1]) && Compares(Op::kLessEqual, *node.inputs[0], *node.inputs[2]);
    case Op::kIn:
      return std::any_of(node.items.begin(), node.items.end(), equals_item);
    case Op::kHas:
      return Contains(std::get<StringSet>(x.value), *TextOf(others[0]));
    case Op::kHasAny:
      return std::any_of(node.items.begin(), node.items.end(), holds_item);
    case Op::kHasAll:
      return std::all_of(node.items.begin(), node.items.end(), holds_item);
    case Op::kHasNone:
      return std::none_of(node.items.begin(), node.items.end(), holds_item);
    case Op::kContains:
      return TextOf(x)->find(*TextOf(others[0])) != std::string::npos;
    case Op::kLike:
      return LikeMatches(*TextOf(x), node.text);
    case Op::kMatches:
      return RegexFinds(*TextOf(x), node.text);
    default:
      Stop("an unknown test");
  }
}

Result NaiveInterpreter::Arithmetic(const Node& node) const {
  Result a = Evaluate(*node.inputs[0]);
  if (!a.present()) return {};
  if (node.op == Op::kNegate) {
    if (a.duration_us.has_value()) return OfDuration(-static_cast<int128>(*a.duration_us));
    return Of(Subtract(Value(int64_t{0}), a.value));
  }
  Result b = Evaluate(*node.inputs[1]);
  if (!b.present()) return {};
  bool a_lasts = a.duration_us.has_value(), b_lasts = b.duration_us.has_value();
  int128 x = a_lasts ? *a.duration_us : IsTime(a) ? TimeOf(a) : 0, y = b_lasts ? *b.duration_us : IsTime(b) ? TimeOf(b) : 0;
  bool temporal = a_lasts || b_lasts || IsTime(a) || IsTime(b);
  switch (node.op) {
    case Op::kAdd:
      if (!temporal) return Of(twin::Add(a.value, b.value));
      return a_lasts && b_lasts ? OfDuration(x + y) : OfTimestamp(x + y);
    case Op::kSubtract:
      if (!temporal) return Of(Subtract(a.value, b.value));
      return IsTime(a) && b_lasts ? OfTimestamp(x - y) : OfDuration(x - y);
    case Op::kMultiply:
      if (!temporal) return Of(Multiply(a.value, b.value));
      return OfDuration(a_lasts ? x * std::get<int64_t>(b.value) : y * std::get<int64_t>(a.value));
    case Op::kDivide:
      if (!temporal) return Of(Divide(a.value, b.value));
      return y == 0 ? Result() : Of(NearestDouble(x, y));
    case Op::kModulo:
      return Of(Modulo(a.value, b.value));
    default:
      Stop("an unknown operator");
  }
}

// ---- Functions ----

Result NaiveInterpreter::Call(const Node& node) const {
  switch (node.function) {
    case Function::kCoalesce:
      return Coalesce(node);
    case Function::kIf:
      return PromotedTo(Evaluate(*node.inputs[Holds(*node.inputs[0]) ? 1 : 2]), node.type);
    case Function::kMin:
    case Function::kMax:
      return SmallestOrLargest(node);
    case Function::kNow:
      return Of(Timestamp{store_.now_us()});
    case Function::kYear:
    case Function::kMonth:
    case Function::kDay:
    case Function::kWeekday:
    case Function::kHour:
      return LocalReadingOf(node);
    case Function::kAgeIn:
      return AgeIn(node);
    case Function::kBucket:
      return Of(BucketOf(*TextOf(Evaluate(*node.inputs[0])), profile_.id));
    case Function::kHasIdentifier:
      return Of(HasIdentifier(*TextOf(Evaluate(*node.inputs[0]))));
    case Function::kCreatedAt:
      return Activity(true);
    case Function::kUpdatedAt:
      return Activity(false);
    default:
      break;
  }
  Result x = Evaluate(*node.inputs[0]);
  if (!x.present()) return {};
  auto rounded = [&](Rounding how) {
    std::optional<int64_t> whole = RoundedTo(x.value, 0, how);
    return whole.has_value() ? Of(*whole) : Result();
  };
  switch (node.function) {
    case Function::kAbs:
      if (x.duration_us.has_value()) return OfDuration(*x.duration_us < 0 ? -static_cast<int128>(*x.duration_us) : *x.duration_us);
      return CompareResults(x, Of(int64_t{0})) < 0 ? Of(Subtract(Value(int64_t{0}), x.value)) : x;
    case Function::kRound: {
      if (node.inputs.size() == 1) return rounded(Rounding::kHalfAway);
      std::optional<int64_t> unscaled = RoundedTo(x.value, node.type.scale, Rounding::kHalfAway);
      return unscaled.has_value() ? Of(Decimal{*unscaled, node.type.scale}) : Result();
    }
    case Function::kFloor:
      return rounded(Rounding::kFloor);
    case Function::kCeil:
      return rounded(Rounding::kCeil);
    case Function::kLower:
      return Of(Mapped(*TextOf(x), utf8proc_tolower));
    case Function::kUpper:
      return Of(Mapped(*TextOf(x), utf8proc_toupper));
    case Function::kLength:
      if (auto* set = std::get_if<StringSet>(&x.value)) return Of(static_cast<int64_t>(set->size()));
      return Of(static_cast<int64_t>(CodePoints(*TextOf(x)).size()));
    default:
      Stop("a function that this version refuses");
  }
}

Result NaiveInterpreter::Coalesce(const Node& node) const {
  for (const NodeRef& input : node.inputs) {
    if (Result x = Evaluate(*input); x.present()) return PromotedTo(x, node.type);
  }
  return {};
}

Result NaiveInterpreter::SmallestOrLargest(const Node& node) const {
  std::optional<Result> best;
  for (const NodeRef& input : node.inputs) {
    Result x = PromotedTo(Evaluate(*input), node.type);
    if (!x.present()) return {};
    int order = best.has_value() ? CompareResults(x, *best) : 0;
    if (!best.has_value() || (node.function == Function::kMin ? order < 0 : order > 0)) best = x;
  }
  return *best;
}

std::optional<std::string> NaiveInterpreter::ZoneName(const Node* node) const {
  if (node == nullptr) return store_.time_zone();
  Result name = Evaluate(*node);
  if (!name.present() || !FindZone(*TextOf(name)).has_value()) return std::nullopt;
  return *TextOf(name);
}

Result NaiveInterpreter::LocalReadingOf(const Node& node) const {
  Result ts = Evaluate(*node.inputs[0]);
  std::optional<std::string> zone = ZoneName(node.inputs.size() > 1 ? node.inputs[1].get() : nullptr);
  if (!ts.present() || !zone.has_value()) return {};
  absl::CivilSecond local = LocalReading(TimeOf(ts), *FindZone(*zone));
  switch (node.function) {
    case Function::kYear:
      return Of(static_cast<int64_t>(local.year()));
    case Function::kMonth:
      return Of(int64_t{local.month()});
    case Function::kDay:
      return Of(int64_t{local.day()});
    case Function::kWeekday:
      return Of(int64_t{WeekdayNumber(absl::CivilDay(local))});
    default:
      return Of(int64_t{local.hour()});
  }
}

Result NaiveInterpreter::AgeIn(const Node& node) const {
  Result ts = Evaluate(*node.inputs[0]);
  std::optional<std::string> zone = ZoneName(node.inputs.size() > 1 ? node.inputs[1].get() : nullptr);
  if (!ts.present() || !zone.has_value()) return {};
  return Of(AgeInUnits(TimeOf(ts), store_.now_us(), node.age_unit, *FindZone(*zone)));
}

Result NaiveInterpreter::Activity(bool first) const {
  std::vector<int64_t> seen;
  for (int64_t t : profile_.activity_us) {
    if (t <= store_.now_us()) seen.push_back(t);
  }
  if (seen.empty()) return {};
  return Of(Timestamp{first ? *std::min_element(seen.begin(), seen.end()) : *std::max_element(seen.begin(), seen.end())});
}

bool NaiveInterpreter::HasIdentifier(const std::string& type) const {
  return std::any_of(profile_.identifiers.begin(), profile_.identifiers.end(),
                     [&](const std::string& text) { return text.rfind(type + ":", 0) == 0; });
}

// ---- Aggregates ----

std::optional<bool> NaiveInterpreter::InWindow(const Window& window, int64_t time_us) const {
  int128 t = time_us, now = store_.now_us();
  if (window.kind == Window::Kind::kLifetime) return true;
  if (window.kind == Window::Kind::kSliding) return t > now - window.from_us && t <= now - window.to_us;
  std::optional<std::string> name = ZoneName(window.zone.get());
  if (!name.has_value()) return std::nullopt;
  absl::TimeZone zone = *FindZone(*name);
  int64_t this_start = UnitStart(store_.now_us(), window.unit, 0, zone);
  if (window.kind == Window::Kind::kThis) return t >= this_start && t <= now;
  return t >= UnitStart(store_.now_us(), window.unit, -1, zone) && t < this_start;
}

bool NaiveInterpreter::IsOfType(const NaiveEvent& event, std::optional<EventTypeId> type) const {
  if (type.has_value()) return event.type == type->value;
  const std::string& name = schema_.event_types[event.type].name;
  return name != "decision" && name != "outcome";
}

std::optional<std::vector<NaiveInterpreter::Seen>> NaiveInterpreter::EventsOf(const Node& node) const {
  if (!InWindow(node.window, 0).has_value()) return std::nullopt;
  std::vector<Seen> seen;
  if (node.unknown) return seen;
  for (const NaiveEvent* event : store_.VisibleEvents(profile_, std::nullopt)) {
    if (!IsOfType(*event, node.event_type)) continue;
    if (!*InWindow(node.window, event->time_us)) continue;
    if (node.where && !Inside(*event).Holds(*node.where)) continue;
    if (node.aggregate_counts_events || node.inputs.empty()) {
      seen.push_back({event, {}});
    } else if (Result argument = Inside(*event).Evaluate(*node.inputs[0]); argument.present()) {
      seen.push_back({event, argument});
    }
  }
  return seen;
}

Result NaiveInterpreter::DaysActive(const Node& node, const std::vector<Seen>& events) const {
  std::optional<std::string> name = ZoneName(node.zone.get());
  if (!name.has_value()) return {};
  std::set<absl::CivilDay> days;
  for (const Seen& seen : events) days.insert(absl::CivilDay(LocalReading(seen.event->time_us, *FindZone(*name))));
  return Of(static_cast<int64_t>(days.size()));
}

namespace {

Result SumOf(const std::vector<Result>& values, Type type) {
  if (type.kind == ValueKind::kDouble) {
    double sum = 0;
    for (const Result& x : values) sum += std::get<double>(x.value);
    return Of(DoubleResult(sum));
  }
  int128 sum = 0;
  for (const Result& x : values) sum += ExactOf(x.value)->unscaled;
  return Of(type.kind == ValueKind::kInt ? IntResult(sum) : DecimalResult(sum, type.scale));
}

Result AverageOf(const std::vector<Result>& values) {
  if (values.empty()) return {};
  auto count = static_cast<int128>(values.size());
  if (std::holds_alternative<double>(values[0].value)) {
    Result sum = SumOf(values, kDoubleType);
    return sum.present() ? Of(DoubleResult(std::get<double>(sum.value) / static_cast<double>(count))) : Result();
  }
  int128 sum = 0;
  for (const Result& x : values) sum += ExactOf(x.value)->unscaled;
  return Of(NearestDouble(sum, count * PowerOf10(ExactOf(values[0].value)->scale)));
}

// Distinct values in their type's own order, with how often each occurs.
std::vector<std::pair<Result, int>> Tally(std::vector<Result> values) {
  std::stable_sort(values.begin(), values.end(), [](const Result& a, const Result& b) { return CompareResults(a, b) < 0; });
  std::vector<std::pair<Result, int>> tally;
  for (const Result& x : values) {
    if (tally.empty() || CompareResults(tally.back().first, x) != 0) tally.emplace_back(x, 0);
    tally.back().second++;
  }
  return tally;
}

}  // namespace

// Runs are runs of all events; those count that have one in the window.
Result NaiveInterpreter::Sessions(const Node& node, const std::vector<Seen>& in_window) const {
  Node everything = node;
  everything.window = {};
  std::set<const NaiveEvent*> counted;
  for (const Seen& seen : in_window) counted.insert(seen.event);
  std::vector<Seen> all = *EventsOf(everything);
  int64_t sessions = 0;
  const NaiveEvent* before = nullptr;
  bool run_counts = false;
  for (const Seen& seen : all) {
    bool begins = before == nullptr || static_cast<int128>(seen.event->time_us) - before->time_us > *node.gap_us;
    if (begins) run_counts = false;
    if (!run_counts && counted.count(seen.event) > 0) {
      run_counts = true;
      ++sessions;
    }
    before = seen.event;
  }
  return Of(sessions);
}

std::optional<NaiveDecay> NaiveInterpreter::DecayOf(const Node& node) const {
  std::vector<Seen> events = *EventsOf(node);  // there is no window whose zone could be unknown
  std::vector<std::pair<int64_t, double>> amounts;
  for (const Seen& seen : events) {
    bool counts = node.aggregate == Aggregate::kDecayedCount;
    amounts.emplace_back(seen.event->time_us, counts ? 1.0 : AsDouble(seen.argument.value));
  }
  return FoldDecay(amounts, *node.half_life_us);
}

Result NaiveInterpreter::Decayed(const Node& node) const {
  std::optional<NaiveDecay> decay = DecayOf(node);
  return Of(decay.has_value() ? DoubleResult(DecayedValue(*decay, store_.now_us())) : Value(0.0));
}

bool NaiveInterpreter::Sequence(const Node& node) const {
  if (!InWindow(node.window, 0).has_value()) return false;  // its zone is unknown
  std::vector<const NaiveEvent*> events = store_.VisibleEvents(profile_, std::nullopt);
  std::vector<int64_t> times;
  std::vector<bool> in_window;
  for (const NaiveEvent* event : events) {
    times.push_back(event->time_us);
    in_window.push_back(*InWindow(node.window, event->time_us));
  }
  std::vector<NaiveStep> steps;
  for (const SequenceStep& step : node.steps) {
    steps.push_back({step.without, {}});
    for (const NaiveEvent* event : events) {
      bool fits = !step.unknown && IsOfType(*event, step.event_type) && (!step.where || Inside(*event).Holds(*step.where));
      steps.back().fits.push_back(fits);
    }
  }
  return SequenceHolds(times, in_window, steps, node.within_us, store_.now_us());
}

Result NaiveInterpreter::AggregateOf(const Node& node) const {
  std::optional<std::vector<Seen>> events = EventsOf(node);
  if (!events.has_value()) return {};
  std::vector<Result> values;
  for (const Seen& seen : *events) values.push_back(seen.argument);
  auto less = [](const Result& a, const Result& b) { return CompareResults(a, b) < 0; };
  switch (node.aggregate) {
    case Aggregate::kCount:
      return Of(static_cast<int64_t>(events->size()));
    case Aggregate::kSum:
      return SumOf(values, node.type);
    case Aggregate::kAvg:
      return AverageOf(values);
    case Aggregate::kMin:
      return values.empty() ? Result() : *std::min_element(values.begin(), values.end(), less);
    case Aggregate::kMax:
      return values.empty() ? Result() : *std::max_element(values.begin(), values.end(), less);
    case Aggregate::kFirst:
      return values.empty() ? Result() : values.front();
    case Aggregate::kLast:
      return values.empty() ? Result() : values.back();
    case Aggregate::kFirstSeen:
      return events->empty() ? Result() : Of(Timestamp{events->front().event->time_us});
    case Aggregate::kLastSeen:
      return events->empty() ? Result() : Of(Timestamp{events->back().event->time_us});
    case Aggregate::kUniqueCount:
      return Of(static_cast<int64_t>(Tally(values).size()));
    case Aggregate::kMostFrequent: {
      std::vector<std::pair<Result, int>> tally = Tally(values);
      if (tally.empty()) return {};
      return std::max_element(tally.begin(), tally.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->first;
    }
    case Aggregate::kDaysActive:
      return DaysActive(node, *events);
    case Aggregate::kSessions:
      return Sessions(node, *events);
    case Aggregate::kDecayedCount:
    case Aggregate::kDecayedSum:
      return Decayed(node);
    default:
      Stop("an aggregate that this version refuses");
  }
}

}  // namespace korrel::twin
