// engine/live/filling.h
//
// Which definitions of a catalog snapshot are not filled yet in some shard, for those who ask while filling goes on.
//
// Threads  One; takes shards' locks, shared, one at a time.
// Cost     Nothing but a pointer compare where everything is filled.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/core.h"

namespace korrel {

class Filling {
 public:
  Filling(Core& core, CatalogRef catalog);

  // Sets state and fill_ratio of a definition of the snapshot.
  void Describe(Definition* definition);

  // Collects what an expression uses, through definitions too, and is being filled.
  void AddUsed(const Expression& expression);
  std::vector<std::string> Names() && { return {names_.begin(), names_.end()}; }

 private:
  bool IsFilling(std::string_view full_name) const;
  std::optional<KeptNames::Unit> UnitOf(std::string_view full_name) const;

  Core& core_;
  const CatalogRef catalog_;
  const bool all_filled_;
  std::set<std::string> seen_, names_;
};

}  // namespace korrel
