// engine/write/state_check.h
//
// Whether a change can be applied to what is stored, before any of it is.
#pragma once

#include <optional>

#include "engine/mutation.h"

namespace korrel {

// `row` is where the profile is; nullopt: it begins with this change. Under the shard's lock. Errors: as ProfileTable::Write, with
// the field inside the change ("attributes[2].value").
Status CheckState(const ProfileTable& table, std::optional<Row> row, const ProfileChange& change, const Schema& schema);

}  // namespace korrel
