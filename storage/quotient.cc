// The correctly rounded quotients of storage/value.h. Small operands take the one hardware division; the others go through
// exact integers wide enough for 2^127 * 10^77, so that there is one rounding only.
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>

#include "storage/value.h"

namespace korrel {
namespace {

using uint128 = unsigned __int128;

constexpr int kExactDoubleBits = 53;
constexpr double kExactPowersOf10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

uint128 Magnitude(int128 x) { return x < 0 ? -static_cast<uint128>(x) : static_cast<uint128>(x); }

bool FitsDouble(uint128 x) { return x >> kExactDoubleBits == 0; }

// An unsigned integer of 640 bits: room for two 128-bit magnitudes, 10^77 and the 57 bits of a quotient.
class Wide {
 public:
  explicit Wide(uint128 x) : limbs_{static_cast<uint64_t>(x), static_cast<uint64_t>(x >> 64)} {}

  void MultiplyBy(uint64_t factor) {
    uint128 carry = 0;
    for (uint64_t& limb : limbs_) {
      carry += static_cast<uint128>(limb) * factor;
      limb = static_cast<uint64_t>(carry);
      carry >>= 64;
    }
  }
  void MultiplyByPowerOf10(int digits) {
    for (; digits > 18; digits -= 18) MultiplyBy(static_cast<uint64_t>(kPowersOf10[18]));
    MultiplyBy(static_cast<uint64_t>(kPowersOf10[digits]));
  }
  void ShiftLeft(int bits) {
    int limbs = bits / 64, rest = bits % 64;
    for (int i = kLimbs - 1; i >= 0; --i) {
      uint64_t high = i >= limbs ? limbs_[i - limbs] : 0;
      uint64_t low = i > limbs ? limbs_[i - limbs - 1] : 0;
      limbs_[i] = rest == 0 ? high : high << rest | low >> (64 - rest);
    }
  }
  void Halve() {
    for (int i = 0; i < kLimbs; ++i) limbs_[i] = limbs_[i] >> 1 | (i + 1 < kLimbs ? limbs_[i + 1] << 63 : 0);
  }
  int BitLength() const {
    for (int i = kLimbs - 1; i >= 0; --i)
      if (limbs_[i] != 0) return 64 * i + std::bit_width(limbs_[i]);
    return 0;
  }
  bool IsZero() const { return BitLength() == 0; }
  bool operator>=(const Wide& o) const {
    for (int i = kLimbs - 1; i >= 0; --i)
      if (limbs_[i] != o.limbs_[i]) return limbs_[i] > o.limbs_[i];
    return true;
  }
  void Subtract(const Wide& o) {
    unsigned borrow = 0;
    for (int i = 0; i < kLimbs; ++i) {
      uint128 difference = static_cast<uint128>(limbs_[i]) - o.limbs_[i] - borrow;
      limbs_[i] = static_cast<uint64_t>(difference);
      borrow = static_cast<uint64_t>(difference >> 64) != 0;
    }
  }

 private:
  static constexpr int kLimbs = 10;
  std::array<uint64_t, kLimbs> limbs_;
};

// `quotient` has more than 53 bits and misses the true value by less than one; `inexact` says whether it misses it at all.
double RoundToDouble(uint64_t quotient, bool inexact, int exponent) {
  int spare = std::bit_width(quotient) - kExactDoubleBits;
  uint64_t kept = quotient >> spare, dropped = quotient & ((uint64_t{1} << spare) - 1), half = uint64_t{1} << (spare - 1);
  if (dropped > half || (dropped == half && (inexact || (kept & 1)))) ++kept;
  return std::ldexp(static_cast<double>(kept), exponent + spare);
}

double Divide(Wide numerator, Wide denominator) {
  constexpr int kQuotientBits = 57;
  int shift = kQuotientBits - (numerator.BitLength() - denominator.BitLength());
  if (shift > 0) numerator.ShiftLeft(shift);
  if (shift < 0) denominator.ShiftLeft(-shift);
  denominator.ShiftLeft(kQuotientBits);
  uint64_t quotient = 0;
  for (int i = 0; i <= kQuotientBits; ++i, denominator.Halve()) {
    quotient <<= 1;
    if (!(numerator >= denominator)) continue;
    numerator.Subtract(denominator);
    quotient |= 1;
  }
  return RoundToDouble(quotient, !numerator.IsZero(), -shift);
}

}  // namespace

double ToNearestDouble(int128 unscaled, int scale) {
  if (scale == 0) return static_cast<double>(unscaled);
  return ExactQuotient(unscaled, scale, 1, 0);
}

double ExactQuotient(int128 a, int scale_a, int128 b, int scale_b) {
  if (b == 0) std::abort();  // the evaluator makes a division by zero absent
  if (a == 0) return 0;
  int digits = scale_b - scale_a;  // the answer is a * 10^digits / b
  uint128 numerator = Magnitude(a), denominator = Magnitude(b);
  double sign = (a < 0) == (b < 0) ? 1 : -1;
  if (FitsDouble(numerator) && FitsDouble(denominator)) {
    if (digits == 0) return sign * (static_cast<double>(numerator) / static_cast<double>(denominator));
    if (denominator == 1 && digits < 0 && digits >= -22) return sign * (static_cast<double>(numerator) / kExactPowersOf10[-digits]);
  }
  Wide n(numerator), d(denominator);
  if (digits > 0) n.MultiplyByPowerOf10(digits);
  if (digits < 0) d.MultiplyByPowerOf10(-digits);
  return sign * Divide(n, d);
}

}  // namespace korrel
