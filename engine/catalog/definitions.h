// engine/catalog/definitions.h
//
// What people declare: attributes, events and segments, applied as a whole (all or nothing, in any order), deleted, listed.
//
// An answer of Apply says for every definition what happens to it. If any of its changes has an error nothing was changed and the
// revision is the old one; the call itself fails only for what concerns the request as a whole (REVISION_CHANGED, a time zone
// nobody knows, QUEUE).
//
// Threads  All functions from any thread. What only looks (validate_only, Get, List) waits for nobody.
#pragma once

#include <string_view>

#include "engine/core.h"

namespace korrel {

StatusOr<ApplyAnswer> ApplyDefinitionsTo(Core& core, const ApplyRequest& request);
// A declaration goes; what was declared of stored data stays known as *undeclared* as long as there is data, and deleting that
// deletes the data. Errors: kNotFound DEFINITION; kFailedPrecondition IN_USE.
StatusOr<ApplyAnswer> DeleteDefinitionFrom(Core& core, std::string_view name, bool cascade, uint64_t base_revision);

StatusOr<Definition> DescribeDefinition(const CatalogSnapshot& catalog, std::string_view name);
StatusOr<Database::DefinitionPage> ListDefinitionsOf(const CatalogSnapshot& catalog, std::string_view parent, int32_t page_size,
                                                     std::string_view page_token);

}  // namespace korrel
