#include "storage/status.h"

#include <optional>

#include "absl/strings/cord.h"

namespace korrel {
namespace {

constexpr char kReasonUrl[] = "korrel/reason";
constexpr char kFieldUrl[] = "korrel/field";

std::string Payload(const Status& status, const char* url) {
  auto payload = status.GetPayload(url);
  return payload ? std::string(*payload) : std::string();
}

}  // namespace

Status MakeError(absl::StatusCode code, std::string_view reason, std::string_view field, std::string_view message) {
  Status status(code, absl::string_view(message.data(), message.size()));
  status.SetPayload(kReasonUrl, absl::Cord(absl::string_view(reason.data(), reason.size())));
  if (!field.empty()) status.SetPayload(kFieldUrl, absl::Cord(absl::string_view(field.data(), field.size())));
  return status;
}

std::string ReasonOf(const Status& status) { return Payload(status, kReasonUrl); }
std::string FieldOf(const Status& status) { return Payload(status, kFieldUrl); }

Status PrefixField(const Status& status, std::string_view prefix) {
  if (status.ok()) return status;
  Status result = status;
  std::string field = std::string(prefix) + FieldOf(status);
  while (!field.empty() && field.back() == '.') field.pop_back();
  result.SetPayload(kFieldUrl, absl::Cord(field));
  return result;
}

}  // namespace korrel
