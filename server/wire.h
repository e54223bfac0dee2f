// server/wire.h
//
// Between gRPC's bytes and our messages. Services take raw bytes instead of generated messages, so that requests are parsed onto
// an arena, answers go into one slice, and what cannot be decoded gets an error of ours that names the place (gRPC would say
// UNIMPLEMENTED).
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include "google/protobuf/message.h"
#include "server/call_context.h"

namespace grpc {
class CallbackServerContext;
}

namespace korrel::server {

// Errors: kInvalidArgument FIELD; the field is the string that is not UTF-8, where that is what is wrong.
Status ParseRequest(const grpc::ByteBuffer& bytes, google::protobuf::Message* request);
Status ParseRequest(std::string_view bytes, google::protobuf::Message* request);
grpc::ByteBuffer SerializeResponse(const google::protobuf::MessageLite& response);

// With google.rpc.Status in the details.
grpc::Status ToGrpcStatus(const Status& status);

bool HasDeadline(const grpc::CallbackServerContext& context);
// The caller's deadline, or the default where it gave none.
int64_t DeadlineNs(const grpc::CallbackServerContext& context);

}  // namespace korrel::server
