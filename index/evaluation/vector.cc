#include "index/evaluation/vector.h"

#include <algorithm>

namespace korrel {

bool SetView::Contains(std::string_view text) const {
  if (strings) return std::binary_search(strings->begin(), strings->end(), text, std::less<>());
  if (!dictionary) return false;
  const std::optional<Code> code = dictionary->Find(text);
  return code && std::binary_search(codes.begin(), codes.end(), *code);
}

StringSet SetView::ToStrings() const {
  if (strings) return *strings;
  StringSet result;
  result.reserve(codes.size());
  for (Code code : codes) result.emplace_back(dictionary->Text(code));
  std::sort(result.begin(), result.end());
  return result;
}

void Vector::Reset(ValueKind kind, size_t n) {
  present.assign(n, 0);
  switch (kind) {
    case ValueKind::kDouble:
      doubles.resize(n);
      break;
    case ValueKind::kString:
      texts.resize(n);
      break;
    case ValueKind::kSet:
      sets.resize(n);
      break;
    default:
      ints.resize(n);
  }
}

void Vector::Take(size_t i, ValueKind kind, const Vector& from, size_t j) {
  present[i] = from.present[j];
  if (!present[i]) return;
  switch (kind) {
    case ValueKind::kDouble:
      doubles[i] = from.doubles[j];
      break;
    case ValueKind::kString:
      texts[i] = from.texts[j];
      break;
    case ValueKind::kSet:
      sets[i] = from.sets[j];
      break;
    default:
      ints[i] = from.ints[j];
  }
}

Value ValueAt(const Vector& vector, Type type, size_t i) {
  if (!vector.present[i]) return {};
  switch (type.kind) {
    case ValueKind::kBool:
      return vector.ints[i] != 0;
    case ValueKind::kDecimal:
      return Decimal{vector.ints[i], type.scale};
    case ValueKind::kDouble:
      return vector.doubles[i];
    case ValueKind::kString:
      return std::string(vector.texts[i]);
    case ValueKind::kTimestamp:
      return Timestamp{vector.ints[i]};
    case ValueKind::kSet:
      return vector.sets[i].ToStrings();
    case ValueKind::kNone:
      return {};
    default:
      return vector.ints[i];
  }
}

std::string_view TextArena::Add(std::string text) { return texts_.emplace_back(std::move(text)); }
const StringSet* TextArena::Add(StringSet set) { return &sets_.emplace_back(std::move(set)); }

void TextArena::Rewind(Mark mark) {
  texts_.resize(mark.texts);
  sets_.resize(mark.sets);
}

}  // namespace korrel
