#include "index/live/live_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>

#include "index/expression/sharing_key.h"

namespace korrel {
namespace {

std::atomic<uint64_t> g_next_serial{1};  // of units, in all plans of the process

bool IsDecayed(const Node& node) {
  return node.op == Op::kAggregate && (node.aggregate == Aggregate::kDecayedCount || node.aggregate == Aggregate::kDecayedSum);
}

bool IsComparison(Op op) {
  return op == Op::kLess || op == Op::kLessEqual || op == Op::kGreater || op == Op::kGreaterEqual || op == Op::kBetween;
}

template <class Visit>
void ForEachChild(const Node& node, const Visit& visit) {
  for (const NodeRef& input : node.inputs) visit(*input);
  for (const NodeRef& other : {node.where, node.zone, node.window.zone}) {
    if (other) visit(*other);
  }
  for (const SequenceStep& step : node.steps) {
    if (step.where) visit(*step.where);
  }
}

// Whether it reads events itself, not through a definition: what makes an attribute computed.
bool ReadsEvents(const Node& node) {
  if (node.op == Op::kAggregate || node.op == Op::kSequence) return true;
  bool found = false;
  ForEachChild(node, [&](const Node& child) { found = found || ReadsEvents(child); });
  return found;
}

bool IsFixedZone(const NodeRef& zone) { return !zone || zone->op == Op::kConstant; }
bool HasFixedZones(const Node& node) { return IsFixedZone(node.zone) && IsFixedZone(node.window.zone); }

std::string Number(uint64_t number) { return fmt::format("#{}", number); }

}  // namespace

// Takes definitions apart in the order in which they use each other.
class LivePlanBuilder {
 public:
  LivePlanBuilder(LivePlan* plan, const Schema& schema, const NamedDefinitions& definitions, std::string_view time_zone,
                  const LivePlan* before, bool before_filled)
      : plan_(*plan), schema_(schema), definitions_(definitions), time_zone_(time_zone), before_(before), before_filled_(before_filled) {}

  void Build() {
    for (const auto& [name, expression] : definitions_.attributes) Visit("attributes/" + name);
    for (const auto& [name, segment] : definitions_.segments) Visit("segments/" + name);
    for (const std::string& name : order_) Declare(name);
    for (const std::string& name : order_) Compile(name);
    AddDroppedSegments();
    MakeRules();
    SortExpressions();
    FindDependents();
  }

 private:
  struct Part {
    ExpressionRef expression;
    bool is_segment = false;
    bool is_kept = false;
    uint32_t id = 0;  // AttributeId or SegmentId
    uint32_t stage = 0;
    std::string identity;  // changes whenever it could mean something else
  };

  // ---- Order ----

  void Visit(const std::string& name) {
    if (parts_.contains(name)) return;
    Part& part = parts_[name];
    if (name.starts_with("attributes/")) {
      auto it = definitions_.attributes.find(name.substr(11));
      if (it == definitions_.attributes.end()) return;
      part.expression = it->second;
      part.id = schema_.attribute_by_name.at(it->first);
    } else {
      auto it = definitions_.segments.find(name.substr(9));
      if (it == definitions_.segments.end()) return;
      part.is_segment = true;
      part.id = it->second.id.value;
      part.expression = it->second.expression;
      part.identity = fmt::format("list {}", part.id);
      if (!part.expression) return;
    }
    // Definitions stand at most 32 deep in each other.
    for (const std::string& used : part.expression->uses()) {
      if (used.starts_with("attributes/") || used.starts_with("segments/")) Visit(used);
    }
    for (const std::string& used : part.expression->uses()) {
      auto it = parts_.find(used);
      if (it == parts_.end()) continue;
      const bool live = it->second.is_segment && it->second.expression;
      part.stage = std::max(part.stage, it->second.stage + (live ? 1 : 0));
    }
    order_.push_back(name);
  }

  // ---- Units by name, before any term is built ----

