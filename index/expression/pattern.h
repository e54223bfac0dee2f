// index/expression/pattern.h
//
// The one door to RE2: what `matches` accepts, for the compiler that refuses and for the evaluator that matches.
#pragma once

#include <re2/re2.h>

#include <memory>
#include <string>
#include <string_view>

namespace korrel {

struct PatternError {
  std::string message;  // "missing )"
  bool too_large = false;
};

// UTF-8, at most 1 MiB compiled, nothing logged. nullptr and *error for a bad pattern. A pattern is found anywhere in a text unless it
// is anchored: match with RE2::PartialMatch.
std::unique_ptr<re2::RE2> CompilePattern(std::string_view text, PatternError* error);

}  // namespace korrel
