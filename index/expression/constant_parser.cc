#include "index/expression/constant_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "index/expression/literal.h"
#include "index/expression/words.h"

namespace korrel {

// ---- Tokens ----

const Token& ConstantParser::Take() {
  const Token& token = tokens_[next_];
  if (next_ + 1 < tokens_.size()) next_++;
  last_end_ = token.end;
  return token;
}

bool ConstantParser::IsSymbol(std::string_view symbol, size_t ahead) const {
  return Peek(ahead).kind == TokenKind::kSymbol && TextOf(Peek(ahead)) == symbol;
}

bool ConstantParser::IsWord(std::string_view word, size_t ahead) const {
  return Peek(ahead).kind == TokenKind::kName && LowerAscii(TextOf(Peek(ahead))) == word;
}

bool ConstantParser::IsName(size_t ahead) const {
  const Token& token = Peek(ahead);
  return token.kind == TokenKind::kQuotedName || (token.kind == TokenKind::kName && !IsReserved(TextOf(token)));
}

std::string ConstantParser::NameText(const Token& token) const {
  return token.kind == TokenKind::kQuotedName ? Unquoted(TextOf(token)) : std::string(TextOf(token));
}

// ---- Problems ----

NodePtr ConstantParser::Fail(std::string_view reason, uint32_t begin, uint32_t end, std::string message) {
  if (!failure_) failure_ = Problem{std::string(reason), begin, end, std::move(message), {}};
  return nullptr;
}

std::string ConstantParser::Found() const {
  const Token& token = Peek();
  if (token.kind == TokenKind::kEnd) return "end of text";
  std::string_view shown = TextOf(token);
  if (token.kind == TokenKind::kString) return shown.size() > 40 ? "a string" : fmt::format("the string {}", shown);
  return fmt::format("'{}'", shown.substr(0, kNameBytesMax + 2));
}

NodePtr ConstantParser::Expected(std::string_view what) { return Syntax(Peek(), fmt::format("expected {}, found {}", what, Found())); }

void ConstantParser::Later(std::string_view reason, const TextRange& range, std::string message, std::vector<std::string> suggestions) {
  KeepFirst(&later_, {std::string(reason), range.begin, range.end, std::move(message), std::move(suggestions)});
}

// ---- Nodes ----

NodePtr ConstantParser::New(Op op, uint32_t begin) {
  if (++nodes_ > kExpressionNodesMax) {
    return Fail("LIMIT", Peek().begin, Peek().end, fmt::format("an expression has at most {} parts", kExpressionNodesMax));
  }
  auto node = std::make_shared<Node>();
  node->op = op;
  node->range = {begin, last_end_, begin};
  return node;
}

NodePtr ConstantParser::Done(NodePtr node) {
  if (node) node->range.end = last_end_;
  return node;
}

ConstantParser::Level::Level(ConstantParser* parser, const Token& at) : parser_(parser), ok_(++parser->depth_ <= kExpressionNestingMax) {
  if (!ok_) parser->Fail("LIMIT", at.begin, at.end, fmt::format("an expression nests at most {} deep", kExpressionNestingMax));
}

// ---- Constants ----

bool ConstantParser::StartsNumber(size_t ahead) const {
  TokenKind kind = Peek(ahead).kind;
  return kind == TokenKind::kInt || kind == TokenKind::kDecimal || kind == TokenKind::kDouble || kind == TokenKind::kDuration;
}

bool ConstantParser::StartsConstant() const {
  if (StartsNumber(0) || Peek().kind == TokenKind::kString || IsSymbol("@")) return true;
  if (IsSymbol("-") && StartsNumber(1)) return true;
  if (IsWord("true") || IsWord("false")) return true;
  return (IsWord("timestamp") || IsWord("date")) && Peek(1).kind == TokenKind::kString;
}

NodePtr ConstantParser::ConstantValue() {
  uint32_t begin = Peek().begin;
  std::string parameter;
  Constant constant;
  if (!ReadConstant(&constant, &parameter)) return nullptr;
  NodePtr node = New(parameter.empty() ? Op::kConstant : Op::kParameter, begin);
  if (!node) return nullptr;
  node->text = std::move(parameter);
  node->constant = std::move(constant);
  node->type = TypeOfConstant(node->constant);
  return Done(node);
}

bool ConstantParser::ReadConstant(Constant* constant, std::string* parameter) {
  if (TakeSymbol("@")) {
    if (!IsName()) return Expected("the name of a parameter after '@'") != nullptr;
    *parameter = NameText(Take());
    return true;
  }
  uint32_t begin = Peek().begin;
  bool negative = TakeSymbol("-");
  Token token = Take();
  TextRange range{begin, token.end, begin};
  switch (token.kind) {
    case TokenKind::kInt:
    case TokenKind::kDecimal:
      ReadExact(TextOf(token), negative, range, constant);
      return true;
    case TokenKind::kDouble:
      ReadDouble(TextOf(token), negative, range, constant);
      return true;
    case TokenKind::kDuration: {
      int64_t us = 0;
      ReadDuration(TextOf(token), &us);
      constant->duration_us = negative ? -us : us;
      return true;
    }
    case TokenKind::kString:
      constant->value = Unquoted(TextOf(token));
      return true;
    default:
      break;
  }
  std::string word = LowerAscii(TextOf(token));
  if (word == "true" || word == "false") constant->value = word == "true";
  else ReadTime(word == "date", constant);
  return true;
}

// The digits of an int or decimal as one number; the point is its scale.
void ConstantParser::ReadExact(std::string_view digits, bool negative, const TextRange& range, Constant* constant) {
  size_t point = digits.find('.');
  size_t scale = point == digits.npos ? 0 : digits.size() - point - 1;
  if (scale > 18) {
    Later("LITERAL", range, "a decimal has at most 18 digits after the point");
    scale = 0;
  }
  int128 number = 0;
  constexpr int128 kTooLarge = int128{1} << 64;
  for (char c : digits) {
    if (c != '.' && number < kTooLarge) number = number * 10 + (c - '0');
  }
  if (negative) number = -number;
  if (number < INT64_MIN || number > INT64_MAX) {
    std::string shown(digits.substr(0, 40));
    Later("LITERAL", range, fmt::format("'{}{}' is out of range; a number has at most 64 bits", negative ? "-" : "", shown));
    number = 0;
  }
  if (point == digits.npos) constant->value = static_cast<int64_t>(number);
  else constant->value = Decimal{static_cast<int64_t>(number), static_cast<uint8_t>(scale)};
}

void ConstantParser::ReadDouble(std::string_view text, bool negative, const TextRange& range, Constant* constant) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  // from_chars leaves the value alone where it is too large and where it is too small to be told from zero.
  if (error == std::errc::result_out_of_range) {
    size_t e = text.find_first_of("eE");
    bool zero = text.substr(0, e).find_first_not_of("0.") == text.npos;
    if (text[e + 1] != '-' && !zero) Later("LITERAL", range, fmt::format("'{}' is out of range of a double", text.substr(0, 40)));
    number = 0;
  }
  constant->is_double = true;
  constant->value = negative && number != 0 ? -number : number;
}

void ConstantParser::ReadTime(bool is_date, Constant* constant) {
  const Token& token = Take();
  std::string text = Unquoted(TextOf(token));
  constant->value = Timestamp{0};
  constant->is_date = is_date;
  constant->date_text = is_date ? "1970-01-01" : "";
  if (is_date && !ReadDate(text)) {
    Later("LITERAL", RangeOf(token), fmt::format("'{}' is not a date; write it as 2017-03-01", text.substr(0, 40)));
    return;
  }
  StatusOr<Timestamp> time = ParseTimestamp(text, time_zone_);
  if (!time.ok()) {
    Later("LITERAL", RangeOf(token), std::string(MessageOf(time.status())));
    return;
  }
  constant->value = *time;
  if (is_date) constant->date_text = text;
}

}  // namespace korrel
