// engine/catalog/segment_names.h
//
// SegmentNames knows every segment there ever was in this run by its id, so that what happened to one that was dropped meanwhile
// can still be told by name. An id is given once, with one name.
//
// Threads   All methods from any thread.
// Lifetime  A name answered lives as long as this object.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "engine/catalog/catalog_snapshot.h"

namespace korrel {

class SegmentNames {
 public:
  // Adds the segments of a snapshot that is about to be published.
  void Note(const CatalogSnapshot& catalog);
  std::string_view NameOf(SegmentId id) const;  // empty: there never was one
  bool Knows(std::string_view name) const;
  std::vector<std::string> All() const;

 private:
  mutable std::mutex mutex_;
  std::deque<std::string> names_ ABSL_GUARDED_BY(mutex_);  // by SegmentId; a deque moves none of them
  absl::flat_hash_set<std::string> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace korrel
