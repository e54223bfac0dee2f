#include "storage/value.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>
#include <random>

namespace korrel {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max(), kMin = std::numeric_limits<int64_t>::min();

TEST(Value, TypeNamesReadBack) {
  for (Type type :
       {kBoolType, kIntType, kDoubleType, kStringType, kTimestampType, kSetType, DecimalType(0), DecimalType(7), DecimalType(18)})
    EXPECT_EQ(ParseTypeName(TypeName(type)), std::optional<Type>(type)) << TypeName(type);
  for (const char* text :
       {"", "Int", "decimal", "decimal()", "decimal(19)", "decimal(-1)", "decimal(02)", "decimal(2) ", "duration", "none"})
    EXPECT_FALSE(ParseTypeName(text).has_value()) << text;
}

TEST(Value, NormalizeSortsSetsAndClearsNegativeZero) {
  Value set = StringSet{"b", "a", "b", ""};
  ASSERT_TRUE(Normalize(&set, "f").ok());
  EXPECT_EQ(std::get<StringSet>(set), (StringSet{"", "a", "b"}));
  Value zero = -0.0;
  ASSERT_TRUE(Normalize(&zero, "f").ok());
  EXPECT_FALSE(std::signbit(std::get<double>(zero)));
}

TEST(Value, NormalizeRefusesWhatBreaksTheInvariants) {
  StringSet many;
  for (size_t i = 0; i <= kSetItemsMax; ++i) many.push_back(std::to_string(i));
  const Value bad[] = {std::nan(""),
                       std::numeric_limits<double>::infinity(),
                       std::string("\xC3"),
                       std::string(kStringBytesMax + 1, 'a'),
                       StringSet{"ok", "\xFF"},
                       many,
                       Decimal{1, 19},
                       Timestamp{kTimestampMinUs - 1},
                       Timestamp{kTimestampMaxUs + 1}};
  for (Value value : bad) {
    Status status = Normalize(&value, "attributes[0].value");
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << DisplayValue(value).substr(0, 50);
    EXPECT_EQ(ReasonOf(status), "FIELD");
    EXPECT_EQ(FieldOf(status), "attributes[0].value");
  }
  const Value good[] = {std::string(kStringBytesMax, 'a'), Timestamp{kTimestampMinUs}, Timestamp{kTimestampMaxUs}, StringSet{},
                        Decimal{kMin, 18}};
  for (Value value : good) EXPECT_TRUE(Normalize(&value, "").ok());
}

TEST(Value, Utf8IsStrict) {
  for (std::string_view good : {"", "plain ascii of more than eight bytes", "h\xC3\xA9llo w\xC3\xB6rld", "\xF0\x9F\x98\x80", "\xEF\xBF\xBD",
                                "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(IsValidUtf8(good)) << good;
  EXPECT_TRUE(IsValidUtf8(std::string_view("\0a", 2)));
  for (std::string_view bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x80\x80\x80",
                               "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xE2\x82", "12345678\xC3", "a\xFFz"})
    EXPECT_FALSE(IsValidUtf8(bad));
}

TEST(Value, NamesAreShortTextWithoutControls) {
  for (std::string_view good : {"a", "Straße 7", "x.y-z", "\xC2\xA0"}) EXPECT_TRUE(CheckName(good, "attribute").ok()) << good;
  EXPECT_TRUE(CheckName(std::string(128, 'n'), "attribute").ok());
  EXPECT_FALSE(CheckName(std::string(129, 'n'), "attribute").ok());
  for (std::string_view bad : {"", "a\nb", "\x7F", "\xC2\x85", "\xC3"}) EXPECT_FALSE(CheckName(bad, "attribute").ok());
}

TEST(Value, ConversionsAreExactOrNothing) {
  EXPECT_EQ(ConvertExactly(Value(int64_t{5}), DecimalType(2)), std::optional<Value>(Decimal{500, 2}));
  EXPECT_EQ(ConvertExactly(Value(Decimal{500, 2}), kIntType), std::optional<Value>(int64_t{5}));
  EXPECT_FALSE(ConvertExactly(Value(Decimal{550, 2}), kIntType));
  EXPECT_FALSE(ConvertExactly(Value(kMax), DecimalType(1)));
  EXPECT_EQ(ConvertExactly(Value(kMin), DecimalType(0)), std::optional<Value>(Decimal{kMin, 0}));
  EXPECT_EQ(ConvertExactly(Value(Decimal{125, 3}), kDoubleType), std::optional<Value>(0.125));
  EXPECT_FALSE(ConvertExactly(Value(Decimal{1, 1}), kDoubleType));
  EXPECT_FALSE(ConvertExactly(Value((int64_t{1} << 53) + 1), kDoubleType));
  EXPECT_EQ(ConvertExactly(Value(int64_t{1} << 62), kDoubleType), std::optional<Value>(std::ldexp(1.0, 62)));
  EXPECT_EQ(ConvertExactly(Value(kMin), kDoubleType), std::optional<Value>(-std::ldexp(1.0, 63)));
  EXPECT_FALSE(ConvertExactly(Value(0.125), DecimalType(3)));
  EXPECT_FALSE(ConvertExactly(Value(std::string("1")), kIntType));
}

TEST(Value, WideningGoesOneWay) {
  EXPECT_EQ(WidenedType(kIntType, DecimalType(2)), std::optional<Type>(DecimalType(2)));
  EXPECT_EQ(WidenedType(DecimalType(3), DecimalType(2)), std::optional<Type>(DecimalType(3)));
  EXPECT_EQ(WidenedType(DecimalType(3), kIntType), std::optional<Type>(DecimalType(3)));
  EXPECT_EQ(WidenedType(kIntType, kDoubleType), std::optional<Type>(kDoubleType));
  EXPECT_EQ(WidenedType(kDoubleType, kIntType), std::optional<Type>(kDoubleType));
  EXPECT_EQ(WidenedType(kSetType, kSetType), std::optional<Type>(kSetType));
  EXPECT_FALSE(WidenedType(kIntType, kStringType));
  EXPECT_FALSE(WidenedType(kBoolType, kIntType));
  EXPECT_FALSE(WidenedType(kTimestampType, kIntType));
}

TEST(Value, QuotientsAreWithinHalfAUnitInTheLastPlace) {
  // x87's long double has eleven bits more, so it tells apart all but ties, which random operands do not hit.
  std::mt19937_64 random(99);
  for (int i = 0; i < 20'000; ++i) {
    auto a = static_cast<int64_t>(random() >> 24) - (int64_t{1} << 39), b = static_cast<int64_t>(random() >> 24) + 1;
    int scale = static_cast<int>(random() % 7);
    double result = ExactQuotient(a, scale, b, 0);
    long double exact = static_cast<long double>(a) / static_cast<long double>(int128{b} * kPowersOf10[scale]);
    long double unit = std::nextafter(std::fabs(result), INFINITY) - std::fabs(result);
    ASSERT_LE(std::fabs(exact - result), unit / 2 * 1.001L) << a << " / " << b << " / 10^" << scale;
  }
}

TEST(Value, WideQuotientsEqualTheHardwaresWhereBothAreExact) {
  // (x * 10^k) / (y * 10^k) is x / y, however wide the operands.
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    auto x = static_cast<int64_t>(random() >> 11), y = static_cast<int64_t>(random() >> 11) | 1;
    if (random() % 2) x = -x;
    int128 power = kPowersOf10[random() % 19];
    double expected = static_cast<double>(x) / static_cast<double>(y);
    ASSERT_EQ(ExactQuotient(x * power, 0, y * power, 0), expected);
    ASSERT_EQ(ExactQuotient(x * power, 18, y, 18), ExactQuotient(x * power, 3, y, 3));
    ASSERT_EQ(ExactQuotient(x, 5, y, 12), ExactQuotient(x * int128{kPowersOf10[7]}, 0, y, 0));
  }
}

TEST(Value, HalvesRoundToEven) {
  int64_t two53 = int64_t{1} << 53;
  EXPECT_EQ(ToNearestDouble(two53 + 1, 0), static_cast<double>(two53));
  EXPECT_EQ(ToNearestDouble(two53 + 3, 0), static_cast<double>(two53 + 4));
  // The same ties as quotients of wide operands, and one part in 10^18 beside them.
  int128 ten18 = kPowersOf10[18];
  EXPECT_EQ(ToNearestDouble(int128{two53 + 1} * ten18, 18), static_cast<double>(two53));
  EXPECT_EQ(ToNearestDouble(int128{two53 + 1} * ten18 + 1, 18), static_cast<double>(two53 + 2));
  EXPECT_EQ(ToNearestDouble(int128{two53 + 3} * ten18 - 1, 18), static_cast<double>(two53 + 2));
  EXPECT_EQ(ToNearestDouble(-(int128{two53 + 1} * ten18 + 1), 18), -static_cast<double>(two53 + 2));
}

TEST(Value, DecimalsBecomeTheDoubleTheirTextMeans) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    auto unscaled = static_cast<int64_t>(random()) >> (random() % 60);
    int scale = static_cast<int>(random() % 19);
    ASSERT_EQ(ToNearestDouble(unscaled, scale), std::strtod(FormatDecimal(unscaled, scale).c_str(), nullptr))
        << FormatDecimal(unscaled, scale);
  }
  EXPECT_EQ(ToNearestDouble(kMin, 18), std::strtod("-9.223372036854775808", nullptr));
}

