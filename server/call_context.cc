#include "server/call_context.h"

#include <time.h>

namespace korrel::server {

Status CallContext::StillWanted() const {
  if (cancelled && cancelled->load(std::memory_order_relaxed)) {
    return MakeError(absl::StatusCode::kCancelled, "CANCELLED", "", "the caller cancelled the call");
  }
  if (deadline_ns != 0 && MonotonicNs() >= deadline_ns) {
    return MakeError(absl::StatusCode::kDeadlineExceeded, "DEADLINE", "", "the deadline passed before the work was done");
  }
  return absl::OkStatus();
}

int64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace korrel::server
