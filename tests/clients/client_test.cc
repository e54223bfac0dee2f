// The client and the whole command line against services in this process that answer what the test wants.
#include "clients/cpp/client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "clients/cli/cli.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace korrel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// What a server says of a bad expression.
grpc::Status ExpressionStatus() {
  v1::ExpressionError error;
  error.set_reason("UNKNOWN_NAME");
  error.set_rendered("1:1: unknown attribute 'contry'; did you mean 'country'?\n    contry = 'NL'\n    ^^^^^^");
  google::rpc::ErrorInfo info;
  info.set_reason("UNKNOWN_NAME");
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field("selection.expression");
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  details.add_details()->PackFrom(bad);
  details.add_details()->PackFrom(error);
  return {grpc::StatusCode::INVALID_ARGUMENT, "unknown attribute 'contry'", details.SerializeAsString()};
}

grpc::Status ReasonStatus(grpc::StatusCode code, const std::string& reason) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  return {code, reason, details.SerializeAsString()};
}

class FakeServer final : public v1::ProfileService::Service,
                         public v1::EventService::Service,
                         public v1::CatalogService::Service,
                         public v1::SegmentService::Service,
                         public v1::AdminService::Service {
 public:
  FakeServer() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(static_cast<v1::ProfileService::Service*>(this));
    builder.RegisterService(static_cast<v1::EventService::Service*>(this));
    builder.RegisterService(static_cast<v1::CatalogService::Service*>(this));
    builder.RegisterService(static_cast<v1::SegmentService::Service*>(this));
    builder.RegisterService(static_cast<v1::AdminService::Service*>(this));
    server_ = builder.BuildAndStart();
    address = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeServer() override { server_->Shutdown(); }

  grpc::Status Status(grpc::ServerContext*, const v1::StatusRequest*, v1::StatusResponse* response) override {
    response->set_clock_mode(replay ? v1::CLOCK_MODE_REPLAY : v1::CLOCK_MODE_SYSTEM);
    return grpc::Status::OK;
  }
  grpc::Status ListDefinitions(grpc::ServerContext*, const v1::ListDefinitionsRequest*, v1::ListDefinitionsResponse* response) override {
    response->set_time_zone("Europe/Amsterdam");
    return grpc::Status::OK;
  }
  grpc::Status ApplyDefinitions(grpc::ServerContext*, const v1::ApplyDefinitionsRequest* request,
                                v1::ApplyDefinitionsResponse* response) override {
    const std::lock_guard lock(mutex);
    applied.push_back(*request);
    for (const v1::Definition& definition : request->definitions()) {
      v1::DefinitionChange* change = response->add_changes();
      change->set_name(definition.name());
      change->set_kind(v1::CHANGE_KIND_CREATE);
      *change->mutable_after() = definition;
      if (definition.segment().expression() == "bad") change->mutable_error()->set_message("1:1: unknown attribute 'bad'");
    }
    response->set_revision(7);
    return grpc::Status::OK;
  }
  grpc::Status PreviewDefinitions(grpc::ServerContext*, const v1::PreviewDefinitionsRequest* request,
                                  v1::PreviewDefinitionsResponse* response) override {
    const std::lock_guard lock(mutex);
    previewed.push_back(*request);
    for (const v1::Definition& definition : request->definitions()) {
      v1::DefinitionChange* change = response->add_changes();
      change->set_name(definition.name());
      change->set_kind(v1::CHANGE_KIND_CREATE);
      *change->mutable_after() = definition;
      change->mutable_segment()->set_added_count(3);
      change->mutable_segment()->set_member_count(3);
      change->mutable_segment()->add_added_sample("profile:0000000000000001");
    }
    return grpc::Status::OK;
  }
  grpc::Status Count(grpc::ServerContext*, const v1::CountRequest* request, v1::CountResponse* response) override {
    if (request->selection().expression() == "contry = 'NL'") return ExpressionStatus();
    if (fail_calls > 0) {
      --fail_calls;
      return {grpc::StatusCode::UNAVAILABLE, "not now"};
    }
    const std::lock_guard lock(mutex);
    if (!failures.empty()) {
      const grpc::Status failure = failures.front();
      failures.pop_front();
      return failure;
    }
    selection = request->selection();
    response->set_count(42);
    response->set_normal_form("true");
    response->set_now_us(1'488'366'000'000'000);
    response->add_positions()->set_value(9);
    return grpc::Status::OK;
  }
  grpc::Status Query(grpc::ServerContext*, const v1::QueryRequest* request, grpc::ServerWriter<v1::QueryResponse>* writer) override {
    query_limit = request->limit();
    if (request->has_order_by()) {
      v1::QueryResponse ordered;
      for (uint64_t i = 0; i < std::min(ordered_profiles, request->limit()); ++i) ordered.add_profile_ids(i);
      writer->Write(ordered);
      return grpc::Status::OK;
    }
    v1::QueryResponse response;
    const bool resumed = request->resume_token() == "after 1";
    response.add_profile_ids(resumed ? 2 : 1);
    response.set_resume_token(resumed ? "after 2" : "after 1");
    v1::Batch* batch = response.mutable_batch();
    batch->set_size(1);
    batch->add_vectors()->add_ints(resumed ? 20 : 10);
    batch->mutable_schema()->add_fields()->set_name("age");
    batch->mutable_schema()->mutable_fields(0)->set_type(v1::VALUE_TYPE_INT);
    v1::Identifiers* identifiers = response.add_identifiers();
    identifiers->set_type("crm");
    identifiers->set_text(resumed ? "b" : "a");
    identifiers->add_text_ends(1);
    writer->Write(response);
    return resumed ? grpc::Status::OK : grpc::Status(grpc::StatusCode::UNAVAILABLE, "broken");
  }
  grpc::Status PrepareProjection(grpc::ServerContext*, const v1::PrepareProjectionRequest*,
                                 v1::PrepareProjectionResponse* response) override {
    response->set_projection("handle " + std::to_string(++prepared));
    return grpc::Status::OK;
  }
  grpc::Status GetProfile(grpc::ServerContext*, const v1::GetProfileRequest* request, v1::GetProfileResponse* response) override {
    if (request->profile() == "crm:nobody") return ReasonStatus(grpc::StatusCode::NOT_FOUND, "PROFILE");
    if (!request->projection().empty() && request->projection() != "handle 2") {
      return ReasonStatus(grpc::StatusCode::FAILED_PRECONDITION, "PROJECTION_UNKNOWN");
    }
    response->mutable_profile()->set_id("profile:0000000000000001");
    response->mutable_profile()->add_identifiers("crm:1");
    v1::Attribute* attribute = response->mutable_profile()->add_attributes();
    attribute->set_name("balance");
    attribute->mutable_value()->mutable_decimal_value()->set_unscaled(1250);
    attribute->mutable_value()->mutable_decimal_value()->set_scale(2);
    return grpc::Status::OK;
  }
  grpc::Status UpsertProfiles(grpc::ServerContext*, const v1::UpsertProfilesRequest* request,
                              v1::UpsertProfilesResponse* response) override {
    const std::lock_guard lock(mutex);
    request_ids.push_back(request->request_id());
    if (fail_calls > 0) {
      --fail_calls;
      return {grpc::StatusCode::UNAVAILABLE, "not now"};
    }
    upserted.push_back(*request);
    response->mutable_result()->set_applied_count(static_cast<uint32_t>(request->writes_size()) + request->batch().values().size());
    return grpc::Status::OK;
  }
  // Events are remembered by message id; one called "refuse" is refused.
  grpc::Status Track(grpc::ServerContext*, const v1::TrackRequest* request, v1::TrackResponse* response) override {
    const std::lock_guard lock(mutex);
    if (fail_calls > 0) {
      --fail_calls;
      return {grpc::StatusCode::UNAVAILABLE, "gone"};
    }
    v1::WriteResult* result = response->mutable_result();
    for (const v1::EventBatch& batch : request->batches()) {
      for (uint32_t i = 0; i < batch.properties().size(); ++i) {
        times.push_back(batch.event_time_us(static_cast<int>(i)));
        if (batch.message_ids(static_cast<int>(i)) == "refuse") {
          v1::ItemError* error = result->add_errors();
          error->set_index(i);
          error->set_message("too old");
        } else if (message_ids.insert(batch.message_ids(static_cast<int>(i))).second) {
          result->set_applied_count(result->applied_count() + 1);
        } else {
          result->add_duplicate_indexes(i);
        }
      }
    }
    return grpc::Status::OK;
  }

  std::string address;
  bool replay = false;
  std::atomic<int> fail_calls = 0;
  std::deque<grpc::Status> failures;  // of the next counts
  uint64_t query_limit = 0;
  uint64_t ordered_profiles = 3;
  std::atomic<int> prepared = 0;
  std::mutex mutex;
  v1::Selection selection;
  std::vector<std::string> request_ids;
  std::vector<v1::UpsertProfilesRequest> upserted;
  std::vector<v1::ApplyDefinitionsRequest> applied;
  std::vector<v1::PreviewDefinitionsRequest> previewed;
  std::set<std::string> message_ids;
  std::vector<int64_t> times;

 private:
  std::unique_ptr<grpc::Server> server_;
};

std::unique_ptr<Client> Connected(const FakeServer& server) {
  ClientOptions options;
  options.address = server.address;
  return Client::Connect(options).value();
}

TEST(Client, ConnectSaysWhereNobodyAnswers) {
  ClientOptions options;
  options.address = "127.0.0.1:1";
  const auto client = Client::Connect(options);
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("no Korrel server answers at 127.0.0.1:1"));
}

