#include "engine/catalog/definition_compiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <set>

namespace korrel {
namespace {

const std::string& ExpressionOf(const Definition& definition) {
  if (definition.kind == DefinitionKind::kPopulation) return definition.population.expression;
  return definition.kind == DefinitionKind::kSegment ? definition.segment.expression : definition.attribute.expression;
}

// Once round the circle from its member `start`, and no further than a reader would follow: the text stands at every member.
std::string WayRound(const std::vector<std::string_view>& circle, size_t start) {
  constexpr size_t kNamesMax = 32, kBytesMax = 1'024;
  std::string way(BareName(circle[start]));
  size_t shown = 1;
  for (; shown < circle.size() && shown < kNamesMax && way.size() < kBytesMax; ++shown) {
    way += fmt::format(" → {}", BareName(circle[(start + shown) % circle.size()]));
  }
  if (shown < circle.size()) way += fmt::format(" → … {} more …", circle.size() - shown);
  return fmt::format("{} → {}", way, BareName(circle[start]));
}

Status CycleError(const std::vector<std::string_view>& circle, size_t member) {
  ExpressionError error;
  error.reason = "CYCLE";
  const char* kind = circle[member].starts_with("segments/")     ? "segment"
                     : circle[member].starts_with("population/") ? "figure"
                                                                 : "attribute";
  error.message = fmt::format("{} '{}' uses itself: {}", kind, BareName(circle[member]), WayRound(circle, member));
  error.rendered = error.message;
  return ToStatus(error);
}

Status UsesRefused(const std::string& name, const std::string& used) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "DEFINITION", "", fmt::format("{} uses {}, which is refused", name, used));
}

MentionedNames MentionedIn(const Definition& definition) {
  if (definition.kind == DefinitionKind::kPopulation) return NamesInQuantile(definition.population.expression);
  StatusOr<NodeRef> tree = ParseExpression(ExpressionOf(definition));
  return tree.ok() ? NamesIn(**tree) : MentionedNames();
}

// Definitions as a graph: who has to be compiled before whom.
class DependencyOrder {
 public:
  explicit DependencyOrder(const CatalogSnapshot& catalog) {
    for (const auto& [name, definition] : catalog.declared) {
      if (!ExpressionOf(definition).empty()) uses_[name];
    }
    for (auto& [name, uses] : uses_) uses = UsesIn(catalog.declared.find(name)->second);
  }

  // Every definition that is in no cycle and uses none that is, dependencies first; equals by name.
  std::vector<std::string> Sorted() {
    std::map<std::string_view, size_t> open;  // uses not yet sorted
    std::map<std::string_view, std::vector<std::string_view>> users;
    std::priority_queue<std::string_view, std::vector<std::string_view>, std::greater<>> ready;
    for (const auto& [name, uses] : uses_) {
      for (const std::string& used : uses) users[used].push_back(name);
      if (uses.empty()) ready.push(name);
      open[name] = uses.size();
    }
    std::vector<std::string> sorted;
    while (!ready.empty()) {
      std::string_view name = ready.top();
      ready.pop();
      sorted.emplace_back(name);
      for (std::string_view user : users[name]) {
        if (--open[user] == 0) ready.push(user);
      }
    }
    for (const auto& [name, count] : open) {
      if (count > 0) unsorted_.emplace(name);
    }
    return sorted;
  }

  // After Sorted(): why each of the rest is refused. Each of them uses another of them, so following the first of those from anywhere
  // ends in a circle; who is met on the way to it is refused for what it uses. One look at each, however they are tied together.
  DefinitionErrors Refused() const {
    std::map<std::string_view, std::string_view> first_met;  // name → the start of the walk that met it
    DefinitionErrors errors;
    for (const std::string& start : unsorted_) {
      std::string_view at = start;
      while (first_met.emplace(at, start).second) at = FirstUnsorted(at);
      if (first_met.at(at) == start && !errors.contains(std::string(at))) AddCycle(at, &errors);
    }
    for (const std::string& name : unsorted_) {
      if (!errors.contains(name)) errors[name] = UsesRefused(name, FirstUnsorted(name));
    }
    return errors;
  }

