// engine/catalog/definition_staging.h
//
// Puts one declaration into a draft of the catalog, or takes one out, without compiling: names, types and data actions.
#pragma once

#include "engine/catalog/catalog.h"

namespace korrel {

// Whether the parts of a definition make sense by themselves: name, kind, which fields go together, lengths.
Status CheckDefinition(const Definition& definition);

// Errors: kInvalidArgument FIELD, TYPE_CLASH; kFailedPrecondition IN_USE where values are stored under the name of what shall be
// computed. The draft is unchanged then. `definition` was checked.
Status StageDefinition(const Core& core, const Definition& definition, CatalogDraft* draft);

// Errors: kNotFound DEFINITION.
Status StageDeletion(const Core& core, std::string_view full_name, CatalogDraft* draft);

}  // namespace korrel
