#include "index/expression/sharing_key.h"

#include <algorithm>
#include <map>
#include <set>

#include "index/expression/fold.h"
#include "index/expression/intervals.h"

namespace korrel {
namespace {

// Bytes of one part with its parts inside, each with its length, so that no two different trees have the same bytes.
std::string Framed(std::string_view tag, const std::vector<std::string>& parts) {
  std::string bytes(tag);
  bytes += '(';
  for (const std::string& part : parts) {
    auto size = static_cast<uint32_t>(part.size());
    bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
    bytes += part;
  }
  bytes += ')';
  return bytes;
}

std::string Number(int64_t number) { return std::string(reinterpret_cast<const char*>(&number), sizeof number); }
std::string TypeBytes(Type type) { return {static_cast<char>(type.kind), static_cast<char>(type.scale)}; }
std::string Tag(char letter, int code) { return letter + std::to_string(code); }

bool HoldsFor(Op op, std::partial_ordering order) {
  switch (op) {
    case Op::kEqual:
      return order == 0;
    case Op::kNotEqual:
      return order != 0;
    case Op::kLess:
      return order < 0;
    case Op::kLessEqual:
      return order <= 0;
    case Op::kGreater:
      return order > 0;
    default:
      return order >= 0;
  }
}

// A condition in canonical shape: a constant, one predicate, or a flat and/or of such.
struct Formula {
  enum class Kind { kTrue, kFalse, kPredicate, kAnd, kOr } kind = Kind::kTrue;
  std::string key;
  std::vector<Formula> parts;

  static Formula Of(bool truth) { return {truth ? Kind::kTrue : Kind::kFalse, truth ? "T" : "F", {}}; }
};

Formula Predicate(bool complement, std::string_view tag, const std::vector<std::string>& parts) {
  return {Formula::Kind::kPredicate, (complement ? "!" : "=") + Framed(tag, parts), {}};
}

Formula Combined(Formula::Kind kind, std::vector<Formula> operands) {
  bool is_and = kind == Formula::Kind::kAnd;
  std::map<std::string, Formula> distinct;
  auto take = [&](Formula part) { distinct.emplace(part.key, std::move(part)); };
  for (Formula& operand : operands) {
    if (operand.kind == (is_and ? Formula::Kind::kFalse : Formula::Kind::kTrue)) return Formula::Of(!is_and);
    if (operand.kind == (is_and ? Formula::Kind::kTrue : Formula::Kind::kFalse)) continue;
    if (operand.kind != kind) {
      take(std::move(operand));
      continue;
    }
    for (Formula& part : operand.parts) take(std::move(part));
  }
  if (distinct.empty()) return Formula::Of(is_and);
  if (distinct.size() == 1) return std::move(distinct.begin()->second);
  Formula result{kind, "", {}};
  std::vector<std::string> keys;
  for (auto& [key, part] : distinct) {
    keys.push_back(key);
    result.parts.push_back(std::move(part));
  }
  result.key = Framed(is_and ? "&" : "|", keys);
  return result;
}

// now() · coefficient + the terms, each added or subtracted, + a constant. 128 bits hold any sum of a thousand constants.
struct TimeSum {
  int now = 0;
  int128 constant_us = 0;
  std::vector<std::pair<bool, const Node*>> terms;  // subtracted?
};

class KeyMaker {
 public:
  explicit KeyMaker(std::string_view time_zone) : time_zone_(time_zone) {}

  // ---- Conditions ----
  Formula Condition(const Node& node, bool complement) {
    switch (node.op) {
      case Op::kNot:
        return Condition(*node.inputs[0], !complement);
      case Op::kAnd:
      case Op::kOr:
        return Logic(node, complement);
      case Op::kInSegment:
        return Predicate(complement, "segment", {Number(node.segment ? node.segment->value : -1), node.segment ? "" : node.text});
      case Op::kEqual:
      case Op::kNotEqual:
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
        return Comparison(node.op, *node.inputs[0], *node.inputs[1], complement);
      case Op::kBetween:
        return Between(node, complement);
      case Op::kIn:
        return In(node, complement);
      case Op::kIsPresent:
      case Op::kIsAbsent:
        return Presence(*node.inputs[0], complement != (node.op == Op::kIsAbsent));
      case Op::kHas:
      case Op::kHasAny:
      case Op::kHasAll:
      case Op::kHasNone:
        return Has(node, complement);
      case Op::kContains:
        return Predicate(complement, "contains", {Value(*node.inputs[0]), Value(*node.inputs[1])});
      case Op::kLike:
        return Predicate(complement, "like", {Value(*node.inputs[0]), node.text});
      case Op::kMatches:
        return Predicate(complement, "matches", {Value(*node.inputs[0]), node.text});
      case Op::kSequence:
        return Predicate(complement, "did", SequenceParts(node));
      default:
        return BoolValue(node, complement);
    }
  }