// Hangs up on so many, then greets one, as slowly as a machine that has too much to do, and says nothing more.
class SlowGreeter {
 public:
  explicit SlowGreeter(int hang_ups = 0) : hang_ups_(hang_ups), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof at;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { Greet(); });
  }
  ~SlowGreeter() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void Greet() {
    for (int i = 0; i < hang_ups_; ++i) close(accept(listener_, nullptr, nullptr));
    const int connection = accept(listener_, nullptr, nullptr);
    if (connection < 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(900));
    const char settings[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};  // an empty SETTINGS frame
    if (write(connection, settings, sizeof settings) < 0) std::perror("write");
    char ignored[256];
    while (read(connection, ignored, sizeof ignored) > 0) {
    }
    close(connection);
  }
  const int hang_ups_;
  const int listener_;
  int port_ = 0;
  std::thread thread_;
};

TEST(Client, ConnectGivesASlowServerAllOfItsTimeAndNotHalf) {
  SlowGreeter greeter;
  ClientOptions options;
  options.address = greeter.address();
  options.connect_timeout = std::chrono::seconds(20);
  const auto client = Client::Connect(options);
  EXPECT_TRUE(client.ok()) << client.status();
}

TEST(Client, ConnectTriesAgainWhereAnAttemptFails) {
  SlowGreeter greeter(2);
  ClientOptions options;
  options.address = greeter.address();
  const auto client = Client::Connect(options);
  EXPECT_TRUE(client.ok()) << client.status();
}

