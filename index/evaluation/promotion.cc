#include "index/evaluation/promotion.h"

#include "index/evaluation/exact.h"

namespace korrel {

double ToDouble(const Vector& vector, Type type, size_t i) {
  return type.kind == ValueKind::kDouble ? vector.doubles[i] : ToNearestDouble(vector.ints[i], type.scale);
}

void Promote(const Vector& from, Type from_type, Type type, size_t n, Vector* out) {
  out->Reset(type.kind, n);
  for (size_t i = 0; i < n; ++i) {
    if (!from.present[i]) continue;
    if (IsExactNumber(from_type) && IsExactNumber(type)) {
      if (auto fit = exact::Round(from.ints[i], from_type.scale, type.scale)) out->Put(i, *fit);
    } else if (type.kind == ValueKind::kDouble) {
      out->PutDouble(i, ToDouble(from, from_type, i));
    } else if (type.kind == from_type.kind) {
      out->Take(i, type.kind, from, i);
    }
  }
}

}  // namespace korrel
