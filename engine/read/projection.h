// engine/read/projection.h
//
// Prepared projections: a list of attributes or expressions compiled once and named by a 16-byte handle, a hash of the texts, their
// types and whether unknown names are allowed, so that it is the same everywhere. The cache holds no state worth keeping.
//
// Threads  All functions from any thread.
// Errors   PROJECTION_UNKNOWN (kFailedPrecondition): no such handle, or one whose names or types have changed since.
#pragma once

#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engine/core.h"

namespace korrel {

// A compiled projection takes about fifty times its text, more with long lists: some 200 MiB for all of them.
inline constexpr size_t kProjectionTextBytesMax = 4u << 20;

// At most `size_max` projections and kProjectionTextBytesMax of their text, least recently used out first; always the latest.
class ProjectionCache {
 public:
  explicit ProjectionCache(size_t size_max = 10'000) : size_max_(size_max) {}
  void Put(ProjectionRef projection);
  ProjectionRef Find(std::string_view handle);  // nullptr: none
  size_t size() const;

 private:
  using Recent = std::list<ProjectionRef>;  // the latest used in front
  const size_t size_max_;
  mutable std::mutex mutex_;
  Recent recent_;                                                 // guarded by mutex_
  size_t text_bytes_ = 0;                                         // of those in recent_; guarded by mutex_
  absl::flat_hash_map<std::string, Recent::iterator> by_handle_;  // guarded by mutex_
};

StatusOr<ProjectionRef> PrepareProjection(Core& core, ProjectionCache& cache, const std::vector<std::string>& select,
                                          bool allow_unknown_names);
// Compiled anew where the catalog or schema has changed since.
StatusOr<ProjectionRef> FindProjection(Core& core, ProjectionCache& cache, std::string_view handle);
// The same projection for this snapshot; PROJECTION_UNKNOWN where it would not be the same.
StatusOr<ProjectionRef> Refreshed(const CatalogRef& catalog, const ProjectionRef& projection);

}  // namespace korrel
