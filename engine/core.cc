#include "engine/core.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <shared_mutex>
#include <thread>

#include "engine/catalog/catalog.h"
#include "engine/identity.h"
#include "engine/live/change_feed.h"
#include "engine/live/clock_driver.h"
#include "engine/live/fill_driver.h"
#include "engine/live/horizon.h"
#include "engine/live/population.h"
#include "engine/write/prepared_write.h"
#include "engine/write/request_ids.h"

namespace korrel {

Core::Core() = default;
// Whoever still works looks at everything else; the drivers use the executor.
Core::~Core() {
  stopping = true;
  clock_driver.reset();
  fill_driver.reset();
  executor.reset();
}

Status Core::ShutdownError() {
  return MakeError(absl::StatusCode::kUnavailable, "SHUTDOWN", "", "the server is stopping, and this was not done yet");
}

void Core::NoteTurn(uint64_t work_units) {
  uint64_t largest = largest_turn_work.load(std::memory_order_relaxed);
  while (largest < work_units && !largest_turn_work.compare_exchange_weak(largest, work_units, std::memory_order_relaxed)) {
  }
}

CatalogRef Core::CurrentCatalog() const { return catalog->Current(); }

StatusOr<std::optional<ProfileId>> Core::Resolve(std::string_view identifier, std::string_view field) const {
  KORREL_ASSIGN_OR_RETURN(IdentifierParts parts, SplitIdentifier(identifier, field));
  if (parts.profile) {
    const Shard& shard = *shards[ShardOf(*parts.profile, static_cast<uint32_t>(shards.size()))];
    std::shared_lock<PhaseFairLock> hold(shard.lock);
    if (!shard.table.Find(*parts.profile)) return std::optional<ProfileId>();
    return parts.profile;
  }
  CatalogRef current = CurrentCatalog();
  auto it = current->schema->identifier_type_by_name.find(Abseil(parts.type));
  if (it == current->schema->identifier_type_by_name.end()) return std::optional<ProfileId>();
  return identity->Find({IdentifierTypeId(static_cast<uint16_t>(it->second)), parts.value});
}

// A position is in the log before its row is unlocked, so whoever has seen the log at the position sees the row.
// Waiting is rare (a read that overtook its write by another connection) and short: it looks again, from 50 µs up to 5 ms apart.
Status Core::WaitFor(Position position, int64_t deadline_ns) const {
  using Nanoseconds = std::chrono::nanoseconds;
  constexpr Nanoseconds kNoDeadline = std::chrono::seconds(10), kPauseMax = std::chrono::milliseconds(5);
  auto now = [] { return std::chrono::duration_cast<Nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()); };
  Nanoseconds deadline = deadline_ns != 0 ? Nanoseconds(deadline_ns) : now() + kNoDeadline;
  Nanoseconds pause = std::chrono::microseconds(50);
  // Epochs of runs in memory have no order: any other one is lost, and this run's sequence says nothing about it.
  if (position.value != 0 && EpochOf(position) != log->Epoch() && log->Strongest() == Durability::kMemory) {
    return MakeError(absl::StatusCode::kOutOfRange, "POSITION_LOST", "min_positions",
                     fmt::format("position {} is none of this database: it lives in memory, and what came before its last start is lost; "
                                 "begin at 0 or without a position",
                                 position.value));
  }
  for (;;) {
    Position last = log->Last();
    if (last >= position) return absl::OkStatus();
    if (now() >= deadline) {
      return MakeError(absl::StatusCode::kUnavailable, "POSITION_NOT_REACHED", "min_positions",
                       fmt::format("the database is at position {}, asked for was {}", last.value, position.value));
    }
    std::this_thread::sleep_for(std::min(pause, std::max(deadline - now(), Nanoseconds(0))));
    pause = std::min(pause * 2, kPauseMax);
  }
}

}  // namespace korrel
