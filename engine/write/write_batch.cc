#include "engine/write/write_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "engine/live/clock_driver.h"
#include "engine/live/horizon.h"
#include "engine/live/live_turn.h"
#include "engine/turns.h"
#include "engine/write/state_check.h"

namespace korrel {
namespace {

// A change that was checked and still cannot be applied would leave half of it behind.
[[noreturn]] void ApplyFailed(const Status& status) {
  std::fprintf(stderr, "korrel: a checked change could not be applied: %s\n", status.ToString().c_str());
  std::abort();
}

// About three seconds of catching up. Who needs longer goes on where few others do (ClockDriver::LongCatchUp); else the clock's own thread
// goes on with the profile, and the write may come again: however far a clock leaps, there are threads left that answer calls.
constexpr uint64_t kCatchUpTurnsMax = 30'000;

Status TooFarBehind() {
  return MakeError(
      absl::StatusCode::kUnavailable, "CATCHING_UP", "",
      "the clock has left the profile far behind, and it is being brought up to it; write again later, status says how far that is");
}

Status ProfileNotFound(ProfileId id) {
  return MakeError(absl::StatusCode::kNotFound, "PROFILE", "identifiers", fmt::format("there is no {}", FormatProfileId(id)));
}

class WriteBatch {
 public:
  WriteBatch(Core& core, WriteItems& items, const WriteOptions& options)
      : core_(core), items_(items), options_(options), arrived_us_(core.clock->NowUs()) {
    writes_.resize(items.size());
    for (size_t i = 0; i < writes_.size(); ++i) writes_[i].index = static_cast<uint32_t>(i);
    result_.durability = ReachedDurability(*core.log, options.durability);
  }

  StatusOr<WriteResult> Run() {
    for (PreparedWrite& write : writes_) todo_.push_back(&write);
    bool first = true;
    while (!todo_.empty()) {
      Status status = RunRound();
      if (!status.ok() && first) return status;
      if (!status.ok()) RefuseRest(ended_ = status);
      first = false;
    }
    // Who may not have waited long enough can ask again under the same request id.
    if (!ended_.ok() && result_.applied_count == 0 && result_.duplicate_indexes.empty()) return ended_;
    if (result_.position == Position()) result_.position = core_.log->Last();
    std::sort(result_.errors.begin(), result_.errors.end(), [](const ItemError& a, const ItemError& b) { return a.index < b.index; });
    std::sort(result_.duplicate_indexes.begin(), result_.duplicate_indexes.end());
    return std::move(result_);
  }

 private:
  using Writes = std::vector<PreparedWrite*>;

  // Between turns of what may take long.
  Status GoesOn() const {
    if (core_.stopping) return Core::ShutdownError();
    return IsPast(options_.deadline_ns) ? DeadlinePassed() : absl::OkStatus();
  }

  // One round takes items from the front of what is to do, up to the first that can only be judged when those before it are done.
  Status RunRound() {
    if (held_us_) {
      core_.clock_driver->PublishUpTo(*std::exchange(held_us_, std::nullopt));
      KORREL_RETURN_IF_ERROR(GoesOn());  // else the clock may be held where it was, and the item with it
    }
    KORREL_ASSIGN_OR_RETURN(size_t bound, BindRound());
    size_t bytes = 0;
    for (size_t i = 0; i < bound; ++i) {
      if (todo_[i]) bytes += EncodedBytesMax(todo_[i]->change) + 64 * todo_[i]->keys.size();
    }
    KORREL_ASSIGN_OR_RETURN(Log::Reservation reserved, core_.log->Reserve(bytes));
    const Horizon::Pass pass = core_.horizon->Admit();  // until the items that get their instants here are applied

    std::vector<Writes> parts(core_.shards.size());
    size_t placed = 0;
    bool claimed = false;  // something that may have to be given back
    for (; placed < bound; ++placed) {
      PreparedWrite* write = todo_[placed];
      if (!write) continue;
      if (NeedsThoseBefore(*write, placed, claimed)) break;
      StatusOr<bool> duplicate = Place(write);
      if (ReasonOf(duplicate.status()) == "CLOCK_HELD") {
        held_us_ = NewestOf(write->change.events);  // what is placed already comes before the figures, the item behind them
        break;
      }
      if (!duplicate.ok()) {
        Refuse(*write, duplicate.status());
      } else if (*duplicate) {
        AnswerDuplicate(*write, write->change);
      } else {
        claimed |= write->pending != 0;
        parts[ShardOf(write->change.profile, static_cast<uint32_t>(parts.size()))].push_back(write);
      }
    }
    todo_.erase(todo_.begin(), todo_.begin() + static_cast<ptrdiff_t>(placed));
    Writes again;
    for (size_t i = 0; i < parts.size(); ++i) RunPart(*core_.shards[i], parts[i], &again);
    std::sort(again.begin(), again.end());  // in the request's order: they are elements of one vector
    todo_.insert(todo_.begin(), again.begin(), again.end());
    return absl::OkStatus();
  }

