// engine/live/filling.h
//
// Which definitions of a catalog snapshot are not filled yet in some shard, for those who ask while filling goes on.
//
// Threads  One; takes shards' locks, shared, one at a time.
// Cost     Nothing but a pointer compare where everything is filled.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/core.h"

namespace korrel {

class Filling {
 public:
  Filling(Core& core, CatalogRef catalog);

  bool all_filled() const { return all_filled_; }

  // Sets state and fill_ratio of a definition of the snapshot.
  void Describe(Definition* definition);

  // Collects what an expression, or a definition, uses, through definitions too, and is being filled; the definition itself as well.
  void AddUsed(const Expression& expression);
  void AddNamed(const std::string& full_name);
  std::vector<std::string> Names() && { return {names_.begin(), names_.end()}; }

  // Whether the definition, or one that it uses, is being filled.
  bool IsUnfinished(const std::string& full_name);
  // The indexes of those fields that use such a one, ascending.
  std::vector<uint32_t> Unfinished(std::span<const PlanRef> fields);

 private:
  bool IsFilling(std::string_view full_name) const;
  std::optional<KeptNames::Unit> UnitOf(std::string_view full_name) const;

  Core& core_;
  const CatalogRef catalog_;
  const bool all_filled_;
  std::set<std::string> seen_, names_;
  std::map<std::string, bool> unfinished_;
};

}  // namespace korrel
