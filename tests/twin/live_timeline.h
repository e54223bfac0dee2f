// tests/twin/live_timeline.h
//
// LiveTimeline says what must have entered and left live segments, by the naive twin alone: memberships are looked at after every
// operation, and between operations at every instant at which something could change by time – for every event, stored time and
// expiry plus every duration that a definition holds, a microsecond to either side, local midnights and hours, and whatever instant
// the database itself claims. Where memberships differ between two instants, the first edge is found by bisection.
//
// The walk is made per profile, over a store of that profile alone: a row's history is a function of its own records and the clock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/twin/naive_profile.h"
#include "tests/twin/random.h"

namespace korrel::twin {

enum class ExpectedCause { kTime, kWrite, kDefinition, kDelete };

struct ExpectedFlip {
  uint64_t profile = 0;
  std::string segment;
  bool entered = true;
  int64_t time_us = 0;
  ExpectedCause cause = ExpectedCause::kTime;
  bool evicted = false;  // an event of the profile fell out at that instant
};
std::string Shown(const ExpectedFlip& flip);

class LiveTimeline {
 public:
  explicit LiveTimeline(Random* random) : random_(random) {}

  // From the twin as it was before an operation to the instant of the operation, by time alone. `claimed`: per profile, instants to
  // be looked at as well.
  void Walk(NaiveStore& before, int64_t to_us, const std::map<uint64_t, std::vector<int64_t>>& claimed);
  // The twin as it is after the operation.
  void Look(NaiveStore& twin, ExpectedCause cause);
  // The same of one profile, which may not be there; after an operation that concerned no other.
  void LookAt(NaiveStore& twin, std::optional<uint64_t> id, ExpectedCause cause);
  // What was noted since the last call: per profile in order of time.
  std::map<uint64_t, std::vector<ExpectedFlip>> Take();
  // How often all segments of a profile were worked out from what is known of it, at an instant.
  uint64_t recomputed() const { return recomputed_; }

 private:
  using Truths = std::map<std::string, bool>;  // of live segments
  Truths TruthsOf(NaiveStore& twin, uint64_t id);
  static std::set<uint64_t> EventsHeld(const NaiveStore& twin, uint64_t id);
  void Note(uint64_t id, int64_t time_us, const Truths& truths, ExpectedCause cause, std::set<uint64_t> held);
  void WalkOne(const NaiveStore& start, uint64_t id, const std::vector<int64_t>& instants);
  std::vector<int64_t> Instants(NaiveStore& one, uint64_t id, int64_t to_us, const std::vector<int64_t>& claimed);

  Random* random_;
  uint64_t recomputed_ = 0;
  std::map<uint64_t, Truths> last_;
  std::map<uint64_t, std::set<uint64_t>> held_;  // arrival numbers
  std::map<uint64_t, std::vector<ExpectedFlip>> noted_;
};

}  // namespace korrel::twin
