// Tests: comparisons, lists, sets and texts. A test with an absent operand is false.

#include <algorithm>

#include "index/evaluation/exact.h"
#include "index/evaluation/promotion.h"
#include "index/evaluation/vector_machine.h"
#include "index/evaluation/work.h"

namespace korrel {
namespace {

template <class T>
bool Holds(Op op, const T& a, const T& b) {
  switch (op) {
    case Op::kEqual:
      return a == b;
    case Op::kNotEqual:
      return a != b;
    case Op::kLess:
      return a < b;
    case Op::kLessEqual:
      return a <= b;
    case Op::kGreater:
      return a > b;
    default:
      return a >= b;
  }
}

template <class Test>
void Where(size_t n, const Vector& a, const Vector& b, Vector* out, const Test& test) {
  for (size_t i = 0; i < n; ++i) out->Put(i, a.present[i] && b.present[i] && test(i));
}

// out = a <op> b for n items; out is a bool vector of that size.
void CompareVectors(Op op, const Vector& a, Type a_type, const Vector& b, Type b_type, size_t n, Vector* out) {
  if (a_type.kind == ValueKind::kString) {
    Where(n, a, b, out, [&](size_t i) { return Holds(op, a.texts[i], b.texts[i]); });
  } else if (a_type.kind == ValueKind::kDouble || b_type.kind == ValueKind::kDouble) {
    Where(n, a, b, out, [&](size_t i) { return Holds(op, ToDouble(a, a_type, i), ToDouble(b, b_type, i)); });
  } else if (a_type.scale == b_type.scale) {
    Where(n, a, b, out, [&](size_t i) { return Holds(op, a.ints[i], b.ints[i]); });
  } else {
    const int scale = std::max(a_type.scale, b_type.scale);
    Where(n, a, b, out,
          [&](size_t i) { return Holds(op, exact::Widen(a.ints[i], a_type.scale, scale), exact::Widen(b.ints[i], b_type.scale, scale)); });
  }
}

}  // namespace

void VectorMachine::Compare(const Term& term, Batch* batch, const uint8_t* active, Slot* slot) {
  const Term &left = *term.inputs[0], &right = *term.inputs[1];
  const Vector& a = Evaluate(left, batch, active);
  const Vector& b = Evaluate(right, batch, active);
  slot->vector.Reset(ValueKind::kBool, batch->size);
  CompareVectors(term.op, a, left.type, b, right.type, batch->size, &slot->vector);
}

void VectorMachine::Between(const Term& term, Batch* batch, const uint8_t* active, Slot* slot) {
  const Term &value = *term.inputs[0], &low = *term.inputs[1], &high = *term.inputs[2];
  const Vector& x = Evaluate(value, batch, active);
  const Vector& a = Evaluate(low, batch, active);
  const Vector& b = Evaluate(high, batch, active);
  const size_t n = batch->size;
  slot->converted[0].Reset(ValueKind::kBool, n);
  slot->vector.Reset(ValueKind::kBool, n);
  CompareVectors(Op::kGreaterEqual, x, value.type, a, low.type, n, &slot->converted[0]);
  CompareVectors(Op::kLessEqual, x, value.type, b, high.type, n, &slot->vector);
  for (size_t i = 0; i < n; ++i) slot->vector.ints[i] &= slot->converted[0].ints[i];
}

void VectorMachine::In(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  const Vector& x = Evaluate(*term.inputs[0], batch, active);
  const ItemList& items = *term.items;
  const ValueKind kind = term.inputs[0]->type.kind;
  out->Reset(ValueKind::kBool, batch->size);
  for (size_t i = 0; i < batch->size; ++i) {
    bool found = false;
    if (x.present[i] && kind == ValueKind::kString) {
      found = items.texts.contains(x.texts[i]);
    } else if (x.present[i] && kind == ValueKind::kDouble) {
      found = std::binary_search(items.doubles.begin(), items.doubles.end(), x.doubles[i]);
    } else if (x.present[i]) {
      found = items.points.Contains(x.ints[i]);
    }
    out->Put(i, found);
  }
}

void VectorMachine::SetTest(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  const Vector& sets = Evaluate(*term.inputs[0], batch, active);
  if (term.op == Op::kHas) {
    const Vector& texts = Evaluate(*term.inputs[1], batch, active);
    out->Reset(ValueKind::kBool, batch->size);
    Where(batch->size, sets, texts, out, [&](size_t i) { return sets.sets[i].Contains(texts.texts[i]); });
    return;
  }
  const std::vector<std::string_view>& wanted = term.items->distinct_texts;
  out->Reset(ValueKind::kBool, batch->size);
  for (size_t i = 0; i < batch->size; ++i) {
    if (!sets.present[i]) {
      out->Put(i, false);
      continue;
    }
    auto held = [&](std::string_view text) { return sets.sets[i].Contains(text); };
    meter_->Add(wanted.size() * work::kSetRow);
    const bool all = term.op == Op::kHasAll && std::all_of(wanted.begin(), wanted.end(), held);
    const bool any = term.op != Op::kHasAll && std::any_of(wanted.begin(), wanted.end(), held);
    out->Put(i, term.op == Op::kHasNone ? !any : all || any);
  }
}

void VectorMachine::TextTest(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  const Vector& texts = Evaluate(*term.inputs[0], batch, active);
  const Vector* parts = term.op == Op::kContains ? &Evaluate(*term.inputs[1], batch, active) : nullptr;
  out->Reset(ValueKind::kBool, batch->size);
  for (size_t i = 0; i < batch->size; ++i) {
    bool holds = false;
    if (texts.present[i] && (!active || active[i])) {
      const std::string_view text = texts.texts[i];
      meter_->Add(text.size() / work::kTextBytesPerUnit);
      if (term.op == Op::kContains) {
        holds = parts->present[i] && text::Contains(texts.texts[i], parts->texts[i]);
      } else if (term.op == Op::kLike) {
        holds = term.like->Matches(text);
      } else {
        holds = term.regex && re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *term.regex);
      }
    }
    out->Put(i, holds);
  }
}

}  // namespace korrel