TEST(Cli, ATimeoutThatIsGivenCountsForLongWorkToo) {
  SlowGreeter silent;
  const std::string address = silent.address();
  const char* words[] = {"korrel", "--server", address.c_str(), "--timeout", "0.2", "clock", "advance", "2030-01-01"};
  std::ostringstream out, err;
  EXPECT_EQ(cli::Run(8, words, out, err), 1);
  EXPECT_THAT(err.str(), HasSubstr("allow more time with --timeout SECONDS"));
}

TEST(Client, ErrorsCarryReasonFieldAndThePlaceInTheExpression) {
  FakeServer server;
  v1::CountRequest request;
  request.mutable_selection()->set_expression("contry = 'NL'");
  const auto count = Connected(server)->Count(request);
  ASSERT_FALSE(count.ok());
  EXPECT_EQ(ReasonOf(count.status()), "UNKNOWN_NAME");
  EXPECT_EQ(FieldOf(count.status()), "selection.expression");
  EXPECT_THAT(ExpressionErrorOf(count.status())->rendered(), HasSubstr("^^^^^^"));
}

TEST(Client, RepeatsAWriteWithTheSameRequestId) {
  FakeServer server;
  server.fail_calls = 2;
  EXPECT_TRUE(Connected(server)->UpsertProfiles({}).ok());
  ASSERT_EQ(server.request_ids.size(), 3u);
  EXPECT_EQ(server.request_ids[0].size(), 32u);
  EXPECT_EQ(server.request_ids[0], server.request_ids[2]);
  EXPECT_TRUE(Connected(server)->UpsertProfiles({}).ok());
  EXPECT_NE(server.request_ids[3], server.request_ids[0]);
}