  const std::vector<std::string>& uses(const std::string& name) const { return uses_.find(name)->second; }

 private:
  // Names that are definitions with an expression. A text that cannot be parsed uses nothing; compiling says what is wrong.
  std::vector<std::string> UsesIn(const Definition& definition) const {
    std::vector<std::string> result;
    const MentionedNames names = MentionedIn(definition);
    for (const std::string& name : names.attributes) result.push_back("attributes/" + name);
    for (const std::string& name : names.segments) result.push_back("segments/" + name);
    for (const std::string& name : names.population) result.push_back("population/" + name);
    std::sort(result.begin(), result.end());
    result.erase(std::unique(result.begin(), result.end()), result.end());
    std::erase_if(result, [this](const std::string& name) { return !uses_.contains(name); });
    return result;
  }

  const std::string& FirstUnsorted(std::string_view name) const {
    const std::vector<std::string>& used = uses_.find(std::string(name))->second;
    return *std::find_if(used.begin(), used.end(), [this](const std::string& u) { return unsorted_.contains(u); });
  }

  void AddCycle(std::string_view start, DefinitionErrors* errors) const {
    std::vector<std::string_view> circle = {start};
    for (std::string_view at = FirstUnsorted(start); at != start; at = FirstUnsorted(at)) circle.push_back(at);
    for (size_t i = 0; i < circle.size(); ++i) (*errors)[std::string(circle[i])] = CycleError(circle, i);
  }

  std::map<std::string, std::vector<std::string>> uses_;
  std::set<std::string> unsorted_;
};

// A declared type must be the expression's own or an exact widening of it that loses nothing.
Status CheckDeclaredType(const Definition& definition, Type computed) {
  Type declared = *definition.attribute.type;
  if (declared == computed) return absl::OkStatus();
  bool exact = IsExactNumber(computed) && declared.kind == ValueKind::kDecimal && WidenedType(computed, declared) == declared;
  if (exact) return absl::OkStatus();
  return InvalidArgument(
      "TYPE_CLASH", "type",
      fmt::format("'{}' is declared {} and its expression gives {}", BareName(definition.name), TypeName(declared), TypeName(computed)));
}

Status CompileAttribute(const Definition& definition, const CompileOptions& options, CatalogSnapshot* catalog, Schema* schema) {
  KORREL_ASSIGN_OR_RETURN(ExpressionRef expression, Expression::Compile(definition.attribute.expression, options));
  if (expression->type() == kDurationType) {
    return InvalidArgument(
        "TYPE_CLASH", "expression",
        fmt::format("an attribute cannot hold a duration; divide '{}' by a unit, as in (…) / 1d", BareName(definition.name)));
  }
  if (definition.attribute.type) KORREL_RETURN_IF_ERROR(CheckDeclaredType(definition, expression->type()));
  std::string name(BareName(definition.name));
  schema->attributes[schema->attribute_by_name.at(name)].type = definition.attribute.type.value_or(expression->type());
  catalog->definitions.attributes[name] = std::move(expression);
  return absl::OkStatus();
}

// A figure is worked out at one instant, as the answer to a question is.
Status CompileFigure(const Definition& definition, CompileOptions options, CatalogSnapshot* catalog) {
  options.place = ExpressionPlace::kQuestion;
  KORREL_ASSIGN_OR_RETURN(Quantile quantile, CompileQuantile(definition.population.expression, options));
  const std::string name(BareName(definition.name));
  catalog->definitions.population[name] = quantile.of->type();
  catalog->population[name] = std::move(quantile);
  return absl::OkStatus();
}

