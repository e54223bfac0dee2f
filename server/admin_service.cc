#include "korrel/v1/admin_service.grpc.pb.h"
#include "server/handlers/admin_handlers.h"
#include "server/services.h"
#include "server/unary_call.h"

namespace korrel::server {
namespace {

using Context = grpc::CallbackServerContext;
using Bytes = grpc::ByteBuffer;
using Unary = grpc::ServerUnaryReactor;
using RawService =
    v1::AdminService::WithRawCallbackMethod_Status<v1::AdminService::WithRawCallbackMethod_AdvanceClock<v1::AdminService::Service>>;

class AdminService final : public RawService {
 public:
  explicit AdminService(Door* door) : door_(door) {}
  Unary* Status(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerStatus, Where::kWorker);
  }
  Unary* AdvanceClock(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerAdvanceClock, Where::kClockWorker);
  }

 private:
  Door* const door_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeAdminService(Door* door) { return std::make_unique<AdminService>(door); }

}  // namespace korrel::server