TEST(Client, GivesUpAfterItsTime) {
  FakeServer server;
  server.fail_calls = 1'000;
  ClientOptions options;
  options.address = server.address;
  options.retry_for = std::chrono::milliseconds(200);
  EXPECT_TRUE(absl::IsUnavailable(Client::Connect(options).value()->Count({}).status()));
  EXPECT_LT(server.fail_calls, 1'000);
}

// A server that ends says so; the retry then meets a connection that only breaks.
TEST(Client, TheReasonAServerGaveOutlivesARetryThatMeetsNobody) {
  FakeServer server;
  server.failures = {ReasonStatus(grpc::StatusCode::UNAVAILABLE, "STOPPED"), {grpc::StatusCode::CANCELLED, "CANCELLED"}};
  const Status status = Connected(server)->Count({}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);  // what came of this attempt nobody knows
  EXPECT_THAT(std::string(status.message()), HasSubstr("; the attempt before it: STOPPED"));
  EXPECT_TRUE(server.failures.empty());
}

TEST(Client, PreparesAForgottenProjectionAgain) {
  FakeServer server;
  const auto client = Connected(server);
  Projection projection = client->PrepareProjection({"age"}).value();
  EXPECT_EQ(projection.handle, "handle 1");
  v1::GetProfileRequest request;
  request.set_profile("crm:1");
  EXPECT_TRUE(client->GetProfile(&projection, request).ok());
  EXPECT_EQ(projection.handle, "handle 2");
}

TEST(Client, ABrokenQueryGoesOnBehindTheLastProfile) {
  FakeServer server;
  const auto client = Connected(server);
  v1::QueryRequest request;
  request.set_limit(5);
  const auto reader = client->Query(request);
  v1::QueryResponse response;
  std::vector<uint64_t> ids;
  while (true) {
    const auto more = reader->Next(&response);
    ASSERT_TRUE(more.ok()) << more.status();
    if (!*more) break;
    ids.push_back(response.profile_ids(0));
  }
  EXPECT_THAT(ids, ElementsAre(1, 2));
  EXPECT_EQ(server.query_limit, 5u) << "the token is bound to the limit, and the server counts across resuming";
}

struct Ran {
  int code;
  std::string out;
  std::string err;
};

Ran RunCli(const std::vector<std::string>& words) {
  std::vector<const char*> argv = {"korrel"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::ostringstream out;
  std::ostringstream err;
  const int code = cli::Run(static_cast<int>(argv.size()), argv.data(), out, err);
  return {code, out.str(), err.str()};
}

Ran RunAt(const FakeServer& server, std::vector<std::string> words) {
  words.insert(words.begin(), {"--server", server.address});
  return RunCli(words);
}

TEST(Cli, ExitCodesTellUsageFromRefusal) {
  EXPECT_EQ(RunCli({}).code, 2);
  EXPECT_EQ(RunCli({"nonsense"}).code, 2);
  EXPECT_EQ(RunCli({"count"}).code, 2);
  EXPECT_EQ(RunCli({"count", "true", "--output", "xml"}).code, 2);
  EXPECT_EQ(RunCli({"--help"}).code, 0);
  const Ran help = RunCli({"set", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("NAME+={a}"));
  const Ran alone = RunCli({"--server", "127.0.0.1:1", "count", "true"});
  EXPECT_EQ(alone.code, 1);
  EXPECT_THAT(alone.err, HasSubstr("no Korrel server answers"));
  EXPECT_EQ(alone.out, "");
}

TEST(Cli, EveryCommandTeaches) {
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"apply"},
                                                                                       {"import", "profiles"},
                                                                                       {"import", "events"},
                                                                                       {"set"},
                                                                                       {"track"},
                                                                                       {"delete"},
                                                                                       {"get"},
                                                                                       {"events"},
                                                                                       {"count"},
                                                                                       {"query"},
                                                                                       {"breakdown"},
                                                                                       {"sample"},
                                                                                       {"overlap"},
                                                                                       {"explain"},
                                                                                       {"segment", "list"},
                                                                                       {"segment", "count"},
                                                                                       {"segment", "members"},
                                                                                       {"segment", "put"},
                                                                                       {"attribute", "list"},
                                                                                       {"attribute", "retype"},
                                                                                       {"clock", "advance"},
                                                                                       {"status"}}) {
    std::vector<std::string> words = command;
    words.push_back("--help");
    const Ran ran = RunCli(words);
    EXPECT_EQ(ran.code, 0) << command.back();
    EXPECT_FALSE(ran.out.empty()) << command.back();
  }
}

