#include "index/expression/expression.h"

#include <fmt/format.h>

#include <algorithm>

#include "index/calendar.h"
#include "index/expression/binder.h"
#include "index/expression/parser.h"

namespace korrel {
namespace {

void Collect(const Node& node, bool sees_attributes, MentionedNames* names) {
  if (node.op == Op::kInSegment) names->segments.push_back(node.text);
  if (node.op == Op::kPopulation) names->population.push_back(node.text);
  if (node.op == Op::kAttribute && sees_attributes) names->attributes.push_back(node.text);
  bool inside = sees_attributes && node.op != Op::kAggregate;
  for (const NodeRef& input : node.inputs) Collect(*input, inside, names);
  if (node.where) Collect(*node.where, false, names);
  if (node.zone) Collect(*node.zone, sees_attributes, names);
  if (node.window.zone) Collect(*node.window.zone, sees_attributes, names);
  for (const SequenceStep& step : node.steps) {
    if (step.where) Collect(*step.where, false, names);
  }
}

void SortDistinct(std::vector<std::string>* names) {
  std::sort(names->begin(), names->end());
  names->erase(std::unique(names->begin(), names->end()), names->end());
}

}  // namespace

Type TypeOfConstant(const Constant& constant) { return constant.duration_us ? kDurationType : TypeOf(constant.value); }

StatusOr<ExpressionRef> Expression::Compile(std::string_view text, const CompileOptions& options) {
  if (!options.schema) return MakeError(absl::StatusCode::kInternal, "INTERNAL", "", "an expression is compiled against a schema");
  if (!IsTimeZone(options.time_zone)) return InvalidArgument("LITERAL", "", fmt::format("unknown time zone '{}'", options.time_zone));
  ParsedText parsed = ParseText(text, options.time_zone);
  if (!parsed.root) return ToStatus(Located(text, *parsed.problem));
  Binder binder(options);
  if (!binder.Bind(parsed.root.get())) KeepFirst(&parsed.problem, binder.TakeProblem());
  if (parsed.problem) return ToStatus(Located(text, *parsed.problem));
  return binder.Finish(std::move(parsed.root), text);
}

StatusOr<NodeRef> ParseExpression(std::string_view text) {
  ParsedText parsed = ParseText(text, "UTC");
  if (parsed.problem) return ToStatus(Located(text, *parsed.problem));
  return NodeRef(std::move(parsed.root));
}

MentionedNames NamesIn(const Node& node) {
  MentionedNames names;
  Collect(node, true, &names);
  SortDistinct(&names.attributes);
  SortDistinct(&names.segments);
  SortDistinct(&names.population);
  return names;
}

}  // namespace korrel
