#include "engine/read/projection.h"

#include <fmt/format.h>

#include "engine/question/resume_token.h"
#include "engine/question/selection.h"
#include "engine/read/reads.h"

namespace korrel {
namespace {

std::string HandleOf(const Projection& projection) {
  TextHash hash;
  hash.Add(projection.allow_unknown_names ? 1 : 0);
  for (const FieldSchema& field : projection.fields) hash.Add(field.name).Add(TypeName(field.type));
  return hash.Sum128();
}

size_t TextBytes(const Projection& projection) {
  size_t bytes = 0;
  for (const FieldSchema& field : projection.fields) bytes += field.name.size();
  return bytes;
}

Status UnknownProjection() {
  return MakeError(absl::StatusCode::kFailedPrecondition, "PROJECTION_UNKNOWN", "projection",
                   "this projection is not known here, or its names or types have changed; prepare it again");
}

}  // namespace

void ProjectionCache::Put(ProjectionRef projection) {
  std::lock_guard lock(mutex_);
  if (auto it = by_handle_.find(projection->handle); it != by_handle_.end()) {
    text_bytes_ -= TextBytes(**it->second);
    recent_.erase(it->second);
    by_handle_.erase(it);
  }
  text_bytes_ += TextBytes(*projection);
  recent_.push_front(std::move(projection));
  by_handle_[recent_.front()->handle] = recent_.begin();
  while (recent_.size() > size_max_ || (text_bytes_ > kProjectionTextBytesMax && recent_.size() > 1)) {
    text_bytes_ -= TextBytes(*recent_.back());
    by_handle_.erase(recent_.back()->handle);
    recent_.pop_back();
  }
}

ProjectionRef ProjectionCache::Find(std::string_view handle) {
  std::lock_guard lock(mutex_);
  auto it = by_handle_.find(Abseil(handle));
  if (it == by_handle_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, it->second);
  return *it->second;
}

size_t ProjectionCache::size() const {
  std::lock_guard lock(mutex_);
  return recent_.size();
}

StatusOr<ProjectionRef> CompileProjection(const CatalogRef& catalog, const std::vector<std::string>& select, bool allow_unknown_names) {
  KORREL_RETURN_IF_ERROR(CheckFieldCount(select.size(), "select"));
  auto projection = std::make_shared<Projection>();
  projection->allow_unknown_names = allow_unknown_names;
  projection->catalog_revision = catalog->revision;
  projection->schema_version = catalog->schema->version;
  for (size_t i = 0; i < select.size(); ++i) {
    const FieldText text{select[i], fmt::format("select[{}]", i), allow_unknown_names};
    KORREL_ASSIGN_OR_RETURN(PlanRef plan, CompileField(*catalog, text));
    projection->fields.push_back({select[i], plan->expression().type()});
    projection->plans.push_back(std::move(plan));
  }
  projection->handle = HandleOf(*projection);
  return ProjectionRef(std::move(projection));
}

StatusOr<ProjectionRef> Refreshed(const CatalogRef& catalog, const ProjectionRef& projection) {
  if (projection->catalog_revision == catalog->revision && projection->schema_version == catalog->schema->version) return projection;
  std::vector<std::string> select;
  for (const FieldSchema& field : projection->fields) select.push_back(field.name);
  auto again = CompileProjection(catalog, select, projection->allow_unknown_names);
  if (!again.ok() || (*again)->handle != projection->handle) return UnknownProjection();
  return again;
}

StatusOr<ProjectionRef> PrepareProjection(Core& core, ProjectionCache& cache, const std::vector<std::string>& select,
                                          bool allow_unknown_names) {
  KORREL_ASSIGN_OR_RETURN(ProjectionRef projection, CompileProjection(core.CurrentCatalog(), select, allow_unknown_names));
  cache.Put(projection);
  return projection;
}

StatusOr<ProjectionRef> FindProjection(Core& core, ProjectionCache& cache, std::string_view handle) {
  ProjectionRef known = cache.Find(handle);
  if (!known) return UnknownProjection();
  KORREL_ASSIGN_OR_RETURN(ProjectionRef current, Refreshed(core.CurrentCatalog(), known));
  if (current != known) cache.Put(current);
  return current;
}

}  // namespace korrel
