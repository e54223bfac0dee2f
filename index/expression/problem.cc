#include "index/expression/problem.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/cord.h"
#include "index/expression/utf8.h"

namespace korrel {
namespace {

constexpr char kErrorUrl[] = "korrel/expression";
constexpr size_t kShownCodePoints = 120;

// The line the problem stands in, as code points, with every control character shown as a space so that the caret stays below.
struct ShownLine {
  std::string text;
  size_t caret_from = 0, caret_length = 1;
};

ShownLine CutLine(std::string_view line, size_t begin, size_t end) {
  std::vector<std::string_view> points;
  size_t caret_from = 0, caret_end = 0;
  for (size_t at = 0; at < line.size();) {
    size_t bytes = CodePointBytes(line, at);
    if (at < begin) caret_from = points.size() + 1;
    if (at < end) caret_end = points.size() + 1;
    points.push_back(line.substr(at, bytes));
    at += bytes;
  }
  ShownLine shown;
  size_t first = 0, last = points.size();
  if (last > kShownCodePoints) {
    first = caret_from > kShownCodePoints / 2 ? caret_from - kShownCodePoints / 2 : 0;
    first = std::min(first, last - kShownCodePoints);
    last = first + kShownCodePoints;
  }
  for (size_t i = first; i < last; i++) {
    unsigned char c = points[i][0];
    bool valid = points[i].size() > 1 || (c >= 0x20 && c < 0x7f);
    if (valid) shown.text += points[i];
    else shown.text += c < 0x80 ? " " : "\xEF\xBF\xBD";
  }
  shown.caret_from = caret_from - first;
  caret_end = std::min(caret_end, last);
  if (caret_end > caret_from) shown.caret_length = caret_end - caret_from;
  return shown;
}

void AppendField(std::string* out, std::string_view field) { *out += fmt::format("{}:{}", field.size(), field); }

std::optional<std::string> TakeField(std::string_view* in) {
  size_t length = 0, at = 0;
  while (at < in->size() && (*in)[at] >= '0' && (*in)[at] <= '9') length = length * 10 + ((*in)[at++] - '0');
  if (at >= in->size() || (*in)[at] != ':' || in->size() - at - 1 < length) return std::nullopt;
  std::string field(in->substr(at + 1, length));
  in->remove_prefix(at + 1 + length);
  return field;
}

}  // namespace

void KeepFirst(std::optional<Problem>* kept, Problem problem) {
  if (!*kept || problem.begin < (*kept)->begin) *kept = std::move(problem);
}

ExpressionError Located(std::string_view text, const Problem& problem) {
  ExpressionError error;
  error.reason = problem.reason;
  error.offset = std::min<size_t>(problem.begin, text.size());
  error.length = std::max<size_t>(error.offset, std::min<size_t>(problem.end, text.size())) - error.offset;
  error.message = problem.message;
  error.suggestions = problem.suggestions;
  std::string_view before = text.substr(0, error.offset);
  error.line = 1 + std::count(before.begin(), before.end(), '\n');
  size_t line_begin = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
  error.column = 1;
  for (size_t at = line_begin; at < error.offset; at += CodePointBytes(text, at)) error.column++;
  size_t line_end = text.find('\n', error.offset);
  if (line_end == text.npos) line_end = text.size();
  // A request may carry megabytes before its length is refused: no more of its line is looked at than can be shown.
  line_end = std::min<size_t>(line_end, error.offset + 4 * kShownCodePoints);
  ShownLine shown =
      CutLine(text.substr(line_begin, line_end - line_begin), error.offset - line_begin, error.offset + error.length - line_begin);
  error.rendered = fmt::format("{}:{}: {}\n    {}\n    {}{}", error.line, error.column, error.message, shown.text,
                               std::string(shown.caret_from, ' '), std::string(shown.caret_length, '^'));
  return error;
}

Problem UnknownName(std::string_view what, std::string_view name, const TextRange& range, const std::vector<std::string>& known) {
  Problem problem{"UNKNOWN_NAME", range.begin, range.end, fmt::format("unknown {} '{}'", what, name), {}};
  if (auto nearest = Nearest(name, known)) {
    problem.message += fmt::format("; did you mean '{}'?", *nearest);
    problem.suggestions.push_back(*nearest);
  }
  return problem;
}

Status ToStatus(const ExpressionError& error) {
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
  if (error.reason == "CYCLE") code = absl::StatusCode::kFailedPrecondition;
  if (error.reason == "NOT_YET") code = absl::StatusCode::kUnimplemented;
  Status status = MakeError(code, error.reason, "", error.rendered.empty() ? error.message : error.rendered);
  std::string payload = fmt::format("{} {} {} {} ", error.offset, error.length, error.line, error.column);
  AppendField(&payload, error.reason);
  AppendField(&payload, error.message);
  AppendField(&payload, error.rendered);
  for (const std::string& suggestion : error.suggestions) AppendField(&payload, suggestion);
  status.SetPayload(kErrorUrl, absl::Cord(Abseil(payload)));
  return status;
}

std::optional<ExpressionError> ExpressionErrorOf(const Status& status) {
  auto cord = status.GetPayload(kErrorUrl);
  if (!cord) return std::nullopt;
  std::string payload(*cord);
  std::string_view rest = payload;
  ExpressionError error;
  for (uint32_t* number : {&error.offset, &error.length, &error.line, &error.column}) {
    *number = 0;
    while (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
      *number = *number * 10 + (rest[0] - '0');
      rest.remove_prefix(1);
    }
    if (rest.empty()) return std::nullopt;
    rest.remove_prefix(1);
  }
  for (std::string* field : {&error.reason, &error.message, &error.rendered}) {
    auto taken = TakeField(&rest);
    if (!taken) return std::nullopt;
    *field = std::move(*taken);
  }
  while (!rest.empty()) {
    auto taken = TakeField(&rest);
    if (!taken) return std::nullopt;
    error.suggestions.push_back(std::move(*taken));
  }
  return error;
}

}  // namespace korrel
