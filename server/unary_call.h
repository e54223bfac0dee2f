// server/unary_call.h
//
// One unary call: bytes → request on an arena → handler, here or on a worker → response → bytes. Nothing here knows a service.
//
// Where a handler runs: reads of one profile and small writes on gRPC's own thread (a hand-over costs more than they do), all
// else on the door's workers, changes of definitions and advances of the clock each on one of
// their own; a call that must wait for a position waits at the gate and then goes to a worker.
//
// Lifetime  A call owns itself: it dies in OnDone, which gRPC calls after Finish.
#pragma once

#include <google/protobuf/arena.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <new>

#include "server/codec/value_codec.h"
#include "server/door.h"
#include "server/wire.h"

namespace korrel::server {

enum class Where {
  kHere,         // a few microseconds, whatever is asked
  kHereIfSmall,  // a write: here when the request is small and no profile has a long way to the clock
  kWorker,
  kCatalogWorker,  // changes definitions: one after the other anyway
  kClockWorker,    // advances the clock: the same, and for as long as it takes
};

// The newest of the request's min_positions, wherever this kind of request has them. What is wrong with them is the handler's to say.
template <class Request>
Position NewestMinPosition(const Request& request) {
  auto newest = [](const auto& positions) { return DecodePositions(positions, "").value_or(Position()); };
  if constexpr (requires { request.min_positions(); }) {
    return newest(request.min_positions());
  } else if constexpr (requires { request.selection().min_positions(); }) {
    return newest(request.selection().min_positions());
  } else if constexpr (requires { request.selections(0).min_positions(); }) {
    Position result;
    for (const auto& selection : request.selections()) result = std::max(result, newest(selection.min_positions()));
    return result;
  } else {
    return Position();
  }
}

class UnaryCallBase : public grpc::ServerUnaryReactor {
 public:
  void OnCancel() final { cancelled_.store(true, std::memory_order_relaxed); }
  void OnDone() final { delete this; }

 protected:
  UnaryCallBase(Door* door, const grpc::CallbackServerContext& context, grpc::ByteBuffer* response_bytes)
      : door_(door), call_{DeadlineNs(context), &cancelled_}, response_bytes_(response_bytes) {}
  // Brings Run() about, once.
  void Dispatch(Position min_position, size_t request_bytes, Where where);
  virtual void Handle() = 0;  // ends with Reply or Fail, at once or later
  void Reply(const google::protobuf::MessageLite& response);
  void Fail(const Status& status) { Finish(ToGrpcStatus(status)); }

  Door* const door_;
  CallContext call_;

 private:
  void Run();
  void SubmitRun(size_t request_bytes, Where where);
  grpc::ByteBuffer* const response_bytes_;
  std::atomic<bool> cancelled_{false};
};

template <class Request, class Response, class Handler>
class UnaryCall final : public UnaryCallBase {
 public:
  UnaryCall(Door* door, const grpc::CallbackServerContext& context, grpc::ByteBuffer* response_bytes, Handler handler)
      : UnaryCallBase(door, context, response_bytes),
        handler_(handler),
        request_(google::protobuf::Arena::CreateMessage<Request>(&arena_)),
        response_(google::protobuf::Arena::CreateMessage<Response>(&arena_)) {}

  void Start(const grpc::ByteBuffer& bytes, Where where) {
    Status status = ParseRequest(bytes, request_);
    if (!status.ok()) return Fail(status);
    Dispatch(NewestMinPosition(*request_), bytes.Length(), where);
  }

 private:
  void Handle() override {
    auto outcome = handler_(*door_->database, call_, *request_, response_);
    if constexpr (std::is_same_v<decltype(outcome), StatusOr<Ack>>) {
      if (!outcome.ok()) return Fail(outcome.status());
      if (outcome->position == Position()) return Reply(*response_);
      door_->database->WhenDurable(outcome->position, outcome->durability,
                                   [this](Status status) { status.ok() ? Reply(*response_) : Fail(status); });
    } else {
      outcome.ok() ? Reply(*response_) : Fail(outcome);
    }
  }

  google::protobuf::Arena arena_;
  const Handler handler_;
  Request* const request_;
  Response* const response_;
};

// The types follow from the handler: Answer(Database&, const CallContext&, const Request&, Response*).
template <class Result, class Request, class Response>
grpc::ServerUnaryReactor* StartCall(Door* door, const grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                    grpc::ByteBuffer* response_bytes,
                                    Result (*handler)(Database&, const CallContext&, const Request&, Response*), Where where) {
  auto* call = new UnaryCall<Request, Response, decltype(handler)>(door, *context, response_bytes, handler);
  call->Start(*bytes, where);
  return call;
}

}  // namespace korrel::server
