#include "index/expression/fold.h"

#include <cmath>

namespace korrel {
namespace {

Constant OfExact(int128 unscaled, Type type) {
  Constant result;
  if (unscaled < INT64_MIN || unscaled > INT64_MAX) return result;
  auto value = static_cast<int64_t>(unscaled);
  switch (type.kind) {
    case ValueKind::kInt:
      result.value = value;
      break;
    case ValueKind::kDecimal:
      result.value = Decimal{value, type.scale};
      break;
    case ValueKind::kTimestamp:
      if (InTimestampRange(value)) result.value = Timestamp{value};
      break;
    case ValueKind::kDuration:
      result.duration_us = value;
      break;
    default:
      break;
  }
  return result;
}

Constant OfDouble(double value) {
  Constant result;
  if (!std::isfinite(value)) return result;
  result.value = value == 0 ? 0.0 : value;
  result.is_double = true;
  return result;
}

int128 ToScale(const ExactNumber& number, int scale) { return number.unscaled * kPowersOf10[scale - number.scale]; }

Constant FoldDoubles(Op op, double a, double b) {
  switch (op) {
    case Op::kAdd:
      return OfDouble(a + b);
    case Op::kSubtract:
      return OfDouble(a - b);
    case Op::kMultiply:
      return OfDouble(a * b);
    default:
      return b == 0 ? Constant{} : OfDouble(a / b);
  }
}

// Operands of 64 bits at scales up to 18 stay far inside 128 bits, sums and products included.
Constant FoldExact(Op op, const ExactNumber& a, const ExactNumber& b, Type type) {
  if (op == Op::kDivide) return b.unscaled == 0 ? Constant{} : OfDouble(ExactQuotient(a.unscaled, a.scale, b.unscaled, b.scale));
  if (op == Op::kMultiply) return OfExact(a.unscaled * b.unscaled, type);
  int scale = std::max(a.scale, b.scale);
  int128 x = ToScale(a, scale), y = ToScale(b, scale);
  if (op == Op::kAdd) return OfExact(x + y, type);
  if (op == Op::kSubtract) return OfExact(x - y, type);
  return y == 0 ? Constant{} : OfExact(x % y, type);
}

Constant FoldBinary(const Node& node, const Constant& a, const Constant& b) {
  if (IsAbsent(a) || IsAbsent(b)) return {};
  auto x = ExactOf(a), y = ExactOf(b);
  if (x && y) return FoldExact(node.op, *x, *y, node.type);
  return FoldDoubles(node.op, DoubleOf(a), DoubleOf(b));
}

Constant FoldNegate(const Node& node, const Constant& a) {
  if (IsAbsent(a)) return {};
  if (auto x = ExactOf(a)) return OfExact(-x->unscaled, node.type);
  return OfDouble(-DoubleOf(a));
}

}  // namespace

bool IsAbsent(const Constant& constant) { return !constant.duration_us && !IsPresent(constant.value); }

std::optional<ExactNumber> ExactOf(const Constant& constant) {
  if (constant.duration_us) return ExactNumber{*constant.duration_us, 0};
  if (auto* b = std::get_if<bool>(&constant.value)) return ExactNumber{*b ? 1 : 0, 0};
  if (auto* i = std::get_if<int64_t>(&constant.value)) return ExactNumber{*i, 0};
  if (auto* d = std::get_if<Decimal>(&constant.value)) return ExactNumber{d->unscaled, d->scale};
  if (auto* t = std::get_if<Timestamp>(&constant.value)) return ExactNumber{t->us, 0};
  return std::nullopt;
}

double DoubleOf(const Constant& constant) {
  if (auto* x = std::get_if<double>(&constant.value)) return *x;
  auto exact = ExactOf(constant).value_or(ExactNumber{});
  return ToNearestDouble(exact.unscaled, exact.scale);
}

std::partial_ordering CompareConstants(const Constant& a, const Constant& b) {
  auto* s = std::get_if<std::string>(&a.value);
  auto* t = std::get_if<std::string>(&b.value);
  if (s && t) return *s <=> *t;
  auto x = ExactOf(a), y = ExactOf(b);
  if (!x || !y) return DoubleOf(a) <=> DoubleOf(b);
  int scale = std::max(x->scale, y->scale);
  return ToScale(*x, scale) <=> ToScale(*y, scale);
}

std::optional<Constant> FoldConstant(const Node& node) {
  switch (node.op) {
    case Op::kConstant:
    case Op::kParameter:
      return node.constant;
    case Op::kNegate: {
      auto a = FoldConstant(*node.inputs[0]);
      return a ? std::optional(FoldNegate(node, *a)) : std::nullopt;
    }
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kModulo: {
      auto a = FoldConstant(*node.inputs[0]);
      auto b = a ? FoldConstant(*node.inputs[1]) : std::nullopt;
      return b ? std::optional(FoldBinary(node, *a, *b)) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

}  // namespace korrel
