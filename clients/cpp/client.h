// clients/cpp/client.h
//
// Client talks to a Korrel server: every call with a deadline, every write with a request id, every answer a value or a
// korrel::Status with reason, field and the place in an expression.
//
// Threads    Safe for any number of threads; calls do not wait for each other.
// Lifetime   A QueryReader or WatchReader must not outlive its Client.
// Errors     UNAVAILABLE is retried with the same request id, at most for `retry_for` and within the call's deadline; what is
//            answered after that is unknown in its effect, and safe to repeat with the same request id.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "clients/cpp/error.h"
#include "korrel/v1/admin_service.grpc.pb.h"
#include "korrel/v1/catalog_service.grpc.pb.h"
#include "korrel/v1/event_service.grpc.pb.h"
#include "korrel/v1/profile_service.grpc.pb.h"
#include "korrel/v1/segment_service.grpc.pb.h"

namespace korrel {

struct ClientOptions {
  std::string address = "127.0.0.1:7650";
  // Who listens nowhere is refused at once; this is for a server, or a way to it, that is too busy to answer the handshake.
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds call_timeout{60'000};
  std::chrono::milliseconds retry_for{3'000};
};

// 32 random hex digits.
std::string NewRequestId();

// A prepared projection: hot reads send its handle instead of names. The client prepares it again when the server forgot it.
struct Projection {
  std::vector<std::string> select;
  std::string handle;
  v1::Schema schema;
};

class QueryReader;
class WatchReader;

class Client {
 public:
  // Answers within connect_timeout: a client that has reached a server, or UNAVAILABLE.
  static StatusOr<std::unique_ptr<Client>> Connect(ClientOptions options);
  // A client over a channel of the caller's; does not wait for the connection.
  Client(std::shared_ptr<grpc::Channel> channel, ClientOptions options);

  StatusOr<v1::GetProfileResponse> GetProfile(v1::GetProfileRequest request);
  StatusOr<v1::BatchGetProfilesResponse> BatchGetProfiles(v1::BatchGetProfilesRequest request);
  StatusOr<v1::UpsertProfilesResponse> UpsertProfiles(v1::UpsertProfilesRequest request);
  StatusOr<v1::DeleteProfileResponse> DeleteProfile(v1::DeleteProfileRequest request);
  StatusOr<v1::ListEventsResponse> ListEvents(v1::ListEventsRequest request);

  StatusOr<Projection> PrepareProjection(std::vector<std::string> select);
  StatusOr<v1::GetProfileResponse> GetProfile(Projection* projection, v1::GetProfileRequest request);
  StatusOr<v1::BatchGetProfilesResponse> BatchGetProfiles(Projection* projection, v1::BatchGetProfilesRequest request);

  StatusOr<v1::TrackResponse> Track(v1::TrackRequest request);

  StatusOr<v1::ApplyDefinitionsResponse> ApplyDefinitions(v1::ApplyDefinitionsRequest request);
  StatusOr<v1::GetDefinitionResponse> GetDefinition(v1::GetDefinitionRequest request);
  StatusOr<v1::ListDefinitionsResponse> ListDefinitions(v1::ListDefinitionsRequest request);
  StatusOr<v1::DeleteDefinitionResponse> DeleteDefinition(v1::DeleteDefinitionRequest request);
  StatusOr<v1::PreviewDefinitionsResponse> PreviewDefinitions(v1::PreviewDefinitionsRequest request);
  StatusOr<v1::RetypeAttributeResponse> RetypeAttribute(v1::RetypeAttributeRequest request);

  StatusOr<v1::CountResponse> Count(v1::CountRequest request);
  StatusOr<v1::SampleResponse> Sample(v1::SampleRequest request);
  StatusOr<v1::BreakdownResponse> Breakdown(v1::BreakdownRequest request);
  StatusOr<v1::OverlapResponse> Overlap(v1::OverlapRequest request);
  StatusOr<v1::ExplainResponse> Explain(v1::ExplainRequest request);
  StatusOr<v1::SegmentsOfResponse> SegmentsOf(v1::SegmentsOfRequest request);
  StatusOr<v1::UpdateMembersResponse> UpdateMembers(v1::UpdateMembersRequest request);
  std::unique_ptr<QueryReader> Query(v1::QueryRequest request);
  std::unique_ptr<WatchReader> Watch(v1::WatchRequest request);

  StatusOr<v1::StatusResponse> ServerStatus();
  StatusOr<v1::AdvanceClockResponse> AdvanceClock(v1::AdvanceClockRequest request);

  const ClientOptions& options() const { return options_; }
  v1::EventService::Stub* events() { return events_.get(); }
  v1::SegmentService::Stub* segments() { return segments_.get(); }

 private:
  template <class Response, class Stub, class Request>
  StatusOr<Response> Call(Stub* stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                          const Request& request);

  std::shared_ptr<grpc::Channel> channel_;
  ClientOptions options_;
  std::unique_ptr<v1::ProfileService::Stub> profiles_;
  std::unique_ptr<v1::EventService::Stub> events_;
  std::unique_ptr<v1::CatalogService::Stub> catalog_;
  std::unique_ptr<v1::SegmentService::Stub> segments_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
};

// QueryReader reads the answer of Query message by message, and goes on with the resume token after a broken connection.
//
// Threads    One thread.
class QueryReader {
 public:
  QueryReader(v1::SegmentService::Stub* stub, ClientOptions options, v1::QueryRequest request);
  ~QueryReader();

  // The next message; false at the end. The schema stands in the first message and in schema().
  StatusOr<bool> Next(v1::QueryResponse* response);
  const v1::Schema& schema() const { return schema_; }

 private:
  void Start();

  v1::SegmentService::Stub* stub_;
  ClientOptions options_;
  v1::QueryRequest request_;
  uint64_t received_ = 0;
  uint64_t limit_ = 0;
  int failures_ = 0;
  v1::Schema schema_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReader<v1::QueryResponse>> stream_;
};

// WatchReader reads the answer of Watch message by message. A broken stream is the caller's to take up again, from positions():
// what it has done with the changes so far only it can know.
//
// Threads    One thread; Cancel from any.
class WatchReader {
 public:
  WatchReader(v1::SegmentService::Stub* stub, v1::WatchRequest request);
  ~WatchReader();

  // The next message; waits for it. false: cancelled.
  StatusOr<bool> Next(v1::WatchResponse* response);
  void Cancel();
  // Of the last message read; before the first those asked for.
  const google::protobuf::RepeatedPtrField<v1::Position>& positions() const { return positions_; }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> stream_;
  google::protobuf::RepeatedPtrField<v1::Position> positions_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace korrel
