// Until when a test holds: where one side is a count, an age, a calendar reading, a sum with now() in it, the test usually outlives its
// operands.
#include <algorithm>
#include <cmath>

#include "index/evaluation/decay.h"
#include "index/evaluation/edge.h"
#include "index/evaluation/promotion.h"

namespace korrel {
namespace {

// What a name stands for by itself; counts, ages and readings are ints, so nothing is promoted on the way.
const Term& Behind(const Term& term) {
  const Term* behind = &term;
  while (behind->op == Op::kAttribute && behind->definition && !behind->kept && behind->definition->type == behind->type)
    behind = behind->definition;
  return *behind;
}

bool IsReading(const Term& term) {
  return term.Is(Function::kYear) || term.Is(Function::kMonth) || term.Is(Function::kDay) || term.Is(Function::kWeekday) ||
         term.Is(Function::kHour);
}

bool IsCounted(const Term& term) {
  if (term.kept) return false;
  return term.Is(Function::kAgeIn) || IsReading(term) || (term.op == Op::kAggregate && term.node->aggregate == Aggregate::kCount);
}

// The largest interval around a value in which all are members, or none is.
RawInterval SameAround(int64_t value, const IntervalSet& set) {
  RawInterval same{INT64_MIN, INT64_MAX};
  for (const RawInterval& interval : set.intervals()) {
    if (interval.low <= value && value <= interval.high) return interval;
    if (interval.high < value) same.low = interval.high + 1;
    if (interval.low > value) {
      same.high = interval.low - 1;
      break;
    }
  }
  return same;
}

}  // namespace

int64_t EdgeFinder::ComparisonEdge(const Term& term) {
  const std::optional<Held> held = Compare(*term.inputs[0], term.op, *term.inputs[1]);
  return held ? held->edge : LeastOf(term);
}

// Its two comparisons, joined by `and`. Where one of them is known not to hold, the other cannot end that.
int64_t EdgeFinder::BetweenEdge(const Term& term) {
  const Term &value = *term.inputs[0], &bottom = *term.inputs[1], &top = *term.inputs[2];
  const std::optional<Held> low = Compare(value, Op::kGreaterEqual, bottom);
  const std::optional<Held> high = Compare(value, Op::kLessEqual, top);
  if (!low && !high) return LeastOf(term);
  if (!low) return high->truth ? std::min({high->edge, Edge(value), Edge(bottom)}) : high->edge;
  if (!high) return low->truth ? std::min({low->edge, Edge(value), Edge(top)}) : low->edge;
  if (low->truth && high->truth) return std::min(low->edge, high->edge);
  if (!low->truth && !high->truth) return std::max(low->edge, high->edge);
  return low->truth ? high->edge : low->edge;
}

int64_t EdgeFinder::InEdge(const Term& term) {
  const Term& counted = Behind(*term.inputs[0]);
  return IsCounted(counted) ? HeldIn(counted, term.items->points).edge : LeastOf(term);
}

// Nothing where the test holds until one of its operands differs, as far as is known.
std::optional<EdgeFinder::Held> EdgeFinder::Compare(const Term& left, Op op, const Term& right) {
  if (auto held = CompareSums(left, op, right)) return held;
  if (auto held = CompareDecay(left, op, right)) return held;
  if (auto held = CompareDecay(right, Mirrored(op), left)) return held;
  if (auto held = CompareCounted(Behind(left), op, right)) return held;
  return CompareCounted(Behind(right), Mirrored(op), left);
}

// A decayed aggregate against something else: until it has faded past it. A kept one fades like any other.
std::optional<EdgeFinder::Held> EdgeFinder::CompareDecay(const Term& left, Op op, const Term& right) {
  const Term* decayed = DecayedIn(left);
  if (!decayed || DecayedIn(right) || op == Op::kEqual || op == Op::kNotEqual) return std::nullopt;
  const int64_t operands = std::min(decayed->kept ? kNever : EventsEdge(EventsOf(*decayed)), Edge(right));
  const Vector& value = Value(right);
  const std::optional<DecayState> state = machine_->DecayOf(*decayed, row_);
  if (!value.present[0] || (state && !std::isfinite(state->s))) return Held{false, operands};
  const double other = ToDouble(value, right.type, 0);
  const DecayTruth truth = CompareDecayed(state.value_or(DecayState{0, now_}), *decayed->node->half_life_us, op, other);
  return Held{truth.At(now_), now_ < truth.flip_us ? std::min(operands, ToEdge(truth.flip_us)) : operands};
}

std::optional<EdgeFinder::Held> EdgeFinder::CompareCounted(const Term& counted, Op op, const Term& other) {
  if (!IsCounted(counted)) return std::nullopt;
  const int64_t other_edge = Edge(other);
  const Vector& value = Value(other);
  if (!value.present[0]) return Held{false, other_edge};
  Scalar scalar{.type = other.type};
  if (other.type.kind == ValueKind::kDouble) {
    scalar.d = value.doubles[0];
  } else {
    scalar.i = value.ints[0];
  }
  IntervalSet set;
  AddComparison(kIntType, op, scalar, &set);
  set.Finish();
  Held held = HeldIn(counted, set);
  held.edge = std::min(held.edge, other_edge);
  return held;
}

// Whether a count, an age or a calendar reading is one of the numbers of a set.
EdgeFinder::Held EdgeFinder::HeldIn(const Term& counted, const IntervalSet& set) {
  const std::optional<int64_t> value = IntOf(counted);
  if (!value) return {false, Edge(counted)};
  if (IsReading(counted)) return {set.Contains(*value), CalendarEdge(counted, &set)};
  const RawInterval same = SameAround(*value, set);
  const bool age = counted.op == Op::kCall;
  return {set.Contains(*value), age ? AgeEdgeAbove(counted, same.high) : CountEdgeOutside(counted, *value, same)};
}

}  // namespace korrel