  std::string Value(const Node& node) {
    if (auto constant = FoldConstant(node)) return ConstantKey(*constant, node.type);
    switch (node.op) {
      case Op::kAttribute: {
        bool by_id = !node.unknown && node.attribute.value != UINT32_MAX;
        return Framed("attribute", {TypeBytes(node.type), Number(by_id ? node.attribute.value : -1), by_id ? "" : node.text});
      }
      case Op::kProperty:
        return Framed("property", {TypeBytes(node.type), EventKey(node), Number(node.unknown ? -1 : node.property.value),
                                   node.unknown ? node.text : ""});
      case Op::kEventTime:
        return "event_time";
      case Op::kAdd:
      case Op::kMultiply: {
        std::vector<std::string> parts = {Value(*node.inputs[0]), Value(*node.inputs[1])};
        std::sort(parts.begin(), parts.end());
        return Framed(Tag('o', static_cast<int>(node.op)), parts);
      }
      case Op::kSubtract:
      case Op::kDivide:
      case Op::kModulo:
      case Op::kNegate:
        return Framed(Tag('o', static_cast<int>(node.op)), Values(node));
      case Op::kCall:
        return node.function == Function::kHasIdentifier ? Condition(node, false).key : Call(node);
      case Op::kAggregate:
        return AggregateKey(node);
      case Op::kPopulation:
        return Framed("population", {TypeBytes(node.type), node.text});
      default:
        return Framed("condition", {Condition(node, false).key});
    }
  }

 private:
  Formula Logic(const Node& node, bool complement) {
    std::vector<Formula> operands;
    for (const NodeRef& input : node.inputs) operands.push_back(Condition(*input, complement));
    bool is_and = (node.op == Op::kAnd) != complement;
    return Combined(is_and ? Formula::Kind::kAnd : Formula::Kind::kOr, std::move(operands));
  }

  // Conditions that are never absent, in distinction to bool values that may be.
  static bool IsCondition(const Node& node) {
    if (node.op == Op::kNot || node.op == Op::kAnd || node.op == Op::kOr || node.op == Op::kInSegment || node.op == Op::kSequence)
      return true;
    if (node.op >= Op::kEqual && node.op <= Op::kIsAbsent) return true;
    return node.op == Op::kCall && node.function == Function::kHasIdentifier;
  }

  Formula BoolValue(const Node& node, bool complement) {
    if (auto constant = FoldConstant(node)) return Formula::Of(std::get<bool>(constant->value) != complement);
    if (IsCondition(node)) {
      // By its name: nothing about anybody changes when a type becomes known.
      return Predicate(complement, "has_identifier", {Value(*node.inputs[0])});
    }
    Constant yes;
    yes.value = true;
    return InSet(node, Intervals::Where(kBoolType, Op::kEqual, yes), complement);
  }

  // operand ∈ S. A condition can only be true or false, so that S says all.
  Formula InSet(const Node& operand, const Intervals& set, bool complement) {
    if (set.empty()) return Formula::Of(complement);
    if (!IsCondition(operand)) return Predicate(complement, "in", {Value(operand), set.Bytes()});
    Constant yes, no;
    yes.value = true;
    no.value = false;
    bool if_true = set.Holds(kBoolType, yes), if_false = set.Holds(kBoolType, no);
    if (if_true && if_false) return Formula::Of(!complement);
    return Condition(operand, complement != if_false);
  }

  Formula Comparison(Op op, const Node& left, const Node& right, bool complement) {
    auto a = FoldConstant(left), b = FoldConstant(right);
    if ((a && IsAbsent(*a)) || (b && IsAbsent(*b))) return Formula::Of(complement);
    if (a && b) return Formula::Of(HoldsFor(op, CompareConstants(*a, *b)) != complement);
    if (auto time = TimeComparison(op, left, right, complement)) return *time;
    if (b) return InSet(left, Intervals::Where(left.type, op, *b), complement);
    if (a) return InSet(right, Intervals::Where(right.type, Mirrored(op), *a), complement);
    std::vector<std::string> parts = {Value(left), Value(right)};
    if (op == Op::kGreater || op == Op::kGreaterEqual) {
      op = Mirrored(op);
      std::swap(parts[0], parts[1]);
    }
    if (op == Op::kEqual || op == Op::kNotEqual) std::sort(parts.begin(), parts.end());
    return Predicate(complement, Tag('c', static_cast<int>(op)), parts);
  }

