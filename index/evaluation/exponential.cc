#include "index/evaluation/exponential.h"

#include <algorithm>
#include <cmath>

namespace korrel {
namespace {

// (ln 2)^n / n!
constexpr double kPower[] = {1.0,
                             0.6931471805599453,
                             0.24022650695910072,
                             0.05550410866482158,
                             0.009618129107628477,
                             0.0013333558146428443,
                             0.0001540353039338161,
                             1.5252733804059841e-05,
                             1.321548679014431e-06,
                             1.01780860092397e-07,
                             7.054911620801123e-09,
                             4.4455382718708116e-10,
                             2.5678435993488206e-11,
                             1.3691488853904128e-12};

// 2 / ((2k + 1) ln 2)
constexpr double kLogarithm[] = {2.8853900817779268,  0.9617966939259756,  0.5770780163555853,  0.4121985831111324,
                                 0.3205988979753252,  0.2623081892525388,  0.22195308321368667, 0.19235933878519512,
                                 0.16972882833987804, 0.15186263588304877, 0.1373995277037108,  0.12545174268599682};

constexpr double kRootOfTwo = 1.4142135623730951;

// Beyond it nothing is left of any double.
constexpr int64_t kHalvingsMax = 2'200;

// Terms from the smallest on.
template <int n>
double Polynomial(const double (&coefficients)[n], double x) {
  double sum = coefficients[n - 1];
  for (int i = n - 2; i >= 0; --i) sum = sum * x + coefficients[i];
  return sum;
}

}  // namespace

double Halved(double x, int64_t elapsed, int64_t half_life) {
  if (elapsed <= 0) return x;
  int64_t whole = elapsed / half_life;
  double fraction = -(static_cast<double>(elapsed % half_life) / static_cast<double>(half_life));
  if (fraction < -0.5) {
    fraction += 1;
    ++whole;
  }
  whole = std::min(whole, kHalvingsMax);
  // Half of the power is below 1: the product cannot overflow where the result does not.
  return std::ldexp(x * (0.5 * Polynomial(kPower, fraction)), 1 - static_cast<int>(whole));
}

BinaryLogarithm Log2Quotient(double a, double b) {
  int exponent_a = 0, exponent_b = 0;
  double x = std::frexp(a, &exponent_a);
  const double y = std::frexp(b, &exponent_b);
  int whole = exponent_a - exponent_b;
  if (x > kRootOfTwo * y) {
    x *= 0.5;
    ++whole;
  } else if (x * kRootOfTwo < y) {
    x *= 2;
    --whole;
  }
  const double s = (x - y) / (x + y);
  return {whole, s * Polynomial(kLogarithm, s * s)};
}

}  // namespace korrel
