#include "index/expression/lexer.h"

#include <fmt/format.h>

#include <array>

#include "index/expression/literal.h"
#include "index/expression/utf8.h"

namespace korrel {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Operators of other languages, and how this one writes them. Longest first.
struct ForeignOperator {
  std::string_view text, ours;
};
constexpr std::array kForeignOperators = {
    ForeignOperator{"===", "="}, ForeignOperator{"!==", "!="}, ForeignOperator{"==", "="},   ForeignOperator{"<>", "!="},
    ForeignOperator{"=<", "<="}, ForeignOperator{"=>", ">="},  ForeignOperator{"&&", "and"}, ForeignOperator{"||", "or"},
};
constexpr std::array<std::string_view, 3> kTwoByteSymbols = {"!=", "<=", ">="};
constexpr std::string_view kOneByteSymbols = "(),.@=<>+-*/%";

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::optional<std::vector<Token>> Run(Problem* problem) {
    if (!CheckText()) return Failed(problem);
    for (;;) {
      while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n')) at_++;
      if (at_ == text_.size()) break;
      size_t begin = at_;
      TokenKind kind = Next();
      if (kind == TokenKind::kEnd) return Failed(problem);
      tokens_.push_back({kind, static_cast<uint32_t>(begin), static_cast<uint32_t>(at_)});
    }
    tokens_.push_back({TokenKind::kEnd, static_cast<uint32_t>(at_), static_cast<uint32_t>(at_)});
    return std::move(tokens_);
  }

 private:
  bool CheckText() {
    if (text_.size() > kExpressionBytesMax) {
      problem_ = {"LIMIT", kExpressionBytesMax, kExpressionBytesMax, "an expression has at most 64 KiB", {}};
      return false;
    }
    for (size_t at = 0; at < text_.size();) {
      size_t bytes = WellFormedBytes(text_, at);
      if (bytes == 0) {
        auto byte = static_cast<unsigned char>(text_[at]);
        Fail(at, at + 1, fmt::format("the text is not valid UTF-8: byte 0x{:02X} at offset {}", byte, at));
        return false;
      }
      at += bytes;
    }
    return true;
  }

  // Reads one token at at_; kEnd where it failed.
  TokenKind Next() {
    char c = text_[at_];
    if (IsLetter(c)) return Name();
    if (IsDigit(c)) return Number();
    if (c == '\'') return QuotedText('\'', TokenKind::kString);
    if (c == '"') return QuotedText('"', TokenKind::kQuotedName);
    return Symbol();
  }

  TokenKind Name() {
    size_t begin = at_;
    while (at_ < text_.size() && (IsLetter(text_[at_]) || IsDigit(text_[at_]))) at_++;
    if (at_ - begin > kNameBytesMax) return Fail(begin, at_, "a name has at most 128 bytes");
    return TokenKind::kName;
  }

  // A run of digits and letters, with a point between digits and a sign behind the `e` of a number.
  TokenKind Number() {
    size_t begin = at_;
    bool point = false, exponent = false, letters = false;
    for (; at_ < text_.size(); at_++) {
      char c = text_[at_];
      if (c == '.' && !point && !letters && at_ + 1 < text_.size() && IsDigit(text_[at_ + 1])) {
        point = true;
      } else if ((c == 'e' || c == 'E') && !letters) {
        letters = exponent = true;
        bool sign = at_ + 2 < text_.size() && (text_[at_ + 1] == '-' || text_[at_ + 1] == '+') && IsDigit(text_[at_ + 2]);
        if (sign) at_++;
      } else if (IsLetter(c)) {
        letters = true;
        exponent = false;
      } else if (!IsDigit(c)) {
        break;
      }
    }
    if (exponent && !IsDigit(text_[at_ - 1])) exponent = false;
    if (!letters) return point ? TokenKind::kDecimal : TokenKind::kInt;
    if (exponent) return TokenKind::kDouble;
    return Duration(begin);
  }

