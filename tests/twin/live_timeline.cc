#include "tests/twin/live_timeline.h"

#include <algorithm>
#include <iterator>

#include "fmt/format.h"
#include "tests/twin/naive_calendar.h"
#include "tests/twin/naive_interpreter.h"

namespace korrel::twin {
namespace {

constexpr int64_t kMinute = 60'000'000, kHour = 60 * kMinute, kDay = 24 * kHour;

// What an expression says about time, definitions included.
struct Mentioned {
  std::set<int64_t> durations, instants;
  bool local = false;  // a calendar window, a local reading or an age
};

void Collect(const Node& node, Mentioned* all) {
  if (node.constant.duration_us.has_value()) all->durations.insert(*node.constant.duration_us);
  if (auto* time = std::get_if<Timestamp>(&node.constant.value)) all->instants.insert(time->us);
  all->durations.insert({node.window.from_us, node.window.to_us});
  for (const auto& given : {node.within_us, node.gap_us}) all->durations.insert(given.value_or(0));
  all->local |= node.window.kind == Window::Kind::kThis || node.window.kind == Window::Kind::kLast || node.op == Op::kCall;
  for (const NodeRef& input : node.inputs) Collect(*input, all);
  for (const SequenceStep& step : node.steps) {
    if (step.where) Collect(*step.where, all);
  }
  for (const NodeRef& part : {node.where, node.definition}) {
    if (part) Collect(*part, all);
  }
}

Mentioned MentionedIn(NaiveStore& twin) {
  Mentioned all;
  all.durations.insert(0);
  for (const auto& [name, segment] : twin.definitions().segments) {
    if (segment.expression) Collect(*segment.expression->root(), &all);
  }
  for (const EventTypeSchema& type : twin.schema().event_types) {
    if (type.retention_us.has_value()) all.durations.insert(*type.retention_us);
  }
  return all;
}

std::set<int64_t> TimesHeld(const NaiveStore& one, const NaiveProfile& profile) {
  std::set<int64_t> times;
  auto add = [&](const Value& value) {
    if (auto* time = std::get_if<Timestamp>(&value)) times.insert(time->us);
  };
  for (const auto& [name, attribute] : profile.attributes) add(attribute.value);
  for (const NaiveEvent& event : profile.events) {
    times.insert(event.time_us);
    for (const auto& [property, value] : event.properties) add(value);
  }
  times.insert(profile.activity_us.begin(), profile.activity_us.end());
  if (std::optional<int64_t> expiry = one.ExpiryOf("vip", profile.id); expiry.has_value()) times.insert(*expiry);
  return times;
}

}  // namespace

std::string Shown(const ExpectedFlip& flip) {
  static const char* const kCauses[] = {"time", "write", "definition", "delete"};
  return fmt::format("profile {} {} '{}' at {} ({}{})", flip.profile, flip.entered ? "enters" : "leaves", flip.segment,
                     FormatTimestamp({flip.time_us}), kCauses[static_cast<size_t>(flip.cause)], flip.evicted ? ", an event fell out" : "");
}

LiveTimeline::Truths LiveTimeline::TruthsOf(NaiveStore& twin, uint64_t id) {
  ++recomputed_;
  Truths truths;
  const Schema& schema = twin.schema();
  NaiveInterpreter interpreter(twin, twin.profile(id), schema);
  for (const auto& [name, segment] : twin.definitions().segments) {
    if (!segment.is_static) truths[name] = interpreter.Holds(*segment.expression->root());
  }
  return truths;
}

std::set<uint64_t> LiveTimeline::EventsHeld(const NaiveStore& twin, uint64_t id) {
  std::set<uint64_t> held;
  for (const NaiveEvent& event : twin.profile(id).events) held.insert(event.arrival);
  return held;
}

void LiveTimeline::Note(uint64_t id, int64_t time_us, const Truths& truths, ExpectedCause cause, std::set<uint64_t> held) {
  Truths& last = last_[id];
  std::set<uint64_t>& before = held_[id];
  bool evicted = !std::includes(held.begin(), held.end(), before.begin(), before.end());
  for (const auto& [segment, was] : last) {
    if (was && truths.count(segment) == 0) noted_[id].push_back({id, segment, false, time_us, cause, evicted});
  }
  for (const auto& [segment, holds] : truths) {
    auto was = last.find(segment);
    if (holds != (was != last.end() && was->second)) noted_[id].push_back({id, segment, holds, time_us, cause, evicted});
  }
  last = truths;
  before = std::move(held);
}

std::vector<int64_t> LiveTimeline::Instants(NaiveStore& one, uint64_t id, int64_t to_us, const std::vector<int64_t>& claimed) {
  Mentioned mentioned = MentionedIn(one);
  std::set<int64_t> times = TimesHeld(one, one.profile(id)), instants = {to_us};
  int64_t from_us = one.now_us();
  auto add = [&](int128 t) {
    for (int64_t nudge : {-1, 0, 1}) {
      if (t + nudge > from_us && t + nudge < to_us) instants.insert(static_cast<int64_t>(t + nudge));
    }
  };
  for (int64_t t : claimed) add(t);
  times.insert(mentioned.instants.begin(), mentioned.instants.end());
  for (int64_t t : times) {
    for (int64_t d : mentioned.durations) {
      add(static_cast<int128>(t) + d);
      add(static_cast<int128>(t) - d);
    }
  }
  if (mentioned.local) {
    // Every quarter of an hour of a short walk holds all local hours of all zones; of a long one, days, and some hours by chance.
    int64_t step = to_us - from_us <= kDay ? 15 * kMinute : 15 * kMinute * ((to_us - from_us) / (400 * 15 * kMinute) + 1);
    for (int64_t t = from_us - from_us % step; t < to_us; t += step) add(t);
    int64_t days = std::min<int64_t>((to_us - from_us) / kDay + 2, 70);
    for (const char* zone : {"UTC", "Europe/Amsterdam", "America/New_York", "America/St_Johns", "Asia/Kathmandu"}) {
      for (int64_t day = 0; day < days; ++day) add(UnitStart(from_us + day * kDay, CalendarUnit::kDay, 0, *FindZone(zone)));
    }
  }
  for (int i = 0; i < 4 && to_us > from_us; ++i) add(random_->Between(from_us, to_us));
  return {instants.begin(), instants.end()};
}

// From instant to instant; where something differs, the first edge between the two is sought, then the next one behind it.
void LiveTimeline::WalkOne(const NaiveStore& start, uint64_t id, const std::vector<int64_t>& instants) {
  auto at = [&](int64_t t) {
    NaiveStore store = start;
    store.AdvanceClock(t);
    return store;
  };
  NaiveStore walking = start;
  int64_t before_us = start.now_us();
  for (int64_t t : instants) {
    walking.AdvanceClock(t);
    Truths truths = TruthsOf(walking, id);
    while (truths != last_[id]) {
      int64_t low = before_us, high = t;  // as last known at low, different at high
      while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        NaiveStore store = at(middle);
        (TruthsOf(store, id) == last_[id] ? low : high) = middle;
      }
      NaiveStore store = at(high);
      Note(id, high, TruthsOf(store, id), ExpectedCause::kTime, EventsHeld(store, id));
      before_us = high;
    }
    held_[id] = EventsHeld(walking, id);
    before_us = t;
  }
}

