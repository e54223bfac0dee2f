// tests/twin/expression_check.h
//
// Asks a database and the twin for the same expression and says in words where they differ: the seed is the test's business, the
// smallest differing part of the expression and the profile it differs for are found here.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/database.h"
#include "tests/twin/naive_interpreter.h"
#include "tests/twin/naive_profile.h"

namespace korrel::twin {

// Equal to the bit: type, scale, and for doubles every bit.
bool SameValue(const Value& a, const Value& b);

// What the twin says for everybody.
std::map<uint64_t, Value> ValuesInTwin(NaiveStore& twin, const Expression& expression);
std::vector<uint64_t> MatchesInTwin(NaiveStore& twin, const Expression& expression);

// Drains a query. `matches` in the order they came; `columns[i]` the values of the i-th selected expression.
struct QueryResult {
  std::vector<uint64_t> ids;
  std::vector<std::vector<Value>> columns;
};
StatusOr<QueryResult> RunQuery(Database& database, QueryRequest request, size_t bytes_max = 256 * 1024);

// Count and Query of a condition, or the values of any other expression for everybody. Empty: they agree.
std::string DifferenceIn(NaiveStore& twin, Database& database, const Expression& expression);

}  // namespace korrel::twin
