#include "korrel/v1/segment_service.grpc.pb.h"
#include "server/handlers/segment_handlers.h"
#include "server/query_call.h"
#include "server/services.h"
#include "server/unary_call.h"
#include "server/watch_call.h"

namespace korrel::server {
namespace {

using Context = grpc::CallbackServerContext;
using Bytes = grpc::ByteBuffer;
using Unary = grpc::ServerUnaryReactor;
using RawService = v1::SegmentService::WithRawCallbackMethod_Count<v1::SegmentService::WithRawCallbackMethod_Sample<
    v1::SegmentService::WithRawCallbackMethod_Breakdown<v1::SegmentService::WithRawCallbackMethod_Overlap<
        v1::SegmentService::WithRawCallbackMethod_Explain<v1::SegmentService::WithRawCallbackMethod_SegmentsOf<
            v1::SegmentService::WithRawCallbackMethod_UpdateMembers<v1::SegmentService::WithRawCallbackMethod_Query<
                v1::SegmentService::WithRawCallbackMethod_Watch<v1::SegmentService::Service>>>>>>>>>;

class SegmentService final : public RawService {
 public:
  explicit SegmentService(Door* door) : door_(door) {}
  Unary* Count(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerCount, Where::kWorker);
  }
  Unary* Sample(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerSample, Where::kWorker);
  }
  Unary* Breakdown(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerBreakdown, Where::kWorker);
  }
  Unary* Overlap(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerOverlap, Where::kWorker);
  }
  Unary* Explain(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerExplain, Where::kWorker);
  }
  Unary* SegmentsOf(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerSegmentsOf, Where::kHere);
  }
  Unary* UpdateMembers(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerUpdateMembers, Where::kWorker);
  }
  grpc::ServerWriteReactor<Bytes>* Query(Context* context, const Bytes* request) override {
    auto* call = new QueryCall(door_, *context);
    call->Start(*request);
    return call;
  }
  grpc::ServerWriteReactor<Bytes>* Watch(Context* context, const Bytes* request) override {
    return WatchCall::Start(door_, context, *request);
  }

 private:
  Door* const door_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeSegmentService(Door* door) { return std::make_unique<SegmentService>(door); }

}  // namespace korrel::server
