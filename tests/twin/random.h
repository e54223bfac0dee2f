// tests/twin/random.h
//
// Random is the one source of chance of the model tests: the same seed gives the same draws on every machine (mt19937_64 and
// nothing from <random> that a library may implement as it likes).
//
// The environment scales the tests: KORREL_SEED (the first seed; every round counts on from it) and KORREL_ROUNDS.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

namespace korrel::twin {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint64_t Bits() { return engine_(); }
  uint64_t Below(uint64_t n) { return engine_() % n; }
  int64_t Between(int64_t low, int64_t high) { return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1)); }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  template <class T>
  const T& Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }
  const char* Pick(std::initializer_list<const char*> from) { return *(from.begin() + Below(from.size())); }

 private:
  std::mt19937_64 engine_;
};

inline uint64_t EnvironmentOr(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}
inline uint64_t FirstSeed(uint64_t otherwise) { return EnvironmentOr("KORREL_SEED", otherwise); }
inline uint64_t Rounds(uint64_t otherwise) { return EnvironmentOr("KORREL_ROUNDS", otherwise); }

// What a test did, for long runs to add up (long_run.py): stands in the test's results as "operations".
inline void RecordOperations(uint64_t count) { testing::Test::RecordProperty("operations", std::to_string(count)); }
// How often the naive side worked out all of a profile at an instant to compare with; "recomputed".
inline void RecordRecomputed(uint64_t count) { testing::Test::RecordProperty("recomputed", std::to_string(count)); }

}  // namespace korrel::twin
