#include "index/expression/binder.h"

#include <fmt/format.h>

#include <algorithm>

#include "index/expression/literal.h"
#include "index/expression/pattern.h"
#include "index/expression/sharing_key.h"
#include "index/expression/words.h"

namespace korrel {
namespace {

bool IsConstant(const Node& node) { return node.op == Op::kConstant || node.op == Op::kParameter; }

bool SameKind(Type a, Type b) { return a.kind == b.kind || (IsNumber(a) && IsNumber(b)); }

// What a string constant was probably meant to be where a timestamp is compared.
std::string TimeHint(const Node& subject, const Constant& other) {
  const auto* text = std::get_if<std::string>(&other.value);
  if (subject.type != kTimestampType || !text) return "";
  if (ReadDate(*text)) return "; write date " + WrittenString(*text);
  if (ParseTimestamp(*text, "UTC").ok()) return "; write timestamp " + WrittenString(*text);
  return "";
}

}  // namespace

std::optional<Type> Promoted(Type a, Type b) {
  if (!IsNumber(a) || !IsNumber(b)) return a == b ? std::optional(a) : std::nullopt;
  if (a.kind == ValueKind::kDouble || b.kind == ValueKind::kDouble) return kDoubleType;
  if (a.kind == ValueKind::kInt && b.kind == ValueKind::kInt) return kIntType;
  return DecimalType(std::max(a.scale, b.scale));  // an int's scale is 0
}

std::string WithArticle(Type type) {
  std::string name = TypeName(type);
  return (name.starts_with('i') ? "an " : "a ") + name;
}

std::string Shown(const Node& node) {
  constexpr size_t kShownBytes = 60;
  std::string text = node.op == Op::kAttribute ? node.text : PrintNode(node);
  if (text.size() > kShownBytes) {
    size_t end = kShownBytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) end--;
    text = text.substr(0, end) + "…";
  }
  return fmt::format("'{}'", text);
}

// ---- The whole ----

bool Binder::Bind(Node* root) {
  if (!BindNode(root)) return false;
  NodeRef alias(NodeRef(), root);
  Settle(alias, options_.must_be_condition ? kBoolType : kStringType);
  if (options_.must_be_condition && root->type != kBoolType) {
    return Fail("TYPE", root->range, fmt::format("{} is {}; a condition is needed here", Shown(*root), WithArticle(root->type)));
  }
  return CheckPlace(root);
}

ExpressionRef Binder::Finish(NodeRef root, std::string_view text) const {
  auto expression = std::make_shared<Expression>();
  expression->text_ = text;
  expression->normal_form_ = PrintNode(*root);
  expression->sharing_key_ = SharingKey(*root, options_.time_zone, options_.must_be_condition);
  expression->time_zone_ = options_.time_zone;
  expression->has_aggregate_ = has_aggregate_;
  expression->reads_now_ = reads_now_;
  expression->definition_depth_ = depth_;
  expression->uses_.assign(uses_.begin(), uses_.end());
  expression->root_ = std::move(root);
  return expression;
}

bool Binder::Fail(Problem problem) {
  if (!problem_) problem_ = std::move(problem);
  return false;
}

bool Binder::Fail(std::string_view reason, const TextRange& range, std::string message, std::vector<std::string> suggestions) {
  return Fail(Problem{std::string(reason), range.begin, range.end, std::move(message), std::move(suggestions)});
}

bool Binder::NotYet(const TextRange& range, std::string_view what) {
  return Fail("NOT_YET", range, fmt::format("'{}' is not available in this version", what));
}

