// engine/catalog/catalog_difference.h
//
// The difference of two catalog snapshots as a mutation, and a snapshot with a mutation put in: inverse of each other.
#pragma once

#include "engine/catalog/catalog.h"

namespace korrel {

struct CatalogDifference {
  CatalogMutation mutation;
  bool empty = true;          // nothing differs
  bool touches_data = false;  // more than new names: stored values, or how writes are checked
  bool recompile = false;     // definitions may mean something else
};
CatalogDifference DifferenceOf(const CatalogDraft& draft, int64_t now_us);

// Puts the mutation into the draft, without compiling. Errors: kDataLoss RECORD for ids that do not follow those of the base.
Status PutIn(const CatalogMutation& mutation, CatalogDraft* draft);

// Whether two definitions declare the same, whatever answers filled in.
bool SameDeclaration(const Definition& a, const Definition& b);

}  // namespace korrel
