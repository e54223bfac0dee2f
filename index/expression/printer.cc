// The normal form: the tree as it was written, in one spelling. Parentheses stand where binding needs them and behind `not`.
#include <fmt/format.h>

#include "index/expression/expression.h"
#include "index/expression/literal.h"
#include "index/expression/words.h"

namespace korrel {
namespace {

// How tightly an operator binds; an operand that binds less than its place asks for stands in parentheses.
enum Binding { kOrBinding = 1, kAndBinding, kNotBinding, kTestBinding, kSumBinding, kTermBinding, kUnaryBinding, kValueBinding };

Binding BindingOf(Op op) {
  switch (op) {
    case Op::kOr:
      return kOrBinding;
    case Op::kAnd:
      return kAndBinding;
    case Op::kNot:
      return kNotBinding;
    case Op::kAdd:
    case Op::kSubtract:
      return kSumBinding;
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kModulo:
      return kTermBinding;
    case Op::kNegate:
      return kUnaryBinding;
    default:
      return op >= Op::kEqual && op <= Op::kIsAbsent ? kTestBinding : kValueBinding;
  }
}

std::string_view SymbolOf(Op op) {
  switch (op) {
    case Op::kOr:
      return "or";
    case Op::kAnd:
      return "and";
    case Op::kEqual:
      return "=";
    case Op::kNotEqual:
      return "!=";
    case Op::kLess:
      return "<";
    case Op::kLessEqual:
      return "<=";
    case Op::kGreater:
      return ">";
    case Op::kGreaterEqual:
      return ">=";
    case Op::kIn:
      return "in";
    case Op::kHasAny:
      return "has any";
    case Op::kHasAll:
      return "has all";
    case Op::kHasNone:
      return "has none";
    case Op::kHas:
      return "has";
    case Op::kContains:
      return "contains";
    case Op::kLike:
      return "like";
    case Op::kMatches:
      return "matches";
    case Op::kIsPresent:
      return "is present";
    case Op::kIsAbsent:
      return "is absent";
    case Op::kAdd:
      return "+";
    case Op::kSubtract:
      return "-";
    case Op::kMultiply:
      return "*";
    case Op::kDivide:
      return "/";
    case Op::kModulo:
      return "%";
    default:
      return "";
  }
}

bool IsWordIn(std::string_view name, std::initializer_list<std::string_view> words) {
  std::string lower = LowerAscii(name);
  for (std::string_view word : words) {
    if (lower == word) return true;
  }
  return false;
}

bool IsNonNegativeNumber(const Node& node) {
  if (node.op != Op::kConstant) return false;
  const Constant& c = node.constant;
  if (c.duration_us) return *c.duration_us >= 0;
  if (auto* i = std::get_if<int64_t>(&c.value)) return *i >= 0;
  if (auto* d = std::get_if<Decimal>(&c.value)) return d->unscaled >= 0;
  if (auto* x = std::get_if<double>(&c.value)) return *x >= 0;
  return false;
}

class Printer {
 public:
  std::string Print(const Node& node) {
    Write(node);
    return std::move(out_);
  }

 private:
  void Operand(const Node& node, Binding least, bool parentheses = false) {
    parentheses = parentheses || BindingOf(node.op) < least;
    if (parentheses) out_ += '(';
    Write(node);
    if (parentheses) out_ += ')';
  }

