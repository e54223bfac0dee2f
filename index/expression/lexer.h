// index/expression/lexer.h
//
// Text to tokens. Tokens are ranges of the text, 12 bytes each, at most one per byte; the text's length is checked before.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "index/expression/problem.h"

namespace korrel {

enum class TokenKind : uint8_t {
  kEnd,
  kName,        // letters, reserved or not
  kQuotedName,  // "…"
  kString,      // '…'
  kInt,
  kDecimal,
  kDouble,
  kDuration,
  kSymbol,  // ( ) , . @ = != < <= > >= + - * / %
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  uint32_t begin = 0, end = 0;
};

// The tokens of a text, with a kEnd behind them; nullopt and a TOKEN or LIMIT problem where it is unreadable.
std::optional<std::vector<Token>> Tokenize(std::string_view text, Problem* problem);

// What stands between the quotes of a kString or kQuotedName, with doubled quotes made single.
std::string Unquoted(std::string_view token_text);

}  // namespace korrel
