#include "index/live/kept_window.h"

#include <algorithm>

namespace korrel {
namespace {

int64_t Plus(int64_t time_us, int64_t duration_us) {
  int64_t sum;
  return __builtin_add_overflow(time_us, duration_us, &sum) ? kNever : sum;
}

int64_t Minus(int64_t time_us, int64_t duration_us) {
  int64_t difference;
  return __builtin_sub_overflow(time_us, duration_us, &difference) ? INT64_MIN : difference;
}

}  // namespace

KeptWindow::KeptWindow(const Term& term) : window_(term.node->window), zone_(term.window_zone) {}

bool KeptWindow::SameAs(const KeptWindow& o) const {
  if (window_.kind != o.window_.kind) return false;
  if (IsCalendar()) return window_.unit == o.window_.unit && zone_ == o.zone_;
  return window_.from_us == o.window_.from_us && window_.to_us == o.window_.to_us;
}

// A row is brought from its own instant to now: the units of both are remembered.
const KeptWindow::UnitTimes& KeptWindow::UnitAt(int64_t now_us) const {
  for (const UnitTimes& unit : units_) {
    if (unit.from_us <= now_us && now_us < unit.next_us) return unit;
  }
  latest_unit_ ^= 1;
  UnitTimes& unit = units_[latest_unit_];
  unit.before_us = zone_->UnitStart(now_us, window_.unit, -1);
  unit.start_us = unit.from_us = zone_->UnitStart(now_us, window_.unit, 0);
  unit.next_us = zone_->NextChange(now_us, ReadingUnitOf(window_.unit));
  if (zone_->NextChange(unit.start_us, ReadingUnitOf(window_.unit)) <= now_us) unit.from_us = now_us;
  unit.turns_back = zone_->UnitStart(unit.next_us, window_.unit, 0) < unit.start_us;
  return unit;
}

KeptWindow::Times KeptWindow::TimesAt(int64_t now_us) const {
  switch (window_.kind) {
    case Window::Kind::kLifetime:
      return {INT64_MIN, now_us + 1};
    case Window::Kind::kSliding:
      return {Minus(now_us, window_.from_us) + 1, Minus(now_us, window_.to_us) + 1};
    case Window::Kind::kThis:
      return {UnitAt(now_us).start_us, now_us + 1};
    case Window::Kind::kLast:
      break;
  }
  const UnitTimes& unit = UnitAt(now_us);
  return {unit.before_us, unit.start_us};
}

EventRange KeptWindow::RangeOf(const EventHistory& history, const EventTypeSchema& type, int64_t now_us) const {
  if (!known()) return {};
  const Times times = TimesAt(now_us);
  const ProfileTable::VisibleRange visible = ProfileTable::Visible(history, type, now_us);
  EventRange range{visible.begin, visible.end};
  if (window_.kind == Window::Kind::kLifetime) return range;
  range.begin = std::max(range.begin, history.LowerBound(times.from_us));
  if (times.to_us <= now_us) range.end = std::min(range.end, history.LowerBound(times.to_us));
  range.begin = std::min(range.begin, range.end);
  return range;
}

// When an event that is inside leaves.
int64_t KeptWindow::LeavesAt(int64_t time_us, const EventTypeSchema& type, int64_t now_us) const {
  int64_t leaves_us = kNever;
  if (IsCalendar()) leaves_us = UnitAt(now_us).next_us;
  if (window_.kind == Window::Kind::kSliding) leaves_us = Plus(time_us, window_.from_us);
  if (type.retention_us) leaves_us = std::min(leaves_us, Plus(time_us, *type.retention_us));
  return leaves_us;
}

// When an event that is not yet inside enters.
int64_t KeptWindow::EntersAt(int64_t time_us, int64_t now_us) const {
  if (window_.kind == Window::Kind::kSliding) return Plus(time_us, window_.to_us);
  if (window_.kind != Window::Kind::kLast) return time_us;
  const int64_t enters_us = zone_->UnitStart(time_us, window_.unit, 1);
  return enters_us > now_us ? enters_us : UnitAt(now_us).next_us;
}

// What was past for a moment comes again.
int64_t KeptWindow::TurnsBackAt(int64_t now_us) const {
  return IsCalendar() && UnitAt(now_us).turns_back ? UnitAt(now_us).next_us : kNever;
}

int64_t KeptWindow::EdgeOf(const EventHistory& history, const EventTypeSchema& type, int64_t now_us) const {
  if (!known()) return kNever;
  const EventRange range = RangeOf(history, type, now_us);
  int64_t edge_us = range.empty() ? kNever : LeavesAt(history.TimeOf(range.begin), type, now_us);
  const uint32_t next = history.LowerBound(TimesAt(now_us).to_us);
  if (next < history.size()) edge_us = std::min(edge_us, EntersAt(history.TimeOf(next), now_us));
  if (history.size() > 0) edge_us = std::min(edge_us, TurnsBackAt(now_us));
  return edge_us;
}

int64_t KeptWindow::EdgeOfEvent(int64_t time_us, const EventTypeSchema& type, int64_t now_us) const {
  if (!known()) return kNever;
  const Times times = TimesAt(now_us);
  if (time_us >= times.to_us) return std::min(EntersAt(time_us, now_us), TurnsBackAt(now_us));
  if (time_us < times.from_us) return TurnsBackAt(now_us);
  const int64_t leaves_us = LeavesAt(time_us, type, now_us);
  return leaves_us > now_us ? leaves_us : kNever;
}

}  // namespace korrel