bool Binder::BindNode(Node* node) {
  switch (node->op) {
    case Op::kConstant:
      return BindConstant(node);
    case Op::kParameter:
      if (!BindParameter(node->text, node->range, &node->constant)) return false;
      node->type = TypeOfConstant(node->constant);
      return true;
    case Op::kAttribute:
      return scope_.kind == Scope::Kind::kProfile ? BindAttribute(node) : BindBareProperty(node);
    case Op::kProperty:
      return BindProperty(node);
    case Op::kEventTime:
      node->type = kTimestampType;
      return true;
    case Op::kInSegment:
      return BindSegment(node);
    case Op::kAnd:
    case Op::kOr:
    case Op::kNot:
      return BindLogic(node);
    case Op::kEqual:
    case Op::kNotEqual:
      return BindEquality(node);
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kGreater:
    case Op::kGreaterEqual:
    case Op::kBetween:
      return BindOrder(node);
    case Op::kIn:
      return BindIn(node);
    case Op::kHasAny:
    case Op::kHasAll:
    case Op::kHasNone:
    case Op::kHas:
      return BindHas(node);
    case Op::kContains:
    case Op::kLike:
    case Op::kMatches:
      return BindTextTest(node);
    case Op::kIsPresent:
    case Op::kIsAbsent:
      if (!BindInputs(node)) return false;
      Settle(node->inputs[0], kStringType);
      node->type = kBoolType;
      return true;
    case Op::kAdd:
    case Op::kSubtract:
      return BindSum(node);
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kModulo:
      return BindProduct(node);
    case Op::kNegate:
      return BindNegate(node);
    case Op::kCall:
      return BindCall(node);
    case Op::kAggregate:
      return BindAggregate(node);
    case Op::kContext:
      if (options_.place != ExpressionPlace::kQuestion) return Fail("PLACE", node->range, "'context' exists only in a decision");
      return NotYet(node->range, "context");
    case Op::kOffer:
      if (options_.place != ExpressionPlace::kQuestion) return Fail("PLACE", node->range, "'offer' exists only in an arbitration formula");
      return NotYet(node->range, "offer");
    case Op::kPopulation:
      return BindPopulation(node);
    case Op::kSequence:
      return BindSequence(node);
  }
  return false;
}

bool Binder::BindInputs(Node* node) {
  for (const NodeRef& input : node->inputs) {
    if (!BindNode(Mutable(input))) return false;
  }
  return true;
}

void Binder::Settle(const NodeRef& ref, Type wanted) {
  Node* node = Mutable(ref);
  if (node->type.kind != ValueKind::kNone) return;
  node->type = wanted;
  size_t first = node->op == Op::kCall && node->function == Function::kIf ? 1 : 0;
  for (size_t i = first; i < node->inputs.size(); i++) Settle(node->inputs[i], wanted);
}

void Binder::SettleTogether(const Node& node) {
  Type wanted = kStringType;
  for (const NodeRef& input : node.inputs) {
    if (input->type.kind == ValueKind::kNone) continue;
    wanted = input->type;
    break;
  }
  for (const NodeRef& input : node.inputs) Settle(input, wanted);
}

// ---- Leaves ----

bool Binder::BindConstant(Node* node) {
  node->type = TypeOfConstant(node->constant);
  return true;
}

bool Binder::BindParameter(std::string_view name, const TextRange& range, Constant* constant) {
  if (!options_.parameters) return Fail("PLACE", range, fmt::format("'@{}' is a parameter; parameters exist only in requests", name));
  auto found = options_.parameters->find(name);
  if (found == options_.parameters->end()) {
    std::vector<std::string> known;
    for (const auto& [key, value] : *options_.parameters) known.push_back(key);
    return Fail(UnknownName("parameter", name, range, known));
  }
  if (!IsPresent(found->second)) return Fail("LITERAL", range, fmt::format("the parameter '@{}' has no value", name));
  if (TypeOf(found->second) == kSetType)
    return Fail("TYPE", range, fmt::format("the parameter '@{}' is a set; a parameter is one value", name));
  constant->value = found->second;
  Status normal = Normalize(&constant->value, "");
  if (!normal.ok()) return Fail("LITERAL", range, fmt::format("the parameter '@{}': {}", name, MessageOf(normal)));
  constant->is_double = std::holds_alternative<double>(constant->value);
  return true;
}

std::vector<std::string> Binder::KnownAttributes() const {
  std::vector<std::string> names;
  for (const AttributeSchema& attribute : options_.schema->attributes) {
    if (!attribute.dropped) names.push_back(attribute.name);
  }
  if (options_.definitions) {
    for (const auto& [name, definition] : options_.definitions->attributes) names.push_back(name);
  }
  return names;
}

std::vector<std::string> Binder::KnownEvents() const {
  std::vector<std::string> names;
  for (const EventTypeSchema& event : options_.schema->event_types) {
    if (!event.dropped) names.push_back(event.name);
  }
  return names;
}

