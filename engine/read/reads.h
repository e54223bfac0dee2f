// engine/read/reads.h
//
// Point reads: one profile or a list of profiles under one shard's shared lock at a time.
#pragma once

#include "engine/core.h"

namespace korrel {

StatusOr<ProfileView> ReadProfile(Core& core, std::string_view profile, const std::vector<std::string>& attributes, bool include_segments,
                                  const ReadOptions& read);
StatusOr<ProjectionRef> CompileProjection(const CatalogRef& catalog, const std::vector<std::string>& select, bool allow_unknown_names);
StatusOr<Database::BatchGetAnswer> ReadBatch(Core& core, std::span<const std::string> profiles, const ProjectionRef& projection,
                                             const ReadOptions& read);
StatusOr<EventPage> ReadEvents(Core& core, const ListEventsRequest& request);
StatusOr<Database::SegmentsOfAnswer> ReadSegmentsOf(Core& core, std::string_view profile, const ReadOptions& read);

}  // namespace korrel
