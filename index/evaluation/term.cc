#include "index/evaluation/term.h"

#include <algorithm>

#include "index/evaluation/vector_machine.h"
#include "index/expression/pattern.h"
#include "index/expression/sharing_key.h"
#include "storage/status.h"

namespace korrel {
namespace {

// Definitions that use definitions twice could count without end.
constexpr uint32_t kTermCountMax = 1'000'000;

bool IsArithmetic(Op op) { return op >= Op::kAdd && op <= Op::kModulo; }

bool IsTest(Op op) { return op >= Op::kAnd && op <= Op::kIsAbsent; }

Type TypeOf(const Constant& constant) { return constant.duration_us ? kDurationType : TypeOf(constant.value); }

void Union(std::vector<AttributeId>* into, const std::vector<AttributeId>& from) {
  std::vector<AttributeId> both;
  std::set_union(into->begin(), into->end(), from.begin(), from.end(), std::back_inserter(both));
  into->swap(both);
}

void PutConstant(const Constant& constant, Vector* out) {
  const Type type = TypeOf(constant);
  out->Reset(type.kind, 1);
  switch (type.kind) {
    case ValueKind::kNone:
      break;
    case ValueKind::kDouble:
      out->PutDouble(0, std::get<double>(constant.value));
      break;
    case ValueKind::kString:
      out->PutText(0, std::get<std::string>(constant.value));
      break;
    case ValueKind::kSet:
      out->present[0] = 1, out->sets[0] = SetView{.strings = &std::get<StringSet>(constant.value)};
      break;
    default:
      out->Put(0, ScalarOf(constant).i);
  }
}

double AsDouble(const Scalar& scalar) {
  return scalar.type.kind == ValueKind::kDouble ? scalar.d : ToNearestDouble(scalar.i, scalar.type.scale);
}

bool IsDecayed(const Node& node) { return node.aggregate == Aggregate::kDecayedCount || node.aggregate == Aggregate::kDecayedSum; }

bool SameColumn(const Term& a, const Term& b) {
  if (a.op != b.op || a.kept != b.kept || a.type != b.type) return false;
  return a.op == Op::kAttribute ? a.node->attribute == b.node->attribute : a.unit == b.unit;
}

}  // namespace

Scalar ScalarOf(const Constant& constant) {
  Scalar scalar{.type = TypeOf(constant)};
  if (constant.duration_us) {
    scalar.i = *constant.duration_us;
  } else if (auto* b = std::get_if<bool>(&constant.value)) {
    scalar.i = *b;
  } else if (auto* i = std::get_if<int64_t>(&constant.value)) {
    scalar.i = *i;
  } else if (auto* decimal = std::get_if<Decimal>(&constant.value)) {
    scalar.i = decimal->unscaled;
  } else if (auto* d = std::get_if<double>(&constant.value)) {
    scalar.d = *d;
  } else if (auto* time = std::get_if<Timestamp>(&constant.value)) {
    scalar.i = time->us;
  }
  return scalar;
}

bool Term::IsColumn() const {
  if (op == Op::kAttribute) return !definition;
  return op == Op::kAggregate && kept && !IsDecayed(*node);
}

TermBuilder::TermBuilder(std::string_view time_zone, const KeptNames* kept)
    : default_zone_(Zone::Find(time_zone)), time_zone_(time_zone), kept_(kept) {}

// The definitions that a bound tree names directly and that are not kept; without recursion, since trees may be long chains.
std::vector<NodeRef> TermBuilder::DefinitionsIn(const Node& root) const {
  std::vector<NodeRef> found;
  std::vector<const Node*> open = {&root};
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    if (node->definition && !UnitOf(*node)) found.push_back(node->definition);
    for (const NodeRef& input : node->inputs) open.push_back(input.get());
    for (const NodeRef& other : {node->where, node->window.zone, node->zone}) {
      if (other) open.push_back(other.get());
    }
  }
  return found;
}

std::optional<KeptNames::Unit> TermBuilder::UnitOf(const Node& node) const {
  if (!kept_) return std::nullopt;
  std::optional<KeptNames::Unit> unit;
  switch (node.op) {
    case Op::kAttribute:
      if (node.definition && node.attribute.value != UINT32_MAX) unit = kept_->Attribute(node.attribute);
      break;
    case Op::kInSegment:
      return node.definition && node.segment ? kept_->Segment(*node.segment) : std::nullopt;
    case Op::kAggregate:
    case Op::kSequence:
      unit = kept_->Aggregate(SharingKey(node, time_zone_, false));
      break;
    default:
      break;
  }
  return unit && unit->type == node.type ? unit : std::nullopt;
}

bool TermBuilder::AddKept(const Node& node, Term* term) const {
  const std::optional<KeptNames::Unit> unit = UnitOf(node);
  if (!unit) return false;
  term->kept = true;
  term->unit = unit->serial;
  return true;
}