bool Binder::UseDefinition(const Node& node, const Expression& definition) {
  has_aggregate_ |= definition.has_aggregate();
  reads_now_ |= definition.reads_now();
  depth_ = std::max(depth_, definition.definition_depth() + 1);
  if (depth_ <= kDefinitionDepthMax) return true;
  return Fail("LIMIT", node.range, fmt::format("definitions stand at most {} deep in each other", kDefinitionDepthMax));
}

bool Binder::BindAttribute(Node* node) {
  const AttributeSchema* attribute = options_.schema->FindAttribute(node->text);
  const Expression* definition = nullptr;
  if (options_.definitions) {
    auto found = options_.definitions->attributes.find(node->text);
    if (found != options_.definitions->attributes.end()) definition = found->second.get();
  }
  if (!attribute && !definition) {
    node->unknown = true;
    node->attribute = AttributeId{UINT32_MAX};
    if (options_.allow_unknown_names) return true;
    Problem problem = UnknownName("attribute", node->text, node->range, KnownAttributes());
    if (node->quoted && problem.suggestions.empty()) {
      problem.message += fmt::format("; a string is written in single quotes: {}", WrittenString(node->text));
    }
    return Fail(std::move(problem));
  }
  uses_.insert("attributes/" + node->text);
  node->attribute = attribute ? attribute->id : AttributeId{UINT32_MAX};
  if (definition) {
    node->definition = definition->root();
    if (!UseDefinition(*node, *definition)) return false;
  }
  node->type = attribute && attribute->type.kind != ValueKind::kNone ? attribute->type : definition ? definition->type() : Type{};
  return true;
}

bool Binder::BindSegment(Node* node) {
  if (!ProfileOnly(*node)) return false;
  node->type = kBoolType;
  TextRange name{node->range.at, node->range.end, node->range.at};
  std::vector<std::string> known;
  if (options_.definitions) {
    auto found = options_.definitions->segments.find(node->text);
    if (found != options_.definitions->segments.end()) {
      const NamedDefinitions::Segment& segment = found->second;
      uses_.insert("segments/" + node->text);
      node->segment = segment.id;
      if (!segment.expression) return true;
      node->definition = segment.expression->root();
      return UseDefinition(*node, *segment.expression);
    }
    for (const auto& [key, value] : options_.definitions->segments) known.push_back(key);
  }
  return Fail(UnknownName("segment", node->text, name, known));
}

bool Binder::BindPopulation(Node* node) {
  if (!ProfileOnly(*node)) return false;
  std::vector<std::string> known;
  if (options_.definitions) {
    auto found = options_.definitions->population.find(node->text);
    if (found != options_.definitions->population.end()) {
      uses_.insert("population/" + node->text);
      node->type = found->second;
      return true;
    }
    for (const auto& [name, type] : options_.definitions->population) known.push_back(name);
  }
  return Fail(UnknownName("population figure", node->text, node->range, known));
}

// ---- Logic ----

bool Binder::Condition(const NodeRef& node) {
  if (!BindNode(Mutable(node))) return false;
  Settle(node, kBoolType);
  if (node->type == kBoolType) return true;
  return Fail("TYPE", node->range, fmt::format("{} is {}; a condition is needed here", Shown(*node), WithArticle(node->type)));
}

bool Binder::BindLogic(Node* node) {
  node->type = kBoolType;
  return std::all_of(node->inputs.begin(), node->inputs.end(), [this](const NodeRef& input) { return Condition(input); });
}

// ---- Tests ----

// Whether the two can be compared. The one that is a constant, otherwise the right one, is what does not fit.
bool Binder::Comparable(const Node& left, const Node& right, bool ordered) {
  bool swap = IsConstant(left) && !IsConstant(right);
  const Node &subject = swap ? right : left, &other = swap ? left : right;
  for (const Node* side : {&left, &right}) {
    if (side->type == kSetType)
      return Fail("TYPE", side->range, fmt::format("{} is a set; write 'has', as in {} has 'x'", Shown(*side), PrintNode(*side)));
  }
  if (!SameKind(subject.type, other.type)) {
    std::string message =
        fmt::format("{} is {}; it cannot be compared with {}", Shown(subject), WithArticle(subject.type), WithArticle(other.type));
    return Fail("TYPE", other.range, message + (IsConstant(other) ? TimeHint(subject, other.constant) : ""));
  }
  if (ordered && subject.type == kBoolType)
    return Fail("TYPE", subject.range, fmt::format("{} is a bool; bools have no order", Shown(subject)));
  return true;
}

