// server/handlers/event_handlers.h
//
// EventService's handlers. See call_context.h for their shape.
//
// TrackSession is a TrackStream without the stream: it checks the order of the messages, gives each its request id
// (stream_id, sequence) and remembers what the first message said for the whole stream.
#pragma once

#include <string>

#include "engine/database.h"
#include "korrel/v1/event_service.pb.h"
#include "server/call_context.h"

namespace korrel::server {

namespace v1 = ::korrel::v1;

StatusOr<Ack> AnswerTrack(Database& database, const CallContext& call, const v1::TrackRequest& request, v1::TrackResponse* response);

// Threads  One at a time.
class TrackSession {
 public:
  explicit TrackSession(Database* database) : database_(database) {}
  struct Applied {
    Ack ack;
    uint64_t sequence = 0;
    uint32_t item_count = 0;
    v1::WriteResult result;  // indexes count from 0 within the message
  };
  // Errors: what refuses the message as a whole; the stream ends with it.
  StatusOr<Applied> Apply(const v1::TrackStreamRequest& request);

 private:
  Status Check(const v1::TrackStreamRequest& request);
  Database* database_;
  std::string stream_id_, source_;
  Durability durability_ = Durability::kUnspecified;
  uint64_t last_sequence_ = 0;  // 0: no message yet
};

// Adds `next` to an acknowledgement that already holds `items` items.
void MergeAcknowledgement(const v1::WriteResult& next, uint32_t items, v1::WriteResult* into);

}  // namespace korrel::server
