// engine/catalog/definition_compiler.h
//
// Compiles all definitions of a catalog against each other: parsed, ordered so that everything comes after what it uses, bound.
// The order in which definitions were given never matters.
#pragma once

#include <map>
#include <string>

#include "engine/catalog/catalog_snapshot.h"

namespace korrel {

// By full name: why a definition cannot be. CYCLE errors stand at every definition of a cycle; where cycles share definitions, of one
// of them, and the others use what is refused.
using DefinitionErrors = std::map<std::string, Status>;

// Fills catalog->definitions from catalog->declared and the ids of its segments (which must stand there already), and sets the
// types of computed attributes in `schema`, which is catalog->schema. What has an error is left out.
DefinitionErrors CompileDefinitions(CatalogSnapshot* catalog, Schema* schema);

// kFailedPrecondition IN_USE: a change is refused for the definitions that it would break, at least one, each with its reason.
Status InUse(const DefinitionErrors& broken);

// By full name: the definitions that use it directly, sorted.
std::map<std::string, std::vector<std::string>> UsersOf(const CatalogSnapshot& catalog);

// The compiled expression of "attributes/x" or "segments/y", the value that "population/z" orders; nullptr: none.
const Expression* CompiledExpression(const CatalogSnapshot& catalog, std::string_view full_name);

// "attributes/x" → "x". The part behind the first slash; a name may itself hold slashes.
std::string_view BareName(std::string_view full_name);

}  // namespace korrel