  // ---- Binding ----

  // Binds items from the front of todo_, all to snapshots of one layout, and says how many; those it could answer become null.
  StatusOr<size_t> BindRound() {
    constexpr size_t kRoundItems = 4'096;
    catalog_ = core_.CurrentCatalog();
    size_t count = 0;
    bool any_bound = false;
    for (; count < todo_.size() && count < kRoundItems; ++count) {
      PreparedWrite*& write = todo_[count];
      if (!write) continue;
      if (write->layout == catalog_->layout) {
        any_bound = true;
        continue;
      }
      PreparedWrite fresh;
      Growth growth;
      Status status = Bind(*write, false, &fresh, &growth);
      if (status.ok() && growth.empty()) {
        *write = std::move(fresh);
        any_bound = true;
      } else if (!status.ok() && MessageHashOf(fresh) == 0) {
        Refuse(*std::exchange(write, nullptr), status);
      } else if (any_bound) {
        break;
      } else {
        KORREL_ASSIGN_OR_RETURN(any_bound, BindFirst(write));
        if (!any_bound) write = nullptr;
      }
    }
    return count;
  }

  // The next item does not bind to the catalog as it is, and everything before it is done. Who it is for and whether it is a duplicate
  // are looked at first: nothing grows for an item that is refused, and a duplicate is one whatever else it says. False: it is answered.
  StatusOr<bool> BindFirst(PreparedWrite* write) {
    constexpr int kTries = 4;
    for (int attempt = 1;; ++attempt) {
      PreparedWrite fresh;
      Growth growth;
      Status status = Bind(*write, attempt >= kTries, &fresh, &growth);
      if (status.ok() && growth.empty()) {
        *write = std::move(fresh);
        return true;
      }
      if (fresh.addressed) {
        StatusOr<bool> duplicate = IsDuplicate(fresh);
        if (duplicate.ok() && *duplicate) {
          const int64_t newest_us = NewestOf(fresh.change.events);
          if (core_.clock->IsHeld(newest_us)) core_.clock_driver->PublishUpTo(newest_us);
          AnswerDuplicate(*write, fresh.change);
          return false;
        }
        if (!duplicate.ok() && status.ok()) status = duplicate.status();
      }
      if (!status.ok()) {
        Refuse(*write, status);
        return false;
      }
      std::vector<Growth> wishes;
      wishes.push_back(std::move(growth));
      if (++grown_ >= grow_all_at_) AddWishesOfRest(&wishes);
      KORREL_RETURN_IF_ERROR(core_.catalog->Grow(wishes, &result_.notes));
      // Where nothing was made there is no use in asking again: the next try says why.
      if (catalog_ == core_.CurrentCatalog()) attempt = kTries - 1;
      catalog_ = core_.CurrentCatalog();
    }
  }

  // A batch that brings names item after item would copy the catalog as often. After many, the rest grows at once.
  void AddWishesOfRest(std::vector<Growth>* wishes) {
    grow_all_at_ *= 2;
    for (const PreparedWrite* write : todo_) {
      PreparedWrite fresh;
      Growth growth;
      if (write && Bind(*write, false, &fresh, &growth).ok() && !growth.empty()) wishes->push_back(std::move(growth));
    }
  }

