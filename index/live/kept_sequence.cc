#include "index/live/kept_sequence.h"

#include <algorithm>

#include "index/evaluation/sequence.h"

namespace korrel {

bool KeptSequence::Reads(const EventTypeSchema& type) const {
  const bool in_any = InAny(type);
  const std::vector<SequenceStep>& steps = term().node->steps;
  return std::any_of(steps.begin(), steps.end(),
                     [&](const SequenceStep& step) { return !step.unknown && (step.event_type ? *step.event_type == type.id : in_any); });
}

bool KeptSequence::AnswerAgain(Row row) {
  ++shared_->passes;
  return Answer(row, EventTypeId(), 0);
}

bool KeptSequence::AnswerWithoutOldest(Row row, EventTypeId type, uint32_t count) {
  ++shared_->passes;
  return Answer(row, type, count);
}

void KeptSequence::Forget(Row row) {
  has_edge_.Clear(row);
  ColumnUnit::Forget(row);
}

bool KeptSequence::Answer(Row row, EventTypeId hidden_type, uint32_t hidden) {
  SequenceAnswer answer;
  shared_->machine->NewBatch(false);
  if (const std::optional<TimeRange> range = shared_->machine->WindowOf(term(), nullptr, 0)) {
    SequenceScan scan(shared_->machine, term());
    scan.HideOldest(hidden_type, hidden);
    answer = scan.Answer(row, *range, term().window_zone, true);
  }
  if (answer.edge_us == kNever) {
    has_edge_.Clear(row);
  } else {
    has_edge_.Set(row);
    edges_.Set(row, answer.edge_us);
  }
  return column_.Put(row, answer.holds);
}

}  // namespace korrel
