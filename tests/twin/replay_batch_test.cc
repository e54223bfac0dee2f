// Facts about one batch of events on the replay clock that random traces found wrong once.
#include <gtest/gtest.h>

#include "tests/twin/expression_check.h"
#include "tests/twin/hand_made.h"

namespace korrel::twin {
namespace {

class ReplayBatch : public testing::Test {
 protected:
  ReplayBatch() : now_us_(At("2017-06-01T12:00:00Z")), database_(OpenDatabase({4, true}, ClockMode::kReplay, now_us_)) {}
  EventWrite Event(const char* who, int64_t time_us, const char* property) {
    EventWrite event{{who}, "ping", time_us, "", "", {}};
    event.properties.push_back({property, Value(int64_t{1})});
    return event;
  }
  int64_t now_us_;
  std::unique_ptr<Database> database_;
};

TEST_F(ReplayBatch, NowIsTheArrivalOfTheBatchForEveryItem) {
  constexpr int64_t kHour = int64_t{3'600} * 1'000'000;
  std::vector<EventWrite> events = {Event("customer:1", now_us_ + kHour, "a"), Event("customer:2", 0, "b"),
                                    Event("customer:3", now_us_ + 2 * kHour, "c"), Event("customer:4", 0, "d")};
  for (int round = 0; round < 2; ++round) {  // the second time every name is known
    int64_t arrival_us = database_->GetStatus().now_us;
    ASSERT_TRUE(database_->Track(events, {}).ok());
    for (const char* who : {"customer:2", "customer:4"}) {
      ListEventsRequest request;
      request.profile = who;
      StatusOr<EventPage> page = database_->ListEvents(request);
      ASSERT_TRUE(page.ok()) << page.status();
      EXPECT_EQ(page->events[0].time_us, arrival_us) << who << " in round " << round;
    }
  }
  EXPECT_EQ(database_->GetStatus().now_us, now_us_ + 2 * kHour);
}

TEST_F(ReplayBatch, ARefusedEventDoesNotMoveTheClock) {
  std::vector<EventWrite> events = {Event("profile:00000000000000ff", now_us_ + 1'000'000, "a")};
  StatusOr<WriteResult> result = database_->Track(events, {});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->errors.size(), 1u);
  EXPECT_EQ(ReasonOf(result->errors[0].status), "PROFILE");
  EXPECT_EQ(database_->GetStatus().now_us, now_us_);
}

}  // namespace
}  // namespace korrel::twin
