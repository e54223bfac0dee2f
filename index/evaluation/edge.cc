// Until when a value holds: the walk, logic and choice.
#include "index/evaluation/edge.h"

#include <algorithm>

#include "index/evaluation/decay.h"

namespace korrel {
namespace {

bool IsArithmetic(Op op) { return op >= Op::kAdd && op <= Op::kModulo; }

}  // namespace

int64_t EdgeFinder::EdgeOf(const Term& term, Row row) {
  row_ = row;
  now_ = view_.now_us;
  edges_.clear();
  sums_.clear();
  truths_.clear();
  machine_->NewBatch(false);
  return Edge(term);
}

// As a later instant of the clock, which ends with the year 9999.
int64_t EdgeFinder::ToEdge(int128 instant) const {
  if (instant > kTimestampMaxUs) return kNever;
  return instant <= now_ ? now_ + 1 : static_cast<int64_t>(instant);
}

const Vector& EdgeFinder::Value(const Term& term) {
  Batch batch = Batch::OfRows({&row_, 1}, false);
  return machine_->Evaluate(term, &batch, nullptr);
}

std::optional<int64_t> EdgeFinder::IntOf(const Term& term) {
  const Vector& value = Value(term);
  return value.present[0] ? std::optional(value.ints[0]) : std::nullopt;
}

int64_t EdgeFinder::Edge(const Term& term) {
  if (term.kept) return term.op == Op::kAggregate && IsDecayed(term.node->aggregate) ? DecayEdge(term, {}) : kNever;
  if (term.op == Op::kConstant || !term.clock_bound) return kNever;
  if (!term.shared) return FreshEdge(term);
  if (auto known = edges_.find(&term); known != edges_.end()) return known->second;
  const int64_t edge = FreshEdge(term);
  edges_.emplace(&term, edge);
  return edge;
}

int64_t EdgeFinder::FreshEdge(const Term& term) {
  switch (term.op) {
    case Op::kAttribute:
      return term.definition ? Edge(*term.definition) : kNever;
    case Op::kInSegment:
      return term.definition ? Edge(*term.definition) : ListEdge(term);
    case Op::kAnd:
    case Op::kOr:
      return LogicEdge(term);
    case Op::kEqual:
    case Op::kNotEqual:
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kGreater:
    case Op::kGreaterEqual:
      return ComparisonEdge(term);
    case Op::kBetween:
      return BetweenEdge(term);
    case Op::kIn:
      return InEdge(term);
    case Op::kIsPresent:
    case Op::kIsAbsent:
      return PresenceEdge(*term.inputs[0]);
    case Op::kCall:
      return CallEdge(term);
    case Op::kAggregate:
      return AggregateEdge(term);
    case Op::kSequence:
      return ToEdge(machine_->SequenceOf(term, row_, true).edge_us);
    case Op::kPopulation:
      return PopulationEdge(term);
    default:
      return LeastOf(term);
  }
}

// A chain like a + b + c + … leans to the left and may be a thousand long.
int64_t EdgeFinder::LeastOf(const Term& term) {
  int64_t least = kNever;
  const Term* top = &term;
  for (; IsArithmetic(top->op) && !top->kept; top = top->inputs[0]) least = std::min(least, Edge(*top->inputs[1]));
  if (top != &term) return std::min(least, Edge(*top));
  for (const Term* input : term.inputs) least = std::min(least, Edge(*input));
  return least;
}

// An operand that decides holds the whole until it changes, so several that decide hold it until the last of them. Those without events
// are asked first: one that never changes spares the others.
int64_t EdgeFinder::LogicEdge(const Term& term) {
  const bool deciding = term.op == Op::kOr;
  int64_t decided = 0, least = kNever;
  for (const bool aggregates : {false, true}) {
    for (const Term* input : term.inputs) {
      if (input->has_aggregate != aggregates) continue;
      const bool decides = Truth(*input) == deciding;
      if (!decides && decided > 0) continue;
      const int64_t edge = Edge(*input);
      if (decides && edge == kNever) return kNever;
      if (decides) decided = std::max(decided, edge);
      least = std::min(least, edge);
    }
  }
  return decided > 0 ? decided : least;
}

bool EdgeFinder::Truth(const Term& term) {
  if (term.op == Op::kConstant) return term.constant.True(0);
  if (auto known = truths_.find(&term); known != truths_.end()) return known->second;
  bool truth = false;
  auto holds = [this](const Term* input) { return Truth(*input); };
  if (term.op == Op::kAnd) {
    truth = std::all_of(term.inputs.begin(), term.inputs.end(), holds);
  } else if (term.op == Op::kOr) {
    truth = std::any_of(term.inputs.begin(), term.inputs.end(), holds);
  } else if (term.op == Op::kNot) {
    truth = !Truth(*term.inputs[0]);
  } else if (term.definition && !term.kept) {
    truth = Truth(*term.definition);
  } else {
    truth = Value(term).True(0);
  }
  truths_.emplace(&term, truth);
  return truth;
}

int64_t EdgeFinder::CallEdge(const Term& term) {
  switch (term.node->function) {
    case Function::kNow:
      return ToEdge(int128{now_} + 1);
    case Function::kYear:
    case Function::kMonth:
    case Function::kDay:
    case Function::kWeekday:
    case Function::kHour:
      return CalendarEdge(term);
    case Function::kAgeIn:
      return AgeEdge(term);
    case Function::kIf:
      return std::min(Edge(*term.inputs[0]), Edge(*term.inputs[Truth(*term.inputs[0]) ? 1 : 2]));
    case Function::kCoalesce:
      return CoalesceEdge(term);
    case Function::kCreatedAt:
      if (view_.table->CreatedAt(row_, now_)) return kNever;
      [[fallthrough]];
    case Function::kUpdatedAt:
      return ToEdge(view_.table->NextActivity(row_, now_).value_or(kNever));
    default:
      return LeastOf(term);
  }
}

// The first present operand decides until it, or one before it, changes.
int64_t EdgeFinder::CoalesceEdge(const Term& term) {
  int64_t least = kNever;
  for (const Term* input : term.inputs) {
    if (Value(*input).present[0]) return std::min(least, Edge(*input));
    least = std::min(least, PresenceEdge(*input));
  }
  return least;
}

// Until when a value is there, or is not.
int64_t EdgeFinder::PresenceEdge(const Term& term) {
  const bool moves = term.reads_now && !term.kept && (term.type.kind == ValueKind::kTimestamp || term.type.kind == ValueKind::kDuration);
  return moves ? SumPresenceEdge(SumOf(term)) : Edge(term);
}

int64_t EdgeFinder::ListEdge(const Term& term) const {
  const StaticList* list = term.node->segment ? view_.table->List(*term.node->segment) : nullptr;
  if (!list || !list->Contains(row_, now_)) return kNever;
  auto it = list->expires_us.find(row_);
  return it == list->expires_us.end() ? kNever : ToEdge(it->second);
}

int64_t EdgeFinder::PopulationEdge(const Term& term) const {
  if (!view_.population) return kNever;
  auto it = view_.population->by_name.find(term.node->text);
  if (it == view_.population->by_name.end() || it->second.next_publication_us == 0) return kNever;
  return ToEdge(it->second.next_publication_us);
}

}  // namespace korrel
