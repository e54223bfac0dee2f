// Streams, deadlines, and what stands beside the services: health, reflection, the call that keeps the server awake, shutdown.

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include <future>
#include <map>
#include <set>
#include <thread>

#include "tests/server/test_server.h"

namespace korrel::server {
namespace {

using testing::ElementsAre;
using Segments = v1::SegmentService::Stub;
using Events = v1::EventService::Stub;

// A unary call by its path with bytes of our own choosing.
grpc::Status CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method, const std::string& bytes,
                     std::string* response_bytes = nullptr) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  grpc::Slice slice(bytes);
  grpc::ByteBuffer request(&slice, 1), response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &request, &response, [&](grpc::Status status) { done.set_value(status); });
  grpc::Status status = done.get_future().get();
  grpc::Slice answer;
  if (status.ok() && response_bytes && response.DumpToSingleSlice(&answer).ok()) {
    response_bytes->assign(reinterpret_cast<const char*>(answer.begin()), answer.size());
  }
  return status;
}

class StreamTest : public ServerTest {
 protected:
  struct Answer {
    std::vector<uint64_t> ids;
    std::vector<int64_t> values;
    std::vector<std::string> tokens;
    size_t messages = 0, schemas = 0;
    grpc::Status status;
  };
  Answer Query(const v1::QueryRequest& request, size_t stop_after = SIZE_MAX) {
    Answer answer;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    auto reader = segments_->Query(&context, request);
    v1::QueryResponse response;
    while (answer.messages < stop_after && reader->Read(&response)) {
      ++answer.messages;
      answer.schemas += response.batch().has_schema();
      answer.ids.insert(answer.ids.end(), response.profile_ids().begin(), response.profile_ids().end());
      if (response.batch().vectors_size() > 0) {
        const auto& ints = response.batch().vectors(0).ints();
        answer.values.insert(answer.values.end(), ints.begin(), ints.end());
      }
      answer.tokens.push_back(response.resume_token());
    }
    if (answer.messages == stop_after) context.TryCancel();
    answer.status = reader->Finish();
    return answer;
  }
};

