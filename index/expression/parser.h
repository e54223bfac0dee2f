// index/expression/parser.h
//
// Tokens to an unbound tree, by recursive descent over the grammar of docs/expressions.md; two tokens of look-ahead decide everything.
//
// Limits  Nesting is counted where the recursion is, nodes and list items before they are made. Chains (a + b + …, a and b and …) are
//         loops, so the depth of a tree is bounded by its nodes.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "index/expression/lexer.h"
#include "index/expression/node.h"
#include "index/expression/problem.h"

namespace korrel {

struct ParsedText {
  std::shared_ptr<Node> root;  // null: `problem` says why
  // Without a root: text or grammar. With one: the first thing that is no matter of grammar but can be seen without the schema (a date
  // that is none, an unknown function); whether it is the first of all is known when names and types have been looked at.
  std::optional<Problem> problem;
};

// `time_zone` is where dates and timestamps without a zone are.
ParsedText ParseText(std::string_view text, std::string_view time_zone);

}  // namespace korrel