TEST(Cli, CountPrintsTheNumberAlone) {
  FakeServer server;
  EXPECT_EQ(RunAt(server, {"count", "age > @min", "--param", "min=18"}).out, "42\n");
  EXPECT_EQ(server.selection.parameters(0).name(), "min");
  EXPECT_EQ(server.selection.parameters(0).value().int_value(), 18);
  EXPECT_EQ(
      RunAt(server, {"count", "true", "--output", "json"}).out,
      "{\"count\": 42, \"normal_form\": \"true\", \"positions\": [\"9\"], \"now_us\": \"2017-03-01T11:00:00Z\", \"truncated_count\": 0, "
      "\"filling\": []}\n");
}

TEST(Cli, ExpressionErrorsShowTheCaret) {
  FakeServer server;
  const Ran ran = RunAt(server, {"count", "contry = 'NL'"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "error: 1:1: unknown attribute 'contry'; did you mean 'country'?\n    contry = 'NL'\n    ^^^^^^\n");
}

TEST(Cli, GetAndQueryShapes) {
  FakeServer server;
  EXPECT_THAT(RunAt(server, {"get", "crm:1", "--output", "json"}).out,
              StartsWith("{\"profile\": \"profile:0000000000000001\", \"identifiers\": [\"crm:1\"], \"attributes\": {\"balance\": 12.50}"));
  EXPECT_EQ(RunAt(server, {"get", "crm:nobody"}).code, 1);
  EXPECT_EQ(RunAt(server, {"query", "true", "--select", "age", "--output", "json"}).out,
            "{\"profile\": \"profile:0000000000000001\", \"identifiers\": [\"crm:a\"], \"age\": 10}\n"
            "{\"profile\": \"profile:0000000000000002\", \"identifiers\": [\"crm:b\"], \"age\": 20}\n");
  EXPECT_EQ(RunAt(server, {"query", "true", "--select", "age", "--output", "csv"}).out,
            "profile,identifiers,age\nprofile:0000000000000001,crm:a,10\nprofile:0000000000000002,crm:b,20\n");
}

TEST(Cli, SetReadsTimesInTheCatalogsZone) {
  FakeServer server;
  EXPECT_EQ(RunAt(server, {"set", "crm:1", "age=41", "born=2017-03-01", "--time", "2017-03-01 12:00"}).code, 0);
  const v1::ProfileWrite& write = server.upserted.at(0).writes(0);
  EXPECT_EQ(write.event_time_us(), 1'488'366'000'000'000);
  EXPECT_EQ(write.attributes(1).value().timestamp_us(), 1'488'322'800'000'000) << "midnight in Amsterdam";
  EXPECT_EQ(RunAt(server, {"set", "crm:1", "age"}).code, 2);
}

TEST(Cli, AnOrderedQueryWithoutALimitAsksForAllThereCanBe) {
  FakeServer server;
  const Ran few = RunAt(server, {"query", "true", "--order-by", "age", "--output", "csv"});
  EXPECT_EQ(few.code, 0) << few.err;
  EXPECT_EQ(server.query_limit, 1'000'000u);
  EXPECT_EQ(few.err, "");
  server.ordered_profiles = 1'000'001;
  const Ran cut = RunAt(server, {"query", "true", "--order-by", "age", "--output", "csv"});
  EXPECT_EQ(cut.code, 0);
  EXPECT_EQ(std::count(cut.out.begin(), cut.out.end(), '\n'), 1'000'001) << "a header and a million";
  EXPECT_THAT(cut.err, HasSubstr("the answer ends at 1,000,000 profiles"));
  RunAt(server, {"query", "true", "--order-by", "age", "--limit", "2"});
  EXPECT_EQ(server.query_limit, 2u);
  RunAt(server, {"query", "true"});
  EXPECT_EQ(server.query_limit, 0u);
}

TEST(Cli, TheInstantThatMeansNotGivenIsRefused) {
  FakeServer server;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"set", "crm:1", "age=1", "--time", "1970-01-01T00:00:00Z"},
                                             {"set", "crm:1", "age=1", "--time", "1970-01-01T01:00:00"},  // in Amsterdam
                                             {"track", "crm:1", "order", "--time", "1970-01-01T00:00:00Z"},
                                             {"events", "crm:1", "--from", "1970-01-01T00:00:00Z"},
                                             {"events", "crm:1", "--to", "1970-01-01T00:00:00Z"},
                                             {"segment", "put", "vip", "--where", "true", "--expires", "1970-01-01T00:00:00Z"}}) {
    const Ran ran = RunAt(server, words);
    EXPECT_EQ(ran.code, 2) << words[0];
    EXPECT_THAT(ran.err, HasSubstr("the one instant that cannot be given")) << words[0];
  }
  EXPECT_TRUE(server.upserted.empty());
  EXPECT_EQ(RunAt(server, {"set", "crm:1", "age=1", "--time", "1970-01-01T00:00:00.000001Z"}).code, 0);
}

