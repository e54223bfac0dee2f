// server/watch_call.h
//
// One Watch. The log is its buffer: the next message is made when the one before was taken by the transport, and what comes
// meanwhile stays where it is. How much came is counted; beyond the consumer's budget the stream ends with SLOW_CONSUMER. So a
// consumer that catches up goes at its own pace, one that stands still is cut off, and neither costs more than one message of memory.
//
//   opened ──▶ a message at once ──▶ looks: changes → message · a second's silence → mark of progress · message untaken → budget
//
// Threads   gRPC's reactions, the watch loop and one worker at a time come in under mutex_.
// Lifetime  A call owns itself through self_ until OnDone; work on its way and the loop hold shares of their own.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <memory>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "server/door.h"
#include "server/handlers/segment_handlers.h"
#include "server/watch_loop.h"
#include "server/wire.h"

namespace korrel::server {

class WatchCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public Watcher, public std::enable_shared_from_this<WatchCall> {
 public:
  static WatchCall* Start(Door* door, grpc::CallbackServerContext* context, const grpc::ByteBuffer& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void Look() override;
  void ServerEnds() override;

 private:
  using Time = std::chrono::steady_clock::time_point;

  WatchCall(Door* door, grpc::CallbackServerContext* context) : door_(door), permit_(door), context_(context) {}
  Status Admit(const grpc::ByteBuffer& request);
  void LookLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Work();
  // One step of the source; `message` is filled where there is something to say.
  Status Step(bool writes, grpc::ByteBuffer* message);
  Status Open();

  Door* const door_;
  StreamPermit permit_;
  grpc::CallbackServerContext* const context_;
  std::shared_ptr<WatchCall> self_;

  // Used by the one worker.
  v1::WatchRequest request_;
  v1::WatchResponse response_;
  std::unique_ptr<WatchSource> source_;
  Time told_at_;

  std::mutex mutex_;
  grpc::ByteBuffer writing_ ABSL_GUARDED_BY(mutex_);
  bool works_ ABSL_GUARDED_BY(mutex_) = false, looks_again_ ABSL_GUARDED_BY(mutex_) = false;
  bool writes_ ABSL_GUARDED_BY(mutex_) = false, finished_ ABSL_GUARDED_BY(mutex_) = false;
  Time finished_at_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace korrel::server