  Status Bind(const PreparedWrite& write, bool last_try, PreparedWrite* fresh, Growth* growth) {
    fresh->index = write.index;
    fresh->layout = catalog_->layout;
    // A claim of an earlier round stays the item's until it is confirmed or released.
    fresh->drawn = write.drawn;
    fresh->pending = write.pending;
    fresh->change.profile = write.change.profile;
    BindContext context{catalog_.get(), core_.clock.get(), arrived_us_, options_.source, last_try};
    return items_.Bind(write.index, context, fresh, growth);
  }

  // ---- Clock and identity ----

  // Whether what is decided for the item may change with what becomes of the first `before` items of the round.
  bool NeedsThoseBefore(const PreparedWrite& write, size_t before, bool claimed) const {
    if (before == 0 || write.keys.size() + write.named.has_value() < 2) return false;
    StatusOr<Identity::Found> found = core_.identity->Look(write.keys, write.named);
    if (!found.ok()) return claimed;  // an item that turns out refused gives its identifiers back
    if (!found->profile || found->complete) return false;
    uint64_t message = MessageHashOf(write);  // a duplicate teaches no identifier
    return message != 0 && std::any_of(todo_.begin(), todo_.begin() + static_cast<ptrdiff_t>(before),
                                       [&](const PreparedWrite* w) { return w && MessageHashOf(*w) == message; });
  }

  static uint64_t MessageHashOf(const PreparedWrite& write) {
    return write.change.events.empty() ? 0 : write.change.events[0].event.message_hash;
  }

  // Gives the item its instant and its profile; true: it is a duplicate. Whoever is refused has not moved the clock.
  StatusOr<bool> Place(PreparedWrite* write) {
    ProfileChange& change = write->change;
    bool replay = core_.clock->mode() == ClockMode::kReplay;
    bool joins = write->named || write->keys.size() > 1;
    if (joins && !change.events.empty() && (replay || MessageHashOf(*write) != 0)) {
      KORREL_ASSIGN_OR_RETURN(bool duplicate, IsDuplicate(*write));
      if (duplicate && core_.clock->IsHeld(NewestOf(change.events))) return ClockHeld();
      if (duplicate) return true;
    }
    KORREL_RETURN_IF_ERROR(CheckTimes(change.events).status());
    for (const EventChange& event : change.events) KORREL_RETURN_IF_ERROR(core_.clock->AdmitEvent(event.event.time_us));
    change.now_us = core_.clock->NowUs();
    if (write->keys.empty()) {
      change.profile = *write->named;
      return false;
    }
    KORREL_ASSIGN_OR_RETURN(Identity::Claimed claim, core_.identity->Claim(write->keys, write->named));
    write->drawn = claim.drawn || (write->drawn && change.profile == claim.profile);
    write->pending = claim.pending;
    change.profile = claim.profile;
    return false;
  }

  static int64_t NewestOf(const std::vector<EventChange>& events) {
    int64_t newest_us = INT64_MIN;
    for (const EventChange& event : events) newest_us = std::max(newest_us, event.event.time_us);
    return newest_us;
  }
  static Status ClockHeld() { return MakeError(absl::StatusCode::kUnavailable, "CLOCK_HELD", "", ""); }

  // As things stand, without changing any: an error where identity, the clock or an event's age refuse the item, else whether the event
  // it brings is held.
  StatusOr<bool> IsDuplicate(const PreparedWrite& write) const {
    KORREL_ASSIGN_OR_RETURN(Identity::Found found, core_.identity->Look(write.keys, write.named));
    KORREL_ASSIGN_OR_RETURN(int64_t now_us, CheckTimes(write.change.events));
    if (!found.profile || (!write.named && MessageHashOf(write) == 0)) return false;
    const Shard& shard = *core_.shards[ShardOf(*found.profile, static_cast<uint32_t>(core_.shards.size()))];
    std::shared_lock<PhaseFairLock> hold(shard.lock);
    std::optional<Row> row = shard.table.Find(*found.profile);
    if (!row && write.named && !core_.identity->IsUnborn(*write.named)) return ProfileNotFound(*write.named);
    return row && HoldsEvent(shard.table, *row, write, *core_.CurrentCatalog()->schema, now_us);
  }

