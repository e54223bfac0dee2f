// index/evaluator.h
//
// From a typed expression to bits and values: a Plan is made once per question and shared by all shards; an Evaluator binds it
// to one shard for one turn of the lock and answers block by block.
//
//   Condition   a bitset of the live rows of a block for which it is true
//   Value       for given rows: presence, and int64 / double / text / set
//
// Evaluation is total and pure, so operands run in any order: cheapest first, stopped when nothing can change any more.
// An Evaluator counts its work (see WorkMeter) and stops inside a block when the turn's budget is used up: what it answered up to
// the row it names is final, the rest is asked again in the next turn.
//
// Threads   A Plan is immutable. An Evaluator belongs to one thread and dies before the shard's lock is released.
// Errors    None: what cannot be computed is absent. A plan whose attribute types are older than the shard's columns says so
//           with PlanIsStale() before the first block; the caller compiles again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/evaluation/kept.h"
#include "index/expression/expression.h"
#include "index/shard_index.h"
#include "storage/profile_table.h"

namespace korrel {

// Work in units of about one nanosecond of a plain machine: counted, not timed, so that tests can assert it. Costs per
// operation are constants in work.h with the benchmark that set them.
class WorkMeter {
 public:
  explicit WorkMeter(uint64_t budget = UINT64_MAX) : budget_(budget) {}
  void Add(uint64_t units) { used_ += units; }
  bool exhausted() const { return used_ >= budget_; }
  uint64_t used() const { return used_; }
  uint64_t left() const { return exhausted() ? 0 : budget_ - used_; }

 private:
  uint64_t used_ = 0;
  uint64_t budget_;
};

inline constexpr uint64_t kTurnWorkUnits = 100'000;  // about 100 µs

// Published figures about everybody (population.x): immutable, replaced as a whole at each publication.
struct PopulationFigures {
  struct Figure {
    Value value;                      // absent before the first publication
    int64_t published_us = 0;         // the instant it is of
    int64_t next_publication_us = 0;  // 0: none
  };
  std::map<std::string, Figure, std::less<>> by_name;
};
using PopulationRef = std::shared_ptr<const PopulationFigures>;

// What an evaluator sees of a shard. All must outlive it.
struct ShardView {
  const ProfileTable* table;
  const ShardIndex* index;
  const Schema* schema;
  int64_t now_us;
  const KeptValues* kept = nullptr;               // null: nothing is kept
  const PopulationFigures* population = nullptr;  // null: every figure is absent
};

class Plan;
using PlanRef = std::shared_ptr<const Plan>;

// The value of an expression for a list of rows, in the physical form of its type.
struct ValueVector {
  Type type;
  std::vector<uint8_t> present;
  std::vector<int64_t> ints;            // bool int decimal timestamp duration
  std::vector<double> doubles;          // double
  std::vector<std::string_view> texts;  // string; live until the turn ends
  std::vector<StringSet> sets;          // set
  Value At(size_t i) const;             // durations come as int64 microseconds
};

class Plan {
 public:
  // `expression` of any type; a condition can be matched, every expression can be read row by row. What `kept` names (null: nothing;
  // not needed after Make) is read from what the shard keeps, where it is ready there and the row is not due; else it is evaluated from
  // its definition. Answers are the same either way.
  static PlanRef Make(ExpressionRef expression, const KeptNames* kept = nullptr);
  virtual ~Plan() = default;
  virtual const Expression& expression() const = 0;
};

// A node of an explanation: predicates with what they cost and how many rows they hold, summed over shards by Merge.
struct ExplainNode {
  std::string text;  // normal form of this part
  Type type;
  uint64_t profile_count = 0;  // rows for which it is true (conditions) or present (values), among all live rows
  uint64_t absent_count = 0;   // rows for which an operand is absent
  uint64_t blocks_read = 0, blocks_pruned = 0;
  int64_t duration_ns = 0;
  std::string access;  // "posting", "code scan", "range scan", "events", "and", …
  std::vector<ExplainNode> inputs;
  // for one profile
  bool truth = false;
  std::string needed;                    // what the predicate asks for, e.g. "= 'NL'"
  Value actual;                          // what was there
  int64_t valid_until_us = 0;            // all of that as long as nothing is written and now is before; 0: for good
  void Merge(const ExplainNode& other);  // adds counts and times; same shape
};

class Evaluator {
 public:
  Evaluator(const Plan& plan, const ShardView& view, WorkMeter* meter);
  ~Evaluator();

  bool PlanIsStale() const;

  // Conditions: sets `bits` (kBlockWords words) to the rows of `block` in [first_row, result) of the block for which the condition
  // is true, all other bits to 0, and returns that end: kBlockRows where the block is finished. Always makes progress by at least
  // one row. `matches`, if not null, gets the population count; `bits` may be null where only that is wanted.
  uint32_t Match(uint32_t block, uint32_t first_row, uint64_t* bits, uint32_t* matches);

  // Values (and conditions, as bools) of the given ascending rows of one block. Answers as many as the budget allows, at least
  // one, and returns how many.
  size_t Read(std::span<const Row> rows, ValueVector* out);

  // Adds this shard's block to an explanation; one block at a time, without early exit, each operand over all live rows.
  void Explain(uint32_t block, ExplainNode* into);
  // The same for the rows of the block from first_row on, until the budget is used up; returns the end as Match does. Counts of
  // several calls add up to those of the block.
  uint32_t Explain(uint32_t block, uint32_t first_row, ExplainNode* into);
  // Explains one row: truth, needed and actual of every predicate.
  ExplainNode ExplainRow(Row row);

  // Until when the value for the row holds if nothing is written: an instant after now and no later than the first at which it differs;
  // INT64_MAX: for good. See index/evaluation/edge.h.
  int64_t ValidUntil(Row row);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace korrel
