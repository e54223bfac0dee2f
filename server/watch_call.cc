#include "server/watch_call.h"

#include <new>

#include "server/errors.h"

namespace korrel::server {
namespace {

// With the loop's looks in between this is within a second.
constexpr std::chrono::milliseconds kMarkAfter{700};
// A consumer that was cut off and does not even read that goes away for good.
constexpr std::chrono::seconds kUnreadEndMax{10};

Status ServerGoesAway(const Log& log) {
  const bool forgets = log.Strongest() == Durability::kMemory;
  return MakeError(absl::StatusCode::kUnavailable, "SHUTDOWN", "",
                   forgets ? "the server ends, and with it what it held in memory; watch the next one from its beginning"
                           : "the server ends; go on from the last position at the next one");
}

}  // namespace

WatchCall* WatchCall::Start(Door* door, grpc::CallbackServerContext* context, const grpc::ByteBuffer& request) {
  auto* call = new WatchCall(door, context);
  std::lock_guard lock(call->mutex_);
  call->self_.reset(call);
  if (Status status = call->Admit(request); !status.ok()) call->End(status);
  return call;
}

Status WatchCall::Admit(const grpc::ByteBuffer& request) {
  KORREL_RETURN_IF_ERROR(permit_.Check());
  KORREL_RETURN_IF_ERROR(ParseRequest(request, &request_));
  KORREL_RETURN_IF_ERROR(door_->pool.Submit(request.Length(), [self = self_] { self->Work(); }));
  works_ = true;
  return absl::OkStatus();
}

void WatchCall::OnWriteDone(bool ok) {
  std::lock_guard lock(mutex_);
  writes_ = false;
  if (!ok) return End(absl::CancelledError("the client went away"));
  LookLocked();
}

void WatchCall::OnCancel() {
  std::lock_guard lock(mutex_);
  End(absl::CancelledError("the client went away"));
}

void WatchCall::OnDone() {
  door_->watch_loop.Remove(this);
  std::shared_ptr<WatchCall> self;
  std::lock_guard lock(mutex_);  // whoever called Finish has left
  self = std::move(self_);
}

void WatchCall::Look() {
  std::lock_guard lock(mutex_);
  if (finished_ && self_ && std::chrono::steady_clock::now() - finished_at_ > kUnreadEndMax) context_->TryCancel();
  LookLocked();
}

void WatchCall::ServerEnds() {
  std::lock_guard lock(mutex_);
  End(ServerGoesAway(door_->database->log()));
}

void WatchCall::LookLocked() {
  if (finished_) return;
  if (works_) {
    looks_again_ = true;
    return;
  }
  works_ = true;
  door_->pool.Continue([self = self_] { self->Work(); });
}

void WatchCall::End(const Status& status) {
  if (finished_) return;
  finished_ = true;
  finished_at_ = std::chrono::steady_clock::now();
  Finish(ToGrpcStatus(status));
}

void WatchCall::Work() {
  bool writes;
  {
    std::lock_guard lock(mutex_);
    if (finished_) return;
    looks_again_ = false;
    writes = writes_;
  }
  grpc::ByteBuffer message;
  Status status;
  try {
    status = Step(writes, &message);
  } catch (const std::bad_alloc&) {
    status = MakeError(absl::StatusCode::kResourceExhausted, "MEMORY", "", "there is not enough memory for this call");
  }
  std::lock_guard lock(mutex_);
  works_ = false;
  if (!self_) door_->watch_loop.Remove(this);  // OnDone came first
  if (finished_) return;
  if (!status.ok()) return End(status);
  if (message.Valid() && message.Length() > 0) {
    writing_ = std::move(message);
    writes_ = true;
    StartWrite(&writing_);
  }
  if (looks_again_) LookLocked();
}

Status WatchCall::Step(bool writes, grpc::ByteBuffer* message) {
  if (!source_) KORREL_RETURN_IF_ERROR(Open());
  if (writes) return source_->CheckBuffer();
  response_.Clear();
  KORREL_ASSIGN_OR_RETURN(bool changes, source_->Next(&response_));
  Time now = std::chrono::steady_clock::now();
  // The first message comes at once: whoever has it knows that nothing behind its position is missed.
  if (!changes && now - told_at_ < kMarkAfter) return absl::OkStatus();
  told_at_ = now;
  *message = SerializeResponse(response_);
  return absl::OkStatus();
}

Status WatchCall::Open() {
  KORREL_ASSIGN_OR_RETURN(source_, WatchSource::Open(*door_->database, request_));
  return door_->watch_loop.Add(shared_from_this()) ? absl::OkStatus() : ServerGoesAway(door_->database->log());
}

}  // namespace korrel::server
