// server/call_context.h
//
// CallContext is what a handler knows of a call beside the request: until when an answer is wanted, and whether it still is.
//
// Handlers are plain functions without gRPC types:
//
//   Status        AnswerCount(Database&, const CallContext&, const CountRequest&, CountResponse*)    a read or a question
//   StatusOr<Ack> AnswerTrack(Database&, const CallContext&, const TrackRequest&, TrackResponse*)    a write: reply when `Ack` is durable
//
// The response is filled in place, not returned, because it lives on the call's arena. A stream is a pull source; see
// handlers/segment_handlers.h.
#pragma once

#include <atomic>
#include <cstdint>

#include "storage/log/log.h"
#include "storage/status.h"

namespace korrel::server {

struct CallContext {
  int64_t deadline_ns = 0;                       // CLOCK_MONOTONIC; 0: none
  const std::atomic<bool>* cancelled = nullptr;  // null: cannot be cancelled

  // OK while an answer is wanted. Errors: kDeadlineExceeded DEADLINE, kCancelled CANCELLED.
  Status StillWanted() const;
};

// What must be durable before the reply to a write may leave.
struct Ack {
  Position position;
  Durability durability = Durability::kUnspecified;
};

// CLOCK_MONOTONIC in nanoseconds.
int64_t MonotonicNs();

}  // namespace korrel::server
