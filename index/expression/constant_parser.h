// index/expression/constant_parser.h
//
// ConstantParser is what every part of the grammar stands on: tokens one after another, problems of which the first counts, nodes within
// the limits; and the smallest whole it can read, a constant. Parser (parser.cc) adds the grammar.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "index/expression/expression.h"
#include "index/expression/lexer.h"
#include "index/expression/node.h"
#include "index/expression/problem.h"

namespace korrel {

using NodePtr = std::shared_ptr<Node>;

class ConstantParser {
 public:
  ConstantParser(std::string_view text, std::string_view time_zone, std::vector<Token> tokens)
      : text_(text), time_zone_(time_zone), tokens_(std::move(tokens)) {}

 protected:
  // ---- Tokens ----
  const Token& Peek(size_t ahead = 0) const { return tokens_[std::min(next_ + ahead, tokens_.size() - 1)]; }
  std::string_view TextOf(const Token& token) const { return text_.substr(token.begin, token.end - token.begin); }
  static TextRange RangeOf(const Token& token) { return {token.begin, token.end, token.begin}; }
  uint32_t last_end() const { return last_end_; }  // of the last token taken
  const Token& Take();
  bool IsSymbol(std::string_view symbol, size_t ahead = 0) const;
  // A word of the grammar, in any letter case; never a quoted name.
  bool IsWord(std::string_view word, size_t ahead = 0) const;
  bool TakeSymbol(std::string_view symbol) { return IsSymbol(symbol) && (Take(), true); }
  bool TakeWord(std::string_view word) { return IsWord(word) && (Take(), true); }
  bool IsName(size_t ahead = 0) const;
  std::string NameText(const Token& token) const;

  // ---- Problems ----
  // All give null, so that whoever reads a node can return it.
  NodePtr Fail(std::string_view reason, uint32_t begin, uint32_t end, std::string message);
  NodePtr Syntax(const Token& at, std::string message) { return Fail("SYNTAX", at.begin, at.end, std::move(message)); }
  NodePtr Expected(std::string_view what);
  std::string Found() const;  // the next token, for a message
  // What is no matter of grammar: counts if nothing before it is wrong.
  void Later(std::string_view reason, const TextRange& range, std::string message, std::vector<std::string> suggestions = {});
  std::optional<Problem> TakeFailure() { return std::move(failure_); }
  std::optional<Problem> TakeLater() { return std::move(later_); }

  // ---- Nodes ----
  NodePtr New(Op op, uint32_t begin);
  // Closes a node at the last token taken.
  NodePtr Done(NodePtr node);

  // Counts a level of recursion as long as it lives.
  class Level {
   public:
    Level(ConstantParser* parser, const Token& at);
    ~Level() { parser_->depth_--; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    explicit operator bool() const { return ok_; }

   private:
    ConstantParser* parser_;
    bool ok_;
  };

  // ---- Constants ----
  bool StartsNumber(size_t ahead) const;
  bool StartsConstant() const;
  NodePtr ConstantValue();
  // One constant or parameter. A literal that is out of range is a problem for later; its value is then of the right type.
  bool ReadConstant(Constant* constant, std::string* parameter);

 private:
  void ReadExact(std::string_view digits, bool negative, const TextRange& range, Constant* constant);
  void ReadDouble(std::string_view text, bool negative, const TextRange& range, Constant* constant);
  void ReadTime(bool is_date, Constant* constant);

  std::string_view text_, time_zone_;
  std::vector<Token> tokens_;
  size_t next_ = 0;
  uint32_t last_end_ = 0;
  int depth_ = 0, nodes_ = 0;
  std::optional<Problem> failure_, later_;
};

}  // namespace korrel
