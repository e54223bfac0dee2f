// Binding a plan's predicates to one shard: constants become codes, codes become postings, and the cheapest way is chosen.

#include <algorithm>
#include <limits>

#include "index/evaluation/block_evaluator.h"
#include "index/evaluation/exact.h"
#include "index/evaluation/work.h"

namespace korrel {
namespace {

constexpr uint32_t kCodesKnownAtOnce = 1'024;  // a dictionary up to this size is tested whole
constexpr size_t kPostingsMax = 32;            // a union of more costs more than a scan
constexpr size_t kPointsMax = 4;               // so many codes are looked for by narrow scans
constexpr size_t kSetCodesMax = 16;
constexpr double kUnknownFraction = 0.3;
constexpr double kBitsCost = 0.02;  // one operand of a fused AND, for one row

double Part(uint64_t some, uint64_t all) { return all == 0 ? 0 : static_cast<double>(some) / static_cast<double>(all); }

}  // namespace

BlockEvaluator::Bound& BlockEvaluator::BoundOf(const Condition& leaf) {
  std::unique_ptr<Bound>& bound = bound_[leaf.id];
  if (!bound) {
    bound = std::make_unique<Bound>();
    Bind(leaf.predicate, bound.get());
  }
  return *bound;
}

void BlockEvaluator::Bind(const Predicate& predicate, Bound* bound) {
  const uint32_t live = view_.table->live().count();
  bound->cost = predicate.term->term_count * work::kTermRow + (predicate.term->has_aggregate ? 5 * work::kAggregate : 0);
  bound->fraction = kUnknownFraction;
  switch (predicate.kind) {
    case Predicate::Kind::kRowFree:
      return BindRowFree(predicate, bound);
    case Predicate::Kind::kIdentifier: {
      const auto& type = predicate.term->node->identifier_type;
      const RowBits* holders = type ? view_.table->HavingIdentifier(*type) : nullptr;
      bound->access = holders ? Access::kBits : Access::kNever;
      if (holders) bound->sources.push_back({.rows = holders});
      bound->fraction = holders ? Part(holders->count(), live) : 0;
      return;
    }
    case Predicate::Kind::kStaticList: {
      bound->list = view_.table->List(*predicate.term->node->segment);
      bound->access = !bound->list ? Access::kNever : bound->list->expires_us.empty() ? Access::kBits : Access::kListScan;
      if (bound->list) bound->sources.push_back({.rows = &bound->list->members});
      bound->fraction = bound->list ? Part(bound->list->members.count(), live) : 0;
      return;
    }
    case Predicate::Kind::kMembers: {
      const RowBits* members = view_.kept ? view_.kept->Members(*predicate.term->node->segment) : nullptr;
      bound->access = members ? Access::kBits : Access::kNever;
      if (members) bound->sources.push_back({.rows = members});
      bound->fraction = members ? Part(members->count(), live) : 0;
      return;
    }
    case Predicate::Kind::kTerm:
      return;
    default:
      break;
  }
  bound->column = ColumnOf(*predicate.value, view_);
  if (!bound->column) {
    bound->access = predicate.absent_truth ? Access::kAlways : Access::kNever;
    bound->fraction = predicate.absent_truth;
    return;
  }
  if (bound->column->type() != predicate.value->type) {
    if (predicate.kind != Predicate::Kind::kPresence) return;  // row by row, with the conversion
  }
  bound->sources.push_back({.rows = &bound->column->presence()});
  const double present = Part(bound->column->presence().count(), live);
  bound->fraction = present * kUnknownFraction;
  switch (predicate.kind) {
    case Predicate::Kind::kPresence:
      bound->access = Access::kBits;
      bound->fraction = present;
      return;
    case Predicate::Kind::kIntervals:
      return BindIntervals(predicate, bound);
    case Predicate::Kind::kDoubles:
      return BindDoubles(predicate, bound);
    case Predicate::Kind::kStringEquals:
      return BindStringEquals(predicate, bound);
    case Predicate::Kind::kCodeTest:
      return BindCodeTest(predicate, bound);
    default:
      return BindSetItems(predicate, bound);
  }
}

void BlockEvaluator::BindRowFree(const Predicate& predicate, Bound* bound) {
  machine_->NewBatch(false);
  Batch batch = Batch::Nothing();
  const bool truth = machine_->Evaluate(*predicate.term, &batch, nullptr).True(0);
  bound->access = truth ? Access::kAlways : Access::kNever;
  bound->fraction = truth;
}

// The operands' values; empty where one is absent.
std::vector<Scalar> BlockEvaluator::ScalarsOf(const std::vector<const Term*>& operands) {
  std::vector<Scalar> scalars;
  for (const Term* operand : operands) {
    machine_->NewBatch(false);
    Batch batch = Batch::Nothing();
    const Vector& value = machine_->Evaluate(*operand, &batch, nullptr);
    if (!value.present[0]) return {};
    Scalar scalar{.type = operand->type};
    if (operand->type.kind == ValueKind::kDouble) {
      scalar.d = value.doubles[0];
    } else {
      scalar.i = value.ints[0];
    }
    scalars.push_back(scalar);
  }
  return scalars;
}

void BlockEvaluator::BindIntervals(const Predicate& predicate, Bound* bound) {
  if (predicate.intervals_known) {
    bound->intervals = predicate.intervals.intervals();
  } else {
    const std::vector<Scalar> scalars = ScalarsOf(predicate.operands);
    IntervalSet set;
    if (scalars.size() == 2) {
      AddBetween(predicate.value->type, scalars[0], scalars[1], &set);
    } else if (scalars.size() == 1) {
      AddComparison(predicate.value->type, predicate.op, scalars[0], &set);
    }
    set.Finish();
    bound->intervals = set.intervals();
  }
  bound->access = bound->intervals.empty() ? Access::kNever : Access::kNarrowScan;
  bound->cost = 0.3 * static_cast<double>(std::min<size_t>(bound->intervals.size(), 8));
}

void BlockEvaluator::BindDoubles(const Predicate& predicate, Bound* bound) {
  std::vector<double> x;
  for (const Scalar& scalar : ScalarsOf(predicate.operands))
    x.push_back(scalar.type.kind == ValueKind::kDouble ? scalar.d : ToNearestDouble(scalar.i, scalar.type.scale));
  bound->access = x.empty() ? Access::kNever : Access::kDoubleScan;
  bound->cost = 0.5;
  if (x.empty()) return;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  switch (predicate.op) {
    case Op::kEqual:
      bound->doubles = {{x[0], x[0], false, false}};
      break;
    case Op::kNotEqual:
      bound->doubles = {{x[0], x[0], false, false}}, bound->inverted = true;
      break;
    case Op::kLess:
      bound->doubles = {{-kInfinity, x[0], false, true}};
      break;
    case Op::kLessEqual:
      bound->doubles = {{-kInfinity, x[0], false, false}};
      break;
    case Op::kGreater:
      bound->doubles = {{x[0], kInfinity, true, false}};
      break;
    case Op::kGreaterEqual:
      bound->doubles = {{x[0], kInfinity, false, false}};
      break;
    default:
      bound->doubles = {{x[0], x[1], false, false}};
  }
}

// Postings of the codes; false if one has none, or there are too many. Only attributes have any.
bool BlockEvaluator::PostingsOf(const Term& column, const std::vector<Code>& codes, std::vector<const Posting*>* postings) const {
  postings->clear();
  if (codes.size() > kPostingsMax) return false;
  for (Code code : codes) {
    const Posting* posting = column.op == Op::kAttribute ? view_.index->Find(column.node->attribute, code) : nullptr;
    if (!posting) return false;
    postings->push_back(posting);
  }
  return true;
}

void BlockEvaluator::BindStringEquals(const Predicate& predicate, Bound* bound) {
  const Dictionary& dictionary = bound->column->dictionary();
  std::vector<Code> codes;
  uint64_t rows = 0;
  for (std::string_view text : predicate.texts) {
    const std::optional<Code> code = dictionary.Find(text);
    if (!code || dictionary.RowCount(*code) == 0) continue;
    codes.push_back(*code);
    rows += dictionary.RowCount(*code);
  }
  const bool others = predicate.op == Op::kNotEqual;
  if (others) rows = bound->column->presence().count() - rows;
  bound->fraction = Part(rows, view_.table->live().count());
  std::vector<const Posting*> postings;
  if (codes.empty()) {
    bound->access = others ? Access::kBits : Access::kNever;  // present, whatever it is
  } else if (PostingsOf(*predicate.value, codes, &postings)) {
    others ? UseAllBut(std::move(postings), bound) : UsePostings(std::move(postings), bound);
  } else {
    ScanCodes(std::move(codes), others, bound);
  }
}

void BlockEvaluator::UsePostings(std::vector<const Posting*> postings, Bound* bound) {
  bound->access = Access::kBits;
  bound->sources = {{.postings = std::move(postings)}};
}

// Rows that have the attribute and are in none of the postings. Where all live rows have it, that needs no saying.
void BlockEvaluator::UseAllBut(std::vector<const Posting*> postings, Bound* bound) {
  bound->access = Access::kBits;
  if (bound->column->presence().count() == view_.table->live().count()) bound->sources.clear();
  bound->sources.push_back({.postings = std::move(postings), .complement = true});
}

// Looks for the codes in the column; others: for rows with any other one.
void BlockEvaluator::ScanCodes(std::vector<Code> codes, bool others, Bound* bound) {
  bound->access = Access::kNarrowScan;
  bound->cost = 0.3 * static_cast<double>(codes.size());
  bound->inverted = others;
  std::sort(codes.begin(), codes.end());
  for (Code code : codes) bound->intervals.push_back({code.value, code.value});
}

// Codes that rows hold, by whether the test holds for them: whichever of the two are fewer are looked for.
void BlockEvaluator::BindCodes(const Predicate& predicate, const std::vector<Code>& holding, const std::vector<Code>& others,
                               Bound* bound) {
  const bool absent_holds = predicate.absent_truth, few_hold = holding.size() <= others.size();
  std::vector<const Posting*> postings;
  if (holding.empty() || others.empty()) {
    const bool same = holding.empty() == !absent_holds;  // for present and absent rows
    if (same) {
      bound->access = absent_holds ? Access::kAlways : Access::kNever;
    } else {
      bound->access = Access::kBits;
      bound->sources[0].complement = absent_holds;
    }
    return;
  }
  for (const std::vector<Code>* looked_for : {few_hold ? &holding : &others, few_hold ? &others : &holding}) {
    if (!PostingsOf(*predicate.value, *looked_for, &postings)) continue;
    // Rows without the attribute are in no posting: where the test takes them as it takes the codes that are looked for, all
    // rows are told by the presence of the others.
    const bool holds = looked_for == &holding;
    holds == absent_holds ? UseAllBut(std::move(postings), bound) : UsePostings(std::move(postings), bound);
    bound->complement = absent_holds;
    return;
  }
  const std::vector<Code>& fewer = few_hold ? holding : others;
  if (fewer.size() <= kPointsMax) {
    ScanCodes(fewer, !few_hold, bound);
  } else {
    bound->access = Access::kCodeTable;
    bound->cost = work::kCodeRow;
  }
}

void BlockEvaluator::KnowAllCodes(const Predicate& predicate, const AttributeColumn& column, CodeTruth* truth) {
  const uint32_t codes = predicate.value->type.kind == ValueKind::kBool ? 2 : column.dictionary().size();
  uint32_t first = 0;
  while (first < codes && truth->Get(first) != CodeTruth::kUnknown) ++first;
  while (first < codes) {
    const uint32_t count = std::min<uint32_t>(codes - first, 128);
    machine_->NewBatch(false);
    Batch batch{.kind = Batch::Kind::kCodes, .size = count, .dictionary = &column.dictionary(), .first_code = first};
    const Vector& holds = machine_->Evaluate(*predicate.term, &batch, nullptr);
    for (uint32_t i = 0; i < count; ++i) truth->Set(first + i, holds.True(i));
    first += count;
  }
}

// A unit that is kept has one column for as long as its serial means anything.
std::shared_ptr<CodeTruth> BlockEvaluator::TruthOf(const Predicate& predicate, uint32_t codes) const {
  const Term& column = *predicate.value;
  const uint32_t generation = column.op == Op::kAttribute ? view_.index->Generation(column.node->attribute) : 0;
  return truths_->Find(predicate.term->slot, view_.index->serial(), generation, codes);
}

void BlockEvaluator::BindCodeTest(const Predicate& predicate, Bound* bound) {
  const AttributeColumn& column = *bound->column;
  const bool is_bool = column.type().kind == ValueKind::kBool;
  const uint32_t codes = is_bool ? 2 : column.dictionary().size();
  bound->truth = TruthOf(predicate, codes);
  if (codes > kCodesKnownAtOnce) {
    bound->access = Access::kCodeTable;
    bound->cost = 2 * work::kCodeRow;
    return;
  }
  KnowAllCodes(predicate, column, bound->truth.get());
  std::vector<Code> holding, others;
  uint64_t rows = 0;
  for (uint32_t code = 0; code < codes; ++code) {
    const uint32_t count = is_bool ? column.BoolCount(code != 0) : column.dictionary().RowCount(Code(code));
    const bool holds = bound->truth->Get(code) == CodeTruth::kTrue;
    if (count > 0) (holds ? holding : others).push_back(Code(code));
    if (holds) rows += count;
  }
  const uint32_t live = view_.table->live().count();
  if (predicate.absent_truth) rows += live - column.presence().count();
  bound->fraction = Part(rows, live);
  BindCodes(predicate, holding, others, bound);
}

void BlockEvaluator::BindSetItems(const Predicate& predicate, Bound* bound) {
  const Dictionary& dictionary = bound->column->dictionary();
  std::vector<Code> codes;
  bool few = predicate.texts.size() <= kSetCodesMax;
  for (size_t i = 0; few && i < predicate.texts.size(); ++i) {
    const std::optional<Code> code = dictionary.Find(predicate.texts[i]);
    if (code && dictionary.RowCount(*code) > 0) codes.push_back(*code);
  }
  if (few && ((predicate.op == Op::kHasAll && codes.size() < predicate.texts.size()) || (predicate.op == Op::kHasAny && codes.empty()))) {
    bound->access = Access::kNever;
    bound->fraction = 0;
    return;
  }
  std::vector<const Posting*> postings;
  if (few && PostingsOf(*predicate.value, codes, &postings)) {
    bound->access = Access::kBits;
    if (predicate.op == Op::kHasAll) {
      bound->sources.clear();
      for (const Posting* posting : postings) bound->sources.push_back({.postings = {posting}});
    } else if (predicate.op == Op::kHasAny) {
      bound->sources = {{.postings = std::move(postings)}};
    } else if (!postings.empty()) {
      bound->sources.push_back({.postings = std::move(postings), .complement = true});
    }
    return;
  }
  bound->access = Access::kSetScan;
  bound->cost = work::kSetRow;
  bound->truth = TruthOf(predicate, dictionary.size());
}

// Costs add up; fractions multiply as if operands were independent.
const BlockEvaluator::Estimate& BlockEvaluator::EstimateOf(const Condition& condition) {
  Estimate& estimate = estimates_[condition.id];
  if (estimate.known) return estimate;
  estimate.known = true;
  if (condition.kind == Condition::Kind::kLeaf) {
    const Bound& bound = BoundOf(condition);
    const bool bits = bound.access == Access::kBits || bound.access == Access::kNever || bound.access == Access::kAlways;
    estimate.cost = bits ? kBitsCost * static_cast<double>(std::max<size_t>(1, bound.sources.size())) : bound.cost;
    estimate.fraction = bound.fraction;
  } else {
    const bool all = condition.kind == Condition::Kind::kAnd;
    estimate.fraction = all;
    for (const Condition* input : OrderOf(condition)) {
      const Estimate& part = EstimateOf(*input);
      estimate.cost += part.cost * (all ? estimate.fraction : 1 - estimate.fraction);
      estimate.fraction = all ? estimate.fraction * part.fraction : estimate.fraction + (1 - estimate.fraction) * part.fraction;
    }
  }
  if (condition.complement) estimate.fraction = 1 - estimate.fraction;
  return estimate;
}

// Cheapest first by cost per row decided; aggregates after everything else.
const std::vector<const Condition*>& BlockEvaluator::OrderOf(const Condition& condition) {
  std::vector<const Condition*>& order = orders_[condition.id];
  if (!order.empty() || condition.inputs.empty()) return order;
  struct Ranked {
    bool aggregate;
    double rank;
    const Condition* condition;
  };
  std::vector<Ranked> ranked;
  for (const Condition* input : condition.inputs) {
    const Estimate& estimate = EstimateOf(*input);
    const double decided = condition.kind == Condition::Kind::kAnd ? 1 - estimate.fraction : estimate.fraction;
    ranked.push_back({input->has_aggregate, estimate.cost / std::max(decided, 0.001), input});
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const Ranked& a, const Ranked& b) { return a.aggregate != b.aggregate ? b.aggregate : a.rank < b.rank; });
  for (const Ranked& next : ranked) orders_[condition.id].push_back(next.condition);
  return orders_[condition.id];
}

std::string BlockEvaluator::AccessOf(const Condition& leaf) {
  const Bound& bound = BoundOf(leaf);
  switch (bound.access) {
    case Access::kNever:
    case Access::kAlways:
      return "constant";
    case Access::kBits: {
      const bool posting =
          std::any_of(bound.sources.begin(), bound.sources.end(), [](const BitSource& source) { return !source.postings.empty(); });
      if (posting) return "posting";
      return leaf.predicate.kind == Predicate::Kind::kStaticList ? "list"
             : leaf.predicate.kind == Predicate::Kind::kMembers  ? "members"
                                                                 : "presence";
    }
    case Access::kNarrowScan:
      return leaf.predicate.kind == Predicate::Kind::kIntervals ? "range scan" : "code scan";
    case Access::kDoubleScan:
      return "range scan";
    case Access::kCodeTable:
      return "code scan";
    case Access::kSetScan:
      return "set scan";
    case Access::kListScan:
      return "list";
    case Access::kRows:
      break;
  }
  return leaf.has_aggregate ? "events" : "rows";
}

}  // namespace korrel
