// index/live/kept_window.h
//
// KeptWindow is the window of an aggregate over one history as a range of indexes, and the instants at which that range changes:
// events enter and leave by age, at calendar boundaries, by a declared retention, and those from the future at their own time.
//
// Threads  One: the calendar boundaries found last are remembered.
// Cost     Binary searches. A calendar is asked when an instant lies outside the two units remembered.
#pragma once

#include <cstdint>

#include "index/evaluation/edge.h"
#include "index/evaluation/term.h"
#include "storage/profile_table.h"

namespace korrel {

// Indexes [begin, end) of a history.
struct EventRange {
  uint32_t begin = 0, end = 0;
  uint32_t size() const { return end - begin; }
  bool empty() const { return begin == end; }
  bool Holds(uint32_t index) const { return begin <= index && index < end; }
  friend bool operator==(const EventRange&, const EventRange&) = default;
};

class KeptWindow {
 public:
  // Of a term with a fixed zone.
  explicit KeptWindow(const Term& term);
  bool SameAs(const KeptWindow& o) const;
  // False for a calendar window whose zone nobody knows: its aggregates are absent, always.
  bool known() const { return !IsCalendar() || zone_ != nullptr; }

  // Visible events in the window at now. Neither end moves back as now grows, except where clocks are turned back over midnight.
  EventRange RangeOf(const EventHistory& history, const EventTypeSchema& type, int64_t now_us) const;
  // The first instant after now at which RangeOf could differ; kNever.
  int64_t EdgeOf(const EventHistory& history, const EventTypeSchema& type, int64_t now_us) const;
  // The same for one event of that time, which was not freed.
  int64_t EdgeOfEvent(int64_t time_us, const EventTypeSchema& type, int64_t now_us) const;

 private:
  struct Times {
    int64_t from_us, to_us;  // [from, to)
  };
  // A calendar unit around an instant. While from <= now < next it is the one of now: usually all of it, but where clocks are turned
  // back over midnight the day before comes again.
  struct UnitTimes {
    int64_t before_us = 0, start_us = 0;
    int64_t from_us = 0, next_us = 0;
    bool turns_back = false;  // then
  };
  bool IsCalendar() const { return window_.kind == Window::Kind::kThis || window_.kind == Window::Kind::kLast; }
  const UnitTimes& UnitAt(int64_t now_us) const;
  Times TimesAt(int64_t now_us) const;
  int64_t LeavesAt(int64_t time_us, const EventTypeSchema& type, int64_t now_us) const;
  int64_t EntersAt(int64_t time_us, int64_t now_us) const;
  int64_t TurnsBackAt(int64_t now_us) const;

  Window window_;
  const Zone* zone_;
  mutable UnitTimes units_[2];
  mutable uint8_t latest_unit_ = 0;
};

}  // namespace korrel
