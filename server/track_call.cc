#include "server/track_call.h"

#include <google/protobuf/arena.h>

#include <new>

#include "server/limits.h"

namespace korrel::server {
namespace {

// Applied but not acknowledged: bounds what a client that never reads can make us keep.
constexpr size_t kUnacknowledgedMax = 256;

}  // namespace

TrackCall* TrackCall::Start(Door* door) {
  auto* call = new TrackCall(door);
  call->self_.reset(call);
  std::lock_guard lock(call->mutex_);
  if (Status status = call->permit_.Check(); !status.ok()) call->End(status);
  call->Advance();
  return call;
}

void TrackCall::OnReadDone(bool ok) {
  std::lock_guard lock(mutex_);
  reads_ = false;
  if (!ok) {
    half_closed_ = true;
  } else if (!end_) {
    waiting_bytes_ += reading_.Length();
    waiting_.push_back(std::move(reading_));
    reading_.Clear();
  }
  Advance();
}

void TrackCall::OnWriteDone(bool ok) {
  std::lock_guard lock(mutex_);
  writes_ = false;
  if (!ok) Abandon(absl::CancelledError("the client went away"));
  Advance();
}

void TrackCall::OnCancel() {
  std::lock_guard lock(mutex_);
  Abandon(absl::CancelledError("the client went away"));
  Advance();
}

void TrackCall::OnDone() { self_.reset(); }

// Nothing more is taken in; what was applied is still acknowledged.
void TrackCall::End(Status status) {
  if (!end_) end_ = std::move(status);
  waiting_.clear();
  waiting_bytes_ = 0;
}

void TrackCall::Abandon(Status status) {
  End(std::move(status));
  unacknowledged_.clear();
}

void TrackCall::Advance() {
  if (finished_) return;
  if (!writes_ && !unacknowledged_.empty() && unacknowledged_.front().durable) StartAcknowledging();
  if (!works_ && !waiting_.empty() && unacknowledged_.size() < kUnacknowledgedMax) {
    works_ = true;
    Status status = door_->pool.Submit(waiting_.front().Length(), [self = self_] { self->Work(); });
    if (!status.ok()) {
      works_ = false;
      End(status);
    }
  }
  if (!reads_ && !half_closed_ && !end_ && waiting_bytes_ < kStreamBufferBytes) {
    reads_ = true;
    StartRead(&reading_);
  }
  bool over = end_ || (half_closed_ && waiting_.empty());
  if (over && !writes_ && !works_ && unacknowledged_.empty()) {
    finished_ = true;
    Finish(end_ ? ToGrpcStatus(*end_) : grpc::Status::OK);
  }
}

void TrackCall::StartAcknowledging() {
  v1::TrackStreamResponse response;
  uint32_t items = 0;
  while (!unacknowledged_.empty() && unacknowledged_.front().durable) {
    const TrackSession::Applied& applied = unacknowledged_.front().applied;
    MergeAcknowledgement(applied.result, items, response.mutable_result());
    response.set_sequence(applied.sequence);
    items += applied.item_count;
    unacknowledged_.pop_front();
  }
  writing_ = SerializeResponse(response);
  writes_ = true;
  StartWrite(&writing_);
}

StatusOr<TrackSession::Applied> TrackCall::ApplyMessage(const grpc::ByteBuffer& bytes) {
  try {
    google::protobuf::Arena arena;
    auto* request = google::protobuf::Arena::CreateMessage<v1::TrackStreamRequest>(&arena);
    KORREL_RETURN_IF_ERROR(ParseRequest(bytes, request));
    return session_.Apply(*request);
  } catch (const std::bad_alloc&) {
    return MakeError(absl::StatusCode::kResourceExhausted, "MEMORY", "", "there is not enough memory for this message");
  }
}

void TrackCall::Work() {
  grpc::ByteBuffer message;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.empty()) {  // the stream ended meanwhile
      works_ = false;
      return Advance();
    }
    message = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= message.Length();
  }
  StatusOr<TrackSession::Applied> applied = ApplyMessage(message);
  if (applied.ok()) {
    Ack ack = applied->ack;
    uint64_t sequence = applied->sequence;
    {
      std::lock_guard lock(mutex_);
      unacknowledged_.push_back({*std::move(applied)});
    }
    if (ack.position == Position()) {
      Durable(sequence, absl::OkStatus());
    } else {
      door_->database->WhenDurable(ack.position, ack.durability,
                                   [self = self_, sequence](Status status) { self->Durable(sequence, status); });
    }
  }
  std::lock_guard lock(mutex_);
  works_ = false;
  if (!applied.ok()) End(applied.status());
  Advance();
}

void TrackCall::Durable(uint64_t sequence, const Status& status) {
  std::lock_guard lock(mutex_);
  if (unacknowledged_.empty() || sequence < unacknowledged_.front().applied.sequence) return;
  size_t index = sequence - unacknowledged_.front().applied.sequence;
  if (index >= unacknowledged_.size()) return;  // abandoned
  if (status.ok()) {
    unacknowledged_[index].durable = true;
  } else {
    End(status);
    unacknowledged_.resize(index);
  }
  Advance();
}

}  // namespace korrel::server
