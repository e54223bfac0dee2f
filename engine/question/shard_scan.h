// engine/question/shard_scan.h
//
// ShardScan walks one shard for one question, turn by turn: it finds the rows that match, hands them to the derived class while
// the lock is held, and remembers where to go on. Counting is the base's own; what else is wanted of the rows is the derived one's.
//
//   RunTurn ─▶ lock ─▶ { Match some rows ─▶ Take them ─▶ … until the budget is used } ─▶ unlock ─▶ AfterTurn
//
// A row that matched but was not taken is judged again in the next turn, so that a profile is judged and read at one instant.
//
// Threads     One thread at a time.
// Invariants  Every row of the shard is judged once: rows before mark() are done, rows from it on are not.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/turns.h"

namespace korrel {

// What a question compiled to; shared by the scans of all shards, outlives them.
struct CompiledQuestion {
  CatalogRef catalog;
  PlanRef plan;                          // the condition
  std::vector<EventTypeId> event_types;  // read by the question, for truncated_count
  std::vector<std::string> filling;      // definitions it uses that are not filled yet
  std::vector<uint32_t> filling_fields;  // of what it reads of each profile: those that use such a definition
};

class ShardScan {
 public:
  ShardScan(Core& core, size_t shard, const CompiledQuestion& question, bool takes_rows, Row from = Row(0));
  virtual ~ShardScan() = default;

  // kMore, kDone, kStale, or kStopped where Take said so. `work` is what the turn cost.
  TurnEnd RunTurn(uint64_t* work);

  Row mark() const { return mark_; }
  uint64_t match_count() const { return match_count_; }
  uint64_t truncated_count() const { return truncated_count_; }
  // Of the earliest turn; INT64_MAX before the first.
  int64_t now_us() const { return now_us_; }

 protected:
  struct Taken {
    size_t rows = 0;    // of those offered, from the front
    bool stop = false;  // nothing more is wanted
  };
  // All under the lock. BeginTurn: false where a plan of the derived class is stale; `meter` counts what Take does beyond
  // WorkPerRow(), which the base counts. Take takes at least one row, unless it stops.
  virtual bool BeginTurn(const ShardView&, WorkMeter* /*meter*/) { return true; }
  virtual Taken Take(const ShardView&, std::span<const Row> rows) { return {rows.size(), false}; }
  virtual void EndTurn() {}
  virtual uint64_t WorkPerRow() const { return kWorkPerRow; }
  // Without the lock, after every turn.
  virtual void AfterTurn() {}

  const CompiledQuestion& question() const { return question_; }

 private:
  enum class Step : uint8_t { kGoOn, kNotAllTaken, kStop };
  TurnEnd JudgeRows(Turn* turn);
  Step JudgeRange(Evaluator* evaluator, const Turn& turn);
  Step TakeMatches(const Turn& turn, uint32_t block_start);
  Step TakeSlice(const Turn& turn);
  void CountTruncated(const ProfileTable& table, std::span<const Row> rows);
  void CountTruncatedBits(const ProfileTable& table, uint32_t block);
  void AdaptBudget(bool all_taken, bool match_exhausted);

  Core& core_;
  const size_t shard_;
  const CompiledQuestion& question_;
  const bool takes_rows_;
  Row mark_;
  std::vector<uint64_t> bits_;
  std::vector<Row> rows_;
  std::vector<const RowBits*> cut_;          // scratch: rows with truncated histories, per event type
  std::vector<const uint64_t*> cut_blocks_;  // the same, of one block
  WorkMeter* take_meter_ = nullptr;          // during a turn
  uint64_t match_budget_;
  uint64_t match_count_ = 0, truncated_count_ = 0;
  int64_t now_us_ = INT64_MAX;
};

}  // namespace korrel
