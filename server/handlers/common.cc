#include "server/handlers/common.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

#include "server/codec/value_codec.h"
#include "server/errors.h"
#include "server/limits.h"

namespace korrel::server {

Status RefusePurpose(std::string_view purpose, std::string_view field) {
  if (purpose.empty()) return absl::OkStatus();
  return NotYet(field, "purposes");
}

StatusOr<ReadOptions> DecodeRead(const CallContext& call, const WirePositions& min_positions, std::string_view field) {
  KORREL_ASSIGN_OR_RETURN(Position position, DecodePositions(min_positions, field));
  return ReadOptions{.min_position = position, .deadline_ns = call.deadline_ns};
}

StatusOr<std::vector<std::string>> DecodeList(const WireStrings& wire, int max, std::string_view limit, std::string_view field) {
  if (wire.size() > max) return OverLimit(limit, field, static_cast<uint64_t>(wire.size()), static_cast<uint64_t>(max));
  return std::vector<std::string>(wire.begin(), wire.end());
}

StatusOr<int32_t> DecodePageSize(int32_t page_size) {
  if (page_size < 0) return InvalidArgument("FIELD", "page_size", fmt::format("page_size: {} is below 0", page_size));
  return std::min(page_size, kPageSizeMax);
}

std::string EncodePageToken(std::string_view token) { return absl::BytesToHexString(Abseil(token)); }

StatusOr<std::string> DecodePageToken(std::string_view wire) {
  bool all_hex = wire.size() % 2 == 0 && std::all_of(wire.begin(), wire.end(), absl::ascii_isxdigit);
  if (!all_hex) return InvalidArgument("FIELD", "page_token", "page_token: not a token of this server");
  return absl::HexStringToBytes(Abseil(wire));
}

Status CheckRequestId(std::string_view request_id) {
  if (request_id.size() > kRequestIdBytesMax) return OverLimit("REQUEST_ID_BYTES", "request_id", request_id.size(), kRequestIdBytesMax);
  if (request_id.find(kStreamIdSeparator) == std::string_view::npos) return absl::OkStatus();
  return InvalidArgument("FIELD", "request_id", "request_id: the byte 0x01 is not allowed");
}

StatusOr<WriteOptions> MakeWriteOptions(std::string_view request_id, v1::Durability durability, std::string_view source) {
  KORREL_RETURN_IF_ERROR(CheckRequestId(request_id));
  if (source.size() > kSourceBytesMax) return OverLimit("SOURCE_BYTES", "source", source.size(), kSourceBytesMax);
  WriteOptions options;
  options.request_id = request_id;
  KORREL_ASSIGN_OR_RETURN(options.durability, DecodeDurability(durability, "durability"));
  options.source = source;
  return options;
}

}  // namespace korrel::server
