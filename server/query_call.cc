#include "server/query_call.h"

#include <new>

#include "server/unary_call.h"

namespace korrel::server {

QueryCall::QueryCall(Door* door, const grpc::CallbackServerContext& context)
    : door_(door), permit_(door), call_{DeadlineNs(context), &cancelled_}, has_deadline_(HasDeadline(context)) {}

void QueryCall::Start(const grpc::ByteBuffer& bytes) {
  Status status = permit_.Check();
  if (status.ok()) status = ParseRequest(bytes, &request_);
  if (!status.ok()) return Fail(status);
  Position min_position = NewestMinPosition(request_);
  size_t size = bytes.Length();
  if (!door_->gate.MustWait(min_position)) return Begin(size);
  status = door_->gate.Wait(min_position, call_, [this, size](Status reached) { reached.ok() ? Begin(size) : Fail(reached); });
  if (!status.ok()) Fail(status);
}

void QueryCall::Begin(size_t bytes) {
  Status status = door_->pool.Submit(bytes, [this] { Step(); });
  if (!status.ok()) Fail(status);
}

Status QueryCall::MakeMessage(bool* more) {
  KORREL_RETURN_IF_ERROR(call_.StillWanted());
  if (!source_) {
    KORREL_ASSIGN_OR_RETURN(source_, QuerySource::Open(*door_->database, call_, request_));
    // The default deadline is for the first message: how long a stream takes is up to its reader.
    if (!has_deadline_) call_.deadline_ns = 0;
  }
  response_.Clear();
  KORREL_ASSIGN_OR_RETURN(*more, source_->Next(&response_));
  if (*more) message_ = SerializeResponse(response_);
  return absl::OkStatus();
}

void QueryCall::Step() {
  bool more = false;
  Status status;
  try {
    status = MakeMessage(&more);
  } catch (const std::bad_alloc&) {
    status = MakeError(absl::StatusCode::kResourceExhausted, "MEMORY", "", "there is not enough memory for this call");
  }
  if (!status.ok()) return Fail(status);
  if (!more) return Finish(grpc::Status::OK);
  StartWrite(&message_);
}

void QueryCall::OnWriteDone(bool ok) {
  if (!ok) return Finish(grpc::Status::CANCELLED);
  door_->pool.Continue([this] { Step(); });
}

}  // namespace korrel::server
