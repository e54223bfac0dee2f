// engine/live/replay.h
//
// Replay makes a database from the log of another: every record is applied in order by the functions that applied it first, whatever
// the number of shards. What it works out for live segments is held against what the records say:
//
//   filled        segments that a "filled" record has declared complete: both lists must be the same, or it is a fault of this program
//   being filled  nobody knows how far the filling had come at a record: what it says is taken over, and compared when all is filled
//
// The clock and filling of this database rest from the first record to EndReplay: the records say what they did.
//
// Threads  One at a time; nobody else writes.
#pragma once

#include "engine/core.h"

namespace korrel {

// Applies one record of a log to this database, which has applied all records before it and takes no other writes. The record is not
// appended to this database's own log. Errors: kDataLoss RECORD for bytes that are no record; kInternal RECORD for one that contradicts
// what the records before it made.
Status ReplayRecord(Core& core, const Log::Record& record);

// The log has come to its end: the clock and filling go on from here.
void EndReplay(Core& core);

}  // namespace korrel
