// Functions: rounding, texts, calendar, and what only the profile knows.

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "index/evaluation/exact.h"
#include "index/evaluation/promotion.h"
#include "index/evaluation/vector_machine.h"
#include "index/evaluation/work.h"

namespace korrel {
namespace {

constexpr uint64_t kBuckets = 10'000;

// XXH3-64 (seed 0) of the salt, a zero byte and the id, least significant byte first.
int64_t BucketOf(std::string_view salt, ProfileId id) {
  std::string bytes(salt);
  bytes.push_back('\0');
  for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(id.value >> shift));
  return static_cast<int64_t>(XXH3_64bits(bytes.data(), bytes.size()) % kBuckets);
}

std::optional<int64_t> RoundedDouble(Function function, double x, Type type) {
  switch (function) {
    case Function::kFloor:
      return exact::ToInt(std::floor(x));
    case Function::kCeil:
      return exact::ToInt(std::ceil(x));
    default:
      return exact::Round(x, type.scale);
  }
}

std::optional<int64_t> RoundedExact(Function function, int64_t x, int scale, Type type) {
  switch (function) {
    case Function::kFloor:
      return exact::Floor(x, scale);
    case Function::kCeil:
      return exact::Ceil(x, scale);
    default:
      return exact::Round(x, scale, type.scale);
  }
}

}  // namespace

int64_t CalendarPart(Function function, const Zone::Reading& reading) {
  switch (function) {
    case Function::kYear:
      return reading.year;
    case Function::kMonth:
      return reading.month;
    case Function::kDay:
      return reading.day;
    case Function::kWeekday:
      return reading.weekday;
    default:
      return reading.hour;
  }
}

void VectorMachine::Call(const Term& term, Batch* batch, const uint8_t* active, Slot* slot) {
  Vector* out = &slot->vector;
  switch (term.node->function) {
    case Function::kAbs:
      return Absolute(term, batch, active, out);
    case Function::kRound:
    case Function::kFloor:
    case Function::kCeil:
      return Rounding(term, batch, active, out);
    case Function::kCoalesce:
      return Coalesce(term, batch, active, slot);
    case Function::kIf:
      return If(term, batch, active, slot);
    case Function::kLower:
    case Function::kUpper:
    case Function::kLength:
      return TextFunction(term, batch, active, out);
    case Function::kMin:
    case Function::kMax:
      return MinMax(term, batch, active, slot);
    case Function::kYear:
    case Function::kMonth:
    case Function::kDay:
    case Function::kWeekday:
    case Function::kHour:
    case Function::kAgeIn:
      return Calendar(term, batch, active, out);
    case Function::kNow:
    case Function::kBucket:
    case Function::kHasIdentifier:
    case Function::kCreatedAt:
    case Function::kUpdatedAt:
      return RowFunction(term, batch, active, out);
    case Function::kConsent:
    case Function::kConsentState:
    case Function::kNone:
      break;  // refused when bound
  }
  out->Reset(term.type.kind, batch->size);
}

void VectorMachine::Absolute(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  const Vector& x = Evaluate(*term.inputs[0], batch, active);
  out->Reset(term.type.kind, batch->size);
  for (size_t i = 0; i < batch->size; ++i) {
    if (!x.present[i]) continue;
    if (term.type.kind == ValueKind::kDouble) {
      out->PutDouble(i, std::fabs(x.doubles[i]));
    } else if (x.ints[i] != INT64_MIN) {
      out->Put(i, x.ints[i] < 0 ? -x.ints[i] : x.ints[i]);
    }
  }
}

void VectorMachine::Rounding(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  const Type from = term.inputs[0]->type;
  const Vector& x = Evaluate(*term.inputs[0], batch, active);
  out->Reset(term.type.kind, batch->size);
  for (size_t i = 0; i < batch->size; ++i) {
    if (!x.present[i]) continue;
    const std::optional<int64_t> result = from.kind == ValueKind::kDouble
                                              ? RoundedDouble(term.node->function, x.doubles[i], term.type)
                                              : RoundedExact(term.node->function, x.ints[i], from.scale, term.type);
    if (result) out->Put(i, *result);
  }
}

