// Expressions that random ones found wrong once, each with the people that showed it.
#include <gtest/gtest.h>

#include "tests/twin/expression_check.h"
#include "tests/twin/hand_made.h"
#include "tests/twin/side_by_side.h"

namespace korrel::twin {
namespace {

TEST(FoundByChance, BetweenAConstantAndNow) {
  SideBySide both({{1, true}, {2, false}}, ClockMode::kReplay, At("2017-06-01T12:00:00Z"));
  for (int day = 1; day <= 9; ++day) {
    ProfileWrite write;
    write.identifiers = {"customer:" + std::to_string(day)};
    write.attributes.push_back(
        {"last_seen", AttributeOperation::kSet, Value(Timestamp{At("2017-05-28T00:00:00Z") + day * int64_t{86'400'000'000}})});
    both.Upsert({write});
  }
  for (const char* text : {"last_seen between date '2017-05-30' and now()", "last_seen between now() and date '2017-06-03'",
                           "last_seen between now() - 2d and now()", "not (last_seen between date '2017-05-30' and now())"}) {
    StatusOr<ExpressionRef> expression = both.twin().Compile(text);
    ASSERT_TRUE(expression.ok()) << expression.status();
    EXPECT_FALSE(MatchesInTwin(both.twin(), **expression).empty()) << text;
    for (Side& side : both.sides()) EXPECT_EQ(DifferenceIn(both.twin(), *side.database, **expression), "");
  }
}

}  // namespace
}  // namespace korrel::twin
