// The functions: numbers and kinds of their arguments, and what they give.
#include <fmt/format.h>

#include <algorithm>

#include "index/calendar.h"
#include "index/expression/binder.h"
#include "index/expression/words.h"

namespace korrel {

// What asks about the profile cannot stand where an event is looked at.
bool Binder::ProfileOnly(const Node& node) {
  if (scope_.kind == Scope::Kind::kProfile) return true;
  std::string place = scope_.kind == Scope::Kind::kWhere ? "where" : std::string(NameOf(scope_.aggregate));
  std::string event = scope_.event_name.empty() ? "one event type" : fmt::format("'{}'", scope_.event_name);
  return Fail("PLACE", node.range, fmt::format("{} is not part of an event; '{}' sees only properties of {}", Shown(node), place, event));
}

bool Binder::CheckCount(const Node& node, size_t least, size_t most, std::string_view example) {
  size_t count = node.inputs.size();
  if (count >= least && count <= most) return true;
  std::string_view name = NameOf(node.function);
  TextRange range{node.range.begin, node.range.begin + static_cast<uint32_t>(name.size()), node.range.begin};
  if (count > most && most > 0) range = node.inputs[most]->range;
  auto number = [](size_t n) { return n == 1 ? std::string("one argument") : fmt::format("{} arguments", n); };
  std::string wanted = most == 0          ? "no argument"
                       : least == most    ? number(least)
                       : most == SIZE_MAX ? fmt::format("at least {}", number(least))
                                          : fmt::format("{} to {} arguments", least, most);
  return Fail("ARGUMENTS", range, fmt::format("{} takes {}, as in {}", name, wanted, example));
}

bool Binder::BindCall(Node* node) {
  switch (node->function) {
    case Function::kNone:
      return BindInputs(node);  // the parser has said that there is no such function
    case Function::kAbs:
    case Function::kFloor:
    case Function::kCeil:
      return BindNumeric(node);
    case Function::kRound:
      return BindRound(node);
    case Function::kCoalesce:
    case Function::kMin:
    case Function::kMax:
      return BindPromoted(node);
    case Function::kIf:
      return BindIf(node);
    case Function::kLower:
    case Function::kUpper:
    case Function::kLength:
      return BindText(node);
    case Function::kNow:
      reads_now_ = true;
      node->type = kTimestampType;
      return CheckCount(*node, 0, 0, "now()") && ProfileOnly(*node);
    case Function::kCreatedAt:
    case Function::kUpdatedAt:
      node->type = kTimestampType;
      return CheckCount(*node, 0, 0, fmt::format("{}()", NameOf(node->function))) && ProfileOnly(*node);
    case Function::kYear:
    case Function::kMonth:
    case Function::kDay:
    case Function::kWeekday:
    case Function::kHour:
    case Function::kAgeIn:
      return BindCalendar(node);
    case Function::kBucket:
      return BindBucket(node);
    case Function::kHasIdentifier:
      return BindHasIdentifier(node);
    case Function::kConsent:
    case Function::kConsentState:
      return NotYet(node->range, NameOf(node->function));
  }
  return false;
}

bool Binder::BindNumeric(Node* node) {
  std::string name(NameOf(node->function));
  if (!CheckCount(*node, 1, 1, name + "(x)") || !BindInputs(node)) return false;
  const NodeRef& input = node->inputs[0];
  Settle(input, kIntType);
  bool is_abs = node->function == Function::kAbs;
  node->type = is_abs ? input->type : kIntType;
  if (IsNumber(input->type) || (is_abs && input->type == kDurationType)) return true;
  return Fail("TYPE", input->range,
              fmt::format("{} is {}; {} needs a number{}", Shown(*input), WithArticle(input->type), name, is_abs ? " or a duration" : ""));
}

bool Binder::BindRound(Node* node) {
  if (!CheckCount(*node, 1, 2, "round(x, 2)") || !BindNode(Mutable(node->inputs[0]))) return false;
  const NodeRef& input = node->inputs[0];
  Settle(input, kIntType);
  if (!IsNumber(input->type)) {
    return Fail("TYPE", input->range, fmt::format("{} is {}; round needs a number", Shown(*input), WithArticle(input->type)));
  }
  node->type = kIntType;
  if (node->inputs.size() == 1) return true;
  if (!BindNode(Mutable(node->inputs[1]))) return false;
  const Node& digits = *node->inputs[1];
  bool constant = digits.op == Op::kConstant || digits.op == Op::kParameter;
  const auto* n = constant ? std::get_if<int64_t>(&digits.constant.value) : nullptr;
  if (!n || *n < 0 || *n > 18)
    return Fail("ARGUMENTS", digits.range, "the second argument of round is a constant from 0 to 18: the digits after the point");
  node->type = DecimalType(static_cast<int>(*n));
  return true;
}

// coalesce, min, max: any number of arguments that can be promoted to one type.
bool Binder::BindPromoted(Node* node) {
  std::string name(NameOf(node->function));
  bool is_coalesce = node->function == Function::kCoalesce;
  if (!CheckCount(*node, is_coalesce ? 1 : 2, SIZE_MAX, name + "(a, b)")) return false;
  Type type;
  const Node* typed = nullptr;
  for (const NodeRef& input : node->inputs) {
    if (!BindNode(Mutable(input))) return false;
    if (input->type.kind == ValueKind::kNone) continue;
    bool unordered = input->type == kBoolType || input->type == kSetType;
    if (!is_coalesce && unordered) {
      return Fail("TYPE", input->range,
                  fmt::format("{} is {}; {} needs values that have an order", Shown(*input), WithArticle(input->type), name));
    }
    auto promoted = typed ? Promoted(type, input->type) : std::optional(input->type);
    if (!promoted) {
      std::string message = fmt::format("{} is {} and {} is {}; {} needs one type", Shown(*typed), WithArticle(typed->type), Shown(*input),
                                        WithArticle(input->type), name);
      return Fail("TYPE", input->range, message);
    }
    type = *promoted;
    typed = input.get();
  }
  if (typed) {
    for (const NodeRef& input : node->inputs) Settle(input, type);
  }
  node->type = type;
  return true;
}

bool Binder::BindIf(Node* node) {
  if (!CheckCount(*node, 3, 3, "if(is_member, 1, 0)") || !Condition(node->inputs[0])) return false;
  const NodeRef &a = node->inputs[1], &b = node->inputs[2];
  if (!BindNode(Mutable(a)) || !BindNode(Mutable(b))) return false;
  if (a->type.kind != ValueKind::kNone) Settle(b, a->type);
  if (b->type.kind != ValueKind::kNone) Settle(a, b->type);
  auto type = Promoted(a->type, b->type);
  if (!type) {
    return Fail("TYPE", b->range,
                fmt::format("{} is {} and {} is {}; if needs one type", Shown(*a), WithArticle(a->type), Shown(*b), WithArticle(b->type)));
  }
  node->type = *type;
  return true;
}

bool Binder::BindText(Node* node) {
  std::string name(NameOf(node->function));
  if (!CheckCount(*node, 1, 1, name + "(x)") || !BindInputs(node)) return false;
  const NodeRef& input = node->inputs[0];
  Settle(input, kStringType);
  bool is_length = node->function == Function::kLength;
  node->type = is_length ? kIntType : kStringType;
  if (input->type == kStringType || (is_length && input->type == kSetType)) return true;
  return Fail("TYPE", input->range,
              fmt::format("{} is {}; {} needs a string{}", Shown(*input), WithArticle(input->type), name, is_length ? " or a set" : ""));
}

// year … hour (ts [, zone]) and age_in(ts, unit [, zone]), whose unit is no input any more.
bool Binder::BindCalendar(Node* node) {
  std::string name(NameOf(node->function));
  bool is_age = node->function == Function::kAgeIn;
  if (is_age) reads_now_ = true;
  node->type = kIntType;
  if (is_age && !ProfileOnly(*node)) return false;
  if (!CheckCount(*node, 1, 2, is_age ? "age_in(birth_date, 'year')" : name + "(now(), 'Europe/Amsterdam')")) return false;
  const NodeRef& time = node->inputs[0];
  if (!BindNode(Mutable(time))) return false;
  Settle(time, kTimestampType);
  if (time->type != kTimestampType) {
    return Fail("TYPE", time->range, fmt::format("{} is {}; {} needs a timestamp", Shown(*time), WithArticle(time->type), name));
  }
  return node->inputs.size() == 1 || BindZone(node->inputs[1]);
}

bool Binder::BindZone(const NodeRef& zone) {
  if (!BindNode(Mutable(zone))) return false;
  Settle(zone, kStringType);
  if (zone->type != kStringType) {
    return Fail("TYPE", zone->range,
                fmt::format("{} is {}; a time zone is a string, as in 'Europe/Amsterdam'", Shown(*zone), WithArticle(zone->type)));
  }
  if (zone->op != Op::kConstant && zone->op != Op::kParameter) return true;
  const auto& name = std::get<std::string>(zone->constant.value);
  if (IsTimeZone(name)) return true;
  Problem problem = UnknownName("time zone", name.substr(0, kNameBytesMax), zone->range, Zone::Names());
  problem.reason = "LITERAL";
  return Fail(std::move(problem));
}

bool Binder::BindBucket(Node* node) {
  node->type = kIntType;
  if (!ProfileOnly(*node) || !CheckCount(*node, 1, 1, "bucket('spring')") || !BindInputs(node)) return false;
  const Node& salt = *node->inputs[0];
  bool constant = salt.op == Op::kConstant || salt.op == Op::kParameter;
  if (constant && salt.type == kStringType) return true;
  return Fail("ARGUMENTS", salt.range, "bucket needs a constant string, as in bucket('spring')");
}

bool Binder::BindHasIdentifier(Node* node) {
  node->type = kBoolType;
  if (!ProfileOnly(*node) || !CheckCount(*node, 1, 1, "has_identifier('email')")) return false;
  const Node& name = *node->inputs[0];
  if (name.op == Op::kAttribute) {
    return Fail("ARGUMENTS", name.range, fmt::format("the type of an identifier is a string: has_identifier('{}')", name.text));
  }
  if (!BindInputs(node)) return false;
  bool constant = name.op == Op::kConstant || name.op == Op::kParameter;
  if (!constant || name.type != kStringType) {
    return Fail("ARGUMENTS", name.range, "has_identifier needs a constant string, as in has_identifier('email')");
  }
  // A type that no profile has is no mistake: identifier types become known when they are first written.
  auto found = options_.schema->identifier_type_by_name.find(std::get<std::string>(name.constant.value));
  if (found != options_.schema->identifier_type_by_name.end())
    node->identifier_type = IdentifierTypeId(static_cast<uint16_t>(found->second));
  return true;
}

}  // namespace korrel