  // Against constants one set; otherwise the two comparisons that it is.
  Formula Between(const Node& node, bool complement) {
    const Node &value = *node.inputs[0], &low = *node.inputs[1], &high = *node.inputs[2];
    auto a = FoldConstant(low), b = FoldConstant(high);
    bool constants = a && b && !FoldConstant(value) && !(TimeSumOf(value).now != 0);
    if (constants && (IsAbsent(*a) || IsAbsent(*b))) return Formula::Of(complement);
    if (constants) return InSet(value, Intervals::Between(value.type, *a, *b), complement);
    std::vector<Formula> ends;
    ends.push_back(Comparison(Op::kGreaterEqual, value, low, complement));
    ends.push_back(Comparison(Op::kLessEqual, value, high, complement));
    return Combined(complement ? Formula::Kind::kOr : Formula::Kind::kAnd, std::move(ends));
  }

  Formula In(const Node& node, bool complement) {
    const Node& value = *node.inputs[0];
    auto constant = FoldConstant(value);
    if (constant && IsAbsent(*constant)) return Formula::Of(complement);
    if (constant) {
      bool found =
          std::any_of(node.items.begin(), node.items.end(), [&](const Constant& item) { return CompareConstants(*constant, item) == 0; });
      return Formula::Of(found != complement);
    }
    Intervals set;
    for (const Constant& item : node.items) set.Append(Intervals::Where(value.type, Op::kEqual, item));
    set.Unite(Intervals::None());
    return InSet(value, set, complement);
  }

  Formula Presence(const Node& operand, bool complement) {
    if (auto constant = FoldConstant(operand)) return Formula::Of(!IsAbsent(*constant) != complement);
    return InSet(operand, Intervals::All(operand.type), complement);
  }

  // has x = has any (x) = has all (x).
  Formula Has(const Node& node, bool complement) {
    std::string set = Value(*node.inputs[0]);
    if (node.op == Op::kHas) {
      auto item = FoldConstant(*node.inputs[1]);
      if (!item) return Predicate(complement, "has", {set, Value(*node.inputs[1])});
      return Predicate(complement, "has any", {set, std::get<std::string>(item->value)});
    }
    std::set<std::string> items;
    for (const Constant& item : node.items) items.insert(std::get<std::string>(item.value));
    std::vector<std::string> parts = {set};
    parts.insert(parts.end(), items.begin(), items.end());
    bool all = node.op == Op::kHasAll && items.size() > 1;
    return Predicate(complement, node.op == Op::kHasNone ? "has none" : all ? "has all" : "has any", parts);
  }

  // ---- now() alone on the left ----

  static void AddTo(TimeSum* sum, const Node& node, bool subtract) {
    if (auto constant = FoldConstant(node); constant && ExactOf(*constant)) {
      sum->constant_us += (subtract ? -1 : 1) * ExactOf(*constant)->unscaled;
    } else if (node.op == Op::kCall && node.function == Function::kNow) {
      sum->now += subtract ? -1 : 1;
    } else if (node.op == Op::kAdd || node.op == Op::kSubtract) {
      AddTo(sum, *node.inputs[0], subtract);
      AddTo(sum, *node.inputs[1], subtract != (node.op == Op::kSubtract));
    } else if (node.op == Op::kNegate) {
      AddTo(sum, *node.inputs[0], !subtract);
    } else {
      sum->terms.emplace_back(subtract, &node);
    }
  }

  static TimeSum TimeSumOf(const Node& node) {
    TimeSum sum;
    if (node.type == kTimestampType || node.type == kDurationType) AddTo(&sum, node, false);
    return sum;
  }

  // A comparison with one now() in it as now() op X. Time is in whole microseconds: now() > X is now() >= X + 1 µs.
  std::optional<Formula> TimeComparison(Op op, const Node& left, const Node& right, bool complement) {
    TimeSum sum = TimeSumOf(left);
    if (right.type == kTimestampType || right.type == kDurationType) AddTo(&sum, right, true);
    if (sum.now != 1 && sum.now != -1) return std::nullopt;
    if (sum.now == -1) op = Mirrored(op);
    bool turn = sum.now == 1;  // now + rest op 0 is now op -rest; -now + rest op 0 is now mirrored-op rest
    int128 constant = turn ? -sum.constant_us : sum.constant_us;
    if (op == Op::kGreater) constant += 1;
    if (op == Op::kLess) constant -= 1;
    if (op == Op::kGreater) op = Op::kGreaterEqual;
    if (op == Op::kLess) op = Op::kLessEqual;
    std::vector<std::string> terms;
    for (auto [subtracted, term] : sum.terms) terms.push_back((subtracted != turn ? "-" : "+") + Value(*term));
    std::sort(terms.begin(), terms.end());
    terms.push_back(Number(static_cast<int64_t>(constant)) + Number(static_cast<int64_t>(constant >> 64)));
    return Predicate(complement, Tag('n', static_cast<int>(op)), terms);
  }

