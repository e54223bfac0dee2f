#include "korrel/v1/catalog_service.grpc.pb.h"
#include "server/handlers/catalog_handlers.h"
#include "server/services.h"
#include "server/unary_call.h"

namespace korrel::server {
namespace {

using Context = grpc::CallbackServerContext;
using Bytes = grpc::ByteBuffer;
using Unary = grpc::ServerUnaryReactor;
using RawService = v1::CatalogService::WithRawCallbackMethod_ApplyDefinitions<
    v1::CatalogService::WithRawCallbackMethod_GetDefinition<v1::CatalogService::WithRawCallbackMethod_ListDefinitions<
        v1::CatalogService::WithRawCallbackMethod_DeleteDefinition<v1::CatalogService::WithRawCallbackMethod_PreviewDefinitions<
            v1::CatalogService::WithRawCallbackMethod_RetypeAttribute<v1::CatalogService::Service>>>>>>;

class CatalogService final : public RawService {
 public:
  explicit CatalogService(Door* door) : door_(door) {}
  Unary* ApplyDefinitions(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerApplyDefinitions, Where::kCatalogWorker);
  }
  Unary* GetDefinition(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerGetDefinition, Where::kWorker);
  }
  Unary* ListDefinitions(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerListDefinitions, Where::kWorker);
  }
  Unary* DeleteDefinition(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerDeleteDefinition, Where::kCatalogWorker);
  }
  Unary* PreviewDefinitions(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerPreviewDefinitions, Where::kWorker);
  }
  Unary* RetypeAttribute(Context* context, const Bytes* request, Bytes* response) override {
    return StartCall(door_, context, request, response, AnswerRetypeAttribute, Where::kCatalogWorker);
  }

 private:
  Door* const door_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeCatalogService(Door* door) { return std::make_unique<CatalogService>(door); }

}  // namespace korrel::server
