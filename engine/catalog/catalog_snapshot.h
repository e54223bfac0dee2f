// engine/catalog/catalog_snapshot.h
//
// CatalogSnapshot is everything defined and everything known by name at one catalog version: immutable, shared by all shards and
// running questions. The catalog (engine/catalog/catalog.h) makes the next one; whoever holds this one keeps a consistent view.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "engine/database.h"
#include "index/expression/expression.h"
#include "index/expression/quantile.h"
#include "index/live/live_plan.h"
#include "storage/schema.h"

namespace korrel {

struct CatalogSnapshot {
  SchemaRef schema;
  NamedDefinitions definitions;                             // compiled: computed attributes, segments
  std::map<std::string, Definition, std::less<>> declared;  // by full name, as given
  std::map<std::string, Quantile, std::less<>> population;  // compiled: what figures about everybody are defined by
  LivePlanRef live;                                         // what is kept current of them; never null in a published snapshot
  std::string time_zone = "UTC";
  uint64_t revision = 0;       // grows with every applied change of definitions
  uint64_t layout = 0;         // grows with every change that a write prepared before it must not miss: types, drops, retention
  uint32_t segment_count = 0;  // SegmentIds given so far
};
using CatalogRef = std::shared_ptr<const CatalogSnapshot>;

}  // namespace korrel
