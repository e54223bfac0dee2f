// engine/live/watch.h
//
// A watch: the changes of named segments, or of all, from a position of the log on. See WatchStream in engine/database.h.
//
// A segment is followed by its name: one that was dropped and made again goes on under it, and what happened to the one before it
// is told as long as the log keeps it.
#pragma once

#include <memory>

#include "engine/catalog/segment_names.h"
#include "engine/database.h"
#include "engine/live/change_feed.h"

namespace korrel {

struct Core;

StatusOr<std::unique_ptr<WatchStream>> OpenWatch(Core& core, const WatchRequest& request);

// The same over a log alone. All must outlive the stream. Errors: as Database::Watch, but that nobody knows of static segments here.
StatusOr<std::unique_ptr<WatchStream>> OpenWatch(const Log& log, ChangeFeed* feed, const SegmentNames& names, const WatchRequest& request);

}  // namespace korrel
