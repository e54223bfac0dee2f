// server/position_gate.h
//
// PositionGate holds the calls whose min_positions the log has not reached, so that they keep no thread waiting.
//
// Threads  All methods from any thread; callbacks run on the gate's own thread and must not block.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/call_context.h"
#include "storage/log/log.h"

namespace korrel::server {

class PositionGate {
 public:
  explicit PositionGate(const Log* log);
  ~PositionGate() { Stop(); }

  // Whether a call that asks for `position` would have to wait for writes to come. A position of another epoch never does: whether
  // it was lost is the engine's to say.
  bool MustWait(Position position) const;
  // Calls back with OK once the log has reached the position or the call is cancelled, or with kUnavailable POSITION_NOT_REACHED
  // shortly before the deadline, so that the caller still hears of it, or when the gate stops. Errors: kResourceExhausted QUEUE.
  Status Wait(Position position, const CallContext& call, std::function<void(Status)> done);
  void Stop();

 private:
  struct Waiting {
    Position position;
    CallContext call;
    std::function<void(Status)> done;
  };
  void Watch();
  bool IsOver(const Waiting& waiting, Status* outcome) const;
  std::vector<std::function<void()>> TakeFinished(bool all) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Log* const log_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace korrel::server