  void Declare(const std::string& name) {
    Part& part = parts_.at(name);
    const Node& root = *part.expression->root();
    part.identity = part.expression->sharing_key() + IdentityOfWhatIsUsed(root);
    part.is_kept = part.is_segment || IsKept(*part.expression);
    if (!part.is_kept) return;
    DeclareAggregates(root);
    if (part.is_segment) return DeclareSegment(part);
    const Type type = schema_.attributes[part.id].type;
    const std::string key = fmt::format("attribute {} {} ", part.id, TypeName(type)) + part.identity;
    if (!IsDecayed(root) && root.type == type && (root.op == Op::kAggregate || root.op == Op::kSequence) && HasFixedZones(root) &&
        GiveColumn(root, AttributeId(part.id))) {
      const uint32_t aggregate = plan_.aggregate_by_key_.at(KeyOf(root));
      plan_.aggregate_by_attribute_[part.id] = aggregate;
      part.identity = Number(plan_.aggregates_[aggregate].serial);
      return;
    }
    LivePlan::ExpressionUnit unit;
    unit.serial = SerialOf(key);
    unit.attribute = AttributeId(part.id);
    unit.type = type;
    unit.stage = part.stage;
    plan_.expression_by_attribute_[part.id] = static_cast<uint32_t>(plan_.expressions_.size());
    plan_.expressions_.push_back(unit);
    part.identity = Number(unit.serial);
  }

  void DeclareSegment(Part& part) {
    LivePlan::SegmentUnit unit;
    const std::string key = fmt::format("segment {} ", part.id) + part.identity;
    unit.serial = SerialOf(key);
    unit.id = SegmentId(part.id);
    unit.stage = part.stage;
    plan_.rule_by_segment_[part.id] = static_cast<uint32_t>(plan_.segments_.size());
    plan_.segments_.push_back(unit);
    part.identity = Number(unit.serial);
  }

  // A computed attribute has passed the rules of the clock; of the others those that read it are evaluated when read, and so is
  // whatever holds a value that decays from one microsecond to the next.
  bool IsKept(const Expression& expression) const {
    if (HoldsBareDecay(*expression.root())) return false;
    return ReadsEvents(*expression.root()) || !expression.reads_now();
  }

  bool HoldsBareDecay(const Node& node) const {
    if (IsDecayed(node)) return true;
    if (node.op == Op::kAttribute && node.definition) {
      auto part = parts_.find("attributes/" + node.text);
      return part != parts_.end() && !part->second.is_kept && HoldsBareDecay(*node.definition);
    }
    if (node.op == Op::kAggregate || node.op == Op::kSequence || node.op == Op::kInSegment) return false;
    bool found = false;
    ForEachChild(node,
                 [&](const Node& child) { found = found || (!(IsComparison(node.op) && IsDecayValue(child)) && HoldsBareDecay(child)); });
    return found;
  }

  // A decayed aggregate itself, by whatever name: its comparisons have exact instants.
  bool IsDecayValue(const Node& node) const {
    return IsDecayed(node) || (node.op == Op::kAttribute && node.definition && IsDecayValue(*node.definition));
  }

  // What the names below a node stand for, so that a changed definition changes everything built on it; and the types it reads.
  std::string IdentityOfWhatIsUsed(const Node& root) const {
    std::set<std::string> used;
    CollectUsed(root, &used);
    std::string identity = " in " + std::string(time_zone_);
    for (const std::string& part : used) identity += " " + part;
    return identity;
  }

  void CollectUsed(const Node& node, std::set<std::string>* used) const {
    if (node.op == Op::kAttribute && !node.definition) used->insert(TypeName(schema_.attributes[node.attribute.value].type));
    if ((node.op == Op::kAttribute && node.definition) || node.op == Op::kInSegment) {
      auto part = parts_.find((node.op == Op::kInSegment ? "segments/" : "attributes/") + node.text);
      if (part != parts_.end()) used->insert(part->second.identity);
    }
    if (node.op == Op::kProperty) used->insert(TypeName(node.type));
    if (node.op == Op::kAggregate) used->insert(IdentityOfEvents(node.event_type));
    if (node.op == Op::kSequence) used->insert(IdentityOfEvents(std::nullopt));
    ForEachChild(node, [&](const Node& child) { CollectUsed(child, used); });
  }

