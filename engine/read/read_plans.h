// engine/read/read_plans.h
//
// ReadPlanCache keeps the plans of everything the catalog defines (computed attributes, segments), so that a point read compiles
// nothing. It follows the catalog snapshot it is asked for; a definition that did not change keeps its plan.
//
// Threads  All functions from any thread.
// Cost     Get: a mutex and a pointer compare; one pass over the definitions after a catalog change.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/catalog/catalog_snapshot.h"
#include "index/evaluator.h"

namespace korrel {

// Immutable; belongs to one catalog snapshot.
struct ReadPlans {
  struct Computed {
    std::string name;
    PlanRef plan;
  };
  struct Segment {
    std::string name;
    SegmentId id;
    PlanRef plan;  // null: a static list
  };
  CatalogRef catalog;
  std::vector<Computed> computed;                             // by name
  std::vector<Segment> segments;                              // by name
  const Computed* FindComputed(std::string_view name) const;  // nullptr: none
};
using ReadPlansRef = std::shared_ptr<const ReadPlans>;

class ReadPlanCache;
// Shared because Core's header does not know the class; one owner, the Core.
std::shared_ptr<ReadPlanCache> MakeReadPlanCache();
ReadPlansRef PlansFor(ReadPlanCache& cache, const CatalogRef& catalog);

}  // namespace korrel