const Term* TermBuilder::Build(const Node& root) {
  // Definitions first, deepest first, by an explicit stack: what a definition names is there when it is built.
  std::vector<std::pair<NodeRef, bool>> open;
  for (NodeRef& definition : DefinitionsIn(root)) open.emplace_back(std::move(definition), false);
  while (!open.empty()) {
    auto& [definition, expanded] = open.back();
    if (definitions_.contains(definition.get())) {
      open.pop_back();
    } else if (expanded) {
      definitions_.emplace(definition.get(), Add(*definition));
      open.pop_back();
    } else {
      expanded = true;
      for (NodeRef& inner : DefinitionsIn(*definition)) open.emplace_back(std::move(inner), false);
    }
  }
  return Add(root);
}

Term* TermBuilder::NewTerm(const Node& node) {
  Term& term = terms_.emplace_back();
  term.node = &node;
  term.op = node.op;
  term.type = node.type;
  term.slot = slot_count_++;
  return &term;
}

const Term* TermBuilder::Definition(const NodeRef& definition) {
  auto* term = const_cast<Term*>(definitions_.at(definition.get()));
  auto [it, first] = definition_uses_.emplace(term, 0);
  if (++it->second > 1) term->shared = true;
  return term;
}

const Term* TermBuilder::Add(const Node& root) {
  // A chain like a + b + c + … leans to the left and may be a thousand long: down its spine, then up.
  std::vector<const Node*> spine = {&root};
  while (IsArithmetic(spine.back()->op) && IsArithmetic(spine.back()->inputs[0]->op)) spine.push_back(spine.back()->inputs[0].get());
  const Term* below = nullptr;
  for (auto it = spine.rbegin(); it != spine.rend(); ++it) {
    const Node& node = **it;
    Term* term = NewTerm(node);
    if (!AddKept(node, term)) {
      for (size_t i = 0; i < node.inputs.size() && !node.aggregate_counts_events; ++i)
        term->inputs.push_back(i == 0 && below ? below : Add(*node.inputs[i]));
      AddLeaf(node, term);
    }
    SetTraits(term);
    Fold(term);
    below = term;
  }
  return below;
}

void TermBuilder::AddLeaf(const Node& node, Term* term) {
  switch (node.op) {
    case Op::kConstant:
    case Op::kParameter:
      term->op = Op::kConstant;
      if (IsPresent(node.constant.value) || node.constant.duration_us) term->type = TypeOf(node.constant);
      PutConstant(node.constant, &term->constant);
      break;
    case Op::kAttribute:
    case Op::kProperty:
    case Op::kInSegment:
      if (node.unknown) {
        term->op = Op::kConstant;
        term->constant.Reset(node.type.kind, 1);
      } else if (node.definition) {
        term->definition = Definition(node.definition);
      }
      break;
    case Op::kLike:
      term->like.emplace(node.text);
      break;
    case Op::kMatches: {
      PatternError error;  // refused when bound; a pattern that does not compile matches nothing
      term->regex = CompilePattern(node.text, &error);
      break;
    }
    case Op::kIn:
    case Op::kHasAny:
    case Op::kHasAll:
    case Op::kHasNone:
      AddList(node, term);
      break;
    case Op::kCall:
      AddCall(node, term);
      break;
    case Op::kAggregate:
      AddAggregate(node, term);
      break;
    case Op::kSequence:
      AddSequence(node, term);
      break;
    default:
      break;
  }
}

void TermBuilder::AddList(const Node& node, Term* term) {
  auto list = std::make_unique<ItemList>();
  const Type operand = term->inputs[0]->type;
  for (const Constant& item : node.items) {
    if (auto* text = std::get_if<std::string>(&item.value)) {
      list->texts.insert(*text);
    } else if (operand.kind == ValueKind::kDouble) {
      list->doubles.push_back(AsDouble(ScalarOf(item)));
    } else {
      AddComparison(operand, Op::kEqual, ScalarOf(item), &list->points);
    }
  }
  list->points.Finish();
  std::sort(list->doubles.begin(), list->doubles.end());
  list->distinct_texts.assign(list->texts.begin(), list->texts.end());
  std::sort(list->distinct_texts.begin(), list->distinct_texts.end());
  term->items = std::move(list);
}

void TermBuilder::AddCall(const Node& node, Term* term) {
  switch (node.function) {
    case Function::kYear:
    case Function::kMonth:
    case Function::kDay:
    case Function::kWeekday:
    case Function::kHour:
    case Function::kAgeIn:
      SetZone(term->inputs.size() > 1 ? term->inputs[1] : nullptr, &term->zone, &term->zone_term);
      break;
    default:
      break;
  }
}

