#include "index/evaluation/decay.h"

#include <algorithm>
#include <cmath>

#include "index/evaluation/exact.h"
#include "index/evaluation/exponential.h"

namespace korrel {
namespace {

DecayTruth Always(bool truth) { return {truth, DecayTruth::kForGood}; }
DecayTruth Not(DecayTruth truth) { return {!truth.before, truth.flip_us}; }

// s · 2^(-t/H) > c, or >= c where `equal`; both above zero.
DecayTruth Until(double s, int64_t time_us, int64_t half_life_us, double c, bool equal) {
  if (equal ? s < c : s <= c) return Always(false);
  const BinaryLogarithm log = Log2Quotient(s, c);
  const double part = static_cast<double>(half_life_us) * log.part;
  int128 lasts = static_cast<int128>(log.whole) * half_life_us;
  lasts += equal ? static_cast<int64_t>(std::floor(part)) + 1 : static_cast<int64_t>(std::ceil(part));
  // It holds at t0 itself, however near S is to c.
  const int128 flip = time_us + std::max<int128>(lasts, 1);
  return flip < DecayTruth::kForGood ? DecayTruth{true, static_cast<int64_t>(flip)} : Always(true);
}

// decayed > c, or >= c.
DecayTruth Above(const DecayState& state, int64_t half_life_us, double c, bool equal) {
  if (state.s == 0) return Always(equal ? 0 >= c : 0 > c);
  if (state.s > 0) return c > 0 ? Until(state.s, state.time_us, half_life_us, c, equal) : Always(true);
  // -x > -c is the opposite of x >= c.
  return c < 0 ? Not(Until(-state.s, state.time_us, half_life_us, -c, !equal)) : Always(false);
}

}  // namespace

bool IsDecayed(Aggregate aggregate) { return aggregate == Aggregate::kDecayedCount || aggregate == Aggregate::kDecayedSum; }

const Term* DecayedIn(const Term& term) {
  const Term* at = &term;
  while (at->op == Op::kAttribute && at->definition) at = at->definition;
  return at->op == Op::kAggregate && IsDecayed(at->node->aggregate) ? at : nullptr;
}

DecayState DecayAfter(const std::optional<DecayState>& state, int64_t half_life_us, int64_t time_us, double x) {
  if (!state) return {x, time_us};
  return {Halved(state->s, time_us - state->time_us, half_life_us) + x, time_us};
}

std::optional<double> DecayedValue(const DecayState& state, int64_t half_life_us, int64_t now_us) {
  return exact::Finite(Halved(state.s, now_us - state.time_us, half_life_us));
}

DecayTruth CompareDecayed(const DecayState& state, int64_t half_life_us, Op op, double c) {
  if (!std::isfinite(state.s)) return Always(false);  // absent
  switch (op) {
    case Op::kGreater:
      return Above(state, half_life_us, c, false);
    case Op::kGreaterEqual:
      return Above(state, half_life_us, c, true);
    case Op::kLess:
      return Not(Above(state, half_life_us, c, true));
    default:
      return Not(Above(state, half_life_us, c, false));
  }
}

}  // namespace korrel
