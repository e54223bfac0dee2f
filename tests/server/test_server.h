// tests/server/test_server.h
//
// A database behind a real server on a loopback port, and clients to it.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "engine/database.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "korrel/v1/admin_service.grpc.pb.h"
#include "korrel/v1/catalog_service.grpc.pb.h"
#include "korrel/v1/event_service.grpc.pb.h"
#include "korrel/v1/profile_service.grpc.pb.h"
#include "korrel/v1/segment_service.grpc.pb.h"
#include "server/server.h"

namespace korrel::server {

inline constexpr int64_t kSecond = 1'000'000;
// 2024-01-01T00:00:00Z: where the tests' clock stands.
inline constexpr int64_t kNow = int64_t{1'704'067'200} * kSecond;

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    DatabaseOptions options;
    options.shards = 4;
    options.threads = 2;
    options.clock = MakeClock();
    database_ = Database::Open(std::move(options)).value();
    server_ = Server::Start(database_.get(), {.listen = "127.0.0.1:0"}).value();
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    profiles_ = v1::ProfileService::NewStub(channel_);
    events_ = v1::EventService::NewStub(channel_);
    catalog_ = v1::CatalogService::NewStub(channel_);
    segments_ = v1::SegmentService::NewStub(channel_);
    admin_ = v1::AdminService::NewStub(channel_);
  }
  static std::unique_ptr<Clock> MakeClock() { return Clock::MakeManual(kNow); }

  // One call with a generous deadline: `Call(*profiles_, &Stub::GetProfile, request, &response)`.
  template <class Stub, class Request, class Response>
  grpc::Status Call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), const Request& request,
                    Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return (stub.*method)(&context, request, response);
  }

  v1::ProfileWrite Write(const std::string& identifier, const std::string& attribute, int64_t value) {
    v1::ProfileWrite write;
    write.add_identifiers(identifier);
    v1::AttributeWrite* out = write.add_attributes();
    out->set_name(attribute);
    out->mutable_value()->set_int_value(value);
    return write;
  }
  v1::Event MakeEvent(const std::string& identifier, const std::string& type, const std::string& message_id = "") {
    v1::Event event;
    event.add_identifiers(identifier);
    event.set_type(type);
    event.set_event_time_us(kNow - 3'600 * kSecond);
    event.set_message_id(message_id);
    return event;
  }
  // `count` profiles n:0 … with the attribute `i` from 0 on.
  void Fill(int count) {
    v1::UpsertProfilesRequest request;
    for (int i = 0; i < count; ++i) *request.add_writes() = Write("n:" + std::to_string(i), "i", i);
    v1::UpsertProfilesResponse response;
    grpc::Status status = Call(*profiles_, &v1::ProfileService::Stub::UpsertProfiles, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(response.result().applied_count(), static_cast<uint32_t>(count));
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ProfileService::Stub> profiles_;
  std::unique_ptr<v1::EventService::Stub> events_;
  std::unique_ptr<v1::CatalogService::Stub> catalog_;
  std::unique_ptr<v1::SegmentService::Stub> segments_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
};

// The details of an error; empty messages where there are none.
struct ErrorDetails {
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad_request;
  v1::ExpressionError expression;
};
inline ErrorDetails DetailsOf(const grpc::Status& status) {
  ErrorDetails details;
  google::rpc::Status rpc;
  EXPECT_TRUE(rpc.ParseFromString(status.error_details()));
  EXPECT_EQ(rpc.code(), static_cast<int>(status.error_code()));
  for (const google::protobuf::Any& any : rpc.details()) {
    any.UnpackTo(&details.info) || any.UnpackTo(&details.bad_request) || any.UnpackTo(&details.expression);
  }
  return details;
}
inline std::string ReasonOf(const grpc::Status& status) {
  ErrorDetails details = DetailsOf(status);
  EXPECT_EQ(details.info.domain(), "korrel");
  return details.info.reason();
}
inline std::string FieldOf(const grpc::Status& status) {
  ErrorDetails details = DetailsOf(status);
  return details.bad_request.field_violations_size() > 0 ? details.bad_request.field_violations(0).field() : "";
}

}  // namespace korrel::server
