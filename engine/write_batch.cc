#include "engine/write_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <shared_mutex>

#include "engine/state_check.h"

namespace korrel {
namespace {

// A change that was checked and still cannot be applied would leave half of it behind.
[[noreturn]] void ApplyFailed(const Status& status) {
  std::fprintf(stderr, "korrel: a checked change could not be applied: %s\n", status.ToString().c_str());
  std::abort();
}

Status ProfileNotFound(ProfileId id) {
  return MakeError(absl::StatusCode::kNotFound, "PROFILE", "identifiers", fmt::format("there is no {}", FormatProfileId(id)));
}

class Batch {
 public:
  Batch(Core& core, WriteItems& items, const WriteOptions& options)
      : core_(core), items_(items), options_(options), arrived_us_(core.clock->NowUs()) {
    writes_.resize(items.size());
    for (size_t i = 0; i < writes_.size(); ++i) writes_[i].index = static_cast<uint32_t>(i);
    result_.durability = ReachedDurability(*core.log, options.durability);
  }

  StatusOr<WriteResult> Run() {
    std::vector<PreparedWrite*> todo;
    for (PreparedWrite& write : writes_) todo.push_back(&write);
    bool first = true;
    while (!todo.empty()) {
      Status status = RunOnce(&todo);
      if (!status.ok() && first) return status;
      if (!status.ok()) RefuseAll(todo, status);
      first = false;
    }
    if (result_.position == Position()) result_.position = core_.log->Last();
    std::sort(result_.errors.begin(), result_.errors.end(), [](const ItemError& a, const ItemError& b) { return a.index < b.index; });
    std::sort(result_.duplicate_indexes.begin(), result_.duplicate_indexes.end());
    return std::move(result_);
  }

 private:
  using Writes = std::vector<PreparedWrite*>;

  // One round: leaves in `todo` what has to go round again.
  Status RunOnce(Writes* todo) {
    KORREL_RETURN_IF_ERROR(BindAll(todo));
    size_t bytes = 0;
    for (const PreparedWrite* write : *todo) bytes += EncodedBytesMax(write->change) + 64 * write->keys.size();
    KORREL_ASSIGN_OR_RETURN(Log::Reservation reserved, core_.log->Reserve(bytes));

    std::vector<Writes> parts(core_.shards.size());
    for (PreparedWrite* write : *todo) {
      if (Status status = Place(write); !status.ok()) {
        Refuse(*write, status);
      } else {
        parts[ShardOf(write->change.profile, static_cast<uint32_t>(parts.size()))].push_back(write);
      }
    }
    todo->clear();
    for (size_t i = 0; i < parts.size(); ++i) RunPart(*core_.shards[i], parts[i], todo);
    std::sort(todo->begin(), todo->end());  // in the request's order: they are elements of one vector
    return absl::OkStatus();
  }

  // ---- Binding ----

  // Binds all; those that need names or types the catalog does not have are bound again after it has grown. In the end all are
  // bound to snapshots of one layout.
  Status BindAll(Writes* todo) {
    constexpr int kTries = 4;
    Writes open = *todo;
    for (int attempt = 1; !open.empty(); ++attempt) {
      CatalogRef newest = core_.CurrentCatalog();
      if (attempt > 1 && newest->layout != catalog_->layout) open = *todo;
      catalog_ = std::move(newest);
      std::vector<Growth> growths;
      Writes waiting, refused;
      for (PreparedWrite* write : open) {
        Growth growth;
        if (Status status = BindOne(write, attempt >= kTries, &growth); !status.ok()) {
          Refuse(*write, status);
          refused.push_back(write);
        } else if (!growth.empty()) {
          growths.push_back(std::move(growth));
          waiting.push_back(write);
        }
      }
      std::erase_if(*todo, [&](PreparedWrite* write) { return std::binary_search(refused.begin(), refused.end(), write); });
      open = std::move(waiting);
      if (!growths.empty()) KORREL_RETURN_IF_ERROR(core_.catalog->Grow(growths, &result_.notes));
    }
    return absl::OkStatus();
  }

