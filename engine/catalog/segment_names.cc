#include "engine/catalog/segment_names.h"

namespace korrel {

void SegmentNames::Note(const CatalogSnapshot& catalog) {
  std::lock_guard<std::mutex> hold(mutex_);
  if (catalog.segment_count <= names_.size()) return;
  names_.resize(catalog.segment_count);
  for (const auto& [name, segment] : catalog.definitions.segments) {
    if (segment.id.value >= names_.size() || !names_[segment.id.value].empty()) continue;
    names_[segment.id.value] = name;
    known_.insert(name);
  }
}

std::string_view SegmentNames::NameOf(SegmentId id) const {
  std::lock_guard<std::mutex> hold(mutex_);
  return id.value < names_.size() ? std::string_view(names_[id.value]) : std::string_view();
}

bool SegmentNames::Knows(std::string_view name) const {
  std::lock_guard<std::mutex> hold(mutex_);
  return known_.contains(Abseil(name));
}

std::vector<std::string> SegmentNames::All() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return {known_.begin(), known_.end()};
}

}  // namespace korrel
