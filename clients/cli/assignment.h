// clients/cli/assignment.h
//
// What `korrel set` and `korrel track` write, as typed: NAME=VALUE and its kin.
//
//   age=41            set; the type is guessed as for a CSV cell: bool, int, decimal, double, timestamp, string
//   zip='01234'       quotes make a string ('' for a quote inside)
//   tags={a,b}        a set; {} is the empty one
//   visits+=1         increment by; visits-=1 by the negative
//   tags+={c}         add to a set; tags-={a} remove from it
//   best:max=12.5     keep the greater; first:min=… the lesser
//   tier-             unset
#pragma once

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "korrel/v1/profile_service.pb.h"
#include "storage/value.h"

namespace korrel::cli {

struct Assignment {
  std::string name;
  v1::AttributeOperation operation = v1::ATTRIBUTE_OPERATION_SET;
  Value value;
};

// Errors: USAGE with what was typed. Times without a zone are in `zone`.
StatusOr<Assignment> ParseAssignment(std::string_view text, const absl::TimeZone& zone);

// The value alone.
StatusOr<Value> ParseTypedValue(std::string_view text, const absl::TimeZone& zone);

}  // namespace korrel::cli
