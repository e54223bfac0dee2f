#include "index/evaluation/condition.h"

#include <algorithm>

#include "index/evaluation/vector_machine.h"

namespace korrel {
namespace {

constexpr size_t kStringEqualsMax = 8;  // longer lists go through the table of codes

bool IsComparison(Op op) { return op >= Op::kEqual && op <= Op::kGreaterEqual; }

Scalar ScalarAt(const Vector& vector, Type type) {
  Scalar scalar{.type = type};
  if (type.kind == ValueKind::kDouble) {
    scalar.d = vector.doubles[0];
  } else {
    scalar.i = vector.ints[0];
  }
  return scalar;
}

// Intervals of a test whose operands are all constants.
void KnowIntervals(Predicate* predicate) {
  if (predicate->op == Op::kIn) {
    predicate->intervals = predicate->term->items->points;
    predicate->intervals_known = true;
    return;
  }
  std::vector<Scalar> scalars;
  for (const Term* operand : predicate->operands) {
    if (operand->op != Op::kConstant) return;  // known only when the turn begins, whatever the others are
    if (operand->constant.present[0]) scalars.push_back(ScalarAt(operand->constant, operand->type));
  }
  predicate->intervals_known = true;
  if (scalars.size() < predicate->operands.size()) return;  // one is absent: never true
  if (scalars.size() == 2) {
    AddBetween(predicate->value->type, scalars[0], scalars[1], &predicate->intervals);
  } else {
    AddComparison(predicate->value->type, predicate->op, scalars[0], &predicate->intervals);
  }
  predicate->intervals.Finish();
}

// A comparison, between or in of a number or timestamp in a column against operands that are the same for all rows.
bool MakeRange(const Term& term, Predicate* predicate) {
  if (!IsComparison(term.op) && term.op != Op::kBetween && term.op != Op::kIn) return false;
  const bool mirrored = IsComparison(term.op) && !term.inputs[0]->IsColumn();
  predicate->value = term.inputs[mirrored ? 1 : 0];
  predicate->op = mirrored ? Mirrored(term.op) : term.op;
  for (const Term* input : term.inputs) {
    if (input != predicate->value) predicate->operands.push_back(input);
  }
  if (!predicate->value->IsColumn()) return false;
  for (const Term* operand : predicate->operands) {
    if (operand->reads_row) return false;
  }
  const ValueKind kind = predicate->value->type.kind;
  if (kind == ValueKind::kDouble) {
    predicate->kind = Predicate::Kind::kDoubles;
    return term.op != Op::kIn;
  }
  predicate->kind = Predicate::Kind::kIntervals;
  if (kind != ValueKind::kInt && kind != ValueKind::kDecimal && kind != ValueKind::kTimestamp) return false;
  KnowIntervals(predicate);
  return true;
}

bool MakeStringEquals(const Term& term, Predicate* predicate) {
  predicate->kind = Predicate::Kind::kStringEquals;
  if (term.op == Op::kIn) {
    predicate->value = term.inputs[0];
    predicate->texts = term.items->distinct_texts;
  } else if (term.op == Op::kEqual || term.op == Op::kNotEqual) {
    const bool mirrored = !term.inputs[0]->IsColumn();
    const Term& constant = *term.inputs[mirrored ? 0 : 1];
    predicate->value = term.inputs[mirrored ? 1 : 0];
    predicate->op = term.op;
    if (constant.op != Op::kConstant) return false;
    if (constant.type.kind == ValueKind::kString && constant.constant.present[0]) predicate->texts = {constant.constant.texts[0]};
    if (term.op == Op::kNotEqual && predicate->texts.empty()) return false;  // nothing differs from an absent value
  } else {
    return false;
  }
  return predicate->value->IsColumn() && predicate->value->type.kind == ValueKind::kString && predicate->texts.size() <= kStringEqualsMax;
}

bool MakeSetItems(const Term& term, Predicate* predicate) {
  if (term.op < Op::kHasAny || term.op > Op::kHas || !term.inputs[0]->IsColumn()) return false;
  predicate->kind = Predicate::Kind::kSetItems;
  predicate->value = term.inputs[0];
  predicate->op = term.op == Op::kHas ? Op::kHasAny : term.op;
  if (term.op != Op::kHas) {
    predicate->texts = term.items->distinct_texts;
    return true;
  }
  const Term& text = *term.inputs[1];
  if (text.op != Op::kConstant) return false;
  if (text.constant.present[0]) predicate->texts = {text.constant.texts[0]};
  return true;
}

bool TruthForAbsent(const Term& term) {
  uint32_t slots = 0;
  std::vector<const Term*> open = {&term};
  absl::flat_hash_set<const Term*> seen;
  while (!open.empty()) {
    const Term* next = open.back();
    open.pop_back();
    if (!seen.insert(next).second) continue;
    slots = std::max(slots, next->slot + 1);
    open.insert(open.end(), next->inputs.begin(), next->inputs.end());
    for (const Term* other : {next->definition, next->zone_term}) {
      if (other) open.push_back(other);
    }
  }
  WorkMeter meter;
  VectorMachine machine(nullptr, slots, &meter);
  Batch batch{.kind = Batch::Kind::kCodes, .size = 1, .absent = true};
  return machine.Evaluate(term, &batch, nullptr).True(0);
}

bool MakeCodeTest(const Term& term, Predicate* predicate) {
  if (!term.column || term.reads_now) return false;
  predicate->kind = Predicate::Kind::kCodeTest;
  predicate->value = term.column;
  const ValueKind kind = predicate->value->type.kind;
  if (kind != ValueKind::kString && kind != ValueKind::kBool) return false;
  predicate->absent_truth = TruthForAbsent(term);
  return true;
}

bool MakeOther(const Term& term, Predicate* predicate) {
  if (!term.reads_row) {
    predicate->kind = Predicate::Kind::kRowFree;
  } else if (term.op == Op::kIsPresent && term.inputs[0]->IsColumn()) {
    predicate->kind = Predicate::Kind::kPresence;
    predicate->value = term.inputs[0];
  } else if (term.Is(Function::kHasIdentifier)) {
    predicate->kind = Predicate::Kind::kIdentifier;
  } else if (term.op == Op::kInSegment && !term.definition) {
    predicate->kind = term.kept ? Predicate::Kind::kMembers : Predicate::Kind::kStaticList;
  } else {
    return false;
  }
  return true;
}

}  // namespace

Predicate MakePredicate(const Term& term) {
  for (auto* make : {MakeOther, MakeRange, MakeStringEquals, MakeSetItems, MakeCodeTest}) {
    Predicate predicate;
    predicate.term = &term;
    if (make(term, &predicate)) return predicate;
  }
  Predicate other;
  other.term = &term;
  return other;
}

Condition* ConditionBuilder::Add(Condition::Kind kind) {
  Condition& condition = conditions_.emplace_back();
  condition.kind = kind;
  condition.id = static_cast<uint32_t>(conditions_.size() - 1);
  return &condition;
}

const Condition* ConditionBuilder::Not(const Term& operand) {
  Condition* negation = Add(Condition::Kind::kAnd);
  negation->complement = true;
  negation->inputs = {Build(operand)};
  negation->has_aggregate = operand.has_aggregate;
  return negation;
}

const Condition* ConditionBuilder::Find(const Term& term) const {
  auto it = built_.find(&term);
  return it == built_.end() ? nullptr : it->second;
}

const Condition* ConditionBuilder::Build(const Term& term) {
  if (const Condition* known = Find(term)) return known;
  const Condition* built = BuildNew(term);
  built_.emplace(&term, built);
  return built;
}

const Condition* ConditionBuilder::BuildNew(const Term& term) {
  if (term.definition && term.type.kind == ValueKind::kBool && term.reads_row) {
    auto* built = const_cast<Condition*>(Build(*term.definition));
    built->shared |= term.definition->shared;
    return built;
  }
  // What reads no row is folded as a whole; and/or/not come apart otherwise.
  if (!term.reads_row || (term.op != Op::kAnd && term.op != Op::kOr && term.op != Op::kNot && term.op != Op::kIsAbsent)) {
    Condition* leaf = Add(Condition::Kind::kLeaf);
    leaf->predicate = MakePredicate(term);
    leaf->has_aggregate = term.has_aggregate;
    return leaf;
  }
  if (term.op == Op::kNot) return Not(*term.inputs[0]);
  if (term.op == Op::kIsAbsent) {
    Condition* leaf = Add(Condition::Kind::kLeaf);
    const bool column = term.inputs[0]->IsColumn();
    leaf->predicate = column ? Predicate{.kind = Predicate::Kind::kPresence, .term = &term, .value = term.inputs[0]} : MakePredicate(term);
    leaf->complement = column;
    leaf->has_aggregate = term.has_aggregate;
    return leaf;
  }
  Condition* node = Add(term.op == Op::kAnd ? Condition::Kind::kAnd : Condition::Kind::kOr);
  node->has_aggregate = term.has_aggregate;
  for (const Term* input : term.inputs) node->inputs.push_back(Build(*input));
  return node;
}

}  // namespace korrel
