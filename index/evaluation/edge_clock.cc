// Until when what is read off the clock holds: sums of instants and durations in which now() stands, calendar readings, ages.
#include <algorithm>

#include "index/evaluation/edge.h"
#include "index/evaluation/work.h"

namespace korrel {
namespace {

// Definitions can add now() to itself many times over; beyond this a sum is taken for a value like any other.
constexpr int kFactorMax = 1'000;

bool IsTime(const Term& term) { return term.type.kind == ValueKind::kTimestamp || term.type.kind == ValueKind::kDuration; }

int128 FloorDivide(int128 a, int128 b) { return a / b - (a % b < 0 ? 1 : 0); }
int128 CeilDivide(int128 a, int128 b) { return -FloorDivide(-a, b); }

ReadingUnit UnitOf(Function function) {
  switch (function) {
    case Function::kYear:
      return ReadingUnit::kYear;
    case Function::kMonth:
      return ReadingUnit::kMonth;
    case Function::kHour:
      return ReadingUnit::kHour;
    default:
      return ReadingUnit::kDay;
  }
}

}  // namespace

// A value that does not move with the clock by itself.
EdgeFinder::ClockSum EdgeFinder::LeafOf(const Term& term) {
  const std::optional<int64_t> value = IntOf(term);
  return {.absent = !value, .rest = value.value_or(0), .edge = Edge(term)};
}

EdgeFinder::ClockSum EdgeFinder::BottomOf(const Term& term) {
  if (!term.reads_now || term.kept || !IsTime(term)) return LeafOf(term);
  if (term.Is(Function::kNow)) return {.factor = 1};
  if (term.op == Op::kAttribute && term.definition && term.definition->type == term.type) return SumOf(*term.definition);
  if (term.op != Op::kNegate) return LeafOf(term);
  ClockSum sum = SumOf(*term.inputs[0]);
  sum.factor = -sum.factor;
  sum.rest = -sum.rest;
  return Within(term.type, sum);
}

// Down the left spine, then up: chains may be a thousand operators long.
EdgeFinder::ClockSum EdgeFinder::SumOf(const Term& term) {
  if (auto known = sums_.find(&term); known != sums_.end()) return known->second;
  std::vector<const Term*> spine;
  const Term* bottom = &term;
  auto goes_on = [](const Term& t) { return (t.op == Op::kAdd || t.op == Op::kSubtract) && t.reads_now && !t.kept && IsTime(t); };
  for (; goes_on(*bottom); bottom = bottom->inputs[0]) spine.push_back(bottom);
  ClockSum sum = BottomOf(*bottom);
  for (auto it = spine.rbegin(); it != spine.rend(); ++it) {
    sum = Added(**it, sum, SumOf(*(*it)->inputs[1]));
    if (sum.factor > kFactorMax || sum.factor < -kFactorMax) sum = LeafOf(**it);
  }
  if (term.shared) sums_.emplace(&term, sum);
  return sum;
}

// Of two operands one at least is absent, and so is what is made of them until all that are may be there.
int64_t EdgeFinder::AbsentUntil(const ClockSum& a, const ClockSum& b) {
  if (!a.absent) return b.edge;
  return b.absent ? std::max(a.edge, b.edge) : a.edge;
}

EdgeFinder::ClockSum EdgeFinder::Added(const Term& term, const ClockSum& a, const ClockSum& b) const {
  if (a.absent || b.absent) return {.absent = true, .edge = AbsentUntil(a, b)};
  const int sign = term.op == Op::kAdd ? 1 : -1;
  return Within(term.type, {.factor = a.factor + sign * b.factor,
                            .rest = a.rest + sign * b.rest,
                            .from = std::max(a.from, b.from),
                            .until = std::min(a.until, b.until),
                            .edge = std::min(a.edge, b.edge)});
}

// A result that does not fit its type is absent.
EdgeFinder::ClockSum EdgeFinder::Within(Type type, ClockSum sum) const {
  const bool timestamp = type.kind == ValueKind::kTimestamp;
  const int128 low = timestamp ? kTimestampMinUs : INT64_MIN, high = timestamp ? kTimestampMaxUs : INT64_MAX;
  if (sum.absent) return sum;
  if (sum.factor == 0) {
    if (sum.rest < low || sum.rest > high) sum.absent = true;
  } else if (sum.factor > 0) {
    sum.from = std::max(sum.from, CeilDivide(low - sum.rest, sum.factor));
    sum.until = std::min(sum.until, FloorDivide(high - sum.rest, sum.factor) + 1);
  } else {
    sum.from = std::max(sum.from, CeilDivide(sum.rest - high, -sum.factor));
    sum.until = std::min(sum.until, FloorDivide(sum.rest - low, -sum.factor) + 1);
  }
  return sum;
}

int64_t EdgeFinder::SumPresenceEdge(const ClockSum& sum) const {
  return sum.absent ? sum.edge : HeldWhile(sum.from, sum.until, sum.edge).edge;
}

// True exactly while from <= now < until, as long as the operands are what they are.
EdgeFinder::Held EdgeFinder::HeldWhile(int128 from, int128 until, int64_t operands) const {
  if (from <= now_ && now_ < until) return {true, std::min(operands, ToEdge(until))};
  return {false, now_ < from && from < until ? std::min(operands, ToEdge(from)) : operands};
}

// left <op> right, moved to one side: factor * now + rest <op> 0.
std::optional<EdgeFinder::Held> EdgeFinder::CompareSums(const Term& left, Op op, const Term& right) {
  if (!IsTime(left) || (!left.reads_now && !right.reads_now)) return std::nullopt;
  const ClockSum a = SumOf(left), b = SumOf(right);
  if (a.absent || b.absent) return Held{false, AbsentUntil(a, b)};
  int128 factor = a.factor - b.factor, rest = a.rest - b.rest;
  int128 from = std::max(a.from, b.from), until = std::min(a.until, b.until);
  const int64_t operands = std::min(a.edge, b.edge);
  if (factor < 0) {
    factor = -factor, rest = -rest;
    op = Mirrored(op);
  }
  if (factor == 0) {
    const bool holds = op == Op::kEqual       ? rest == 0
                       : op == Op::kNotEqual  ? rest != 0
                       : op == Op::kLess      ? rest < 0
                       : op == Op::kLessEqual ? rest <= 0
                       : op == Op::kGreater   ? rest > 0
                                              : rest >= 0;
    return HeldWhile(from, holds ? until : from, operands);
  }
  const int128 below = FloorDivide(-rest, factor), above = CeilDivide(-rest, factor);  // equal where now meets it exactly
  switch (op) {
    case Op::kLess:
      return HeldWhile(from, std::min(until, above), operands);
    case Op::kLessEqual:
      return HeldWhile(from, std::min(until, below + 1), operands);
    case Op::kGreater:
      return HeldWhile(std::max(from, below + 1), until, operands);
    case Op::kGreaterEqual:
      return HeldWhile(std::max(from, above), until, operands);
    default:
      break;
  }
  // Equal for one instant, or never.
  const Held equal = HeldWhile(std::max(from, above), std::min(until, below + 1), operands);
  if (op == Op::kEqual) return equal;
  const Held present = HeldWhile(from, until, operands);
  return Held{present.truth && !equal.truth, std::min(present.edge, equal.edge)};
}

const Zone* EdgeFinder::ZoneOf(const Zone* fixed, const Term* zone_term) {
  return machine_->ZoneOf(fixed, zone_term ? &Value(*zone_term) : nullptr, 0);
}

// Until the reading is another one, or one for which the test says otherwise: `hour(now()) < 6` flips twice a day, not 24 times.
int64_t EdgeFinder::CalendarEdge(const Term& term, const IntervalSet* test) {
  const Term& time = *term.inputs[0];
  const int64_t zone_edge = term.zone_term ? Edge(*term.zone_term) : kNever;
  if (!time.reads_now) return std::min(zone_edge, Edge(time));
  const ClockSum sum = SumOf(time);
  if (sum.factor != 0 && sum.factor != 1) return std::min(zone_edge, Edge(time));
  const int64_t edge = std::min(zone_edge, SumPresenceEdge(sum));
  const Zone* zone = ZoneOf(term.zone, term.zone_term);
  if (!zone || sum.absent || sum.factor == 0 || now_ < sum.from || now_ >= sum.until) return edge;
  constexpr int kReadingsMax = 40;  // more than hours of a day or days of a month; then the test is looked at again
  const Function part = term.node->function;
  int64_t at = static_cast<int64_t>(now_ + sum.rest);
  const bool truth = test && test->Contains(CalendarPart(part, zone->At(at)));
  for (int readings = 0; readings < kReadingsMax && at <= kTimestampMaxUs; ++readings) {
    machine_->meter_->Add(work::kCalendar);
    at = zone->NextChange(at, UnitOf(part));
    if (!test || at > kTimestampMaxUs || test->Contains(CalendarPart(part, zone->At(at))) != truth) break;
  }
  return std::min(edge, ToEdge(at - sum.rest));
}

int64_t EdgeFinder::AgeEdge(const Term& term) {
  const std::optional<int64_t> units = IntOf(term);
  return AgeEdgeAbove(term, units.value_or(0));
}

// Until when the age may stay no more than `units`, where it is that or less now.
int64_t EdgeFinder::AgeEdgeAbove(const Term& term, int64_t units) {
  const Term& since = *term.inputs[0];
  const int64_t zone_edge = term.zone_term ? Edge(*term.zone_term) : kNever;
  const Zone* zone = ZoneOf(term.zone, term.zone_term);
  const ClockSum sum = SumOf(since);
  if (sum.factor != 0 && sum.factor != 1) return std::min(zone_edge, Edge(since));
  const int64_t edge = std::min(zone_edge, SumPresenceEdge(sum));
  if (!zone || sum.absent || now_ < sum.from || now_ >= sum.until) return edge;
  machine_->meter_->Add(2 * work::kCalendar);
  if (sum.factor == 1) {
    const int64_t next = NextMovingAge(now_, static_cast<int64_t>(-sum.rest), term.node->age_unit, *zone);
    return next == INT64_MAX ? edge : std::min(edge, ToEdge(next));
  }
  if (units == INT64_MAX) return edge;
  const int64_t complete = InstantOfAge(static_cast<int64_t>(sum.rest), units + 1, term.node->age_unit, *zone);
  return complete == INT64_MAX ? edge : std::min(edge, ToEdge(complete));
}

}  // namespace korrel
