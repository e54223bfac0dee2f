#include "index/live/rule_compiler.h"

#include <algorithm>

#include "index/evaluation/vector_machine.h"
#include "index/expression/sharing_key.h"

namespace korrel {
namespace {

constexpr auto kNumbers = ValueSet::Domain::kNumbers;
constexpr auto kTexts = ValueSet::Domain::kTexts;
constexpr int64_t kFirstTrue = 1;  // raw bools, and answers of code tests

ValueSet Truth(bool truth) { return truth ? ValueSet::Of(kFirstTrue, INT64_MAX) : ValueSet::Of(INT64_MIN, kFirstTrue - 1); }
ValueSet Yes() { return ValueSet::Present(kNumbers); }  // of variables of two cells

ValueSet::Domain DomainOf(const Term& column) { return column.type.kind == ValueKind::kString ? kTexts : kNumbers; }

RuleDisjunction Always() { return {RuleConjunction{}}; }
RuleDisjunction AlwaysOrNever(bool truth) { return truth ? Always() : RuleDisjunction{}; }

RuleDisjunction Single(RuleLiteral literal, bool complement) {
  if (complement) literal.set = literal.set.Not();
  if (literal.set.empty()) return {};
  if (literal.set.full()) return Always();
  return {RuleConjunction{std::move(literal)}};
}

// Both at once; nullopt: that is never.
std::optional<RuleConjunction> Joined(const RuleConjunction& a, const RuleConjunction& b) {
  RuleConjunction both;
  both.reserve(a.size() + b.size());
  auto left = a.begin(), right = b.begin();
  while (left != a.end() || right != b.end()) {
    if (right == b.end() || (left != a.end() && left->variable < right->variable)) {
      both.push_back(*left++);
    } else if (left == a.end() || right->variable < left->variable) {
      both.push_back(*right++);
    } else {
      both.push_back({left->variable, left->set.And(right->set)});
      if (both.back().set.empty()) return std::nullopt;
      ++left, ++right;
    }
  }
  return both;
}

// Whether two conjunctions are one, because they differ in one variable at most; then `into` is both.
bool Unite(const RuleConjunction& from, RuleConjunction* into) {
  if (from.size() != into->size()) return false;
  size_t differences = 0, at = 0;
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i].variable != (*into)[i].variable) return false;
    if (from[i].set == (*into)[i].set) continue;
    at = i;
    if (++differences > 1) return false;
  }
  if (differences == 0) return true;
  RuleLiteral& literal = (*into)[at];
  literal.set = literal.set.Or(from[at].set);
  if (literal.set.full()) into->erase(into->begin() + static_cast<ptrdiff_t>(at));
  return true;
}

void Add(RuleConjunction conjunction, RuleDisjunction* to) {
  for (RuleConjunction& other : *to) {
    if (Unite(conjunction, &other)) return;
  }
  to->push_back(std::move(conjunction));
}

bool AddAll(const RuleDisjunction& from, RuleDisjunction* to) {
  for (const RuleConjunction& conjunction : from) {
    Add(conjunction, to);
    if (to->size() > kConjunctionsMax) return false;
  }
  return true;
}

std::optional<RuleDisjunction> Product(const RuleDisjunction& a, const RuleDisjunction& b) {
  RuleDisjunction product;
  for (const RuleConjunction& left : a) {
    for (const RuleConjunction& right : b) {
      if (auto both = Joined(left, right)) Add(*std::move(both), &product);
      if (product.size() > kConjunctionsMax) return std::nullopt;
    }
  }
  return product;
}

// The operands of a test, if all of them are constants. `absent` says that one of them is: the test never holds.
std::optional<std::vector<Scalar>> ConstantsOf(const std::vector<const Term*>& operands, bool* absent) {
  std::vector<Scalar> scalars;
  for (const Term* operand : operands) {
    if (operand->op != Op::kConstant) return std::nullopt;
    if (!operand->constant.present[0]) {
      *absent = true;
      continue;
    }
    const bool is_double = operand->type.kind == ValueKind::kDouble;
    scalars.push_back(
        {.type = operand->type, .i = is_double ? 0 : operand->constant.ints[0], .d = is_double ? operand->constant.doubles[0] : 0});
  }
  return scalars;
}

