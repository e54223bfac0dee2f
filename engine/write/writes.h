// engine/write/writes.h
//
// Writes of records: requests become items of a batch (engine/write/write_batch.h). Request ids are the caller's business (database.cc).
#pragma once

#include <span>
#include <string_view>

#include "engine/core.h"

namespace korrel {

StatusOr<WriteResult> UpsertProfiles(Core& core, std::span<const ProfileWrite> writes, const WriteOptions& options);
StatusOr<WriteResult> TrackEvents(Core& core, std::span<const EventWrite> events, const WriteOptions& options);
StatusOr<WriteResult> DeleteProfile(Core& core, std::string_view profile, const WriteOptions& options);
StatusOr<UpdateMembersAnswer> UpdateListMembers(Core& core, const UpdateMembersRequest& request);
StatusOr<Database::AdvanceAnswer> AdvanceClockTo(Core& core, int64_t to_us, const Database::Wanted& wanted);

}  // namespace korrel