  static bool HoldsEvent(const ProfileTable& table, Row row, const PreparedWrite& write, const Schema& schema, int64_t now_us) {
    return !write.change.events.empty() && table.HoldsMessage(row, write.change.events[0].event, schema, now_us);
  }

  // An event arrived, if only to be recognised: a newer one moves a replay clock. CheckTimes has passed.
  void AnswerDuplicate(PreparedWrite& write, const ProfileChange& change) {
    for (const EventChange& event : change.events) core_.clock->AdmitEvent(event.event.time_us).IgnoreError();
    GiveBack(write);
    result_.duplicate_indexes.push_back(write.index);
  }

  // The instant at which the events would be applied.
  StatusOr<int64_t> CheckTimes(const std::vector<EventChange>& events) const {
    int64_t now_us = core_.clock->NowUs();
    for (const EventChange& event : events) {
      KORREL_RETURN_IF_ERROR(core_.clock->CheckEvent(event.event.time_us));
      if (core_.clock->mode() == ClockMode::kReplay) now_us = std::max(now_us, event.event.time_us);
      KORREL_RETURN_IF_ERROR(CheckAge(event, now_us));
    }
    return now_us;
  }

  Status CheckAge(const EventChange& event, int64_t now_us) const {
    if (event.type == kNoEventType) return absl::OkStatus();
    const EventTypeSchema& type = catalog_->schema->event_types[event.type.value];
    if (!type.retention_us || event.event.time_us > now_us - *type.retention_us) return absl::OkStatus();
    return MakeError(absl::StatusCode::kOutOfRange, "EVENT_TOO_OLD", "event_time_us",
                     fmt::format("{} is older than the retention of {} declared for '{}'", FormatTimestamp({event.event.time_us}),
                                 FormatDuration(*type.retention_us), type.name));
  }

  // ---- Shards ----

  void RunPart(Shard& shard, const Writes& part, Writes* again) {
    uint64_t turns_behind = 0;  // of the next item
    ClockDriver::LongCatchUp leave;
    for (size_t next = 0; next < part.size();) {
      WorkMeter meter(kTurnWorkUnits);
      {
        std::lock_guard<PhaseFairLock> hold(shard.lock);
        CatalogRef now = core_.CurrentCatalog();
        if (now->layout != catalog_->layout) {
          again->insert(again->end(), part.begin() + next, part.end());
          return;
        }
        shard.Adopt(*now);
        next = RunTurn(shard, *now->schema, part, next, &meter, again);
        shard.NoteDue();
      }
      core_.NoteTurn(meter.used());
      if (!behind_) {
        turns_behind = 0;
        continue;
      }
      Status goes_on = GoesOn();
      if (goes_on.ok() && ++turns_behind >= kCatchUpTurnsMax && !leave.Ask(core_.clock_driver.get())) goes_on = TooFarBehind();
      if (goes_on.ok()) continue;
      turns_behind = 0;
      Refuse(*part[next++], ended_ = goes_on);
    }
  }

  // Under the shard's lock. Returns how far it came. Where the clock moved a long way over a profile, the turn may end with it on its way
  // to its write's instant: behind_, and the next turn goes on with it.
  size_t RunTurn(Shard& shard, const Schema& schema, const Writes& part, size_t next, WorkMeter* meter, Writes* again) {
    ShardRecordWriter record;
    touched_.clear();
    shard.steps.clear();
    behind_ = false;
    int64_t turn_us = core_.clock->NowUs();
    while (next < part.size() && !meter->exhausted()) {
      PreparedWrite& write = *part[next];
      // A replay clock may have moved on with later events of the batch; each item has the instant of its own admission.
      if (core_.clock->mode() == ClockMode::kSystem) write.change.now_us = turn_us;
      RunWrite(shard, schema, write, meter, &record, again);
      if (behind_) break;
      ++next;
      meter->Add(WorkOf(write.change));
    }
    if (!record.empty()) {
      Position position = core_.log->Append(std::move(record).Take());
      for (Row row : touched_) shard.table.SetVersion(row, position);
      shard.applied = position;
      result_.position = std::max(result_.position, position);
    }
    if (behind_) LogCatchUp(core_, shard, shard.steps[0]);
    return next;
  }

