// storage/retype.h
//
// The conversions of `attribute retype`, which a user asks for and sees a preview of; see ConvertExactly for those that happen by
// themselves.
//
//   anything   → string     as it is displayed, without quotes; a set only if it has one item
//   string     → bool       'true', 'false'
//              → numbers    decimal text, with an exponent or without, if the type holds it exactly; to double: the nearest
//              → timestamp  RFC 3339 with a zone, or a date alone (midnight UTC)
//              → set        the one item
//   double     → int, decimal  if its shortest text is such a number: 0.1 is decimal(1)
//   decimal    → int, smaller scale, double  if exact
//   bool       → int        0, 1, and back
#pragma once

#include <optional>

#include "storage/value.h"

namespace korrel {

std::optional<Value> Retype(const Value& value, Type type);

}  // namespace korrel