  Status BindOne(PreparedWrite* write, bool last_try, Growth* growth) {
    PreparedWrite fresh;
    fresh.index = write->index;
    // A claim of an earlier round stays the item's until it is confirmed or released.
    fresh.drawn = write->drawn;
    fresh.pending = write->pending;
    fresh.change.profile = write->change.profile;
    BindContext context{catalog_.get(), core_.clock.get(), arrived_us_, options_.source, last_try};
    KORREL_RETURN_IF_ERROR(items_.Bind(write->index, context, &fresh, growth));
    if (growth->empty()) *write = std::move(fresh);
    return absl::OkStatus();
  }

  // ---- Clock and identity ----

  Status Place(PreparedWrite* write) {
    ProfileChange& change = write->change;
    bool replay = core_.clock->mode() == ClockMode::kReplay;
    if (replay && !change.events.empty()) {  // what will be refused must not move the clock
      KORREL_RETURN_IF_ERROR(core_.identity->CheckClaim(write->keys, write->named));
      KORREL_RETURN_IF_ERROR(CheckNamed(write->named));
    }
    for (const EventChange& event : change.events) KORREL_RETURN_IF_ERROR(core_.clock->AdmitEvent(event.event.time_us));
    change.now_us = core_.clock->NowUs();
    for (const EventChange& event : change.events) KORREL_RETURN_IF_ERROR(CheckAge(event, change.now_us));
    if (write->keys.empty()) {
      change.profile = *write->named;
      return absl::OkStatus();
    }
    KORREL_ASSIGN_OR_RETURN(Identity::Claimed claimed, core_.identity->Claim(write->keys, write->named));
    write->drawn = claimed.drawn || (write->drawn && change.profile == claimed.profile);
    write->pending = claimed.pending;
    change.profile = claimed.profile;
    return absl::OkStatus();
  }

  Status CheckNamed(std::optional<ProfileId> named) const {
    if (!named || core_.identity->IsUnborn(*named)) return absl::OkStatus();
    const Shard& shard = *core_.shards[ShardOf(*named, static_cast<uint32_t>(core_.shards.size()))];
    std::shared_lock<PhaseFairLock> hold(shard.lock);
    return shard.table.Find(*named) ? absl::OkStatus() : ProfileNotFound(*named);
  }

  Status CheckAge(const EventChange& event, int64_t now_us) const {
    const EventTypeSchema& type = catalog_->schema->event_types[event.type.value];
    if (!type.retention_us || event.event.time_us > now_us - *type.retention_us) return absl::OkStatus();
    return MakeError(absl::StatusCode::kOutOfRange, "EVENT_TOO_OLD", "event_time_us",
                     fmt::format("{} is older than the retention of {} declared for '{}'", FormatTimestamp({event.event.time_us}),
                                 FormatDuration(*type.retention_us), type.name));
  }

  // ---- Shards ----

  void RunPart(Shard& shard, const Writes& part, Writes* again) {
    for (size_t next = 0; next < part.size();) {
      WorkMeter meter(kTurnWorkUnits);
      {
        std::lock_guard<PhaseFairLock> hold(shard.lock);
        CatalogRef now = core_.CurrentCatalog();
        if (now->layout != catalog_->layout) {
          again->insert(again->end(), part.begin() + next, part.end());
          return;
        }
        next = RunTurn(shard, *now->schema, part, next, &meter, again);
      }
      core_.NoteTurn(meter.used());
    }
  }

  // Under the shard's lock. Returns how far it came.
  size_t RunTurn(Shard& shard, const Schema& schema, const Writes& part, size_t next, WorkMeter* meter, Writes* again) {
    std::string record = BeginShardRecord();
    size_t empty = record.size();
    touched_.clear();
    int64_t turn_us = core_.clock->NowUs();
    while (next < part.size() && !meter->exhausted()) {
      PreparedWrite& write = *part[next++];
      // A replay clock may have moved on with later events of the batch; each item has the instant of its own admission.
      if (core_.clock->mode() == ClockMode::kSystem) write.change.now_us = turn_us;
      RunWrite(shard, schema, write, &record, again);
      meter->Add(WorkOf(write.change));
    }
    if (record.size() == empty) return next;
    Position position = core_.log->Append(std::move(record));
    for (Row row : touched_) shard.table.SetVersion(row, position);
    shard.applied = position;
    result_.position = std::max(result_.position, position);
    return next;
  }

