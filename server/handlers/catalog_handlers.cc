#include "server/handlers/catalog_handlers.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/codec/catalog_codec.h"
#include "server/codec/value_codec.h"
#include "server/errors.h"
#include "server/handlers/common.h"
#include "server/limits.h"

namespace korrel::server {
namespace {

using WireDefinitions = google::protobuf::RepeatedPtrField<v1::Definition>;
using WireChanges = google::protobuf::RepeatedPtrField<v1::DefinitionChange>;

StatusOr<std::vector<Definition>> DecodeDefinitions(const WireDefinitions& wire) {
  if (wire.size() > kDefinitionsMax) return OverLimit("DEFINITIONS", "definitions", static_cast<uint64_t>(wire.size()), kDefinitionsMax);
  std::vector<Definition> definitions;
  for (int i = 0; i < wire.size(); ++i) {
    KORREL_ASSIGN_OR_RETURN(Definition definition, DecodeDefinition(wire[i], fmt::format("definitions[{}]", i)));
    definitions.push_back(std::move(definition));
  }
  return definitions;
}

void EncodeChanges(const std::vector<DefinitionChange>& changes, WireChanges* out) {
  for (size_t i = 0; i < changes.size(); ++i) EncodeChange(changes[i], static_cast<uint32_t>(i), out->Add());
}

// A call that was to change something and was refused fails as a whole, at the first refusal.
Status FirstRefusal(const std::vector<DefinitionChange>& changes) {
  for (size_t i = 0; i < changes.size(); ++i) {
    if (changes[i].error.ok()) continue;
    if (FieldOf(changes[i].error).starts_with("definitions[")) return changes[i].error;
    return PrefixField(changes[i].error, fmt::format("definitions[{}].", i));
  }
  return absl::OkStatus();
}

Status RequireName(std::string_view name, std::string_view field) {
  if (!name.empty()) return absl::OkStatus();
  return InvalidArgument("FIELD", field, fmt::format("{}: a name is required", field));
}

}  // namespace

StatusOr<Ack> AnswerApplyDefinitions(Database& database, const CallContext&, const v1::ApplyDefinitionsRequest& request,
                                     v1::ApplyDefinitionsResponse* response) {
  KORREL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  ApplyRequest apply;
  KORREL_ASSIGN_OR_RETURN(apply.definitions, DecodeDefinitions(request.definitions()));
  apply.time_zone = request.time_zone();
  apply.prune = request.prune();
  apply.cascade = request.cascade();
  apply.base_revision = request.base_revision();
  apply.validate_only = request.validate_only();
  apply.request_id = request.request_id();
  if (!apply.request_id.empty()) apply.request_digest = DigestWithout(request, {v1::ApplyDefinitionsRequest::kRequestIdFieldNumber});
  KORREL_ASSIGN_OR_RETURN(ApplyAnswer answer, database.ApplyDefinitions(apply));
  if (!request.validate_only()) KORREL_RETURN_IF_ERROR(FirstRefusal(answer.changes));
  response->set_revision(answer.revision);
  EncodeChanges(answer.changes, response->mutable_changes());
  EncodePosition(answer.position, response->mutable_positions());
  return Ack{answer.position, Durability::kUnspecified};
}

Status AnswerGetDefinition(Database& database, const CallContext&, const v1::GetDefinitionRequest& request,
                           v1::GetDefinitionResponse* response) {
  KORREL_RETURN_IF_ERROR(RequireName(request.name(), "name"));
  KORREL_ASSIGN_OR_RETURN(Definition definition, database.GetDefinition(request.name()));
  EncodeDefinition(definition, response->mutable_definition());
  return absl::OkStatus();
}

Status AnswerListDefinitions(Database& database, const CallContext&, const v1::ListDefinitionsRequest& request,
                             v1::ListDefinitionsResponse* response) {
  KORREL_ASSIGN_OR_RETURN(int32_t page_size, DecodePageSize(request.page_size()));
  KORREL_ASSIGN_OR_RETURN(std::string page_token, DecodePageToken(request.page_token()));
  KORREL_ASSIGN_OR_RETURN(Database::DefinitionPage page, database.ListDefinitions(request.parent(), page_size, page_token));
  for (const Definition& definition : page.definitions) EncodeDefinition(definition, response->add_definitions());
  response->set_next_page_token(EncodePageToken(page.next_page_token));
  response->set_revision(page.revision);
  response->set_time_zone(database.TimeZone());
  return absl::OkStatus();
}

StatusOr<Ack> AnswerDeleteDefinition(Database& database, const CallContext&, const v1::DeleteDefinitionRequest& request,
                                     v1::DeleteDefinitionResponse* response) {
  KORREL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  KORREL_RETURN_IF_ERROR(RequireName(request.name(), "name"));
  KORREL_ASSIGN_OR_RETURN(ApplyAnswer answer,
                          database.DeleteDefinition(request.name(), request.cascade(), request.base_revision(), request.request_id()));
  response->set_revision(answer.revision);
  EncodeChanges(answer.changes, response->mutable_changes());
  EncodePosition(answer.position, response->mutable_positions());
  return Ack{answer.position, Durability::kUnspecified};
}

Status AnswerPreviewDefinitions(Database& database, const CallContext& call, const v1::PreviewDefinitionsRequest& request,
                                v1::PreviewDefinitionsResponse* response) {
  ApplyRequest apply;
  KORREL_ASSIGN_OR_RETURN(apply.definitions, DecodeDefinitions(request.definitions()));
  apply.time_zone = request.time_zone();
  apply.prune = request.prune();
  apply.cascade = request.cascade();
  apply.validate_only = true;
  apply.deadline_ns = call.deadline_ns;
  apply.preview_sample_size = request.sample_size() == 0 ? kPreviewSampleDefault : std::min(request.sample_size(), kPreviewSampleMax);
  KORREL_ASSIGN_OR_RETURN(ApplyAnswer answer, database.ApplyDefinitions(apply));
  EncodeChanges(answer.changes, response->mutable_changes());
  return absl::OkStatus();
}

StatusOr<Ack> AnswerRetypeAttribute(Database& database, const CallContext&, const v1::RetypeAttributeRequest& request,
                                    v1::RetypeAttributeResponse* response) {
  KORREL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  KORREL_RETURN_IF_ERROR(RequireName(request.attribute(), "attribute"));
  KORREL_ASSIGN_OR_RETURN(std::optional<Type> type, DecodeType(request.type(), request.scale(), "type"));
  if (!type) return InvalidArgument("FIELD", "type", "type: a type is required");
  KORREL_ASSIGN_OR_RETURN(RetypeAnswer answer,
                          database.RetypeAttribute(request.attribute(), *type, request.validate_only(), request.request_id()));
  response->set_converted_count(answer.converted_count);
  response->set_failed_count(answer.failed_count);
  for (const ItemError& error : answer.errors) EncodeItemError(error, response->add_errors());
  EncodePosition(answer.position, response->mutable_positions());
  return Ack{answer.position, Durability::kUnspecified};
}

}  // namespace korrel::server
