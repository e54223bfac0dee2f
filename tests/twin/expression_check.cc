#include "tests/twin/expression_check.h"

#include <algorithm>
#include <cstring>

#include "fmt/format.h"

namespace korrel::twin {
namespace {

bool InsideEvents(const Node& node) { return node.op == Op::kAggregate; }

// The node and the parts of it that stand on their own, smallest parts first.
void CollectParts(const NodeRef& node, std::vector<NodeRef>* parts) {
  if (!InsideEvents(*node)) {
    for (const NodeRef& input : node->inputs) CollectParts(input, parts);
  }
  if (node->definition) CollectParts(node->definition, parts);
  parts->push_back(node);
}

std::string Shown(const std::optional<Value>& value) {
  return value.has_value() ? fmt::format("{} ({})", DisplayValue(*value), TypeName(TypeOf(*value))) : "no row";
}

StatusOr<std::map<uint64_t, Value>> ValuesInDatabase(Database& database, const std::string& text) {
  QueryRequest request;
  request.selection.expression = "true";
  request.select = {text};
  KORREL_ASSIGN_OR_RETURN(QueryResult result, RunQuery(database, std::move(request)));
  std::map<uint64_t, Value> values;
  for (size_t i = 0; i < result.ids.size(); ++i) values[result.ids[i]] = result.columns[0][i];
  return values;
}

std::string DifferenceInValues(NaiveStore& twin, Database& database, const Expression& expression) {
  // No answer holds a duration: it is asked for as a number of microseconds.
  if (expression.type() == kDurationType) {
    StatusOr<ExpressionRef> as_number = twin.Compile(fmt::format("({}) / 1us", expression.text()));
    return as_number.ok() ? DifferenceInValues(twin, database, **as_number) : fmt::format("{}", MessageOf(as_number.status()));
  }
  StatusOr<std::map<uint64_t, Value>> actual = ValuesInDatabase(database, expression.text());
  if (!actual.ok()) return fmt::format("'{}' failed: {}", expression.text(), MessageOf(actual.status()));
  // The first profile for which the two say different things.
  std::map<uint64_t, Value> expected = ValuesInTwin(twin, expression);
  for (const auto& [id, value] : expected) {
    auto it = actual->find(id);
    std::optional<Value> got = it == actual->end() ? std::nullopt : std::optional(it->second);
    if (!got.has_value() || !SameValue(value, *got)) {
      return fmt::format("  {}\n  expected {}\n  got      {}\n{}", expression.text(), Shown(value), Shown(got), twin.Dump(id));
    }
  }
  if (actual->size() != expected.size()) return fmt::format("{} profiles expected, {} answered", expected.size(), actual->size());
  return "";
}

// The smallest part of the expression whose values differ already, or where none does, what the caller saw.
std::string Explained(NaiveStore& twin, Database& database, const Expression& expression, const std::string& whole) {
  std::vector<NodeRef> parts;
  CollectParts(expression.root(), &parts);
  for (const NodeRef& part : parts) {
    StatusOr<ExpressionRef> alone = twin.Compile(PrintNode(*part));
    if (!alone.ok()) continue;
    std::string difference = DifferenceInValues(twin, database, **alone);
    if (!difference.empty()) return fmt::format("expression: {}\nsmallest part that differs:\n{}", expression.text(), difference);
  }
  return fmt::format("expression: {}\nno part differs as a value, but: {}", expression.text(), whole);
}

std::string DifferenceInMatches(NaiveStore& twin, Database& database, const Expression& expression) {
  std::vector<uint64_t> expected = MatchesInTwin(twin, expression);
  Selection selection;
  selection.expression = expression.text();
  StatusOr<CountAnswer> count = database.Count(selection);
  if (!count.ok()) return fmt::format("Count failed: {}", MessageOf(count.status()));
  if (count->count != expected.size()) return fmt::format("Count is {}, expected {}", count->count, expected.size());
  QueryRequest request;
  request.selection = selection;
  StatusOr<QueryResult> query = RunQuery(database, std::move(request));
  if (!query.ok()) return fmt::format("Query failed: {}", MessageOf(query.status()));
  std::sort(query->ids.begin(), query->ids.end());
  for (uint64_t id : expected) {
    if (!std::binary_search(query->ids.begin(), query->ids.end(), id)) return fmt::format("Query misses\n{}", twin.Dump(id));
  }
  return query->ids == expected ? "" : "Query answers somebody who does not match, or somebody twice";
}

}  // namespace

bool SameValue(const Value& a, const Value& b) {
  if (auto* x = std::get_if<double>(&a)) {
    auto* y = std::get_if<double>(&b);
    return y != nullptr && std::memcmp(x, y, sizeof *x) == 0;
  }
  return a == b;
}

std::map<uint64_t, Value> ValuesInTwin(NaiveStore& twin, const Expression& expression) {
  std::map<uint64_t, Value> values;
  const Schema& schema = twin.schema();
  for (const auto& [id, profile] : twin.profiles())
    values[id] = NaiveInterpreter(twin, profile, schema).Evaluate(*expression.root()).AsAnswer();
  return values;
}

std::vector<uint64_t> MatchesInTwin(NaiveStore& twin, const Expression& expression) {
  std::vector<uint64_t> ids;
  const Schema& schema = twin.schema();
  for (const auto& [id, profile] : twin.profiles()) {
    if (NaiveInterpreter(twin, profile, schema).Holds(*expression.root())) ids.push_back(id);
  }
  return ids;
}

StatusOr<QueryResult> RunQuery(Database& database, QueryRequest request, size_t bytes_max) {
  KORREL_ASSIGN_OR_RETURN(std::unique_ptr<QueryStream> stream, database.Query(std::move(request)));
  QueryResult result;
  result.columns.resize(stream->fields().size());
  while (true) {
    KORREL_ASSIGN_OR_RETURN(std::optional<QueryStream::Chunk> chunk, stream->Next(bytes_max));
    if (!chunk.has_value()) return result;
    for (size_t i = 0; i < chunk->batch.size; ++i) {
      result.ids.push_back(chunk->batch.profile_ids[i].value);
      for (size_t c = 0; c < result.columns.size(); ++c) result.columns[c].push_back(chunk->batch.columns[c].At(i));
    }
  }
}

std::string DifferenceIn(NaiveStore& twin, Database& database, const Expression& expression) {
  std::string difference = DifferenceInValues(twin, database, expression);
  if (difference.empty() && expression.type() == kBoolType) difference = DifferenceInMatches(twin, database, expression);
  return difference.empty() ? "" : Explained(twin, database, expression, difference);
}

}  // namespace korrel::twin
