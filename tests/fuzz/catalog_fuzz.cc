// Any bytes as a catalog file: definitions with valid names, or an error that names the file; never an exception.
#include <cstdlib>
#include <string_view>

#include "clients/cli/catalog_file.h"
#include "storage/value.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace korrel;
  cli::Catalog catalog;
  const Status status = cli::ReadCatalogText({reinterpret_cast<const char*>(data), size}, "fuzz.yaml", &catalog);
  if (!status.ok() && MessageOf(status).substr(0, 9) != "fuzz.yaml") std::abort();
  for (const cli::CatalogEntry& entry : catalog.entries) {
    const std::string& name = entry.definition.name();
    if (!CheckName(name.substr(name.find('/') + 1), "name").ok() || entry.line < 1) std::abort();
  }
  return 0;
}
