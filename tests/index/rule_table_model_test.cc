// Goal: rule tables say of any change of a row exactly which segments it enters and leaves.
// Method: random conditions over every kind of leaf, with complements, segments of segments and lists long enough to become one
// predicate; random changes of several columns at once, with texts that come later. Flips are compared with the difference of what the
// conditions' texts say before and after, read row by row; so is RulesOf. The seed is printed; KORREL_SEED and KORREL_ROUNDS say which
// and how many.

#include "tests/index/rule_fixture.h"
#include "tests/twin/random.h"

namespace korrel {
namespace {

using twin::Random;

class RandomRules {
 public:
  RandomRules(Random* random, int numbers) : random_(*random), numbers_(numbers) {}

  std::string Condition(int depth, uint32_t segments) {
    if (depth == 0 || random_.OneIn(4)) return Leaf(segments);
    switch (random_.Below(5)) {
      case 0:
        return "not (" + Condition(depth - 1, segments) + ")";
      case 1:
      case 2:
        return Joined(" or ", depth, segments);
      default:
        return Joined(" and ", depth, segments);
    }
  }

  // (a or b) and (c or d) and …: more conjunctions than are kept apart.
  std::string Long(uint32_t segments) {
    std::string text;
    for (int i = 0; i < 8; ++i) text += (i == 0 ? "(" : " and (") + Leaf(segments) + " or " + Leaf(segments) + ")";
    return random_.OneIn(2) ? "not (" + text + ")" : text;
  }

  std::string Text() { return random_.Pick({"nl", "be", "de", "fr", "lu", "NL", "at", "new"}) + (random_.OneIn(6) ? Number() : ""); }
  std::string Number() { return std::to_string(random_.Between(-numbers_, numbers_)); }

 private:
  std::string Joined(const char* by, int depth, uint32_t segments) {
    std::string text = "(" + Condition(depth - 1, segments);
    for (uint64_t i = random_.Below(3) + 1; i > 0; --i) text += by + Condition(depth - 1, segments);
    return text + ")";
  }

  std::string Leaf(uint32_t segments) {
    if (segments > 0 && random_.OneIn(5)) return "in segment 's" + std::to_string(random_.Below(segments)) + "'";
    switch (random_.Below(14)) {
      case 0:
        return Name({"country", "tier", "age", "balance", "score", "member", "birth", "interests"}) +
               random_.Pick({" is present", " is not present"});
      case 1:
        return Name({"age", "big"}) + Comparison() + Number();
      case 2:
        return "balance" + Comparison() + Number() + random_.Pick({"", ".25", ".5"});
      case 3:
        return "score" + Comparison() + Number() + random_.Pick({"", ".0", ".125"});
      case 4:
        return Name({"age", "balance", "score"}) + " between " + Number() + " and " + Number();
      case 5:
        return Name({"age", "score", "big"}) + random_.Pick({" in (", " not in ("}) + Number() + ", " + Number() + ")";
      case 6:
        return Name({"country", "tier"}) + random_.Pick({" = ", " != ", " < "}) + Quoted();
      case 7:
        return Name({"country", "tier"}) + random_.Pick({" in (", " not in ("}) + QuotedList(random_.Below(12) + 1) + ")";
      case 8:
        return random_.Pick({"country like 'n%'", "tier like '%e'", "country matches '^[a-d]'", "lower(country) = 'nl'",
                             "coalesce(country, 'nl') = 'nl'", "length(tier) > 2"});
      case 9:
        return random_.Pick({"member", "member = true", "member != true", "coalesce(member, true)", "not member"});
      case 10:
        return std::string("interests") + random_.Pick({" has any (", " has all (", " has none ("}) + QuotedList(random_.Below(3) + 1) +
               ")";
      case 11:
        return random_.Pick({"in segment 'list'", "not in segment 'list'", "has_identifier('email')", "has_identifier('nobody')"});
      case 12:
        return random_.Pick({"birth < now() - 30d", "birth > timestamp '1970-01-01T00:00:00Z'", "age < big", "age + big > 3"});
      default:
        return random_.OneIn(8) ? random_.Pick({"true", "false"}) : Name({"country", "tier"}) + " = " + Quoted();
    }
  }

  std::string Name(std::initializer_list<const char*> names) { return random_.Pick(names); }
  std::string Comparison() { return random_.Pick({" = ", " != ", " < ", " <= ", " > ", " >= "}); }
  std::string Quoted() { return "'" + Text() + "'"; }
  std::string QuotedList(uint64_t size) {
    std::string list = Quoted();
    while (--size > 0) list += ", " + Quoted();
    return list;
  }

  Random& random_;
  const int numbers_;
};

class Changes {
 public:
  Changes(Random* random, RandomRules* texts, int numbers) : random_(*random), texts_(*texts), numbers_(numbers) {}

