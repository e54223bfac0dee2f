#include "index/evaluation/event_runs.h"

namespace korrel {

EventRun EventRuns::Read(const EventPiece& piece, uint32_t begin, uint32_t end) {
  Batch events{
      .kind = Batch::Kind::kEvents, .size = end - begin, .history = piece.history, .properties = piece.properties, .first_event = begin};
  EventRun run{.size = end - begin, .taken = nullptr, .argument = nullptr};
  if (where_) {
    const Vector& where = machine_->Evaluate(*where_, &events, nullptr);
    taken_.resize(run.size);
    for (size_t i = 0; i < run.size; ++i) taken_[i] = where.True(i);
    run.taken = taken_.data();
  }
  if (argument_) run.argument = &machine_->Evaluate(*argument_, &events, run.taken);
  return run;
}

}  // namespace korrel
