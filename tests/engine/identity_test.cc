#include "engine/identity.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <thread>

namespace korrel {
namespace {

IdentifierKey Key(uint16_t type, std::string_view text) { return {IdentifierTypeId(type), text}; }

StatusOr<Identity::Claimed> Claim(Identity& identity, std::vector<IdentifierKey> keys) { return identity.Claim(keys, std::nullopt); }

TEST(Identity, DrawsIdsFromOneInTheOrderOfClaims) {
  Identity identity;
  for (uint64_t i = 1; i <= 100; ++i) {
    auto claimed = Claim(identity, {Key(0, "c" + std::to_string(i))});
    ASSERT_TRUE(claimed.ok());
    EXPECT_EQ(claimed->profile.value, i);
    EXPECT_TRUE(claimed->drawn);
    EXPECT_EQ(claimed->pending, 1u);
  }
}

TEST(Identity, TheSameTextOfAnotherTypeIsAnotherIdentifier) {
  Identity identity;
  EXPECT_NE(Claim(identity, {Key(0, "x")})->profile, Claim(identity, {Key(1, "x")})->profile);
}

TEST(Identity, AttachesNewIdentifiersToTheProfileThatOneNames) {
  Identity identity;
  ProfileId profile = Claim(identity, {Key(0, "a")})->profile;
  auto both = Claim(identity, {Key(1, "b"), Key(0, "a"), Key(1, "b")});
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(both->profile, profile);
  EXPECT_FALSE(both->drawn);
  EXPECT_EQ(identity.Find(Key(1, "b")), profile);
  EXPECT_EQ(identity.identifier_count(), 2u);
}

TEST(Identity, RefusesToJoinTwoProfilesAndNamesBoth) {
  Identity identity;
  Claim(identity, {Key(0, "a")}).IgnoreError();
  Claim(identity, {Key(0, "b")}).IgnoreError();
  Status status = Claim(identity, {Key(0, "a"), Key(0, "new"), Key(0, "b")}).status();
  EXPECT_EQ(ReasonOf(status), "WOULD_JOIN");
  EXPECT_NE(MessageOf(status).find("profile:0000000000000001"), std::string_view::npos) << status;
  EXPECT_NE(MessageOf(status).find("profile:0000000000000002"), std::string_view::npos) << status;
  EXPECT_FALSE(identity.Find(Key(0, "new")));
}

TEST(Identity, AnIdentifierIsPendingUntilConfirmed) {
  Identity identity;
  std::vector<IdentifierKey> key = {Key(0, "a")};
  ProfileId profile = Claim(identity, key)->profile;
  EXPECT_TRUE(identity.IsUnborn(profile));
  EXPECT_EQ(Claim(identity, key)->pending, 1u);
  identity.Born(profile);
  identity.Confirm(key[0], profile);
  EXPECT_FALSE(identity.IsUnborn(profile));
  EXPECT_EQ(Claim(identity, key)->pending, 0u);
}

TEST(Identity, WithdrawTouchesOnlyTheProfileItNames) {
  Identity identity;
  ProfileId profile = Claim(identity, {Key(0, "a")})->profile;
  identity.Withdraw(Key(0, "a"), ProfileId(99));
  EXPECT_EQ(identity.Find(Key(0, "a")), profile);
  identity.Withdraw(Key(0, "a"), profile);
  EXPECT_FALSE(identity.Find(Key(0, "a")));
  EXPECT_EQ(Claim(identity, {Key(0, "a")})->profile.value, 2u);
}

TEST(Identity, ReplayMovesTheCounterBehindWhatItSaw) {
  Identity identity;
  identity.Confirm(Key(0, "a"), ProfileId(41));
  identity.Born(ProfileId(41));
  EXPECT_EQ(Claim(identity, {Key(0, "b")})->profile.value, 42u);
}

TEST(Identity, GivesBackTheMemoryOfRemovedIdentifiers) {
  Identity identity;
  std::string padding(900, 'x');
  size_t most = 0;
  for (int round = 0; round < 40; ++round) {
    std::vector<std::string> texts;
    for (int i = 0; i < 1'000; ++i) texts.push_back(std::to_string(round) + "-" + std::to_string(i) + padding);
    for (const std::string& text : texts) {
      ProfileId profile = Claim(identity, {Key(0, text)})->profile;
      identity.Born(profile);
      identity.Confirm(Key(0, text), profile);
    }
    for (const std::string& text : texts) identity.Withdraw(Key(0, text), *identity.Find(Key(0, text)));
    most = std::max(most, identity.MemoryBytes());
  }
  EXPECT_EQ(identity.identifier_count(), 0u);
  EXPECT_LT(most, 12u << 20);  // 40 rounds of one megabyte each would be 40
}

// Goal: one identifier, one profile, whoever comes first; no deadlock whatever the order of identifiers. Method: threads claim pairs
// of a small set in random order; who joins two profiles is refused, so afterwards every identifier names exactly one profile.
TEST(Identity, ConcurrentClaimsOfOneNewIdentifierDrawOneProfile) {
  uint64_t seed = 4711;
  SCOPED_TRACE("seed " + std::to_string(seed));
  Identity identity;
  constexpr int kThreads = 4, kNames = 200;
  std::vector<std::string> names;
  for (int i = 0; i < kNames; ++i) names.push_back("n" + std::to_string(i));
  std::vector<std::vector<std::pair<int, ProfileId>>> seen(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      for (int i = 0; i < 3'000; ++i) {
        int a = static_cast<int>(random() % kNames), b = static_cast<int>(random() % 8 ? a : random() % kNames);
        auto claimed = Claim(identity, {Key(0, names[a]), Key(0, names[b])});
        if (!claimed.ok()) continue;
        seen[t].emplace_back(a, claimed->profile);
        seen[t].emplace_back(b, claimed->profile);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& list : seen) {
    for (const auto& [name, profile] : list) ASSERT_EQ(identity.Find(Key(0, names[name])), profile);
  }
}

}  // namespace
}  // namespace korrel
