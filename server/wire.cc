#include "server/wire.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/server_context.h>

#include <chrono>
#include <map>

#include "server/errors.h"
#include "server/limits.h"
#include "storage/value.h"

namespace korrel::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

// The path of the first string that is not UTF-8; empty where there is none. Only asked once parsing has failed, so it may be slow.
std::string BadTextPath(const Descriptor* type, std::string_view bytes, const std::string& prefix) {
  UnknownFieldSet fields;
  if (!fields.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return "";
  std::map<int, int> seen;
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    const FieldDescriptor* known = type->FindFieldByNumber(field.number());
    if (!known || field.type() != UnknownField::TYPE_LENGTH_DELIMITED) continue;
    int index = seen[field.number()]++;
    std::string path = prefix + known->name() + (known->is_repeated() ? fmt::format("[{}]", index) : "");
    if (known->type() == FieldDescriptor::TYPE_STRING && !IsValidUtf8(field.length_delimited())) return path;
    if (known->type() != FieldDescriptor::TYPE_MESSAGE) continue;
    std::string below = BadTextPath(known->message_type(), field.length_delimited(), path + ".");
    if (!below.empty()) return below;
  }
  return "";
}

Status Undecodable(std::string_view bytes, const google::protobuf::Message& request) {
  std::string path = BadTextPath(request.GetDescriptor(), bytes, "");
  if (!path.empty()) return InvalidArgument("FIELD", path, fmt::format("{}: not valid UTF-8", path));
  return InvalidArgument("FIELD", "", fmt::format("the request is not a {}", request.GetDescriptor()->full_name()));
}

}  // namespace

Status ParseRequest(std::string_view bytes, google::protobuf::Message* request) {
  if (request->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
  return Undecodable(bytes, *request);
}

Status ParseRequest(const grpc::ByteBuffer& bytes, google::protobuf::Message* request) {
  grpc::Slice slice;
  if (!bytes.TrySingleSlice(&slice).ok() && !bytes.DumpToSingleSlice(&slice).ok()) {
    return InvalidArgument("FIELD", "", fmt::format("the request is not a {}", request->GetDescriptor()->full_name()));
  }
  return ParseRequest(std::string_view(reinterpret_cast<const char*>(slice.begin()), slice.size()), request);
}

grpc::ByteBuffer SerializeResponse(const google::protobuf::MessageLite& response) {
  grpc::Slice slice(response.ByteSizeLong());
  response.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return grpc::ByteBuffer(&slice, 1);
}

grpc::Status ToGrpcStatus(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status rpc = ToRpcStatus(status);
  return grpc::Status(static_cast<grpc::StatusCode>(rpc.code()), rpc.message(), rpc.SerializeAsString());
}

bool HasDeadline(const grpc::CallbackServerContext& context) {
  // A call without a deadline has one that is centuries away.
  return context.deadline() < std::chrono::system_clock::now() + std::chrono::hours(24 * 365);
}

int64_t DeadlineNs(const grpc::CallbackServerContext& context) {
  if (!HasDeadline(context)) return MonotonicNs() + kDeadlineDefaultUs * 1'000;
  auto left = context.deadline() - std::chrono::system_clock::now();
  return MonotonicNs() + std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
}

}  // namespace korrel::server