int64_t KeyOf(const Scalar& scalar) {
  return DoubleKey(scalar.type.kind == ValueKind::kDouble ? scalar.d : ToNearestDouble(scalar.i, scalar.type.scale));
}

// Doubles are finite: the keys one beyond a constant's exist.
ValueSet DoublesWhere(Op op, const std::vector<Scalar>& constants) {
  const int64_t key = KeyOf(constants[0]);
  switch (op) {
    case Op::kEqual:
      return ValueSet::Of(key, key);
    case Op::kNotEqual:
      return ValueSet::Of(INT64_MIN, key - 1).Or(ValueSet::Of(key + 1, INT64_MAX));
    case Op::kLess:
      return ValueSet::Of(INT64_MIN, key - 1);
    case Op::kLessEqual:
      return ValueSet::Of(INT64_MIN, key);
    case Op::kGreater:
      return ValueSet::Of(key + 1, INT64_MAX);
    case Op::kGreaterEqual:
      return ValueSet::Of(key, INT64_MAX);
    default:
      return ValueSet::Of(key, KeyOf(constants[1]));
  }
}

ValueSet DoublesIn(const std::vector<double>& items) {
  IntervalSet points;
  for (double item : items) points.Add({DoubleKey(item), DoubleKey(item)});
  points.Finish();
  return ValueSet::Of(points);
}

// The raw bools for which a test holds, and whether it does for an absent one.
ValueSet BoolsWhere(const Term& test, bool absent_truth) {
  WorkMeter meter;
  VectorMachine machine(nullptr, SlotsOf(test), &meter);
  Batch batch{.kind = Batch::Kind::kCodes, .size = 2};
  const Vector& holds = machine.Evaluate(test, &batch, nullptr);
  ValueSet set = absent_truth ? ValueSet::Absent(kNumbers) : ValueSet::None(kNumbers);
  for (size_t code = 0; code < 2; ++code) {
    if (holds.True(code)) set = set.Or(Truth(code != 0));
  }
  return set;
}

std::string KeyOfColumn(const Term& value) {
  return value.op == Op::kAttribute ? "a" + std::to_string(value.node->attribute.value) : "u" + std::to_string(value.unit);
}

}  // namespace

uint32_t SlotsOf(const Term& root) {
  uint32_t slots = 0;
  absl::flat_hash_set<const Term*> seen;
  std::vector<const Term*> open = {&root};
  while (!open.empty()) {
    const Term* term = open.back();
    open.pop_back();
    if (!term || !seen.insert(term).second) continue;
    slots = std::max(slots, term->slot + 1);
    open.insert(open.end(), term->inputs.begin(), term->inputs.end());
    for (const Term* other : {term->definition, term->zone_term, term->where, term->window_zone_term}) open.push_back(other);
  }
  return slots;
}

RuleCompiler::RuleCompiler(std::span<const RuleTable::Rule> rules, std::string_view time_zone) : time_zone_(time_zone) {
  for (uint32_t rule = 0; rule < rules.size(); ++rule) rule_by_segment_[rules[rule].segment.value] = rule;
}

std::optional<uint32_t> RuleCompiler::RuleOf(SegmentId id) const {
  auto it = rule_by_segment_.find(id.value);
  return it == rule_by_segment_.end() ? std::nullopt : std::optional(it->second);
}

RuleDisjunction RuleCompiler::Compile(const Condition& condition) {
  taken_.clear();
  if (Disjunction taken = Take(condition, false)) return *std::move(taken);
  const std::string key = "whole " + std::to_string(reinterpret_cast<uintptr_t>(&condition));
  return Single(TestOfPredicate(condition, key), false);
}

