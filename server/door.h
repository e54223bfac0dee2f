// server/door.h
//
// Door is what all services share: the database behind them, the threads that work for them, and who may still come in.
#pragma once

#include <atomic>
#include <memory>

#include "engine/database.h"
#include "server/limits.h"
#include "server/position_gate.h"
#include "server/watch_loop.h"
#include "server/worker_pool.h"

namespace korrel::server {

struct Door {
  Door(Database* database, size_t threads)
      : database(database),
        pool(threads, kQueueTasksMax, kQueueBytesMax),
        catalog_pool(1, kQueueTasksMax, kQueueBytesMax),
        clock_pool(1, kQueueTasksMax, kQueueBytesMax),
        gate(&database->log()),
        watch_loop(&database->log()) {}
  Database* const database;
  WorkerPool pool;
  // Changes of definitions come one after the other and keep no other worker waiting. One thread for them all, too, because an allocator
  // holds what a thread has freed for that thread: thousands of definitions, compiled on each worker in turn, would be held as often.
  WorkerPool catalog_pool;
  WorkerPool clock_pool;  // one thread, too: who advances the clock waits for those before, and takes no worker meanwhile
  PositionGate gate;
  WatchLoop watch_loop;
  std::atomic<size_t> open_streams{0};
};

// Leave to keep a stream open; given back when it dies.
class StreamPermit {
 public:
  explicit StreamPermit(Door* door) : door_(door), granted_(door->open_streams.fetch_add(1) < kOpenStreamsMax) {}
  ~StreamPermit() { door_->open_streams.fetch_sub(1); }
  StreamPermit(const StreamPermit&) = delete;
  // Errors: kResourceExhausted QUEUE.
  Status Check() const {
    if (granted_) return absl::OkStatus();
    return MakeError(absl::StatusCode::kResourceExhausted, "QUEUE", "", "too many streams are open already");
  }

 private:
  Door* door_;
  bool granted_;
};

}  // namespace korrel::server
