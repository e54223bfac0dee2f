#include "engine/catalog/definition_preview.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <shared_mutex>

#include "engine/turns.h"

namespace korrel {
namespace {

using Bits = std::array<uint64_t, kBlockWords>;

// The smallest ids of those seen.
class Sample {
 public:
  explicit Sample(uint32_t size) : size_(size) {}
  void Add(ProfileId id) {
    if (size_ == 0 || (ids_.size() == size_ && !(id < *ids_.rbegin()))) return;
    ids_.insert(id);
    if (ids_.size() > size_) ids_.erase(std::prev(ids_.end()));
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (ProfileId id : ids_) names.push_back(FormatProfileId(id));
    return names;
  }

 private:
  uint32_t size_;
  std::set<ProfileId> ids_;
};

class Preview {
 public:
  Preview(const PreviewSide& before, const PreviewSide& after, uint32_t sample_size) : added_(sample_size), removed_(sample_size) {
    sides_[0] = {before.expression ? Plan::Make(before.expression) : nullptr, before.schema};
    sides_[1] = {after.expression ? Plan::Make(after.expression) : nullptr, after.schema};
  }

  // One turn: rows of a block from `row` on; returns the end of what was looked at. nullopt: a plan is stale.
  std::optional<uint32_t> Turn(const Shard& shard, uint32_t block, uint32_t row, int64_t now_us, uint64_t* work) {
    uint32_t end = kBlockRows;
    for (size_t i = 0; i < 2; ++i) {
      bits_[i].fill(0);
      if (!sides_[i].plan) continue;
      WorkMeter meter(kTurnWorkUnits / 2);
      Evaluator evaluator(*sides_[i].plan, {&shard.table, &shard.index, sides_[i].schema, now_us, nullptr, shard.population.get()}, &meter);
      if (evaluator.PlanIsStale()) return std::nullopt;
      end = std::min(end, evaluator.Match(block, row, bits_[i].data(), nullptr));
      *work += meter.used();
    }
    for (uint32_t word = row / 64; word * 64 < end; ++word) CountWord(shard, block, word, end);
    return end;
  }

  SegmentPreview Result() && {
    preview_.added_sample = added_.Names();
    preview_.removed_sample = removed_.Names();
    return std::move(preview_);
  }

 private:
  struct Side {
    PlanRef plan;
    const Schema* schema = nullptr;
  };

  // The two sides may have come to different ends: rows from `end` on are the next turn's.
  void CountWord(const Shard& shard, uint32_t block, uint32_t word, uint32_t end) {
    uint64_t mask = end - word * 64 >= 64 ? ~uint64_t{0} : (uint64_t{1} << (end - word * 64)) - 1;
    uint64_t before = bits_[0][word] & mask, after = bits_[1][word] & mask;
    preview_.member_count += std::popcount(after);
    preview_.added_count += std::popcount(after & ~before);
    preview_.removed_count += std::popcount(before & ~after);
    for (uint64_t changed = before ^ after; changed; changed &= changed - 1) {
      uint32_t bit = static_cast<uint32_t>(std::countr_zero(changed));
      (after >> bit & 1 ? added_ : removed_).Add(shard.table.IdOf(Row(block * kBlockRows + word * 64 + bit)));
    }
  }

  Side sides_[2];
  Bits bits_[2];
  SegmentPreview preview_;
  Sample added_, removed_;
};

}  // namespace

StatusOr<std::optional<SegmentPreview>> PreviewSegment(Core& core, const PreviewSide& before, const PreviewSide& after,
                                                       uint32_t sample_size, int64_t deadline_ns) {
  auto preview = std::make_unique<Preview>(before, after, sample_size);  // 16 KiB of bits are not for the stack
  for (const auto& shard : core.shards) {
    uint32_t block = 0, row = 0;
    for (;;) {
      uint64_t work = 0;
      {
        std::shared_lock<PhaseFairLock> hold(shard->lock);
        if (block >= shard->table.block_count()) break;
        std::optional<uint32_t> end = preview->Turn(*shard, block, row, core.clock->NowUs(), &work);
        if (!end) return std::optional<SegmentPreview>();
        row = *end % kBlockRows;
        block += *end == kBlockRows;
      }
      core.NoteTurn(work);
      if (IsPast(deadline_ns)) return DeadlinePassed();
      if (core.stopping) return Core::ShutdownError();
    }
  }
  return std::optional<SegmentPreview>(std::move(*preview).Result());
}

}  // namespace korrel
