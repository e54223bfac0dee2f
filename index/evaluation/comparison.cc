// Tests: comparisons, lists, sets and texts. A test with an absent operand is false.

#include <algorithm>

#include "index/evaluation/decay.h"
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

VectorMachine::Side VectorMachine::SideOf(const Term& term, Batch* batch, const uint8_t* active) {
  Side side{.term = &term, .decayed = batch->kind == Batch::Kind::kRows ? DecayedIn(term) : nullptr};
  if (!side.decayed) {
    side.values = &Evaluate(term, batch, active);
    return side;
  }
  side.states.resize(batch->size);
  for (size_t i = 0; i < batch->size; ++i) {
    if (active && !active[i]) continue;
    if (i > 0 && batch->may_stop && meter_->exhausted()) {
      batch->size = i;
      break;
    }
    side.states[i] = DecayOf(*side.decayed, batch->rows[i]);
  }
  return side;
}

// What decays is compared by the instant at which it passes the other side (decay.h); two that decay, by their values at now.
void VectorMachine::CompareSides(Op op, const Side& left, const Side& right, size_t n, Vector* out) {
  if (!left.decayed && !right.decayed) return CompareVectors(op, *left.values, left.term->type, *right.values, right.term->type, n, out);
  const int64_t now = view_->now_us;
  auto value_of = [&](const Side& side, size_t i) -> std::optional<double> {
    if (!side.decayed) return side.values->present[i] ? std::optional(ToDouble(*side.values, side.term->type, i)) : std::nullopt;
    return side.states[i] ? DecayedValue(*side.states[i], *side.decayed->node->half_life_us, now) : 0;
  };
  const bool mirrored = !left.decayed;
  const Side &faded = mirrored ? right : left, &other = mirrored ? left : right;
  if (mirrored) op = Mirrored(op);
  const bool by_value = other.decayed || op == Op::kEqual || op == Op::kNotEqual;
  for (size_t i = 0; i < n; ++i) {
    const std::optional<double> c = value_of(other, i);
    bool holds = false;
    if (c && by_value) {
      const std::optional<double> value = value_of(faded, i);
      holds = value && Holds(op, *value, *c);
    } else if (c) {
      const DecayState state = faded.states[i].value_or(DecayState{});
      holds = CompareDecayed(state, *faded.decayed->node->half_life_us, op, *c).At(now);
    }
    out->Put(i, holds);
  }
}

void VectorMachine::Compare(const Term& term, Batch* batch, const uint8_t* active, Slot* slot) {
  const Side left = SideOf(*term.inputs[0], batch, active);
  const Side right = SideOf(*term.inputs[1], batch, active);
  slot->vector.Reset(ValueKind::kBool, batch->size);
  CompareSides(term.op, left, right, batch->size, &slot->vector);
}

void VectorMachine::Between(const Term& term, Batch* batch, const uint8_t* active, Slot* slot) {
  const Side value = SideOf(*term.inputs[0], batch, active);
  const Side low = SideOf(*term.inputs[1], batch, active);
  const Side high = SideOf(*term.inputs[2], batch, active);
  const size_t n = batch->size;
  slot->converted[0].Reset(ValueKind::kBool, n);
  slot->vector.Reset(ValueKind::kBool, n);
  CompareSides(Op::kGreaterEqual, value, low, n, &slot->converted[0]);
  CompareSides(Op::kLessEqual, value, high, n, &slot->vector);
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
