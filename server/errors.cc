#include "server/errors.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"
#include "index/expression/expression.h"

namespace korrel::server {
namespace {

// gRPC keeps 8 KiB of headers and trailers for a call by default: what is longer would be dropped with its details.
constexpr size_t kMessageBytesMax = 1'024;
constexpr size_t kRenderedBytesMax = 2'048;
constexpr int kSuggestionsMax = 5;
constexpr char kPositionUrl[] = "korrel/position";

// The first `max` bytes, cut between characters.
std::string Cut(std::string_view text, size_t max) {
  if (text.size() <= max) return std::string(text);
  while (max > 0 && (static_cast<unsigned char>(text[max]) & 0xC0) == 0x80) --max;
  return std::string(text.substr(0, max)) + "…";
}

// Messages may quote what the caller sent, and a protobuf string must be UTF-8.
std::string Readable(std::string_view text) {
  if (IsValidUtf8(text)) return std::string(text);
  std::string safe;
  for (char c : text) safe += static_cast<unsigned char>(c) < 0x80 ? c : '?';
  return safe;
}

std::string ReasonOrCode(const Status& status) {
  std::string reason = ReasonOf(status);
  if (!reason.empty()) return reason;
  if (auto error = ExpressionErrorOf(status)) return error->reason;
  return absl::StatusCodeToString(status.code());
}

}  // namespace

google::rpc::Status ToRpcStatus(const Status& status) {
  google::rpc::Status rpc;
  rpc.set_code(static_cast<int>(status.code()));
  rpc.set_message(Cut(Readable(MessageOf(status)), kMessageBytesMax));
  std::string field = Readable(FieldOf(status));

  google::rpc::ErrorInfo info;
  info.set_domain(kErrorDomain);
  info.set_reason(ReasonOrCode(status));
  if (!field.empty()) (*info.mutable_metadata())["field"] = Cut(field, kNameBytesMax * 2);
  if (auto position = status.GetPayload(kPositionUrl)) (*info.mutable_metadata())["position"] = std::string(*position);
  if (status.code() == absl::StatusCode::kUnavailable) {
    constexpr std::string_view kNothingDone[] = {"CATCHING_UP", "POSITION_NOT_REACHED", "READ_ONLY", "RECOVERING", "SHUTDOWN"};
    bool nothing_done = std::find(std::begin(kNothingDone), std::end(kNothingDone), info.reason()) != std::end(kNothingDone);
    (*info.mutable_metadata())["effect"] = nothing_done ? "none" : "unknown";
  }
  rpc.add_details()->PackFrom(info);

  if (status.code() == absl::StatusCode::kInvalidArgument && !field.empty()) {
    google::rpc::BadRequest bad;
    auto* violation = bad.add_field_violations();
    violation->set_field(Cut(field, kNameBytesMax * 2));
    violation->set_description(rpc.message());
    rpc.add_details()->PackFrom(bad);
  }
  if (auto error = ExpressionErrorOf(status)) {
    v1::ExpressionError detail;
    EncodeExpressionError(*error, &detail);
    rpc.add_details()->PackFrom(detail);
  }
  return rpc;
}

void EncodeItemError(const ItemError& error, v1::ItemError* out) {
  out->set_index(error.index);
  out->set_code(static_cast<int>(error.status.code()));
  out->set_reason(ReasonOrCode(error.status));
  out->set_field(Readable(FieldOf(error.status)));
  out->set_message(Cut(Readable(MessageOf(error.status)), kMessageBytesMax));
}

void EncodeExpressionError(const ExpressionError& error, v1::ExpressionError* out) {
  out->set_reason(error.reason);
  out->set_offset(error.offset);
  out->set_length(error.length);
  out->set_line(error.line);
  out->set_column(error.column);
  out->set_message(Cut(Readable(error.message), kMessageBytesMax));
  for (const std::string& name : error.suggestions) {
    if (out->suggestions_size() == kSuggestionsMax) break;
    out->add_suggestions(Readable(name));
  }
  out->set_rendered(Cut(Readable(error.rendered), kRenderedBytesMax));
}

Status OverLimit(std::string_view limit, std::string_view field, uint64_t asked, uint64_t max) {
  return MakeError(absl::StatusCode::kResourceExhausted, limit, field,
                   fmt::format("{}: {} where at most {} are allowed", field, asked, max));
}

Status WithPosition(Status status, Position position) {
  status.SetPayload(kPositionUrl, absl::Cord(fmt::format("{}", position.value)));
  return status;
}

Status NotYet(std::string_view field, std::string_view what) {
  return MakeError(absl::StatusCode::kUnimplemented, "NOT_YET", field, fmt::format("{}: {} come with a later version", field, what));
}

}  // namespace korrel::server
