#include "storage/attribute_column.h"

#include <algorithm>
#include <bit>

namespace korrel {
namespace {

// Makes room for `row` in a block's vector: multiples of 64 rows, growing by half, never beyond the block.
template <class T>
void GrowTo(uint32_t row, std::vector<T>* block) {
  if (row < block->size()) return;
  auto size = static_cast<uint32_t>(block->size());
  uint32_t wanted = (std::max(row + 1, size + size / 2) + 63) / 64 * 64;
  wanted = std::min(wanted, kBlockRows);
  block->reserve(wanted);
  block->resize(wanted);
}

template <class Visit>
void ForEachRow(const RowBits& rows, Visit visit) {
  for (uint32_t block = 0; block < rows.block_count(); ++block) {
    const uint64_t* words = rows.Block(block);
    for (uint32_t w = 0; words && w < kBlockWords; ++w)
      for (uint64_t bits = words[w]; bits; bits &= bits - 1) visit(Row(block * kBlockRows + 64 * w + std::countr_zero(bits)));
  }
}

int64_t PhysicalInt(const Value& value) {
  switch (value.index()) {
    case 1:
      return std::get<bool>(value);
    case 2:
      return std::get<int64_t>(value);
    case 3:
      return std::get<Decimal>(value).unscaled;
    default:
      return std::get<Timestamp>(value).us;
  }
}

}  // namespace

AttributeColumn::AttributeColumn(AttributeId id, Type type) : id_(id), type_(type) {}

const double* AttributeColumn::DoubleBlock(uint32_t block) const {
  return block < doubles_.size() && !doubles_[block].empty() ? doubles_[block].data() : nullptr;
}

uint32_t AttributeColumn::DoubleBlockRows(uint32_t block) const {
  return block < doubles_.size() ? static_cast<uint32_t>(doubles_[block].size()) : 0;
}

std::span<const Code> AttributeColumn::SetCodes(Row row) const {
  static_assert(sizeof(Code) == sizeof(uint32_t) && alignof(Code) == alignof(uint32_t));
  uint32_t block = row.value / kBlockRows, row_in_block = row.value % kBlockRows;
  if (block >= sets_.size() || row_in_block >= sets_[block].size()) return {};
  const CodeList& list = sets_[block][row_in_block];
  if (!list) return {};
  return {reinterpret_cast<const Code*>(list.get() + 1), list[0]};
}

double AttributeColumn::RawDouble(Row row) const {
  uint32_t block = row.value / kBlockRows, row_in_block = row.value % kBlockRows;
  return row_in_block < DoubleBlockRows(block) ? doubles_[block][row_in_block] : 0;
}

Value AttributeColumn::Get(Row row) const {
  if (!Has(row)) return {};
  switch (type_.kind) {
    case ValueKind::kBool:
      return RawInt(row) != 0;
    case ValueKind::kInt:
      return RawInt(row);
    case ValueKind::kDecimal:
      return Decimal{RawInt(row), type_.scale};
    case ValueKind::kDouble:
      return RawDouble(row);
    case ValueKind::kString:
      return std::string(Text(row));
    case ValueKind::kTimestamp:
      return Timestamp{RawInt(row)};
    case ValueKind::kSet:
      break;
    default:
      return {};
  }
  StringSet items;
  for (Code code : SetCodes(row)) items.emplace_back(dictionary_.Text(code));
  std::sort(items.begin(), items.end());
  return items;
}

bool AttributeColumn::Holds(Row row, const Value& value) const {
  if (!Has(row)) return !IsPresent(value);
  if (const auto* text = std::get_if<std::string>(&value); text && type_ == kStringType) return Text(row) == *text;
  return Get(row) == value;
}

Status AttributeColumn::Set(Row row, const Value& value, CodeObserver* observer) {
  if (!IsPresent(value)) {
    Erase(row, observer);
    return absl::OkStatus();
  }
  switch (type_.kind) {
    case ValueKind::kString:
      return SetText(row, std::get<std::string>(value), observer);
    case ValueKind::kSet:
      return SetItems(row, std::get<StringSet>(value), observer);
    case ValueKind::kBool:
      SetBool(row, std::get<bool>(value), observer);
      break;
    case ValueKind::kDouble:
      SetDouble(row, std::get<double>(value));
      break;
    default:
      narrow_.Set(row, PhysicalInt(value));
      presence_.Set(row);
  }
  return absl::OkStatus();
}

Status AttributeColumn::SetText(Row row, std::string_view text, CodeObserver* observer) {
  KORREL_ASSIGN_OR_RETURN(Code code, dictionary_.Intern(text));
  bool had = Has(row);
  Code old(had ? static_cast<uint32_t>(narrow_.Get(row)) : 0);
  if (had && old == code) return absl::OkStatus();
  narrow_.Set(row, code.value);
  presence_.Set(row);
  if (had) LoseCode(old, row, observer);
  GainCode(code, row, observer);
  return absl::OkStatus();
}

Status AttributeColumn::SetItems(Row row, const StringSet& items, CodeObserver* observer) {
  std::vector<Code> codes;
  codes.reserve(items.size());
  for (const std::string& item : items) {
    KORREL_ASSIGN_OR_RETURN(Code code, dictionary_.Intern(item));
    codes.push_back(code);
  }
  std::sort(codes.begin(), codes.end());
  presence_.Set(row);
  ReplaceCodes(row, std::move(codes), observer);
  return absl::OkStatus();
}

void AttributeColumn::SetBool(Row row, bool value, CodeObserver* observer) {
  bool had = Has(row), old = had && RawInt(row) != 0;
  if (had && old == value) return;
  narrow_.Set(row, value);
  presence_.Set(row);
  ++bool_counts_[value];
  if (had) --bool_counts_[old];
  if (!observer) return;
  if (had) observer->CodeRemoved(id_, Code(old), row);
  observer->CodeAdded(id_, Code(value), row);
}

void AttributeColumn::SetDouble(Row row, double value) {
  uint32_t block = row.value / kBlockRows, row_in_block = row.value % kBlockRows;
  if (block >= doubles_.size()) doubles_.resize(block + 1);
  GrowTo(row_in_block, &doubles_[block]);
  doubles_[block][row_in_block] = value;
  presence_.Set(row);
}

void AttributeColumn::ReplaceCodes(Row row, std::vector<Code> codes, CodeObserver* observer) {
  uint32_t block = row.value / kBlockRows, row_in_block = row.value % kBlockRows;
  std::vector<Code> old(SetCodes(row).begin(), SetCodes(row).end());
  if (old == codes) return;
  if (block >= sets_.size()) sets_.resize(block + 1);
  GrowTo(row_in_block, &sets_[block]);
  CodeList list;
  if (!codes.empty()) {
    list.reset(new uint32_t[codes.size() + 1]);
    list[0] = static_cast<uint32_t>(codes.size());
    for (size_t i = 0; i < codes.size(); ++i) list[i + 1] = codes[i].value;
  }
  sets_[block][row_in_block] = std::move(list);
  for (Code code : old)
    if (!std::binary_search(codes.begin(), codes.end(), code)) LoseCode(code, row, observer);
  for (Code code : codes)
    if (!std::binary_search(old.begin(), old.end(), code)) GainCode(code, row, observer);
}

void AttributeColumn::Erase(Row row, CodeObserver* observer) {
  if (!presence_.Clear(row)) return;
  if (type_.kind == ValueKind::kString) {
    LoseCode(Code(static_cast<uint32_t>(narrow_.Get(row))), row, observer);
  } else if (type_.kind == ValueKind::kSet) {
    ReplaceCodes(row, {}, observer);
  } else if (type_.kind == ValueKind::kBool) {
    bool old = RawInt(row) != 0;
    --bool_counts_[old];
    if (observer) observer->CodeRemoved(id_, Code(old), row);
  }
}

void AttributeColumn::GainCode(Code code, Row row, CodeObserver* observer) {
  dictionary_.AddRows(code, 1);
  if (observer) observer->CodeAdded(id_, code, row);
}

void AttributeColumn::LoseCode(Code code, Row row, CodeObserver* observer) {
  dictionary_.AddRows(code, -1);
  if (observer) observer->CodeRemoved(id_, code, row);
}

size_t AttributeColumn::ValueBytes(Row row) const {
  if (!Has(row)) return 0;
  if (type_.kind == ValueKind::kString) return Text(row).size();
  if (type_.kind != ValueKind::kSet) return 8;
  size_t bytes = 0;
  for (Code code : SetCodes(row)) bytes += dictionary_.Text(code).size();
  return bytes;
}

bool AttributeColumn::CanBecome(Type type) const {
  if (type == type_ || presence_.count() == 0) return true;
  if (!IsExactNumber(type_) || !IsNumber(type)) return false;
  bool all = true;
  ForEachRow(presence_, [&](Row row) {
    if (!all) return;
    all = type.kind == ValueKind::kDouble ? IsExactlyDouble(RawInt(row), type_.scale)
                                          : ConvertExactly(Value(Decimal{RawInt(row), type_.scale}), type).has_value();
  });
  return all;
}

void AttributeColumn::Become(Type type, CodeObserver* observer) {
  if (type == type_) return;
  AttributeColumn next(id_, type);
  ForEachRow(presence_, [&](Row row) {
    // What does not convert becomes absent; callers ask CanBecome first.
    std::optional<Value> value = ConvertExactly(Get(row), type);
    if (value) next.Set(row, *value, nullptr).IgnoreError();
  });
  *this = std::move(next);
  if (observer) observer->ColumnReplaced(id_);
}

void AttributeColumn::Prefetch(Row row) const {
  const uint32_t block = row.value / kBlockRows, at = row.value % kBlockRows;
  presence_.Prefetch(row);
  const NarrowColumn::BlockView narrow = narrow_.Block(block);
  if (at < narrow.rows && narrow.width > 0) __builtin_prefetch(narrow.data + size_t{at} * narrow.width);
  if (const double* doubles = DoubleBlock(block); doubles && at < DoubleBlockRows(block)) __builtin_prefetch(doubles + at);
}

size_t AttributeColumn::MemoryBytes() const {
  size_t bytes = sizeof(*this) + presence_.MemoryBytes() + narrow_.MemoryBytes() + dictionary_.MemoryBytes();
  for (const auto& block : doubles_) bytes += sizeof(block) + block.capacity() * sizeof(double);
  for (const auto& block : sets_) {
    bytes += sizeof(block) + block.capacity() * sizeof(CodeList);
    for (const CodeList& list : block) bytes += list ? (list[0] + 1) * sizeof(uint32_t) : 0;
  }
  return bytes;
}

}  // namespace korrel