  void RunWrite(Shard& shard, const Schema& schema, PreparedWrite& write, WorkMeter* meter, ShardRecordWriter* record, Writes* again) {
    ProfileChange& change = write.change;
    std::optional<Row> row = shard.table.Find(change.profile);
    if (row) shard.Prefetch(*row, change);
    // Another batch may have been admitted later and be here first: time does not go back for a row.
    if (row) change.now_us = std::max(change.now_us, shard.live.AsOf(*row));
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
    if (row && HoldsEvent(shard.table, *row, write, schema, change.now_us)) {
      Release(shard, write);
      result_.duplicate_indexes.push_back(write.index);
      return;
    }
    if (Status status = CheckState(shard.table, row, change, schema); !status.ok()) {
      Release(shard, write);
      return Report(write, status);
    }
    LiveState::Flips flips;
    if (row && !shard.live.CatchUp(*row, change.now_us, meter, &flips)) {
      shard.steps.push_back({*row, std::move(flips)});
      behind_ = true;
      return;
    }
    TakePending(shard.table, row, write);
    StatusOr<Shard::Applied> applied = shard.Apply(change, schema, core_.events_hard_max, core_.identity.get());
    if (!applied.ok()) ApplyFailed(applied.status());
    ++result_.applied_count;
    if (flips.empty()) {
      change.flips = std::move(applied->flips);
    } else {
      flips.insert(flips.end(), applied->flips.begin(), applied->flips.end());
      change.flips = std::move(flips);
    }
    record->Add(change);
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

  // An item before it in the batch may have brought the same identifier.
  static void TakePending(const ProfileTable& table, std::optional<Row> row, PreparedWrite& write) {
    write.change.identifiers.clear();
    if (write.pending == 0) return;
    const std::vector<Identifier> held = row ? table.IdentifiersOf(*row) : std::vector<Identifier>();
    for (size_t i = 0; i < write.keys.size(); ++i) {
      Identifier identifier{write.keys[i].type, std::string(write.keys[i].text)};
      const bool is_new = std::find(held.begin(), held.end(), identifier) == held.end();
      if (write.pending >> i & 1 && is_new) write.change.identifiers.push_back(std::move(identifier));
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

  // Releases what a write may have claimed in an earlier round; no lock is held.
  void GiveBack(PreparedWrite& write) {
    if (write.pending == 0 && !write.drawn) return;
    Shard& shard = *core_.shards[ShardOf(write.change.profile, static_cast<uint32_t>(core_.shards.size()))];
    std::lock_guard<PhaseFairLock> hold(shard.lock);
    Release(shard, write);
  }

  void Refuse(PreparedWrite& write, const Status& status) {
    GiveBack(write);
    Report(write, status);
  }

  void RefuseRest(const Status& status) {
    for (PreparedWrite* write : todo_) {
      if (write) Refuse(*write, status);
    }
    todo_.clear();
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
  std::deque<PreparedWrite*> todo_;  // in the request's order; null: answered
  size_t grown_ = 0, grow_all_at_ = 64;
  std::optional<int64_t> held_us_;  // figures are to be published up to it before the next round
  std::vector<Row> touched_;        // by the turn
  bool behind_ = false;             // the turn ended on the way to the instant of its next item
  Status ended_;                    // why items were refused that might have been done with more time
  WriteResult result_;
};

}  // namespace

Durability ReachedDurability(const Log& log, Durability asked) {
  if (log.Strongest() == Durability::kMemory) return Durability::kMemory;
  return asked == Durability::kUnspecified ? Durability::kSynced : asked;
}

StatusOr<WriteResult> RunBatch(Core& core, WriteItems& items, const WriteOptions& options) {
  return WriteBatch(core, items, options).Run();
}

}  // namespace korrel
