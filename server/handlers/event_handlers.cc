#include "server/handlers/event_handlers.h"

#include <fmt/format.h>

#include "server/codec/request_digest.h"
#include "server/codec/value_codec.h"
#include "server/codec/write_codec.h"
#include "server/errors.h"
#include "server/handlers/common.h"
#include "server/limits.h"

namespace korrel::server {
namespace {

StatusOr<WriteResult> TrackDecoded(Database& database, const WireEvents& events, const WireEventBatches& batches,
                                   const WriteOptions& options) {
  KORREL_ASSIGN_OR_RETURN(DecodedEvents decoded, DecodeEvents(events, batches));
  KORREL_ASSIGN_OR_RETURN(WriteResult result, database.Track(decoded.items, options));
  return MergeResult(std::move(result), decoded.index_of, std::move(decoded.refused), PlacesOf(events, batches));
}

uint32_t ItemCount(const v1::TrackStreamRequest& request) {
  uint32_t count = static_cast<uint32_t>(request.events_size());
  for (const v1::EventBatch& batch : request.batches()) count += batch.properties().size();
  return count;
}

}  // namespace

StatusOr<Ack> AnswerTrack(Database& database, const CallContext& call, const v1::TrackRequest& request, v1::TrackResponse* response) {
  KORREL_ASSIGN_OR_RETURN(WriteOptions options, DecodeWriteOptions(call, request));
  KORREL_ASSIGN_OR_RETURN(WriteResult result, TrackDecoded(database, request.events(), request.batches(), options));
  EncodeWriteResult(result, response->mutable_result());
  return Ack{result.position, options.durability};
}

Status TrackSession::Check(const v1::TrackStreamRequest& request) {
  if (last_sequence_ == 0) {
    if (request.stream_id().empty()) return InvalidArgument("FIELD", "stream_id", "stream_id: the first message must name the stream");
    if (request.stream_id().size() > kStreamIdBytesMax) {
      return OverLimit("STREAM_ID_BYTES", "stream_id", request.stream_id().size(), kStreamIdBytesMax);
    }
    if (request.stream_id().find(kStreamIdSeparator) != std::string::npos) {
      return InvalidArgument("FIELD", "stream_id", "stream_id: the byte 0x01 is not allowed");
    }
    if (request.sequence() == 0) return InvalidArgument("FIELD", "sequence", "sequence: messages are numbered from 1");
    KORREL_ASSIGN_OR_RETURN(durability_, DecodeDurability(request.durability(), "durability"));
    stream_id_ = request.stream_id();
  } else {
    if (!request.stream_id().empty() && request.stream_id() != stream_id_) {
      return InvalidArgument("FIELD", "stream_id", "stream_id: another one than in the first message");
    }
    if (request.sequence() != last_sequence_ + 1) {
      return InvalidArgument("FIELD", "sequence", fmt::format("sequence: {} behind {}", request.sequence(), last_sequence_));
    }
  }
  if (request.source().size() > kSourceBytesMax) return OverLimit("SOURCE_BYTES", "source", request.source().size(), kSourceBytesMax);
  if (!request.source().empty()) source_ = request.source();
  last_sequence_ = request.sequence();
  return absl::OkStatus();
}

StatusOr<TrackSession::Applied> TrackSession::Apply(const v1::TrackStreamRequest& request) {
  KORREL_RETURN_IF_ERROR(Check(request));
  WriteOptions options;
  options.request_id = fmt::format("{}{}{}", stream_id_, kStreamIdSeparator, request.sequence());
  // A message repeated as the first of a resumed stream names what the stream's first message named: stream id, durability and
  // source belong to the stream, and only what they came to is compared.
  using Request = v1::TrackStreamRequest;
  options.request_digest =
      DigestWithout(request, {Request::kStreamIdFieldNumber, Request::kDurabilityFieldNumber, Request::kSourceFieldNumber}, source_);
  options.durability = durability_;
  options.source = source_;
  KORREL_ASSIGN_OR_RETURN(WriteResult result, TrackDecoded(*database_, request.events(), request.batches(), options));
  Applied applied{.ack = {result.position, durability_}, .sequence = request.sequence(), .item_count = ItemCount(request), .result = {}};
  EncodeWriteResult(result, &applied.result);
  return applied;
}

void MergeAcknowledgement(const v1::WriteResult& next, uint32_t items, v1::WriteResult* into) {
  // Positions ascend within a stream: the newest stands for all.
  if (next.positions_size() > 0) *into->mutable_positions() = next.positions();
  into->set_durability(next.durability());
  into->set_applied_count(into->applied_count() + next.applied_count());
  for (const std::string& note : next.notes()) into->add_notes(note);
  for (uint32_t index : next.duplicate_indexes()) into->add_duplicate_indexes(index + items);
  for (const v1::ItemError& error : next.errors()) {
    v1::ItemError* added = into->add_errors();
    *added = error;
    added->set_index(error.index() + items);
  }
}

}  // namespace korrel::server