// Conditions that several places share are many paths but few nodes.
RuleCompiler::Disjunction RuleCompiler::Take(const Condition& condition, bool complement) {
  if (condition.kind == Condition::Kind::kLeaf) return TakeLeaf(condition, complement != condition.complement);
  const std::pair<const Condition*, bool> key{&condition, complement};
  if (auto it = taken_.find(key); it != taken_.end()) return it->second;
  Disjunction taken = TakeNew(condition, complement != condition.complement);
  taken_[key] = taken;
  return taken;
}

// By De Morgan a complement is the other connective over complements.
RuleCompiler::Disjunction RuleCompiler::TakeNew(const Condition& condition, bool complement) {
  const bool is_and = (condition.kind == Condition::Kind::kAnd) != complement;
  RuleDisjunction result = AlwaysOrNever(is_and);
  for (const Condition* input : condition.inputs) {
    const Disjunction operand = Take(*input, complement);
    if (!operand) return std::nullopt;
    if (!is_and) {
      if (!AddAll(*operand, &result)) return std::nullopt;
    } else if (auto product = Product(result, *operand)) {
      result = *std::move(product);
    } else {
      return std::nullopt;
    }
  }
  return result;
}

RuleCompiler::Disjunction RuleCompiler::TakeLeaf(const Condition& leaf, bool complement) {
  const Predicate& predicate = leaf.predicate;
  const Term& term = *predicate.term;
  if (predicate.kind == Predicate::Kind::kRowFree && term.op == Op::kConstant)
    return AlwaysOrNever((term.constant.present[0] && term.constant.ints[0]) != complement);
  if (predicate.kind == Predicate::Kind::kIdentifier) {
    // Of an unknown type it is a test all the same: were it folded away, what stands beside it would be new to the rules, and had to be
    // filled first, when the type comes.
    const auto type = term.node->identifier_type;
    RuleVariable variable{.kind = RuleVariable::Kind::kIdentifier, .identifier = type};
    const std::string key = type ? std::to_string(type->value) : "unknown";
    return Single({Variable("identifier " + key, variable), Yes()}, complement);
  }
  if (term.op == Op::kInSegment && !term.definition && term.node->segment) return Single(TestOfSegment(leaf), complement);
  if (predicate.kind == Predicate::Kind::kSetItems && predicate.texts.size() <= kItemsOfOneTestMax) return TakeSetItems(leaf, complement);
  if (auto test = TestOfColumn(predicate)) return Single(*std::move(test), complement);
  return Single(TestOfPredicate(leaf, SharingKey(*term.node, time_zone_, true)), complement != leaf.complement);
}

std::optional<RuleLiteral> RuleCompiler::TestOfColumn(const Predicate& predicate) {
  switch (predicate.kind) {
    case Predicate::Kind::kPresence:
      return RuleLiteral{Column(*predicate.value), ValueSet::Present(DomainOf(*predicate.value))};
    case Predicate::Kind::kIntervals:
      if (!predicate.intervals_known) return std::nullopt;
      return RuleLiteral{Column(*predicate.value), ValueSet::Of(predicate.intervals)};
    case Predicate::Kind::kDoubles:
    case Predicate::Kind::kTerm:
      return TestOfNumbers(predicate);
    case Predicate::Kind::kStringEquals: {
      ValueSet set = ValueSet::Of(predicate.texts);
      if (predicate.op == Op::kNotEqual) set = set.Not().And(ValueSet::Present(kTexts));
      return RuleLiteral{Column(*predicate.value), std::move(set)};
    }
    case Predicate::Kind::kCodeTest:
      return TestOfCodes(predicate);
    default:
      return std::nullopt;
  }
}

// Of doubles: `in` has no physical predicate of its own.
std::optional<RuleLiteral> RuleCompiler::TestOfNumbers(const Predicate& predicate) {
  const Term& term = *predicate.term;
  if (predicate.kind == Predicate::Kind::kTerm) {
    if (term.op != Op::kIn || !term.inputs[0]->IsColumn() || term.inputs[0]->type != kDoubleType) return std::nullopt;
    return RuleLiteral{Column(*term.inputs[0]), DoublesIn(term.items->doubles)};
  }
  bool absent = false;
  const auto constants = ConstantsOf(predicate.operands, &absent);
  if (!constants) return std::nullopt;
  return RuleLiteral{Column(*predicate.value), absent ? ValueSet::None(kNumbers) : DoublesWhere(predicate.op, *constants)};
}

