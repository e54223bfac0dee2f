#include "server/handlers/admin_handlers.h"

#include "server/codec/value_codec.h"
#include "server/handlers/common.h"

namespace korrel::server {

Status AnswerStatus(Database& database, const CallContext&, const v1::StatusRequest&, v1::StatusResponse* response) {
  StatusAnswer status = database.GetStatus();
  response->set_version(KORREL_VERSION);
  response->set_profile_count(status.profile_count);
  response->set_event_count(status.event_count);
  response->set_memory_bytes(status.memory_bytes);
  response->set_memory_limit_bytes(status.memory_limit_bytes);
  response->set_shards(status.shards);
  response->set_clock_mode(status.clock_mode == ClockMode::kSystem ? v1::CLOCK_MODE_SYSTEM : v1::CLOCK_MODE_REPLAY);
  response->set_now_us(status.now_us);
  response->set_timer_lag_us(status.timer_lag_us);
  response->set_catalog_revision(status.catalog_revision);
  EncodePosition(status.position, response->mutable_positions());
  response->set_time_zone_version(status.time_zone_version);
  for (const LimitView& limit : status.limits) {
    v1::Limit* wire = response->add_limits();
    wire->set_name(limit.name);
    wire->set_value(limit.value);
    wire->set_used(limit.used);
  }
  EncodePosition(status.durable_position, response->mutable_durable_positions());
  response->set_oldest_request_age_us(static_cast<int64_t>(status.oldest_request_age_us));
  for (const std::string& type : status.event_types_without_retention) response->add_event_types_without_retention(type);
  // Nothing is recovered into memory: a server that answers is complete.
  response->set_recovery_ratio(1);
  return absl::OkStatus();
}

StatusOr<Ack> AnswerAdvanceClock(Database& database, const CallContext& call, const v1::AdvanceClockRequest& request,
                                 v1::AdvanceClockResponse* response) {
  KORREL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  if (!InTimestampRange(request.to_us())) return InvalidArgument("FIELD", "to_us", "to_us: outside the years 0001 to 9999");
  KORREL_ASSIGN_OR_RETURN(Database::AdvanceAnswer answer,
                          database.AdvanceClock(request.to_us(), request.request_id(), [&call] { return call.StillWanted(); }));
  response->set_now_us(answer.now_us);
  EncodePosition(answer.position, response->mutable_positions());
  response->set_edges_processed(answer.edges_processed);
  return Ack{answer.position, Durability::kUnspecified};
}

}  // namespace korrel::server
