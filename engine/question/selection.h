// engine/question/selection.h
//
// What a request says in text, compiled: its selection and the attributes or expressions beside it, and the event types whose
// truncated histories the answer must admit to.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/catalog/catalog_snapshot.h"
#include "engine/database.h"

namespace korrel {

using Parameters = std::map<std::string, Value, std::less<>>;

// A selection as a condition. Errors carry an ExpressionError and `field`.
StatusOr<PlanRef> CompileSelection(const CatalogSnapshot& catalog, const Selection& selection, std::string_view field);

struct FieldText {
  std::string_view text;
  std::string field;  // path in the request, for errors
  bool allow_unknown_names = false;
  const Parameters* parameters = nullptr;
};
// A column of an answer: the exact name of an attribute, else an expression. A duration is refused (TYPE): no answer holds one.
StatusOr<PlanRef> CompileField(const CatalogSnapshot& catalog, const FieldText& text);
// The same, where a duration will do: to order by.
StatusOr<PlanRef> CompileFieldOfAnyType(const CatalogSnapshot& catalog, const FieldText& text);

// Adds the event types that an expression reads, through definitions too; ascending, distinct.
void AddEventTypes(const Expression& expression, const Schema& schema, std::vector<EventTypeId>* types);

// The error with `field` as its place, before a more exact one it has already.
Status WithField(const Status& status, std::string_view field);

inline constexpr size_t kFieldsMax = 1'000;  // attributes or expressions of one request
Status CheckFieldCount(size_t count, std::string_view field);

}  // namespace korrel