  TokenKind Duration(size_t begin) {
    std::string_view word = text_.substr(begin, at_ - begin);
    std::string shown(word.substr(0, 40));
    int64_t us = 0;
    switch (ReadDuration(word, &us)) {
      case DurationText::kGood:
        return TokenKind::kDuration;
      case DurationText::kMalformed:
        return Fail(begin, at_, fmt::format("'{}' is not a number or a duration; units are w d h m s ms us", shown));
      case DurationText::kWrongOrder:
        return Fail(begin, at_, fmt::format("'{}' is not a duration; units go from large to small: w d h m s ms us", shown));
      case DurationText::kTooLong:
        break;
    }
    Fail(begin, at_, fmt::format("'{}' is longer than 100 years", shown));
    problem_.reason = "LIMIT";
    return TokenKind::kEnd;
  }

  TokenKind QuotedText(char quote, TokenKind kind) {
    size_t begin = at_++;
    for (;; at_++) {
      if (at_ == text_.size()) {
        return Fail(
            begin, at_,
            kind == TokenKind::kString ? "the string that begins here has no closing '" : "the name that begins here has no closing \"");
      }
      if (text_[at_] != quote) continue;
      if (at_ + 1 == text_.size() || text_[at_ + 1] != quote) break;
      at_++;
    }
    at_++;
    if (kind == TokenKind::kString) return kind;
    std::string name = Unquoted(text_.substr(begin, at_ - begin));
    if (name.empty() || name.size() > kNameBytesMax) return Fail(begin, at_, "a name has 1 to 128 bytes");
    for (char c : name) {
      if (IsControl(c)) return Fail(begin, at_, "a name has no control characters");
    }
    return kind;
  }

  TokenKind Symbol() {
    std::string_view rest = text_.substr(at_);
    for (const ForeignOperator& foreign : kForeignOperators) {
      if (!rest.starts_with(foreign.text)) continue;
      return Fail(at_, at_ + foreign.text.size(), fmt::format("unknown operator '{}'; write '{}'", foreign.text, foreign.ours));
    }
    for (std::string_view symbol : kTwoByteSymbols) {
      if (rest.starts_with(symbol)) return Symbol(symbol.size());
    }
    if (kOneByteSymbols.find(rest[0]) != kOneByteSymbols.npos) return Symbol(1);
    if (rest[0] == '!') return Fail(at_, at_ + 1, "unknown operator '!'; write 'not'");
    return UnexpectedCharacter(rest);
  }
  TokenKind Symbol(size_t bytes) {
    at_ += bytes;
    return TokenKind::kSymbol;
  }

  TokenKind UnexpectedCharacter(std::string_view rest) {
    size_t bytes = CodePointBytes(rest, 0);
    std::string_view point = rest.substr(0, bytes);
    if (IsControl(rest[0])) {
      return Fail(at_, at_ + 1, fmt::format("unexpected control character U+{:04X}", static_cast<unsigned char>(rest[0])));
    }
    std::string message = fmt::format("unexpected character '{}'", point);
    if (point == "\u2018" || point == "\u2019") message += "; strings are written in straight quotes: '…'";
    if (point == "\u201C" || point == "\u201D") message += "; names are quoted with straight quotes: \"…\"";
    if (bytes > 1 && message.ends_with("'")) message += "; a name with such letters stands in double quotes";
    return Fail(at_, at_ + bytes, message);
  }

  TokenKind Fail(size_t begin, size_t end, std::string message) {
    problem_ = {"TOKEN", static_cast<uint32_t>(begin), static_cast<uint32_t>(end), std::move(message), {}};
    return TokenKind::kEnd;
  }
  std::nullopt_t Failed(Problem* problem) {
    *problem = std::move(problem_);
    return std::nullopt;
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<Token> tokens_;
  Problem problem_;
};

}  // namespace

std::optional<std::vector<Token>> Tokenize(std::string_view text, Problem* problem) { return Lexer(text).Run(problem); }

std::string Unquoted(std::string_view token_text) {
  char quote = token_text.front();
  std::string result;
  for (size_t i = 1; i + 1 < token_text.size(); i++) {
    result += token_text[i];
    if (token_text[i] == quote) i++;
  }
  return result;
}

}  // namespace korrel