// All operands are promoted first; one that is absent or does not fit makes the result absent.
void VectorMachine::MinMax(const Term& term, Batch* batch, const uint8_t* active, Slot* slot) {
  const bool smallest = term.node->function == Function::kMin;
  const ValueKind kind = term.type.kind;
  Vector* out = &slot->vector;
  for (size_t k = 0; k < term.inputs.size(); ++k) {
    const Vector& value = Evaluate(*term.inputs[k], batch, active);
    const Vector& x = As(term.type, *term.inputs[k], value, batch->size, &slot->converted[0]);
    if (k == 0) out->Reset(kind, batch->size);
    for (size_t i = 0; i < batch->size; ++i) {
      if (k == 0) {
        out->Take(i, kind, x, i);
      } else if (!out->present[i] || !x.present[i]) {
        out->present[i] = 0;
      } else {
        const bool less = kind == ValueKind::kDouble   ? x.doubles[i] < out->doubles[i]
                          : kind == ValueKind::kString ? x.texts[i] < out->texts[i]
                                                       : x.ints[i] < out->ints[i];
        const bool greater = kind == ValueKind::kDouble   ? x.doubles[i] > out->doubles[i]
                             : kind == ValueKind::kString ? x.texts[i] > out->texts[i]
                                                          : x.ints[i] > out->ints[i];
        if (smallest ? less : greater) out->Take(i, kind, x, i);
      }
    }
  }
}

void VectorMachine::TextFunction(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  const Vector& x = Evaluate(*term.inputs[0], batch, active);
  out->Reset(term.type.kind, batch->size);
  for (size_t i = 0; i < batch->size; ++i) {
    if (!x.present[i] || (active && !active[i])) continue;
    if (term.inputs[0]->type.kind == ValueKind::kSet) {
      out->Put(i, static_cast<int64_t>(x.sets[i].size()));
      continue;
    }
    meter_->Add(x.texts[i].size() / work::kTextBytesPerUnit);
    switch (term.node->function) {
      case Function::kLower:
        out->PutText(i, arena_.Add(text::Lower(x.texts[i])));
        break;
      case Function::kUpper:
        out->PutText(i, arena_.Add(text::Upper(x.texts[i])));
        break;
      default:
        out->Put(i, text::CodePointCount(x.texts[i]));
    }
  }
}

void VectorMachine::Calendar(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  const Vector& times = Evaluate(*term.inputs[0], batch, active);
  const Vector* names = term.zone_term ? &Evaluate(*term.zone_term, batch, active) : nullptr;
  out->Reset(term.type.kind, batch->size);
  for (size_t i = 0; i < batch->size; ++i) {
    if (!times.present[i] || (active && !active[i])) continue;
    const Zone* zone = ZoneOf(term.zone, names, i);
    if (!zone) continue;
    meter_->Add(work::kCalendar);
    if (term.node->function == Function::kAgeIn) {
      out->Put(i, AgeIn(times.ints[i], view_->now_us, term.node->age_unit, *zone));
    } else {
      out->Put(i, CalendarPart(term.node->function, zone->At(times.ints[i])));
    }
  }
}

void VectorMachine::RowFunction(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  const Function function = term.node->function;
  const Vector* salts = function == Function::kBucket ? &Evaluate(*term.inputs[0], batch, active) : nullptr;
  out->Reset(term.type.kind, batch->size);
  if (function == Function::kNow) {
    for (size_t i = 0; i < batch->size; ++i) out->Put(i, view_->now_us);
    return;
  }
  if (batch->kind != Batch::Kind::kRows) return;
  const RowBits* holders = nullptr;
  if (function == Function::kHasIdentifier && term.node->identifier_type)
    holders = view_->table->HavingIdentifier(*term.node->identifier_type);
  for (size_t i = 0; i < batch->size; ++i) {
    const Row row = batch->rows[i];
    std::optional<int64_t> result;
    switch (function) {
      case Function::kBucket:
        if (salts->present[i]) result = BucketOf(salts->texts[i], view_->table->IdOf(row));
        break;
      case Function::kHasIdentifier:
        result = holders && holders->Test(row);
        break;
      case Function::kCreatedAt:
        result = view_->table->CreatedAt(row, view_->now_us);
        break;
      default:
        result = view_->table->UpdatedAt(row, view_->now_us);
    }
    if (result) out->Put(i, *result);
  }
}

}  // namespace korrel