void LiveTimeline::Walk(NaiveStore& before, int64_t to_us, const std::map<uint64_t, std::vector<int64_t>>& claimed) {
  if (to_us <= before.now_us()) return;
  for (const auto& [id, profile] : before.profiles()) {
    NaiveStore one = before.With(id);
    auto claims = claimed.find(id);
    WalkOne(one, id, Instants(one, id, to_us, claims == claimed.end() ? std::vector<int64_t>() : claims->second));
  }
}

void LiveTimeline::Look(NaiveStore& twin, ExpectedCause cause) {
  std::vector<uint64_t> gone;
  for (const auto& [id, truths] : last_) {
    if (twin.profiles().count(id) == 0) gone.push_back(id);
  }
  for (uint64_t id : gone) {
    Note(id, twin.now_us(), {}, ExpectedCause::kDelete, {});
    last_.erase(id);
    held_.erase(id);
  }
  for (const auto& [id, profile] : twin.profiles()) Note(id, twin.now_us(), TruthsOf(twin, id), cause, EventsHeld(twin, id));
}

void LiveTimeline::LookAt(NaiveStore& twin, std::optional<uint64_t> id, ExpectedCause cause) {
  if (id) Note(*id, twin.now_us(), TruthsOf(twin, *id), cause, EventsHeld(twin, *id));
}

std::map<uint64_t, std::vector<ExpectedFlip>> LiveTimeline::Take() { return std::exchange(noted_, {}); }

}  // namespace korrel::twin