// Takes what is written, and loses it when it is to be kept: a full disk.
class FullDisk : public std::streambuf {
 protected:
  int_type overflow(int_type c) override { return c == traits_type::eof() ? 0 : c; }
  int sync() override { return -1; }
};

TEST(Cli, AnAnswerThatCannotBeWrittenIsNoSuccess) {
  FakeServer server;
  for (const std::vector<const char*>& words :
       std::vector<std::vector<const char*>>{{"korrel", "--server", server.address.c_str(), "count", "true"}, {"korrel", "--help"}}) {
    FullDisk disk;
    std::ostream out(&disk);
    std::ostringstream err;
    EXPECT_EQ(cli::Run(static_cast<int>(words.size()), words.data(), out, err), 1) << words.back();
    EXPECT_THAT(err.str(), HasSubstr("the output could not be written"));
  }
}

class ImportTest : public testing::Test {
 protected:
  ImportTest() : path_(testing::TempDir() + "korrel_orders.csv") {}
  ~ImportTest() override {
    std::filesystem::remove(path_);
    std::filesystem::remove(path_ + ".rejected");
  }
  void Write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  std::string Rejected() {
    std::ifstream in(path_ + ".rejected");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  Ran Import(std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"import", "events", path_, "--type", "order", "--id", "id", "--time", "at"};
    words.insert(words.end(), more.begin(), more.end());
    return RunAt(server_, words);
  }

  FakeServer server_;
  std::string path_;
};

TEST_F(ImportTest, ASecondRunFindsEverythingThere) {
  Write("id,at,n\n1,2017-01-01,5\n2,2017-01-02,6\n");
  const Ran first = Import();
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("2 rows read, 2 applied, 0 duplicates, 0 rejected"));
  EXPECT_THAT(first.err, HasSubstr("identifier id"));
  const Ran second = Import();
  EXPECT_EQ(second.code, 0);
  EXPECT_THAT(second.out, HasSubstr("0 applied, 2 duplicates"));
  EXPECT_THAT(second.out, HasSubstr("everything was there already"));
}

TEST_F(ImportTest, BadRowsGoToAFileAndTheRestIsLoaded) {
  Write("id,at,n,m\n1,2017-01-01,5,a\n,2017-01-02,6,b\n2,yesterday,7,c\n3,2017-01-03,x\n4,2017-01-04,8,refuse\n");
  const Ran ran = Import({"--message-id", "m"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("5 rows read, 1 applied, 0 duplicates, 4 rejected"));
  const std::string rejected = Rejected();
  EXPECT_THAT(rejected, StartsWith("line,reason,id,at,n,m\n"));
  EXPECT_THAT(rejected, HasSubstr("3,the row has no identifier,,2017-01-02,6,b\n"));
  EXPECT_THAT(rejected, HasSubstr("5,3 cells instead of 4,3,2017-01-03,x\n"));
  EXPECT_THAT(rejected, HasSubstr("6,too old,4,2017-01-04,8,refuse\n"));
}

TEST_F(ImportTest, ARowAtTheInstantThatMeansNotGivenIsRejected) {
  Write("id,at\n1,1970-01-01T00:00:00Z\n2,1970-01-01T00:00:01Z\n");
  const Ran ran = Import();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("2 rows read, 1 applied, 0 duplicates, 1 rejected"));
  EXPECT_THAT(Rejected(), HasSubstr("the one instant that cannot be given"));
  EXPECT_THAT(server_.times, ElementsAre(1'000'000));
}