  // What decides which events of a type are seen.
  std::string IdentityOfEvents(std::optional<EventTypeId> type) const {
    std::string identity = "events";
    for (const EventTypeSchema& events : schema_.event_types) {
      if (type && events.id != *type) continue;
      const bool plain = !events.retention_us && !events.max_events && !events.dropped;
      if (!type && plain) continue;  // a new type alone changes nothing of what is held
      identity +=
          fmt::format(" {}:{}:{}:{}", events.id.value, events.retention_us.value_or(0), events.max_events.value_or(0), events.dropped);
    }
    return identity;
  }

  // What meant the same in the plan before keeps its number.
  uint64_t SerialOf(std::string key) {
    uint64_t serial = 0;
    if (before_) {
      auto it = before_->serial_by_key_.find(key);
      if (it != before_->serial_by_key_.end()) serial = it->second;
    }
    if (serial == 0) serial = g_next_serial.fetch_add(1);
    plan_.serial_by_key_[std::move(key)] = serial;
    return serial;
  }

  // ---- Aggregates ----

  std::string KeyOf(const Node& node) const { return SharingKey(node, time_zone_, false); }

  void DeclareAggregates(const Node& node) {
    if (node.op == Op::kAttribute && node.definition) {
      const Part& part = parts_.at("attributes/" + node.text);
      if (!part.is_kept) DeclareAggregates(*node.definition);
      return;
    }
    if (node.op == Op::kInSegment) return;
    if (node.op != Op::kAggregate && node.op != Op::kSequence) {
      return ForEachChild(node, [&](const Node& child) { DeclareAggregates(child); });
    }
    if (!HasFixedZones(node)) return;  // evaluated where it stands
    auto [it, is_new] = plan_.aggregate_by_key_.emplace(KeyOf(node), plan_.aggregates_.size());
    if (!is_new) return;
    AggregateUnit unit;
    unit.term = plan_.plain_terms_.Build(node);
    plan_.aggregates_.push_back(unit);
    NameAggregate(it->second, node, std::nullopt);
  }

  // The aggregate's values become the attribute's column, unless they are another's already. False: they are.
  bool GiveColumn(const Node& node, AttributeId attribute) {
    const uint32_t aggregate = plan_.aggregate_by_key_.at(KeyOf(node));
    if (plan_.aggregates_[aggregate].attribute) return false;
    plan_.aggregates_[aggregate].attribute = attribute;
    NameAggregate(aggregate, node, attribute);
    return true;
  }

  void NameAggregate(uint32_t aggregate, const Node& node, std::optional<AttributeId> attribute) {
    std::string key = "aggregate " + KeyOf(node) + IdentityOfWhatIsUsed(node);
    if (attribute) key += fmt::format(" attribute {}", attribute->value);
    plan_.aggregates_[aggregate].serial = SerialOf(std::move(key));
  }

  // ---- Terms ----

  void Compile(const std::string& name) {
    const Part& part = parts_.at(name);
    plan_.expressions_held_.push_back(part.expression);
    if (!part.is_kept) return;
    if (part.is_segment) {
      const Term* term = plan_.terms_.Build(*part.expression->root());
      const Condition* condition = plan_.conditions_.Build(*term);
      plan_.segments_[plan_.rule_by_segment_.at(part.id)].condition = condition;
      term_of_[condition] = term;
      return;
    }
    auto it = plan_.expression_by_attribute_.find(part.id);
    if (it == plan_.expression_by_attribute_.end()) return;
    LivePlan::ExpressionUnit& unit = plan_.expressions_[it->second];
    unit.term = plan_.terms_.Build(*part.expression->root());
    unit.clock_bound = unit.term->clock_bound;
  }

  void AddDroppedSegments() {
    if (!before_) return;
    for (size_t i = 0; i < before_->segments_.size(); ++i) {
      const LivePlan::SegmentUnit& old = before_->segments_[i];
      if (plan_.rule_by_segment_.contains(old.id.value) || (old.dropped && before_filled_)) continue;
      LivePlan::SegmentUnit unit = old;
      unit.serial = SerialOf(fmt::format("dropped {}", old.id.value));
      unit.dropped = true;
      unit.condition = nullptr;
      plan_.segments_.push_back(unit);
    }
  }

