#include "engine/status_answer.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <shared_mutex>

#include "engine/catalog/catalog.h"
#include "engine/identity.h"
#include "engine/live/clock_driver.h"
#include "engine/write/request_ids.h"

namespace korrel {
namespace {

uint64_t PageBytes() { return static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }

// Second field of statm: pages resident.
uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t size = 0, resident = 0;
  return statm >> size >> resident ? resident * PageBytes() : 0;
}

std::string TimeZoneVersion() {
  for (const char* path : {"/usr/share/zoneinfo/tzdata.zi", "/usr/share/zoneinfo/+VERSION"}) {
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line)) continue;
    // "# version 2024a", or the version alone.
    size_t space = line.rfind(' ');
    return space == std::string::npos ? line : line.substr(space + 1);
  }
  return "unknown";
}

void AddLimits(const Core& core, const CatalogSnapshot& catalog, StatusAnswer* answer) {
  const Schema& schema = *catalog.schema;
  answer->limits = {
      {"attributes", kAttributesMax, schema.attributes.size()},
      {"event types", kEventTypesMax, schema.event_types.size()},
      {"identifier types", kIdentifierTypesMax, schema.identifier_types.size()},
      {"sources", kSourcesMax, schema.sources.size()},
      {"definitions", kDefinitionsMax, catalog.declared.size()},
      {"request ids", RequestIds::Limits().count_max, core.request_ids->count()},
      {"memory bytes", answer->memory_limit_bytes, answer->memory_bytes},
  };
}

}  // namespace

uint64_t DefaultMemoryLimit() {
  uint64_t bytes = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * PageBytes();
  std::ifstream group("/sys/fs/cgroup/memory.max");
  uint64_t allowed = 0;
  if (group >> allowed && allowed > 0) bytes = std::min(bytes, allowed);  // "max" is no number
  return bytes / 10 * 9;
}

StatusAnswer AnswerStatus(const Core& core) {
  StatusAnswer answer;
  for (const auto& shard : core.shards) {
    std::shared_lock<PhaseFairLock> hold(shard->lock);
    answer.profile_count += shard->table.live().count();
    answer.event_count += shard->table.event_count();
  }
  CatalogRef catalog = core.CurrentCatalog();
  answer.memory_bytes = ResidentBytes();
  answer.memory_limit_bytes = core.memory_limit_bytes;
  answer.shards = static_cast<uint32_t>(core.shards.size());
  answer.clock_mode = core.clock->mode();
  answer.now_us = core.clock->NowUs();
  answer.timer_lag_us = core.clock_driver->LagUs();
  answer.catalog_revision = catalog->revision;
  answer.position = core.log->Last();
  answer.durable_position = core.log->Durable();
  static const std::string time_zone_version = TimeZoneVersion();
  answer.time_zone_version = time_zone_version;
  answer.oldest_request_age_us = core.request_ids->OldestAgeUs();
  for (const EventTypeSchema& type : catalog->schema->event_types) {
    if (!type.dropped && !type.retention_us && !type.max_events) answer.event_types_without_retention.push_back(type.name);
  }
  AddLimits(core, *catalog, &answer);
  return answer;
}

}  // namespace korrel
