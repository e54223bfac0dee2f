// engine/read/row_reader.h
//
// RowReader reads a list of plans for rows of one shard during one turn: a plain attribute straight from its column, anything else
// through an Evaluator. All fields of a row are read in the same turn.
//
// Threads   Belongs to one thread; bound only while the shard's lock is held.
// Lifetime  Texts in columns() live until the lock is given back.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/turns.h"
#include "index/evaluator.h"

namespace korrel {

class RowReader {
 public:
  explicit RowReader(const std::vector<PlanRef>& plans);

  // Binds to a shard for one turn; false where a plan is stale (then it is not bound). `meter` must outlive the binding.
  bool Bind(const ShardView& view, WorkMeter* meter);
  void Unbind();

  // Reads ascending rows of one block: a prefix as long as the meter allows, at least one row. Returns its length, which is the
  // length of every column. Counts what it cannot know beforehand: expressions, long texts, sets; the rest is work_per_row().
  size_t Read(std::span<const Row> rows);
  uint64_t work_per_row() const { return fields_.size() * kWorkPerValue; }
  const std::vector<ValueVector>& columns() const { return columns_; }
  size_t field_count() const { return fields_.size(); }

 private:
  struct Field {
    PlanRef plan;
    Type type;
    const Node* attribute = nullptr;  // where the plan is nothing but a stored attribute
    const AttributeColumn* column = nullptr;
    std::unique_ptr<Evaluator> evaluator;
  };
  bool BindField(Field* field, const ShardView& view);
  size_t ReadField(const Field& field, std::span<const Row> rows, ValueVector* out);

  std::vector<Field> fields_;
  std::vector<ValueVector> columns_;
  WorkMeter* meter_ = nullptr;
  size_t group_ = 64;  // rows read at a time: follows what a turn's budget has lately been enough for
};

// Makes every part of `vector` that its type uses `n` long.
void ResizeVector(ValueVector* vector, size_t n);

}  // namespace korrel
