#include "index/evaluation/sequence.h"

#include <algorithm>

#include "index/evaluation/aggregate.h"
#include "index/evaluation/work.h"

namespace korrel {

SequenceScan::SequenceScan(VectorMachine* machine, const Term& term) : machine_(machine), term_(term) {
  const std::vector<SequenceStep>& steps = term.node->steps;
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto bit = static_cast<StepMask>(1u << i);
    if (steps[i].without) {
      missing_bits_.back() |= bit;
      missing_steps_ |= bit;
    } else {
      step_bits_.push_back(bit);
      missing_bits_.push_back(0);
      done_steps_ |= bit;
    }
  }
  closing_ = steps.back().without;
}

SequenceAnswer SequenceScan::Answer(Row row, TimeRange range, const Zone* zone, bool want_edge) {
  range_ = range;
  start_.fill(kNone);
  best_start_ = waiting_since_ = waiting_start_ = kNone;
  done_ = false;
  FindStreams(row);
  Scan(want_edge);
  SequenceAnswer answer;
  answer.holds = Holds();
  if (want_edge) answer.edge_us = Edge(answer.holds, zone);
  return answer;
}

// ---- Events ----

SequenceScan::StepMask SequenceScan::StepsOf(EventTypeId type) const {
  const std::vector<SequenceStep>& steps = term_.node->steps;
  const bool in_any = InAny(machine_->view().schema->event_types[type.value]);
  StepMask mask = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    const bool reads = !steps[i].unknown && (steps[i].event_type ? *steps[i].event_type == type : in_any);
    if (reads) mask |= static_cast<StepMask>(1u << i);
  }
  return mask;
}

void SequenceScan::FindStreams(Row row) {
  const ShardView& view = machine_->view();
  stream_count_ = 0;
  for (EventTypeId type : view.table->EventTypesOf(row)) {
    // Ascending; see AggregateFolder::FindPieces.
    if (type.value >= view.schema->event_types.size()) break;
    if (const StepMask steps = StepsOf(type)) AddStream(row, type, steps);
  }
}

void SequenceScan::AddStream(Row row, EventTypeId type, StepMask steps) {
  machine_->meter()->Add(work::kAggregate);
  const ShardView& view = machine_->view();
  const EventHistory* history = view.table->History(row, type);
  if (!history) return;
  const ProfileTable::VisibleRange visible = ProfileTable::Visible(*history, view.schema->event_types[type.value], view.now_us);
  if (stream_count_ == streams_.size()) streams_.emplace_back();
  Stream& stream = streams_[stream_count_++];
  stream.type = type;
  stream.steps = steps;
  stream.piece = {history, &view.table->Properties(type), std::max(visible.begin, history->LowerBound(range_.from_us)), visible.end};
  if (type == hidden_type_) stream.piece.begin = std::max(stream.piece.begin, hidden_);
  stream.piece.begin = std::min(stream.piece.begin, stream.piece.end);
  stream.next = stream.run_begin = stream.run_end = stream.piece.begin;
}

// Which steps each event of the next run fits.
void SequenceScan::ReadRun(Stream* stream) {
  const EventPiece& piece = stream->piece;
  stream->run_begin = stream->next;
  stream->run_end = std::min(piece.end, stream->next + EventRuns::kRunEvents);
  const uint32_t size = stream->run_end - stream->run_begin;
  piece.history->ReadTimes(stream->run_begin, stream->run_end, &stream->times);
  machine_->meter()->Add(size * work::kEvent);
  stream->fits.assign(size, stream->steps);
  for (size_t i = 0; i < term_.step_wheres.size(); ++i) {
    const Term* where = term_.step_wheres[i];
    const auto bit = static_cast<StepMask>(1u << i);
    if (!where || !(stream->steps & bit)) continue;
    Batch events{.kind = Batch::Kind::kEvents,
                 .size = size,
                 .history = piece.history,
                 .properties = piece.properties,
                 .first_event = stream->run_begin};
    const TextArena::Mark mark = machine_->arena().mark();
    const Vector& fits = machine_->Evaluate(*where, &events, nullptr);
    for (uint32_t k = 0; k < size; ++k) {
      if (!fits.True(k)) stream->fits[k] = static_cast<StepMask>(stream->fits[k] & ~bit);
    }
    machine_->arena().Rewind(mark);
  }
}

void SequenceScan::Scan(bool want_edge) {
  auto later = [](const Stream* a, const Stream* b) {
    return a->time() != b->time() ? a->time() > b->time() : a->type.value > b->type.value;
  };
  order_.clear();
  for (size_t i = 0; i < stream_count_; ++i) {
    if (streams_[i].next == streams_[i].piece.end) continue;
    ReadRun(&streams_[i]);
    order_.push_back(&streams_[i]);
  }
  std::make_heap(order_.begin(), order_.end(), later);
  while (!order_.empty()) {
    std::pop_heap(order_.begin(), order_.end(), later);
    Stream* stream = order_.back();
    machine_->meter()->Add(work::kEvent);
    if (!Take(stream->time(), stream->fits[stream->next - stream->run_begin], want_edge)) return;
    ++stream->next;
    if (stream->next == stream->run_end && stream->next < stream->piece.end) ReadRun(stream);
    if (stream->next == stream->piece.end) {
      order_.pop_back();
    } else {
      std::push_heap(order_.begin(), order_.end(), later);
    }
  }
}

// ---- What was done ----

