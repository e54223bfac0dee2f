// Sums, products and their kin: exact in 128 bits, absent where the result does not fit its type.

#include <algorithm>
#include <optional>

#include "index/evaluation/exact.h"
#include "index/evaluation/promotion.h"
#include "index/evaluation/vector_machine.h"

namespace korrel {
namespace {

struct Operand {
  const Vector& vector;
  Type type;
  double Double(size_t i) const { return ToDouble(vector, type, i); }
  int128 Exact(size_t i, int scale) const { return exact::Widen(vector.ints[i], type.scale, scale); }
};

std::optional<double> DoubleResult(Op op, double a, double b) {
  switch (op) {
    case Op::kAdd:
      return exact::Finite(a + b);
    case Op::kSubtract:
      return exact::Finite(a - b);
    case Op::kMultiply:
      return exact::Finite(a * b);
    default:
      return b == 0 ? std::nullopt : exact::Finite(a / b);
  }
}

// Division of two exact numbers or durations: the quotient rounded once.
std::optional<double> Quotient(const Operand& a, const Operand& b, size_t i) {
  if (b.vector.ints[i] == 0) return std::nullopt;
  return exact::Finite(ExactQuotient(a.vector.ints[i], a.type.scale, b.vector.ints[i], b.type.scale));
}

std::optional<int64_t> ExactResult(Op op, const Operand& a, const Operand& b, size_t i) {
  if (op == Op::kMultiply) return exact::Fit(a.Exact(i, a.type.scale) * b.vector.ints[i]);
  const int scale = std::max(a.type.scale, b.type.scale);
  const int128 x = a.Exact(i, scale), y = b.Exact(i, scale);
  if (op == Op::kAdd) return exact::Fit(x + y);
  if (op == Op::kSubtract) return exact::Fit(x - y);
  if (y == 0) return std::nullopt;
  return exact::Fit(x % y);
}

}  // namespace

void VectorMachine::Arithmetic(const Term& term, const Vector& left, const Term& left_term, Batch* batch, const uint8_t* active,
                               Slot* slot) {
  const Term& right_term = *term.inputs[1];
  const Operand a{left, left_term.type};
  const Operand b{Evaluate(right_term, batch, active), right_term.type};
  const bool doubles = a.type.kind == ValueKind::kDouble || b.type.kind == ValueKind::kDouble;
  Vector* out = &slot->vector;
  out->Reset(term.type.kind, batch->size);
  for (size_t i = 0; i < batch->size; ++i) {
    if (!a.vector.present[i] || !b.vector.present[i]) continue;
    if (term.type.kind == ValueKind::kDouble) {
      const std::optional<double> result = doubles ? DoubleResult(term.op, a.Double(i), b.Double(i)) : Quotient(a, b, i);
      if (result) out->PutDouble(i, *result);
    } else if (auto result = ExactResult(term.op, a, b, i)) {
      if (term.type.kind != ValueKind::kTimestamp || InTimestampRange(*result)) out->Put(i, *result);
    }
  }
}

// Down the left spine, then up: chains may be a thousand operators long.
void VectorMachine::ArithmeticChain(const Term& term, Batch* batch, const uint8_t* active) {
  std::vector<const Term*> spine = {&term};
  auto is_arithmetic = [](const Term& t) { return t.op >= Op::kAdd && t.op <= Op::kModulo; };
  while (is_arithmetic(*spine.back()->inputs[0])) spine.push_back(spine.back()->inputs[0]);
  const Term* left_term = spine.back()->inputs[0];
  const Vector* left = &Evaluate(*left_term, batch, active);
  for (auto it = spine.rbegin(); it != spine.rend(); ++it) {
    Slot& slot = SlotOf(**it);
    Arithmetic(**it, *left, *left_term, batch, active, &slot);
    left = &slot.vector;
    left_term = *it;
  }
}

void VectorMachine::Negate(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  const Vector& x = Evaluate(*term.inputs[0], batch, active);
  out->Reset(term.type.kind, batch->size);
  for (size_t i = 0; i < batch->size; ++i) {
    if (!x.present[i]) continue;
    if (term.type.kind == ValueKind::kDouble) {
      out->PutDouble(i, *exact::Finite(-x.doubles[i]));
    } else if (auto result = exact::Fit(-static_cast<int128>(x.ints[i]))) {
      out->Put(i, *result);
    }
  }
}

}  // namespace korrel
