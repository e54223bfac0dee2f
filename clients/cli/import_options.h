// clients/cli/import_options.h
//
// What `korrel import` was told, as typed; the plan makes sense of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/status.h"
#include "storage/value.h"

namespace korrel::cli {

struct ImportOptions {
  std::string file;
  bool events = false;
  std::string event_type;
  std::string ids;         // COLUMN[:TYPE],…
  std::string types;       // COLUMN:TYPE,…
  std::string rename;      // OLD=NEW,…
  std::string skip;        // COLUMN,…
  std::string time;        // COLUMN
  std::string message_id;  // COLUMN,…
  std::string source = "import";
  std::string until;
  std::string empty = "keep";
  bool round = false;

  // How the file is written; empty: recognised.
  std::string format;  // csv, jsonl
  std::string delimiter;
  std::string encoding;
  std::string date_format;
  std::string decimal;  // point, comma
  std::string time_zone;
  bool no_header = false;
  std::string rejected;  // empty: FILE.rejected
};

// `text` split at commas outside parentheses and double quotes; a name that holds a comma stands in double quotes.
std::vector<std::string> SplitList(std::string_view text);

// `a:string,b:set(|)`: a column and its type. The separator of a set is '\0' unless given.
struct DeclaredType {
  std::string column;
  Type type;
  char set_separator = '\0';
};
StatusOr<std::vector<DeclaredType>> ParseTypes(std::string_view text);

// `old=new,…`.
StatusOr<std::vector<std::pair<std::string, std::string>>> ParseRenames(std::string_view text);

// `COLUMN` or `COLUMN:TYPE`; the type of a bare column is its name in lower case with `_`: CustomerID is customer_id.
struct IdentifierColumn {
  std::string column;
  std::string type;
};
StatusOr<std::vector<IdentifierColumn>> ParseIdentifierColumns(std::string_view text);
std::string IdentifierTypeOf(std::string_view column);
// [a-z][a-z0-9_]{0,63}
bool IsIdentifierType(std::string_view text);

// One delimiter: `,`, `;`, `|`, a tab, or the words comma, semicolon, pipe, tab; nullopt for anything else.
std::optional<char> ParseDelimiter(std::string_view text);
std::string_view DelimiterName(char delimiter);

}  // namespace korrel::cli
