// index/evaluation/decay.h
//
// What fades: a decayed aggregate is S at the time t0 of its newest event, and S · 2^(-(t - t0) / H) at t. Its state is S and t0 (kept.h);
// events are folded in, in event order, by S ← S · 2^(-Δt/H) + x.
//
// A comparison with a number c does not look at the value at all: from S, t0, H and c one instant follows, before which it holds or does
// not, and from which on it is the other way round. All ways of answering ask for that instant here, so that they agree to the
// microsecond.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "index/evaluation/kept.h"
#include "index/evaluation/term.h"

namespace korrel {

bool IsDecayed(Aggregate aggregate);
// The decayed aggregate that a term is, by itself or under the names of attributes; nullptr: it is something else.
const Term* DecayedIn(const Term& term);

// The state with one more event, whose time is not before the state's; nullopt: of it alone.
DecayState DecayAfter(const std::optional<DecayState>& state, int64_t half_life_us, int64_t time_us, double x);
// At now >= state.time_us; nullopt (absent) where it is not finite.
std::optional<double> DecayedValue(const DecayState& state, int64_t half_life_us, int64_t now_us);

// `before` until flip_us, the opposite from then on; never flips where it is the largest number.
struct DecayTruth {
  static constexpr int64_t kForGood = std::numeric_limits<int64_t>::max();
  bool before = false;
  int64_t flip_us = kForGood;
  bool At(int64_t now_us) const { return (now_us < flip_us) == before; }
};

// `decayed op c`, op one of < <= > >=, from state.time_us on. For S and c above zero `> c` holds until t0 + ⌈H · log2(S/c)⌉ and `>= c` until
// one microsecond after t0 + ⌊H · log2(S/c)⌋; below zero it is the mirror image. A value never reaches zero, however small it gets.
DecayTruth CompareDecayed(const DecayState& state, int64_t half_life_us, Op op, double c);

}  // namespace korrel
