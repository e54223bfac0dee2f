// Watch over a real connection: order and resuming, consumers that do not read, many that wait, cancelling, the server's end.

#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <thread>

#include "engine/core.h"
#include "engine/database_core.h"
#include "engine/mutation.h"
#include "index/live/live_state.h"
#include "tests/server/test_server.h"

namespace korrel::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class WatchStreamTest : public ServerTest {
 protected:
  WatchStreamTest() { Define("young", "age < 30"); }

  void Define(const std::string& name, const std::string& expression) {
    v1::ApplyDefinitionsRequest request;
    v1::Definition* age = request.add_definitions();
    age->set_name("attributes/age");
    age->mutable_attribute()->set_type(v1::VALUE_TYPE_INT);
    v1::Definition* segment = request.add_definitions();
    segment->set_name("segments/" + name);
    segment->mutable_segment()->set_expression(expression);
    v1::ApplyDefinitionsResponse response;
    grpc::Status status = Call(*catalog_, &v1::CatalogService::Stub::ApplyDefinitions, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  // Appends a record in which profiles enter "young": a watcher sees nothing but the log.
  Position Enter(uint64_t first_profile, uint64_t count) {
    TurnMutation turn{TurnMutation::Kind::kClock, kNow, {}};
    for (uint64_t i = 0; i < count; ++i) {
      turn.profiles.push_back({ProfileId(first_profile + i), {{SegmentId(0), true, kNow, ChangeCause::kClock}}});
    }
    return CoreOf(*database_).log->Append(EncodeMutation(turn));
  }

  struct Watching {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader;
    v1::WatchResponse message;
    std::vector<uint64_t> profiles;
    uint64_t position = 0;
    bool Read() {
      if (!reader->Read(&message)) return false;
      for (const v1::SegmentChange& change : message.changes()) profiles.push_back(change.profile_id());
      position = message.positions(0).value();
      return true;
    }
    void ReadProfiles(size_t count) {
      while (profiles.size() < count && Read()) {
      }
    }
  };
  // Begun: the first message is there, so nothing that happens from now on is missed.
  std::unique_ptr<Watching> Watch(const v1::WatchRequest& request) { return Watch(request, segments_.get()); }
  static std::unique_ptr<Watching> Watch(const v1::WatchRequest& request, v1::SegmentService::Stub* stub) {
    auto watching = std::make_unique<Watching>();
    watching->context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120));
    watching->reader = stub->Watch(&watching->context, request);
    watching->Read();
    return watching;
  }
  // By a connection of its own.
  std::unique_ptr<v1::SegmentService::Stub> OwnStub() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::SegmentService::NewStub(grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(), arguments));
  }
  static std::vector<uint64_t> Numbers(uint64_t first, uint64_t count) {
    std::vector<uint64_t> numbers(count);
    for (uint64_t i = 0; i < count; ++i) numbers[i] = first + i;
    return numbers;
  }
};

TEST_F(WatchStreamTest, AChangeTellsAllThatThereIsToKnow) {
  v1::WatchRequest request;
  request.add_segments("young");
  auto watching = Watch(request);
  EXPECT_EQ(watching->message.changes_size(), 0);
  Position position = Enter(0xabc, 1);
  watching->ReadProfiles(1);
  ASSERT_EQ(watching->message.changes_size(), 1);
  const v1::SegmentChange& change = watching->message.changes(0);
  EXPECT_EQ(change.change(), v1::MEMBERSHIP_CHANGE_ENTERED);
  EXPECT_EQ(change.cause(), v1::CHANGE_CAUSE_CLOCK);
  EXPECT_EQ(change.profile(), "profile:0000000000000abc");
  EXPECT_EQ(change.profile_id(), 0xabcu);
  EXPECT_EQ(change.time_us(), kNow);
  EXPECT_EQ(change.position().value(), position.value);
  EXPECT_EQ(watching->message.positions(0).value(), position.value);
  EXPECT_THAT(watching->message.segments(), ElementsAre("young"));
  EXPECT_EQ(change.segment(), 0u);
}