  void Write(const Node& node) {
    switch (node.op) {
      case Op::kConstant:
        return WriteConstant(node.constant);
      case Op::kParameter:
        out_ += "@" + WrittenName(node.text);
        return;
      case Op::kAttribute:
        // Inside `where` a bare event_time is the event's time; a property of that name is written in quotes.
        out_ += WrittenName(node.text, node.quoted && IsWordIn(node.text, {"event_time"}));
        return;
      case Op::kProperty:
        return WriteProperty(node);
      case Op::kEventTime:
        out_ += "event_time";
        return;
      case Op::kInSegment:
        out_ += "in segment " + WrittenString(node.text);
        return;
      case Op::kContext:
        out_ += "context." + WrittenName(node.text);
        return;
      case Op::kOffer:
        out_ += "offer." + WrittenName(node.text);
        return;
      case Op::kPopulation:
        out_ += "population." + WrittenName(node.text);
        return;
      case Op::kAnd:
        return WriteChain(node, kNotBinding);
      case Op::kOr:
        return WriteChain(node, kAndBinding);
      case Op::kNot:
        return WriteNot(*node.inputs[0]);
      case Op::kBetween:
        return WriteBetween(node);
      case Op::kNegate:
        out_ += '-';
        // A minus before a number would belong to the number.
        return Operand(*node.inputs[0], kUnaryBinding, IsNonNegativeNumber(*node.inputs[0]));
      case Op::kCall:
        return WriteCall(node);
      case Op::kAggregate:
        return WriteAggregate(node);
      case Op::kSequence:
        return WriteSequence(node);
      default:
        return WriteOperator(node);
    }
  }

  // Tests and arithmetic: an operand, the operator, and what it needs on its right.
  void WriteOperator(const Node& node) {
    Binding binding = BindingOf(node.op);
    bool test = binding == kTestBinding;
    Operand(*node.inputs[0], test ? kSumBinding : binding);
    out_ += fmt::format(" {}", SymbolOf(node.op));
    if (!node.items.empty()) {
      out_ += ' ';
      WriteItems(node);
    } else if (node.op == Op::kLike || node.op == Op::kMatches) {
      out_ += " " + WrittenString(node.text);
    } else if (node.inputs.size() > 1) {
      out_ += ' ';
      Operand(*node.inputs[1], test ? kSumBinding : static_cast<Binding>(binding + 1));
    }
  }

  void WriteItems(const Node& node) {
    out_ += '(';
    for (size_t i = 0; i < node.items.size(); i++) {
      if (i > 0) out_ += ", ";
      if (i < node.item_parameters.size() && !node.item_parameters[i].empty()) out_ += "@" + WrittenName(node.item_parameters[i]);
      else WriteConstant(node.items[i]);
    }
    out_ += ')';
  }

  void WriteConstant(const Constant& constant) {
    if (constant.duration_us) {
      out_ += FormatDuration(*constant.duration_us);
    } else if (auto* b = std::get_if<bool>(&constant.value)) {
      out_ += *b ? "true" : "false";
    } else if (auto* i = std::get_if<int64_t>(&constant.value)) {
      out_ += fmt::format("{}", *i);
    } else if (auto* d = std::get_if<Decimal>(&constant.value)) {
      out_ += FormatDecimal(d->unscaled, d->scale);
    } else if (auto* x = std::get_if<double>(&constant.value)) {
      out_ += DoubleLiteral(*x);
    } else if (auto* s = std::get_if<std::string>(&constant.value)) {
      out_ += WrittenString(*s);
    } else if (auto* t = std::get_if<Timestamp>(&constant.value)) {
      out_ += constant.is_date ? "date " + WrittenString(constant.date_text) : "timestamp " + WrittenString(FormatTimestamp(*t));
    }
  }

  void WriteProperty(const Node& node) {
    if (node.event_text.empty()) {
      out_ += WrittenName(node.text, IsWordIn(node.text, {"event_time"}));
      return;
    }
    bool name_space = IsWordIn(node.event_text, {"context", "offer", "population"});
    out_ += WrittenName(node.event_text, name_space) + "." + WrittenName(node.text);
  }

  void WriteChain(const Node& node, Binding least) {
    for (size_t i = 0; i < node.inputs.size(); i++) {
      if (i > 0) out_ += fmt::format(" {} ", SymbolOf(node.op));
      Operand(*node.inputs[i], least);
    }
  }

  void WriteNot(const Node& operand) {
    bool bare = operand.op == Op::kAttribute || operand.op == Op::kProperty || operand.op == Op::kEventTime || operand.op == Op::kContext ||
                operand.op == Op::kOffer || operand.op == Op::kPopulation || operand.op == Op::kInSegment || operand.op == Op::kCall ||
                operand.op == Op::kAggregate;
    out_ += "not ";
    Operand(operand, kValueBinding, !bare);
  }

