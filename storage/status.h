// storage/status.h
//
// How every room reports an operating error: absl::Status with a machine-readable reason and the place at fault.
//
// The reason is one of the constants of docs/limits.md and the wire's error table (`TYPE_CLASH`, `PROFILE`, …); the field
// is a path into the caller's input (`writes[3].attributes[0].value`) or empty. Both travel as a payload of the status, so
// that rooms need no error classes of their own and the server turns any status into a wire error in one place.
//
// This is also the one place that knows of Debian's absl::string_view, which is not std::string_view. Messages are built
// with fmt::format, never absl::StrCat.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace korrel {

using absl::Status;
using absl::StatusOr;

// An error with its reason (upper snake case), the field at fault (may be empty) and a sentence for people.
Status MakeError(absl::StatusCode code, std::string_view reason, std::string_view field, std::string_view message);

inline Status InvalidArgument(std::string_view reason, std::string_view field, std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason, field, message);
}

// The reason and field given to MakeError; empty for a status made elsewhere.
std::string ReasonOf(const Status& status);
std::string FieldOf(const Status& status);

// The same error with `prefix` put before its field: "value" under "writes[3]." is "writes[3].value".
Status PrefixField(const Status& status, std::string_view prefix);

// The same characters as Abseil's own view type (std::string_view does not convert to it by itself here).
inline absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

// The message as a std view; lives as long as the status.
inline std::string_view MessageOf(const Status& status) { return {status.message().data(), status.message().size()}; }

}  // namespace korrel

#define KORREL_CONCAT_INNER(a, b) a##b
#define KORREL_CONCAT(a, b) KORREL_CONCAT_INNER(a, b)
#define KORREL_RETURN_IF_ERROR(expr)                                                        \
  do {                                                                                      \
    if (::korrel::Status korrel_status = (expr); !korrel_status.ok()) return korrel_status; \
  } while (false)
#define KORREL_ASSIGN_OR_RETURN(lhs, expr) KORREL_ASSIGN_OR_RETURN_IMPL(KORREL_CONCAT(korrel_statusor_, __LINE__), lhs, expr)
#define KORREL_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                                 \
  if (!tmp.ok()) return tmp.status();                \
  lhs = std::move(tmp).value()
