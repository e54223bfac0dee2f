#include "index/live/value_set.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <iterator>

namespace korrel {
namespace {

std::vector<RawInterval> Complement(const std::vector<RawInterval>& intervals) {
  std::vector<RawInterval> gaps;
  int64_t begin = INT64_MIN;
  for (const RawInterval& interval : intervals) {
    if (interval.low > begin) gaps.push_back({begin, interval.low - 1});
    if (interval.high == INT64_MAX) return gaps;
    begin = interval.high + 1;
  }
  gaps.push_back({begin, INT64_MAX});
  return gaps;
}

std::vector<RawInterval> Intersection(const std::vector<RawInterval>& a, const std::vector<RawInterval>& b) {
  std::vector<RawInterval> both;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const RawInterval common{std::max(a[i].low, b[j].low), std::min(a[i].high, b[j].high)};
    if (common.low <= common.high) both.push_back(common);
    a[i].high < b[j].high ? ++i : ++j;
  }
  return both;
}

}  // namespace

ValueSet ValueSet::Absent(Domain domain) {
  ValueSet set(domain);
  set.absent_ = true;
  return set;
}

ValueSet ValueSet::Present(Domain domain) { return Absent(domain).Not(); }

ValueSet ValueSet::Of(const IntervalSet& intervals) {
  ValueSet set(Domain::kNumbers);
  set.intervals_ = intervals.intervals();
  return set;
}

ValueSet ValueSet::Of(int64_t low, int64_t high) {
  ValueSet set(Domain::kNumbers);
  if (low <= high) set.intervals_ = {{low, high}};
  return set;
}

ValueSet ValueSet::Of(std::vector<std::string_view> texts) {
  ValueSet set(Domain::kTexts);
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  set.texts_ = std::move(texts);
  return set;
}

bool ValueSet::HasText(std::string_view text) const { return std::binary_search(texts_.begin(), texts_.end(), text) != other_texts_; }

template <class Combine>
ValueSet ValueSet::CombineTexts(const ValueSet& other, const Combine& combine) const {
  ValueSet set(Domain::kTexts);
  set.absent_ = combine(absent_, other.absent_);
  set.other_texts_ = combine(other_texts_, other.other_texts_);
  std::vector<std::string_view> named;
  std::set_union(texts_.begin(), texts_.end(), other.texts_.begin(), other.texts_.end(), std::back_inserter(named));
  for (std::string_view text : named) {
    if (combine(HasText(text), other.HasText(text)) != set.other_texts_) set.texts_.push_back(text);
  }
  return set;
}

ValueSet ValueSet::Or(const ValueSet& other) const {
  if (domain_ == Domain::kTexts) return CombineTexts(other, std::logical_or<>());
  IntervalSet joined;
  for (const auto* intervals : {&intervals_, &other.intervals_}) {
    for (const RawInterval& interval : *intervals) joined.Add(interval);
  }
  joined.Finish();
  ValueSet set = Of(joined);
  set.absent_ = absent_ || other.absent_;
  return set;
}

ValueSet ValueSet::And(const ValueSet& other) const {
  if (domain_ == Domain::kTexts) return CombineTexts(other, std::logical_and<>());
  ValueSet set(domain_);
  set.absent_ = absent_ && other.absent_;
  set.intervals_ = Intersection(intervals_, other.intervals_);
  return set;
}

ValueSet ValueSet::Not() const {
  ValueSet set = *this;
  set.absent_ = !absent_;
  set.other_texts_ = domain_ == Domain::kTexts && !other_texts_;
  if (domain_ == Domain::kNumbers) set.intervals_ = Complement(intervals_);
  return set;
}

bool ValueSet::empty() const { return !absent_ && !other_texts_ && intervals_.empty() && texts_.empty(); }
bool ValueSet::full() const { return Not().empty(); }

int64_t DoubleKey(double value) {
  const auto bits = std::bit_cast<int64_t>(value + 0.0);  // -0.0 + 0.0 is 0.0
  return bits >= 0 ? bits : bits ^ INT64_MAX;
}

}  // namespace korrel