  void RunWrite(Shard& shard, const Schema& schema, PreparedWrite& write, std::string* record, Writes* again) {
    ProfileChange& change = write.change;
    std::optional<Row> row = shard.table.Find(change.profile);
    change.creates = !row && write.pending != 0 && core_.identity->IsUnborn(change.profile);
    if ((!row && !change.creates) || !StillClaimed(write)) {
      Release(shard, write);
      if (write.keys.empty()) {
        Report(write, ProfileNotFound(change.profile));
      } else if (write.named && !row) {
        Report(write, ProfileNotFound(*write.named));
      } else {
        again->push_back(&write);
      }
      return;
    }
    if (Status status = CheckState(shard.table, row, change, schema); !status.ok()) {
      Release(shard, write);
      return Report(write, status);
    }
    TakePending(write);
    StatusOr<Shard::Applied> applied = shard.Apply(change, schema, core_.events_hard_max, core_.identity.get());
    if (!applied.ok()) ApplyFailed(applied.status());
    bool duplicate = applied->duplicates > 0;
    if (duplicate) {
      result_.duplicate_indexes.push_back(write.index);
      if (change.identifiers.empty()) return;
    } else {
      ++result_.applied_count;
    }
    AppendChange(change, record);
    if (applied->row) touched_.push_back(*applied->row);
    // A profile deleted later in this turn frees its row; a row created later may take it, with the same position.
    if (change.deletes) std::erase_if(touched_, [row](Row touched) { return touched == *row; });
  }

  // Whether what identity said still holds for the identifiers that are not firm yet.
  bool StillClaimed(const PreparedWrite& write) const {
    for (size_t i = 0; i < write.keys.size(); ++i) {
      if (write.pending >> i & 1 && core_.identity->Find(write.keys[i]) != write.change.profile) return false;
    }
    return true;
  }

  static void TakePending(PreparedWrite& write) {
    write.change.identifiers.clear();
    for (size_t i = 0; i < write.keys.size(); ++i) {
      if (write.pending >> i & 1) write.change.identifiers.push_back({write.keys[i].type, std::string(write.keys[i].text)});
    }
  }

  // ---- Refusals ----

  // Under the shard's lock: gives back what was claimed for a write that will not be applied as it is.
  void Release(Shard& shard, PreparedWrite& write) {
    ProfileId profile = write.change.profile;
    std::optional<Row> row = shard.table.Find(profile);
    std::vector<Identifier> held;
    if (row) held = shard.table.IdentifiersOf(*row);
    for (size_t i = 0; i < write.keys.size(); ++i) {
      const IdentifierKey& key = write.keys[i];
      bool has = std::any_of(held.begin(), held.end(), [&](const Identifier& h) { return h.type == key.type && h.text == key.text; });
      if (!has && (write.pending >> i & 1 || !row)) core_.identity->Withdraw(key, profile);
    }
    if (write.drawn && !row) core_.identity->Born(profile);
    write.drawn = false;
    write.pending = 0;
  }

  // Refuses a write that may hold a claim of an earlier round; no lock is held.
  void Refuse(PreparedWrite& write, const Status& status) {
    if (write.pending != 0 || write.drawn) {
      Shard& shard = *core_.shards[ShardOf(write.change.profile, static_cast<uint32_t>(core_.shards.size()))];
      std::lock_guard<PhaseFairLock> hold(shard.lock);
      Release(shard, write);
    }
    Report(write, status);
  }

  void RefuseAll(Writes& writes, const Status& status) {
    for (PreparedWrite* write : writes) Refuse(*write, status);
    writes.clear();
  }

  void Report(const PreparedWrite& write, const Status& status) {
    result_.errors.push_back({write.index, PrefixField(status, items_.FieldPrefix(write.index))});
  }

  Core& core_;
  WriteItems& items_;
  const WriteOptions& options_;
  // What "now" means in every item: neither the events of earlier items nor a second round of binding moves it.
  const int64_t arrived_us_;
  CatalogRef catalog_;  // that the writes are bound to
  std::vector<PreparedWrite> writes_;
  std::vector<Row> touched_;  // by the turn
  WriteResult result_;
};

}  // namespace

Durability ReachedDurability(const Log& log, Durability asked) {
  if (log.Strongest() == Durability::kMemory) return Durability::kMemory;
  return asked == Durability::kUnspecified ? Durability::kSynced : asked;
}

StatusOr<WriteResult> RunBatch(Core& core, WriteItems& items, const WriteOptions& options) { return Batch(core, items, options).Run(); }

}  // namespace korrel
