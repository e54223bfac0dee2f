// server/errors.h
//
// The one place where an error of the engine becomes an error on the wire.
//
//   code and message     as they are
//   ErrorInfo            domain "korrel", the reason; metadata `effect` (none, unknown) with UNAVAILABLE, `field` where one is at fault,
//                        `position` where a stream can be resumed
//   BadRequest           the field, with INVALID_ARGUMENT
//   ExpressionError      where an expression is at fault
//
// The details travel as a google.rpc.Status in the trailer `grpc-status-details-bin`.
#pragma once

#include <string_view>

#include "engine/database.h"
#include "google/rpc/status.pb.h"
#include "korrel/v1/value.pb.h"
#include "storage/status.h"

namespace korrel::server {

namespace v1 = ::korrel::v1;

inline constexpr char kErrorDomain[] = "korrel";

// The error with its details; the caller of gRPC serializes it into its status. `status` is not OK.
google::rpc::Status ToRpcStatus(const Status& status);

void EncodeItemError(const ItemError& error, v1::ItemError* out);
void EncodeExpressionError(const ExpressionError& error, v1::ExpressionError* out);

// A request that asks for more than a limit. `limit` is its name, upper snake case.
Status OverLimit(std::string_view limit, std::string_view field, uint64_t asked, uint64_t max);
// The same error, telling where a stream can be taken up again.
Status WithPosition(Status status, Position position);
// A part of the interface that a later version brings.
Status NotYet(std::string_view field, std::string_view what);

}  // namespace korrel::server
