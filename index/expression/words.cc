#include "index/expression/words.h"

#include <algorithm>
#include <array>
#include <utility>

namespace korrel {
namespace {

constexpr std::array kReserved = {"and",     "or",      "not",   "in",   "is",  "has",  "like", "contains",
                                  "matches", "between", "where", "over", "did", "true", "false"};

constexpr std::array kFunctions = {
    std::pair{Function::kAbs, "abs"},
    std::pair{Function::kRound, "round"},
    std::pair{Function::kFloor, "floor"},
    std::pair{Function::kCeil, "ceil"},
    std::pair{Function::kCoalesce, "coalesce"},
    std::pair{Function::kIf, "if"},
    std::pair{Function::kLower, "lower"},
    std::pair{Function::kUpper, "upper"},
    std::pair{Function::kLength, "length"},
    std::pair{Function::kMin, "min"},
    std::pair{Function::kMax, "max"},
    std::pair{Function::kNow, "now"},
    std::pair{Function::kYear, "year"},
    std::pair{Function::kMonth, "month"},
    std::pair{Function::kDay, "day"},
    std::pair{Function::kWeekday, "weekday"},
    std::pair{Function::kHour, "hour"},
    std::pair{Function::kAgeIn, "age_in"},
    std::pair{Function::kBucket, "bucket"},
    std::pair{Function::kConsent, "consent"},
    std::pair{Function::kConsentState, "consent_state"},
    std::pair{Function::kHasIdentifier, "has_identifier"},
    std::pair{Function::kCreatedAt, "created_at"},
    std::pair{Function::kUpdatedAt, "updated_at"},
};

constexpr std::array kAggregates = {
    std::pair{Aggregate::kCount, "count"},
    std::pair{Aggregate::kSum, "sum"},
    std::pair{Aggregate::kAvg, "avg"},
    std::pair{Aggregate::kMin, "min"},
    std::pair{Aggregate::kMax, "max"},
    std::pair{Aggregate::kFirst, "first"},
    std::pair{Aggregate::kLast, "last"},
    std::pair{Aggregate::kFirstSeen, "first_seen"},
    std::pair{Aggregate::kLastSeen, "last_seen"},
    std::pair{Aggregate::kUniqueCount, "unique_count"},
    std::pair{Aggregate::kMostFrequent, "most_frequent"},
    std::pair{Aggregate::kDaysActive, "days_active"},
    std::pair{Aggregate::kSessions, "sessions"},
    std::pair{Aggregate::kDecayedCount, "decayed_count"},
    std::pair{Aggregate::kDecayedSum, "decayed_sum"},
};

constexpr std::array kCalendarUnits = {
    std::pair{CalendarUnit::kDay, "day"},         std::pair{CalendarUnit::kWeek, "week"}, std::pair{CalendarUnit::kMonth, "month"},
    std::pair{CalendarUnit::kQuarter, "quarter"}, std::pair{CalendarUnit::kYear, "year"},
};

constexpr std::array kAgeUnits = {
    std::pair{AgeUnit::kSecond, "second"}, std::pair{AgeUnit::kMinute, "minute"}, std::pair{AgeUnit::kHour, "hour"},
    std::pair{AgeUnit::kDay, "day"},       std::pair{AgeUnit::kWeek, "week"},     std::pair{AgeUnit::kMonth, "month"},
    std::pair{AgeUnit::kYear, "year"},
};

template <class Table>
auto Find(const Table& table, std::string_view word) -> std::optional<decltype(table[0].first)> {
  for (const auto& [value, name] : table) {
    if (word == name) return value;
  }
  return std::nullopt;
}

template <class Table, class Value>
std::string_view NameIn(const Table& table, Value wanted) {
  for (const auto& [value, name] : table) {
    if (value == wanted) return name;
  }
  return "";
}

std::string Doubled(std::string_view text, char quote) {
  std::string result(1, quote);
  for (char c : text) {
    result += c;
    if (c == quote) result += c;
  }
  return result + quote;
}

}  // namespace

std::string LowerAscii(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c += 32;
  }
  return result;
}

bool IsReserved(std::string_view word) {
  std::string lower = LowerAscii(word);
  return std::find(kReserved.begin(), kReserved.end(), lower) != kReserved.end();
}

bool IsPlainName(std::string_view name) {
  auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (name.empty() || !is_letter(name[0])) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || is_digit(c); }) && !IsReserved(name);
}

std::string WrittenName(std::string_view name, bool must_quote) {
  return must_quote || !IsPlainName(name) ? Doubled(name, '"') : std::string(name);
}

std::string WrittenString(std::string_view text) { return Doubled(text, '\''); }

Function FunctionNamed(std::string_view word) { return Find(kFunctions, LowerAscii(word)).value_or(Function::kNone); }
Aggregate AggregateNamed(std::string_view word) { return Find(kAggregates, LowerAscii(word)).value_or(Aggregate::kNone); }
std::string_view NameOf(Function function) { return NameIn(kFunctions, function); }
std::string_view NameOf(Aggregate aggregate) { return NameIn(kAggregates, aggregate); }

const std::vector<std::string>& FunctionAndAggregateNames() {
  static const auto& names = *[] {
    auto* all = new std::vector<std::string>;
    for (const auto& entry : kFunctions) all->push_back(entry.second);
    for (const auto& entry : kAggregates) all->push_back(entry.second);
    return all;
  }();
  return names;
}

std::optional<CalendarUnit> CalendarUnitNamed(std::string_view word) { return Find(kCalendarUnits, LowerAscii(word)); }
std::string_view NameOf(CalendarUnit unit) { return NameIn(kCalendarUnits, unit); }
std::optional<AgeUnit> AgeUnitNamed(std::string_view word) { return Find(kAgeUnits, word); }

const std::vector<std::string>& AgeUnitNames() {
  static const auto& names = *[] {
    auto* all = new std::vector<std::string>;
    for (const auto& entry : kAgeUnits) all->push_back(entry.second);
    return all;
  }();
  return names;
}

}  // namespace korrel
