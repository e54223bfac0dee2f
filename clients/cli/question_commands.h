// clients/cli/question_commands.h
//
// Questions by expression that more than one command asks: count and query.
#pragma once

#include <string>
#include <vector>

#include "clients/cli/cli.h"

namespace korrel::cli {

// An expression as typed, with its parameters.
struct SelectionOptions {
  std::string expression;
  std::vector<std::string> parameters;  // NAME=VALUE
  bool allow_unknown_names = false;
};

struct QueryOptions {
  SelectionOptions selection;
  std::string select;  // expressions, separated by commas
  std::string order_by;
  bool descending = false;
  uint64_t limit = 0;
  std::string identifiers = "*";
};

int RunCount(const Context& context, const SelectionOptions& options);
int RunQuery(const Context& context, const QueryOptions& options);

// `in segment 'name'`
std::string InSegment(std::string_view name);

}  // namespace korrel::cli
