// clients/cpp/error.h
//
// What a call answered, as korrel::Status: the code and message of gRPC, and from the details the reason (ReasonOf), the field
// (FieldOf) and, for an expression, the place in it.
#pragma once

#include <grpcpp/support/status.h>

#include <optional>
#include <string>

#include "korrel/v1/value.pb.h"
#include "storage/status.h"

namespace korrel {

Status FromGrpc(const grpc::Status& status);

// The expression error of a status made by FromGrpc; its `rendered` is the text with carets for a terminal.
std::optional<v1::ExpressionError> ExpressionErrorOf(const Status& status);

}  // namespace korrel
