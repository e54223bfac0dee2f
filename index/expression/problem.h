// index/expression/problem.h
//
// Problem is how the stages of the compiler report what is wrong: a reason and a byte range. Located() turns the one that is reported
// into an ExpressionError with line, column, suggestions and caret.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "index/expression/expression.h"

namespace korrel {

struct Problem {
  std::string reason;
  uint32_t begin = 0, end = 0;
  std::string message;
  std::vector<std::string> suggestions;
};

// Keeps the problem that stands first in the text; of two at the same place the one that came first.
void KeepFirst(std::optional<Problem>* kept, Problem problem);

ExpressionError Located(std::string_view text, const Problem& problem);

// "'a'; did you mean 'b'?" is the same sentence for every kind of name.
Problem UnknownName(std::string_view what, std::string_view name, const TextRange& range, const std::vector<std::string>& known);

}  // namespace korrel