  void Make(RuleWorld* world, Row row) {
    TestShard& shard = world->shard;
    switch (random_.Below(12)) {
      case 0:
        return shard.Unset(row, random_.Pick({"country", "tier", "age", "big", "balance", "score", "member", "birth", "interests"}));
      case 1:
        return Toggle(world, row);
      case 2:
        return shard.table.AddIdentifier(row, IdentifierTypeId(0), "x" + std::to_string(random_.Below(100)));
      case 3:
        return shard.Set(row, "balance", Decimal{random_.Between(-numbers_, numbers_) * 25, 2});
      case 4:
        return shard.Set(row, "score", static_cast<double>(random_.Between(-numbers_ * 8, numbers_ * 8)) / 8 + 0.0);
      case 5:
        return shard.Set(row, "member", random_.OneIn(2));
      case 6:
        return shard.Set(row, "birth", Timestamp{kNow - random_.Between(0, 60) * kDay});
      case 7: {
        StringSet items;
        for (uint64_t i = random_.Below(4); i > 0; --i) items.push_back(texts_.Text());
        std::sort(items.begin(), items.end());
        items.erase(std::unique(items.begin(), items.end()), items.end());
        return shard.Set(row, "interests", items);
      }
      case 8:
      case 9:
        return shard.Set(row, random_.Pick({"country", "tier"}), texts_.Text());
      default:
        return shard.Set(row, random_.Pick({"age", "big"}), random_.Between(-numbers_, numbers_));
    }
  }

 private:
  void Toggle(RuleWorld* world, Row row) {
    ProfileTable& table = world->shard.table;
    const SegmentId list(RuleWorld::kList);
    world->IsListMember(list, row) ? table.RemoveMember(list, row) : table.AddMember(list, row, std::nullopt);
  }

  Random& random_;
  RandomRules& texts_;
  const int numbers_;
};

RuleWorld::Flips Difference(const std::vector<uint32_t>& before, const std::vector<uint32_t>& after) {
  RuleWorld::Flips flips;
  std::set<uint32_t> either(before.begin(), before.end());
  either.insert(after.begin(), after.end());
  for (uint32_t rule : either) {
    const bool was = std::binary_search(before.begin(), before.end(), rule), is = std::binary_search(after.begin(), after.end(), rule);
    if (was != is) flips.emplace_back(rule, is);
  }
  return flips;
}

struct Shape {
  uint64_t rules;
  int depth, numbers;
  bool stages, long_ones;
};

void FillRules(const Shape& shape, Random* random, RandomRules* texts, RuleWorld* world) {
  uint32_t first_of_stage = 0, stage = 0;
  for (uint64_t i = 0; i < shape.rules; ++i) {
    if (shape.stages && random->OneIn(shape.rules / 4 + 1)) ++stage, first_of_stage = static_cast<uint32_t>(i);
    // A condition that is one predicate may use segments of earlier stages alone; flat ones are never that long.
    const uint32_t usable = shape.stages ? first_of_stage : shape.depth <= 1 ? static_cast<uint32_t>(i) : 0;
    world->Add(shape.long_ones && random->OneIn(8) ? texts->Long(usable) : texts->Condition(shape.depth, usable), stage);
  }
}

void RunWorld(uint64_t seed, const Shape& shape) {
  Random random(seed);
  RandomRules texts(&random, shape.numbers);
  Changes changes(&random, &texts, shape.numbers);
  RuleWorld world;
  std::vector<Row> rows;
  for (int i = 0; i < 4; ++i) {
    rows.push_back(world.shard.Add());
    for (uint64_t n = random.Below(12); n > 0; --n) changes.Make(&world, rows.back());
  }
  FillRules(shape, &random, &texts, &world);
  world.Start();
  for (Row row : rows) ASSERT_EQ(world.Members(row), world.RulesByReading(row)) << "seed " << seed;
  for (int step = 0; step < 25; ++step) {
    const Row row = random.Pick(rows);
    const std::vector<uint32_t> before = world.RulesByReading(row);
    const auto flips = world.FlipsOf(row, [&] {
      for (uint64_t n = random.Below(3) + 1; n > 0; --n) changes.Make(&world, row);
    });
    const std::vector<uint32_t> after = world.RulesByReading(row);
    auto sorted = flips;
    std::sort(sorted.begin(), sorted.end());
    ASSERT_EQ(sorted, Difference(before, after)) << "seed " << seed << " step " << step;
    ASSERT_EQ(flips, sorted) << "seed " << seed << ": in order of rules";
    ASSERT_EQ(world.RulesOf(row), after) << "seed " << seed << " step " << step;
    ASSERT_EQ(world.Members(row), after) << "seed " << seed << " step " << step;
  }
}

void RunWorlds(const char* name, const Shape& shape, uint64_t rounds) {
  const uint64_t first = twin::FirstSeed(TestSeed());
  std::printf("%s: seeds from %llu\n", name, static_cast<unsigned long long>(first));
  for (uint64_t round = 0; round < twin::Rounds(rounds) && !::testing::Test::HasFatalFailure(); ++round) RunWorld(first + round, shape);
}

TEST(RuleTableModel, FewDeepRulesFlipAsTheirTextsSay) { RunWorlds("deep", {12, 3, 5, false, true}, 40); }
TEST(RuleTableModel, SegmentsOfEarlierStagesAreFollowed) { RunWorlds("stages", {24, 2, 5, true, true}, 30); }
TEST(RuleTableModel, SegmentsOfTheSameStageAreFollowed) { RunWorlds("chains", {30, 1, 5, false, false}, 20); }
// Vectors are kept at some cells only, and candidates are cut down by them.
TEST(RuleTableModel, ManyRulesOverWideColumnsFlipAsTheirTextsSay) { RunWorlds("wide", {1'500, 1, 2'000, false, false}, 1); }

}  // namespace
}  // namespace korrel