TEST_F(StreamTest, QueryStreamsEverybodyOnceWithOneSchema) {
  Fill(40'000);
  v1::QueryRequest request;
  request.mutable_selection()->set_expression("i >= 10");
  request.add_select("i");
  Answer answer = Query(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_GT(answer.messages, 1u);
  EXPECT_EQ(answer.schemas, 1u);
  EXPECT_EQ(std::set<uint64_t>(answer.ids.begin(), answer.ids.end()).size(), 39'990u);
  EXPECT_EQ(answer.ids.size(), 39'990u);
}

TEST_F(StreamTest, ABrokenQueryGoesOnBehindTheLastProfileReceived) {
  Fill(40'000);
  v1::QueryRequest request;
  request.add_select("i");
  Answer first = Query(request, 1);
  ASSERT_EQ(first.messages, 1u);
  request.set_resume_token(first.tokens.back());
  Answer rest = Query(request);
  ASSERT_TRUE(rest.status.ok()) << rest.status.error_message();
  std::multiset<uint64_t> ids(first.ids.begin(), first.ids.end());
  ids.insert(rest.ids.begin(), rest.ids.end());
  EXPECT_EQ(ids.size(), 40'000u);
  EXPECT_EQ(std::set<uint64_t>(ids.begin(), ids.end()).size(), 40'000u);

  request.mutable_selection()->set_expression("i > 3");
  Answer changed = Query(request);
  EXPECT_FALSE(changed.status.ok());
  request.set_resume_token("no token");
  EXPECT_EQ(Query(request).status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(StreamTest, ATopKComesInOrder) {
  Fill(100);
  v1::QueryRequest request;
  request.add_select("i");
  request.mutable_order_by()->set_by("i");
  request.mutable_order_by()->set_descending(true);
  request.set_limit(3);
  Answer answer = Query(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_THAT(answer.values, ElementsAre(99, 98, 97));
}

TEST_F(StreamTest, AQueryThatMatchesNobodyStillAnswersItsSchemaAndPosition) {
  Fill(1);
  v1::QueryRequest request;
  request.mutable_selection()->set_expression("i = 5");
  request.add_select("i");
  Answer answer = Query(request);
  EXPECT_TRUE(answer.status.ok());
  EXPECT_EQ(answer.messages, 1u);
  EXPECT_EQ(answer.schemas, 1u);
  EXPECT_TRUE(answer.ids.empty());
}

TEST_F(StreamTest, ASlowReaderOfAQueryHoldsNobodyUp) {
  Fill(40'000);
  v1::QueryRequest request;
  request.add_select("i");
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::QueryResponse>>> readers;
  for (int i = 0; i < 50; ++i) {  // more than there are workers, and none of them reads
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    readers.push_back(segments_->Query(contexts.back().get(), request));
  }
  v1::CountResponse counted;
  EXPECT_TRUE(Call(*segments_, &Segments::Count, v1::CountRequest(), &counted).ok());
  for (auto& context : contexts) context->TryCancel();
  v1::QueryResponse response;
  for (auto& reader : readers) {
    while (reader->Read(&response)) {
    }
    reader->Finish();
  }
}

class TrackStreamTest : public ServerTest {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::TrackStreamRequest, v1::TrackStreamResponse>;
  v1::TrackStreamRequest Message(uint64_t sequence, int events, const std::string& stream_id = "") {
    v1::TrackStreamRequest message;
    message.set_sequence(sequence);
    message.set_stream_id(stream_id);
    for (int i = 0; i < events; ++i) *message.add_events() = MakeEvent("n:1", "visit");
    return message;
  }
  // Sends everything, half-closes, reads all acknowledgements.
  grpc::Status Send(const std::vector<v1::TrackStreamRequest>& messages, std::vector<v1::TrackStreamResponse>* acknowledged) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    auto stream = events_->TrackStream(&context);
    std::thread reader([&] {
      v1::TrackStreamResponse response;
      while (stream->Read(&response)) acknowledged->push_back(response);
    });
    for (const auto& message : messages) {
      if (!stream->Write(message)) break;
    }
    stream->WritesDone();
    reader.join();
    return stream->Finish();
  }
  uint64_t EventCount() {
    v1::StatusResponse status;
    EXPECT_TRUE(Call(*admin_, &v1::AdminService::Stub::Status, v1::StatusRequest(), &status).ok());
    return status.event_count();
  }
};

TEST_F(TrackStreamTest, AcknowledgesInOrderAndCountsItemsThrough) {
  std::vector<v1::TrackStreamRequest> messages;
  for (uint64_t i = 1; i <= 50; ++i) messages.push_back(Message(i, 3, i == 1 ? "s1" : ""));
  for (auto& message : messages) message.mutable_events(2)->clear_identifiers();
  std::vector<v1::TrackStreamResponse> acknowledged;
  grpc::Status status = Send(messages, &acknowledged);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_FALSE(acknowledged.empty());
  EXPECT_EQ(acknowledged.back().sequence(), 50u);
  uint64_t before = 0, applied = 0, errors = 0;
  for (const auto& response : acknowledged) {
    EXPECT_GT(response.sequence(), before);
    applied += response.result().applied_count();
    for (int i = 0; i < response.result().errors_size(); ++i) EXPECT_EQ(response.result().errors(i).index(), 3u * i + 2);
    errors += response.result().errors_size();
    EXPECT_EQ(static_cast<uint64_t>(response.result().errors_size()), response.sequence() - before);
    before = response.sequence();
  }
  EXPECT_EQ(applied, 100u);
  EXPECT_EQ(errors, 50u);
  EXPECT_EQ(EventCount(), 100u);
}

TEST_F(TrackStreamTest, WhatIsRepeatedAfterABreakHappensOnce) {
  std::vector<v1::TrackStreamResponse> acknowledged;
  ASSERT_TRUE(Send({Message(1, 2, "s1"), Message(2, 2), Message(3, 2)}, &acknowledged).ok());
  acknowledged.clear();
  ASSERT_TRUE(Send({Message(2, 2, "s1"), Message(3, 2), Message(4, 2)}, &acknowledged).ok());
  EXPECT_EQ(acknowledged.back().sequence(), 4u);
  EXPECT_EQ(EventCount(), 8u);
  acknowledged.clear();
  grpc::Status status = Send({Message(4, 3, "s1")}, &acknowledged);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS) << "the same number with other content";
  EXPECT_EQ(EventCount(), 8u);
}

TEST_F(TrackStreamTest, AMessageOutOfOrderEndsTheStreamAndWhatCameBeforeStays) {
  std::vector<v1::TrackStreamResponse> acknowledged;
  grpc::Status status = Send({Message(1, 1, "s1"), Message(3, 1)}, &acknowledged);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FieldOf(status), "sequence");
  ASSERT_EQ(acknowledged.size(), 1u);
  EXPECT_EQ(acknowledged[0].sequence(), 1u);
  EXPECT_EQ(EventCount(), 1u);
  acknowledged.clear();
  EXPECT_EQ(FieldOf(Send({Message(1, 1)}, &acknowledged)), "stream_id");
  EXPECT_TRUE(acknowledged.empty());
}

TEST_F(TrackStreamTest, AStreamWithoutMessagesEndsWell) {
  std::vector<v1::TrackStreamResponse> acknowledged;
  EXPECT_TRUE(Send({}, &acknowledged).ok());
}

TEST_F(TrackStreamTest, AClientThatGoesAwayLeavesNothingBehind) {
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    auto stream = events_->TrackStream(&context);
    for (uint64_t k = 1; k <= 5; ++k) stream->Write(Message(k, 100, "s" + std::to_string(i)));
    context.TryCancel();
    stream->Finish();
  }
  std::vector<v1::TrackStreamResponse> acknowledged;
  EXPECT_TRUE(Send({Message(1, 1, "last")}, &acknowledged).ok());
}

TEST_F(ServerTest, WorkPastItsDeadlineIsNotBegun) {
  Fill(1);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  v1::CountResponse response;
  EXPECT_EQ(segments_->Count(&context, v1::CountRequest(), &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(ServerTest, BytesThatAreNoRequestGetAnErrorOfOurs) {
  grpc::Status status = CallRaw(channel_, "/korrel.v1.ProfileService/GetProfile", "\x0a\xff\xff");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "FIELD");
  status = CallRaw(channel_, "/korrel.v1.ProfileService/GetProfile", std::string("\x0a\x02\xc3\x28"));  // field 1, not UTF-8
  EXPECT_EQ(FieldOf(status), "profile");
  EXPECT_EQ(CallRaw(channel_, "/korrel.v1.ProfileService/NoSuchMethod", "").error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(ServerTest, HealthSaysServing) {
  std::string answer;
  ASSERT_TRUE(CallRaw(channel_, "/grpc.health.v1.Health/Check", "", &answer).ok());
  EXPECT_EQ(answer, std::string("\x08\x01")) << "HealthCheckResponse{status: SERVING}";
}

TEST_F(ServerTest, ReflectionListsTheServices) {
  // ServerReflectionRequest{list_services: ""}, field 7; one message to a stream, by hand: no stub of it is at hand.
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  grpc::CompletionQueue queue;
  auto stream = stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  void* tag = nullptr;
  bool ok = false;
  auto wait = [&] { return queue.Next(&tag, &ok) && ok; };
  stream->StartCall(&tag);
  ASSERT_TRUE(wait());
  grpc::Slice slice(std::string("\x3a\x00", 2));
  grpc::ByteBuffer request(&slice, 1), response;
  stream->Write(request, &tag);
  ASSERT_TRUE(wait());
  stream->Read(&response, &tag);
  ASSERT_TRUE(wait());
  grpc::Slice answer;
  ASSERT_TRUE(response.DumpToSingleSlice(&answer).ok());
  std::string text(reinterpret_cast<const char*>(answer.begin()), answer.size());
  for (const char* service : {"ProfileService", "EventService", "CatalogService", "SegmentService", "AdminService"}) {
    EXPECT_NE(text.find(std::string("korrel.v1.") + service), std::string::npos) << service;
  }
  context.TryCancel();
  grpc::Status status;
  stream->Finish(&status, &tag);
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
}

TEST_F(ServerTest, TheServerCallsItselfWhileIdle) {
  // No bound on the time: only that calls go on being answered.
  while (server_->keep_warm().calls_answered() < 2) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

TEST_F(ServerTest, StoppingEndsOpenStreamsAndWaitingReads) {
  Fill(1);
  grpc::ClientContext stream_context, read_context;
  auto stream = events_->TrackStream(&stream_context);
  v1::GetProfileRequest get;
  get.set_profile("n:0");
  get.add_min_positions()->set_value(database_->log().Last().value + 1'000'000);
  std::thread reader([&] {
    v1::GetProfileResponse response;
    EXPECT_EQ(profiles_->GetProfile(&read_context, get, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
  });
  // The read has reached the gate, or has not come in yet: either way it must end.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  server_->Stop();
  reader.join();
  EXPECT_FALSE(stream->Finish().ok());
  v1::CountResponse counted;
  EXPECT_EQ(Call(*segments_, &Segments::Count, v1::CountRequest(), &counted).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(Server, RefusesAnAddressOthersCanReachUnlessToldSo) {
  auto database = Database::Open({}).value();
  auto refused = Server::Start(database.get(), {.listen = "0.0.0.0:0"});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Server::Start(database.get(), {.listen = "0.0.0.0:0", .insecure_listen_anywhere = true}).ok());
}

TEST(Server, APortInUseIsToldInTheSystemsWords) {
  auto database = Database::Open({}).value();
  auto first = Server::Start(database.get(), {.listen = "127.0.0.1:0"}).value();
  auto second = Server::Start(database.get(), {.listen = first->address()});
  ASSERT_FALSE(second.ok());
  EXPECT_NE(std::string(second.status().message()).find("Address already in use"), std::string::npos) << second.status();
}

}  // namespace
}  // namespace korrel::server
