// server/handlers/catalog_handlers.h
//
// CatalogService's handlers. See call_context.h for their shape.
#pragma once

#include "engine/database.h"
#include "korrel/v1/catalog_service.pb.h"
#include "server/call_context.h"

namespace korrel::server {

namespace v1 = ::korrel::v1;

StatusOr<Ack> AnswerApplyDefinitions(Database& database, const CallContext& call, const v1::ApplyDefinitionsRequest& request,
                                     v1::ApplyDefinitionsResponse* response);
Status AnswerGetDefinition(Database& database, const CallContext& call, const v1::GetDefinitionRequest& request,
                           v1::GetDefinitionResponse* response);
Status AnswerListDefinitions(Database& database, const CallContext& call, const v1::ListDefinitionsRequest& request,
                             v1::ListDefinitionsResponse* response);
StatusOr<Ack> AnswerDeleteDefinition(Database& database, const CallContext& call, const v1::DeleteDefinitionRequest& request,
                                     v1::DeleteDefinitionResponse* response);
Status AnswerPreviewDefinitions(Database& database, const CallContext& call, const v1::PreviewDefinitionsRequest& request,
                                v1::PreviewDefinitionsResponse* response);
StatusOr<Ack> AnswerRetypeAttribute(Database& database, const CallContext& call, const v1::RetypeAttributeRequest& request,
                                    v1::RetypeAttributeResponse* response);

}  // namespace korrel::server
