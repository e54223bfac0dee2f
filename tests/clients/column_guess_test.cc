// Which type a text, and a column of texts, is guessed to be; and how declared types are read.
#include <gtest/gtest.h>

#include "clients/cli/cell_value.h"
#include "clients/cli/column_guess.h"
#include "clients/cli/number_text.h"
#include "clients/cli/time_text.h"

namespace korrel::cli {
namespace {

std::optional<Type> Narrowest(const std::vector<std::string>& cells, char point = '.') {
  ColumnGuess guess;
  uint64_t line = 2;
  for (const std::string& cell : cells) guess.Add(Cell{cell.empty() ? CellForm::kEmpty : CellForm::kText, cell, nullptr}, line++);
  return guess.Narrowest(point, std::nullopt);
}

TEST(ColumnGuess, SingleTexts) {
  EXPECT_EQ(GuessType("true"), kBoolType);
  EXPECT_EQ(GuessType("TRUE"), kStringType);
  EXPECT_EQ(GuessType("0"), kIntType);
  EXPECT_EQ(GuessType("-17"), kIntType);
  EXPECT_EQ(GuessType("123456789012345678"), kIntType);
  EXPECT_EQ(GuessType("0.5"), DecimalType(1));
  EXPECT_EQ(GuessType("-12.50"), DecimalType(2));
  EXPECT_EQ(GuessType("4.440892e-16"), kDoubleType);
  EXPECT_EQ(GuessType("1e5"), kDoubleType);
  EXPECT_EQ(GuessType("2017-03-01"), kTimestampType);
  EXPECT_EQ(GuessType("2017-03-01T12:00:00+01:00"), kTimestampType);
  EXPECT_EQ(GuessType("hello"), kStringType);
}

TEST(ColumnGuess, CodesAreStringsNotNumbers) {
  EXPECT_EQ(GuessType("01234"), kStringType);
  EXPECT_EQ(GuessType("00.5"), kStringType);
  EXPECT_EQ(GuessType("-007"), kStringType);
  EXPECT_EQ(GuessType("+31201234567"), kStringType);
  EXPECT_EQ(GuessType("1234567890123456789"), kStringType) << "19 digits";
  for (const char* text : {"NaN", "inf", "Infinity", "1e999", "0x10", "1_000", "1,000", "--1", "1.", ".", "-", "e5", "1e", ""}) {
    EXPECT_EQ(GuessType(text), kStringType) << text;
  }
}

TEST(ColumnGuess, AColumnIsTheNarrowestThatFitsAll) {
  EXPECT_EQ(Narrowest({"1", "2", ""}), kIntType);
  EXPECT_EQ(Narrowest({"1", "2.5", "3.25"}), DecimalType(2));
  EXPECT_EQ(Narrowest({"1", "2.5", "1e3"}), kDoubleType);
  EXPECT_EQ(Narrowest({"true", "false", ""}), kBoolType);
  EXPECT_EQ(Narrowest({"true", "1"}), kStringType);
  EXPECT_EQ(Narrowest({"1", "x"}), kStringType);
  EXPECT_EQ(Narrowest({"2017-01-01", "2017-01-01 10:00"}), kTimestampType);
  EXPECT_EQ(Narrowest({"2017-01-01", "5"}), kStringType);
  EXPECT_EQ(Narrowest({"", ""}), std::nullopt);
}

TEST(ColumnGuess, DecimalsThatNoCommonScaleHoldsAreDoubles) {
  EXPECT_EQ(Narrowest({"123456789012345.5", "0.123456789"}), kDoubleType);
  EXPECT_EQ(Narrowest({"12345678901234567.5", "0.5"}), DecimalType(1));
}

TEST(ColumnGuess, AnIntThatNoDoubleEqualsIsNotLostAmongDoubles) {
  EXPECT_EQ(Narrowest({"9007199254740993", "1e3"}), kStringType);
  EXPECT_EQ(Narrowest({"9007199254740992", "1e3"}), kDoubleType);
}

TEST(ColumnGuess, DoesNotDependOnTheOrder) {
  std::vector<std::string> cells = {"1", "2.25", "1e3", "0.123456789012345678"};
  std::sort(cells.begin(), cells.end());
  const auto first = Narrowest(cells);
  while (std::next_permutation(cells.begin(), cells.end())) EXPECT_EQ(Narrowest(cells), first);
}

TEST(ColumnGuess, DecimalCommaIsGuessedBesideThePoint) {
  EXPECT_EQ(Narrowest({"1,50", "2"}, ','), DecimalType(2));
  EXPECT_EQ(Narrowest({"1,50", "2"}, '.'), kStringType);
  EXPECT_EQ(Narrowest({"1.50", "2"}, ','), kStringType);
}

TEST(ColumnGuess, DayAndMonthAreToldApartByTheColumn) {
  EXPECT_EQ(Narrowest({"13/01/2017", "02/01/2017"}), kTimestampType);
  EXPECT_EQ(Narrowest({"01/02/2017", "02/03/2017"}), kStringType) << "never by chance";
  ColumnGuess american;
  american.Add({CellForm::kText, "01/31/2017 5:30 PM", nullptr}, 2);
  EXPECT_EQ(american.OnlyDateFormat('.'), DateFormat::kMonthFirst);
  ColumnGuess ambiguous;
  ambiguous.Add({CellForm::kText, "01/02/2017", nullptr}, 2);
  EXPECT_TRUE(ambiguous.AmbiguousDates('.'));
  EXPECT_EQ(ambiguous.Narrowest('.', DateFormat::kDayFirst), kTimestampType);
  EXPECT_EQ(Narrowest({"01.02.2017"}), kTimestampType) << "points are day-first";
}

TEST(ColumnGuess, SaysWhichCellMadeNumbersStrings) {
  ColumnGuess guess;
  guess.Add({CellForm::kText, "1", nullptr}, 2);
  guess.Add({CellForm::kText, "NA", nullptr}, 3);
  guess.Add({CellForm::kText, "2", nullptr}, 4);
  EXPECT_EQ(guess.StringBecause('.'), "line 3 holds 'NA'");
}

TEST(ColumnGuess, JsonListsMakeAColumnOfSets) {
  const StringSet items = {"a"};
  ColumnGuess guess;
  guess.Add({CellForm::kSet, {}, &items}, 1);
  guess.Add({CellForm::kString, "b", nullptr}, 2);
  EXPECT_EQ(guess.Narrowest('.', std::nullopt), kSetType);
}

int64_t Scaled(std::string_view text, int scale, bool round = false) {
  int64_t value = -1;
  EXPECT_EQ(ParseScaled(text, '.', scale, round, &value), "") << text;
  return value;
}

TEST(NumberText, DecimalsAreReadExactly) {
  EXPECT_EQ(Scaled("12.5", 2), 1250);
  EXPECT_EQ(Scaled("-0.01", 2), -1);
  EXPECT_EQ(Scaled("1.500", 1), 15);
  EXPECT_EQ(Scaled("1.25e1", 1), 125);
  EXPECT_EQ(Scaled("125e-1", 1), 125);
  EXPECT_EQ(Scaled("0.00000", 0), 0);
  EXPECT_EQ(Scaled("0e99999", 0), 0);
  EXPECT_EQ(Scaled("9223372036854775807", 0), INT64_MAX);
  EXPECT_EQ(Scaled("0.000000000000000001", 18), 1);
  EXPECT_EQ(Scaled("007", 0), 7) << "declared to be a number";
}

TEST(NumberText, SurplusDigitsAreAProblemUnlessRounded) {
  int64_t value = 0;
  EXPECT_NE(ParseScaled("1.005", '.', 2, false, &value), "");
  EXPECT_NE(ParseScaled("4.440892e-16", '.', 2, false, &value), "");
  EXPECT_EQ(Scaled("1.005", 2, true), 101);
  EXPECT_EQ(Scaled("-1.005", 2, true), -101) << "half away from zero";
  EXPECT_EQ(Scaled("1.0049999999999999999999999999999999999999999999999", 2, true), 100);
  EXPECT_EQ(Scaled("4.440892e-16", 2, true), 0);
  EXPECT_EQ(Scaled("0.5", 0, true), 1);
  EXPECT_EQ(Scaled("0.05", 0, true), 0);
}

TEST(NumberText, WhatDoesNotFitIsAProblem) {
  int64_t value = 0;
  double real = 0;
  for (const char* text : {"9223372036854775808", "1e30", "1e99999", "99999999999999999999999999999999999999999999"}) {
    EXPECT_NE(ParseScaled(text, '.', 0, true, &value), "") << text;
  }
  for (const char* text : {"", "-", "abc", "1x", "nan", "inf", "0x1", " 1", "1 ", "1.2.3"}) {
    EXPECT_NE(ParseScaled(text, '.', 2, true, &value), "") << text;
    EXPECT_NE(ParseDouble(text, '.', &real), "") << text;
  }
  EXPECT_NE(ParseDouble("1e999", '.', &real), "");
  EXPECT_EQ(ParseDouble("1e-999", '.', &real), "");
  EXPECT_EQ(real, 0);
  EXPECT_EQ(ParseDouble("-0.0", '.', &real), "");
  EXPECT_FALSE(std::signbit(real));
  EXPECT_EQ(ParseDouble("2,5", ',', &real), "");
  EXPECT_EQ(real, 2.5);
}

int64_t Time(std::string_view text, DateFormat format = DateFormat::kYearFirst, const char* zone_name = "UTC") {
  absl::TimeZone zone;
  EXPECT_TRUE(absl::LoadTimeZone(zone_name, &zone));
  const auto us = ParseTimeUs(text, format, zone);
  EXPECT_TRUE(us.has_value()) << text;
  return us.value_or(-1);
}

TEST(TimeText, ReadsRfc3339AndItsRelatives) {
  constexpr int64_t kNoon = 1'488'366'000'000'000;  // 2017-03-01T11:00:00Z
  EXPECT_EQ(Time("2017-03-01T11:00:00Z"), kNoon);
  EXPECT_EQ(Time("2017-03-01T12:00:00+01:00"), kNoon);
  EXPECT_EQ(Time("2017-03-01 11:00"), kNoon);
  EXPECT_EQ(Time("2017-03-01 12:00", DateFormat::kYearFirst, "Europe/Amsterdam"), kNoon);
  EXPECT_EQ(Time("2017-03-01T11:00:00.5Z"), kNoon + 500'000);
  EXPECT_EQ(Time("2017-03-01T11:00:00.123456000Z"), kNoon + 123'456);
  EXPECT_EQ(Time("2017-03-01T10:59:60Z"), kNoon) << "second 60 is the next second";
  EXPECT_EQ(Time("1/3/2017 11:00", DateFormat::kDayFirst), kNoon);
  EXPECT_EQ(Time("3/1/2017 11:00 AM", DateFormat::kMonthFirst), kNoon);
  EXPECT_EQ(Time("1488366000", DateFormat::kUnixSeconds), kNoon);
  EXPECT_EQ(Time("1488366000000", DateFormat::kUnixMillis), kNoon);
}

TEST(TimeText, DateAloneIsMidnightInTheZone) {
  EXPECT_EQ(Time("2017-07-01", DateFormat::kYearFirst, "Europe/Amsterdam"), Time("2017-06-30T22:00:00Z"));
}

TEST(TimeText, LocalTimesThatHappenTwiceOrNever) {
  EXPECT_EQ(Time("2017-10-29 02:30", DateFormat::kYearFirst, "Europe/Amsterdam"), Time("2017-10-29T00:30:00Z")) << "the first";
  EXPECT_EQ(Time("2017-03-26 02:30", DateFormat::kYearFirst, "Europe/Amsterdam"), Time("2017-03-26T01:00:00Z")) << "the change";
}

TEST(TimeText, RefusesWhatIsNoTime) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  for (const char* text : {"2017-02-30", "2017-13-01", "2017-00-10", "0000-01-01", "2017-03-01T24:00", "2017-03-01T11", "2017-03-01T11:60",
                           "2017-03-01T11:00:00.1234567Z", "2017-03-01x", "20170301", "2017/03-01", "12:00", ""}) {
    EXPECT_FALSE(ParseTimeUs(text, DateFormat::kYearFirst, utc).has_value()) << text;
  }
  EXPECT_FALSE(ParseTimeUs("31/12/2017", DateFormat::kMonthFirst, utc).has_value());
  EXPECT_FALSE(ParseTimeUs("9999999999999999", DateFormat::kUnixSeconds, utc).has_value());
}

TEST(TimeText, Durations) {
  EXPECT_EQ(ParseDurationUs("1d12h"), 36ll * 3'600 * 1'000'000);
  EXPECT_EQ(ParseDurationUs("10us"), 10);
  EXPECT_EQ(ParseDurationUs("36500d"), int64_t{36'500} * 86'400 * 1'000'000) << "100 years, as in expressions";
  EXPECT_FALSE(ParseDurationUs("36500d1us").has_value());
  EXPECT_EQ(ParseDurationUs("400d"), 400ll * 86'400 * 1'000'000);
  for (const char* text : {"", "12", "h", "1h1d", "1d1d", "1x", "-1d", "36526d", "99999999999999999w"}) {
    EXPECT_FALSE(ParseDurationUs(text).has_value()) << text;
  }
  for (const char* text : {"400d", "1d12h", "500ms", "10us", "1h1m1s"}) EXPECT_EQ(FormatDurationUs(*ParseDurationUs(text)), text);
}

std::string Problem(std::string_view text, Type type) {
  Row row;
  CellValue value;
  return ReadCell({CellForm::kText, text, nullptr}, type, CellStyle{}, &row, &value);
}

TEST(CellValue, SaysWhatDoesNotFit) {
  EXPECT_NE(Problem("x", kIntType).find("'x' is no int"), std::string::npos);
  EXPECT_NE(Problem("1.234", DecimalType(2)).find("decimal(2)"), std::string::npos);
  EXPECT_NE(Problem("maybe", kBoolType), "");
  EXPECT_NE(Problem("nan", kDoubleType), "");
  EXPECT_NE(Problem(std::string(kStringBytesMax + 1, 'x'), kStringType), "");
  EXPECT_EQ(Problem(std::string(kStringBytesMax, 'x'), kStringType), "");
  EXPECT_EQ(Problem("TRUE", kBoolType), "") << "declared to be a bool";
}

TEST(CellValue, ASeparatorSplitsTextIntoASet) {
  Row row;
  CellValue value;
  CellStyle style;
  style.set_separator = '|';
  EXPECT_EQ(ReadCell({CellForm::kText, "a|b||c", nullptr}, kSetType, style, &row, &value), "");
  EXPECT_EQ(*value.set, (StringSet{"a", "b", "c"}));
}

}  // namespace
}  // namespace korrel::cli