bool SequenceScan::Take(int64_t time_us, StepMask fits, bool want_edge) {
  const bool in_window = time_us < range_.to_us;
  const int64_t within = term_.node->within_us.value_or(INT64_MAX);
  // From the last step down: an event is one step at most, and what it forgets was before it.
  for (size_t i = step_bits_.size(); i-- > 0;) {
    int64_t start = kNone;
    if (in_window && (fits & step_bits_[i])) start = i == 0 ? time_us : start_[i - 1];
    if (start != kNone && time_us - start > within) start = kNone;
    const bool last = i + 1 == step_bits_.size();
    if (fits & missing_bits_[i]) {
      if (last) MissClosing(time_us);
      else start_[i] = kNone;
    }
    if (start == kNone) continue;
    if (last) Finish(start, time_us);
    else start_[i] = std::max(start_[i], start);
  }
  return want_edge || !done_;
}

// The last step was done at time_us, what was begun at start_us.
void SequenceScan::Finish(int64_t start_us, int64_t time_us) {
  if (closing_ && term_.node->within_us) {
    if (waiting_since_ != kNone) return;
    waiting_since_ = time_us;
    waiting_start_ = start_us;
    return;
  }
  best_start_ = std::max(best_start_, start_us);
  done_ = !closing_;
}

// Something happened that must be missing behind the last step.
void SequenceScan::MissClosing(int64_t time_us) {
  if (!term_.node->within_us) {
    best_start_ = kNone;
    return;
  }
  if (waiting_since_ == kNone) return;
  if (time_us - waiting_since_ > *term_.node->within_us) {
    best_start_ = std::max(best_start_, waiting_start_);
    done_ = true;
  }
  waiting_since_ = kNone;
}

bool SequenceScan::Holds() {
  if (waiting_since_ != kNone && machine_->view().now_us - waiting_since_ >= *term_.node->within_us) {
    best_start_ = std::max(best_start_, waiting_start_);
    waiting_since_ = kNone;
  }
  return best_start_ != kNone;
}

// ---- Until when ----

// What was done ends to have been where a step leaves; it begins where a step enters, what must be missing is no longer held, or its time
// has come.
int64_t SequenceScan::Edge(bool holds, const Zone* zone) const {
  const Window& window = term_.node->window;
  int64_t edge = kNever;
  if (stream_count_ == 0) return edge;  // nothing has happened, and a boundary does not change that
  if (window.kind == Window::Kind::kThis || window.kind == Window::Kind::kLast)
    edge = zone->NextChange(machine_->view().now_us, ReadingUnitOf(window.unit));
  if (!holds && waiting_since_ != kNone) edge = std::min(edge, waiting_since_ + *term_.node->within_us);
  for (size_t i = 0; i < stream_count_; ++i) edge = std::min({edge, EnteringEdge(streams_[i], holds), LeavingEdge(streams_[i], holds)});
  return edge;
}

int64_t SequenceScan::EnteringEdge(const Stream& stream, bool holds) const {
  const Window& window = term_.node->window;
  const EventHistory& history = *stream.piece.history;
  int64_t enters_after = 0;
  uint32_t first = 0;
  if (holds) {
    // What must be missing until now may be ahead.
    if (!(stream.steps & missing_bits_.back()) || term_.node->within_us) return kNever;
    first = stream.piece.end;
  } else {
    if (!(stream.steps & done_steps_) || window.kind == Window::Kind::kLast) return kNever;
    first = history.LowerBound(range_.to_us);
    enters_after = window.kind == Window::Kind::kSliding ? window.to_us : 0;
  }
  return first < history.size() ? history.TimeOf(first) + enters_after : kNever;
}

int64_t SequenceScan::LeavingEdge(const Stream& stream, bool holds) const {
  const Window& window = term_.node->window;
  const int64_t window_us = window.kind == Window::Kind::kSliding ? window.from_us : kNever;
  const int64_t held_us = machine_->view().schema->event_types[stream.type.value].retention_us.value_or(kNever);
  const StepMask steps = holds ? done_steps_ : missing_steps_;
  if (!(stream.steps & steps) || stream.piece.begin == stream.piece.end) return kNever;
  if (holds && window_us <= held_us) return window_us == kNever ? kNever : best_start_ + window_us;
  // Of what is held for less than the window shows the oldest goes first. In a window that is left first nothing is missed any more.
  return held_us < window_us ? stream.piece.history->TimeOf(stream.piece.begin) + held_us : kNever;
}

// ---- For the machine ----

void VectorMachine::Sequence(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  out->Reset(ValueKind::kBool, batch->size);
  if (batch->kind != Batch::Kind::kRows) {
    for (size_t i = 0; i < batch->size; ++i) out->Put(i, false);
    return;
  }
  const Vector* zones = term.window_zone_term ? &Evaluate(*term.window_zone_term, batch, active) : nullptr;
  SequenceScan scan(this, term);
  for (size_t i = 0; i < batch->size; ++i) {
    if (active && !active[i]) continue;
    if (i > 0 && batch->may_stop && meter_->exhausted()) {
      batch->size = i;
      return;
    }
    const std::optional<TimeRange> range = WindowOf(term, zones, i);
    out->Put(i, range && scan.Answer(batch->rows[i], *range, nullptr, false).holds);
  }
}

SequenceAnswer VectorMachine::SequenceOf(const Term& sequence, Row row, bool want_edge) {
  Batch batch = Batch::OfRows({&row, 1}, false);
  const Vector* zones = sequence.window_zone_term ? &Evaluate(*sequence.window_zone_term, &batch, nullptr) : nullptr;
  const std::optional<TimeRange> range = WindowOf(sequence, zones, 0);
  if (!range) return {};
  return SequenceScan(this, sequence).Answer(row, *range, ZoneOf(sequence.window_zone, zones, 0), want_edge);
}

}  // namespace korrel
