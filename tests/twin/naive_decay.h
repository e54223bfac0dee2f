// tests/twin/naive_decay.h
//
// decayed_count and decayed_sum: the fold S ← S·2^(−Δt/H) + x in event order, its value at an instant, and its comparison with
// something that does not decay, which is by definition a comparison of now with one instant t*.
//
// The powers and logarithms are the database's own (index/evaluation/exponential.h): their last bits are part of the language's
// definition, and a second implementation could only be equal to them by being the same. It is all that the twin shares of how the
// database computes; its own test holds it to the mathematical values.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "index/expression/node.h"

namespace korrel::twin {

struct NaiveDecay {
  double s = 0;
  int64_t time_us = 0;  // of the newest event in it
  int64_t half_life_us = 0;
};

// Time and amount of every event, in event order; nullopt: there are none.
std::optional<NaiveDecay> FoldDecay(const std::vector<std::pair<int64_t, double>>& events, int64_t half_life_us);
// Not finite where the fold left the doubles.
double DecayedValue(const NaiveDecay& decay, int64_t now_us);
// One of < <= > >=. The decay is finite.
bool DecayCompares(const NaiveDecay& decay, Op op, double bound, int64_t now_us);

}  // namespace korrel::twin
