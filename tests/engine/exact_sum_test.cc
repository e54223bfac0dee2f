#include "engine/question/exact_sum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <random>
#include <vector>

namespace korrel {
namespace {

double SumOf(const std::vector<double>& values) {
  ExactSum sum;
  for (double x : values) sum.Add(x);
  return sum.Round().value();
}

// Doubles of all sizes, subnormal ones too; seldom so large that a sum overflows.
double AnyDouble(std::mt19937_64& random) {
  while (true) {
    const uint64_t exponent = random() % 2040;
    const double x = std::bit_cast<double>((random() & ~(uint64_t{0x7ff} << 52)) | exponent << 52);
    if (std::isfinite(x)) return x;
  }
}

TEST(ExactSum, NothingIsZero) {
  EXPECT_EQ(ExactSum().Round(), 0.0);
  EXPECT_FALSE(std::signbit(*ExactSum().Round()));
}

TEST(ExactSum, KeepsWhatAFoldLoses) {
  EXPECT_EQ(SumOf({1e300, 1.0, -1e300}), 1.0);
  EXPECT_EQ(SumOf(std::vector<double>(10, 0.1)), 1.0) << "a fold gives 0.9999999999999999";
  EXPECT_EQ(SumOf({DBL_MAX, DBL_MAX, -DBL_MAX}), DBL_MAX) << "an overflow on the way is none at the end";
  EXPECT_EQ(SumOf({DBL_TRUE_MIN, 1.0, -1.0}), DBL_TRUE_MIN);
}

TEST(ExactSum, CancelsToPlainZero) {
  const double zero = SumOf({-5.5, 5.5});
  EXPECT_EQ(zero, 0.0);
  EXPECT_FALSE(std::signbit(zero));
}

TEST(ExactSum, RoundsOnceTiesToEven) {
  const double one = 1.0, half_ulp = std::ldexp(1.0, -53);
  EXPECT_EQ(SumOf({one, half_ulp}), one) << "a tie goes to the even neighbour";
  EXPECT_EQ(SumOf({one, half_ulp, DBL_TRUE_MIN}), std::nextafter(one, 2)) << "a hair above the tie goes up";
  EXPECT_EQ(SumOf({std::nextafter(one, 2), half_ulp}), std::nextafter(std::nextafter(one, 2), 2)) << "to even is up here";
  EXPECT_EQ(SumOf({-one, -half_ulp, -DBL_TRUE_MIN}), -std::nextafter(one, 2));
  EXPECT_EQ(SumOf({one, half_ulp, -DBL_TRUE_MIN}), one);
}

TEST(ExactSum, TooLargeIsNoNumber) {
  ExactSum sum;
  sum.Add(DBL_MAX);
  sum.Add(DBL_MAX);
  EXPECT_EQ(sum.Round(), std::nullopt);
  sum.Add(-DBL_MAX);
  EXPECT_EQ(sum.Round(), DBL_MAX);
}

TEST(ExactSum, AgreesWithQuadPrecisionWhereThatIsExact) {
  // Integers of up to 80 bits scaled alike: __int128 holds their sum exactly, and one conversion rounds it.
  std::mt19937_64 random(20170301);
  SCOPED_TRACE("seed 20170301");
  for (int round = 0; round < 200; ++round) {
    ExactSum sum;
    __int128 exact = 0;
    for (int i = 0; i < 100; ++i) {
      const int64_t mantissa = static_cast<int64_t>(random() >> 11) * (random() % 2 ? 1 : -1);
      const int shift = static_cast<int>(random() % 27);
      sum.Add(std::ldexp(static_cast<double>(mantissa), shift - 40));
      exact += static_cast<__int128>(mantissa) << shift;
    }
    EXPECT_EQ(sum.Round(), std::ldexp(static_cast<double>(exact), -40)) << "round " << round;
  }
}

// Goal: neither the order of the values nor how they are split over shards shows. Method: shuffles and random splits of values of
// all sizes, compared bit by bit.
TEST(ExactSum, OrderAndSplitNeverShow) {
  std::mt19937_64 random(7);
  SCOPED_TRACE("seed 7");
  for (int round = 0; round < 100; ++round) {
    std::vector<double> values;
    for (int i = 0; i < 200; ++i) values.push_back(AnyDouble(random));
    ExactSum whole;
    for (double x : values) whole.Add(x);
    std::shuffle(values.begin(), values.end(), random);
    std::vector<ExactSum> parts(1 + random() % 8);
    for (double x : values) parts[random() % parts.size()].Add(x);
    ExactSum merged;
    for (const ExactSum& part : parts) merged.Add(part);
    ASSERT_TRUE(whole.Round().has_value());
    EXPECT_EQ(std::bit_cast<uint64_t>(*merged.Round()), std::bit_cast<uint64_t>(*whole.Round())) << "round " << round;
  }
}

TEST(ExactSum, EveryValueAndItsNegativeCancel) {
  std::mt19937_64 random(11);
  std::vector<double> values;
  for (int i = 0; i < 1'000; ++i) values.push_back(AnyDouble(random));
  ExactSum sum;
  for (double x : values) sum.Add(x);
  for (size_t i = 0; i < values.size(); ++i) sum.Add(-values[values.size() - 1 - i]);
  EXPECT_EQ(sum.Round(), 0.0);
}

}  // namespace
}  // namespace korrel
