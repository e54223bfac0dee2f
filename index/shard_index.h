// index/shard_index.h
//
// ShardIndex keeps the postings of one shard: a roaring bitmap per value (string, bool, set element) held by at least 1/256 of
// the shard's rows and at least 64 rows, dropped again at half of that; rarer values are found by code scan. It hears of every
// change from the table it observes and could be thrown away and rebuilt from it.
//
// Threads     As the shard's lock says.
// Invariants  Where Find() gives a posting, it holds exactly the live rows with that code.
#pragma once

#include <memory>

#include "index/posting.h"
#include "storage/profile_table.h"

namespace korrel {

class ShardIndex final : public CodeObserver {
 public:
  explicit ShardIndex(bool keep_postings = true);  // false: answers must not change, only their cost (tests)
  ~ShardIndex() override;
  // The table whose columns are read when a posting is built; call once, before the first change.
  void Attach(const ProfileTable* table);

  const Posting* Find(AttributeId attribute, Code code) const;  // nullptr: none kept
  size_t posting_count() const;
  // Names this index among all of the process's, for what is remembered about its codes elsewhere (see CodeTruth); a code means
  // the same string for as long as serial and generation stay.
  uint64_t serial() const;
  uint32_t Generation(AttributeId attribute) const;
  size_t MemoryBytes() const;

  void CodeAdded(AttributeId attribute, Code code, Row row) override;
  void CodeRemoved(AttributeId attribute, Code code, Row row) override;
  void ColumnReplaced(AttributeId attribute) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace korrel