Status CompileOne(const Definition& definition, CatalogSnapshot* catalog, Schema* schema) {
  CompileOptions options;
  options.schema = schema;
  options.definitions = &catalog->definitions;
  options.time_zone = catalog->time_zone;
  if (definition.kind == DefinitionKind::kAttribute) {
    options.place = ExpressionPlace::kAttributeDefinition;
    return CompileAttribute(definition, options, catalog, schema);
  }
  if (definition.kind == DefinitionKind::kPopulation) return CompileFigure(definition, options, catalog);
  options.place = ExpressionPlace::kLiveSegment;
  options.must_be_condition = true;
  KORREL_ASSIGN_OR_RETURN(catalog->definitions.segments.find(BareName(definition.name))->second.expression,
                          Expression::Compile(definition.segment.expression, options));
  return absl::OkStatus();
}

}  // namespace

std::string_view BareName(std::string_view full_name) { return full_name.substr(full_name.find('/') + 1); }

// A live segment must not be known by name before it is compiled, or it would look like a static list to those who use it.
DefinitionErrors CompileDefinitions(CatalogSnapshot* catalog, Schema* schema) {
  NamedDefinitions all = std::move(catalog->definitions);
  catalog->definitions = {};
  catalog->population = {};
  for (auto& [name, segment] : all.segments) {
    if (segment.is_static) catalog->definitions.segments[name] = segment;
  }
  DependencyOrder order(*catalog);
  std::vector<std::string> sorted = order.Sorted();
  DefinitionErrors errors = order.Refused();
  for (const std::string& name : sorted) {
    const Definition& definition = catalog->declared.find(name)->second;
    auto refused = std::find_if(order.uses(name).begin(), order.uses(name).end(), [&](const std::string& u) { return errors.contains(u); });
    if (refused != order.uses(name).end()) {
      errors[name] = UsesRefused(name, *refused);
      continue;
    }
    std::string bare(BareName(name));
    bool is_segment = definition.kind == DefinitionKind::kSegment;
    if (is_segment) {
      // Named only while it is compiled: it cannot use itself, the order has seen to that.
      catalog->definitions.segments[bare] = {all.segments.at(bare).id, false, nullptr};
    }
    if (Status status = CompileOne(definition, catalog, schema); !status.ok()) {
      errors[name] = std::move(status);
      if (is_segment) catalog->definitions.segments.erase(bare);
    }
  }
  return errors;
}

const Expression* CompiledExpression(const CatalogSnapshot& catalog, std::string_view full_name) {
  if (full_name.starts_with("attributes/")) {
    auto it = catalog.definitions.attributes.find(BareName(full_name));
    return it == catalog.definitions.attributes.end() ? nullptr : it->second.get();
  }
  if (full_name.starts_with("segments/")) {
    auto it = catalog.definitions.segments.find(BareName(full_name));
    return it == catalog.definitions.segments.end() ? nullptr : it->second.expression.get();
  }
  if (full_name.starts_with("population/")) {
    auto it = catalog.population.find(BareName(full_name));
    return it == catalog.population.end() ? nullptr : it->second.of.get();
  }
  return nullptr;
}

// A few are named; the reason of one is enough to see what is wrong.
Status InUse(const DefinitionErrors& broken) {
  constexpr size_t kNamedMax = 10;
  std::string list;
  size_t named = 0;
  for (const auto& [user, why] : broken) {
    if (named++ < kNamedMax) list += fmt::format("{}{}", list.empty() ? "" : ", ", user);
  }
  if (named > kNamedMax) list += fmt::format(" and {} more", named - kNamedMax);
  const auto& [first, why] = *broken.begin();
  return MakeError(absl::StatusCode::kFailedPrecondition, "IN_USE", "",
                   fmt::format("it is used by {}; of {} would be said: {}", list, first, MessageOf(why)));
}

std::map<std::string, std::vector<std::string>> UsersOf(const CatalogSnapshot& catalog) {
  std::map<std::string, std::vector<std::string>> users;
  for (const auto& [name, definition] : catalog.declared) {
    const Expression* expression = CompiledExpression(catalog, name);
    if (!expression) continue;
    for (const std::string& used : expression->uses()) users[used].push_back(name);
  }
  return users;
}

}  // namespace korrel
