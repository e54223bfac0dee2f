// engine/question/ranked_scan.h
//
// RankedScan offers the rows of one shard that match to a TopRows: ranked by the value of an expression (top-k) or by a hash of the
// profile's id (sample). What the answer shows of a row is read in the turn that judged it, and only for rows that beat what is kept.
#pragma once

#include <optional>
#include <vector>

#include "engine/question/shard_scan.h"
#include "engine/question/top_rows.h"
#include "engine/read/row_reader.h"

namespace korrel {

struct RankedQuestion {
  CompiledQuestion compiled;
  std::vector<PlanRef> fields;  // of the answer
  std::vector<PlanRef> order;   // one; none: by hash
  bool descending = false;
  uint64_t seed = 0;
  std::optional<IdentifierFilter> identifiers;
};

class RankedScan final : public ShardScan {
 public:
  RankedScan(Core& core, size_t shard, const RankedQuestion& question, TopRows* top);
  // Why a scan stopped before its end.
  bool out_of_memory() const { return out_of_memory_; }
  bool schema_is_old() const { return schema_is_old_; }

 private:
  bool BeginTurn(const ShardView& view, WorkMeter* meter) override;
  Taken Take(const ShardView& view, std::span<const Row> rows) override;
  void EndTurn() override;
  uint64_t WorkPerRow() const override;
  void AfterTurn() override;
  RankKey KeyOf(size_t i, ProfileId id) const;
  bool Keep(const ShardView& view, Row row, size_t i, RankKey key);

  const RankedQuestion& ranked_;
  TopRows* const top_;
  RowReader order_, fields_;
  WorkMeter* meter_ = nullptr;
  std::optional<RankKey> last_;
  std::vector<RankedRow> offered_;
  std::vector<Row> candidates_;
  std::vector<RankKey> candidate_keys_;
  bool out_of_memory_ = false, schema_is_old_ = false;
};

// Runs the scans of all shards. kStale: compile again. Errors: kResourceExhausted ANSWER_BYTES.
StatusOr<TurnEnd> RunRanked(Core& core, const RankedQuestion& question, int64_t deadline_ns, TopRows* top, AnswerContext* context,
                            uint64_t* match_count);

// Where a profile stands among all for a seed: uniform, and the same whatever the layout.
int64_t SampleRank(ProfileId id, uint64_t seed);

}  // namespace korrel
