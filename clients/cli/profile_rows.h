// clients/cli/profile_rows.h
//
// Rows of profiles as Query and Sample answer them: id, identifiers, selected fields.
#pragma once

#include <string>
#include <vector>

#include "clients/cli/cli.h"
#include "clients/cpp/values.h"

namespace korrel::cli {

// One row as JSON: {"profile": "profile:…", "identifiers": ["type:value", …], then the fields by name}. An absent field is null.
struct ProfileRows {
  std::vector<std::string> names;                     // "profile:…"
  std::vector<std::vector<std::string>> identifiers;  // "type:value" of each row
  // Errors: DATA_LOSS where the parts of an answer do not fit together.
  static StatusOr<ProfileRows> Make(const google::protobuf::RepeatedField<uint64_t>& ids,
                                    const google::protobuf::RepeatedPtrField<v1::Identifiers>& identifiers);

  void PutRow(size_t row, const BatchView& fields, JsonWriter* json) const;
  std::vector<std::string> Cells(size_t row, const BatchView& fields) const;
  static std::vector<std::string> Header(const v1::Schema& schema);
};

}  // namespace korrel::cli
