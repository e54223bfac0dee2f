// clients/cli/catalog_file.h
//
// Catalog files: YAML with time_zone, events, attributes, segments and population, as definitions for the wire with the place they stand.
//
// Errors     INVALID_ARGUMENT CATALOG with file:line:column. Unknown keys come with the one that may have been meant; parts of the
//            product that this version does not have are refused by name; an expression that YAML cut off is shown to be so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "korrel/v1/catalog_service.pb.h"
#include "storage/status.h"

namespace korrel::cli {

struct CatalogEntry {
  v1::Definition definition;
  std::string file;
  int line = 0;             // of the definition, from 1
  int expression_line = 0;  // of its expression; 0 without one
};

struct Catalog {
  std::string time_zone;
  std::vector<CatalogEntry> entries;

  // Errors: a name that stands twice, with both places.
  Status CheckNames() const;
};

// Adds what `text`, read from `file`, defines.
Status ReadCatalogText(std::string_view text, const std::string& file, Catalog* catalog);
StatusOr<Catalog> ReadCatalogFiles(const std::vector<std::string>& files);

// The candidate at the smallest edit distance, up to a third of the word's length; empty: none.
std::string Suggestion(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace korrel::cli
