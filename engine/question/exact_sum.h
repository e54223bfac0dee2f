// engine/question/exact_sum.h
//
// ExactSum adds doubles without any rounding and rounds once when asked, so that a sum over profiles is the same bits in whatever
// order and from whatever shards they came.
//
// It is a fixed-point number of 32-bit digits, each in a signed 64-bit limb that leaves room for carries (the "small
// superaccumulator" of Neal, "Fast exact summation using small and large superaccumulators", 2015), of which only the digits ever
// touched are kept: a few limbs for values of similar size.
//
// Threads  One thread at a time.
// Cost     Add: three limb additions. 8 bytes for each 32 binary digits between the smallest and largest value added.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace korrel {

class ExactSum {
 public:
  void Add(double x);  // finite
  void Add(const ExactSum& other);
  // The sum rounded once to nearest, ties to even; nullopt where no finite double is near enough. Never -0.0.
  std::optional<double> Round() const;

 private:
  // Makes limbs for digits [low, high].
  void Cover(int low, int high);
  // Brings every limb but the topmost into [0, 2^32) without changing the sum.
  void Carry();

  int base_ = 0;                // digit number of limbs_[0]; digit d weighs 2^(32 d - 1074)
  std::vector<int64_t> limbs_;  // the sum is Σ limbs_[i] · 2^(32 (base_ + i) - 1074)
  uint32_t pending_ = 0;        // additions since the last Carry
};

}  // namespace korrel
