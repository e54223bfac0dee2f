#include "server/unary_call.h"

namespace korrel::server {

void UnaryCallBase::Dispatch(Position min_position, size_t request_bytes, Where where) {
  if (door_->gate.MustWait(min_position)) {
    Status status = door_->gate.Wait(min_position, call_, [this, request_bytes, where](Status reached) {
      reached.ok() ? SubmitRun(request_bytes, where) : Fail(reached);
    });
    if (!status.ok()) Fail(status);
    return;
  }
  const bool small = where == Where::kHereIfSmall && request_bytes <= kHereBytesMax;
  if (where == Where::kHere || (small && !door_->database->IsBehind())) return Run();
  SubmitRun(request_bytes, where);
}

void UnaryCallBase::SubmitRun(size_t request_bytes, Where where) {
  WorkerPool& pool = where == Where::kCatalogWorker ? door_->catalog_pool : where == Where::kClockWorker ? door_->clock_pool : door_->pool;
  Status status = pool.Submit(request_bytes, [this] { Run(); });
  if (!status.ok()) Fail(status);
}

void UnaryCallBase::Run() {
  Status wanted = call_.StillWanted();
  if (!wanted.ok()) return Fail(wanted);
  try {
    Handle();
  } catch (const std::bad_alloc&) {
    // Handlers reply as their last step, so that a call that runs out of memory has not replied yet.
    Fail(MakeError(absl::StatusCode::kResourceExhausted, "MEMORY", "", "there is not enough memory for this call"));
  }
}

void UnaryCallBase::Reply(const google::protobuf::MessageLite& response) {
  *response_bytes_ = SerializeResponse(response);
  Finish(grpc::Status::OK);
}

}  // namespace korrel::server
