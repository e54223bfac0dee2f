// tests/twin/random_definition.h
//
// RandomDefinition writes expressions that can be kept current over the test schema (random_world.h): conditions for live segments
// and values for computed and derived attributes, weighted towards what the clock moves – sliding and calendar windows in several
// zones, comparisons of now(), ages, hours, sessions, decay, sequences – and towards each other: attributes and segments defined
// before. Some are refused (a condition on the clock alone, say); the tests count those and insist that they are few.
#pragma once

#include <string>
#include <vector>

#include "tests/twin/random.h"
#include "tests/twin/random_expression.h"

namespace korrel::twin {

// What a definition may name beside the schema: defined before it, by the type of the value.
struct DefinedNames {
  std::vector<std::string> numbers, texts, times, flags, segments;
};

class RandomDefinition {
 public:
  RandomDefinition(Random* random, const Vocabulary* vocabulary, const DefinedNames* names)
      : random_(*random), words_(*vocabulary), names_(*names) {}

  std::string Condition(int depth);
  // The value of an attribute; `kind` says among which names it belongs ('n'umber, 't'ext, 'i'nstant, 'f'lag).
  std::string Value(char* kind);

 private:
  std::string Leaf();
  std::string StoredTest();
  std::string ClockComparison();
  std::string LocalReading();
  std::string AggregateTest();
  std::string DecayTest();
  std::string NameTest();

  std::string Number();  // an aggregate that is a number
  std::string Events(bool properties);
  std::string Where(const std::string& event_type);
  std::string Sequence();
  std::string Step();
  std::string Window();
  std::string Zone();
  std::string Time();
  std::string Operator() { return random_.Pick({"<", "<=", ">", ">=", ">", ">="}); }
  std::string Span() { return random_.Pick({"1us", "30m", "1h", "1d", "36h", "7d", "28d", "30d", "90d"}); }

  Random& random_;
  const Vocabulary& words_;
  const DefinedNames& names_;
};

}  // namespace korrel::twin