  // Rules come by stage, those they use before them: the order of names is one of dependencies already.
  void MakeRules() {
    SortSegments();
    std::vector<RuleTable::Rule> rules;
    for (const LivePlan::SegmentUnit& unit : plan_.segments_) {
      if (!unit.dropped) rules.push_back({unit.id, unit.condition, unit.stage});
      plan_.stage_count_ = std::max(plan_.stage_count_, unit.stage + 1);
    }
    plan_.rules_ = RuleTable::Make(rules, time_zone_);
    const auto variables = plan_.rules_->variables();
    for (uint32_t v = 0; v < variables.size(); ++v) {
      if (variables[v].kind == RuleVariable::Kind::kPredicate) AddPredicate(v, *variables[v].condition);
    }
  }

  void SortSegments() {
    std::vector<uint32_t> order(plan_.segments_.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    // Dropped ones last: they have no rule.
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      const auto &left = plan_.segments_[a], &right = plan_.segments_[b];
      return std::pair(left.dropped, left.stage) < std::pair(right.dropped, right.stage);
    });
    std::vector<LivePlan::SegmentUnit> units;
    plan_.rule_by_segment_.clear();
    for (uint32_t i : order) {
      if (!plan_.segments_[i].dropped) plan_.rule_by_segment_[plan_.segments_[i].id.value] = static_cast<uint32_t>(units.size());
      units.push_back(plan_.segments_[i]);
    }
    plan_.segments_ = std::move(units);
  }

  void AddPredicate(uint32_t variable, const Condition& condition) {
    auto whole = term_of_.find(&condition);
    const Term* term = condition.kind == Condition::Kind::kLeaf || whole == term_of_.end() ? condition.predicate.term : whole->second;
    // By whatever name it is known: a segment that is nothing but an attribute's name must not make the same predicate another.
    while (term->op == Op::kAttribute && term->definition) term = term->definition;
    std::string key = "predicate " + SharingKey(*term->node, time_zone_, true) + IdentityOfWhatIsUsed(*term->node);
    // Conditions too wide for the table are a variable each, whatever they say.
    while (plan_.serial_by_key_.contains(key)) key += '\'';
    LivePlan::ExpressionUnit unit;
    unit.serial = SerialOf(key);
    unit.term = term;
    unit.variable = variable;
    unit.type = kBoolType;
    unit.clock_bound = term->clock_bound;
    unit.stage = StageOf(*term);
    plan_.expressions_.push_back(unit);
  }

  // ---- What a term reads ----

  template <class Visit>
  static void Walk(const Term& root, const Visit& visit) {
    std::vector<const Term*> open = {&root};
    absl::flat_hash_set<const Term*> seen;
    while (!open.empty()) {
      const Term* term = open.back();
      open.pop_back();
      if (!seen.insert(term).second) continue;
      visit(*term);
      if (term->kept) continue;
      for (const Term* other : {term->definition, term->zone_term, term->window_zone_term}) {
        if (other) open.push_back(other);
      }
      // Below an aggregate there are only events.
      if (term->op != Op::kAggregate && term->op != Op::kSequence) open.insert(open.end(), term->inputs.begin(), term->inputs.end());
    }
  }

  uint32_t StageOf(const Term& root) const {
    uint32_t stage = 0;
    Walk(root, [&](const Term& term) {
      if (!term.kept) return;
      if (term.op == Op::kInSegment)
        stage = std::max(stage, plan_.segments_[plan_.rule_by_segment_.at(term.node->segment->value)].stage + 1);
      if (term.op == Op::kAttribute) {
        auto it = plan_.expression_by_attribute_.find(term.node->attribute.value);
        if (it != plan_.expression_by_attribute_.end()) stage = std::max(stage, plan_.expressions_[it->second].stage);
      }
    });
    return stage;
  }

