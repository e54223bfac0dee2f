// What a definition that is kept current may say about the clock: only what has an exact next instant at which it changes.
//
// Derived attributes that it names count as if their text stood in their place. Definitions can name each other many times over, so
// what is found out about one is remembered: a walk is linear in the size of what is reached, not in the number of ways to reach it.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "index/expression/binder.h"

namespace korrel {
namespace {

bool IsCall(const Node& node, Function function) { return node.op == Op::kCall && node.function == function; }

template <class Visit>
bool AnyChild(const Node& node, Visit visit) {
  for (const NodeRef& input : node.inputs) {
    if (visit(*input)) return true;
  }
  if (node.where && visit(*node.where)) return true;
  for (const SequenceStep& step : node.steps) {
    if (step.where && visit(*step.where)) return true;
  }
  if (node.zone && visit(*node.zone)) return true;
  if (node.window.zone && visit(*node.window.zone)) return true;
  return node.op == Op::kAttribute && node.definition && visit(*node.definition);
}

// Whether something holds for a node or anything below it, definitions included, each looked at once.
class Search {
 public:
  explicit Search(bool (*holds)(const Node&)) : holds_(holds) {}
  bool In(const Node& node) {
    auto [known, is_new] = found_.try_emplace(&node, false);
    if (!is_new) return known->second;
    bool found = holds_(node) || AnyChild(node, [this](const Node& child) { return In(child); });
    return found_[&node] = found;
  }

 private:
  bool (*holds_)(const Node&);
  std::unordered_map<const Node*, bool> found_;
};

bool CallsNow(const Node& node) { return IsCall(node, Function::kNow); }
bool ReadsClock(const Node& node) { return IsCall(node, Function::kNow) || IsCall(node, Function::kAgeIn) || node.op == Op::kPopulation; }
bool ReadsPopulation(const Node& node) { return node.op == Op::kPopulation; }
bool Decays(const Node& node) {
  return node.op == Op::kAggregate && (node.aggregate == Aggregate::kDecayedCount || node.aggregate == Aggregate::kDecayedSum);
}
// A decayed aggregate by itself, or the name of one.
bool IsDecayed(const Node& node) { return Decays(node) || (node.op == Op::kAttribute && node.definition && IsDecayed(*node.definition)); }
bool ReadsProfile(const Node& node) {
  if (node.op == Op::kAttribute) return !node.definition;
  if (node.op == Op::kAggregate || node.op == Op::kSequence || node.op == Op::kInSegment) return true;
  return IsCall(node, Function::kBucket) || IsCall(node, Function::kHasIdentifier) || IsCall(node, Function::kCreatedAt) ||
         IsCall(node, Function::kUpdatedAt);
}

constexpr std::string_view kNowAdvice =
    "in a definition that is kept current, now() stands only in timestamp sums compared by < <= > >= between, in calendar functions and "
    "in age_in";
constexpr std::string_view kDecayAdvice =
    "a decayed value changes all the time; in a definition that is kept current it stands alone on one side of < <= > >= between, or as "
    "an attribute of its own";

class ClockRules {
 public:
  // All three give the problem, or nothing.
  std::optional<Problem> CheckNow(const Node& node, const TextRange* within) {
    if (!calls_now_.In(node)) return std::nullopt;
    const TextRange& range = within ? *within : node.range;
    switch (node.op) {
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
      case Op::kBetween:
        return CheckComparison(node, within);
      case Op::kEqual:
      case Op::kNotEqual:
        if (Coefficient(*node.inputs[0]).value_or(0) != 0 || Coefficient(*node.inputs[1]).value_or(0) != 0) {
          return Refused(range, "equality with now() holds for one microsecond; use a range or age_in");
        }
        return CheckChildren(node, within);
      case Op::kCall:
        return CheckCall(node, within);
      case Op::kAttribute:
        return CheckDefinition(node, range);
      default:
        return CheckChildren(node, within);
    }
  }

