// storage/dictionary.h
//
// Dictionary maps the distinct strings of one attribute (or event property) in one shard to dense codes, and back, and counts
// the rows that hold each: the planner's cardinality.
//
// Threads     Reads: any thread under the shard's lock, shared. Writes: under the lock, exclusive.
// Lifetime    A string_view returned by Text() is valid until the dictionary dies: strings never move.
// Errors      Intern: kResourceExhausted past 2^32-2 codes; the dictionary is unchanged.
// Invariants  (1) Text(Find(s)) == s. (2) Codes are given in order of first appearance and never reused.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "storage/value.h"

namespace korrel {

class Dictionary {
 public:
  Dictionary();
  ~Dictionary();
  Dictionary(Dictionary&&) noexcept;
  Dictionary& operator=(Dictionary&&) noexcept;

  StatusOr<Code> Intern(std::string_view text);
  std::optional<Code> Find(std::string_view text) const;
  std::string_view Text(Code code) const;
  uint32_t size() const;  // codes given so far; codes are [0, size)
  // Rows that hold the code now. The column that owns the dictionary keeps it.
  uint32_t RowCount(Code code) const;
  void AddRows(Code code, int32_t delta);
  size_t MemoryBytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace korrel