  void SortExpressions() {
    std::vector<uint32_t> order(plan_.expressions_.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return plan_.expressions_[a].stage < plan_.expressions_[b].stage; });
    std::vector<LivePlan::ExpressionUnit> units;
    plan_.expression_by_attribute_.clear();
    for (uint32_t i : order) {
      const LivePlan::ExpressionUnit& unit = plan_.expressions_[i];
      if (unit.attribute) plan_.expression_by_attribute_[unit.attribute->value] = static_cast<uint32_t>(units.size());
      plan_.stage_count_ = std::max(plan_.stage_count_, unit.stage + 1);
      units.push_back(unit);
    }
    plan_.expressions_ = std::move(units);
  }

  void FindDependents() {
    for (uint32_t i = 0; i < plan_.expressions_.size(); ++i) {
      if (plan_.expressions_[i].clock_bound) plan_.clock_bound_.push_back(i);
      Walk(*plan_.expressions_[i].term, [&](const Term& term) { NoteReader(term, i); });
    }
    const auto variables = plan_.rules_->variables();
    for (uint32_t v = 0; v < variables.size(); ++v) NoteVariable(variables[v], v);
    for (auto* map : {&plan_.of_attribute_, &plan_.of_aggregate_, &plan_.of_event_type_, &plan_.of_segment_, &plan_.of_identifier_}) {
      for (auto& [id, dependents] : *map) MakeDistinct(&dependents.expressions);
    }
    MakeDistinct(&plan_.of_activity_.expressions);
    MakeDistinct(&plan_.of_any_event_.expressions);
    MakeDistinct(&plan_.population_expressions_);
    for (const LivePlan::ExpressionUnit& unit : plan_.expressions_) {
      if (ReadsPopulation(*unit.term)) plan_.population_serials_.insert(unit.serial);
    }
    for (const LivePlan::SegmentUnit& unit : plan_.segments_) {
      if (!unit.dropped && ReadsPopulation(*term_of_.at(unit.condition))) plan_.population_serials_.insert(unit.serial);
    }
    for (auto& [id, dependents] : plan_.of_event_type_) {
      dependents.expressions.insert(dependents.expressions.end(), plan_.of_any_event_.expressions.begin(),
                                    plan_.of_any_event_.expressions.end());
      MakeDistinct(&dependents.expressions);
    }
  }

  static void MakeDistinct(std::vector<uint32_t>* list) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }

  // Itself or through what is kept. Attributes and segments come after those they use, hence one look at each.
  bool ReadsPopulation(const Term& root) {
    auto [known, is_new] = reads_population_.try_emplace(&root, false);
    if (!is_new) return known->second;
    bool reads = false;
    Walk(root, [&](const Term& term) {
      reads |= term.op == Op::kPopulation;
      if (!term.kept) return;
      if (term.op == Op::kInSegment) {
        reads |= ReadsPopulation(*term_of_.at(plan_.segments_[plan_.rule_by_segment_.at(term.node->segment->value)].condition));
      } else if (term.op == Op::kAttribute) {
        auto it = plan_.expression_by_attribute_.find(term.node->attribute.value);
        reads |= it != plan_.expression_by_attribute_.end() && ReadsPopulation(*plan_.expressions_[it->second].term);
      }
    });
    return reads_population_[&root] = reads;
  }

  void NoteReader(const Term& term, uint32_t expression) {
    const Node& node = *term.node;
    switch (term.op) {
      case Op::kAttribute:
        if (term.kept || !term.definition) plan_.of_attribute_[node.attribute.value].expressions.push_back(expression);
        break;
      case Op::kInSegment:
        if (term.kept || !term.definition) plan_.of_segment_[node.segment->value].expressions.push_back(expression);
        break;
      case Op::kAggregate:
      case Op::kSequence:
        if (term.kept) {
          plan_.of_aggregate_[plan_.aggregate_by_key_.at(KeyOf(node))].expressions.push_back(expression);
        } else if (node.op == Op::kAggregate && node.event_type) {
          plan_.of_event_type_[node.event_type->value].expressions.push_back(expression);
        } else {
          plan_.of_any_event_.expressions.push_back(expression);
        }
        break;
      case Op::kPopulation:
        plan_.population_expressions_.push_back(expression);
        break;
      case Op::kCall:
        if (term.Is(Function::kHasIdentifier) && node.identifier_type)
          plan_.of_identifier_[node.identifier_type->value].expressions.push_back(expression);
        if (term.Is(Function::kCreatedAt) || term.Is(Function::kUpdatedAt)) plan_.of_activity_.expressions.push_back(expression);
        break;
      default:
        break;
    }
  }

  void NoteVariable(const RuleVariable& variable, uint32_t v) {
    switch (variable.kind) {
      case RuleVariable::Kind::kColumn:
      case RuleVariable::Kind::kElement:
        if (variable.value->op == Op::kAttribute) {
          plan_.of_attribute_[variable.value->node->attribute.value].variables.push_back(v);
        } else {
          plan_.of_aggregate_[plan_.aggregate_by_key_.at(KeyOf(*variable.value->node))].variables.push_back(v);
        }
        break;
      case RuleVariable::Kind::kList:
      case RuleVariable::Kind::kSegment:
        plan_.of_segment_[variable.segment.value].variables.push_back(v);
        break;
      case RuleVariable::Kind::kIdentifier:
        if (variable.identifier) plan_.of_identifier_[variable.identifier->value].variables.push_back(v);
        break;
      case RuleVariable::Kind::kPredicate:
        break;  // its expression says so
    }
  }

  LivePlan& plan_;
  const Schema& schema_;
  const NamedDefinitions& definitions_;
  const std::string_view time_zone_;
  const LivePlan* const before_;
  const bool before_filled_;
  std::map<std::string, Part> parts_;
  std::vector<std::string> order_;  // names that have an expression, after what they use
  absl::flat_hash_map<const Condition*, const Term*> term_of_;
  absl::flat_hash_map<const Term*, bool> reads_population_;
};

