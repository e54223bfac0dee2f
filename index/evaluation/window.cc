// Windows as ranges of time.

#include "index/evaluation/vector_machine.h"
#include "index/evaluation/work.h"

namespace korrel {

TimeRange CalendarRange(const Window& window, const Zone& zone, int64_t now_us) {
  const int64_t start = zone.UnitStart(now_us, window.unit, 0);
  if (window.kind == Window::Kind::kThis) return {start, now_us + 1};
  return {zone.UnitStart(now_us, window.unit, -1), start};
}

std::optional<TimeRange> VectorMachine::WindowOf(const Term& term, const Vector* zone_names, size_t i) {
  const int64_t now = view_->now_us;
  const Window& window = term.node->window;
  if (window.kind == Window::Kind::kLifetime) return TimeRange{INT64_MIN, now + 1};
  if (window.kind == Window::Kind::kSliding) return TimeRange{now - window.from_us + 1, now - window.to_us + 1};
  const Zone* zone = ZoneOf(term.window_zone, zone_names, i);
  if (!zone) return std::nullopt;
  // A fixed one is worked out once per instant.
  Slot& slot = SlotOf(term);
  if (!zone_names && slot.edges_known && slot.edges_at_us == now) return slot.edges;
  meter_->Add(2 * work::kCalendar);
  slot.edges = CalendarRange(window, *zone, now);
  slot.edges_known = true;
  slot.edges_at_us = now;
  return slot.edges;
}

}  // namespace korrel
