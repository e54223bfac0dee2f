#include "index/shard_index.h"

#include <algorithm>
#include <atomic>

#include "absl/container/flat_hash_map.h"

namespace korrel {
namespace {

constexpr uint64_t kRowsPerPosting = 256;  // a posting's value is held by at least one row in so many …
constexpr uint64_t kPostingRowsMin = 64;   // … and by at least so many rows
constexpr uint32_t kSweepRowsMin = 4'096;  // the first sweep for postings that fell behind a growing shard

uint64_t KeyOf(AttributeId attribute, Code code) { return uint64_t{attribute.value} << 32 | code.value; }

uint32_t RowsHolding(const AttributeColumn& column, Code code) {
  if (column.type().kind == ValueKind::kBool) return column.BoolCount(code.value != 0);
  return column.dictionary().RowCount(code);
}

// All rows of a bool or string column whose code it is.
void AddByCodeScan(const AttributeColumn& column, Code code, Posting* posting) {
  for (uint32_t block = 0; block < column.presence().block_count(); ++block) {
    const uint64_t* words = column.presence().Block(block);
    if (!words) continue;
    const NarrowColumn::BlockView codes = column.narrow().Block(block);
    for (uint32_t at = 0; at < kBlockWords; ++at) {
      for (uint64_t word = words[at]; word != 0; word &= word - 1) {
        const uint32_t row = at * 64 + static_cast<uint32_t>(std::countr_zero(word));
        if (codes.Get(row) == code.value) posting->Add(Row(block * kBlockRows + row));
      }
    }
  }
}

void AddBySetScan(const AttributeColumn& column, Code code, Posting* posting) {
  for (uint32_t block = 0; block < column.presence().block_count(); ++block) {
    const uint64_t* words = column.presence().Block(block);
    if (!words) continue;
    for (uint32_t at = 0; at < kBlockWords; ++at) {
      for (uint64_t word = words[at]; word != 0; word &= word - 1) {
        const Row row(block * kBlockRows + at * 64 + static_cast<uint32_t>(std::countr_zero(word)));
        const std::span<const Code> codes = column.SetCodes(row);
        if (std::binary_search(codes.begin(), codes.end(), code)) posting->Add(row);
      }
    }
  }
}

}  // namespace

struct ShardIndex::Impl {
  const bool keep_postings;
  const uint64_t serial;
  const ProfileTable* table = nullptr;
  absl::flat_hash_map<uint64_t, Posting> postings;
  absl::flat_hash_map<uint32_t, uint32_t> generations;  // by attribute; 0 where nothing was replaced
  uint32_t sweep_at_rows = kSweepRowsMin;

  uint64_t RowsToKeep() const { return std::max(kPostingRowsMin, table->live().count() / kRowsPerPosting); }
  void Build(const AttributeColumn& column, Code code);
  void Sweep();
};

void ShardIndex::Impl::Build(const AttributeColumn& column, Code code) {
  Posting posting;
  if (column.type().kind == ValueKind::kSet) {
    AddBySetScan(column, code, &posting);
  } else {
    AddByCodeScan(column, code, &posting);
  }
  postings.insert_or_assign(KeyOf(column.id(), code), std::move(posting));
}

// A shard that grows makes values rare that nobody touches; looked for each time it has doubled.
void ShardIndex::Impl::Sweep() {
  const uint64_t rows = RowsToKeep();
  for (auto it = postings.begin(); it != postings.end();) {
    auto at = it++;
    if (at->second.count() < rows / 2) postings.erase(at);
  }
  sweep_at_rows = std::max(kSweepRowsMin, table->live().count() * 2);
}

namespace {
std::atomic<uint64_t> next_serial{1};
}

ShardIndex::ShardIndex(bool keep_postings)
    : impl_(new Impl{.keep_postings = keep_postings, .serial = next_serial.fetch_add(1, std::memory_order_relaxed)}) {}
ShardIndex::~ShardIndex() = default;

void ShardIndex::Attach(const ProfileTable* table) { impl_->table = table; }

const Posting* ShardIndex::Find(AttributeId attribute, Code code) const {
  auto it = impl_->postings.find(KeyOf(attribute, code));
  return it == impl_->postings.end() ? nullptr : &it->second;
}

size_t ShardIndex::posting_count() const { return impl_->postings.size(); }
uint64_t ShardIndex::serial() const { return impl_->serial; }

uint32_t ShardIndex::Generation(AttributeId attribute) const {
  auto it = impl_->generations.find(attribute.value);
  return it == impl_->generations.end() ? 0 : it->second;
}

size_t ShardIndex::MemoryBytes() const {
  size_t bytes = sizeof(Impl) + impl_->postings.capacity() * (sizeof(uint64_t) + sizeof(Posting) + 1);
  for (const auto& [key, posting] : impl_->postings) bytes += posting.MemoryBytes();
  return bytes;
}

void ShardIndex::CodeAdded(AttributeId attribute, Code code, Row row) {
  if (!impl_->keep_postings || !impl_->table) return;
  auto it = impl_->postings.find(KeyOf(attribute, code));
  if (it != impl_->postings.end()) {
    it->second.Add(row);
    return;
  }
  if (impl_->table->live().count() >= impl_->sweep_at_rows) impl_->Sweep();
  const AttributeColumn* column = impl_->table->column(attribute);
  if (column && RowsHolding(*column, code) >= impl_->RowsToKeep()) impl_->Build(*column, code);
}

void ShardIndex::CodeRemoved(AttributeId attribute, Code code, Row row) {
  auto it = impl_->postings.find(KeyOf(attribute, code));
  if (it == impl_->postings.end()) return;
  it->second.Remove(row);
  if (it->second.count() < impl_->RowsToKeep() / 2) impl_->postings.erase(it);
}

void ShardIndex::ColumnReplaced(AttributeId attribute) {
  ++impl_->generations[attribute.value];
  for (auto it = impl_->postings.begin(); it != impl_->postings.end();) {
    auto at = it++;
    if (at->first >> 32 == attribute.value) impl_->postings.erase(at);
  }
}

}  // namespace korrel
