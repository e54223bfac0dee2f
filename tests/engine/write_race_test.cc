// Goal: writers, readers, questions and catalog changes at once leave nothing half done. Method: every write sets two attributes to the
// same number and counts one up; whoever looks must find them equal. Identifiers are few, so that writers meet on them; one attribute
// widens and definitions change while all go on. For ThreadSanitizer above all.
#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "tests/engine/write_fixture.h"

namespace korrel {
namespace {

constexpr int kProfiles = 40;

TEST(WriteRace, WritersReadersAndQuestionsSeeWholeWrites) {
  uint64_t seed = 1234;
  SCOPED_TRACE("seed " + std::to_string(seed));
  auto database = OpenForTest(4);
  UpsertOne(*database, {"c:first"}, {Set("a", int64_t{0}), Set("b", int64_t{0}), Do(AttributeOperation::kIncrement, "n", int64_t{1})});
  std::atomic<bool> stop{false};
  std::atomic<int64_t> written{1}, torn{0}, failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      for (int i = 0; i < 150; ++i) {
        std::vector<ProfileWrite> writes;
        for (int k = 0; k < 8; ++k) {
          int64_t n = static_cast<int64_t>(random() % 1'000);
          std::string id = std::to_string(random() % kProfiles);
          writes.push_back({{"c:" + id, "d:" + id},
                            {Set("a", n), Set("b", n), Do(AttributeOperation::kIncrement, "n", int64_t{1}),
                             Set("wide", i < 75 ? Value(n) : Value(Decimal{n * 10 + 1, 1}))},
                            0});
        }
        auto result = database->Upsert(writes, {});
        if (!result.ok() || !result->errors.empty()) ++failed;
        if (result.ok()) written += result->applied_count;
      }
    });
  }
  threads.emplace_back([&] {
    std::mt19937_64 random(seed + 7);
    while (!stop) {
      auto view = database->GetProfile("d:" + std::to_string(random() % kProfiles), {"a", "b"}, false, {});
      if (view.ok() && (view->attributes.size() != 2 || !(view->attributes[0].value == view->attributes[1].value))) ++torn;
    }
  });
  threads.emplace_back([&] {
    while (!stop) {
      auto count = database->Count({.expression = "a != b"});
      if (!count.ok() || count->count != 0) ++torn;
    }
  });
  threads.emplace_back([&] {
    for (int i = 0; !stop; ++i) {
      ApplyRequest request;
      Definition definition;
      definition.name = "attributes/twice";
      definition.attribute.expression = "a + " + std::to_string(i);
      request.definitions = {definition};
      if (!database->ApplyDefinitions(request).ok()) ++failed;
    }
  });
  threads[0].join();
  threads[1].join();
  stop = true;
  for (size_t i = 2; i < threads.size(); ++i) threads[i].join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(failed, 0);
  auto sum = database->Breakdown({.selection = {.expression = "true"}, .measures = {{.of = "n"}}});
  ASSERT_TRUE(sum.ok()) << sum.status();
  EXPECT_TRUE(sum->groups.columns.at(1).At(0) == Value(written.load())) << DisplayValue(sum->groups.columns.at(1).At(0)) << " " << written;
  EXPECT_LE(database->GetStatus().profile_count, uint64_t{kProfiles} + 1);
}

// Deletes against writes through the same identifiers: whoever was acknowledged last decides, no identifier is left pointing nowhere.
TEST(WriteRace, DeletesLeaveNoIdentifierBehind) {
  auto database = OpenForTest(2);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      for (int i = 0; i < 400; ++i) {
        std::string id = std::to_string(random() % 3);
        if (t == 0) {
          database->Delete("c:" + id, {}).IgnoreError();
        } else {
          ProfileWrite write{{"c:" + id, t == 1 ? "d:" + id : "e:" + id}, {Set("x", int64_t{i})}, 0};
          ASSERT_TRUE(database->Upsert({&write, 1}, {}).ok());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // Every identifier names a profile that lists it, or nobody.
  for (const char* type : {"c:", "d:", "e:"}) {
    for (int i = 0; i < 3; ++i) {
      std::string name = type + std::to_string(i);
      auto id = CoreOf(*database).Resolve(name, "");
      ASSERT_TRUE(id.ok());
      if (!*id) continue;
      auto view = database->GetProfile(name, {}, false, {});
      ASSERT_TRUE(view.ok()) << name << ": " << view.status();
      EXPECT_EQ(std::count(view->identifiers.begin(), view->identifiers.end(), name), 1) << name;
    }
  }
}

}  // namespace
}  // namespace korrel