  // Values that fade: only where the instant of the next change is known.
  std::optional<Problem> CheckDecay(const Node& node, const TextRange* within) {
    if (!decays_.In(node)) return std::nullopt;
    const TextRange& range = within ? *within : node.range;
    switch (node.op) {
      case Op::kAggregate:
        return Refused(range, kDecayAdvice);
      case Op::kEqual:
      case Op::kNotEqual:
        if (IsDecayed(*node.inputs[0]) || IsDecayed(*node.inputs[1])) {
          return Refused(range, "a decayed value equals a number for a moment at most; compare it by < <= > >= or between");
        }
        return CheckChildrenDecay(node, within);
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
      case Op::kBetween:
        return CheckDecayedComparison(node, within);
      case Op::kAttribute:
        return CheckDefinitionDecay(node, range);
      default:
        return CheckChildrenDecay(node, within);
    }
  }

  // Branches of the outermost `or`, seen through negations: not (a and b) is one.
  std::optional<Problem> CheckClockAlone(const Node& node, bool complement) {
    if (node.op == Op::kNot) return CheckClockAlone(*node.inputs[0], !complement);
    bool is_or = node.op == (complement ? Op::kAnd : Op::kOr);
    if (is_or) {
      for (const NodeRef& input : node.inputs) {
        if (auto problem = CheckClockAlone(*input, complement)) return problem;
      }
      return std::nullopt;
    }
    if (!reads_clock_.In(node) || reads_profile_.In(node)) return std::nullopt;
    std::string_view what = reads_population_.In(node) ? "published figures" : "the clock";
    return Refused(node.range,
                   fmt::format("a condition on {} alone changes for everybody at once; put it into the question or the action", what));
  }

 private:
  static Problem Refused(const TextRange& range, std::string_view message) {
    return {"NOT_CLOCK_EXACT", range.begin, range.end, std::string(message), {}};
  }

  std::optional<Problem> CheckChildren(const Node& node, const TextRange* within) {
    std::optional<Problem> problem;
    AnyChild(node, [&](const Node& child) { return (problem = CheckNow(child, within)).has_value(); });
    return problem;
  }

  // A derived attribute has passed once for all places it is named in, wherever it does not take part in a timestamp sum.
  std::optional<Problem> CheckDefinition(const Node& node, const TextRange& range) {
    if (passed_.contains(node.definition.get())) return std::nullopt;
    auto problem = CheckNow(*node.definition, &range);
    if (!problem) passed_.emplace(node.definition.get(), true);
    return problem;
  }

  std::optional<Problem> CheckCall(const Node& node, const TextRange* within) {
    const TextRange& range = within ? *within : node.range;
    switch (node.function) {
      case Function::kNow:
        return Refused(range, kNowAdvice);
      case Function::kYear:
      case Function::kMonth:
      case Function::kDay:
      case Function::kWeekday:
      case Function::kHour:
      case Function::kAgeIn:
        break;
      default:
        return CheckChildren(node, within);
    }
    auto coefficient = Coefficient(*node.inputs[0]);
    bool moves_with_clock = coefficient && (*coefficient == 0 || *coefficient == 1);
    if (!moves_with_clock) {
      if (coefficient) return Refused(range, kNowAdvice);
      if (auto problem = CheckNow(*node.inputs[0], within)) return problem;
    }
    return node.inputs.size() > 1 ? CheckNow(*node.inputs[1], within) : std::nullopt;
  }

  std::optional<Problem> CheckChildrenDecay(const Node& node, const TextRange* within) {
    std::optional<Problem> problem;
    AnyChild(node, [&](const Node& child) { return (problem = CheckDecay(child, within)).has_value(); });
    return problem;
  }

  std::optional<Problem> CheckDefinitionDecay(const Node& node, const TextRange& range) {
    if (fades_rightly_.contains(node.definition.get())) return std::nullopt;
    auto problem = CheckDecay(*node.definition, &range);
    if (!problem) fades_rightly_.emplace(node.definition.get(), true);
    return problem;
  }

