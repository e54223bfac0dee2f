#include "server/handlers/profile_handlers.h"

#include <fmt/format.h>

#include "server/codec/batch_codec.h"
#include "server/codec/value_codec.h"
#include "server/codec/write_codec.h"
#include "server/errors.h"
#include "server/handlers/common.h"
#include "server/limits.h"

namespace korrel::server {
namespace {

void EncodeProfile(const ProfileView& view, v1::Profile* out) {
  out->set_id(FormatProfileId(view.id));
  for (const std::string& identifier : view.identifiers) out->add_identifiers(identifier);
  for (const AttributeView& attribute : view.attributes) {
    v1::Attribute* wire = out->add_attributes();
    wire->set_name(attribute.name);
    EncodeValue(attribute.value, wire->mutable_value());
    wire->set_event_time_us(attribute.event_time_us);
    wire->set_source(attribute.source);
    wire->set_filling(attribute.filling);
  }
  for (const std::string& segment : view.segments) out->add_segments(segment);
  for (const std::string& type : view.truncated_event_types) out->add_truncated_event_types(type);
  out->set_create_time_us(view.create_time_us);
  out->set_update_time_us(view.update_time_us);
  out->mutable_version()->set_value(view.version.value);
}

Status GetWithNames(Database& database, const v1::GetProfileRequest& request, const ReadOptions& read, v1::GetProfileResponse* response) {
  KORREL_ASSIGN_OR_RETURN(std::vector<std::string> attributes, DecodeList(request.attributes(), kSelectMax, "SELECT", "attributes"));
  KORREL_ASSIGN_OR_RETURN(ProfileView view, database.GetProfile(request.profile(), attributes, request.include_segments(), read));
  EncodeProfile(view, response->mutable_profile());
  EncodePosition(view.position, response->mutable_positions());
  response->set_now_us(view.now_us);
  return absl::OkStatus();
}

Status GetWithProjection(Database& database, const v1::GetProfileRequest& request, const ReadOptions& read,
                         v1::GetProfileResponse* response) {
  if (request.attributes_size() > 0) return InvalidArgument("FIELD", "attributes", "attributes: give a projection or attributes, not both");
  KORREL_ASSIGN_OR_RETURN(ProjectionRef projection, database.FindProjection(request.projection()));
  KORREL_ASSIGN_OR_RETURN(Database::BatchGetAnswer answer, database.BatchGet({&request.profile(), 1}, projection, read));
  if (!answer.errors.empty()) {
    const Status& error = answer.errors[0].status;
    return MakeError(error.code(), ReasonOf(error), "profile", MessageOf(error));
  }
  if (!answer.found[0]) {
    return MakeError(absl::StatusCode::kNotFound, "PROFILE", "profile", fmt::format("there is no profile '{}'", request.profile()));
  }
  EncodeValues(answer.batch, response->mutable_values());
  response->mutable_filling_fields()->Add(answer.batch.filling_fields.begin(), answer.batch.filling_fields.end());
  if (request.include_segments()) {
    KORREL_ASSIGN_OR_RETURN(Database::SegmentsOfAnswer segments, database.SegmentsOf(request.profile(), read));
    for (const std::string& segment : segments.segments) response->add_segments(segment);
  }
  EncodePosition(answer.position, response->mutable_positions());
  response->set_now_us(answer.now_us);
  return absl::OkStatus();
}

// The profiles asked: one by one, then in one piece.
StatusOr<std::vector<std::string>> DecodeProfiles(const v1::BatchGetProfilesRequest& request) {
  size_t count = static_cast<size_t>(request.profiles_size()) + static_cast<size_t>(request.identifiers().text_ends_size());
  if (count > static_cast<size_t>(kGetProfilesMax)) return OverLimit("GET_PROFILES", "profiles", count, kGetProfilesMax);
  std::string_view type = request.identifiers().type();
  if (type.size() > kNameBytesMax) return InvalidArgument("FIELD", "identifiers.type", "identifiers.type: longer than any type");
  KORREL_ASSIGN_OR_RETURN(TextsReader texts,
                          TextsReader::Make(request.identifiers().text(), request.identifiers().text_ends(), "identifiers"));
  std::vector<std::string> profiles(request.profiles().begin(), request.profiles().end());
  for (size_t i = 0; i < texts.size(); ++i) {
    profiles.push_back(type.empty() ? std::string(texts.At(i)) : fmt::format("{}:{}", type, texts.At(i)));
  }
  return profiles;
}

StatusOr<ProjectionRef> ProjectionOf(Database& database, const v1::BatchGetProfilesRequest& request) {
  if (!request.projection().empty()) {
    if (request.attributes_size() > 0)
      return InvalidArgument("FIELD", "attributes", "attributes: give a projection or attributes, not both");
    return database.FindProjection(request.projection());
  }
  if (request.attributes_size() == 0) return InvalidArgument("FIELD", "attributes", "attributes: a projection or attributes are required");
  KORREL_ASSIGN_OR_RETURN(std::vector<std::string> attributes, DecodeList(request.attributes(), kSelectMax, "SELECT", "attributes"));
  return database.PrepareProjection(attributes, false);
}

}  // namespace

Status AnswerGetProfile(Database& database, const CallContext& call, const v1::GetProfileRequest& request,
                        v1::GetProfileResponse* response) {
  KORREL_RETURN_IF_ERROR(RefusePurpose(request.purpose(), "purpose"));
  KORREL_ASSIGN_OR_RETURN(ReadOptions read, DecodeRead(call, request.min_positions(), "min_positions"));
  if (request.projection().empty()) return GetWithNames(database, request, read, response);
  return GetWithProjection(database, request, read, response);
}

Status AnswerBatchGetProfiles(Database& database, const CallContext& call, const v1::BatchGetProfilesRequest& request,
                              v1::BatchGetProfilesResponse* response) {
  KORREL_RETURN_IF_ERROR(RefusePurpose(request.purpose(), "purpose"));
  KORREL_ASSIGN_OR_RETURN(ReadOptions read, DecodeRead(call, request.min_positions(), "min_positions"));
  KORREL_ASSIGN_OR_RETURN(std::vector<std::string> profiles, DecodeProfiles(request));
  KORREL_ASSIGN_OR_RETURN(ProjectionRef projection, ProjectionOf(database, request));
  KORREL_ASSIGN_OR_RETURN(Database::BatchGetAnswer answer, database.BatchGet(profiles, projection, read));
  EncodeBatch(answer.batch, response->mutable_batch());
  if (request.projection().empty()) {
    EncodeSchema(answer.batch.fields, projection->catalog_revision, response->mutable_batch()->mutable_schema());
  }
  response->mutable_found()->assign((profiles.size() + 7) / 8, '\0');
  for (size_t i = 0; i < profiles.size(); ++i) {
    if (answer.found[i]) SetBit(response->mutable_found(), i);
  }
  for (const ItemError& error : answer.errors) EncodeItemError(error, response->add_errors());
  EncodePosition(answer.position, response->mutable_positions());
  response->set_now_us(answer.now_us);
  return absl::OkStatus();
}

Status AnswerPrepareProjection(Database& database, const CallContext&, const v1::PrepareProjectionRequest& request,
                               v1::PrepareProjectionResponse* response) {
  KORREL_RETURN_IF_ERROR(RefusePurpose(request.purpose(), "purpose"));
  if (request.select_size() == 0) return InvalidArgument("FIELD", "select", "select: at least one attribute or expression is required");
  KORREL_ASSIGN_OR_RETURN(std::vector<std::string> select, DecodeList(request.select(), kSelectMax, "SELECT", "select"));
  KORREL_ASSIGN_OR_RETURN(ProjectionRef projection, database.PrepareProjection(select, request.allow_unknown_names()));
  response->set_projection(projection->handle);
  EncodeSchema(projection->fields, projection->catalog_revision, response->mutable_schema());
  return absl::OkStatus();
}

StatusOr<Ack> AnswerUpsertProfiles(Database& database, const CallContext& call, const v1::UpsertProfilesRequest& request,
                                   v1::UpsertProfilesResponse* response) {
  KORREL_ASSIGN_OR_RETURN(WriteOptions options, DecodeWriteOptions(call, request));
  KORREL_ASSIGN_OR_RETURN(DecodedProfileWrites writes, DecodeUpsert(request));
  KORREL_ASSIGN_OR_RETURN(WriteResult result, database.Upsert(writes.items, options));
  Ack ack{result.position, options.durability};
  result = MergeResult(std::move(result), writes.index_of, std::move(writes.refused), PlacesOf(request));
  EncodeWriteResult(result, response->mutable_result());
  return ack;
}

StatusOr<Ack> AnswerDeleteProfile(Database& database, const CallContext& call, const v1::DeleteProfileRequest& request,
                                  v1::DeleteProfileResponse* response) {
  KORREL_ASSIGN_OR_RETURN(WriteOptions options, DecodeWriteOptions(call, request));
  KORREL_ASSIGN_OR_RETURN(WriteResult result, database.Delete(request.profile(), options));
  EncodeWriteResult(result, response->mutable_result());
  return Ack{result.position, options.durability};
}

Status AnswerListEvents(Database& database, const CallContext& call, const v1::ListEventsRequest& request,
                        v1::ListEventsResponse* response) {
  KORREL_RETURN_IF_ERROR(RefusePurpose(request.purpose(), "purpose"));
  ListEventsRequest list;
  list.profile = request.profile();
  KORREL_ASSIGN_OR_RETURN(list.types, DecodeList(request.types(), kEventTypesMax, "EVENT_TYPES", "types"));
  list.start_time_us = request.start_time_us();
  list.end_time_us = request.end_time_us();
  KORREL_ASSIGN_OR_RETURN(list.page_size, DecodePageSize(request.page_size()));
  KORREL_ASSIGN_OR_RETURN(list.page_token, DecodePageToken(request.page_token()));
  list.oldest_first = request.oldest_first();
  KORREL_ASSIGN_OR_RETURN(list.read, DecodeRead(call, request.min_positions(), "min_positions"));
  KORREL_ASSIGN_OR_RETURN(EventPage page, database.ListEvents(list));
  for (const EventView& event : page.events) {
    v1::Event* wire = response->add_events();
    wire->set_type(event.type);
    wire->set_event_time_us(event.time_us);
    wire->set_source(event.source);
    for (const EventProperty& property : event.properties) {
      v1::Property* out = wire->add_properties();
      out->set_name(property.name);
      EncodeValue(property.value, out->mutable_value());
    }
  }
  response->set_next_page_token(EncodePageToken(page.next_page_token));
  EncodePosition(page.position, response->mutable_positions());
  response->set_now_us(page.now_us);
  return absl::OkStatus();
}

}  // namespace korrel::server
