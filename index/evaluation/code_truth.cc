#include "index/evaluation/code_truth.h"

namespace korrel {

std::shared_ptr<CodeTruth> CodeTruthCache::Find(uint32_t predicate, uint64_t index_serial, uint32_t generation, uint32_t codes) {
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[{predicate, index_serial}];
  if (entry.truth && entry.generation == generation && entry.truth->size() >= codes) return entry.truth;
  // A quarter to grow: a dictionary that gains a code with every write is not copied every turn.
  auto next = std::make_shared<CodeTruth>(codes + codes / 4);
  if (entry.truth && entry.generation == generation) {
    for (uint32_t code = 0; code < entry.truth->size(); ++code) {
      const CodeTruth::State state = entry.truth->Get(code);
      if (state != CodeTruth::kUnknown) next->Set(code, state == CodeTruth::kTrue);
    }
  }
  entry = {generation, next};
  return next;
}

}  // namespace korrel