LivePlanRef LivePlan::Make(const Schema& schema, const NamedDefinitions& definitions, std::string_view time_zone, const LivePlan* before,
                           bool before_filled) {
  std::shared_ptr<LivePlan> plan(new LivePlan(time_zone));
  LivePlanBuilder(plan.get(), schema, definitions, time_zone, before, before_filled).Build();
  return plan;
}

std::optional<KeptNames::Unit> LivePlan::Attribute(AttributeId id) const {
  if (auto it = aggregate_by_attribute_.find(id.value); it != aggregate_by_attribute_.end())
    return Unit{aggregates_[it->second].serial, aggregates_[it->second].term->type};
  auto it = expression_by_attribute_.find(id.value);
  if (it == expression_by_attribute_.end()) return std::nullopt;
  return Unit{expressions_[it->second].serial, expressions_[it->second].type};
}

std::optional<KeptNames::Unit> LivePlan::Segment(SegmentId id) const {
  auto it = rule_by_segment_.find(id.value);
  if (it == rule_by_segment_.end()) return std::nullopt;
  return Unit{segments_[it->second].serial, kBoolType};
}

std::optional<KeptNames::Unit> LivePlan::Aggregate(std::string_view sharing_key) const {
  auto it = aggregate_by_key_.find(Abseil(sharing_key));
  if (it == aggregate_by_key_.end()) return std::nullopt;
  return Unit{aggregates_[it->second].serial, aggregates_[it->second].term->type};
}

namespace {
const LivePlan::Dependents* FindIn(const absl::flat_hash_map<uint32_t, LivePlan::Dependents>& map, uint32_t id) {
  auto it = map.find(id);
  return it == map.end() ? nullptr : &it->second;
}
}  // namespace

const LivePlan::Dependents* LivePlan::OfAttribute(AttributeId id) const { return FindIn(of_attribute_, id.value); }
const LivePlan::Dependents* LivePlan::OfAggregate(uint32_t aggregate) const { return FindIn(of_aggregate_, aggregate); }
const LivePlan::Dependents* LivePlan::OfSegment(SegmentId id) const { return FindIn(of_segment_, id.value); }
const LivePlan::Dependents* LivePlan::OfIdentifier(IdentifierTypeId type) const { return FindIn(of_identifier_, type.value); }
const LivePlan::Dependents* LivePlan::OfEventType(EventTypeId type) const {
  const Dependents* own = FindIn(of_event_type_, type.value);
  return own ? own : &of_any_event_;
}

}  // namespace korrel