  // An aggregate without a window takes a `between` with a duration behind it for its own.
  void WriteBetween(const Node& node) {
    Operand(*node.inputs[0], kSumBinding, AwaitsWindow(*node.inputs[0]) && BeginsWithDuration(*node.inputs[1]));
    out_ += " between ";
    Operand(*node.inputs[1], kSumBinding);
    out_ += " and ";
    Operand(*node.inputs[2], kSumBinding);
  }

  // Whether the last thing of the written form, outside parentheses, is an aggregate or sequence without a window.
  static bool AwaitsWindow(const Node& node) {
    if (node.op == Op::kAggregate || node.op == Op::kSequence) {
      if (node.window.kind == Window::Kind::kLifetime) return true;
      return node.window.zone && BindingOf(node.window.zone->op) == kValueBinding && AwaitsWindow(*node.window.zone);
    }
    Binding binding = BindingOf(node.op);
    if (binding != kSumBinding && binding != kTermBinding && binding != kUnaryBinding) return false;
    const Node& last = *node.inputs.back();
    return BindingOf(last.op) >= (binding == kUnaryBinding ? binding : binding + 1) && AwaitsWindow(last);
  }

  static bool BeginsWithDuration(const Node& node) {
    if (node.op == Op::kConstant) return node.constant.duration_us && *node.constant.duration_us >= 0;
    Binding binding = BindingOf(node.op);
    if (binding != kSumBinding && binding != kTermBinding) return false;
    return BindingOf(node.inputs[0]->op) >= binding && BeginsWithDuration(*node.inputs[0]);
  }

  void WriteCall(const Node& node) {
    out_ += node.function == Function::kNone ? node.text : std::string(NameOf(node.function));
    out_ += '(';
    for (size_t i = 0; i < node.inputs.size(); i++) {
      if (i > 0) out_ += ", ";
      Write(*node.inputs[i]);
      if (i == 0 && node.function == Function::kAgeIn) out_ += ", " + WrittenString(node.text);
    }
    out_ += ')';
  }

  void WriteAggregate(const Node& node) {
    out_ += fmt::format("{}(", NameOf(node.aggregate));
    if (node.aggregate_counts_events) out_ += WrittenName(node.event_text, node.quoted && IsWordIn(node.event_text, {"any"}));
    else if (!node.inputs.empty()) Write(*node.inputs[0]);
    if (node.where) {
      out_ += " where ";
      Write(*node.where);
    }
    if (node.zone) {
      out_ += ", ";
      Write(*node.zone);
    }
    if (node.gap_us) out_ += ", gap " + FormatDuration(*node.gap_us);
    if (node.half_life_us) out_ += ", half_life " + FormatDuration(*node.half_life_us);
    out_ += ')';
    WriteWindow(node.window);
  }

  void WriteWindow(const Window& window) {
    switch (window.kind) {
      case Window::Kind::kLifetime:
        return;
      case Window::Kind::kSliding:
        if (window.to_us == 0) out_ += " over " + FormatDuration(window.from_us);
        else out_ += fmt::format(" between {} and {} ago", FormatDuration(window.from_us), FormatDuration(window.to_us));
        return;
      case Window::Kind::kThis:
      case Window::Kind::kLast:
        out_ += fmt::format(" over {} {}", window.kind == Window::Kind::kThis ? "this" : "last", NameOf(window.unit));
    }
    if (!window.zone) return;
    out_ += " at ";
    Operand(*window.zone, kValueBinding);
  }

  void WriteSequence(const Node& node) {
    out_ += "did";
    for (size_t i = 0; i < node.steps.size(); i++) {
      const SequenceStep& step = node.steps[i];
      if (i > 0) out_ += step.without ? " without" : " then";
      out_ += step.where ? " (" : " ";
      out_ += WrittenName(step.event_text, step.quoted && IsWordIn(step.event_text, {"any"}));
      if (!step.where) continue;
      out_ += " where ";
      Write(*step.where);
      out_ += ')';
    }
    if (node.within_us) out_ += " within " + FormatDuration(*node.within_us);
    WriteWindow(node.window);
  }

  std::string out_;
};

}  // namespace

std::string PrintNode(const Node& node) { return Printer().Print(node); }

}  // namespace korrel
