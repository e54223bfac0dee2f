#include "engine/question/exact_sum.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace korrel {
namespace {

constexpr int kUnitExponent = -1074;  // of the smallest double; every double is a whole multiple of it
// A limb takes at most 2^32 per addition, so 2^30 of them stay within 2^62.
constexpr uint32_t kPendingMax = 1u << 30;

}  // namespace

void ExactSum::Cover(int low, int high) {
  if (limbs_.empty()) {
    base_ = low;
    limbs_.assign(high - low + 1, 0);
    return;
  }
  if (low < base_) {
    limbs_.insert(limbs_.begin(), base_ - low, 0);
    base_ = low;
  }
  if (high - base_ >= static_cast<int>(limbs_.size())) limbs_.resize(high - base_ + 1, 0);
}

void ExactSum::Add(double x) {
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  const int biased = static_cast<int>(bits >> 52 & 0x7ff);
  uint64_t mantissa = bits & ((uint64_t{1} << 52) - 1);
  if (biased != 0) mantissa |= uint64_t{1} << 52;
  if (mantissa == 0) return;
  // x = ± mantissa · 2^shift units.
  const int shift = biased == 0 ? 0 : biased - 1;
  const unsigned __int128 placed = static_cast<unsigned __int128>(mantissa) << (shift % 32);
  const int digit = shift / 32;
  Cover(digit, digit + 2);
  int64_t* limb = &limbs_[digit - base_];
  const bool negative = bits >> 63;
  for (int i = 0; i < 3; ++i) {
    const int64_t part = static_cast<int64_t>(static_cast<uint32_t>(placed >> (32 * i)));
    limb[i] += negative ? -part : part;
  }
  if (++pending_ >= kPendingMax) Carry();
}

void ExactSum::Add(const ExactSum& other) {
  if (other.limbs_.empty()) return;
  if (pending_ > kPendingMax - 1 - std::min(other.pending_, kPendingMax - 1)) Carry();
  Cover(other.base_, other.base_ + static_cast<int>(other.limbs_.size()) - 1);
  for (size_t i = 0; i < other.limbs_.size(); ++i) limbs_[other.base_ - base_ + i] += other.limbs_[i];
  pending_ = std::min(pending_ + other.pending_ + 1, kPendingMax);
  if (pending_ >= kPendingMax) Carry();
}

void ExactSum::Carry() {
  for (size_t i = 0; i + 1 < limbs_.size(); ++i) {
    const int64_t carry = limbs_[i] >> 32;  // rounds down, so what stays is not negative
    limbs_[i] -= carry * (int64_t{1} << 32);
    limbs_[i + 1] += carry;
  }
  // Room above: the topmost limb gives its own carry to a new one as soon as it holds more than a digit.
  if (!limbs_.empty() && (limbs_.back() >= int64_t{1} << 32 || limbs_.back() < -(int64_t{1} << 32))) {
    limbs_.push_back(limbs_.back() >> 32);
    limbs_[limbs_.size() - 2] -= limbs_.back() * (int64_t{1} << 32);
  }
  pending_ = 1;
}

std::optional<double> ExactSum::Round() const {
  ExactSum sum = *this;
  sum.Carry();
  // After Carry the sign is that of the topmost limb that is not zero: those below add less than one of it.
  while (!sum.limbs_.empty() && sum.limbs_.back() == 0) sum.limbs_.pop_back();
  if (sum.limbs_.empty()) return 0.0;
  const bool negative = sum.limbs_.back() < 0;
  if (negative) {
    for (int64_t& limb : sum.limbs_) limb = -limb;
    sum.Carry();
    while (sum.limbs_.back() == 0) sum.limbs_.pop_back();
  }
  // The magnitude, digit by digit. Its 64 leading bits, with everything below folded into the last one, round like the whole.
  const int top = static_cast<int>(sum.limbs_.size()) - 1;
  const int top_bit = 32 * top + std::bit_width(static_cast<uint64_t>(sum.limbs_[top])) - 1;
  const int low_bit = top_bit - 63;
  uint64_t leading = 0;
  bool rest = false;
  for (int i = top; i >= 0; --i) {
    const uint64_t digit = static_cast<uint64_t>(sum.limbs_[i]);
    const int place = 32 * i - low_bit;
    if (place >= 0) {
      leading |= digit << place;
    } else if (place > -32) {
      leading |= digit >> -place;
      rest |= (digit & ((uint64_t{1} << -place) - 1)) != 0;
    } else {
      rest |= digit != 0;
    }
  }
  // Below the normal range the last bits are exact zeros: every value is a multiple of the smallest double.
  uint64_t kept = leading >> 11;
  const uint64_t lost = leading & 0x7ff;
  if (lost > 0x400 || (lost == 0x400 && (rest || (kept & 1)))) ++kept;
  const double magnitude = std::ldexp(static_cast<double>(kept), low_bit + 11 + 32 * sum.base_ + kUnitExponent);
  if (!std::isfinite(magnitude)) return std::nullopt;
  return negative ? -magnitude : magnitude;
}

}  // namespace korrel
