// server/handlers/common.h
//
// What several handlers check alike.
#pragma once

#include <string>
#include <string_view>

#include "engine/database.h"
#include "google/protobuf/repeated_field.h"
#include "korrel/v1/value.pb.h"
#include "server/call_context.h"
#include "server/codec/request_digest.h"

namespace korrel::server {

namespace v1 = ::korrel::v1;
using WireStrings = google::protobuf::RepeatedPtrField<std::string>;
using WirePositions = google::protobuf::RepeatedPtrField<v1::Position>;

// Purposes come with a later version. Errors: kUnimplemented NOT_YET for anything but empty.
Status RefusePurpose(std::string_view purpose, std::string_view field);

StatusOr<ReadOptions> DecodeRead(const CallContext& call, const WirePositions& min_positions, std::string_view field);

// A list as a vector. Errors: kResourceExhausted `limit` past max.
StatusOr<std::vector<std::string>> DecodeList(const WireStrings& wire, int max, std::string_view limit, std::string_view field);

// 0 stays (the engine's default), more than the maximum is the maximum. Errors: kInvalidArgument FIELD below 0.
StatusOr<int32_t> DecodePageSize(int32_t page_size);

// The engine's page tokens are bytes; on the wire they are hex digits, because a proto string must be UTF-8.
// Errors: kInvalidArgument FIELD.
std::string EncodePageToken(std::string_view token);
StatusOr<std::string> DecodePageToken(std::string_view wire);

Status CheckRequestId(std::string_view request_id);
StatusOr<WriteOptions> MakeWriteOptions(std::string_view request_id, v1::Durability durability, std::string_view source);

// Request id, its digest, durability and source of a write; the digest is only made where there is an id.
template <class Request>
StatusOr<WriteOptions> DecodeWriteOptions(const CallContext& call, const Request& request) {
  std::string_view source;
  if constexpr (requires { request.source(); }) source = request.source();
  KORREL_ASSIGN_OR_RETURN(WriteOptions options, MakeWriteOptions(request.request_id(), request.durability(), source));
  options.deadline_ns = call.deadline_ns;
  if (!options.request_id.empty()) options.request_digest = DigestWithout(request, {Request::kRequestIdFieldNumber});
  return options;
}

}  // namespace korrel::server
