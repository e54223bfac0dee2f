// clients/cli/import_plan.h
//
// ImportPlan says what becomes of every column of a file: identifier, time, message id, or an attribute or property of a type.
//
// The type of a column is, first found: the one given by --types; the one the database knows for the name, where the file's
// text can be read as such; the narrowest that fits the file. Numbers keep the file's type, so that the database can widen its
// own or name the row that does not fit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "clients/cli/cell_value.h"
#include "clients/cli/import_options.h"
#include "clients/cli/survey.h"

namespace korrel::cli {

// What the server knows that matters to an import.
struct ServerFacts {
  absl::flat_hash_map<std::string, Type> types;  // of attributes, or of the event type's properties
  std::vector<std::string> computed;             // attributes that cannot be written
  absl::TimeZone zone = absl::UTCTimeZone();
  std::string zone_name = "UTC";
  bool replay_clock = false;
};

struct PlannedValue {
  size_t column = 0;
  std::string name;
  Type type;
  CellStyle style;
  std::string note;  // where the type comes from, when not from the cells alone
};

struct PlannedIdentifier {
  size_t column = 0;
  std::string type;
};

struct ImportPlan {
  std::vector<std::string> names;  // of the columns, after --rename
  std::vector<PlannedIdentifier> identifiers;
  std::optional<size_t> time;
  CellStyle time_style;
  std::vector<size_t> message_ids;
  std::vector<PlannedValue> values;
  std::vector<std::string> empty_columns;
  std::optional<int64_t> until_us;
  bool unset_empty = false;
};

// Errors: USAGE for options that contradict each other or the file, with the columns the file has.
StatusOr<ImportPlan> MakePlan(const ImportOptions& options, const Survey& survey, const ServerFacts& facts);

// What was assumed, for people: how the file is written, its columns, the first rows.
std::string DescribePlan(const ImportOptions& options, const Survey& survey, const ImportPlan& plan, const ServerFacts& facts);

}  // namespace korrel::cli
