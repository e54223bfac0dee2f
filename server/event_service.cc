#include "korrel/v1/event_service.grpc.pb.h"
#include "server/handlers/event_handlers.h"
#include "server/services.h"
#include "server/track_call.h"
#include "server/unary_call.h"

namespace korrel::server {
namespace {

using Context = grpc::CallbackServerContext;
using Bytes = grpc::ByteBuffer;
using Unary = grpc::ServerUnaryReactor;
using RawService =
    v1::EventService::WithRawCallbackMethod_Track<v1::EventService::WithRawCallbackMethod_TrackStream<v1::EventService::Service>>;

class EventService final : public RawService {
 public:
  explicit EventService(Door* door) : door_(door) {}
  Unary* Track(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerTrack, Where::kHereIfSmall);
  }
  grpc::ServerBidiReactor<Bytes, Bytes>* TrackStream(Context*) override { return TrackCall::Start(door_); }

 private:
  Door* const door_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeEventService(Door* door) { return std::make_unique<EventService>(door); }

}  // namespace korrel::server
