#include "index/evaluation/aggregate.h"

#include <algorithm>

#include "index/evaluation/decay.h"
#include "index/evaluation/exact.h"
#include "index/evaluation/promotion.h"
#include "index/evaluation/work.h"

namespace korrel {

bool InAny(const EventTypeSchema& type) { return !type.dropped && type.name != "decision" && type.name != "outcome"; }

AggregateFolder::AggregateFolder(VectorMachine* machine, const Term& term)
    : machine_(machine),
      term_(term),
      aggregate_(term.node->aggregate),
      argument_(term.inputs.empty() ? nullptr : term.inputs[0]),
      runs_(machine, term) {}

void AggregateFolder::Evaluate(Batch* batch, const uint8_t* active, Vector* out) {
  out->Reset(term_.type.kind, batch->size);
  if (batch->kind != Batch::Kind::kRows) return;
  const Vector* window_zones = term_.window_zone_term ? &machine_->Evaluate(*term_.window_zone_term, batch, active) : nullptr;
  const Vector* zones = term_.zone_term ? &machine_->Evaluate(*term_.zone_term, batch, active) : nullptr;
  for (size_t i = 0; i < batch->size; ++i) {
    if (active && !active[i]) continue;
    if (i > 0 && batch->may_stop && machine_->meter_->exhausted()) {
      batch->size = i;
      return;
    }
    if (IsDecayed(aggregate_)) {
      Decayed(batch->rows[i], out, i);
      continue;
    }
    const std::optional<TimeRange> range = machine_->WindowOf(term_, window_zones, i);
    if (!range) continue;
    FindPieces(batch->rows[i], *range);
    FoldRow(aggregate_ == Aggregate::kDaysActive ? machine_->ZoneOf(term_.zone, zones, i) : nullptr, out, i);
  }
}

void AggregateFolder::FoldPieces(std::span<const EventPiece> pieces, Vector* out) {
  out->Reset(term_.type.kind, 1);
  pieces_.assign(pieces.begin(), pieces.end());
  FoldRow(term_.zone, out, 0);
}

void AggregateFolder::AddPiece(Row row, EventTypeId type, TimeRange range) {
  machine_->meter_->Add(work::kAggregate);
  const ShardView& view = *machine_->view_;
  const EventHistory* history = view.table->History(row, type);
  if (!history) return;
  const ProfileTable::VisibleRange visible = ProfileTable::Visible(*history, view.schema->event_types[type.value], view.now_us);
  const uint32_t begin = std::max(visible.begin, history->LowerBound(range.from_us));
  const uint32_t end = std::min(visible.end, history->LowerBound(range.to_us));
  if (begin < end) pieces_.push_back({history, &view.table->Properties(type), begin, end});
}

void AggregateFolder::FindPieces(Row row, TimeRange range) {
  pieces_.clear();
  if (term_.node->unknown) return;
  const ShardView& view = *machine_->view_;
  if (term_.node->event_type) return AddPiece(row, *term_.node->event_type, range);
  for (EventTypeId type : view.table->EventTypesOf(row)) {
    // Ascending. A type that became known after the question took its snapshot brings events that arrived after it as well.
    if (type.value >= view.schema->event_types.size()) break;
    if (InAny(view.schema->event_types[type.value])) AddPiece(row, type, range);
  }
}

template <class Fold>
void AggregateFolder::ForEachRun(const Piece& piece, bool backwards, const Fold& fold) {
  const bool ends_soon = backwards || aggregate_ == Aggregate::kFirst || aggregate_ == Aggregate::kFirstSeen;
  runs_.ForEach(piece, backwards, ends_soon ? EventRuns::kFirstRunEvents : EventRuns::kRunEvents, fold);
}

uint64_t AggregateFolder::EventsInPieces() const {
  uint64_t events = 0;
  for (const Piece& piece : pieces_) events += piece.end - piece.begin;
  return events;
}

void AggregateFolder::FoldRow(const Zone* zone, Vector* out, size_t i) {
  const bool counts_events = aggregate_ == Aggregate::kCount || aggregate_ == Aggregate::kFirstSeen || aggregate_ == Aggregate::kLastSeen ||
                             aggregate_ == Aggregate::kDaysActive || aggregate_ == Aggregate::kSessions;
  if (!argument_ && !counts_events) return;  // refused when bound
  switch (aggregate_) {
    case Aggregate::kCount:
      return Count(out, i);
    case Aggregate::kSum:
    case Aggregate::kAvg:
      return Sum(out, i);
    case Aggregate::kMin:
    case Aggregate::kMax:
      return Extreme(out, i);
    case Aggregate::kFirst:
    case Aggregate::kLast:
      return FirstOrLast(out, i);
    case Aggregate::kFirstSeen:
    case Aggregate::kLastSeen:
      return Seen(out, i);
    case Aggregate::kUniqueCount:
    case Aggregate::kMostFrequent:
      return argument_->type.kind == ValueKind::kString ? DistinctTexts(out, i) : Distinct(out, i);
    case Aggregate::kDaysActive:
      if (zone) DaysActive(*zone, out, i);
      return;
    case Aggregate::kSessions:
      return Sessions(out, i);
    case Aggregate::kDecayedCount:
    case Aggregate::kDecayedSum:
    case Aggregate::kNone:
      return;  // the first two are not folded into a value
  }
}

void AggregateFolder::Count(Vector* out, size_t i) {
  if (!term_.where && !argument_) return out->Put(i, static_cast<int64_t>(EventsInPieces()));
  int64_t count = 0;
  for (const Piece& piece : pieces_) {
    ForEachRun(piece, false, [&](const Run& run, uint32_t) {
      for (size_t k = 0; k < run.size; ++k) count += run.Takes(k);
      return true;
    });
  }
  out->Put(i, count);
}

// sum and avg. Doubles are the left fold in event order; ints and decimals are exact.
void AggregateFolder::Sum(Vector* out, size_t i) {
  const bool doubles = argument_->type.kind == ValueKind::kDouble;
  int128 sum = 0;
  double fold = 0;
  int64_t count = 0;
  for (const Piece& piece : pieces_) {
    ForEachRun(piece, false, [&](const Run& run, uint32_t) {
      for (size_t k = 0; k < run.size; ++k) {
        if (!run.Takes(k)) continue;
        ++count;
        if (doubles) {
          fold += run.argument->doubles[k];
        } else {
          sum += run.argument->ints[k];
        }
      }
      return true;
    });
  }
  if (aggregate_ == Aggregate::kAvg) {
    if (count == 0) return;
    const double average = doubles ? fold / static_cast<double>(count) : ExactQuotient(sum, argument_->type.scale, count, 0);
    if (auto finite = exact::Finite(average)) out->PutDouble(i, *finite);
  } else if (doubles) {
    if (auto finite = exact::Finite(fold)) out->PutDouble(i, *finite);
  } else if (auto fit = exact::Fit(sum)) {
    out->Put(i, *fit);
  }
}

void AggregateFolder::Extreme(Vector* out, size_t i) {
  const bool smallest = aggregate_ == Aggregate::kMin;
  const ValueKind kind = term_.type.kind;
  auto better = [&](const auto& a, const auto& b) { return smallest ? a < b : b < a; };
  bool found = false;
  std::string best_text;
  for (const Piece& piece : pieces_) {
    ForEachRun(piece, false, [&](const Run& run, uint32_t) {
      for (size_t k = 0; k < run.size; ++k) {
        if (!run.Takes(k)) continue;
        const Vector& x = *run.argument;
        if (kind == ValueKind::kString) {
          if (!found || better(x.texts[k], std::string_view(best_text))) best_text.assign(x.texts[k]);
        } else if (!found || (kind == ValueKind::kDouble ? better(x.doubles[k], out->doubles[i]) : better(x.ints[k], out->ints[i]))) {
          out->Take(i, kind, x, k);
        }
        found = true;
      }
      return true;
    });
  }
  if (found && kind == ValueKind::kString) out->PutText(i, machine_->arena_.Add(std::move(best_text)));
}

void AggregateFolder::FirstOrLast(Vector* out, size_t i) {
  const bool last = aggregate_ == Aggregate::kLast;
  const ValueKind kind = term_.type.kind;
  std::string text;
  StringSet set;
  bool found = false;
  for (const Piece& piece : pieces_) {
    ForEachRun(piece, last, [&](const Run& run, uint32_t) {
      for (size_t k = 0; k < run.size && !found; ++k) {
        const size_t at = last ? run.size - 1 - k : k;
        if (!run.Takes(at)) continue;
        found = true;
        if (kind == ValueKind::kString) {
          text.assign(run.argument->texts[at]);
        } else if (kind == ValueKind::kSet) {
          set = run.argument->sets[at].ToStrings();
        } else {
          out->Take(i, kind, *run.argument, at);
        }
      }
      return !found;
    });
  }
  if (!found) return;
  if (kind == ValueKind::kString) out->PutText(i, machine_->arena_.Add(std::move(text)));
  if (kind == ValueKind::kSet) {
    out->present[i] = 1;
    out->sets[i] = SetView{.strings = machine_->arena_.Add(std::move(set))};
  }
}

void AggregateFolder::Seen(Vector* out, size_t i) {
  const bool last = aggregate_ == Aggregate::kLastSeen;
  std::optional<int64_t> seen;
  for (const Piece& piece : pieces_) {
    std::optional<uint32_t> at;
    if (!term_.where) {
      at = last ? piece.end - 1 : piece.begin;
    } else {
      ForEachRun(piece, last, [&](const Run& run, uint32_t begin) {
        for (size_t k = 0; k < run.size && !at; ++k) {
          const size_t event = last ? run.size - 1 - k : k;
          if (run.Takes(event)) at = begin + static_cast<uint32_t>(event);
        }
        return !at;
      });
    }
    if (!at) continue;
    const int64_t time = piece.history->TimeOf(*at);
    seen = !seen ? time : last ? std::max(*seen, time) : std::min(*seen, time);
  }
  if (seen) out->Put(i, *seen);
}

namespace {

// Of values sorted ascending: how many differ, and the most frequent one (the smallest among equals).
template <class T>
struct Distincts {
  int64_t count = 0;
  T most_frequent{};

