// tests/twin/naive_sequence.h
//
// `did s1 then s2 … sn [within D] [window]` by its definition: for every event that may be the first, all events that can be the
// second, the third, … are written down, and the last ones are looked at one by one. Quadratic per step and meant to be.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace korrel::twin {

// One step as written: `then`, or `without`. fits[i]: the i-th event is of its type and passes its `where`.
struct NaiveStep {
  bool without = false;
  std::vector<bool> fits;
};

// `times` are those of all events that may be seen now, in event order; in_window[i]: the i-th may be a step.
bool SequenceHolds(const std::vector<int64_t>& times, const std::vector<bool>& in_window, const std::vector<NaiveStep>& steps,
                   std::optional<int64_t> within_us, int64_t now_us);

}  // namespace korrel::twin
