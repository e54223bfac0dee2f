// clients/cli/jsonl.h
//
// JSON lines: one object a line. The columns are the names met, in order of first appearance; a name inside an object inside
// is `address.city`. Arrays of strings are sets, null is an empty cell.
//
// Threads    One thread.
// Errors     A line that is not one valid object says so with its column (bytes, from 1).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "clients/cli/row.h"

namespace korrel::cli {

class JsonLinesParser : public RowParser {
 public:
  // Columns known already keep their places, whatever the order of the rows.
  explicit JsonLinesParser(const std::vector<std::string>& columns = {});
  ~JsonLinesParser() override;
  size_t Parse(std::string_view text, bool at_end, Row* row) override;

  // Grows while rows are parsed; the cells of a row may be fewer than the columns, those missing are empty.
  const std::vector<std::string>& columns() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace korrel::cli
