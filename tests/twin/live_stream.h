// tests/twin/live_stream.h
//
// LiveStream reads everything that ever entered or left a live segment out of a database's log, from its beginning, and holds it to
// what a change stream promises by itself: enters and exits of one profile and segment alternate, beginning with an enter; the times
// of one profile never go back; positions only grow.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/database.h"
#include "engine/mutation.h"

namespace korrel::twin {

struct ObservedFlip {
  uint64_t profile = 0;
  std::string segment;
  bool entered = true;
  int64_t time_us = 0;
  ChangeCause cause = ChangeCause::kWrite;
  Position position;
};
std::string Shown(const ObservedFlip& flip);
bool operator==(const ObservedFlip& a, const ObservedFlip& b);  // positions aside

class LiveStream {
 public:
  explicit LiveStream(const Database* database) : database_(*database) {}

  // What is new in the log since the last call, in its order. `problem`: the first promise broken; empty: none.
  std::vector<ObservedFlip> Read(std::string* problem);
  // Enters minus exits.
  const std::set<uint64_t>& MembersOf(const std::string& segment) { return members_[segment]; }
  // Everything read, per profile, in order.
  const std::map<uint64_t, std::vector<ObservedFlip>>& by_profile() const { return by_profile_; }

 private:
  void NoteNames(const std::string& record);
  std::string Take(const ObservedFlip& flip);

  const Database& database_;
  Position read_;
  std::map<uint32_t, std::string> names_;
  std::map<std::string, std::set<uint64_t>> members_;
  std::map<uint64_t, std::vector<ObservedFlip>> by_profile_;
};

}  // namespace korrel::twin
