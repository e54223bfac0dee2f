#include <bit>

#include "storage/profile_table_impl.h"
#include "storage/retype.h"

namespace korrel {
namespace {

constexpr size_t kFailingSampleMax = 10;

bool HoldsText(Type type) { return type == kStringType || type == kSetType; }

template <class Visit>
void ForEachRow(const RowBits& rows, Visit visit) {
  for (uint32_t block = 0; block < rows.block_count(); ++block)
    for (uint32_t w = 0; w < kBlockWords; ++w) {
      const uint64_t* words = rows.Block(block);  // asked anew: a visit may change the bits
      for (uint64_t bits = words ? words[w] : 0; bits; bits &= bits - 1)
        visit(Row(block * kBlockRows + 64 * w + static_cast<uint32_t>(std::countr_zero(bits))));
    }
}

}  // namespace

const AttributeColumn* ProfileTable::column(AttributeId id) const { return impl_->Column(id); }

AttributeColumn* ProfileTable::GetOrAddColumn(AttributeId id, Type type) {
  if (id.value >= impl_->columns.size()) impl_->columns.resize(id.value + 1);
  auto& column = impl_->columns[id.value];
  if (!column) {
    column = std::make_unique<AttributeColumn>(id, type);
    impl_->text_columns += HoldsText(type);
  }
  return column.get();
}

AttributeColumn* ProfileTable::GetOrAddComputed(AttributeId id, Type type) {
  AttributeColumn* column = impl_->Column(id);
  if (column && (column->type() != type || !impl_->IsComputed(id))) {
    DropColumn(id);
    column = nullptr;
  }
  if (column) return column;
  if (id.value >= impl_->columns.size()) impl_->columns.resize(id.value + 1);
  if (id.value >= impl_->computed_columns.size()) impl_->computed_columns.resize(id.value + 1);
  impl_->columns[id.value] = std::make_unique<AttributeColumn>(id, type);
  impl_->computed_columns[id.value] = true;
  return impl_->columns[id.value].get();
}

bool ProfileTable::IsComputedColumn(AttributeId id) const { return impl_->IsComputed(id); }

Status ProfileTable::SetComputed(Row row, AttributeId id, Type type, const Value& value) {
  return GetOrAddComputed(id, type)->Set(row, value, impl_->observer);
}

void ProfileTable::WidenColumn(AttributeId id, Type type) {
  if (AttributeColumn* column = impl_->Column(id)) column->Become(type, impl_->observer);
}

bool ProfileTable::CanWidenColumn(AttributeId id, Type type) const {
  const AttributeColumn* column = impl_->Column(id);
  return !column || column->CanBecome(type);
}

ProfileTable::RetypeResult ProfileTable::RetypeColumn(AttributeId id, Type type, bool only_check) {
  RetypeResult result;
  AttributeColumn* column = impl_->Column(id);
  if (!column) return result;
  AttributeColumn old(id, type);
  if (!only_check) {
    std::swap(old, *column);
    impl_->text_columns += HoldsText(type);
    impl_->text_columns -= HoldsText(old.type());
    if (impl_->observer) impl_->observer->ColumnReplaced(id);
  }
  const AttributeColumn& from = only_check ? *column : old;
  ForEachRow(from.presence(), [&](Row row) {
    std::optional<Value> value = Retype(from.Get(row), type);
    if (value && !only_check && !column->Set(row, *value, impl_->observer).ok()) value.reset();
    ++(value ? result.converted : result.failed);
    if (!value && result.failing_sample.size() < kFailingSampleMax) result.failing_sample.push_back(row);
  });
  return result;
}

void ProfileTable::DropColumn(AttributeId id) {
  impl_->ForgetStampsOf(id);
  AttributeColumn* column = impl_->Column(id);
  if (!column) return;
  if (impl_->IsComputed(id)) {
    impl_->computed_columns[id.value] = false;
  } else {
    impl_->text_columns -= HoldsText(column->type());
  }
  impl_->columns[id.value].reset();
  if (impl_->observer) impl_->observer->ColumnReplaced(id);
}

}  // namespace korrel