  // Each of the comparisons that it is, one or for `between` two, has at most one decayed side.
  std::optional<Problem> CheckDecayedComparison(const Node& node, const TextRange* within) {
    for (const NodeRef& input : node.inputs) {
      if (IsDecayed(*input)) continue;
      if (auto problem = CheckDecay(*input, within)) return problem;
    }
    for (size_t i = 1; i < node.inputs.size(); i++) {
      if (!IsDecayed(*node.inputs[0]) || !IsDecayed(*node.inputs[i])) continue;
      return Refused(within ? *within : node.range, "two decayed values have no exact instant at which one passes the other");
    }
    return std::nullopt;
  }

  // Moved to one side, now() must stand there once at most.
  std::optional<Problem> CheckComparison(const Node& node, const TextRange* within) {
    const TextRange& range = within ? *within : node.range;
    for (const NodeRef& input : node.inputs) {
      if (Coefficient(*input)) continue;
      if (auto problem = CheckNow(*input, within)) return problem;
    }
    int left = Coefficient(*node.inputs[0]).value_or(0);
    for (size_t i = 1; i < node.inputs.size(); i++) {
      int together = left - Coefficient(*node.inputs[i]).value_or(0);
      if (together < -1 || together > 1) return Refused(range, "now() stands more than once in this comparison; once is enough");
    }
    return std::nullopt;
  }

  // How often now() is added in a sum of timestamps and durations; 0 without it, nullopt where it is used in any other way. Kept small,
  // so that definitions that double each other cannot overflow it.
  std::optional<int> Coefficient(const Node& node) {
    auto known = coefficients_.find(&node);
    if (known != coefficients_.end()) return known->second;
    std::optional<int> result = FreshCoefficient(node);
    if (result) result = std::clamp(*result, -1000, 1000);
    coefficients_.emplace(&node, result);
    return result;
  }

  std::optional<int> FreshCoefficient(const Node& node) {
    if (!calls_now_.In(node)) return 0;
    if (CallsNow(node)) return 1;
    if (node.op == Op::kAttribute && node.definition) return Coefficient(*node.definition);
    if (node.op != Op::kAdd && node.op != Op::kSubtract && node.op != Op::kNegate) return std::nullopt;
    auto first = Coefficient(*node.inputs[0]);
    if (node.op == Op::kNegate) return first ? std::optional(-*first) : std::nullopt;
    auto second = Coefficient(*node.inputs[1]);
    if (!first || !second) return std::nullopt;
    return node.op == Op::kAdd ? *first + *second : *first - *second;
  }

  Search calls_now_{&CallsNow}, reads_clock_{&ReadsClock}, reads_profile_{&ReadsProfile}, reads_population_{&ReadsPopulation},
      decays_{&Decays};
  std::unordered_map<const Node*, std::optional<int>> coefficients_;
  std::unordered_map<const Node*, bool> passed_, fades_rightly_;
};

}  // namespace

bool Binder::CheckPlace(Node* root) {
  bool definition = options_.place == ExpressionPlace::kAttributeDefinition;
  bool segment = options_.place == ExpressionPlace::kLiveSegment;
  if (definition && root->type == kDurationType) {
    return Fail("TYPE", root->range, "an attribute cannot hold a duration; divide by a unit, as in x / 1d");
  }
  bool kept_current = segment || (definition && own_aggregate_);
  if (!kept_current) return true;
  ClockRules rules;
  auto problem = rules.CheckNow(*root, nullptr);
  bool is_decayed_attribute = definition && Decays(*root);
  if (!problem && !is_decayed_attribute) problem = rules.CheckDecay(*root, nullptr);
  if (!problem && segment) problem = rules.CheckClockAlone(*root, false);
  return !problem || Fail(std::move(*problem));
}

}  // namespace korrel
