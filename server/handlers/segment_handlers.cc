#include "server/handlers/segment_handlers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "index/live/live_state.h"
#include "server/codec/batch_codec.h"
#include "server/codec/value_codec.h"
#include "server/errors.h"
#include "server/handlers/common.h"
#include "server/limits.h"

namespace korrel::server {
namespace {

Status BadField(std::string_view field, std::string_view what) {
  return InvalidArgument("FIELD", field, fmt::format("{}: {}", field, what));
}

StatusOr<Selection> DecodeSelection(const CallContext& call, const v1::Selection& wire, std::string_view field) {
  KORREL_RETURN_IF_ERROR(RefusePurpose(wire.purpose(), fmt::format("{}.purpose", field)));
  if (wire.parameters_size() > kParametersMax) {
    return OverLimit("PARAMETERS", fmt::format("{}.parameters", field), static_cast<uint64_t>(wire.parameters_size()), kParametersMax);
  }
  Selection selection;
  // Everybody has an id: the condition that holds for all, said in the language itself.
  selection.expression = wire.expression().empty() ? "true" : wire.expression();
  selection.allow_unknown_names = wire.allow_unknown_names();
  KORREL_ASSIGN_OR_RETURN(selection.read, DecodeRead(call, wire.min_positions(), fmt::format("{}.min_positions", field)));
  for (int i = 0; i < wire.parameters_size(); ++i) {
    std::string path = fmt::format("{}.parameters[{}]", field, i);
    KORREL_ASSIGN_OR_RETURN(Value value, DecodeValue(wire.parameters(i).value(), path + ".value"));
    if (!IsPresent(value)) return BadField(path + ".value", "a value is required");
    KORREL_RETURN_IF_ERROR(Normalize(&value, path + ".value"));
    if (!selection.parameters.emplace(wire.parameters(i).name(), std::move(value)).second) {
      return BadField(path + ".name", "each parameter is given once");
    }
  }
  return selection;
}

template <class Response>
void EncodeContext(const AnswerContext& context, Response* response) {
  EncodePosition(context.position, response->mutable_positions());
  response->set_now_us(context.now_us);
  response->set_truncated_count(context.truncated_count);
  response->mutable_filling()->Add(context.filling.begin(), context.filling.end());
}

StatusOr<std::vector<std::string>> DecodeSelect(const WireStrings& wire) { return DecodeList(wire, kSelectMax, "SELECT", "select"); }
StatusOr<std::vector<std::string>> DecodeIdentifierTypes(const WireStrings& wire) {
  return DecodeList(wire, kIdentifierTypesMax, "IDENTIFIER_TYPES", "identifier_types");
}

template <class Response>
void EncodeRows(const ResultBatch& rows, Response* response) {
  response->mutable_profile_ids()->Reserve(static_cast<int>(rows.profile_ids.size()));
  for (ProfileId id : rows.profile_ids) response->add_profile_ids(id.value);
  EncodeBatch(rows, response->mutable_batch());
  EncodeIdentifiers(rows, response->mutable_identifiers());
}

StatusOr<Measure> DecodeMeasure(const v1::Measure& wire, std::string_view field) {
  if (wire.of().empty()) return BadField(fmt::format("{}.of", field), "an attribute or expression is required");
  if (wire.quantiles_size() > kQuantilesMax) {
    return OverLimit("QUANTILES", fmt::format("{}.quantiles", field), static_cast<uint64_t>(wire.quantiles_size()), kQuantilesMax);
  }
  if (wire.bounds_size() > kBoundsMax) {
    return OverLimit("BOUNDS", fmt::format("{}.bounds", field), static_cast<uint64_t>(wire.bounds_size()), kBoundsMax);
  }
  Measure measure{.of = wire.of(), .quantiles = {wire.quantiles().begin(), wire.quantiles().end()}, .bounds = {}};
  for (int i = 0; i < wire.quantiles_size(); ++i) {
    // Written so that NaN is refused too.
    if (!(wire.quantiles(i) >= 0 && wire.quantiles(i) <= 1))
      return BadField(fmt::format("{}.quantiles[{}]", field, i), "a quantile is 0 to 1");
  }
  for (int i = 0; i < wire.bounds_size(); ++i) {
    std::string path = fmt::format("{}.bounds[{}]", field, i);
    KORREL_ASSIGN_OR_RETURN(Value bound, DecodeValue(wire.bounds(i), path));
    KORREL_RETURN_IF_ERROR(Normalize(&bound, path));
    if (!IsPresent(bound)) return BadField(path, "a value is required");
    measure.bounds.push_back(std::move(bound));
  }
  return measure;
}

// The tree is at most as deep as an expression nests.
void EncodePlan(const ExplainNode& node, bool one_profile, v1::PlanNode* out) {
  out->set_text(node.text);
  out->set_type(EncodeType(node.type));
  out->set_profile_count(node.profile_count);
  out->set_blocks_read(node.blocks_read);
  out->set_blocks_pruned(node.blocks_pruned);
  out->set_duration_ns(node.duration_ns);
  out->set_access(node.access);
  out->set_absent_count(node.absent_count);
  if (one_profile) {
    out->set_truth(node.truth);
    out->set_needed(node.needed);
    EncodeValue(node.actual, out->mutable_actual());
    out->set_valid_until_us(node.valid_until_us);
  }
  for (const ExplainNode& input : node.inputs) EncodePlan(input, one_profile, out->add_inputs());
}

StatusOr<MemberOperation> DecodeMemberOperation(v1::MemberOperation wire) {
  switch (wire) {
    case v1::MEMBER_OPERATION_UNSPECIFIED:
    case v1::MEMBER_OPERATION_ADD:
      return MemberOperation::kAdd;
    case v1::MEMBER_OPERATION_PUT:
      return MemberOperation::kPut;
    case v1::MEMBER_OPERATION_REMOVE:
      return MemberOperation::kRemove;
    default:
      return BadField("operation", fmt::format("operation {} is not known here", static_cast<int>(wire)));
  }
}

void EncodeSegmentChange(const SegmentChange& change, uint32_t segment, v1::SegmentChange* out) {
  out->set_change(change.entered ? v1::MEMBERSHIP_CHANGE_ENTERED : v1::MEMBERSHIP_CHANGE_EXITED);
  out->set_segment(segment);
  out->set_profile(FormatProfileId(change.profile));
  out->mutable_position()->set_value(change.position.value);
  out->set_time_us(change.time_us);
  out->set_cause(static_cast<v1::ChangeCause>(change.cause));
  out->set_profile_id(change.profile.value);
}
static_assert(static_cast<int>(ChangeCause::kWrite) == v1::CHANGE_CAUSE_WRITE &&
              static_cast<int>(ChangeCause::kClock) == v1::CHANGE_CAUSE_CLOCK &&
              static_cast<int>(ChangeCause::kRetention) == v1::CHANGE_CAUSE_RETENTION &&
              static_cast<int>(ChangeCause::kDefinition) == v1::CHANGE_CAUSE_DEFINITION &&
              static_cast<int>(ChangeCause::kDelete) == v1::CHANGE_CAUSE_DELETE &&
              static_cast<int>(ChangeCause::kErasure) == v1::CHANGE_CAUSE_ERASURE);

}  // namespace

Status AnswerCount(Database& database, const CallContext& call, const v1::CountRequest& request, v1::CountResponse* response) {
  KORREL_ASSIGN_OR_RETURN(Selection selection, DecodeSelection(call, request.selection(), "selection"));
  KORREL_ASSIGN_OR_RETURN(CountAnswer answer, database.Count(selection));
  response->set_count(answer.count);
  response->set_normal_form(answer.normal_form);
  EncodeContext(answer, response);
  return absl::OkStatus();
}

Status AnswerSample(Database& database, const CallContext& call, const v1::SampleRequest& request, v1::SampleResponse* response) {
  SampleRequest sample;
  KORREL_ASSIGN_OR_RETURN(sample.selection, DecodeSelection(call, request.selection(), "selection"));
  sample.size = request.size();
  sample.seed = request.seed();
  KORREL_ASSIGN_OR_RETURN(sample.select, DecodeSelect(request.select()));
  KORREL_ASSIGN_OR_RETURN(sample.identifier_types, DecodeIdentifierTypes(request.identifier_types()));
  KORREL_ASSIGN_OR_RETURN(SampleAnswer answer, database.Sample(sample));
  EncodeRows(answer.batch, response);
  EncodeSchema(answer.batch.fields, 0, response->mutable_batch()->mutable_schema());
  response->set_member_count(answer.member_count);
  EncodeContext(answer, response);
  return absl::OkStatus();
}

Status AnswerBreakdown(Database& database, const CallContext& call, const v1::BreakdownRequest& request, v1::BreakdownResponse* response) {
  BreakdownRequest breakdown;
  KORREL_ASSIGN_OR_RETURN(breakdown.selection, DecodeSelection(call, request.selection(), "selection"));
  KORREL_ASSIGN_OR_RETURN(breakdown.by, DecodeList(request.by(), kGroupFieldsMax, "GROUP_FIELDS", "by"));
  if (request.measures_size() > kMeasuresMax) {
    return OverLimit("MEASURES", "measures", static_cast<uint64_t>(request.measures_size()), kMeasuresMax);
  }
  for (int i = 0; i < request.measures_size(); ++i) {
    KORREL_ASSIGN_OR_RETURN(Measure measure, DecodeMeasure(request.measures(i), fmt::format("measures[{}]", i)));
    breakdown.measures.push_back(std::move(measure));
  }
  breakdown.limit = request.limit();
  KORREL_ASSIGN_OR_RETURN(BreakdownAnswer answer, database.Breakdown(breakdown));
  EncodeBatch(answer.groups, response->mutable_groups());
  EncodeSchema(answer.groups.fields, 0, response->mutable_groups()->mutable_schema());
  response->set_total_count(answer.total_count);
  response->set_other_count(answer.other_count);
  response->set_groups_overlap(answer.groups_overlap);
  EncodeContext(answer, response);
  return absl::OkStatus();
}

Status AnswerOverlap(Database& database, const CallContext& call, const v1::OverlapRequest& request, v1::OverlapResponse* response) {
  if (request.selections_size() == 0) return BadField("selections", "at least one selection is required");
  if (request.selections_size() > kSelectionsMax) {
    return OverLimit("SELECTIONS", "selections", static_cast<uint64_t>(request.selections_size()), kSelectionsMax);
  }
  std::vector<Selection> selections;
  for (int i = 0; i < request.selections_size(); ++i) {
    KORREL_ASSIGN_OR_RETURN(Selection selection, DecodeSelection(call, request.selections(i), fmt::format("selections[{}]", i)));
    selections.push_back(std::move(selection));
  }
  KORREL_ASSIGN_OR_RETURN(OverlapAnswer answer, database.Overlap(selections));
  response->mutable_counts()->Add(answer.counts.begin(), answer.counts.end());
  response->set_population_count(answer.population_count);
  response->mutable_jaccard()->Add(answer.jaccard.begin(), answer.jaccard.end());
  response->mutable_lift()->Add(answer.lift.begin(), answer.lift.end());
  EncodeContext(answer, response);
  return absl::OkStatus();
}

Status AnswerExplain(Database& database, const CallContext& call, const v1::ExplainRequest& request, v1::ExplainResponse* response) {
  KORREL_ASSIGN_OR_RETURN(Selection selection, DecodeSelection(call, request.selection(), "selection"));
  KORREL_ASSIGN_OR_RETURN(ExplainAnswer answer, database.Explain(selection, request.profile()));
  EncodePlan(answer.plan, !request.profile().empty(), response->mutable_plan());
  response->set_normal_form(answer.normal_form);
  EncodeContext(answer, response);
  return absl::OkStatus();
}

Status AnswerSegmentsOf(Database& database, const CallContext& call, const v1::SegmentsOfRequest& request,
                        v1::SegmentsOfResponse* response) {
  KORREL_RETURN_IF_ERROR(RefusePurpose(request.purpose(), "purpose"));
  KORREL_ASSIGN_OR_RETURN(ReadOptions read, DecodeRead(call, request.min_positions(), "min_positions"));
  KORREL_ASSIGN_OR_RETURN(Database::SegmentsOfAnswer answer, database.SegmentsOf(request.profile(), read));
  for (const std::string& segment : answer.segments) response->add_segments(segment);
  for (const std::string& name : answer.filling) response->add_filling(name);
  EncodePosition(answer.position, response->mutable_positions());
  response->set_now_us(answer.now_us);
  return absl::OkStatus();
}

StatusOr<Ack> AnswerUpdateMembers(Database& database, const CallContext& call, const v1::UpdateMembersRequest& request,
                                  v1::UpdateMembersResponse* response) {
  if (request.segment().empty()) return BadField("segment", "a name is required");
  if (request.has_selection() && request.profiles_size() > 0) return BadField("profiles", "give profiles or a selection, not both");
  if (request.expire_time_us() < 0) return BadField("expire_time_us", "before 1970");
  UpdateMembersRequest update;
  update.segment = request.segment();
  KORREL_ASSIGN_OR_RETURN(update.operation, DecodeMemberOperation(request.operation()));
  KORREL_ASSIGN_OR_RETURN(update.profiles, DecodeList(request.profiles(), kMembersMax, "MEMBERS", "profiles"));
  if (request.has_selection()) {
    KORREL_ASSIGN_OR_RETURN(update.selection, DecodeSelection(call, request.selection(), "selection"));
  }
  update.expire_time_us = request.expire_time_us();
  KORREL_ASSIGN_OR_RETURN(update.write, DecodeWriteOptions(call, request));
  KORREL_ASSIGN_OR_RETURN(UpdateMembersAnswer answer, database.UpdateMembers(update));
  EncodeWriteResult(answer.result, response->mutable_result());
  response->set_member_count(answer.member_count);
  return Ack{answer.result.position, update.write.durability};
}

StatusOr<std::unique_ptr<QuerySource>> QuerySource::Open(Database& database, const CallContext& call, const v1::QueryRequest& request) {
  QueryRequest query;
  KORREL_ASSIGN_OR_RETURN(query.selection, DecodeSelection(call, request.selection(), "selection"));
  if (!request.projection().empty()) {
    if (request.select_size() > 0) return BadField("select", "give a projection or select, not both");
    KORREL_ASSIGN_OR_RETURN(query.projection, database.FindProjection(request.projection()));
  }
  KORREL_ASSIGN_OR_RETURN(query.select, DecodeSelect(request.select()));
  query.order_by = {request.order_by().by(), request.order_by().descending()};
  query.limit = request.limit();
  query.resume_token = request.resume_token();
  KORREL_ASSIGN_OR_RETURN(query.identifier_types, DecodeIdentifierTypes(request.identifier_types()));
  bool sends_schema = request.projection().empty();
  KORREL_ASSIGN_OR_RETURN(std::unique_ptr<QueryStream> stream, database.Query(std::move(query)));
  return std::unique_ptr<QuerySource>(new QuerySource(std::move(stream), sends_schema));
}

StatusOr<bool> QuerySource::Next(v1::QueryResponse* response) {
  KORREL_ASSIGN_OR_RETURN(std::optional<QueryStream::Chunk> chunk, stream_->Next(kQueryMessageBytes));
  if (!chunk && sent_any_) return false;
  if (chunk) {
    EncodeRows(chunk->batch, response);
    response->set_resume_token(chunk->resume_token);
    EncodeContext(chunk->context, response);
  }
  if (!sent_any_ && sends_schema_) EncodeSchema(stream_->fields(), 0, response->mutable_batch()->mutable_schema());
  sent_any_ = true;
  return true;
}

StatusOr<std::unique_ptr<WatchSource>> WatchSource::Open(Database& database, const v1::WatchRequest& request) {
  WatchRequest watch;
  KORREL_ASSIGN_OR_RETURN(watch.segments, DecodeList(request.segments(), kWatchSegmentsMax, "WATCH_SEGMENTS", "segments"));
  if (request.after_positions_size() > 0) {
    KORREL_ASSIGN_OR_RETURN(watch.after_position, DecodePositions(request.after_positions(), "after_positions"));
  }
  uint32_t buffer = request.max_buffer_bytes();
  if (buffer == 0) buffer = kWatchBufferBytesDefault;
  if (buffer < kWatchBufferBytesMin || buffer > kWatchBufferBytesMax) {
    return BadField("max_buffer_bytes", fmt::format("{} is not within {} to {}", buffer, kWatchBufferBytesMin, kWatchBufferBytesMax));
  }
  KORREL_ASSIGN_OR_RETURN(std::unique_ptr<WatchStream> stream, database.Watch(watch));
  return std::unique_ptr<WatchSource>(new WatchSource(&database.log(), std::move(stream), buffer));
}

StatusOr<bool> WatchSource::Next(v1::WatchResponse* response) {
  // What is in the log by now was there to be taken whatever the consumer does; what comes from here on waits for him.
  Position end = log_->Durable();
  KORREL_ASSIGN_OR_RETURN(WatchStream::Chunk chunk, stream_->Take(kWatchMessageBytes));
  told_ = chunk.position;
  arrived_ = {.bytes = 0, .position = std::max(end, told_)};
  std::map<std::string_view, uint32_t> index_by_name;
  for (const SegmentChange& change : chunk.changes) {
    auto [it, is_new] = index_by_name.try_emplace(change.segment, static_cast<uint32_t>(index_by_name.size()));
    if (is_new) response->add_segments(std::string(change.segment));
    EncodeSegmentChange(change, it->second, response->add_changes());
  }
  EncodePosition(told_, response->mutable_positions());
  return !chunk.changes.empty();
}

Status WatchSource::CheckBuffer() {
  StatusOr<WatchStream::Backlog> more = stream_->LookAhead(arrived_.position);
  if (!more.ok()) return ReasonOf(more.status()) == "POSITION_GONE" ? TooSlow() : more.status();
  arrived_ = {.bytes = arrived_.bytes + more->bytes, .position = more->position};
  return arrived_.bytes > buffer_bytes_ ? TooSlow() : absl::OkStatus();
}

Status WatchSource::TooSlow() const {
  return WithPosition(
      MakeError(absl::StatusCode::kResourceExhausted, "SLOW_CONSUMER", "",
                fmt::format("the changes were not read as fast as they came: more than {} bytes wait; go on from position {}",
                            buffer_bytes_, told_.value)),
      told_);
}

}  // namespace korrel::server
