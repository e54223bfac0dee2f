#include "index/evaluation/vector_machine.h"

#include <algorithm>

#include "index/evaluation/aggregate.h"
#include "index/evaluation/promotion.h"
#include "index/evaluation/work.h"

namespace korrel {

namespace {
constexpr size_t kZonesRemembered = 1'024;
}

VectorMachine::VectorMachine(const ShardView* view, uint32_t slot_count, WorkMeter* meter)
    : view_(view), meter_(meter), slots_(slot_count) {}
VectorMachine::~VectorMachine() = default;

VectorMachine::Slot& VectorMachine::SlotOf(const Term& term) {
  std::unique_ptr<Slot>& slot = slots_[term.slot];
  if (!slot) slot = std::make_unique<Slot>();
  return *slot;
}

void VectorMachine::NewBatch(bool keep_texts) {
  ++batch_serial_;
  if (keep_texts_) kept_ = arena_.mark();
  arena_.Rewind(kept_);
  keep_texts_ = keep_texts;
}

const Vector& VectorMachine::Evaluate(const Term& term, Batch* batch, const uint8_t* active) {
  Slot& slot = SlotOf(term);
  const bool remember = term.shared && batch->kind != Batch::Kind::kEvents;
  if (remember && slot.batch_serial == batch_serial_) return slot.vector;
  if (remember) active = nullptr;
  meter_->Add(work::kTermBatch + batch->size * work::kTermRow);
  Dispatch(term, batch, active, &slot);
  if (remember) slot.batch_serial = batch_serial_;
  return slot.vector;
}

void VectorMachine::Dispatch(const Term& term, Batch* batch, const uint8_t* active, Slot* slot) {
  switch (term.op) {
    case Op::kConstant:
    case Op::kParameter:
      return Constant(term, batch->size, &slot->vector);
    case Op::kAttribute:
      return term.definition ? EvaluateDefinition(term, batch, active, slot) : Column(term, batch, &slot->vector);
    case Op::kInSegment:
      if (term.kept) return Members(term, batch, &slot->vector);
      return term.definition ? EvaluateDefinition(term, batch, active, slot) : ListMembership(term, batch, &slot->vector);
    case Op::kProperty:
    case Op::kEventTime:
      return Property(term, batch, active, &slot->vector);
    case Op::kAnd:
    case Op::kOr:
      return AndOr(term, batch, active, slot);
    case Op::kNot:
      return Not(term, batch, active, &slot->vector);
    case Op::kEqual:
    case Op::kNotEqual:
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kGreater:
    case Op::kGreaterEqual:
      return Compare(term, batch, active, slot);
    case Op::kBetween:
      return Between(term, batch, active, slot);
    case Op::kIn:
      return In(term, batch, active, &slot->vector);
    case Op::kHasAny:
    case Op::kHasAll:
    case Op::kHasNone:
    case Op::kHas:
      return SetTest(term, batch, active, &slot->vector);
    case Op::kContains:
    case Op::kLike:
    case Op::kMatches:
      return TextTest(term, batch, active, &slot->vector);
    case Op::kIsPresent:
    case Op::kIsAbsent:
      return PresenceTest(term, batch, active, &slot->vector);
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kModulo:
      return ArithmeticChain(term, batch, active);
    case Op::kNegate:
      return Negate(term, batch, active, &slot->vector);
    case Op::kCall:
      return Call(term, batch, active, slot);
    case Op::kAggregate:
      if (term.IsColumn()) return Column(term, batch, &slot->vector);
      return AggregateFolder(this, term).Evaluate(batch, active, &slot->vector);
    case Op::kContext:
    case Op::kOffer:
      break;  // refused when bound
    case Op::kPopulation:
      return Population(term, batch->size, &slot->vector);
    case Op::kSequence:
      if (term.kept) return KeptSequence(term, batch, &slot->vector);
      return Sequence(term, batch, active, &slot->vector);
  }
  slot->vector.Reset(term.type.kind, batch->size);
}

void VectorMachine::Constant(const Term& term, size_t n, Vector* out) {
  out->Reset(term.type.kind, n);
  if (!term.constant.present[0]) return;
  std::fill(out->present.begin(), out->present.end(), 1);
  switch (term.type.kind) {
    case ValueKind::kDouble:
      std::fill(out->doubles.begin(), out->doubles.end(), term.constant.doubles[0]);
      break;
    case ValueKind::kString:
      std::fill(out->texts.begin(), out->texts.end(), term.constant.texts[0]);
      break;
    case ValueKind::kSet:
      std::fill(out->sets.begin(), out->sets.end(), term.constant.sets[0]);
      break;
    default:
      std::fill(out->ints.begin(), out->ints.end(), term.constant.ints[0]);
  }
}

// A figure of another type than the one that was bound is one of a definition that was replaced: absent, as before its first publication.
void VectorMachine::Population(const Term& term, size_t n, Vector* out) {
  out->Reset(term.type.kind, n);
  if (!view_->population) return;
  const auto found = view_->population->by_name.find(term.node->text);
  if (found == view_->population->by_name.end() || TypeOf(found->second.value) != term.type) return;
  const Value& value = found->second.value;
  const StringSet* set = std::get_if<StringSet>(&value);
  for (size_t i = 0; i < n; ++i) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      out->PutText(i, *text);
    } else if (const auto* number = std::get_if<double>(&value)) {
      out->PutDouble(i, *number);
    } else if (set) {
      out->present[i] = 1;
      out->sets[i] = SetView{.strings = set};
    } else {
      out->Put(i, ScalarOf(korrel::Constant{.value = value}).i);
    }
  }
}

std::optional<DecayState> VectorMachine::DecayOf(const Term& aggregate, Row row) {
  if (aggregate.kept) return view_->kept->Decay(aggregate.unit, row);
  return AggregateFolder(this, aggregate).DecayOf(row);
}

void VectorMachine::EvaluateDefinition(const Term& term, Batch* batch, const uint8_t* active, Slot* slot) {
  const Vector& value = Evaluate(*term.definition, batch, active);
  Vector* out = &slot->vector;
  out->Reset(term.type.kind, batch->size);
  if (term.op == Op::kInSegment) {  // a condition, whatever the definition is
    for (size_t i = 0; i < batch->size; ++i) out->Put(i, value.True(i));
    return;
  }
  const Vector& promoted = As(term.type, *term.definition, value, batch->size, &slot->converted[0]);
  for (size_t i = 0; i < batch->size; ++i) out->Take(i, term.type.kind, promoted, i);
}

const Vector& VectorMachine::As(Type type, const Term& input, const Vector& vector, size_t n, Vector* scratch) {
  if (input.type == type) return vector;
  Promote(vector, input.type, type, n, scratch);
  return *scratch;
}

const Zone* VectorMachine::ZoneOf(const Zone* fixed, const Vector* names, size_t i) {
  if (!names) return fixed;
  if (!names->present[i]) return nullptr;
  const std::string_view name = names->texts[i];
  if (auto it = zones_.find(Abseil(name)); it != zones_.end()) return it->second;
  meter_->Add(work::kCalendar);
  const Zone* zone = Zone::Find(name);
  if (zones_.size() < kZonesRemembered) zones_.emplace(name, zone);
  return zone;
}

}  // namespace korrel