std::optional<RuleLiteral> RuleCompiler::TestOfCodes(const Predicate& predicate) {
  const Term &term = *predicate.term, &value = *predicate.value;
  if (value.type == kBoolType) return RuleLiteral{Column(value), BoolsWhere(term, predicate.absent_truth)};
  if (term.op == Op::kIn && term.inputs[0] == &value && term.items->distinct_texts.size() <= kTextsOfOneTestMax)
    return RuleLiteral{Column(value), ValueSet::Of(term.items->distinct_texts)};
  const std::string column = KeyOfColumn(value), key = column + " codes " + SharingKey(*term.node, time_zone_, true);
  if (!variable_by_key_.contains(key) && ++code_tests_[column] > kCodeTestsMax) return std::nullopt;
  RuleVariable variable{.kind = RuleVariable::Kind::kColumn, .value = &value};
  RuleLiteral literal{Variable(key, variable, &term), Truth(true)};
  if (predicate.absent_truth) literal.set = literal.set.Or(ValueSet::Absent(kNumbers));
  return literal;
}

// All, any, or none of the elements and present. A set that holds an element is present. What is asked for is a disjunction of
// elements or a conjunction of them, each there or not.
RuleCompiler::Disjunction RuleCompiler::TakeSetItems(const Condition& leaf, bool complement) {
  const Predicate& predicate = leaf.predicate;
  const Term& value = *predicate.value;
  const bool none = predicate.op == Op::kHasNone, missing = none != complement;
  const bool is_and = (predicate.op == Op::kHasAny) == complement;
  RuleDisjunction result = AlwaysOrNever(is_and);
  std::vector<RuleDisjunction> tests;
  if (none || predicate.texts.empty()) {
    const bool never = predicate.op == Op::kHasAny;
    if (never) return AlwaysOrNever(complement);
    tests.push_back(Single({Column(value), Yes()}, complement));
  }
  for (std::string_view text : predicate.texts) {
    RuleVariable element{.kind = RuleVariable::Kind::kElement, .value = &value, .text = std::string(text)};
    const uint32_t variable = Variable(KeyOfColumn(value) + " has " + element.text, element);
    tests.push_back(Single({variable, Yes()}, missing));
  }
  for (const RuleDisjunction& test : tests) {
    if (!is_and) {
      if (!AddAll(test, &result)) return std::nullopt;
    } else {
      result = *Product(result, test);  // of single conjunctions
    }
  }
  return result;
}

RuleLiteral RuleCompiler::TestOfSegment(const Condition& leaf) {
  const Term& term = *leaf.predicate.term;
  const SegmentId id = *term.node->segment;
  const std::string number = std::to_string(id.value);
  if (!term.kept) return {Variable("list " + number, {.kind = RuleVariable::Kind::kList, .segment = id}), Yes()};
  if (!RuleOf(id)) return TestOfPredicate(leaf, SharingKey(*term.node, time_zone_, true));
  return {Variable("segment " + number, {.kind = RuleVariable::Kind::kSegment, .segment = id}), Yes()};
}

RuleLiteral RuleCompiler::TestOfPredicate(const Condition& condition, const std::string& key) {
  return {Variable("predicate " + key, {.kind = RuleVariable::Kind::kPredicate, .condition = &condition}), Yes()};
}

uint32_t RuleCompiler::Variable(const std::string& key, RuleVariable variable, const Term* code_test) {
  auto [it, is_new] = variable_by_key_.emplace(key, static_cast<uint32_t>(variables_.size()));
  if (is_new) variables_.push_back({std::move(variable), code_test});
  return it->second;
}

uint32_t RuleCompiler::Column(const Term& value) {
  return Variable(KeyOfColumn(value), {.kind = RuleVariable::Kind::kColumn, .value = &value});
}

}  // namespace korrel
