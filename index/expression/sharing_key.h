// index/expression/sharing_key.h
//
// The bytes by which two bound expressions are the same predicate or value, however they were written: what is computed for one can be
// used for the other. Keys are compared, never read; they hold ids and mean nothing outside one catalog.
//
//   logic       `and`/`or` flattened, sorted, without duplicates and neutral constants; `not` pushed down to predicates as a
//               complement flag (De Morgan and double negation hold, because conditions are two-valued)
//   constants   folded; every test of one operand against constants is *operand ∈ intervals of its type*, complemented or not
//   now()       in a comparison of timestamp sums alone on the left
//   order       operands of one + or * sorted; of = and != too; > and >= turned round
//
// `not (x = c)` and `x != c` stay different: the first includes the absent.
#pragma once

#include <string>
#include <string_view>

#include "index/expression/node.h"

namespace korrel {

// `as_condition`: a bool value (an attribute, coalesce …) stands where a condition is needed, so that absent counts as false and
// `is_member` is `is_member = true`. Otherwise the two differ.
std::string SharingKey(const Node& root, std::string_view time_zone, bool as_condition);

}  // namespace korrel
