// server/handlers/admin_handlers.h
//
// AdminService's handlers. See call_context.h for their shape.
#pragma once

#include "engine/database.h"
#include "korrel/v1/admin_service.pb.h"
#include "server/call_context.h"

namespace korrel::server {

namespace v1 = ::korrel::v1;

Status AnswerStatus(Database& database, const CallContext& call, const v1::StatusRequest& request, v1::StatusResponse* response);
StatusOr<Ack> AnswerAdvanceClock(Database& database, const CallContext& call, const v1::AdvanceClockRequest& request,
                                 v1::AdvanceClockResponse* response);

}  // namespace korrel::server
