#include "index/expression/quantile.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "index/expression/lexer.h"
#include "index/expression/problem.h"

namespace korrel {
namespace {

constexpr std::string_view kShape = "a figure is written quantile(VALUE, Q), as in quantile(spend_90d, 0.9)";
constexpr int kShareScaleMax = 18;

struct Parts {
  uint32_t begin = 0, end = 0;  // of VALUE
  Decimal q;
};

// Finds the parts by the tokens alone. What VALUE says is left to the language's own parser.
class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::optional<Parts> Split() {
    std::optional<std::vector<Token>> tokens = Tokenize(text_, &problem_);
    if (!tokens) return std::nullopt;
    tokens_ = *std::move(tokens);
    if (!IsWord(0, "quantile") || !IsSymbol(1, "(")) return Refuse("SYNTAX", tokens_[0], kShape);
    const std::optional<size_t> close = Closing();
    if (!close) return Refuse("SYNTAX", tokens_.back(), "the '(' of quantile is not closed");
    if (tokens_[*close + 1].kind != TokenKind::kEnd) {
      return Refuse("SYNTAX", tokens_[*close + 1], fmt::format("nothing follows the figure; {}", kShape));
    }
    if (comma_ == 0) return Refuse("ARGUMENTS", tokens_[*close], fmt::format("quantile needs its share from 0 to 1; {}", kShape));
    if (comma_ == 2) return Refuse("ARGUMENTS", tokens_[2], fmt::format("quantile needs a value; {}", kShape));
    return WithShare(*close);
  }

  const Problem& problem() const { return problem_; }

 private:
  std::string_view TextOf(size_t i) const { return text_.substr(tokens_[i].begin, tokens_[i].end - tokens_[i].begin); }
  bool IsSymbol(size_t i, std::string_view symbol) const { return tokens_[i].kind == TokenKind::kSymbol && TextOf(i) == symbol; }
  bool IsWord(size_t i, std::string_view word) const {
    const auto same = [](char a, char b) { return (a | 0x20) == b; };
    return tokens_[i].kind == TokenKind::kName && std::ranges::equal(TextOf(i), word, same);
  }

  std::nullopt_t Refuse(std::string reason, const Token& at, std::string_view message) {
    problem_ = {std::move(reason), at.begin, at.end, std::string(message), {}};
    return std::nullopt;
  }

  // The parenthesis that closes the one of quantile; notes the last comma of its own on the way.
  std::optional<size_t> Closing() {
    int depth = 0;
    for (size_t i = 1; tokens_[i].kind != TokenKind::kEnd; ++i) {
      if (IsSymbol(i, "(")) ++depth;
      if (IsSymbol(i, ",") && depth == 1) comma_ = i;
      if (IsSymbol(i, ")") && --depth == 0) return i;
    }
    return std::nullopt;
  }

  std::optional<Parts> WithShare(size_t close) {
    const size_t share = comma_ + 1;
    const bool number = tokens_[share].kind == TokenKind::kInt || tokens_[share].kind == TokenKind::kDecimal;
    if (!number || share + 1 != close) {
      return Refuse("ARGUMENTS", tokens_[share], "the share of a quantile is a plain number from 0 to 1, as in 0.9");
    }
    const std::optional<Decimal> q = ShareOf(TextOf(share));
    if (!q)
      return Refuse("LITERAL", tokens_[share], "the share of a quantile lies between 0 and 1, with at most 18 digits behind the point");
    return Parts{tokens_[2].begin, tokens_[comma_].begin, *q};
  }

  static std::optional<Decimal> ShareOf(std::string_view digits) {
    const size_t point = std::min(digits.find('.'), digits.size());
    const std::string_view part = digits.substr(std::min(point + 1, digits.size()));
    if (part.size() > kShareScaleMax) return std::nullopt;
    int64_t whole = 0;
    for (char c : digits.substr(0, point)) whole = std::min<int64_t>(whole * 10 + (c - '0'), 2);
    int64_t unscaled = 0, unit = 1;
    for (char c : part) unscaled = unscaled * 10 + (c - '0'), unit *= 10;
    if (whole > 1 || (whole == 1 && unscaled > 0)) return std::nullopt;
    return Decimal{whole * unit + unscaled, static_cast<uint8_t>(part.size())};
  }

  const std::string_view text_;
  std::vector<Token> tokens_;
  size_t comma_ = 0;
  Problem problem_;
};

// VALUE at its own place, so that what is wrong with it is found where it stands. Nothing but space and `quantile(` is before it.
std::string ValueInPlace(std::string_view text, const Parts& parts) {
  std::string value(text.substr(0, parts.end));
  for (uint32_t i = 0; i < parts.begin; ++i) {
    if (value[i] != '\n' && value[i] != '\r') value[i] = ' ';
  }
  return value;
}

// Told with the line as it was written, not the part of it that was compiled.
Status InWholeText(std::string_view text, const Status& status) {
  const std::optional<ExpressionError> error = ExpressionErrorOf(status);
  if (!error) return status;
  return ToStatus(Located(text, {error->reason, error->offset, error->offset + error->length, error->message, error->suggestions}));
}

bool HasOrder(Type type) {
  return type.kind == ValueKind::kInt || type.kind == ValueKind::kDecimal || type.kind == ValueKind::kDouble ||
         type.kind == ValueKind::kTimestamp;
}

}  // namespace

StatusOr<Quantile> CompileQuantile(std::string_view text, const CompileOptions& options) {
  Splitter splitter(text);
  const std::optional<Parts> parts = splitter.Split();
  if (!parts) return ToStatus(Located(text, splitter.problem()));
  StatusOr<ExpressionRef> of = Expression::Compile(ValueInPlace(text, *parts), options);
  if (!of.ok()) return InWholeText(text, of.status());
  if (!HasOrder((*of)->type())) {
    return ToStatus(
        Located(text, {"TYPE",
                       parts->begin,
                       parts->end,
                       fmt::format("quantile orders int, decimal, double and timestamp values, not {}", TypeName((*of)->type())),
                       {}}));
  }
  return Quantile{*std::move(of), parts->q};
}

MentionedNames NamesInQuantile(std::string_view text) {
  const std::optional<Parts> parts = Splitter(text).Split();
  if (!parts) return {};
  StatusOr<NodeRef> tree = ParseExpression(text.substr(parts->begin, parts->end - parts->begin));
  return tree.ok() ? NamesIn(**tree) : MentionedNames();
}

std::string Quantile::normal_form() const { return fmt::format("quantile({}, {})", of->normal_form(), FormatDecimal(q.unscaled, q.scale)); }

size_t Quantile::RankAmong(size_t n) const {
  __extension__ using Wide = unsigned __int128;
  Wide unit = 1;
  for (int i = 0; i < q.scale; ++i) unit *= 10;
  const Wide rank = (static_cast<Wide>(q.unscaled) * n + unit - 1) / unit;
  return rank == 0 ? 0 : static_cast<size_t>(rank) - 1;
}

}  // namespace korrel
