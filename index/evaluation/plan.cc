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

}  // namespace

CompiledPlan::CompiledPlan(ExpressionRef expression)
    : expression_(std::move(expression)), terms_(expression_->time_zone()), root_(terms_.Build(*expression_->root())) {
  if (root_->type.kind == ValueKind::kBool) condition_ = conditions_.Build(*root_);
  uint64_t terms = 1;
  for (const Term& term : terms_.terms()) {
    ++terms;
    if (term.op == Op::kAttribute && !term.definition) attributes_.emplace_back(term.node->attribute, term.type);
    if (term.op == Op::kProperty && term.node->event_type) properties_.emplace_back(*term.node->event_type, term.node->property, term.type);
    if (term.op == Op::kAggregate && term.node->event_type) event_types_.push_back(*term.node->event_type);
  }
  rows_per_batch_ = static_cast<uint32_t>(std::clamp<uint64_t>(kBatchUnits / (terms * work::kTermRow * 2), 1, kBatchRowsMax));
}

bool CompiledPlan::IsStale(const ShardView& view) const {
  for (const auto& [attribute, type] : attributes_) {
    const AttributeColumn* column = view.table->column(attribute);
    // A narrower column is read with conversion: the schema is ahead of it, not behind.
    if (column && column->type() != type && !Widens(column->type(), type)) return true;
  }
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

PlanRef Plan::Make(ExpressionRef expression) { return std::make_shared<CompiledPlan>(std::move(expression)); }

}  // namespace korrel