TEST_F(ImportTest, MessageIdsOfSeveralColumnsDoNotCollide) {
  Write("id,at,a,b\n1,2017-01-01,x:y,z\n1,2017-01-01,x,y:z\n1,2017-01-01,x\\,y\n1,2017-01-01,x,\\:y\n");
  const Ran ran = Import({"--message-id", "a,b"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("4 applied, 0 duplicates"));
  EXPECT_EQ(server_.message_ids.count("x\\:y:z"), 1u);
}

TEST_F(ImportTest, AnEmptyJsonNameCostsItsOwnRow) {
  Write(
      "{\"id\":\"1\",\"at\":\"2017-01-01\"}\n{\"id\":\"2\",\"at\":\"2017-01-01\",\"\":5}\n"
      "{\"id\":\"3\",\"at\":\"2017-01-01\",\"o\":{\"\":5}}\n");
  const Ran ran = Import();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("3 rows read, 1 applied, 0 duplicates, 2 rejected"));
  EXPECT_THAT(Rejected(), HasSubstr("\"line\""));
  EXPECT_THAT(Rejected(), HasSubstr("a name is empty"));
  EXPECT_THAT(Rejected(), HasSubstr("a name inside 'o' is empty"));
}

TEST_F(ImportTest, ReplayedEventsAreSentInTheOrderOfTheirTimes) {
  server_.replay = true;
  std::string text = "id,at\n";
  for (int day = 28; day >= 1; --day) text += "1,2017-01-" + std::string(day < 10 ? "0" : "") + std::to_string(day) + "\n";
  Write(text);
  EXPECT_EQ(Import({"--until", "2017-01-20T12:00:00"}).code, 0);
  EXPECT_EQ(server_.times.size(), 20u);
  EXPECT_TRUE(std::is_sorted(server_.times.begin(), server_.times.end()));
}

TEST_F(ImportTest, AServerThatGoesAwayEndsItWithWhatWasAcknowledged) {
  Write("id,at\n1,2017-01-01\n");
  server_.fail_calls = 1'000'000;
  const Ran ran = Import();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("stopped: 0 rows were acknowledged"));
  EXPECT_THAT(ran.err, HasSubstr("run the same command again"));
}

TEST_F(ImportTest, UsageErrorsListTheColumns) {
  Write("id,at\n1,2017-01-01\n");
  const Ran ran = Import({"--message-id", "nothing"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("it has id, at"));
  EXPECT_EQ(RunAt(server_, {"import", "events", "/no/such.csv", "--type", "x", "--id", "a", "--time", "b"}).code, 1);
  EXPECT_EQ(Import({"--delimiter", "x"}).code, 2);
}

TEST_F(ImportTest, ManyRowsGoInSeveralBatchesAndSumUp) {
  std::string text = "id,at,n\n";
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i % 100) + ",2017-01-01T00:00:00Z," + std::to_string(i) + "\n";
  Write(text);
  const Ran ran = Import({"--output", "json"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\"read_count\": 20000, \"applied_count\": 20000, \"duplicate_count\": 0"));
}

TEST(Apply, ShowsAllRefusalsWithTheirPlaceAndChangesNothing) {
  FakeServer server;
  const std::string path = testing::TempDir() + "korrel_catalog.yaml";
  std::ofstream(path) << "segments:\n  - {name: good, where: 'true'}\n  - name: wrong\n    where: bad\n";
  const Ran ran = RunAt(server, {"apply", path});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr(path + ":4: segments/wrong: 1:1: unknown attribute 'bad'"));
  ASSERT_EQ(server.applied.size(), 1u);
  EXPECT_TRUE(server.applied[0].validate_only());

  std::ofstream(path) << "segments:\n  - {name: good, where: 'true'}\n";
  const Ran dry = RunAt(server, {"apply", path, "--dry-run"});
  EXPECT_EQ(dry.code, 0);
  EXPECT_EQ(dry.out,
            "+ segments/good  where: true\n    3 would enter, 0 would leave, 3 members then\n      enter: profile:0000000000000001 …\n"
            "dry run: nothing was changed\n");
  EXPECT_EQ(server.applied.size(), 2u);
  EXPECT_EQ(server.previewed.size(), 1u);
  EXPECT_EQ(RunAt(server, {"apply", path, "--prune"}).out, "+ segments/good  where: true\ncatalog revision 7\n");
  EXPECT_FALSE(server.applied.back().validate_only());
  EXPECT_TRUE(server.applied.back().prune());
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace korrel