  explicit Distincts(const std::vector<T>& sorted) {
    size_t most = 0;
    for (size_t begin = 0; begin < sorted.size(); ++count) {
      size_t end = begin;
      while (end < sorted.size() && sorted[end] == sorted[begin]) ++end;
      if (end - begin > most) {
        most = end - begin;
        most_frequent = sorted[begin];
      }
      begin = end;
    }
  }
};

}  // namespace

void AggregateFolder::Distinct(Vector* out, size_t i) {
  const bool doubles = argument_->type.kind == ValueKind::kDouble;
  std::vector<int64_t> ints;
  std::vector<double> reals;
  for (const Piece& piece : pieces_) {
    ForEachRun(piece, false, [&](const Run& run, uint32_t) {
      for (size_t k = 0; k < run.size; ++k) {
        if (!run.Takes(k)) continue;
        if (doubles) {
          reals.push_back(run.argument->doubles[k]);
        } else {
          ints.push_back(run.argument->ints[k]);
        }
      }
      return true;
    });
  }
  std::sort(ints.begin(), ints.end());
  std::sort(reals.begin(), reals.end());
  machine_->meter_->Add((ints.size() + reals.size()) * work::kEvent * 4);
  const Distincts<int64_t> distinct_ints(ints);
  const Distincts<double> distinct_reals(reals);
  if (aggregate_ == Aggregate::kUniqueCount) return out->Put(i, distinct_ints.count + distinct_reals.count);
  if (!ints.empty()) out->Put(i, distinct_ints.most_frequent);
  if (!reals.empty()) out->PutDouble(i, distinct_reals.most_frequent);
}

void AggregateFolder::DistinctTexts(Vector* out, size_t i) {
  absl::flat_hash_map<std::string, uint32_t> counts;
  for (const Piece& piece : pieces_) {
    ForEachRun(piece, false, [&](const Run& run, uint32_t) {
      for (size_t k = 0; k < run.size; ++k) {
        if (!run.Takes(k)) continue;
        machine_->meter_->Add(work::kEvent * 4 + run.argument->texts[k].size() / work::kTextBytesPerUnit);
        auto it = counts.find(Abseil(run.argument->texts[k]));
        if (it == counts.end()) it = counts.emplace(run.argument->texts[k], 0).first;
        ++it->second;
      }
      return true;
    });
  }
  if (aggregate_ == Aggregate::kUniqueCount) return out->Put(i, static_cast<int64_t>(counts.size()));
  auto best = counts.end();
  for (auto it = counts.begin(); it != counts.end(); ++it) {
    if (best == counts.end() || it->second > best->second || (it->second == best->second && it->first < best->first)) best = it;
  }
  if (best != counts.end()) out->PutText(i, machine_->arena_.Add(best->first));
}

// Of the events that count, ascending.
std::vector<int64_t> AggregateFolder::TimesTaken() {
  std::vector<int64_t> times, run_times;
  for (const Piece& piece : pieces_) {
    ForEachRun(piece, false, [&](const Run& run, uint32_t begin) {
      piece.history->ReadTimes(begin, begin + static_cast<uint32_t>(run.size), &run_times);
      machine_->meter_->Add(run.size * work::kEvent);
      for (size_t k = 0; k < run.size; ++k) {
        if (run.Takes(k)) times.push_back(run_times[k]);
      }
      return true;
    });
  }
  if (pieces_.size() > 1) std::sort(times.begin(), times.end());
  return times;
}

void AggregateFolder::DaysActive(const Zone& zone, Vector* out, size_t i) {
  int64_t days = 0, next_day = INT64_MIN;
  for (int64_t time : TimesTaken()) {
    if (days > 0 && time < next_day) continue;
    ++days;
    next_day = zone.UnitStart(time, CalendarUnit::kDay, 1);
    machine_->meter_->Add(2 * work::kCalendar);
  }
  out->Put(i, days);
}

// Runs that have an event in the window: an event before it can only lie in the first of them.
void AggregateFolder::Sessions(Vector* out, size_t i) {
  int64_t sessions = 0, last = 0;
  for (int64_t time : TimesTaken()) {
    if (sessions == 0 || time - last > *term_.node->gap_us) ++sessions;
    last = time;
  }
  out->Put(i, sessions);
}

std::optional<DecayState> AggregateFolder::DecayOf(Row row) {
  FindPieces(row, {INT64_MIN, machine_->view_->now_us + 1});
  return FoldDecay();
}

std::optional<DecayState> AggregateFolder::DecayOfPieces(std::span<const EventPiece> pieces) {
  pieces_.assign(pieces.begin(), pieces.end());
  return FoldDecay();
}

std::optional<DecayState> AggregateFolder::FoldDecay() {
  const int64_t half_life_us = *term_.node->half_life_us;
  std::optional<DecayState> state;
  if (!argument_) {
    const std::vector<int64_t> times = TimesTaken();
    machine_->meter_->Add(times.size() * work::kDecay);
    for (int64_t time : times) state = DecayAfter(state, half_life_us, time, 1);
    return state;
  }
  std::vector<int64_t> times;
  for (const Piece& piece : pieces_) {  // of one event type
    ForEachRun(piece, false, [&](const Run& run, uint32_t begin) {
      piece.history->ReadTimes(begin, begin + static_cast<uint32_t>(run.size), &times);
      machine_->meter_->Add(run.size * work::kDecay);
      for (size_t k = 0; k < run.size; ++k) {
        if (run.Takes(k)) state = DecayAfter(state, half_life_us, times[k], ToDouble(*run.argument, argument_->type, k));
      }
      return true;
    });
  }
  return state;
}

void AggregateFolder::Decayed(Row row, Vector* out, size_t i) {
  const std::optional<DecayState> state = machine_->DecayOf(term_, row);
  const auto value = state ? DecayedValue(*state, *term_.node->half_life_us, machine_->view_->now_us) : 0;
  if (value) out->PutDouble(i, *value);
}

}  // namespace korrel
