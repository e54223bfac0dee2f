// tests/twin/random_expression.h
//
// RandomExpression writes well-typed expressions over the test schema (random_world.h): every operator, function, aggregate,
// window, `where` and list of the language, names of stored, computed and derived attributes, live and static segments, with
// constants taken from the same pools as the data, so that edges are hit. A few are refused when compiled (a scale over 18, say);
// the tests count those and insist that they are few.
#pragma once

#include <string>
#include <vector>

#include "tests/twin/random.h"

namespace korrel::twin {

struct Vocabulary {
  std::vector<std::string> strings, patterns, zones, items;
  std::vector<std::string> ints, decimals, doubles, durations, times;  // as literals; times with their keyword
  bool simple = false;                                                 // stored attributes only
};

class RandomExpression {
 public:
  RandomExpression(Random* random, const Vocabulary* vocabulary) : random_(*random), words_(*vocabulary) {}

  std::string Condition(int depth);
  // Of any type.
  std::string Any(int depth);
  std::string Number(int depth);
  std::string Int(int depth);
  std::string Decimal(int depth);
  std::string Double(int depth);
  std::string String(int depth);
  std::string Time(int depth);
  std::string Duration(int depth);
  std::string Set(int depth);

 private:
  enum class Kind { kInt, kDecimal, kDouble, kString, kBool, kTime, kSet };
  // Where names are looked up: attributes, or properties of one event type, qualified or (inside `where`) bare.
  struct Scope {
    std::string event_type;  // empty: attributes
    bool bare = false;
  };
  bool InEvents() const { return !scope_.event_type.empty(); }
  bool Leaf(int depth) { return depth <= 0 || random_.OneIn(4); }
  std::vector<std::string> NamesOf(Kind kind) const;
  // A name of the kind in scope, else `otherwise`.
  std::string NameOr(Kind kind, const std::string& otherwise);
  std::string Quoted(const std::string& text) const;

  std::string Test(int depth);
  std::string Comparison(int depth);
  std::string StringTest(int depth);
  std::string SetTest(int depth);
  std::string Presence(int depth);
  std::string NumberLiteral();
  std::string List(const std::vector<std::string>& pool, bool quoted);

  std::string Window(bool retained);
  std::string Zone();
  std::string Where(int depth);
  std::string EventName();
  // aggregate(property …) window, of one of the kinds; needs attribute scope.
  std::string AggregateOver(const char* aggregate, Kind kind, int depth);
  std::string AggregateOfEvents(const char* aggregate, int depth, bool with_zone);
  std::string HalfLife();
  std::string Decayed(int depth);
  // A decayed sum against a constant, something else that does not decay, or another one.
  std::string DecayTest(int depth);
  std::string Step();
  std::string Sequence(int depth);

  Random& random_;
  const Vocabulary& words_;
  Scope scope_;
};

}  // namespace korrel::twin