TEST(Value, ExactlyDoubleMeansConvertingBackLosesNothing) {
  EXPECT_TRUE(IsExactlyDouble(25, 2));
  EXPECT_FALSE(IsExactlyDouble(1, 1));
  EXPECT_TRUE(IsExactlyDouble(0, 18));
  EXPECT_TRUE(IsExactlyDouble(kMin, 0));
  EXPECT_FALSE(IsExactlyDouble(kMax, 0));
}

TEST(Value, TextsForPeople) {
  EXPECT_EQ(FormatDecimal(-1250, 2), "-12.50");
  EXPECT_EQ(FormatDecimal(-5, 2), "-0.05");
  EXPECT_EQ(FormatDecimal(7, 0), "7");
  EXPECT_EQ(FormatDecimal(kMin, 18), "-9.223372036854775808");
  EXPECT_EQ(FormatDouble(0.1), "0.1");
  EXPECT_EQ(FormatDouble(1e300), "1e+300");
  EXPECT_EQ(FormatTimestamp({1488366000'000000}), "2017-03-01T11:00:00Z");
  EXPECT_EQ(FormatTimestamp({1488366000'500000}), "2017-03-01T11:00:00.5Z");
  EXPECT_EQ(FormatTimestamp({-1}), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(FormatTimestamp({kTimestampMinUs}), "0001-01-01T00:00:00Z");
  EXPECT_EQ(FormatTimestamp({kTimestampMaxUs}), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(FormatTimestamp({951782400'000000}), "2000-02-29T00:00:00Z");
  EXPECT_EQ(DisplayValue(std::string("it's")), "'it''s'");
  EXPECT_EQ(DisplayValue(StringSet{"a", "b"}), "{'a', 'b'}");
  EXPECT_EQ(DisplayValue(Value()), "absent");
}

TEST(Value, ShortestDoublesReadBack) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 10'000; ++i) {
    auto value = std::bit_cast<double>(random());
    if (std::isfinite(value)) {
      ASSERT_EQ(std::strtod(FormatDouble(value).c_str(), nullptr), value);
    }
  }
}

}  // namespace
}  // namespace korrel
