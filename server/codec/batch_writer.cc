#include <map>

#include "absl/container/flat_hash_map.h"
#include "server/codec/batch_codec.h"
#include "server/codec/value_codec.h"

namespace korrel::server {
namespace {

// A dictionary is worth its codes only when many rows share few strings; below this many it never is.
constexpr size_t kDictionaryStringsMin = 16;

void AppendText(std::string_view text, std::string* bytes, google::protobuf::RepeatedField<uint32_t>* ends) {
  bytes->append(text);
  ends->Add(static_cast<uint32_t>(bytes->size()));
}

bool AllPresent(const ValueVector& column, size_t rows) {
  for (size_t i = 0; i < rows; ++i) {
    if (!column.present[i]) return false;
  }
  return true;
}

void EncodePresent(const ValueVector& column, size_t rows, v1::Vector* out) {
  if (AllPresent(column, rows)) return;
  std::string* bits = out->mutable_present();
  bits->assign((rows + 7) / 8, '\0');
  for (size_t i = 0; i < rows; ++i) {
    if (column.present[i]) SetBit(bits, i);
  }
}

// Codes for `slots`, with `counts` false for slots that hold nothing; false where more than a quarter are distinct.
bool EncodeCodes(const std::vector<std::string_view>& slots, const std::vector<bool>& counts, v1::Vector* out) {
  if (slots.size() < kDictionaryStringsMin) return false;
  size_t held = 0;
  for (bool c : counts) held += c;
  if (held == 0) return false;  // the code 0 of an empty slot must name an entry
  size_t distinct_max = held / 4;
  absl::flat_hash_map<absl::string_view, uint32_t> code_of;
  std::vector<uint32_t> codes;
  codes.reserve(slots.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    if (!counts[i]) {
      codes.push_back(0);
      continue;
    }
    auto [it, added] = code_of.try_emplace(Abseil(slots[i]), static_cast<uint32_t>(code_of.size()));
    if (added && code_of.size() > distinct_max) return false;
    codes.push_back(it->second);
  }
  std::vector<std::string_view> entries(code_of.size());
  for (const auto& [text, code] : code_of) entries[code] = {text.data(), text.size()};
  for (std::string_view entry : entries) AppendText(entry, out->mutable_text(), out->mutable_text_ends());
  out->mutable_codes()->Add(codes.begin(), codes.end());
  return true;
}

void EncodeStrings(const std::vector<std::string_view>& slots, const std::vector<bool>& counts, v1::Vector* out) {
  if (EncodeCodes(slots, counts, out)) return;
  out->mutable_text_ends()->Reserve(static_cast<int>(slots.size()));
  for (std::string_view text : slots) AppendText(text, out->mutable_text(), out->mutable_text_ends());
}

void EncodeStringColumn(const ValueVector& column, size_t rows, v1::Vector* out) {
  std::vector<std::string_view> slots(rows);
  std::vector<bool> counts(rows);
  for (size_t i = 0; i < rows; ++i) {
    if (!column.present[i]) continue;
    slots[i] = column.texts[i];
    counts[i] = true;
  }
  EncodeStrings(slots, counts, out);
}

void EncodeSetColumn(const ValueVector& column, size_t rows, v1::Vector* out) {
  std::vector<std::string_view> slots;
  for (size_t i = 0; i < rows; ++i) {
    if (column.present[i]) slots.insert(slots.end(), column.sets[i].begin(), column.sets[i].end());
    out->add_set_ends(static_cast<uint32_t>(slots.size()));
  }
  EncodeStrings(slots, std::vector<bool>(slots.size(), true), out);
}

void EncodeVector(const ValueVector& column, size_t rows, v1::Vector* out) {
  EncodePresent(column, rows, out);
  switch (column.type.kind) {
    case ValueKind::kNone:
      break;
    case ValueKind::kString:
      return EncodeStringColumn(column, rows, out);
    case ValueKind::kSet:
      return EncodeSetColumn(column, rows, out);
    case ValueKind::kDouble:
      out->mutable_doubles()->Reserve(static_cast<int>(rows));
      for (size_t i = 0; i < rows; ++i) out->add_doubles(column.present[i] ? column.doubles[i] : 0.0);
      return;
    default:
      out->mutable_ints()->Reserve(static_cast<int>(rows));
      for (size_t i = 0; i < rows; ++i) out->add_ints(column.present[i] ? column.ints[i] : 0);
      return;
  }
}

// "type" of "type:value" and the value.
std::pair<std::string_view, std::string_view> SplitIdentifier(std::string_view text) {
  size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

void SetBit(std::string* bits, size_t i) { (*bits)[i / 8] = static_cast<char>((*bits)[i / 8] | 1 << (i % 8)); }

void EncodeBatch(const ResultBatch& result, v1::Batch* out) {
  out->set_size(static_cast<uint32_t>(result.size));
  out->mutable_vectors()->Reserve(static_cast<int>(result.columns.size()));
  for (const ValueVector& column : result.columns) EncodeVector(column, result.size, out->add_vectors());
  out->mutable_filling_fields()->Add(result.filling_fields.begin(), result.filling_fields.end());
}

void EncodeValues(const ResultBatch& result, v1::Values* out) {
  std::string present((result.columns.size() + 7) / 8, '\0');
  bool all = true;
  for (size_t i = 0; i < result.columns.size(); ++i) {
    const ValueVector& column = result.columns[i];
    bool here = column.present[0] != 0;
    if (here) SetBit(&present, i);
    all &= here;
    switch (column.type.kind) {
      case ValueKind::kNone:
        break;
      case ValueKind::kString:
        AppendText(here ? column.texts[0] : std::string_view(), out->mutable_text(), out->mutable_text_ends());
        break;
      case ValueKind::kSet:
        if (here) {
          for (const std::string& item : column.sets[0]) AppendText(item, out->mutable_text(), out->mutable_text_ends());
        }
        out->add_set_ends(static_cast<uint32_t>(out->text_ends_size()));
        break;
      case ValueKind::kDouble:
        out->add_doubles(here ? column.doubles[0] : 0.0);
        break;
      default:
        out->add_ints(here ? column.ints[0] : 0);
    }
  }
  if (!all) out->set_present(std::move(present));
}

void EncodeIdentifiers(const ResultBatch& result, google::protobuf::RepeatedPtrField<v1::Identifiers>* out) {
  // (type, how many of it the row had before) → one text per row
  std::map<std::pair<std::string_view, size_t>, std::vector<std::string_view>> entries;
  for (size_t row = 0; row < result.identifiers.size(); ++row) {
    std::map<std::string_view, size_t> seen;
    for (const std::string& identifier : result.identifiers[row]) {
      auto [type, value] = SplitIdentifier(identifier);
      auto& texts = entries[{type, seen[type]++}];
      texts.resize(result.identifiers.size());
      texts[row] = value;
    }
  }
  for (const auto& [key, texts] : entries) {
    v1::Identifiers* wire = out->Add();
    wire->set_type(std::string(key.first));
    for (std::string_view text : texts) AppendText(text, wire->mutable_text(), wire->mutable_text_ends());
  }
}

}  // namespace korrel::server