TEST_F(WatchStreamTest, ResumedAtEveryMessageThereIsNoGapAndNoDouble) {
  for (uint64_t i = 0; i < 40; ++i) Enter(i * 100, 100);
  v1::WatchRequest request;
  request.add_after_positions();
  std::vector<uint64_t> profiles;
  for (int streams = 0; profiles.size() < 4'000; ++streams) {
    ASSERT_LT(streams, 4'000);
    auto watching = Watch(request);
    profiles.insert(profiles.end(), watching->profiles.begin(), watching->profiles.end());
    *request.mutable_after_positions(0) = watching->message.positions(0);
    watching->context.TryCancel();
    watching->reader->Finish();
  }
  EXPECT_EQ(profiles, Numbers(0, 4'000));
}

TEST_F(WatchStreamTest, SilenceIsMarkedByAPositionThatAdvances) {
  auto watching = Watch({});
  Fill(1);  // no change of a segment
  uint64_t last = CoreOf(*database_).log->Last().value;
  while (watching->position < last && watching->Read()) {
  }
  EXPECT_GE(watching->position, last);  // filling may still have logged that it is done
  EXPECT_TRUE(watching->Read()) << "a mark comes where nothing happens at all";
  EXPECT_TRUE(watching->profiles.empty());
}

TEST_F(WatchStreamTest, WhoDoesNotReadIsCutOffWithItsPositionAndWritesGoOn) {
  v1::WatchRequest request;
  request.set_max_buffer_bytes(4'096);
  auto slow = Watch(request);
  v1::WatchRequest generous;  // so that it is read on a busy machine, too
  generous.set_max_buffer_bytes(64 << 20);
  auto quick = Watch(generous);
  std::thread reading([&] { quick->ReadProfiles(100'000); });
  // The transport takes some megabytes before anybody waits; then the budget is soon used up.
  for (uint64_t i = 0; i < 100; ++i) {
    Enter(i * 1'000, 1'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  Fill(10);
  reading.join();
  EXPECT_EQ(quick->profiles, Numbers(0, 100'000));
  while (slow->Read()) {
  }
  grpc::Status status = slow->reader->Finish();
  ASSERT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_EQ(ReasonOf(status), "SLOW_CONSUMER");
  EXPECT_EQ(DetailsOf(status).info.metadata().at("position"), std::to_string(slow->position));
  ASSERT_LT(slow->profiles.size(), 100'000u);
  request.add_after_positions()->set_value(slow->position);
  request.set_max_buffer_bytes(0);
  auto resumed = Watch(request);
  resumed->ReadProfiles(100'000 - slow->profiles.size());
  slow->profiles.insert(slow->profiles.end(), resumed->profiles.begin(), resumed->profiles.end());
  EXPECT_EQ(slow->profiles, Numbers(0, 100'000));
}

// What lies behind when the watch begins is not held against its reader, however small his buffer.
TEST_F(WatchStreamTest, WhoCatchesUpGoesAtHisOwnPace) {
  for (uint64_t i = 0; i < 100; ++i) Enter(i * 1'000, 1'000);
  v1::WatchRequest request;
  request.add_after_positions();
  request.set_max_buffer_bytes(4'096);
  auto watching = Watch(request);
  for (size_t pauses = 0; pauses < 20; ++pauses) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    watching->Read();
  }
  watching->ReadProfiles(100'000);
  EXPECT_EQ(watching->profiles, Numbers(0, 100'000));
}

// One connection has 256 streams at most; what is beyond waits at the client.
TEST_F(WatchStreamTest, FiveHundredWaitWithoutAThreadAndAllHearOfIt) {
  constexpr size_t kConnections = 4, kWatchers = 500;
  std::vector<std::unique_ptr<v1::SegmentService::Stub>> stubs;
  for (size_t i = 0; i < kConnections; ++i) stubs.push_back(OwnStub());
  std::vector<std::unique_ptr<Watching>> watchers;
  for (size_t i = 0; i < kWatchers; ++i) watchers.push_back(Watch({}, stubs[i % kConnections].get()));
  Fill(100);  // the workers are free for others
  Enter(1, 3);
  for (auto& watching : watchers) {
    watching->ReadProfiles(3);
    EXPECT_EQ(watching->profiles, Numbers(1, 3));
  }
}

TEST_F(WatchStreamTest, ACancelledWatchIsForgotten) {
  auto watching = Watch({});
  watching->context.TryCancel();
  EXPECT_EQ(watching->reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  Enter(1, 1);
  auto other = Watch({});
  Enter(2, 1);
  other->ReadProfiles(1);
  EXPECT_EQ(other->profiles, Numbers(2, 1));
}

TEST_F(WatchStreamTest, TheServersEndEndsTheWatchUnavailable) {
  auto watching = Watch({});
  std::thread stopping([&] { server_->Stop(); });
  while (watching->Read()) {
  }
  grpc::Status status = watching->reader->Finish();
  stopping.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "SHUTDOWN");
}

TEST_F(WatchStreamTest, RefusesWhatItCannotDo) {
  auto refused = [&](const v1::WatchRequest& request) {
    auto watching = Watch(request);
    while (watching->Read()) {
    }
    return watching->reader->Finish();
  };
  v1::WatchRequest unknown;
  unknown.add_segments("yong");
  EXPECT_EQ(refused(unknown).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(refused(unknown).error_message(), HasSubstr("did you mean 'young'?"));
  v1::WatchRequest lost;
  lost.add_after_positions()->set_value(CoreOf(*database_).log->Last().value + 1'000);
  EXPECT_EQ(ReasonOf(refused(lost)), "POSITION_LOST");
  v1::WatchRequest tiny;
  tiny.set_max_buffer_bytes(1);
  EXPECT_EQ(FieldOf(refused(tiny)), "max_buffer_bytes");
  v1::WatchRequest many;
  for (int i = 0; i < 10'001; ++i) many.add_segments("young");
  EXPECT_EQ(ReasonOf(refused(many)), "WATCH_SEGMENTS");
}

}  // namespace
}  // namespace korrel::server
