// index/evaluation/sequence.h
//
// SequenceScan answers `did s1 then s2 … without x … within D over W` for a row, in one pass over the events that its steps name, merged in
// the order of event time, then event type, then arrival. Per step it remembers the latest possible start of what was done so far; an
// event that must be missing behind that step forgets it:
//
//   events      visit(1)   order(2)   visit(3)   cart(4)          did visit without order then cart
//   visited         1          –          3          3
//   then cart       –          –          –          3            done, begun at 3
//
// The latest start is enough, since it is in the window and within D whenever an earlier one is.
//
// Cost  The events from the window's start on; without want_edge up to the first that decides.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "index/evaluation/event_runs.h"
#include "index/evaluation/vector_machine.h"

namespace korrel {

class SequenceScan {
 public:
  SequenceScan(VectorMachine* machine, const Term& term);
  // `range` is the window at now. The zone of a window is taken to stay as it is: its own edge is not in the answer.
  SequenceAnswer Answer(Row row, TimeRange range, const Zone* zone, bool want_edge);
  // Answers from then on as if the oldest `count` events of the type were gone.
  void HideOldest(EventTypeId type, uint32_t count) {
    hidden_type_ = type;
    hidden_ = count;
  }

 private:
  using StepMask = uint8_t;  // of the node's steps, one bit each
  static_assert(kSequenceStepsMax <= 8);
  static constexpr int64_t kNone = INT64_MIN, kNever = INT64_MAX;

  // The events of one type that are visible from the window's start on, and a run of them that was read.
  struct Stream {
    EventTypeId type;
    StepMask steps;  // those it may fit
    EventPiece piece;
    uint32_t next, run_begin, run_end;
    std::vector<int64_t> times;
    std::vector<StepMask> fits;
    int64_t time() const { return times[next - run_begin]; }
  };

  void FindStreams(Row row);
  void AddStream(Row row, EventTypeId type, StepMask steps);
  StepMask StepsOf(EventTypeId type) const;
  void ReadRun(Stream* stream);
  void Scan(bool want_edge);
  // Whether more events are needed.
  bool Take(int64_t time_us, StepMask fits, bool want_edge);
  void Finish(int64_t start_us, int64_t time_us);
  void MissClosing(int64_t time_us);
  bool Holds();
  int64_t Edge(bool holds, const Zone* zone) const;
  int64_t EnteringEdge(const Stream& stream, bool holds) const;
  int64_t LeavingEdge(const Stream& stream, bool holds) const;

  VectorMachine* machine_;
  const Term& term_;
  std::vector<StepMask> step_bits_;     // of what is done, in order
  std::vector<StepMask> missing_bits_;  // what must be missing behind each of them
  StepMask done_steps_ = 0, missing_steps_ = 0;
  bool closing_ = false;  // something must be missing behind the last

  EventTypeId hidden_type_;
  uint32_t hidden_ = 0;

  // Of the row at hand.
  TimeRange range_{0, 0};
  std::vector<Stream> streams_;
  size_t stream_count_ = 0;
  std::vector<Stream*> order_;
  std::array<int64_t, kSequenceStepsMax> start_{};  // per step but the last: the latest start of what was done up to it
  int64_t best_start_ = kNone;                      // of what was done as a whole
  // The first time the last step was done and nothing came that must be missing, while D runs; and its start.
  int64_t waiting_since_ = kNone, waiting_start_ = kNone;
  bool done_ = false;
};

}  // namespace korrel
