// Logic, choice and presence: `and or not if coalesce`, `is present`, `is absent`.

#include <algorithm>

#include "index/evaluation/vector_machine.h"

namespace korrel {
namespace {

bool Active(const uint8_t* active, size_t i) { return !active || active[i]; }

}  // namespace

// Operands after the first are asked only for the items that are still undecided; `mask` holds those.
void VectorMachine::AndOr(const Term& term, Batch* batch, const uint8_t* active, Slot* slot) {
  const bool deciding = term.op == Op::kOr;
  const size_t n = batch->size;
  slot->mask.assign(n, 1);
  if (active) std::copy_n(active, n, slot->mask.begin());
  std::vector<uint8_t>& open = slot->mask;
  Vector* out = &slot->vector;
  out->Reset(ValueKind::kBool, n);
  for (size_t i = 0; i < n; ++i) out->Put(i, !deciding);
  for (const Term* input : term.inputs) {
    const Vector& operand = Evaluate(*input, batch, open.data());
    bool any_open = false;
    for (size_t i = 0; i < batch->size; ++i) {
      if (!open[i]) continue;
      if (operand.True(i) == deciding) {
        out->ints[i] = deciding;
        open[i] = 0;
      }
      any_open |= open[i];
    }
    if (!any_open) break;
  }
}

void VectorMachine::Not(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  const Vector& operand = Evaluate(*term.inputs[0], batch, active);
  out->Reset(ValueKind::kBool, batch->size);
  for (size_t i = 0; i < batch->size; ++i) out->Put(i, !operand.True(i));
}

void VectorMachine::PresenceTest(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  const Vector& operand = Evaluate(*term.inputs[0], batch, active);
  const bool wanted = term.op == Op::kIsPresent;
  out->Reset(ValueKind::kBool, batch->size);
  for (size_t i = 0; i < batch->size; ++i) out->Put(i, (operand.present[i] != 0) == wanted);
}

void VectorMachine::If(const Term& term, Batch* batch, const uint8_t* active, Slot* slot) {
  const Vector& condition = Evaluate(*term.inputs[0], batch, active);
  const size_t n = batch->size;
  Vector* out = &slot->vector;
  out->Reset(term.type.kind, n);
  for (size_t branch = 1; branch <= 2; ++branch) {
    slot->mask.assign(n, 0);
    for (size_t i = 0; i < n; ++i) slot->mask[i] = Active(active, i) && condition.True(i) == (branch == 1);
    if (std::find(slot->mask.begin(), slot->mask.end(), 1) == slot->mask.end()) continue;
    const Vector& value = Evaluate(*term.inputs[branch], batch, slot->mask.data());
    const Vector& promoted = As(term.type, *term.inputs[branch], value, batch->size, &slot->converted[0]);
    for (size_t i = 0; i < batch->size; ++i) {
      if (slot->mask[i]) out->Take(i, term.type.kind, promoted, i);
    }
  }
}

// The first present operand decides, even where promoting it leaves nothing.
void VectorMachine::Coalesce(const Term& term, Batch* batch, const uint8_t* active, Slot* slot) {
  const size_t n = batch->size;
  slot->mask.assign(n, 1);
  if (active) std::copy_n(active, n, slot->mask.begin());
  Vector* out = &slot->vector;
  out->Reset(term.type.kind, n);
  for (const Term* input : term.inputs) {
    const Vector& value = Evaluate(*input, batch, slot->mask.data());
    const Vector& promoted = As(term.type, *input, value, batch->size, &slot->converted[0]);
    bool any_open = false;
    for (size_t i = 0; i < batch->size; ++i) {
      if (!slot->mask[i]) continue;
      if (value.present[i]) {
        out->Take(i, term.type.kind, promoted, i);
        slot->mask[i] = 0;
      }
      any_open |= slot->mask[i];
    }
    if (!any_open) break;
  }
}

}  // namespace korrel
