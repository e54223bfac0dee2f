#include "index/evaluator.h"

#include <algorithm>
#include <optional>

#include "index/evaluation/block_evaluator.h"
#include "index/evaluation/edge.h"
#include "index/evaluation/explain.h"
#include "index/evaluation/plan.h"
#include "index/evaluation/vector_machine.h"
#include "index/evaluation/work.h"

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

// A form of the plan at work in one shard.
struct Form {
  Form(const CompiledForm& compiled, const ShardView& view, WorkMeter* meter)
      : compiled(compiled),
        machine(&view, compiled.slot_count(), meter),
        bits(view, compiled.condition_count(), compiled.truths(), &machine, meter, compiled.rows_per_batch()) {}

  const CompiledForm& compiled;
  VectorMachine machine;
  BlockEvaluator bits;
};

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
      : plan(plan), view(view), meter(meter ? meter : &own_meter), kept(plan.KeptIn(view)) {
    form.emplace(kept ? *kept : plan.plain(), this->view, this->meter);
  }

  const CompiledPlan& plan;
  const ShardView view;
  WorkMeter own_meter;
  WorkMeter* meter;
  const CompiledForm* const kept;  // null: what answers is the plain form
  std::optional<Form> form;        // what answers, except for rows that are due

  // The form that is right for every row.
  Form& Plain() {
    if (!kept) return *form;
    if (!plain) plain.emplace(plan.plain(), view, meter);
    return *plain;
  }

  // The rows of a block whose kept values the clock has overtaken; nullptr: none.
  const uint64_t* DueIn(uint32_t block) {
    if (!kept) return nullptr;
    if (due_block != block) {
      due_block = block;
      due_rows.resize(kBlockWords);
      any_due = view.kept->DueRows(block, view.now_us, due_rows.data());
      if (any_due) meter->Add(kBlockRows / work::kDueRowsPerUnit);
    }
    return any_due ? due_rows.data() : nullptr;
  }

  Form& FormOf(Row row) { return kept && view.kept->IsDue(row, view.now_us) ? Plain() : *form; }

  uint32_t ExplainRows(uint32_t block, uint32_t first_row, uint32_t end_row, ExplainNode* into) {
    uint32_t end = 0;
    std::optional<Explainer::Due> due;
    if (const uint64_t* rows = DueIn(block)) due = {rows, &plan, &Plain().machine};
    ExplainNode part =
        Explainer(form->compiled, view, &form->bits, &form->machine, due).ExplainRows(block, first_row, end_row, *meter, &end);
    if (into->text.empty()) {
      *into = std::move(part);
    } else {
      into->Merge(part);
    }
    return end;
  }

 private:
  std::optional<Form> plain;  // beside the kept one, when it is first needed
  std::optional<uint32_t> due_block;
  std::vector<uint64_t> due_rows;
  bool any_due = false;
};

Evaluator::Evaluator(const Plan& plan, const ShardView& view, WorkMeter* meter)
    : impl_(std::make_unique<Impl>(Compiled(plan), view, meter)) {}
Evaluator::~Evaluator() = default;

bool Evaluator::PlanIsStale() const { return impl_->plan.IsStale(impl_->view); }

uint32_t Evaluator::Match(uint32_t block, uint32_t first_row, uint64_t* bits, uint32_t* matches) {
  Form& form = *impl_->form;
  if (const Condition* condition = form.compiled.condition()) {
    const uint64_t* rows = impl_->DueIn(block);
    if (!rows) return form.bits.Match(*condition, block, first_row, bits, matches, nullptr);
    Form& plain = impl_->Plain();
    const BlockEvaluator::Due due = {rows, &plain.bits, plain.compiled.condition()};
    return form.bits.Match(*condition, block, first_row, bits, matches, &due);
  }
  // Not a condition: nobody matches. The callers compile with must_be_condition.
  if (bits) std::fill(bits, bits + kBlockWords, 0);
  if (matches) *matches = 0;
  return kBlockRows;
}

// In batches of rows that one form answers.
size_t Evaluator::Read(std::span<const Row> rows, ValueVector* out) {
  ResizeFor(impl_->plan.plain().root().type, out);
  size_t done = 0;
  while (done < rows.size()) {
    if (done > 0 && impl_->meter->exhausted()) break;
    Form& form = impl_->FormOf(rows[done]);
    const size_t most = std::min<size_t>(form.compiled.rows_per_batch(), rows.size() - done);
    size_t size = 1;
    while (size < most && &impl_->FormOf(rows[done + size]) == &form) ++size;
    form.machine.NewBatch(true);
    Batch batch = Batch::OfRows(rows.subspan(done, size), true);
    const Vector& value = form.machine.Evaluate(form.compiled.root(), &batch, nullptr);
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

// From its records: what is kept could say that it holds, but not why.
ExplainNode Evaluator::ExplainRow(Row row) {
  Form& plain = impl_->Plain();
  return Explainer(plain.compiled, impl_->view, &plain.bits, &plain.machine).ExplainRow(row);
}

int64_t Evaluator::ValidUntil(Row row) {
  Form& plain = impl_->Plain();
  return EdgeFinder(&plain.machine, impl_->view).EdgeOf(plain.compiled.root(), row);
}

}  // namespace korrel
