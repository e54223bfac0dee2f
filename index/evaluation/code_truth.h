// index/evaluation/code_truth.h
//
// CodeTruth remembers for the codes of one dictionary whether a test of a plan holds for their string: `like`, `matches`,
// `lower(x) = 'a'`, … are evaluated once per code, not per row, and not again in the next turn. Codes are never reused, so an
// answer stays right until the column is replaced (see ShardIndex::Generation).
//
// Threads  All of it: an entry is written by whoever needs it first, always with the same value.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace korrel {

class CodeTruth {
 public:
  enum State : uint8_t { kUnknown = 0, kFalse, kTrue };
  explicit CodeTruth(uint32_t size) : states_(size) {}
  uint32_t size() const { return static_cast<uint32_t>(states_.size()); }
  State Get(uint32_t code) const { return static_cast<State>(states_[code].load(std::memory_order_relaxed)); }
  void Set(uint32_t code, bool holds) { states_[code].store(holds ? kTrue : kFalse, std::memory_order_relaxed); }

 private:
  std::vector<std::atomic<uint8_t>> states_;
};

// The code truths of a plan, by predicate and shard.
class CodeTruthCache {
 public:
  // With room for `codes` codes at least; what was known before is kept.
  std::shared_ptr<CodeTruth> Find(uint32_t predicate, uint64_t index_serial, uint32_t generation, uint32_t codes);

 private:
  struct Entry {
    uint32_t generation = 0;
    std::shared_ptr<CodeTruth> truth;
  };
  std::mutex mutex_;
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, Entry> entries_;  // guarded by mutex_
};

}  // namespace korrel
