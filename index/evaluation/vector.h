// index/evaluation/vector.h
//
// Vector is the value of one term for a batch of items (rows, events or dictionary codes): presence, and the values in the
// physical form of the type. TextArena owns texts and sets that were computed on the way.
//
// Lifetime  Views in a Vector live until the shard's lock is released or the arena they lie in is rewound.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/dictionary.h"
#include "storage/value.h"

namespace korrel {

// A set of strings where it lies: codes of a dictionary, or the strings themselves.
struct SetView {
  const Dictionary* dictionary = nullptr;
  std::span<const Code> codes;  // ascending
  const StringSet* strings = nullptr;

  size_t size() const { return strings ? strings->size() : codes.size(); }
  bool Contains(std::string_view text) const;
  StringSet ToStrings() const;
};

struct Vector {
  std::vector<uint8_t> present;
  std::vector<int64_t> ints;  // bool int decimal timestamp duration
  std::vector<double> doubles;
  std::vector<std::string_view> texts;
  std::vector<SetView> sets;

  // `n` absent items with room for values of the kind.
  void Reset(ValueKind kind, size_t n);
  void Put(size_t i, int64_t value) {
    present[i] = 1;
    ints[i] = value;
  }
  void PutDouble(size_t i, double value) {
    present[i] = 1;
    doubles[i] = value;
  }
  void PutText(size_t i, std::string_view value) {
    present[i] = 1;
    texts[i] = value;
  }
  bool True(size_t i) const { return present[i] && ints[i]; }
  // Copies one item of the same kind; absent stays absent.
  void Take(size_t i, ValueKind kind, const Vector& from, size_t j);
};

// One item as a Value; durations come as int64 microseconds.
Value ValueAt(const Vector& vector, Type type, size_t i);

class TextArena {
 public:
  std::string_view Add(std::string text);
  const StringSet* Add(StringSet set);
  // What was added since the mark is freed by Rewind.
  struct Mark {
    size_t texts, sets;
  };
  Mark mark() const { return {texts_.size(), sets_.size()}; }
  void Rewind(Mark mark);

 private:
  std::deque<std::string> texts_;
  std::deque<StringSet> sets_;
};

}  // namespace korrel
