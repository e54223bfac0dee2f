// server/track_call.h
//
// One TrackStream: messages in, applied one after another, acknowledgements out.
//
//   read ──▶ waiting (1 MiB, then reading stops and HTTP/2 holds the sender) ──▶ one worker at a time ──▶ applied, until durable
//        ──▶ acknowledged in order; what became durable while an acknowledgement was on its way goes into the next one
//
// The stream ends with an error when a message as a whole is refused; what was applied before it is acknowledged first.
//
// Threads   gRPC's reactions, workers and the log's callbacks all come in under mutex_.
// Lifetime  A call owns itself through self_ until OnDone; work on its way holds another share, because the log may call back
//           after the stream has ended.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "server/door.h"
#include "server/handlers/event_handlers.h"
#include "server/wire.h"

namespace korrel::server {

class TrackCall final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  static TrackCall* Start(Door* door);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  explicit TrackCall(Door* door) : door_(door), permit_(door), session_(door->database) {}

  // Starts whatever may start now: a write, a read, work, the end.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartAcknowledging() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Abandon(Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Work();
  StatusOr<TrackSession::Applied> ApplyMessage(const grpc::ByteBuffer& bytes);
  void Durable(uint64_t sequence, const Status& status);

  struct Unacknowledged {
    TrackSession::Applied applied;
    bool durable = false;
  };

  Door* const door_;
  StreamPermit permit_;
  TrackSession session_;  // used by the one worker
  std::shared_ptr<TrackCall> self_;

  std::mutex mutex_;
  grpc::ByteBuffer reading_ ABSL_GUARDED_BY(mutex_), writing_ ABSL_GUARDED_BY(mutex_);
  std::deque<grpc::ByteBuffer> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Unacknowledged> unacknowledged_ ABSL_GUARDED_BY(mutex_);  // by sequence, without gaps
  bool reads_ ABSL_GUARDED_BY(mutex_) = false, writes_ ABSL_GUARDED_BY(mutex_) = false, works_ ABSL_GUARDED_BY(mutex_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false, finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<Status> end_ ABSL_GUARDED_BY(mutex_);  // why nothing more is taken in
};

}  // namespace korrel::server
