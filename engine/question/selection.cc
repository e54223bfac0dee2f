#include "engine/question/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace korrel {
namespace {

CompileOptions OptionsFor(const CatalogSnapshot& catalog, const Parameters* parameters, bool allow_unknown_names) {
  CompileOptions options;
  options.schema = catalog.schema.get();
  options.definitions = &catalog.definitions;
  options.time_zone = catalog.time_zone;
  options.parameters = parameters;
  options.allow_unknown_names = allow_unknown_names;
  return options;
}

std::string Quoted(std::string_view name) {
  std::string quoted = "\"";
  for (char c : name) {
    quoted += c;
    if (c == '"') quoted += c;
  }
  return quoted + '"';
}

// Walks a typed tree. Definitions are shared by many places, so each is entered once: a tree of definitions that use one another
// twice at every level would otherwise take 2^depth steps.
class EventTypeWalk {
 public:
  EventTypeWalk(const Schema& schema, std::vector<EventTypeId>* types) : schema_(schema), types_(types) {}

  void Visit(const NodeRef& node) {
    if (!node || !seen_.insert(node.get()).second) return;
    if (node->op == Op::kAggregate) AddTypeOf(*node);
    for (const NodeRef& input : node->inputs) Visit(input);
    for (const SequenceStep& step : node->steps) {
      AddTypeOf(step);
      Visit(step.where);
    }
    Visit(node->where);
    Visit(node->window.zone);
    Visit(node->zone);
    Visit(node->definition);
  }

 private:
  // Of an aggregate, or a step of a sequence.
  template <class Reader>
  void AddTypeOf(const Reader& reader) {
    if (reader.unknown) return;
    if (reader.event_type) {
      types_->push_back(*reader.event_type);
    } else {
      for (const EventTypeSchema& type : schema_.event_types) types_->push_back(type.id);
    }
  }

  const Schema& schema_;
  std::vector<EventTypeId>* types_;
  std::unordered_set<const Node*> seen_;
};

}  // namespace

Status WithField(const Status& status, std::string_view field) {
  if (field.empty()) return status;
  return PrefixField(status, FieldOf(status).empty() ? std::string(field) : fmt::format("{}.", field));
}

Status CheckFieldCount(size_t count, std::string_view field) {
  if (count <= kFieldsMax) return absl::OkStatus();
  return InvalidArgument("LIMIT", field, fmt::format("{} fields asked; at most {}", count, kFieldsMax));
}

StatusOr<PlanRef> CompileSelection(const CatalogSnapshot& catalog, const Selection& selection, std::string_view field) {
  CompileOptions options = OptionsFor(catalog, &selection.parameters, selection.allow_unknown_names);
  options.must_be_condition = true;
  auto expression = Expression::Compile(selection.expression, options);
  if (!expression.ok()) return WithField(expression.status(), fmt::format("{}.expression", field));
  return Plan::Make(std::move(*expression), catalog.live.get());
}

StatusOr<PlanRef> CompileFieldOfAnyType(const CatalogSnapshot& catalog, const FieldText& text) {
  const bool is_attribute = catalog.schema->FindAttribute(text.text) || catalog.definitions.attributes.contains(text.text);
  const CompileOptions options = OptionsFor(catalog, text.parameters, text.allow_unknown_names);
  auto expression = Expression::Compile(is_attribute ? Quoted(text.text) : std::string(text.text), options);
  if (!expression.ok()) return WithField(expression.status(), text.field);
  return Plan::Make(std::move(*expression), catalog.live.get());
}

StatusOr<PlanRef> CompileField(const CatalogSnapshot& catalog, const FieldText& text) {
  auto plan = CompileFieldOfAnyType(catalog, text);
  if (plan.ok() && (*plan)->expression().type().kind == ValueKind::kDuration) {
    return InvalidArgument("TYPE", text.field,
                           fmt::format("'{}' is a duration, which no answer can hold; divide it by a unit, as in x / 1d", text.text));
  }
  return plan;
}

void AddEventTypes(const Expression& expression, const Schema& schema, std::vector<EventTypeId>* types) {
  EventTypeWalk(schema, types).Visit(expression.root());
  std::sort(types->begin(), types->end());
  types->erase(std::unique(types->begin(), types->end()), types->end());
}

}  // namespace korrel
