// `korrel segment watch`, and `korrel apply` while definitions are filled, against services in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "clients/cli/cli.h"
#include "clients/cli/fill_progress.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace korrel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// The signals are for the command alone: held back in every thread of this program, gRPC's own included.
const bool kSignalsHeld = [] {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0;
}();

class FakeServer final : public v1::SegmentService::Service, public v1::CatalogService::Service {
 public:
  FakeServer() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(static_cast<v1::SegmentService::Service*>(this));
    builder.RegisterService(static_cast<v1::CatalogService::Service*>(this));
    server_ = builder.BuildAndStart();
    address = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeServer() override { server_->Shutdown(); }

  // Two changes, then what the test wants: the end, or silence until the client goes.
  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchRequest* request,
                     grpc::ServerWriter<v1::WatchResponse>* writer) override {
    {
      const std::lock_guard lock(mutex);
      watched = *request;
    }
    v1::WatchResponse response;
    response.add_positions()->set_value(281'474'976'710'661);
    response.add_segments("lapsing");
    for (const bool entered : {true, false}) {
      v1::SegmentChange* change = response.add_changes();
      change->set_change(entered ? v1::MEMBERSHIP_CHANGE_ENTERED : v1::MEMBERSHIP_CHANGE_EXITED);
      change->set_profile("profile:0000000000000001");
      change->mutable_position()->set_value(entered ? 281'474'976'710'660 : 281'474'976'710'661);
      change->set_time_us(1'488'366'000'000'000);
      change->set_cause(entered ? v1::CHANGE_CAUSE_WRITE : v1::CHANGE_CAUSE_CLOCK);
    }
    writer->Write(response);
    waiting = true;
    while (!goes_away && !context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {grpc::StatusCode::UNAVAILABLE, "the server ends"};
  }

  grpc::Status ApplyDefinitions(grpc::ServerContext*, const v1::ApplyDefinitionsRequest* request,
                                v1::ApplyDefinitionsResponse* response) override {
    for (const v1::Definition& definition : request->definitions()) {
      v1::DefinitionChange* change = response->add_changes();
      change->set_name(definition.name());
      change->set_kind(v1::CHANGE_KIND_CREATE);
      *change->mutable_after() = definition;
    }
    response->set_revision(7);
    return grpc::Status::OK;
  }
  grpc::Status PreviewDefinitions(grpc::ServerContext*, const v1::PreviewDefinitionsRequest* request,
                                  v1::PreviewDefinitionsResponse* response) override {
    for (const v1::Definition& definition : request->definitions()) {
      v1::DefinitionChange* change = response->add_changes();
      change->set_name(definition.name());
      change->set_kind(v1::CHANGE_KIND_CREATE);
      *change->mutable_after() = definition;
      change->mutable_segment()->set_added_count(12);
      change->mutable_segment()->set_removed_count(1);
      change->mutable_segment()->set_member_count(11);
      change->mutable_segment()->add_added_sample("profile:0000000000000005");
      change->mutable_segment()->add_removed_sample("profile:0000000000000006");
    }
    return grpc::Status::OK;
  }
  grpc::Status ListDefinitions(grpc::ServerContext*, const v1::ListDefinitionsRequest*, v1::ListDefinitionsResponse* response) override {
    v1::Definition* definition = response->add_definitions();
    definition->set_name("segments/lapsing");
    ++asked;
    const bool filled = asked > fills_at;
    definition->set_state(filled ? v1::DEFINITION_STATE_READY : v1::DEFINITION_STATE_FILLING);
    definition->set_fill_ratio(filled ? 1 : 0.5);
    return grpc::Status::OK;
  }

  std::string address;
  std::atomic<bool> waiting = false, goes_away = false;
  std::atomic<int> asked = 0, fills_at = 0;
  std::mutex mutex;
  v1::WatchRequest watched;

 private:
  std::unique_ptr<grpc::Server> server_;
};

struct Ran {
  int code;
  std::string out, err;
};

Ran RunAt(const FakeServer& server, std::vector<std::string> words) {
  words.insert(words.begin(), {"korrel", "--server", server.address});
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::ostringstream out, err;
  const int code = cli::Run(static_cast<int>(argv.size()), argv.data(), out, err);
  return {code, out.str(), err.str()};
}

// Runs until `signal`, which comes once the changes are on their way.
Ran RunUntilSignal(FakeServer* server, int signal, std::vector<std::string> words) {
  std::thread sender([&] {
    while (!server->waiting) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // time for them to arrive: all of them must be printed then
    kill(getpid(), signal);
  });
  Ran ran = RunAt(*server, std::move(words));
  sender.join();
  return ran;
}

TEST(SegmentWatch, PrintsOneObjectALineAndEndsCleanlyOnSigterm) {
  ASSERT_TRUE(kSignalsHeld);
  FakeServer server;
  const Ran ran = RunUntilSignal(&server, SIGTERM, {"segment", "watch", "lapsing", "vip", "--from", "0", "--output", "json"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, R"({"change": "entered", "segment": "lapsing", "profile": "profile:0000000000000001", "position": "281474976710660", )"
                     R"("time": "2017-03-01T11:00:00Z", "cause": "write"})"
                     "\n"
                     R"({"change": "exited", "segment": "lapsing", "profile": "profile:0000000000000001", "position": "281474976710661", )"
                     R"("time": "2017-03-01T11:00:00Z", "cause": "clock"})"
                     "\n");
  EXPECT_THAT(server.watched.segments(), ElementsAre("lapsing", "vip"));
  ASSERT_EQ(server.watched.after_positions_size(), 1);
  EXPECT_EQ(server.watched.after_positions(0).value(), 0u);
}

TEST(SegmentWatch, WithoutAPositionItBeginsNowAndSigintEndsItToo) {
  FakeServer server;
  const Ran ran = RunUntilSignal(&server, SIGINT, {"segment", "watch", "--output", "csv"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, StartsWith("time,change,profile,cause,position,segment\n2017-03-01T11:00:00Z,entered,"));
  EXPECT_EQ(server.watched.segments_size(), 0);
  EXPECT_EQ(server.watched.after_positions_size(), 0);
}

TEST(SegmentWatch, AServerThatGoesAwayIsAnErrorWithTheLastPosition) {
  FakeServer server;
  server.goes_away = true;
  const Ran ran = RunAt(server, {"segment", "watch", "lapsing", "--from", "281474976710659"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("the server ends"));
  EXPECT_THAT(ran.err, HasSubstr("go on with --from 281474976710661"));
  EXPECT_THAT(ran.out, HasSubstr("entered  profile:0000000000000001  write"));
  EXPECT_EQ(server.watched.after_positions(0).value(), 281'474'976'710'659u);
}

TEST(SegmentWatch, WhatIsNoPositionIsWrongUsage) {
  FakeServer server;
  for (const char* from : {"yesterday", "-1", "1x", ":", "99999999999999999999"}) {
    EXPECT_EQ(RunAt(server, {"segment", "watch", "lapsing", std::string("--from=") + from}).code, 2) << from;
  }
}

class ApplyTest : public testing::Test {
 protected:
  ApplyTest() { std::ofstream(file_) << "segments:\n  - {name: lapsing, where: age > 3}\n"; }
  ~ApplyTest() override { unlink(file_.c_str()); }
  FakeServer server_;
  const std::string file_ = testing::TempDir() + "watch_command_test_" + std::to_string(getpid()) + ".yaml";
};

TEST_F(ApplyTest, ReturnsWhenEverythingIsFilled) {
  server_.fills_at = 3;
  const Ran ran = RunAt(server_, {"apply", file_});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(server_.asked, 4);
}

TEST_F(ApplyTest, DoesNotWaitWhenToldSoNorWhenDry) {
  server_.fills_at = 1'000'000;
  EXPECT_EQ(RunAt(server_, {"apply", file_, "--no-wait"}).code, 0);
  EXPECT_EQ(RunAt(server_, {"apply", file_, "--dry-run"}).code, 0);
  EXPECT_EQ(server_.asked, 0);
}

TEST_F(ApplyTest, ADryRunShowsWhoWouldEnterAndLeave) {
  const Ran text = RunAt(server_, {"apply", file_, "--dry-run"});
  EXPECT_THAT(text.out, HasSubstr("12 would enter, 1 would leave, 11 members then\n"));
  EXPECT_THAT(text.out, HasSubstr("enter: profile:0000000000000005 …\n"));
  EXPECT_THAT(text.out, HasSubstr("leave: profile:0000000000000006\n"));
  const Ran json = RunAt(server_, {"apply", file_, "--dry-run", "--output", "json"});
  EXPECT_THAT(
      json.out,
      HasSubstr(R"("segment": {"added_count": 12, "removed_count": 1, "member_count": 11, "added_sample": ["profile:0000000000000005"])"));
}

TEST(FillBar, ShowsHowFarItIs) {
  EXPECT_EQ(cli::FillBar(1, 0), "filling 1 definition  [--------------------]   0 %");
  EXPECT_EQ(cli::FillBar(3, 0.5), "filling 3 definitions  [##########----------]  50 %");
  EXPECT_EQ(cli::FillBar(3, 7), "filling 3 definitions  [####################] 100 %");
}

}  // namespace
}  // namespace korrel
