// Any bytes as JSON lines: every line takes at least a byte and lies inside the text; a line read twice gives the same cells.
#include <cstdlib>
#include <string_view>

#include "clients/cli/jsonl.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace korrel::cli;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  JsonLinesParser parser;
  Row row;
  Row again;
  while (!rest.empty()) {
    const size_t used = parser.Parse(rest, true, &row);
    if (used == 0 || used > rest.size()) std::abort();
    parser.Parse(rest, true, &again);
    if (row.problem.empty() != again.problem.empty()) std::abort();
    if (row.problem.empty()) {
      for (size_t i = 0; i < row.cells.size() && i < again.cells.size(); ++i) {
        if (row.cells[i].form != again.cells[i].form || row.cells[i].text != again.cells[i].text) std::abort();
      }
    }
    rest.remove_prefix(used);
  }
  return 0;
}
