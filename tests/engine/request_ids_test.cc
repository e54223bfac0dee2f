#include "engine/write/request_ids.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <thread>
#include <vector>

namespace korrel {
namespace {

StatusOr<int> Ask(RequestIds& ids, std::string_view id, std::string_view digest, const std::function<StatusOr<int>()>& work,
                  size_t bytes = 0) {
  return ids.Run<int>(id, digest, work, [bytes](const int&) { return bytes; });
}

TEST(RequestIds, ARepeatGetsTheFirstAnswer) {
  RequestIds ids;
  int calls = 0;
  auto work = [&]() -> StatusOr<int> { return ++calls; };
  EXPECT_EQ(*Ask(ids, "a", "d", work), 1);
  EXPECT_EQ(*Ask(ids, "a", "d", work), 1);
  EXPECT_EQ(*Ask(ids, "b", "d", work), 2);
  EXPECT_EQ(calls, 2);
}

TEST(RequestIds, NoIdIsNoProtection) {
  RequestIds ids;
  int calls = 0;
  auto work = [&]() -> StatusOr<int> { return ++calls; };
  Ask(ids, "", "d", work).IgnoreError();
  Ask(ids, "", "d", work).IgnoreError();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(ids.count(), 0u);
}

TEST(RequestIds, OtherContentIsRefused) {
  RequestIds ids;
  auto work = []() -> StatusOr<int> { return 1; };
  ASSERT_TRUE(Ask(ids, "a", "d", work).ok());
  Status status = Ask(ids, "a", "e", work).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(status), "REQUEST_ID_REUSED");
}

TEST(RequestIds, AFailureIsNotRemembered) {
  RequestIds ids;
  EXPECT_FALSE(Ask(ids, "a", "d", []() -> StatusOr<int> { return absl::UnavailableError("busy"); }).ok());
  EXPECT_EQ(*Ask(ids, "a", "d", []() -> StatusOr<int> { return 5; }), 5);
}

TEST(RequestIds, WorkThatThrowsIsAFailureAndNobodyWaitsForIt) {
  RequestIds ids;
  EXPECT_THROW(Ask(ids, "a", "d", []() -> StatusOr<int> { throw std::bad_alloc(); }).IgnoreError(), std::bad_alloc);
  EXPECT_EQ(*Ask(ids, "a", "other", []() -> StatusOr<int> { return 5; }), 5);
  EXPECT_EQ(ids.count(), 1u);
}

TEST(RequestIds, TooLongOrNotTextIsRefused) {
  RequestIds ids;
  auto work = []() -> StatusOr<int> { return 1; };
  EXPECT_TRUE(Ask(ids, std::string(64, 'x'), "d", work).ok());
  EXPECT_EQ(ReasonOf(Ask(ids, std::string(65, 'x'), "d", work).status()), "FIELD");
  EXPECT_EQ(ReasonOf(Ask(ids, "\xff", "d", work).status()), "FIELD");
}

TEST(RequestIds, TheOldestAreForgottenFirst) {
  int64_t now = 0;
  RequestIds ids({.count_max = 3, .bytes_max = 10'000, .age_us_max = 100}, [&] { return now; });
  int calls = 0;
  auto work = [&]() -> StatusOr<int> { return ++calls; };
  for (const char* id : {"a", "b", "c", "d"}) Ask(ids, id, "", work).IgnoreError();
  EXPECT_EQ(ids.count(), 3u);
  EXPECT_EQ(*Ask(ids, "b", "", work), 2);
  EXPECT_EQ(*Ask(ids, "a", "", work), 5);  // forgotten, done again
  now = 101;
  EXPECT_EQ(ids.OldestAgeUs(), 101u);
  EXPECT_EQ(*Ask(ids, "d", "", work), 6);
  EXPECT_EQ(ids.count(), 1u);
  Ask(ids, "big", "", work, 20'000).IgnoreError();
  EXPECT_EQ(ids.count(), 0u);  // larger than all that may be kept
}

// A repeat that arrives while the first is at work waits for its answer; if the first fails, one of those waiting does the work.
TEST(RequestIds, OneOfManyDoesTheWork) {
  RequestIds ids;
  std::atomic<int> calls{0}, answers{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      auto answer = Ask(ids, "a", "d", [&]() -> StatusOr<int> {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        if (++calls == 1) return absl::UnavailableError("the first one fails");
        return 42;
      });
      if (answer.ok() && *answer == 42) ++answers;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(answers, 7);
}

}  // namespace
}  // namespace korrel
