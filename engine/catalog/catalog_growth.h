// engine/catalog/catalog_growth.h
//
// What a write needs to be known by name, put into a draft of the catalog.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/catalog/catalog.h"

namespace korrel {

// What of the known the item needs wider, and as what.
struct PropertyToWiden {
  EventTypeId event_type;
  PropertyId id;
  Type type;
};
std::vector<std::pair<AttributeId, Type>> AttributesToWiden(const Growth& item, const Schema& schema);
std::vector<PropertyToWiden> PropertiesToWiden(const Growth& item, const Schema& schema);

// Whether the item only brings new names (true) or also needs wider types of what others may already hold (false).
bool OnlyAdds(const Growth& item, const Schema& schema);

// Puts the item into the draft; false, with the draft unchanged, where a limit stands against it. Widenings of what was known before
// become data actions and notes.
bool PutGrowth(const Growth& item, CatalogDraft* draft, std::vector<std::string>* notes);

}  // namespace korrel
