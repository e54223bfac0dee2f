// Goal: every physical predicate, in every container kind and access path, is exactly what its words say.
// Method: random rows whose values are also kept in plain structs; each expression stands beside a lambda over those. Shards with
// and without postings, rows around the limits of containers and blocks, and turns of tiny budgets must all give the lambda's rows.

#include <algorithm>
#include <functional>
#include <optional>
#include <random>
#include <set>

#include "tests/index/shard_fixture.h"

namespace korrel {
namespace {

struct Person {
  std::optional<std::string> country, tier, email;
  std::optional<int64_t> age, big, birth;
  std::optional<int64_t> balance;  // cents
  std::optional<double> score;
  std::optional<bool> member;
  std::optional<std::set<std::string>> interests;
};

using Truth = std::function<bool(const Person&)>;
struct Case {
  const char* expression;
  Truth truth;
};

constexpr int64_t kBorn = 600'000'000 * kSecond;

Person RandomPerson(std::mt19937_64* random) {
  auto chance = [&](int percent) { return static_cast<int>((*random)() % 100) < percent; };
  Person person;
  static const std::vector<std::string> countries = {"NL", "BE", "DE", "FR", "UK", "ES", "PT", "", "nl", "it's"};
  if (chance(90)) person.country = countries[(*random)() % 3 == 0 ? (*random)() % countries.size() : (*random)() % 2];
  if (chance(70)) person.tier = chance(1) ? "rare" : chance(30) ? "gold" : "basic";
  if (chance(60)) person.email = "user" + std::to_string((*random)() % 20'000) + (chance(50) ? "@example.nl" : "@Example.com");
  if (chance(80)) person.age = static_cast<int64_t>((*random)() % 100);
  if (chance(30)) person.big = static_cast<int64_t>((*random)());
  if (chance(50)) person.balance = static_cast<int64_t>((*random)() % 200'000) - 100'000;
  if (chance(50)) person.score = static_cast<double>(static_cast<int>((*random)() % 41) - 20) / 10;
  if (chance(75)) person.member = chance(40);
  if (chance(50)) person.birth = kBorn + static_cast<int64_t>((*random)() % 1'000) * kDay;
  if (chance(60)) {
    person.interests.emplace();
    for (const char* interest : {"shoes", "bags", "hats", "coats"}) {
      if (chance(25)) person.interests->insert(interest);
    }
    if (chance(1)) person.interests->insert("opera");
  }
  return person;
}

void Write(const Person& person, Row row, TestShard* shard) {
  if (person.country) shard->Set(row, "country", *person.country);
  if (person.tier) shard->Set(row, "tier", *person.tier);
  if (person.email) shard->Set(row, "email", *person.email);
  if (person.age) shard->Set(row, "age", *person.age);
  if (person.big) shard->Set(row, "big", *person.big);
  if (person.balance) shard->Set(row, "balance", Decimal{*person.balance, 2});
  if (person.score) shard->Set(row, "score", *person.score);
  if (person.member) shard->Set(row, "member", *person.member);
  if (person.birth) shard->Set(row, "birth", Timestamp{*person.birth});
  if (person.interests) shard->Set(row, "interests", StringSet(person.interests->begin(), person.interests->end()));
}

bool In(const std::optional<std::string>& text, std::initializer_list<const char*> list) {
  return text && std::find(list.begin(), list.end(), *text) != list.end();
}
bool Has(const Person& p, const char* interest) { return p.interests && p.interests->contains(interest); }

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {"true", [](const Person&) { return true; }},
      {"false", [](const Person&) { return false; }},
      {"country = 'NL'", [](const Person& p) { return In(p.country, {"NL"}); }},
      {"'NL' = country", [](const Person& p) { return In(p.country, {"NL"}); }},
      {"country = 'nowhere'", [](const Person&) { return false; }},
      {"country != 'NL'", [](const Person& p) { return p.country && *p.country != "NL"; }},
      {"country != 'nowhere'", [](const Person& p) { return p.country.has_value(); }},
      {"'NL' != country", [](const Person& p) { return p.country && *p.country != "NL"; }},
      {"country != 'it''s'", [](const Person& p) { return p.country && *p.country != "it's"; }},
      {"not (country != 'NL')", [](const Person& p) { return !p.country || *p.country == "NL"; }},
      {"country != lower(country)",
       [](const Person& p) { return p.country && *p.country != "nl" && *p.country != "it's" && *p.country != ""; }},
      {"country != 'NL' and tier != 'rare' and age != 25",
       [](const Person& p) { return p.country && *p.country != "NL" && p.tier && *p.tier != "rare" && p.age && *p.age != 25; }},
      {"not country = 'NL'", [](const Person& p) { return !In(p.country, {"NL"}); }},
      {"country in ('NL', 'BE', 'nowhere')",
       [](const Person& p) {
         return In(p.country, {"NL", "BE"});
       }},
      {"country not in ('NL', 'it''s')",
       [](const Person& p) {
         return !In(p.country, {"NL", "it's"});
       }},
      {"country in ('a','b','c','d','e','f','g','h','i','DE','ES')",
       [](const Person& p) {
         return In(p.country, {"DE", "ES"});
       }},
      {"country < 'DE'", [](const Person& p) { return p.country && *p.country < "DE"; }},
      {"country between 'BE' and 'FR'", [](const Person& p) { return p.country && *p.country >= "BE" && *p.country <= "FR"; }},
      {"country is present", [](const Person& p) { return p.country.has_value(); }},
      {"country is absent", [](const Person& p) { return !p.country; }},
      {"coalesce(country, 'NL') = 'NL'", [](const Person& p) { return !p.country || *p.country == "NL"; }},
      {"coalesce(country, 'NL') != 'NL'", [](const Person& p) { return p.country && *p.country != "NL"; }},
      {"coalesce(country, 'NL') in ('NL', 'BE')",
       [](const Person& p) {
         return !p.country || In(p.country, {"NL", "BE"});
       }},
      {"coalesce(country, 'NL') not in ('NL', 'BE')",
       [](const Person& p) {
         return p.country && !In(p.country, {"NL", "BE"});
       }},
      {"coalesce(country, 'XX') in ('NL', 'BE')",
       [](const Person& p) {
         return In(p.country, {"NL", "BE"});
       }},
      {"not (coalesce(country, 'NL') != 'DE') or not (coalesce(country, 'NL') in ('NL', 'PT') or age > 20)",
       [](const Person& p) {
         return In(p.country, {"DE"}) || (p.country && !In(p.country, {"NL", "PT"}) && !(p.age && *p.age > 20));
       }},
      {"lower(country) = 'nl'",
       [](const Person& p) {
         return In(p.country, {"NL", "nl"});
       }},
      {"length(country) = 0", [](const Person& p) { return In(p.country, {""}); }},
      {"country like '_E'",
       [](const Person& p) {
         return In(p.country, {"BE", "DE"});
       }},
      {"tier = 'rare'", [](const Person& p) { return In(p.tier, {"rare"}); }},
      {"tier != 'rare'", [](const Person& p) { return p.tier && *p.tier != "rare"; }},
      {"email = 'user7@example.nl'", [](const Person& p) { return In(p.email, {"user7@example.nl"}); }},
      {"email != 'user7@example.nl'", [](const Person& p) { return p.email && *p.email != "user7@example.nl"; }},
      {"not (email != 'user7@example.nl') and age > 10",
       [](const Person& p) { return (!p.email || *p.email == "user7@example.nl") && p.age && *p.age > 10; }},
      {"email like '%@example.nl'", [](const Person& p) { return p.email && p.email->ends_with("@example.nl"); }},
      {"not email like '%@example.nl'", [](const Person& p) { return !(p.email && p.email->ends_with("@example.nl")); }},
      {"email contains '77'", [](const Person& p) { return p.email && p.email->find("77") != std::string::npos; }},
      {"email matches '^user1[0-9]*@'", [](const Person& p) { return p.email && p.email->starts_with("user1"); }},
      {"lower(email) like '%example.com'", [](const Person& p) { return p.email && p.email->ends_with("@Example.com"); }},
      {"age = 25", [](const Person& p) { return p.age == 25; }},
      {"age != 25", [](const Person& p) { return p.age && *p.age != 25; }},
      {"age between 25 and 40", [](const Person& p) { return p.age && *p.age >= 25 && *p.age <= 40; }},
      {"age between 40 and 25", [](const Person&) { return false; }},
      {"age > 4.5", [](const Person& p) { return p.age && *p.age > 4; }},
      {"age <= -1", [](const Person&) { return false; }},
      {"4.5 >= age", [](const Person& p) { return p.age && *p.age <= 4; }},
      {"age < 1e1", [](const Person& p) { return p.age && *p.age < 10; }},
      {"age in (1, 2, 3, 50, 70, 90)", [](const Person& p) { return p.age && std::set<int64_t>{1, 2, 3, 50, 70, 90}.contains(*p.age); }},
      {"age in (1, 3, 5, 7, 9, 50)", [](const Person& p) { return p.age && std::set<int64_t>{1, 3, 5, 7, 9, 50}.contains(*p.age); }},
      {"big > 0", [](const Person& p) { return p.big && *p.big > 0; }},
      {"big >= 4611686018427387904", [](const Person& p) { return p.big && *p.big >= (int64_t{1} << 62); }},
      {"big != 9223372036854775807", [](const Person& p) { return p.big && *p.big != INT64_MAX; }},
      {"balance >= 100", [](const Person& p) { return p.balance && *p.balance >= 10'000; }},
      {"balance < -0.005", [](const Person& p) { return p.balance && *p.balance < 0; }},
      {"balance = 12.34", [](const Person& p) { return p.balance == 1'234; }},
      {"balance > 5e-1", [](const Person& p) { return p.balance && *p.balance > 50; }},
      {"score >= 0.9", [](const Person& p) { return p.score && *p.score >= 0.9; }},
      {"score = 0.1", [](const Person& p) { return p.score == 0.1; }},
      {"score != 0", [](const Person& p) { return p.score && *p.score != 0; }},
      {"score between -1 and 1.5", [](const Person& p) { return p.score && *p.score >= -1 && *p.score <= 1.5; }},
      {"score < 0", [](const Person& p) { return p.score && *p.score < 0; }},
      {"score in (0.1, 0.2, 2)", [](const Person& p) { return p.score == 0.1 || p.score == 0.2 || p.score == 2.0; }},
      {"member", [](const Person& p) { return p.member.value_or(false); }},
      {"not member", [](const Person& p) { return !p.member.value_or(false); }},
      {"member = false", [](const Person& p) { return p.member == false; }},
      {"member != true", [](const Person& p) { return p.member == false; }},
      {"not (member != true)", [](const Person& p) { return p.member != false; }},
      {"coalesce(member, true)", [](const Person& p) { return p.member.value_or(true); }},
      {"not coalesce(member, true)", [](const Person& p) { return p.member == false; }},
      {"member is absent", [](const Person& p) { return !p.member; }},
      {"birth > now() - 10000d", [](const Person& p) { return p.birth && *p.birth > kNow - 10'000 * kDay; }},
      {"birth between date '1990-01-01' and date '1991-01-01'",
       [](const Person& p) { return p.birth && *p.birth >= 631'152'000 * kSecond && *p.birth <= 662'688'000 * kSecond; }},
      {"interests has 'shoes'", [](const Person& p) { return Has(p, "shoes"); }},
      {"interests has any ('shoes', 'opera', 'x')", [](const Person& p) { return Has(p, "shoes") || Has(p, "opera"); }},
      {"interests has all ('shoes', 'bags')", [](const Person& p) { return Has(p, "shoes") && Has(p, "bags"); }},
      {"interests has all ('shoes', 'x')", [](const Person&) { return false; }},
      {"interests has none ('shoes', 'opera')", [](const Person& p) { return p.interests && !Has(p, "shoes") && !Has(p, "opera"); }},
      {"interests has none ('x')", [](const Person& p) { return p.interests.has_value(); }},
      {"not interests has any ('hats', 'bags')", [](const Person& p) { return !Has(p, "hats") && !Has(p, "bags"); }},
      {"length(interests) >= 2", [](const Person& p) { return p.interests && p.interests->size() >= 2; }},
      {"interests is present", [](const Person& p) { return p.interests.has_value(); }},
      {"age + 1 > 50 and balance * 2 < 100",
       [](const Person& p) { return p.age && *p.age + 1 > 50 && p.balance && *p.balance * 2 < 10'000; }},
      {"age > balance", [](const Person& p) { return p.age && p.balance && *p.age * 100 > *p.balance; }},
      {"country = 'NL' and tier = 'gold' and member and age between 25 and 60 and balance > -500.00 and interests has none ('hats')",
       [](const Person& p) {
         return In(p.country, {"NL"}) && In(p.tier, {"gold"}) && p.member.value_or(false) && p.age && *p.age >= 25 && *p.age <= 60 &&
                p.balance && *p.balance > -50'000 && p.interests && !Has(p, "hats");
       }},
      {"country = 'NL' and not (tier = 'basic') and not member",
       [](const Person& p) { return In(p.country, {"NL"}) && !In(p.tier, {"basic"}) && !p.member.value_or(false); }},
      {"country = 'ES' or age < 5 or email like '%9@%' or (member and score > 1)",
       [](const Person& p) {
         return In(p.country, {"ES"}) || (p.age && *p.age < 5) || (p.email && p.email->find("9@") != std::string::npos) ||
                (p.member.value_or(false) && p.score && *p.score > 1);
       }},
      {"not (country = 'NL' or tier = 'gold' or age > 50)",
       [](const Person& p) { return !(In(p.country, {"NL"}) || In(p.tier, {"gold"}) || (p.age && *p.age > 50)); }},
      {"not (country = 'NL' and (age > 20 or not (score > 0)))",
       [](const Person& p) { return !(In(p.country, {"NL"}) && ((p.age && *p.age > 20) || !(p.score && *p.score > 0))); }},
      {"if(member, age > 50, country = 'BE')",
       [](const Person& p) { return p.member.value_or(false) ? p.age && *p.age > 50 : In(p.country, {"BE"}); }},
      {"not (date '2000-01-01' between now() and date '2100-01-01') and age > 50", [](const Person& p) { return p.age && *p.age > 50; }},
      {"date '1999-01-01' not between now() and date '2017-03-01' or country = 'NL'", [](const Person&) { return true; }},
      {"not (not (hour(now()) > 24 or date '2000-01-01' < now())) and member", [](const Person& p) { return p.member.value_or(false); }},
      {"(age > 50) = true", [](const Person& p) { return p.age && *p.age > 50; }},
      {"(age > 50) = false", [](const Person& p) { return !(p.age && *p.age > 50); }},
  };
  return cases;
}

struct Filled {
  explicit Filled(uint32_t rows, bool keep_postings, uint64_t seed) : shard(keep_postings) {
    std::mt19937_64 random(seed);
    for (uint32_t i = 0; i < rows; ++i) {
      const Row row = shard.Add();
      people.push_back(RandomPerson(&random));
      Write(*people.back(), row, &shard);
    }
    // Some leave, some change, so that postings lose rows and live rows have holes.
    for (uint32_t i = 0; i < rows / 10; ++i) {
      const uint32_t at = static_cast<uint32_t>(random() % rows);
      if (!people[at]) continue;
      if (random() % 2 == 0) {
        shard.table.RemoveRow(Row(at));
        people[at].reset();
      } else {
        for (const char* name : {"country", "tier", "member", "interests", "age"}) shard.Unset(Row(at), name);
        people[at]->country.reset(), people[at]->tier.reset(), people[at]->member.reset();
        people[at]->interests.reset(), people[at]->age.reset();
      }
    }
  }
  std::vector<Row> Expected(const Truth& truth) const {
    std::vector<Row> rows;
    for (uint32_t i = 0; i < people.size(); ++i) {
      if (people[i] && truth(*people[i])) rows.emplace_back(i);
    }
    return rows;
  }
  TestShard shard;
  std::vector<std::optional<Person>> people;
};

void ExpectAllCases(const Filled& filled) {
  for (const Case& c : Cases()) {
    const std::vector<Row> expected = filled.Expected(c.truth);
    EXPECT_EQ(filled.shard.Match(c.expression), expected) << c.expression << " of " << filled.people.size() << " seed " << TestSeed();
  }
}

TEST(BlockEvaluator, AnswersEveryPredicateInShardsOfManySizes) {
  for (uint32_t rows : {1u, 63u, 64u, 65u, 1'000u, 5'000u}) ExpectAllCases(Filled(rows, true, TestSeed() + rows));
}

TEST(BlockEvaluator, AnswersTheSameAcrossABlockEdgeWithAndWithoutPostings) {
  ExpectAllCases(Filled(kBlockRows + 3'000, true, TestSeed()));
  ExpectAllCases(Filled(kBlockRows + 100, false, TestSeed()));
}

TEST(BlockEvaluator, AnswersAsTheCompleteEvaluatorDoes) {
  const Filled filled(3'000, true, TestSeed());
  for (const Case& c : Cases())
    EXPECT_EQ(filled.shard.Match(c.expression), filled.shard.MatchByReading(c.expression)) << c.expression << " seed " << TestSeed();
}

void ExpectTurnsAddUp(const Filled& filled, uint64_t budget) {
  for (const Case& c : Cases()) {
    uint64_t largest = 0;
    EXPECT_EQ(filled.shard.Match(c.expression, budget, &largest), filled.Expected(c.truth)) << c.expression << " budget " << budget;
    EXPECT_LE(largest, budget + kTurnWorkUnits) << c.expression;
  }
}

TEST(BlockEvaluator, TurnsOfAnyBudgetAddUpToTheWholeAnswer) {
  ExpectTurnsAddUp(Filled(300, true, TestSeed()), 1);
  ExpectTurnsAddUp(Filled(5'000, true, TestSeed()), 3'000);
  ExpectTurnsAddUp(Filled(5'000, true, TestSeed()), kTurnWorkUnits);
}

// As Match, in turns of any budget that end at any row.
TEST(BlockEvaluator, AnExplanationCountsWhatMatchFinds) {
  const Filled filled(1'000, true, TestSeed());
  for (const Case& c : Cases()) {
    const PlanRef plan = filled.shard.PlanOf(c.expression);
    for (uint64_t budget : {uint64_t{1}, uint64_t{3'000}, kTurnWorkUnits}) {
      ExplainNode node;
      for (uint32_t row = 0; row < kBlockRows;) {
        WorkMeter meter(budget);
        Evaluator evaluator(*plan, filled.shard.View(), &meter);
        row = row < 1'000 ? evaluator.Explain(0, row, &node) : kBlockRows;  // nobody lives beyond
      }
      EXPECT_EQ(node.profile_count, filled.Expected(c.truth).size()) << c.expression << " budget " << budget << " seed " << TestSeed();
    }
  }
}

// Containers of 4,095, 4,096 and 4,097 rows lie on both sides of roaring's switch from array to bitset.
TEST(BlockEvaluator, ContainersAroundTheArrayLimitAreReadAsTheyLie) {
  for (uint32_t held : {4'095u, 4'096u, 4'097u}) {
    TestShard shard;
    for (uint32_t i = 0; i < 20'000; ++i) {
      const Row row = shard.Add();
      shard.Set(row, "country", std::string(i % 4 == 1 && i / 4 < held ? "NL" : "BE"));
      shard.Set(row, "member", i % 2 == 1);
    }
    ASSERT_NE(shard.index.Find(shard.names.attribute("country").id, Code(1)), nullptr);
    EXPECT_EQ(shard.Match("country = 'NL'").size(), held);
    EXPECT_EQ(shard.Match("country = 'NL' and member").size(), held);
    EXPECT_EQ(shard.Match("country != 'NL'").size(), 20'000 - held);
    EXPECT_EQ(shard.Match("country = 'NL' and not member").size(), 0u);
    EXPECT_EQ(shard.Match("country in ('NL', 'BE') and not (country = 'NL')").size(), 20'000 - held);
  }
}

TEST(BlockEvaluator, AnEmptyShardAndABlockBeyondTheEndMatchNothing) {
  TestShard shard;
  const PlanRef plan = shard.PlanOf("not (country = 'NL')");
  WorkMeter meter;
  Evaluator evaluator(*plan, shard.View(), &meter);
  std::vector<uint64_t> bits(kBlockWords, 1);
  uint32_t matches = 7;
  EXPECT_EQ(evaluator.Match(0, 0, bits.data(), &matches), kBlockRows);
  EXPECT_EQ(matches, 0u);
  EXPECT_EQ(bits, std::vector<uint64_t>(kBlockWords, 0));
  EXPECT_EQ(evaluator.Match(5, 0, nullptr, &matches), kBlockRows);
}

TEST(BlockEvaluator, OnlyTheCountMayBeAsked) {
  const Filled filled(2'000, true, TestSeed());
  const PlanRef plan = filled.shard.PlanOf("country = 'NL' and not member");
  WorkMeter meter;
  Evaluator evaluator(*plan, filled.shard.View(), &meter);
  uint32_t matches = 0;
  EXPECT_EQ(evaluator.Match(0, 0, nullptr, &matches), kBlockRows);
  EXPECT_EQ(matches, filled.shard.Match("country = 'NL' and not member").size());
}

}  // namespace
}  // namespace korrel
