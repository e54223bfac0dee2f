#include "index/expression/intervals.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "index/expression/fold.h"

namespace korrel {
namespace {

// Doubles as integers in the same order; both zeros are 0.
int64_t Ordered(double value) {
  auto bits = std::bit_cast<int64_t>(value);
  return bits < 0 ? -(bits & INT64_MAX) : bits;
}

struct Domain {
  int64_t first, last;
};

Domain DomainOf(Type type) {
  switch (type.kind) {
    case ValueKind::kBool:
      return {0, 1};
    case ValueKind::kTimestamp:
      return {kTimestampMinUs, kTimestampMaxUs};
    case ValueKind::kDouble:
      return {Ordered(std::numeric_limits<double>::lowest()), Ordered(std::numeric_limits<double>::max())};
    default:
      return {INT64_MIN, INT64_MAX};
  }
}

// 16 bytes that sort like the number.
std::string SortedBytes(int128 number) {
  auto biased = static_cast<unsigned __int128>(number) ^ (static_cast<unsigned __int128>(1) << 127);
  std::string bytes(16, '\0');
  for (int i = 15; i >= 0; i--, biased >>= 8) bytes[i] = static_cast<char>(biased & 0xFF);
  return bytes;
}

int128 FloorDivide(int128 a, int128 b) { return a / b - (a % b < 0 ? 1 : 0); }

// The first value of an exact type, as its unscaled integer, that lies at or behind the constant (strictly behind it, if so asked).
int128 FirstExact(int scale, const ExactNumber& constant, bool behind) {
  int128 number = constant.unscaled * kPowersOf10[scale];
  int128 unit = kPowersOf10[constant.scale];
  if (behind) return FloorDivide(number, unit) + 1;
  return -FloorDivide(-number, unit);
}

// The same against a double, with which exact numbers compare as doubles: conversion keeps the order, so the first is found by halving.
int128 FirstAgainstDouble(int scale, double constant, bool behind) {
  int128 low = INT64_MIN, high = int128{INT64_MAX} + 1;
  while (low < high) {
    int128 middle = FloorDivide(low + high, 2);
    double value = ToNearestDouble(middle, scale);
    bool reached = behind ? value > constant : value >= constant;
    if (reached) high = middle;
    else low = middle + 1;
  }
  return low;
}

int128 FirstNumber(Type type, const Constant& constant, bool behind) {
  if (type.kind == ValueKind::kDouble) return int128{Ordered(DoubleOf(constant))} + (behind ? 1 : 0);
  auto exact = ExactOf(constant);
  return exact ? FirstExact(type.scale, *exact, behind) : FirstAgainstDouble(type.scale, DoubleOf(constant), behind);
}

std::optional<std::string> CutAt(Type type, const Constant& constant, bool behind) {
  if (type.kind == ValueKind::kString) {
    std::string text = std::get<std::string>(constant.value);
    if (behind) text += '\0';
    return text;
  }
  Domain domain = DomainOf(type);
  int128 first = std::max<int128>(FirstNumber(type, constant, behind), domain.first);
  if (first > domain.last) return std::nullopt;
  return SortedBytes(first);
}

}  // namespace

Intervals::Cut Intervals::First(Type type) {
  return type.kind == ValueKind::kString || type.kind == ValueKind::kSet ? std::string() : SortedBytes(DomainOf(type).first);
}
Intervals::Cut Intervals::Before(Type type, const Constant& constant) { return CutAt(type, constant, false); }
Intervals::Cut Intervals::Behind(Type type, const Constant& constant) { return CutAt(type, constant, true); }

bool Intervals::Less(const Cut& a, const Cut& b) { return a && (!b || *a < *b); }

void Intervals::Add(Cut from, Cut to) {
  if (Less(from, to)) parts_.emplace_back(std::move(from), std::move(to));
}

Intervals Intervals::All(Type type) {
  Intervals result;
  result.Add(First(type), std::nullopt);
  return result;
}

Intervals Intervals::Where(Type type, Op op, const Constant& constant) {
  Intervals result;
  Cut before = Before(type, constant), behind = Behind(type, constant);
  bool lower = op == Op::kLess || op == Op::kLessEqual || op == Op::kNotEqual;
  bool upper = op == Op::kGreater || op == Op::kGreaterEqual || op == Op::kNotEqual;
  if (op == Op::kEqual) result.Add(before, behind);
  if (lower) result.Add(First(type), op == Op::kLessEqual ? behind : before);
  if (upper) result.Add(op == Op::kGreaterEqual ? before : behind, std::nullopt);
  // Where no value equals the constant, the two sides of != meet.
  if (op == Op::kNotEqual) result.Unite(None());
  return result;
}

Intervals Intervals::Between(Type type, const Constant& low, const Constant& high) {
  Intervals result;
  result.Add(Before(type, low), Behind(type, high));
  return result;
}

void Intervals::Unite(const Intervals& other) {
  parts_.insert(parts_.end(), other.parts_.begin(), other.parts_.end());
  std::sort(parts_.begin(), parts_.end(), [](const auto& a, const auto& b) { return Less(a.first, b.first); });
  std::vector<std::pair<Cut, Cut>> merged;
  for (auto& part : parts_) {
    if (merged.empty() || Less(merged.back().second, part.first)) merged.push_back(std::move(part));
    else if (Less(merged.back().second, part.second)) merged.back().second = std::move(part.second);
  }
  parts_ = std::move(merged);
}

bool Intervals::Holds(Type type, const Constant& value) const {
  Cut at = Before(type, value);
  return std::any_of(parts_.begin(), parts_.end(), [&](const auto& part) { return !Less(at, part.first) && Less(at, part.second); });
}

std::string Intervals::Bytes() const {
  std::string bytes;
  for (const auto& [from, to] : parts_) {
    for (const Cut* cut : {&from, &to}) {
      uint32_t size = *cut ? static_cast<uint32_t>((*cut)->size()) : UINT32_MAX;
      bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
      if (*cut) bytes += **cut;
    }
  }
  return bytes;
}

}  // namespace korrel
