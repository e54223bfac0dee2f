// index/evaluation/promotion.h
//
// int < decimal(larger scale) < double: the one way a value becomes another type inside an expression. What does not fit is absent.
#pragma once

#include "index/evaluation/vector.h"

namespace korrel {

// The first n items of `from`, a number of type `from_type`, as `type`; items of equal kinds that are no numbers are copied.
void Promote(const Vector& from, Type from_type, Type type, size_t n, Vector* out);
// A present number as the nearest double.
double ToDouble(const Vector& vector, Type type, size_t i);

}  // namespace korrel
