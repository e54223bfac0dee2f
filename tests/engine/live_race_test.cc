// Goal: writes, reads, the clock, filling and changing definitions at once neither race nor disagree. Method: threads of each kind on a
// system clock; when they are done, what is kept is what the definitions say and enters minus exits are the members. For TSan.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/engine/write_fixture.h"

namespace korrel {
namespace {

Definition Live(std::string name, std::string expression) {
  Definition definition;
  definition.name = "segments/" + name;
  definition.kind = DefinitionKind::kSegment;
  definition.segment.expression = std::move(expression);
  return definition;
}

uint64_t Apply(Database& database, std::vector<Definition> definitions) {
  ApplyRequest request;
  request.definitions = std::move(definitions);
  auto answer = database.ApplyDefinitions(request);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? answer->revision : 0;
}

// Windows of a second and less, so that the clock has something to do while the test runs.
void Write(Database& database, uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 300; ++i) {
    const std::string id = "c:" + std::to_string(random() % 50);
    UpsertOne(database, {id}, {Set("n", static_cast<int64_t>(random() % 10))});
    TrackOne(database, id, "order", 0, {{"amount", static_cast<int64_t>(random() % 100)}});
    if (random() % 20 == 0) database.Delete(id, {}).IgnoreError();
  }
}

int64_t Balance(const Database& database, SegmentId segment) {
  int64_t balance = 0;
  Position after;
  for (;;) {
    auto record = database.log().ReadAfter(after);
    if (!record.ok() || !*record) return balance;
    const auto flips = FlipsIn((*record)->bytes);
    for (const ProfileFlips& profile : *flips) {
      for (const SegmentFlip& flip : profile.flips) balance += flip.segment == segment ? (flip.entered ? 1 : -1) : 0;
    }
    after = (*record)->position;
  }
}

TEST(LiveRace, EverythingAtOnceStaysExact) {
  auto database = OpenForTest(4, Clock::MakeSystem());
  UpsertOne(*database, {"c:0"}, {Set("n", int64_t{1})});
  TrackOne(*database, "c:0", "order", 0, {{"amount", int64_t{1}}});
  Apply(*database, {Live("recent", "count(order) over 1s >= 2"), Live("big", "n >= 5")});
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (uint64_t seed : {11u, 12u}) threads.emplace_back([&, seed] { Write(*database, seed); });
  threads.emplace_back([&] {
    while (!done) {
      EXPECT_TRUE(database->Count({"in segment 'recent' or in segment 'big'"}).ok());
      database->SegmentsOf("c:1", {}).IgnoreError();
      database->GetStatus();
      database->ListDefinitions("", 0, "").IgnoreError();
    }
  });
  threads.emplace_back([&] {
    for (int i = 0; i < 10; ++i) Apply(*database, {Live("big", "n >= " + std::to_string(i))});
  });
  for (size_t i : {0u, 1u, 3u}) threads[i].join();
  done = true;
  threads[2].join();
  const uint64_t revision = Apply(*database, {Live("big", "n >= 3")});
  ASSERT_TRUE(database->WaitUntilFilled(revision, 0, {}).ok());
  const auto members = database->Count({"n >= 3"});
  ASSERT_TRUE(members.ok());
  EXPECT_EQ(database->Count({"in segment 'big'"})->count, members->count);
  const SegmentId big = CoreOf(*database).CurrentCatalog()->definitions.segments.find("big")->second.id;
  EXPECT_EQ(Balance(*database, big), static_cast<int64_t>(members->count));
  // Everybody leaves `recent` without anybody doing anything.
  const SegmentId recent = CoreOf(*database).CurrentCatalog()->definitions.segments.find("recent")->second.id;
  for (int i = 0; i < 600 && Balance(*database, recent) != 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(Balance(*database, recent), 0);
}

}  // namespace
}  // namespace korrel
