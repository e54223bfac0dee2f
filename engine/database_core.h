// engine/database_core.h
//
// The inside of an open database, for tests and benchmarks of the engine's own parts. Not for the rooms to the left.
#pragma once

#include "engine/core.h"

namespace korrel {

// `database` came from Database::Open.
Core& CoreOf(Database& database);

}  // namespace korrel
