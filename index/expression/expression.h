// index/expression/expression.h
//
// The front door of the language: text in, a typed tree with its normal form and sharing key out, or one error that points.
// docs/expressions.md is the language's reference.
//
//   text ── lexer ─▶ tokens ── parser ─▶ Node tree ── binder ─▶ typed tree ── printer ─▶ normal form, sharing key
//
// Threads  Expressions are immutable; Compile may run anywhere. It takes no lock and reads no clock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "index/expression/node.h"
#include "storage/schema.h"
#include "storage/status.h"

namespace korrel {

inline constexpr size_t kExpressionBytesMax = 64 * 1024;
inline constexpr int kExpressionNestingMax = 32;
inline constexpr int kExpressionNodesMax = 1'000;
inline constexpr int kExpressionListItemsMax = 10'000;
inline constexpr int kSequenceStepsMax = 8;
inline constexpr size_t kPatternBytesMax = 4 * 1024;
inline constexpr int64_t kDurationMaxUs = int64_t{100} * 365 * 86'400 * 1'000'000;
inline constexpr int kDefinitionDepthMax = 32;

// What is wrong, and where. `reason` is one of TOKEN SYNTAX UNKNOWN_NAME TYPE ARGUMENTS PLACE WINDOW LITERAL PATTERN
// NOT_CLOCK_EXACT NOT_YET CYCLE LIMIT.
struct ExpressionError {
  std::string reason;
  uint32_t offset = 0, length = 0;  // bytes
  uint32_t line = 1, column = 1;    // code points, from 1
  std::string message;
  std::vector<std::string> suggestions;
  std::string rendered;  // "1:1: message\n    line\n    ^^^^"
};
// An error status (kInvalidArgument; kFailedPrecondition for CYCLE; kUnimplemented for NOT_YET) that carries the error.
Status ToStatus(const ExpressionError& error);
std::optional<ExpressionError> ExpressionErrorOf(const Status& status);

// Where the expression will live; decides what it may say (3 kinds of refusal: PLACE, NOT_CLOCK_EXACT).
enum class ExpressionPlace { kQuestion, kLiveSegment, kAttributeDefinition };

class Expression;
using ExpressionRef = std::shared_ptr<const Expression>;

// What names mean beyond the schema: definitions of the catalog.
struct NamedDefinitions {
  struct Segment {
    SegmentId id;
    bool is_static = false;
    ExpressionRef expression;  // null for a static segment
  };
  std::map<std::string, ExpressionRef, std::less<>> attributes;  // computed and derived attributes
  std::map<std::string, Segment, std::less<>> segments;
  std::map<std::string, Type, std::less<>> population;  // published figures, by the type of what they publish
};

struct CompileOptions {
  const Schema* schema = nullptr;
  const NamedDefinitions* definitions = nullptr;                          // may be null
  std::string time_zone = "UTC";                                          // the catalog's, an IANA name
  const std::map<std::string, Value, std::less<>>* parameters = nullptr;  // for @name; null: parameters are refused (PLACE)
  bool allow_unknown_names = false;
  ExpressionPlace place = ExpressionPlace::kQuestion;
  bool must_be_condition = false;  // TYPE error unless bool
};

class Expression {
 public:
  // Errors: a status that carries an ExpressionError.
  static StatusOr<ExpressionRef> Compile(std::string_view text, const CompileOptions& options);

  const NodeRef& root() const { return root_; }
  Type type() const { return root_->type; }
  const std::string& text() const { return text_; }
  const std::string& normal_form() const { return normal_form_; }
  // Equal bytes exactly when two expressions are the same predicate or value by the rules of the sharing key.
  const std::string& sharing_key() const { return sharing_key_; }
  const std::string& time_zone() const { return time_zone_; }
  bool has_aggregate() const { return has_aggregate_; }  // itself or through a definition
  bool reads_now() const { return reads_now_; }
  int definition_depth() const { return definition_depth_; }
  // Names it uses directly, for "used by" and cycles: "attributes/x", "segments/y", "events/z", "population/f"; sorted, distinct.
  const std::vector<std::string>& uses() const { return uses_; }

 private:
  friend class Binder;
  NodeRef root_;
  std::string text_, normal_form_, sharing_key_, time_zone_;
  bool has_aggregate_ = false, reads_now_ = false;
  int definition_depth_ = 0;
  std::vector<std::string> uses_;
};

// Only the grammar: text to unbound tree and back to text, for tools and tests. print(parse(print(parse(x)))) == print(parse(x)).
StatusOr<NodeRef> ParseExpression(std::string_view text);
std::string PrintNode(const Node& node);
// The names an unbound tree mentions in the places of attributes, segments and figures, so that a catalog can order its definitions.
struct MentionedNames {
  std::vector<std::string> attributes, segments, population;
};
MentionedNames NamesIn(const Node& node);

// A known name at the smallest edit distance, at most a third of the name's length; for "did you mean".
std::optional<std::string> Nearest(std::string_view name, const std::vector<std::string>& known);

// ---- Shared small print of the language, used by import and messages too ----
// "30d", "1d12h", "90s"; microseconds. nullopt where it is none.
std::optional<int64_t> ParseDuration(std::string_view text);
std::string FormatDuration(int64_t us);  // largest single unit: "36h", "28d"
// RFC 3339 text; without a zone, or date alone, in `time_zone`. Errors: kInvalidArgument LITERAL.
StatusOr<Timestamp> ParseTimestamp(std::string_view text, std::string_view time_zone);
bool IsTimeZone(std::string_view name);

}  // namespace korrel
