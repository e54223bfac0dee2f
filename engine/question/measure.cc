// Measures of a breakdown: what is kept of each value, and what comes out. Declared in group_table.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/question/group_table.h"
#include "engine/question/top_rows.h"

namespace korrel {
namespace {

constexpr size_t kQuantilesMax = 100;
constexpr size_t kBoundsMax = 1'000;

// The smallest unscaled int at `scale` that is at or above the bound.
int128 RoundedUp(const Value& bound, int scale) {
  const Decimal exact = std::holds_alternative<Decimal>(bound) ? std::get<Decimal>(bound) : Decimal{std::get<int64_t>(bound), 0};
  if (exact.scale <= scale) return static_cast<int128>(exact.unscaled) * kPowersOf10[scale - exact.scale];
  const int64_t unit = kPowersOf10[exact.scale - scale];
  const int64_t quotient = exact.unscaled / unit;  // toward zero
  return exact.unscaled % unit > 0 ? quotient + 1 : quotient;
}

double AsDouble(const Value& bound) {
  if (const double* number = std::get_if<double>(&bound)) return *number;
  if (const Decimal* decimal = std::get_if<Decimal>(&bound)) return ToNearestDouble(decimal->unscaled, decimal->scale);
  return ToNearestDouble(std::get<int64_t>(bound), 0);
}

// Values are made in place here: GCC 12 takes a moved variant for one with uninitialised members.
void AppendNumber(int64_t number, Type type, std::vector<Value>* values) {
  switch (type.kind) {
    case ValueKind::kDouble:
      values->emplace_back(FromOrderedBits(number));
      break;
    case ValueKind::kDecimal:
      values->emplace_back(Decimal{number, type.scale});
      break;
    default:
      values->emplace_back(number);
      break;
  }
}

bool FitsInt64(int128 number) { return number >= std::numeric_limits<int64_t>::min() && number <= std::numeric_limits<int64_t>::max(); }

// Like the language's sum: 0 over nothing, absent where it does not fit.
void AppendSum(const MeasureState& state, Type type, std::vector<Value>* values) {
  if (type.kind == ValueKind::kDouble) {
    const std::optional<double> sum = state.double_sum.Round();
    sum ? values->emplace_back(*sum) : values->emplace_back();
  } else if (FitsInt64(state.sum)) {
    AppendNumber(static_cast<int64_t>(state.sum), type, values);
  } else {
    values->emplace_back();
  }
}

void AppendAvg(const MeasureState& state, Type type, std::vector<Value>* values) {
  std::optional<double> sum;
  if (state.count == 0) {
    values->emplace_back();
  } else if (type.kind != ValueKind::kDouble) {
    values->emplace_back(ExactQuotient(state.sum, type.scale, state.count, 0));
  } else if ((sum = state.double_sum.Round())) {
    values->emplace_back(*sum / static_cast<double>(state.count));
  } else {
    values->emplace_back();
  }
}

// The place of a quantile's nearest rank among n > 0 values, from 0: the smallest with at least a share q of all at or before it.
size_t NearestRank(double q, size_t n) {
  const double rank = std::ceil(q * static_cast<double>(n));
  return std::min(rank < 1 ? 0 : static_cast<size_t>(rank) - 1, n - 1);
}

}  // namespace

StatusOr<MeasurePlan> MeasurePlan::Make(const Measure& measure, Type type, std::string_view field) {
  if (!IsNumber(type)) {
    return InvalidArgument("TYPE", fmt::format("{}.of", field),
                           fmt::format("'{}' is a {}; only numbers can be measured", measure.of, TypeName(type)));
  }
  if (measure.quantiles.size() > kQuantilesMax || measure.bounds.size() > kBoundsMax) {
    return InvalidArgument("LIMIT", field, fmt::format("at most {} quantiles and {} bounds", kQuantilesMax, kBoundsMax));
  }
  MeasurePlan plan;
  plan.type_ = type;
  plan.quantiles_ = measure.quantiles;
  for (size_t i = 0; i < measure.quantiles.size(); ++i) {
    const double q = measure.quantiles[i];
    if (!(q >= 0 && q <= 1)) {
      return InvalidArgument("FIELD", fmt::format("{}.quantiles[{}]", field, i), "a quantile lies between 0 and 1");
    }
  }
  bool doubles = type.kind == ValueKind::kDouble;
  for (size_t i = 0; i < measure.bounds.size(); ++i) {
    const Type bound = TypeOf(measure.bounds[i]);
    if (!IsNumber(bound) || (bound.kind == ValueKind::kDouble && !std::isfinite(std::get<double>(measure.bounds[i])))) {
      return InvalidArgument("TYPE", fmt::format("{}.bounds[{}]", field, i), "a bound is a number");
    }
    doubles |= bound.kind == ValueKind::kDouble;
  }
  for (const Value& bound : measure.bounds) {
    if (doubles) {
      plan.double_bounds_.push_back(AsDouble(bound));
    } else {
      plan.exact_bounds_.push_back(RoundedUp(bound, type.scale));
    }
  }
  if (!std::is_sorted(plan.double_bounds_.begin(), plan.double_bounds_.end()) ||
      !std::is_sorted(plan.exact_bounds_.begin(), plan.exact_bounds_.end())) {
    return InvalidArgument("FIELD", fmt::format("{}.bounds", field), "bounds ascend");
  }
  if (!measure.bounds.empty()) plan.bucket_count_ = measure.bounds.size() + 1;
  return plan;
}

size_t MeasurePlan::BucketOf(int64_t number) const {
  if (!double_bounds_.empty()) return BucketOf(ToNearestDouble(number, type_.scale));
  return std::upper_bound(exact_bounds_.begin(), exact_bounds_.end(), static_cast<int128>(number)) - exact_bounds_.begin();
}

size_t MeasurePlan::BucketOf(double number) const {
  return std::upper_bound(double_bounds_.begin(), double_bounds_.end(), number) - double_bounds_.begin();
}

void MeasureState::Add(const MeasurePlan& plan, const ValueVector& column, size_t i) {
  if (!column.present[i]) return;
  ++count;
  int64_t ordered;
  if (plan.type().kind == ValueKind::kDouble) {
    const double x = column.doubles[i];
    double_sum.Add(x);
    ordered = OrderedBits(x);
    if (!histogram.empty()) ++histogram[plan.BucketOf(x)];
  } else {
    ordered = column.ints[i];
    sum += ordered;
    if (!histogram.empty()) ++histogram[plan.BucketOf(ordered)];
  }
  min = std::min(min, ordered);
  max = std::max(max, ordered);
  if (!plan.quantiles().empty()) values.push_back(ordered);
}

void MeasureState::Merge(MeasureState&& other) {
  count += other.count;
  sum += other.sum;
  double_sum.Add(other.double_sum);
  min = std::min(min, other.min);
  max = std::max(max, other.max);
  for (size_t i = 0; i < histogram.size(); ++i) histogram[i] += other.histogram[i];
  values.insert(values.end(), other.values.begin(), other.values.end());
  other.values = {};
}

void AppendMeasureFields(const Measure& measure, const MeasurePlan& plan, std::vector<FieldSchema>* fields) {
  const std::string& of = measure.of;
  fields->push_back({fmt::format("sum({})", of), plan.type()});
  fields->push_back({fmt::format("avg({})", of), kDoubleType});
  fields->push_back({fmt::format("min({})", of), plan.type()});
  fields->push_back({fmt::format("max({})", of), plan.type()});
  for (double q : plan.quantiles()) fields->push_back({fmt::format("quantile({}, {})", of, FormatDouble(q)), plan.type()});
  for (size_t i = 0; i < plan.bucket_count(); ++i) fields->push_back({fmt::format("histogram({})[{}]", of, i), kIntType});
}

void AppendMeasureValues(const MeasurePlan& plan, MeasureState* state, std::vector<Value>* values) {
  const Type type = plan.type();
  AppendSum(*state, type, values);
  AppendAvg(*state, type, values);
  const bool any = state->count > 0;
  for (int64_t extreme : {state->min, state->max}) any ? AppendNumber(extreme, type, values) : void(values->emplace_back());
  if (!plan.quantiles().empty()) std::sort(state->values.begin(), state->values.end());
  for (double q : plan.quantiles()) {
    any ? AppendNumber(state->values[NearestRank(q, state->values.size())], type, values) : void(values->emplace_back());
  }
  for (uint64_t count : state->histogram) values->emplace_back(static_cast<int64_t>(count));
}

}  // namespace korrel
