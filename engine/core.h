// engine/core.h
//
// Core is what the parts of the database share: shards, identity, catalog, clock, log, executor. Writes (engine/write/), point
// reads (engine/read/) and questions (engine/question/) are functions over it; database.cc only wires them together.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/catalog/catalog_snapshot.h"
#include "engine/clock.h"
#include "engine/executor.h"
#include "engine/read/read_plans.h"
#include "engine/shard.h"
#include "storage/log/log.h"

namespace korrel {

class Catalog;
class ChangeFeed;
class ClockDriver;
class FillDriver;
class Horizon;
class Identity;
class Population;
class RequestIds;

struct Core {
  std::vector<std::unique_ptr<Shard>> shards;
  std::unique_ptr<Clock> clock;
  std::unique_ptr<Log> log;
  std::unique_ptr<ChangeFeed> change_feed;
  std::unique_ptr<Executor> executor;
  std::unique_ptr<Catalog> catalog;
  std::unique_ptr<Identity> identity;
  std::unique_ptr<RequestIds> request_ids;
  std::unique_ptr<Horizon> horizon;
  std::unique_ptr<Population> population;
  std::unique_ptr<FillDriver> fill_driver;
  std::unique_ptr<ClockDriver> clock_driver;
  std::shared_ptr<ReadPlanCache> read_plans = MakeReadPlanCache();
  uint32_t events_hard_max = kEventsHardMax;
  uint64_t memory_limit_bytes = 0;
  // The log is being applied: the clock and filling do nothing of their own, the records say what they did (engine/live/replay.h).
  std::atomic<bool> replaying{false};
  // What takes long (a clock that is stepped, a write whose profile catches up, a wait) ends at the next turn with ShutdownError.
  std::atomic<bool> stopping{false};
  std::atomic<uint64_t> largest_turn_work{0};  // raised by NoteTurn, read by tests
  std::atomic<uint64_t> all_shards_held{0};    // how often everybody was stopped; raised by AllShards, read by tests
  uint64_t incarnation = 0;                    // random per start; stands in resume tokens

  Core();
  ~Core();
  static Status ShutdownError();  // kUnavailable SHUTDOWN
  void NoteTurn(uint64_t work_units);

  CatalogRef CurrentCatalog() const;
  // The profile an identifier ("type:value" or "profile:<hex>") names now; nullopt: nobody. A point look-up under an identity stripe.
  // Errors: kInvalidArgument FIELD for malformed text.
  StatusOr<std::optional<ProfileId>> Resolve(std::string_view identifier, std::string_view field) const;
  // Waits until the log has reached the position. Errors: kUnavailable POSITION_NOT_REACHED at the deadline, kOutOfRange
  // POSITION_LOST for one of another epoch's lost tail.
  Status WaitFor(Position position, int64_t deadline_ns) const;
};

}  // namespace korrel