bool Binder::BindEquality(Node* node) {
  if (!BindInputs(node)) return false;
  SettleTogether(*node);
  node->type = kBoolType;
  return Comparable(*node->inputs[0], *node->inputs[1], false);
}

bool Binder::BindOrder(Node* node) {
  for (size_t i = 0; i < node->inputs.size(); i++) {
    if (!BindNode(Mutable(node->inputs[i]))) return false;
    const Node &first = *node->inputs[0], &last = *node->inputs[i];
    bool known = first.type.kind != ValueKind::kNone && last.type.kind != ValueKind::kNone;
    if (i > 0 && known && !Comparable(first, last, true)) return false;
  }
  SettleTogether(*node);
  node->type = kBoolType;
  for (size_t i = 1; i < node->inputs.size(); i++) {
    if (!Comparable(*node->inputs[0], *node->inputs[i], true)) return false;
  }
  return true;
}

// The items of a list get the values of parameters, and must be comparable with the operand.
bool Binder::BindItems(Node* node) {
  const NodeRef& subject = node->inputs[0];
  for (size_t i = 0; i < node->items.size(); i++) {
    Constant& item = node->items[i];
    if (!node->item_parameters[i].empty() && !BindParameter(node->item_parameters[i], item.range, &item)) return false;
    Type type = TypeOfConstant(item);
    Settle(subject, node->op == Op::kIn ? type : kSetType);
    if (node->op == Op::kIn && !SameKind(subject->type, type)) {
      std::string message =
          fmt::format("{} is {}; it cannot be compared with {}", Shown(*subject), WithArticle(subject->type), WithArticle(type));
      return Fail("TYPE", item.range, message + TimeHint(*subject, item));
    }
    if (node->op != Op::kIn && type != kStringType) {
      return Fail("TYPE", item.range, fmt::format("a set holds strings; it cannot be asked for {}", WithArticle(type)));
    }
  }
  return true;
}

bool Binder::BindIn(Node* node) {
  if (!BindInputs(node)) return false;
  const Node& subject = *node->inputs[0];
  node->type = kBoolType;
  if (subject.type == kSetType) return Fail("TYPE", subject.range, fmt::format("{} is a set; write 'has any (…)'", Shown(subject)));
  return BindItems(node);
}

bool Binder::BindHas(Node* node) {
  node->type = kBoolType;
  const NodeRef& subject = node->inputs[0];
  if (!BindNode(Mutable(subject))) return false;
  Settle(subject, kSetType);
  if (subject->type != kSetType) {
    std::string_view instead = node->op == Op::kHas ? "write '='" : "write 'in (…)'";
    std::string message = fmt::format("{} is {}; 'has' asks a set", Shown(*subject), WithArticle(subject->type));
    return Fail("TYPE", subject->range, subject->type == kStringType ? fmt::format("{}; {}", message, instead) : message);
  }
  if (node->op != Op::kHas) return BindItems(node);
  const NodeRef& item = node->inputs[1];
  if (!BindNode(Mutable(item))) return false;
  Settle(item, kStringType);
  if (item->type == kStringType) return true;
  return Fail("TYPE", item->range, fmt::format("a set holds strings; it cannot be asked for {}", WithArticle(item->type)));
}

bool Binder::BindTextTest(Node* node) {
  node->type = kBoolType;
  std::string_view word = node->op == Op::kContains ? "contains" : node->op == Op::kLike ? "like" : "matches";
  for (const NodeRef& input : node->inputs) {
    if (!BindNode(Mutable(input))) return false;
    Settle(input, kStringType);
    if (input->type == kStringType) continue;
    std::string message = fmt::format("{} is {}; '{}' compares strings", Shown(*input), WithArticle(input->type), word);
    bool asks_set = input->type == kSetType && node->op == Op::kContains && input == node->inputs[0];
    return Fail("TYPE", input->range, asks_set ? message + "; write 'has'" : message);
  }
  return node->op == Op::kContains || BindPattern(node);
}

