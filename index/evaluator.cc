#include "index/evaluator.h"

#include <algorithm>

#include "index/evaluation/block_evaluator.h"
#include "index/evaluation/explain.h"
#include "index/evaluation/plan.h"
#include "index/evaluation/vector_machine.h"

namespace korrel {
namespace {

const CompiledPlan& Compiled(const Plan& plan) { return static_cast<const CompiledPlan&>(plan); }

constexpr uint32_t kExplainRowsMax = 4'096;  // at a time

void ResizeFor(Type type, ValueVector* out) {
  out->type = type;
  out->present.clear();
  out->ints.clear();
  out->doubles.clear();
  out->texts.clear();
  out->sets.clear();
}

void Append(const Vector& from, size_t n, ValueVector* out) {
  out->present.insert(out->present.end(), from.present.begin(), from.present.begin() + static_cast<std::ptrdiff_t>(n));
  for (size_t i = 0; i < n; ++i) {
    const bool present = from.present[i];
    switch (out->type.kind) {
      case ValueKind::kDouble:
        out->doubles.push_back(present ? from.doubles[i] : 0);
        break;
      case ValueKind::kString:
        out->texts.push_back(present ? from.texts[i] : std::string_view());
        break;
      case ValueKind::kSet:
        out->sets.push_back(present ? from.sets[i].ToStrings() : StringSet());
        break;
      default:
        out->ints.push_back(present ? from.ints[i] : 0);
    }
  }
}

}  // namespace

Value ValueVector::At(size_t i) const {
  if (!present[i]) return {};
  switch (type.kind) {
    case ValueKind::kBool:
      return ints[i] != 0;
    case ValueKind::kDecimal:
      return Decimal{ints[i], type.scale};
    case ValueKind::kDouble:
      return doubles[i];
    case ValueKind::kString:
      return std::string(texts[i]);
    case ValueKind::kTimestamp:
      return Timestamp{ints[i]};
    case ValueKind::kSet:
      return sets[i];
    case ValueKind::kNone:
      return {};
    default:
      return ints[i];
  }
}

void ExplainNode::Merge(const ExplainNode& other) {
  profile_count += other.profile_count;
  absent_count += other.absent_count;
  blocks_read += other.blocks_read;
  blocks_pruned += other.blocks_pruned;
  duration_ns += other.duration_ns;
  if (access != other.access && !other.access.empty()) access = access.empty() || access == "constant" ? other.access : access;
  for (size_t i = 0; i < inputs.size() && i < other.inputs.size(); ++i) inputs[i].Merge(other.inputs[i]);
}

struct Evaluator::Impl {
  Impl(const CompiledPlan& plan, const ShardView& view, WorkMeter* meter)
      : plan(plan),
        view(view),
        meter(meter ? meter : &own_meter),
        machine(&this->view, plan.slot_count(), this->meter),
        bits(this->view, plan.condition_count(), plan.truths(), &machine, this->meter, plan.rows_per_batch()) {}

  const CompiledPlan& plan;
  const ShardView view;
  WorkMeter own_meter;
  WorkMeter* meter;
  VectorMachine machine;
  BlockEvaluator bits;

  uint32_t ExplainRows(uint32_t block, uint32_t first_row, uint32_t end_row, ExplainNode* into) {
    uint32_t end = 0;
    ExplainNode part = Explainer(plan, view, &bits, &machine).ExplainRows(block, first_row, end_row, *meter, &end);
    if (into->text.empty()) {
      *into = std::move(part);
    } else {
      into->Merge(part);
    }
    return end;
  }
};

Evaluator::Evaluator(const Plan& plan, const ShardView& view, WorkMeter* meter)
    : impl_(std::make_unique<Impl>(Compiled(plan), view, meter)) {}
Evaluator::~Evaluator() = default;

bool Evaluator::PlanIsStale() const { return impl_->plan.IsStale(impl_->view); }

uint32_t Evaluator::Match(uint32_t block, uint32_t first_row, uint64_t* bits, uint32_t* matches) {
  const Condition* condition = impl_->plan.condition();
  if (condition) return impl_->bits.Match(*condition, block, first_row, bits, matches);
  // Not a condition: nobody matches. The callers compile with must_be_condition.
  if (bits) std::fill(bits, bits + kBlockWords, 0);
  if (matches) *matches = 0;
  return kBlockRows;
}

size_t Evaluator::Read(std::span<const Row> rows, ValueVector* out) {
  const Term& root = impl_->plan.root();
  ResizeFor(root.type, out);
  size_t done = 0;
  while (done < rows.size()) {
    if (done > 0 && impl_->meter->exhausted()) break;
    const size_t size = std::min<size_t>(impl_->plan.rows_per_batch(), rows.size() - done);
    impl_->machine.NewBatch(true);
    Batch batch = Batch::OfRows(rows.subspan(done, size), true);
    const Vector& value = impl_->machine.Evaluate(root, &batch, nullptr);
    Append(value, batch.size, out);
    done += batch.size;
    if (batch.size < size) break;
  }
  return done;
}

void Evaluator::Explain(uint32_t block, ExplainNode* into) {
  for (uint32_t row = 0; row < kBlockRows;) row = Explain(block, row, into);
}

// One row at first, then as many as should cost half of what is left, going by those before: parts that are evaluated for rows
// which a later part no longer reaches are evaluated again in the next turn.
uint32_t Evaluator::Explain(uint32_t block, uint32_t first_row, ExplainNode* into) {
  uint32_t row = first_row, rows = 1;
  while (row < kBlockRows && (row == first_row || !impl_->meter->exhausted())) {
    const uint64_t before = impl_->meter->used();
    const uint32_t end = impl_->ExplainRows(block, row, std::min(kBlockRows, row + rows), into);
    const double row_cost = static_cast<double>(std::max<uint64_t>(1, impl_->meter->used() - before)) / (end - row);
    const double affordable = static_cast<double>(impl_->meter->left()) / (2 * row_cost);
    rows = std::clamp(static_cast<uint32_t>(std::min<double>(affordable, kExplainRowsMax)), 1u, std::min(4 * rows, kExplainRowsMax));
    row = end;
  }
  return row;
}

ExplainNode Evaluator::ExplainRow(Row row) { return Explainer(impl_->plan, impl_->view, &impl_->bits, &impl_->machine).ExplainRow(row); }

}  // namespace korrel