void TermBuilder::AddAggregate(const Node& node, Term* term) {
  if (node.where) term->where = Add(*node.where);
  SetZone(node.zone ? Add(*node.zone) : nullptr, &term->zone, &term->zone_term);
  SetZone(node.window.zone ? Add(*node.window.zone) : nullptr, &term->window_zone, &term->window_zone_term);
}

void TermBuilder::AddSequence(const Node& node, Term* term) {
  for (const SequenceStep& step : node.steps) term->step_wheres.push_back(step.where ? Add(*step.where) : nullptr);
  SetZone(node.window.zone ? Add(*node.window.zone) : nullptr, &term->window_zone, &term->window_zone_term);
}

// No zone written: the catalog's. A constant one: looked up now; if nobody knows it neither is set, and what asks is absent.
void TermBuilder::SetZone(const Term* zone_term, const Zone** fixed, const Term** per_item) {
  if (!zone_term) {
    *fixed = default_zone_;
  } else if (zone_term->op == Op::kConstant) {
    *fixed = zone_term->constant.present[0] ? Zone::Find(zone_term->constant.texts[0]) : nullptr;
  } else {
    *per_item = zone_term;
  }
}

void TermBuilder::SetTraits(Term* term) {
  const bool activity = term->Is(Function::kCreatedAt) || term->Is(Function::kUpdatedAt);
  const bool row_call = activity || term->Is(Function::kBucket) || term->Is(Function::kHasIdentifier);
  const bool segment = term->op == Op::kInSegment && !term->definition;
  const bool stored = term->op == Op::kAttribute && !term->definition;
  const bool event = term->op == Op::kProperty || term->op == Op::kEventTime;
  const bool history = term->op == Op::kAggregate || term->op == Op::kSequence;
  term->has_aggregate = history && !term->kept;
  term->reads_row = row_call || segment || stored || history;
  term->only_attributes = !row_call && !segment && !history && !event;
  term->reads_now = term->Is(Function::kNow) || term->Is(Function::kAgeIn) || term->op == Op::kPopulation;
  // Activity and events may lie ahead, members of lists leave, and what decays does so while it is kept.
  term->clock_bound = term->reads_now || activity || (segment && !term->kept) || (history && (!term->kept || IsDecayed(*term->node)));
  term->constant_only = !term->reads_row && !term->reads_now && !event;
  if (stored) term->attributes = {term->node->attribute};
  if (term->IsColumn() || (term->op == Op::kSequence && term->kept)) term->column = term;
  bool other = term->reads_row && !term->column;  // reads the profile itself, and not as a column
  // What `where` and the argument read is the event; only the aggregate itself reads the row.
  std::vector<const Term*> below = {term->definition, term->zone_term, term->window_zone_term};
  if (!history) below.insert(below.end(), term->inputs.begin(), term->inputs.end());
  for (const Term* input : below) {
    if (!input) continue;
    TakeTraitsFrom(*input, term);
    if (!input->reads_row) continue;
    if (!term->column) term->column = input->column;
    other |= !input->column || !SameColumn(*term->column, *input->column);
  }
  if (other) term->column = nullptr;
  term->condition = IsTest(term->op) || term->op == Op::kInSegment || term->op == Op::kSequence || term->Is(Function::kHasIdentifier) ||
                    (term->op == Op::kAttribute && term->definition && term->definition->condition);
}

void TermBuilder::TakeTraitsFrom(const Term& input, Term* term) {
  term->has_aggregate |= input.has_aggregate;
  term->clock_bound |= input.clock_bound;
  term->reads_row |= input.reads_row;
  term->reads_now |= input.reads_now;
  term->only_attributes &= input.only_attributes;
  term->constant_only &= input.constant_only;
  term->term_count = std::min(kTermCountMax, term->term_count + input.term_count);
  Union(&term->attributes, input.attributes);
}

void TermBuilder::Fold(Term* term) {
  if (!term->constant_only || term->op == Op::kConstant) return;
  WorkMeter meter;
  VectorMachine machine(nullptr, slot_count_, &meter);
  Batch batch = Batch::Nothing();
  Vector folded;
  folded.Reset(term->type.kind, 1);
  folded.Take(0, term->type.kind, machine.Evaluate(*term, &batch, nullptr), 0);
  if (folded.present[0] && term->type.kind == ValueKind::kString) folded.texts[0] = texts_.Add(std::string(folded.texts[0]));
  if (folded.present[0] && term->type.kind == ValueKind::kSet) folded.sets[0] = SetView{.strings = texts_.Add(folded.sets[0].ToStrings())};
  term->constant = std::move(folded);
  term->op = Op::kConstant;
  term->inputs.clear();
  term->definition = nullptr;
  term->term_count = 1;
}

}  // namespace korrel
