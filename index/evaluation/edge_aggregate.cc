// Until when an aggregate holds: events leave its window, enter it, or it moves on to the next month.
//
// An event of time t is inside from t + B until t + A (B = 0 without `ago`; A is the window's length, or the retention where that is
// shorter), or from t until the calendar's next boundary. What is not yet inside comes after what is, so both are found by binary search.
#include <algorithm>
#include <cmath>
#include <functional>

#include "index/evaluation/aggregate.h"
#include "index/evaluation/edge.h"
#include "index/evaluation/event_runs.h"
#include "index/evaluation/work.h"

namespace korrel {
EdgeFinder::Shown EdgeFinder::EventsOf(const Term& aggregate) {
  Shown shown;
  const Window& window = aggregate.node->window;
  TimeRange range{INT64_MIN, now_ + 1};
  const Zone* zone = nullptr;
  if (window.kind == Window::Kind::kSliding) {
    range = {now_ - window.from_us + 1, now_ - window.to_us + 1};
  } else if (window.kind != Window::Kind::kLifetime) {
    zone = ZoneOf(aggregate.window_zone, aggregate.window_zone_term);
    if (!zone) return shown;
    machine_->meter_->Add(2 * work::kCalendar);
    range = CalendarRange(window, *zone, now_);
  }
  ForEachEventType(aggregate, [&](EventTypeId type) { AddSpan(aggregate, type, range.from_us, range.to_us, &shown); });
  if (zone && !shown.spans.empty()) {
    SetBoundary(window, *zone, &shown);
    // What is past and waits for the boundary does nothing before it.
    for (Span& span : shown.spans) span.next = std::max(span.next, span.history->UpperBound(now_));
  }
  return shown;
}

template <class Visit>
void EdgeFinder::ForEachEventType(const Term& aggregate, const Visit& visit) const {
  if (aggregate.node->unknown) return;
  if (aggregate.node->event_type) return visit(*aggregate.node->event_type);
  for (EventTypeId type : view_.table->EventTypesOf(row_)) {
    if (type.value >= view_.schema->event_types.size()) break;
    if (InAny(view_.schema->event_types[type.value])) visit(type);
  }
}

void EdgeFinder::AddSpan(const Term& aggregate, EventTypeId type, int64_t from_us, int64_t to_us, Shown* shown) const {
  machine_->meter_->Add(work::kAggregate);
  const EventHistory* history = view_.table->History(row_, type);
  if (!history) return;
  const EventTypeSchema& schema = view_.schema->event_types[type.value];
  const ProfileTable::VisibleRange visible = ProfileTable::Visible(*history, schema, now_);
  Span span{.history = history, .properties = &view_.table->Properties(type)};
  // What a limit or the retention has put out does not come back.
  const uint32_t held = std::min(visible.begin, visible.end);
  span.held = held;
  span.size = history->size();
  span.next = std::max(held, history->LowerBound(to_us));
  span.end = std::min(visible.end, span.next);
  span.begin = std::min(span.end, std::max(held, history->LowerBound(from_us)));
  const Window& window = aggregate.node->window;
  const int64_t retention = schema.retention_us.value_or(kNever);
  if (window.kind == Window::Kind::kSliding) {
    span.leaves_after = std::min(window.from_us, retention);
    span.enters_after = window.to_us < span.leaves_after ? window.to_us : kNever;
  } else {
    span.leaves_after = retention;
  }
  shown->spans.push_back(span);
}

// A calendar window moves on at once. For a profile whose events are neither in it now nor in the next one that makes no difference.
void EdgeFinder::SetBoundary(const Window& window, const Zone& zone, Shown* shown) const {
  machine_->meter_->Add(3 * work::kCalendar);
  const int64_t boundary = zone.NextChange(now_, ReadingUnitOf(window.unit));
  const TimeRange next = CalendarRange(window, zone, boundary);
  for (const Span& span : shown->spans) {
    const bool waits = span.next < span.size && span.history->TimeOf(span.next) <= now_;
    const uint32_t first = std::max(span.held, span.history->LowerBound(next.from_us));
    const bool comes = first < span.size && span.history->TimeOf(first) < next.to_us;
    if (span.begin < span.end || waits || comes) shown->boundary = ToEdge(boundary);
  }
}

int64_t EdgeFinder::AggregateEdge(const Term& term) {
  const int64_t zones =
      std::min(term.zone_term ? Edge(*term.zone_term) : kNever, term.window_zone_term ? Edge(*term.window_zone_term) : kNever);
  const Shown shown = EventsOf(term);
  switch (term.node->aggregate) {
    case Aggregate::kFirst:
    case Aggregate::kLast:
    case Aggregate::kFirstSeen:
    case Aggregate::kLastSeen:
      return std::min(zones, EndsEdge(term, shown));
    case Aggregate::kDecayedCount:
    case Aggregate::kDecayedSum:
      return DecayEdge(term, shown);
    default:
      return std::min(zones, EventsEdge(shown));
  }
}

int64_t EdgeFinder::LeavingOf(const Span& span, int64_t time_us) const {
  return span.leaves_after == kNever ? kNever : ToEdge(int128{time_us} + span.leaves_after);
}

int64_t EdgeFinder::EnteringOf(const Span& span, int64_t time_us) const {
  return span.enters_after == kNever ? kNever : ToEdge(int128{time_us} + span.enters_after);
}

// The first that leaves or enters, whether it counts or not.
int64_t EdgeFinder::EventsEdge(const Shown& shown) const {
  int64_t edge = shown.boundary;
  for (const Span& span : shown.spans) {
    if (span.begin < span.end) edge = std::min(edge, LeavingOf(span, span.history->TimeOf(span.begin)));
    if (span.next < span.size) edge = std::min(edge, EnteringOf(span, span.history->TimeOf(span.next)));
  }
  return edge;
}

// What is asked for is one event: the first or the last that counts. It stays until it leaves, a last one until another enters.
int64_t EdgeFinder::EndsEdge(const Term& term, const Shown& shown) {
  const bool last = term.node->aggregate == Aggregate::kLast || term.node->aggregate == Aggregate::kLastSeen;
  EventRuns runs(machine_, term);
  int64_t edge = shown.boundary, leaving = kNever, seen = 0;
  bool found = false;
  for (const Span& span : shown.spans) {
    runs.ForEach(span.Inside(), last, EventRuns::kFirstRunEvents, [&](const EventRun& run, uint32_t begin) {
      for (size_t k = 0; k < run.size; ++k) {
        const size_t at = last ? run.size - 1 - k : k;
        if (!run.Takes(at)) continue;
        const int64_t time = span.history->TimeOf(begin + static_cast<uint32_t>(at));
        const bool better = !found || (last ? time > seen : time < seen);
        if (better || time == seen) leaving = std::min(better ? kNever : leaving, LeavingOf(span, time));
        if (better) seen = time;
        found = true;
        return false;
      }
      return true;
    });
  }
  edge = std::min(edge, leaving);
  for (const Span& span : shown.spans) {
    if (span.next < span.size && (last || !found)) edge = std::min(edge, EnteringOf(span, span.history->TimeOf(span.next)));
  }
  return edge;
}

// It fades all the time, unless there is nothing to fade.
int64_t EdgeFinder::DecayEdge(const Term& term, const Shown& shown) {
  const std::optional<DecayState> state = machine_->DecayOf(term, row_);
  const bool fades = state && state->s != 0 && std::isfinite(state->s);
  return fades ? ToEdge(int128{now_} + 1) : EventsEdge(shown);
}

// Until when the count, now within the range, may stay there: it falls below no sooner than when so many have left that only the newest
// are too few, and rises above no sooner than when enough have entered.
int64_t EdgeFinder::CountEdgeOutside(const Term& term, int64_t count, const RawInterval& range) {
  const int64_t zones = term.window_zone_term ? Edge(*term.window_zone_term) : kNever;
  const Shown shown = EventsOf(term);
  int64_t edge = std::min(zones, shown.boundary);
  if (range.low > 0) edge = std::min(edge, NthLeaving(term, shown, range.low));
  if (range.high - count < INT32_MAX) edge = std::min(edge, NthEntering(term, shown, range.high - count + 1));
  return edge;
}

// The times of up to n events that count: the newest of them, or the oldest. One read where every event counts.
std::vector<int64_t> EdgeFinder::TimesOf(const Term& term, const EventPiece& piece, bool newest, int64_t n) {
  EventRuns runs(machine_, term);
  std::vector<int64_t> times;
  if (runs.TakesAll()) {
    const uint32_t size = static_cast<uint32_t>(std::min<int64_t>(n, piece.end - piece.begin));
    const uint32_t begin = newest ? piece.end - size : piece.begin;
    machine_->meter_->Add(size * work::kEvent);
    if (size > 0) piece.history->ReadTimes(begin, begin + size, &times);
    return times;
  }
  const uint32_t first_run = n < EventRuns::kFirstRunEvents ? EventRuns::kFirstRunEvents : EventRuns::kRunEvents;
  runs.ForEach(piece, newest, first_run, [&](const EventRun& run, uint32_t begin) {
    for (size_t k = 0; k < run.size && static_cast<int64_t>(times.size()) < n; ++k) {
      const size_t at = newest ? run.size - 1 - k : k;
      if (run.Takes(at)) times.push_back(piece.history->TimeOf(begin + static_cast<uint32_t>(at)));
    }
    return static_cast<int64_t>(times.size()) < n;
  });
  return times;
}

// When fewer than n of those inside are left: never where n never were, or none leaves.
int64_t EdgeFinder::NthLeaving(const Term& term, const Shown& shown, int64_t n) {
  if (shown.spans.size() == 1 && !term.where && term.inputs.empty()) {
    const Span& span = shown.spans[0];
    return span.end - span.begin < n ? kNever : LeavingOf(span, span.history->TimeOf(span.end - static_cast<uint32_t>(n)));
  }
  std::vector<int64_t> leaving;
  auto leaves = [](const Span& span) { return span.leaves_after != kNever; };
  if (std::none_of(shown.spans.begin(), shown.spans.end(), leaves)) return kNever;
  for (const Span& span : shown.spans) {
    for (int64_t time : TimesOf(term, span.Inside(), true, n)) leaving.push_back(LeavingOf(span, time));
  }
  if (static_cast<int64_t>(leaving.size()) < n) return kNever;
  const auto nth = leaving.begin() + (n - 1);
  std::nth_element(leaving.begin(), nth, leaving.end(), std::greater<>());
  return *nth;
}

// When n more have entered, if none left.
int64_t EdgeFinder::NthEntering(const Term& term, const Shown& shown, int64_t n) {
  std::vector<int64_t> entering;
  for (const Span& span : shown.spans) {
    if (span.enters_after == kNever) continue;
    for (int64_t time : TimesOf(term, span.Coming(), false, n)) entering.push_back(EnteringOf(span, time));
  }
  if (static_cast<int64_t>(entering.size()) < n) return kNever;
  const auto nth = entering.begin() + (n - 1);
  std::nth_element(entering.begin(), nth, entering.end());
  return *nth;
}

}  // namespace korrel