bool Binder::BindPattern(Node* node) {
  TextRange range{node->range.at, node->range.end, node->range.at};
  if (node->text.size() > kPatternBytesMax) return Fail("LIMIT", range, "a pattern has at most 4 KiB");
  if (node->op == Op::kLike) {
    size_t slashes = 0;
    while (slashes < node->text.size() && node->text[node->text.size() - 1 - slashes] == '\\') slashes++;
    return slashes % 2 == 0 || Fail("PATTERN", range, "the pattern ends with a lone '\\'; write '\\\\' for a backslash");
  }
  PatternError error;
  if (CompilePattern(node->text, &error)) return true;
  if (error.too_large) return Fail("LIMIT", range, "the compiled pattern is larger than 1 MiB");
  return Fail("PATTERN", range, "bad regular expression: " + error.message);
}

// ---- Arithmetic ----

namespace {

std::string CannotCombine(const Node& a, const Node& b, std::string_view how) {
  return fmt::format("{} is {} and {} is {}; they cannot be {}", Shown(a), WithArticle(a.type), Shown(b), WithArticle(b.type), how);
}

// The result of + and -; nullopt where the operands do not go together.
std::optional<Type> SumType(Type a, Type b, bool subtract) {
  if (IsNumber(a) && IsNumber(b)) return Promoted(a, b);
  if (a == kTimestampType && b == kTimestampType) return subtract ? std::optional(kDurationType) : std::nullopt;
  if (a == kTimestampType && b == kDurationType) return kTimestampType;
  if (a == kDurationType && b == kTimestampType) return subtract ? std::nullopt : std::optional(kTimestampType);
  if (a == kDurationType && b == kDurationType) return kDurationType;
  return std::nullopt;
}

// Unknown operands of arithmetic are whatever the other one asks for; two of them are ints.
Type WantedBeside(Type other) {
  if (IsNumber(other)) return other;
  return other == kTimestampType || other == kDurationType ? kDurationType : kIntType;
}

}  // namespace

bool Binder::BindSum(Node* node) {
  if (!BindInputs(node)) return false;
  const NodeRef &a = node->inputs[0], &b = node->inputs[1];
  bool subtract = node->op == Op::kSubtract;
  Settle(a, subtract && b->type == kTimestampType ? kTimestampType : WantedBeside(b->type));
  Settle(b, WantedBeside(a->type));
  auto type = SumType(a->type, b->type, subtract);
  TextRange sign{node->range.at, node->range.at + 1, node->range.at};
  if (!type) return Fail("TYPE", sign, CannotCombine(*a, *b, subtract ? "subtracted" : "added"));
  node->type = *type;
  return true;
}

bool Binder::BindProduct(Node* node) {
  if (!BindInputs(node)) return false;
  const NodeRef &left = node->inputs[0], &right = node->inputs[1];
  bool duration = left->type == kDurationType || right->type == kDurationType;
  Type wanted = node->op == Op::kDivide && duration ? kDurationType : kIntType;
  Settle(left, wanted);
  Settle(right, wanted);
  Type a = left->type, b = right->type;
  TextRange sign{node->range.at, node->range.at + 1, node->range.at};
  bool numbers = IsNumber(a) && IsNumber(b), exact = IsExactNumber(a) && IsExactNumber(b);
  if (node->op == Op::kDivide) {
    node->type = kDoubleType;
    if (numbers || (a == kDurationType && b == kDurationType)) return true;
    return Fail("TYPE", sign, CannotCombine(*left, *right, "divided"));
  }
  if (node->op == Op::kModulo) {
    if (!exact) return Fail("TYPE", sign, CannotCombine(*left, *right, "divided with a remainder"));
    node->type = *Promoted(a, b);
    return true;
  }
  if (duration && (a == kIntType || b == kIntType)) {
    node->type = kDurationType;
    return true;
  }
  if (!numbers) return Fail("TYPE", sign, CannotCombine(*left, *right, "multiplied"));
  node->type = *Promoted(a, b);
  if (!exact || node->type == kIntType) return true;
  if (a.scale + b.scale > 18) {
    return Fail("TYPE", sign,
                fmt::format("the product would have {} digits after the point; at most 18, so use round(x, n)", a.scale + b.scale));
  }
  node->type = DecimalType(a.scale + b.scale);
  return true;
}

bool Binder::BindNegate(Node* node) {
  if (!BindInputs(node)) return false;
  const NodeRef& input = node->inputs[0];
  Settle(input, kIntType);
  node->type = input->type;
  if (IsNumber(node->type) || node->type == kDurationType) return true;
  return Fail("TYPE", input->range, fmt::format("{} is {}; '-' needs a number or a duration", Shown(*input), WithArticle(input->type)));
}

}  // namespace korrel
