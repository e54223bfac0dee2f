#include "index/evaluation/intervals.h"

#include <algorithm>

#include "index/evaluation/exact.h"

namespace korrel {
namespace {

constexpr int128 kRawEnd = static_cast<int128>(INT64_MAX) + 1;

// x of `type` against the constant by the language's rules.
std::partial_ordering CompareRaw(int64_t x, Type type, const Scalar& constant) {
  if (constant.type.kind == ValueKind::kDouble) return ToNearestDouble(x, type.scale) <=> constant.d;
  return exact::Compare(x, type.scale, constant.i, constant.type.scale);
}

// Where the raw values that are less than, and not greater than, the constant end; kRawEnd where they never do.
struct Cut {
  int128 first_not_less, first_greater;
};

template <class Below>
int128 FirstNot(const Below& below) {
  int128 low = INT64_MIN, high = kRawEnd;
  while (low < high) {
    const int128 middle = low + (high - low) / 2;
    if (below(static_cast<int64_t>(middle))) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Cut CutAt(Type type, const Scalar& constant) {
  if (type.scale == constant.type.scale && constant.type.kind != ValueKind::kDouble)
    return {constant.i, static_cast<int128>(constant.i) + 1};
  return {FirstNot([&](int64_t x) { return CompareRaw(x, type, constant) < 0; }),
          FirstNot([&](int64_t x) { return CompareRaw(x, type, constant) <= 0; })};
}

void AddRange(int128 begin, int128 end, IntervalSet* set) {
  if (begin < end) set->Add({static_cast<int64_t>(begin), static_cast<int64_t>(end - 1)});
}

}  // namespace

void IntervalSet::Add(RawInterval interval) { intervals_.push_back(interval); }

void IntervalSet::Finish() {
  std::sort(intervals_.begin(), intervals_.end(), [](const RawInterval& a, const RawInterval& b) { return a.low < b.low; });
  size_t kept = 0;
  for (const RawInterval& next : intervals_) {
    RawInterval* last = kept == 0 ? nullptr : &intervals_[kept - 1];
    if (last && (last->high == INT64_MAX || next.low <= last->high + 1)) {
      last->high = std::max(last->high, next.high);
    } else {
      intervals_[kept++] = next;
    }
  }
  intervals_.resize(kept);
}

bool IntervalSet::Contains(int64_t raw) const {
  auto after = std::upper_bound(intervals_.begin(), intervals_.end(), raw, [](int64_t x, const RawInterval& i) { return x < i.low; });
  return after != intervals_.begin() && raw <= std::prev(after)->high;
}

void AddComparison(Type type, Op op, const Scalar& constant, IntervalSet* set) {
  const Cut cut = CutAt(type, constant);
  switch (op) {
    case Op::kEqual:
      AddRange(cut.first_not_less, cut.first_greater, set);
      break;
    case Op::kNotEqual:
      AddRange(INT64_MIN, cut.first_not_less, set);
      AddRange(cut.first_greater, kRawEnd, set);
      break;
    case Op::kLess:
      AddRange(INT64_MIN, cut.first_not_less, set);
      break;
    case Op::kLessEqual:
      AddRange(INT64_MIN, cut.first_greater, set);
      break;
    case Op::kGreater:
      AddRange(cut.first_greater, kRawEnd, set);
      break;
    default:
      AddRange(cut.first_not_less, kRawEnd, set);
  }
}

void AddBetween(Type type, const Scalar& low, const Scalar& high, IntervalSet* set) {
  AddRange(CutAt(type, low).first_not_less, CutAt(type, high).first_greater, set);
}

}  // namespace korrel
