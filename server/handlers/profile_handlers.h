// server/handlers/profile_handlers.h
//
// ProfileService's handlers. See call_context.h for their shape.
#pragma once

#include "engine/database.h"
#include "korrel/v1/profile_service.pb.h"
#include "server/call_context.h"

namespace korrel::server {

namespace v1 = ::korrel::v1;

Status AnswerGetProfile(Database& database, const CallContext& call, const v1::GetProfileRequest& request,
                        v1::GetProfileResponse* response);
Status AnswerBatchGetProfiles(Database& database, const CallContext& call, const v1::BatchGetProfilesRequest& request,
                              v1::BatchGetProfilesResponse* response);
Status AnswerPrepareProjection(Database& database, const CallContext& call, const v1::PrepareProjectionRequest& request,
                               v1::PrepareProjectionResponse* response);
StatusOr<Ack> AnswerUpsertProfiles(Database& database, const CallContext& call, const v1::UpsertProfilesRequest& request,
                                   v1::UpsertProfilesResponse* response);
StatusOr<Ack> AnswerDeleteProfile(Database& database, const CallContext& call, const v1::DeleteProfileRequest& request,
                                  v1::DeleteProfileResponse* response);
Status AnswerListEvents(Database& database, const CallContext& call, const v1::ListEventsRequest& request,
                        v1::ListEventsResponse* response);

}  // namespace korrel::server
