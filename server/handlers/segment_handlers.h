// server/handlers/segment_handlers.h
//
// SegmentService's handlers. See call_context.h for their shape. Query and Watch are pull sources: each Next makes one message when
// the transport has room for it.
#pragma once

#include <memory>

#include "engine/database.h"
#include "korrel/v1/segment_service.pb.h"
#include "server/call_context.h"

namespace korrel::server {

namespace v1 = ::korrel::v1;

Status AnswerCount(Database& database, const CallContext& call, const v1::CountRequest& request, v1::CountResponse* response);
Status AnswerSample(Database& database, const CallContext& call, const v1::SampleRequest& request, v1::SampleResponse* response);
Status AnswerBreakdown(Database& database, const CallContext& call, const v1::BreakdownRequest& request, v1::BreakdownResponse* response);
Status AnswerOverlap(Database& database, const CallContext& call, const v1::OverlapRequest& request, v1::OverlapResponse* response);
Status AnswerExplain(Database& database, const CallContext& call, const v1::ExplainRequest& request, v1::ExplainResponse* response);
Status AnswerSegmentsOf(Database& database, const CallContext& call, const v1::SegmentsOfRequest& request,
                        v1::SegmentsOfResponse* response);
StatusOr<Ack> AnswerUpdateMembers(Database& database, const CallContext& call, const v1::UpdateMembersRequest& request,
                                  v1::UpdateMembersResponse* response);

// Threads  One at a time.
class QuerySource {
 public:
  static StatusOr<std::unique_ptr<QuerySource>> Open(Database& database, const CallContext& call, const v1::QueryRequest& request);
  // Fills one message; false: the end, nothing filled. The first call always fills one, also where nothing matches.
  StatusOr<bool> Next(v1::QueryResponse* response);

 private:
  QuerySource(std::unique_ptr<QueryStream> stream, bool sends_schema) : stream_(std::move(stream)), sends_schema_(sends_schema) {}
  std::unique_ptr<QueryStream> stream_;
  bool sends_schema_;
  bool sent_any_ = false;
};

// Threads  One at a time.
class WatchSource {
 public:
  static StatusOr<std::unique_ptr<WatchSource>> Open(Database& database, const v1::WatchRequest& request);
  // Fills a message with what is there already; false: there are no changes, and the message is a mark of progress.
  StatusOr<bool> Next(v1::WatchResponse* response);
  // Whether more has come than the consumer's buffer holds, since the last Next. The changes stay where they are, in the log.
  // Errors: kResourceExhausted SLOW_CONSUMER with the position to resume from.
  Status CheckBuffer();
  Position told() const { return told_; }  // by the messages so far

 private:
  WatchSource(const Log* log, std::unique_ptr<WatchStream> stream, size_t buffer_bytes)
      : log_(log), stream_(std::move(stream)), buffer_bytes_(buffer_bytes) {}
  Status TooSlow() const;
  const Log* const log_;
  std::unique_ptr<WatchStream> stream_;
  const size_t buffer_bytes_;
  Position told_;
  WatchStream::Backlog arrived_;  // behind the log's end at the last Next
};

}  // namespace korrel::server
