#include "tests/twin/naive_decay.h"

#include <cmath>

#include "index/evaluation/exponential.h"

namespace korrel::twin {
namespace {

double Aged(double s, int64_t since_us, int64_t half_life_us) { return since_us == 0 ? s : Halved(s, since_us, half_life_us); }

// Both positive: whether the decayed value is still above the bound (`or_equal`: or on it).
bool IsAbove(double s, const NaiveDecay& decay, double bound, bool or_equal, int64_t now_us) {
  BinaryLogarithm log = Log2Quotient(s, bound);
  double rest = static_cast<double>(decay.half_life_us) * log.part;
  double rounded = or_equal ? std::floor(rest) + 1 : std::ceil(rest);
  int128 lasts = static_cast<int128>(log.whole) * decay.half_life_us + static_cast<int64_t>(rounded);
  return static_cast<int128>(now_us) < decay.time_us + lasts;
}

}  // namespace

std::optional<NaiveDecay> FoldDecay(const std::vector<std::pair<int64_t, double>>& events, int64_t half_life_us) {
  if (events.empty()) return std::nullopt;
  NaiveDecay decay{0, events[0].first, half_life_us};
  for (const auto& [time_us, amount] : events) {
    decay.s = Aged(decay.s, time_us - decay.time_us, half_life_us) + amount;
    decay.time_us = time_us;
  }
  return decay;
}

double DecayedValue(const NaiveDecay& decay, int64_t now_us) { return Aged(decay.s, now_us - decay.time_us, decay.half_life_us); }

bool DecayCompares(const NaiveDecay& decay, Op op, double bound, int64_t now_us) {
  if (op == Op::kLess) return !DecayCompares(decay, Op::kGreaterEqual, bound, now_us);
  if (op == Op::kLessEqual) return !DecayCompares(decay, Op::kGreater, bound, now_us);
  bool or_equal = op == Op::kGreaterEqual;
  if (decay.s > 0 && bound > 0) return IsAbove(decay.s, decay, bound, or_equal, now_us);
  // Below zero it rises: above the bound exactly when its size is no longer on or above the bound's.
  if (decay.s < 0 && bound < 0) return !IsAbove(-decay.s, decay, -bound, !or_equal, now_us);
  return or_equal ? decay.s >= bound : decay.s > bound;
}

}  // namespace korrel::twin
