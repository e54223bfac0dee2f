#include "korrel/v1/profile_service.grpc.pb.h"
#include "server/handlers/profile_handlers.h"
#include "server/services.h"
#include "server/unary_call.h"

namespace korrel::server {
namespace {

using Context = grpc::CallbackServerContext;
using Bytes = grpc::ByteBuffer;
using Unary = grpc::ServerUnaryReactor;
using RawService = v1::ProfileService::WithRawCallbackMethod_GetProfile<
    v1::ProfileService::WithRawCallbackMethod_BatchGetProfiles<v1::ProfileService::WithRawCallbackMethod_PrepareProjection<
        v1::ProfileService::WithRawCallbackMethod_UpsertProfiles<v1::ProfileService::WithRawCallbackMethod_DeleteProfile<
            v1::ProfileService::WithRawCallbackMethod_ListEvents<v1::ProfileService::Service>>>>>>;

class ProfileService final : public RawService {
 public:
  explicit ProfileService(Door* door) : door_(door) {}
  Unary* GetProfile(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerGetProfile, Where::kHere);
  }
  Unary* BatchGetProfiles(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerBatchGetProfiles, Where::kWorker);
  }
  Unary* PrepareProjection(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerPrepareProjection, Where::kWorker);
  }
  Unary* UpsertProfiles(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerUpsertProfiles, Where::kHereIfSmall);
  }
  Unary* DeleteProfile(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerDeleteProfile, Where::kWorker);
  }
  Unary* ListEvents(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerListEvents, Where::kWorker);
  }

 private:
  Door* const door_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeProfileService(Door* door) { return std::make_unique<ProfileService>(door); }

}  // namespace korrel::server
