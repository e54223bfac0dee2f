// tests/twin/side_by_side.h
//
// SideBySide does the same to the twin and to databases of several layouts, and expects the same outcome from each at once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/database.h"
#include "tests/twin/naive_profile.h"
#include "tests/twin/random_world.h"

namespace korrel::twin {

struct Side {
  Layout layout;
  std::unique_ptr<Database> database;
  Clock* clock = nullptr;  // lives in the database
};

class SideBySide {
 public:
  // All layouts have the same events_hard_max. Declares the test schema on every side.
  SideBySide(const std::vector<Layout>& layouts, ClockMode mode, int64_t now_us);

  NaiveStore& twin() { return twin_; }
  std::vector<Side>& sides() { return sides_; }
  ClockMode mode() const { return mode_; }

  // With a request id the databases get the request twice and must answer the same both times. `each` hears of every item after the twin has
  // it and before the next.
  using Each = std::function<void(size_t)>;
  void Upsert(const std::vector<ProfileWrite>& writes, const std::string& request_id = "", const Each& each = {});
  void Track(const std::vector<EventWrite>& events, const std::string& request_id = "", const Each& each = {});
  void Delete(const std::string& identifier);
  void AdvanceTo(int64_t to_us);
  void UpdateMembers(const UpdateMembersRequest& request);
  void Define(const Definition& definition);  // does not wait until it is filled
  // Nothing changes where it is refused: by all of them alike, for `reason`.
  bool TryDefine(const Definition& definition, std::string* reason);
  bool TryDrop(const std::string& name);  // "segments/x", "attributes/y"; refused where something uses it

 private:
  NaiveStore twin_;
  std::vector<Side> sides_;
  ClockMode mode_;
};

}  // namespace korrel::twin
