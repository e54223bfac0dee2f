#include "engine/live/replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/catalog/catalog.h"
#include "engine/live/clock_driver.h"
#include "engine/live/fill_driver.h"
#include "engine/live/population.h"

namespace korrel {
namespace {

using Flips = LiveState::Flips;

std::string TextOf(const Flips& flips) {
  std::string text;
  for (const SegmentFlip& flip : flips) {
    text += fmt::format("{}{}{} at {} by cause {}", text.empty() ? "" : ", ", flip.entered ? "into " : "out of ", flip.segment.value,
                        FormatTimestamp({flip.time_us}), static_cast<int>(flip.cause));
  }
  return text.empty() ? "nothing" : text;
}

Status Contradiction(ProfileId profile, std::string_view what) {
  return MakeError(absl::StatusCode::kInternal, "RECORD", "", fmt::format("{}: {}", FormatProfileId(profile), what));
}

// Whether the segment means what it meant when everything was filled last.
bool MeansTheSame(const LivePlan& now, const LivePlan& filled, SegmentId id) {
  const std::optional<KeptNames::Unit> unit = now.Segment(id), then = filled.Segment(id);
  return unit && then && unit->serial == then->serial;
}

// One shard while a record is applied to it.
class ShardReplay {
 public:
  ShardReplay(Core& core, ProfileId profile)
      : core_(core),
        shard_(*core.shards[ShardOf(profile, static_cast<uint32_t>(core.shards.size()))]),
        hold_(shard_.lock),
        catalog_(core.CurrentCatalog()),
        filled_(core.fill_driver->filled_plan()) {
    shard_.Adopt(*catalog_);
  }

  Status Apply(const ProfileChange& change, Position position) {
    core_.clock->Restore(change.now_us);
    KORREL_ASSIGN_OR_RETURN(Shard::Applied applied, shard_.Apply(change, *catalog_->schema, core_.events_hard_max, core_.identity.get()));
    if (applied.row) shard_.table.SetVersion(*applied.row, position);
    return End(change.profile, applied.row, change.flips, applied.flips, position);
  }

  // A turn of the clock steps a row edge by edge, and may come to it more than once: each time up to the last edge at which it flipped.
  Status Step(const TurnMutation::Profile& stepped, TurnMutation::Kind kind, int64_t now_us, Position position) {
    const std::optional<Row> row = shard_.table.Find(stepped.profile);
    if (!row) return Contradiction(stepped.profile, "changes segments and does not exist");
    if (kind != TurnMutation::Kind::kCatchUp && !stepped.flips.empty()) now_us = stepped.flips.back().time_us;
    Flips worked_out;
    shard_.live.BringUp(*row, now_us, &worked_out);
    return End(stepped.profile, row, stepped.flips, worked_out, position);
  }

 private:
  Status End(ProfileId profile, std::optional<Row> row, const Flips& logged, const Flips& worked_out, Position position) {
    if (Counted(logged) != Counted(worked_out)) {
      return Contradiction(profile, fmt::format("the record says {}, worked out was {}", TextOf(logged), TextOf(worked_out)));
    }
    for (const SegmentFlip& flip : logged) {
      if (row && !Counts(flip.segment)) shard_.live.Force(*row, flip);
    }
    shard_.applied = position;
    shard_.NoteDue();
    return absl::OkStatus();
  }

  bool Counts(SegmentId id) const { return MeansTheSame(*catalog_->live, *filled_, id); }

  Flips Counted(Flips flips) const {
    std::erase_if(flips, [this](const SegmentFlip& flip) { return !Counts(flip.segment); });
    return flips;
  }

  Core& core_;
  Shard& shard_;
  std::lock_guard<PhaseFairLock> hold_;
  const CatalogRef catalog_;
  const LivePlanRef filled_;
};

Status FinishRecheck(Core& core, Shard& shard) {
  std::lock_guard<PhaseFairLock> hold(shard.lock);
  shard.Adopt(*core.CurrentCatalog());
  const LivePlanRef now = shard.live.plan(), then = core.fill_driver->filled_plan();
  while (shard.live.rechecking()) {
    WorkMeter meter;
    std::vector<LiveState::Step> steps;
    shard.live.Recheck(INT64_MIN, &meter, &steps);
    for (const LiveState::Step& step : steps) {
      Flips flips = step.flips;
      std::erase_if(flips, [&](const SegmentFlip& flip) { return !MeansTheSame(*now, *then, flip.segment); });
      if (!flips.empty())
        return Contradiction(shard.table.IdOf(step.row), fmt::format("figures bring it {}, of which no record tells", TextOf(flips)));
    }
  }
  shard.NoteDue();
  return absl::OkStatus();
}

struct Replay {
  Core& core;
  Position position;

  Status operator()(const ShardMutation& part) {
    for (const ProfileChange& change : part.changes) KORREL_RETURN_IF_ERROR(ShardReplay(core, change.profile).Apply(change, position));
    return absl::OkStatus();
  }
  Status operator()(const CatalogMutation& catalog) { return core.catalog->Apply(catalog, position); }
  Status operator()(const ClockMutation& clock) {
    core.clock->Restore(clock.to_us);
    return absl::OkStatus();
  }
  Status operator()(const TurnMutation& turn) {
    for (const TurnMutation::Profile& profile : turn.profiles) {
      KORREL_RETURN_IF_ERROR(ShardReplay(core, profile.profile).Step(profile, turn.kind, turn.now_us, position));
    }
    return absl::OkStatus();
  }
  Status operator()(const FilledMutation& filled) { return core.fill_driver->ReplayFilled(filled, position); }
  // By then every row had been looked at since the figures before; whom the records do not mention flipped nothing.
  Status operator()(const PopulationMutation& published) {
    for (const auto& shard : core.shards) KORREL_RETURN_IF_ERROR(FinishRecheck(core, *shard));
    return core.population->Replay(published, position);
  }
};

}  // namespace

Status ReplayRecord(Core& core, const Log::Record& record) {
  KORREL_ASSIGN_OR_RETURN(Mutation mutation, DecodeMutation(record.bytes));
  if (!core.replaying.exchange(true)) {
    core.clock_driver->FinishRound();
    core.fill_driver->FinishRound();
  }
  return std::visit(Replay{core, record.position}, mutation);
}

void EndReplay(Core& core) {
  core.population->EndReplay();
  core.replaying = false;
  core.fill_driver->Wake();
}

}  // namespace korrel