  // ---- Values ----

  std::vector<std::string> Values(const Node& node) {
    std::vector<std::string> parts;
    for (const NodeRef& input : node.inputs) parts.push_back(Value(*input));
    return parts;
  }

  static std::string ConstantKey(const Constant& constant, Type type) {
    std::string key = TypeBytes(type);
    if (IsAbsent(constant)) return Framed("absent", {key});
    if (auto* text = std::get_if<std::string>(&constant.value)) return Framed("constant", {key, *text});
    if (auto exact = ExactOf(constant)) return Framed("constant", {key, Number(static_cast<int64_t>(exact->unscaled))});
    double number = DoubleOf(constant);
    return Framed("constant", {key, std::string(reinterpret_cast<const char*>(&number), sizeof number)});
  }

  // The zone where one is read: written, or the catalog's, which is the same as writing its name.
  std::string ZoneKey(const NodeRef& zone) {
    if (zone) return Value(*zone);
    Constant catalog;
    catalog.value = std::string(time_zone_);
    return ConstantKey(catalog, kStringType);
  }

  std::string Call(const Node& node) {
    std::vector<std::string> parts = {TypeBytes(node.type)};
    bool reads_zone = (node.function >= Function::kYear && node.function <= Function::kHour) ||
                      (node.function == Function::kAgeIn && (node.age_unit == AgeUnit::kMonth || node.age_unit == AgeUnit::kYear));
    for (size_t i = 0; i < node.inputs.size(); i++) {
      bool unused_zone = node.function == Function::kAgeIn && i == 1 && !reads_zone;
      bool condition = node.function == Function::kIf && i == 0;
      if (!unused_zone) parts.push_back(condition ? Condition(*node.inputs[i], false).key : Value(*node.inputs[i]));
    }
    if (reads_zone && node.inputs.size() == 1) parts.push_back(ZoneKey(nullptr));
    if (node.function == Function::kAgeIn) parts.push_back(Number(static_cast<int>(node.age_unit)));
    return Framed(Tag('f', static_cast<int>(node.function)), parts);
  }

  // Of an aggregate, a property or a step.
  template <class Reader>
  static std::string EventKey(const Reader& reader) {
    if (reader.event_type) return "#" + Number(reader.event_type->value);
    return reader.unknown ? "?" + reader.event_text : "any";
  }

  std::string WhereKey(const NodeRef& where) { return where ? Condition(*where, false).key : "T"; }

  void AddWindow(const Window& window, std::vector<std::string>* parts) {
    bool calendar = window.kind == Window::Kind::kThis || window.kind == Window::Kind::kLast;
    parts->push_back(Number(static_cast<int>(window.kind)));
    parts->push_back(Number(window.from_us) + Number(window.to_us) + Number(calendar ? static_cast<int>(window.unit) : 0));
    parts->push_back(calendar ? ZoneKey(window.zone) : "");
  }

  std::string AggregateKey(const Node& node) {
    std::vector<std::string> parts = {TypeBytes(node.type), EventKey(node)};
    parts.push_back(node.inputs.empty() ? "" : Value(*node.inputs[0]));
    parts.push_back(WhereKey(node.where));
    AddWindow(node.window, &parts);
    parts.push_back(node.aggregate == Aggregate::kDaysActive ? ZoneKey(node.zone) : "");
    if (node.gap_us) parts.push_back(Number(*node.gap_us));
    if (node.half_life_us) parts.push_back(Number(*node.half_life_us));
    return Framed(Tag('g', static_cast<int>(node.aggregate)), parts);
  }

  std::vector<std::string> SequenceParts(const Node& node) {
    std::vector<std::string> parts;
    for (const SequenceStep& step : node.steps)
      parts.push_back(Framed(step.without ? "without" : "then", {EventKey(step), WhereKey(step.where)}));
    parts.push_back(node.within_us ? Number(*node.within_us) : "");
    AddWindow(node.window, &parts);
    return parts;
  }

  std::string_view time_zone_;
};

}  // namespace

std::string SharingKey(const Node& root, std::string_view time_zone, bool as_condition) {
  KeyMaker maker(time_zone);
  bool constant_or_condition = root.op != Op::kAttribute && root.op != Op::kProperty && root.op != Op::kAggregate &&
                               root.op != Op::kPopulation && (root.op != Op::kCall || root.function == Function::kHasIdentifier);
  if (root.type == kBoolType && (as_condition || constant_or_condition)) return "C" + maker.Condition(root, false).key;
  return "V" + maker.Value(root);
}

}  // namespace korrel
