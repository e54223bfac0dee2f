#include "tests/twin/naive_questions.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "tests/twin/expression_check.h"
#include "tests/twin/naive_interpreter.h"
#include "tests/twin/naive_number.h"

namespace korrel::twin {
namespace {

// Total order of answers of one type, absent last.
bool Before(const Value& a, const Value& b) {
  if (!IsPresent(a) || !IsPresent(b)) return IsPresent(a) && !IsPresent(b);
  return CompareResults({a, std::nullopt}, {b, std::nullopt}) < 0;
}

struct ByValues {
  bool operator()(const std::vector<Value>& a, const std::vector<Value>& b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), Before);
  }
};

// The keys under which a profile is counted: one, or with a set among them one per item.
std::vector<std::vector<Value>> KeysOf(const std::vector<Value>& values) {
  std::vector<std::vector<Value>> keys = {{}};
  for (const Value& value : values) {
    std::vector<Value> choices = {value};
    if (auto* set = std::get_if<StringSet>(&value)) choices.assign(set->begin(), set->end());
    std::vector<std::vector<Value>> longer;
    for (const std::vector<Value>& key : keys) {
      for (const Value& choice : choices) {
        longer.push_back(key);
        longer.back().push_back(choice);
      }
    }
    keys = longer;
  }
  return keys;
}

Value SumOverProfiles(const std::vector<Value>& values, Type type) {
  if (type.kind == ValueKind::kDouble) {
    std::vector<double> doubles;
    for (const Value& value : values) doubles.push_back(std::get<double>(value));
    return DoubleResult(ExactSum(doubles));
  }
  int128 sum = 0;
  for (const Value& value : values) sum += ExactOf(value)->unscaled;
  return type.kind == ValueKind::kInt ? IntResult(sum) : DecimalResult(sum, type.scale);
}

Value AverageOverProfiles(const std::vector<Value>& values, Type type) {
  if (values.empty()) return {};
  auto count = static_cast<int128>(values.size());
  if (type.kind == ValueKind::kDouble) {
    Value sum = SumOverProfiles(values, type);
    return IsPresent(sum) ? DoubleResult(std::get<double>(sum) / static_cast<double>(count)) : Value();
  }
  int128 sum = 0;
  for (const Value& value : values) sum += ExactOf(value)->unscaled;
  return NearestDouble(sum, count * PowerOf10(type.scale));
}

std::vector<Value> FiguresOf(const NaiveMeasure& measure, std::vector<Value> values) {
  Type type = measure.of->type();
  std::sort(values.begin(), values.end(), Before);
  std::vector<Value> figures = {SumOverProfiles(values, type), AverageOverProfiles(values, type)};
  figures.push_back(values.empty() ? Value() : values.front());
  figures.push_back(values.empty() ? Value() : values.back());
  for (double q : measure.quantiles) {
    auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(values.size())));
    figures.push_back(values.empty() ? Value() : values[std::max<size_t>(rank, 1) - 1]);
  }
  if (measure.bounds.empty()) return figures;
  std::vector<int64_t> bins(measure.bounds.size() + 1);
  for (const Value& value : values) {
    size_t bin = 0;
    while (bin < measure.bounds.size() && !Before(value, measure.bounds[bin])) ++bin;
    ++bins[bin];
  }
  figures.insert(figures.end(), bins.begin(), bins.end());
  return figures;
}

}  // namespace

std::vector<uint64_t> OrderedMatches(NaiveStore& twin, const Expression& where, const Expression& by, bool descending) {
  std::map<uint64_t, Value> values = ValuesInTwin(twin, by);
  std::vector<uint64_t> ids = MatchesInTwin(twin, where);
  std::stable_sort(ids.begin(), ids.end(), [&](uint64_t a, uint64_t b) {
    const Value &x = values[a], &y = values[b];
    if (!IsPresent(x) || !IsPresent(y)) return IsPresent(x) && !IsPresent(y);
    return descending ? Before(y, x) : Before(x, y);
  });
  return ids;
}

std::vector<NaiveGroup> GroupsOf(NaiveStore& twin, const Expression& where, const std::vector<ExpressionRef>& by,
                                 const std::vector<NaiveMeasure>& measures) {
  struct Members {
    uint64_t count = 0;
    std::vector<std::vector<Value>> values;  // per measure, present ones
  };
  std::map<std::vector<Value>, Members, ByValues> groups;
  if (by.empty()) groups[{}].values.resize(measures.size());  // one group, everybody, be it nobody
  const Schema& schema = twin.schema();
  for (uint64_t id : MatchesInTwin(twin, where)) {
    NaiveInterpreter interpreter(twin, twin.profile(id), schema);
    std::vector<Value> values;
    for (const ExpressionRef& expression : by) values.push_back(interpreter.Evaluate(*expression->root()).AsAnswer());
    for (const std::vector<Value>& key : KeysOf(values)) {
      Members& members = groups[key];
      members.values.resize(measures.size());
      ++members.count;
      for (size_t m = 0; m < measures.size(); ++m) {
        Value value = interpreter.Evaluate(*measures[m].of->root()).AsAnswer();
        if (IsPresent(value)) members.values[m].push_back(value);
      }
    }
  }
  std::vector<NaiveGroup> answer;
  for (const auto& [key, members] : groups) {
    NaiveGroup group{key, members.count, {}};
    for (size_t m = 0; m < measures.size(); ++m) {
      std::vector<Value> figures = FiguresOf(measures[m], members.values[m]);
      group.figures.insert(group.figures.end(), figures.begin(), figures.end());
    }
    answer.push_back(std::move(group));
  }
  std::stable_sort(answer.begin(), answer.end(), [](const NaiveGroup& a, const NaiveGroup& b) { return a.count > b.count; });
  return answer;
}

std::vector<uint64_t> OverlapOf(NaiveStore& twin, const std::vector<ExpressionRef>& selections) {
  std::vector<std::vector<uint64_t>> members;
  for (const ExpressionRef& selection : selections) members.push_back(MatchesInTwin(twin, *selection));
  std::vector<uint64_t> counts;
  for (const auto& a : members) {
    for (const auto& b : members) {
      std::vector<uint64_t> both;
      std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
      counts.push_back(both.size());
    }
  }
  return counts;
}

}  // namespace korrel::twin
