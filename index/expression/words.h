// index/expression/words.h
//
// The words of the language: which are reserved, how functions, aggregates and units are called. All are matched in any letter case
// and printed in lower case.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "index/expression/node.h"

namespace korrel {

std::string LowerAscii(std::string_view text);
bool IsReserved(std::string_view word);
// Whether the text can stand as a name without quotes: its letters and digits are right and it is not reserved.
bool IsPlainName(std::string_view name);
// The name as it is written in an expression: in double quotes if it must be.
std::string WrittenName(std::string_view name, bool must_quote = false);
std::string WrittenString(std::string_view text);

// Words before `(`. min and max are both: one argument makes an aggregate.
Function FunctionNamed(std::string_view word);
Aggregate AggregateNamed(std::string_view word);
std::string_view NameOf(Function function);
std::string_view NameOf(Aggregate aggregate);
const std::vector<std::string>& FunctionAndAggregateNames();

std::optional<CalendarUnit> CalendarUnitNamed(std::string_view word);
std::string_view NameOf(CalendarUnit unit);
std::optional<AgeUnit> AgeUnitNamed(std::string_view word);
const std::vector<std::string>& AgeUnitNames();

}  // namespace korrel
