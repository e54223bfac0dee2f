#include "clients/cli/profile_rows.h"

#include <fmt/format.h>

namespace korrel::cli {

StatusOr<ProfileRows> ProfileRows::Make(const google::protobuf::RepeatedField<uint64_t>& ids,
                                        const google::protobuf::RepeatedPtrField<v1::Identifiers>& identifiers) {
  ProfileRows rows;
  for (const uint64_t id : ids) rows.names.push_back(ProfileName(id));
  rows.identifiers.resize(rows.names.size());
  for (const v1::Identifiers& list : identifiers) {
    KORREL_ASSIGN_OR_RETURN(const auto texts, IdentifierTexts(list));
    if (texts.size() != rows.names.size())
      return MakeError(absl::StatusCode::kDataLoss, "", "", "the server's answer has too few identifiers");
    for (size_t row = 0; row < texts.size(); ++row) {
      if (!texts[row].empty())
        rows.identifiers[row].push_back(list.type().empty() ? std::string(texts[row]) : fmt::format("{}:{}", list.type(), texts[row]));
    }
  }
  return rows;
}

void ProfileRows::PutRow(size_t row, const BatchView& fields, JsonWriter* json) const {
  json->BeginObject().Key("profile").String(names[row]).Key("identifiers").Strings(identifiers[row]);
  for (size_t field = 0; field < fields.fields(); ++field) json->Key(fields.name(field)).Put(fields.Get(field, row));
  json->EndObject();
}

std::vector<std::string> ProfileRows::Cells(size_t row, const BatchView& fields) const {
  std::string joined;
  for (const std::string& identifier : identifiers[row]) joined += (joined.empty() ? "" : " ") + identifier;
  std::vector<std::string> cells = {names[row], joined};
  for (size_t field = 0; field < fields.fields(); ++field) cells.push_back(PlainValue(fields.Get(field, row)));
  return cells;
}

std::vector<std::string> ProfileRows::Header(const v1::Schema& schema) {
  std::vector<std::string> header = {"profile", "identifiers"};
  for (const v1::Field& field : schema.fields()) header.push_back(field.name());
  return header;
}

}  // namespace korrel::cli
