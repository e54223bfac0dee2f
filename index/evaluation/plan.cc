#include "index/evaluation/plan.h"

#include <algorithm>

#include "index/evaluation/work.h"

namespace korrel {
namespace {

// A batch that cannot be left before its end stays well below a turn.
constexpr uint64_t kBatchUnits = kTurnWorkUnits / 5;
constexpr uint64_t kBatchRowsMax = 128;

bool Widens(Type from, Type to) {
  const std::optional<Type> widened = WidenedType(from, to);
  return widened && *widened == to;
}

// A narrower column is read with conversion: the schema is ahead of it, not behind.
bool Fits(const std::vector<std::pair<AttributeId, Type>>& attributes, const ShardView& view) {
  return std::all_of(attributes.begin(), attributes.end(), [&](const auto& attribute) {
    const AttributeColumn* column = view.table->column(attribute.first);
    return !column || column->type() == attribute.second || Widens(column->type(), attribute.second);
  });
}

// Whether an expression says anything that a shard may keep. Most do not, and need only one form.
bool MayBeKept(const CompiledForm& form) {
  return std::any_of(form.terms().begin(), form.terms().end(), [](const Term& term) { return term.definition || term.has_aggregate; });
}

}  // namespace

CompiledForm::CompiledForm(const Expression& expression, const KeptNames* kept)
    : terms_(expression.time_zone(), kept), root_(terms_.Build(*expression.root())) {
  if (root_->type.kind == ValueKind::kBool) condition_ = conditions_.Build(*root_);
  const uint64_t terms = terms_.terms().size() + 1;
  rows_per_batch_ = static_cast<uint32_t>(std::clamp<uint64_t>(kBatchUnits / (terms * work::kTermRow * 2), 1, kBatchRowsMax));
}

CompiledPlan::CompiledPlan(ExpressionRef expression, const KeptNames* kept)
    : expression_(std::move(expression)), plain_(*expression_, nullptr) {
  for (const Term& term : plain_.terms()) {
    if (term.op == Op::kAttribute && !term.definition) attributes_.emplace_back(term.node->attribute, term.type);
    if (term.op == Op::kProperty && term.node->event_type) properties_.emplace_back(*term.node->event_type, term.node->property, term.type);
    if (term.op == Op::kAggregate && term.node->event_type) event_types_.push_back(*term.node->event_type);
    if (term.op != Op::kSequence) continue;
    for (const SequenceStep& step : term.node->steps) {
      if (step.event_type) event_types_.push_back(*step.event_type);
    }
  }
  if (!kept || !MayBeKept(plain_)) return;
  kept_.emplace(*expression_, kept);
  for (const Term& term : kept_->terms()) {
    if (!term.kept) continue;
    units_.push_back(term.unit);
    if (term.op == Op::kAttribute) kept_attributes_.emplace_back(term.node->attribute, term.type);
  }
  if (units_.empty()) {
    kept_.reset();
  } else {
    for (const Term& term : plain_.terms()) plain_by_node_.emplace(term.node, &term);
  }
}

const CompiledForm* CompiledPlan::KeptIn(const ShardView& view) const {
  if (!kept_ || !view.kept || !Fits(kept_attributes_, view)) return nullptr;
  const bool ready = std::all_of(units_.begin(), units_.end(), [&](uint64_t unit) { return view.kept->IsReady(unit); });
  return ready ? &*kept_ : nullptr;
}

bool CompiledPlan::IsStale(const ShardView& view) const {
  if (!Fits(attributes_, view)) return true;
  const auto& event_types = view.schema->event_types;
  for (EventTypeId type : event_types_) {
    if (type.value >= event_types.size()) return true;
  }
  for (const auto& [event_type, property, type] : properties_) {
    if (event_type.value >= event_types.size()) return true;
    const auto& properties = event_types[event_type.value].properties;
    if (property.value >= properties.size() || properties[property.value].type != type) return true;
  }
  return false;
}

PlanRef Plan::Make(ExpressionRef expression, const KeptNames* kept) { return std::make_shared<CompiledPlan>(std::move(expression), kept); }

}  // namespace korrel
