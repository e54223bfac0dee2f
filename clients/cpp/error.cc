#include "clients/cpp/error.h"

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace korrel {
namespace {
constexpr char kExpressionUrl[] = "korrel/expression";
}

Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status details;
  std::string reason;
  std::string field;
  std::optional<v1::ExpressionError> expression;
  if (details.ParseFromString(status.error_details())) {
    for (const auto& any : details.details()) {
      google::rpc::ErrorInfo info;
      google::rpc::BadRequest bad;
      v1::ExpressionError error;
      if (any.Is<google::rpc::ErrorInfo>() && any.UnpackTo(&info)) {
        reason = info.reason();
      } else if (any.Is<google::rpc::BadRequest>() && any.UnpackTo(&bad) && bad.field_violations_size() > 0) {
        field = bad.field_violations(0).field();
      } else if (any.Is<v1::ExpressionError>() && any.UnpackTo(&error)) {
        expression = std::move(error);
      }
    }
  }
  Status result = MakeError(static_cast<absl::StatusCode>(status.error_code()), reason, field, status.error_message());
  if (expression) result.SetPayload(kExpressionUrl, absl::Cord(expression->SerializeAsString()));
  return result;
}

std::optional<v1::ExpressionError> ExpressionErrorOf(const Status& status) {
  const auto payload = status.GetPayload(kExpressionUrl);
  v1::ExpressionError error;
  if (!payload || !error.ParseFromString(std::string(*payload))) return std::nullopt;
  return error;
}

}  // namespace korrel
