#include "storage/event_history.h"

namespace korrel {
namespace {

// A property's strings are judged once it has this many distinct ones: a dictionary entry costs about as much as two inline
// copies, so it pays from three occurrences a string or so. Early on even few strings look unique, hence the large number.
constexpr uint32_t kJudgedFrom = 65'536;
constexpr uint64_t kOccurrencesPerStringMin = 2;

}  // namespace

const Dictionary* PropertyDictionaries::Find(PropertyId property) const {
  if (property.value >= by_property_.size() || !by_property_[property.value]) return nullptr;
  return &by_property_[property.value]->dictionary;
}

std::optional<Code> PropertyDictionaries::CodeFor(PropertyId property, std::string_view text) {
  if (property.value >= by_property_.size()) by_property_.resize(property.value + 1);
  auto& strings = by_property_[property.value];
  if (!strings) strings = std::make_unique<Strings>();
  if (strings->mostly_unique) return std::nullopt;
  ++strings->occurrences;
  StatusOr<Code> code = strings->dictionary.Intern(text);
  uint32_t distinct = strings->dictionary.size();
  strings->mostly_unique = !code.ok() || (distinct >= kJudgedFrom && strings->occurrences < kOccurrencesPerStringMin * distinct);
  if (!code.ok()) return std::nullopt;
  return *code;
}

size_t PropertyDictionaries::MemoryBytes() const {
  size_t bytes = by_property_.capacity() * sizeof(by_property_[0]);
  for (const auto& strings : by_property_) bytes += strings ? sizeof(Strings) + strings->dictionary.MemoryBytes() : 0;
  return bytes;
}

}  // namespace korrel
