#include "index/expression/parser.h"

#include <fmt/format.h>

#include "index/expression/constant_parser.h"
#include "index/expression/literal.h"
#include "index/expression/words.h"

namespace korrel {
namespace {

constexpr std::string_view kWhereHint = "'where' goes inside the parentheses, as in count(order where amount > 10)";

class Parser final : public ConstantParser {
 public:
  using ConstantParser::ConstantParser;

  ParsedText Run() {
    NodePtr root = Or();
    if (root && Peek().kind != TokenKind::kEnd) root = Unexpected();
    std::optional<Problem> problem = root ? TakeLater() : TakeFailure();
    return {std::move(root), std::move(problem)};
  }

 private:
  // What follows a complete expression and should not.
  NodePtr Unexpected() {
    if (IsWord("where")) return Syntax(Peek(), std::string(kWhereHint));
    if (IsWord("over")) return Syntax(Peek(), "'over' stands behind an aggregate, as in count(order) over 30d");
    if (IsComparison()) return Syntax(Peek(), "comparisons do not chain; join them with 'and'");
    for (std::string_view word : {"between", "in", "like", "matches", "contains", "has", "is"}) {
      if (IsWord(word)) return Syntax(Peek(), "tests do not chain; join them with 'and'");
    }
    return Syntax(Peek(), fmt::format("unexpected {}", Found()));
  }
  bool IsComparison() const {
    for (std::string_view symbol : {"=", "!=", "<", "<=", ">", ">="}) {
      if (IsSymbol(symbol)) return true;
    }
    return false;
  }

  // ---- Logic ----
  NodePtr Or() { return Chain("or", Op::kOr, &Parser::And); }
  NodePtr And() { return Chain("and", Op::kAnd, &Parser::Not); }

  NodePtr Chain(std::string_view word, Op op, NodePtr (Parser::*operand)()) {
    NodePtr first = (this->*operand)();
    if (!first || !IsWord(word)) return first;
    NodePtr node = New(op, first->range.begin);
    if (!node) return nullptr;
    node->inputs.push_back(std::move(first));
    while (TakeWord(word)) {
      NodePtr next = (this->*operand)();
      if (!next) return nullptr;
      node->inputs.push_back(std::move(next));
    }
    return Done(node);
  }

  NodePtr Not() {
    if (!IsWord("not")) return Test();
    const Token& token = Take();
    Level level(this, token);
    if (!level) return nullptr;
    NodePtr inner = Not();
    return inner ? Wrap(Op::kNot, token.begin, {inner}) : nullptr;
  }

  NodePtr Wrap(Op op, uint32_t begin, std::vector<NodeRef> inputs, std::optional<uint32_t> at = {}) {
    NodePtr node = New(op, begin);
    if (!node) return nullptr;
    node->inputs = std::move(inputs);
    if (at) node->range.at = *at;
    return Done(node);
  }

  // ---- Tests ----
  NodePtr Test() {
    NodePtr left = Sum();
    if (!left) return nullptr;
    const Token& at = Peek();
    if (IsComparison()) return Comparison(std::move(left));
    if (TakeWord("is")) return Is(std::move(left), at);
    bool negated = IsWord("not") && IsTestWord(1);
    if (IsWord("not") && !negated) {
      Take();
      return Expected("in, between, like, matches, contains or has after 'not'");
    }
    if (negated) Take();
    NodePtr test = WordTest(left);
    if (!test || test == left || !negated) return test;
    return Wrap(Op::kNot, test->range.begin, {test}, at.begin);
  }

  bool IsTestWord(size_t ahead) const {
    for (std::string_view word : {"between", "in", "like", "matches", "contains", "has"}) {
      if (IsWord(word, ahead)) return true;
    }
    return false;
  }

  // The tests that begin with a word; the operand itself where none follows.
  NodePtr WordTest(NodePtr left) {
    const Token& at = Peek();
    if (TakeWord("between")) return Between(std::move(left), at);
    if (TakeWord("in")) {
      if (IsWord("segment")) return Syntax(Peek(), "'in segment' asks about the profile itself; nothing stands before it");
      return ListTest(Op::kIn, std::move(left), at);
    }
    if (TakeWord("like")) return Pattern(Op::kLike, std::move(left), at);
    if (TakeWord("matches")) return Pattern(Op::kMatches, std::move(left), at);
    if (TakeWord("contains")) return Binary(Op::kContains, std::move(left), at);
    if (TakeWord("has")) return Has(std::move(left), at);
    return left;
  }

  NodePtr Comparison(NodePtr left) {
    const Token& at = Take();
    std::string_view symbol = TextOf(at);
    Op op = symbol == "="    ? Op::kEqual
            : symbol == "!=" ? Op::kNotEqual
            : symbol == "<"  ? Op::kLess
            : symbol == "<=" ? Op::kLessEqual
            : symbol == ">"  ? Op::kGreater
                             : Op::kGreaterEqual;
    return Binary(op, std::move(left), at);
  }

  NodePtr Binary(Op op, NodePtr left, const Token& at) {
    NodePtr right = Sum();
    if (!right) return nullptr;
    return Wrap(op, left->range.begin, {left, right}, at.begin);
  }

  NodePtr Between(NodePtr left, const Token& at) {
    NodePtr low = Sum();
    if (!low) return nullptr;
    if (!TakeWord("and")) return Expected("'and' and the upper end of 'between'");
    NodePtr high = Sum();
    if (!high) return nullptr;
    return Wrap(Op::kBetween, left->range.begin, {left, low, high}, at.begin);
  }

  NodePtr Is(NodePtr left, const Token& at) {
    bool negated = TakeWord("not");
    bool present = IsWord("present"), absent = IsWord("absent");
    if (IsWord("null")) return Syntax(Peek(), negated ? "write 'is present'" : "write 'is absent'");
    if (IsWord("true") || IsWord("false")) return Syntax(Peek(), fmt::format("write '= {}'", LowerAscii(TextOf(Peek()))));
    if (!present && !absent) return Expected("'present' or 'absent'");
    Take();
    return Wrap(present != negated ? Op::kIsPresent : Op::kIsAbsent, left->range.begin, {left}, at.begin);
  }

  NodePtr Has(NodePtr left, const Token& at) {
    for (auto [word, op] : {std::pair{"any", Op::kHasAny}, {"all", Op::kHasAll}, {"none", Op::kHasNone}}) {
      if (!IsWord(word) || !IsSymbol("(", 1)) continue;
      Take();
      return ListTest(op, std::move(left), at);
    }
    return Binary(Op::kHas, std::move(left), at);
  }

  NodePtr Pattern(Op op, NodePtr left, const Token& at) {
    if (Peek().kind != TokenKind::kString) return Expected(fmt::format("a pattern in single quotes after '{}'", LowerAscii(TextOf(at))));
    const Token& pattern = Take();
    NodePtr node = Wrap(op, left->range.begin, {left}, pattern.begin);
    if (node) node->text = Unquoted(TextOf(pattern));
    return node;
  }

  NodePtr ListTest(Op op, NodePtr left, const Token& at) {
    if (!TakeSymbol("(")) return Expected("a list of constants in parentheses");
    NodePtr node = Wrap(op, left->range.begin, {left}, at.begin);
    if (!node) return nullptr;
    if (IsSymbol(")")) return Syntax(Peek(), "a list has at least one item");
    do {
      if (node->items.size() == kExpressionListItemsMax) {
        return Fail("LIMIT", Peek().begin, Peek().end, fmt::format("a list has at most {} items", kExpressionListItemsMax));
      }
      if (!Item(node.get())) return nullptr;
    } while (TakeSymbol(","));
    if (!TakeSymbol(")")) return Expected("',' or ')'");
    return Done(node);
  }

  bool Item(Node* list) {
    if (!StartsConstant()) {
      if (IsName())
        Syntax(Peek(), fmt::format("a list holds constants, not names; a string is written in single quotes: '{}'", NameText(Peek())));
      else Expected("a constant");
      return false;
    }
    std::string parameter;
    Constant constant;
    uint32_t begin = Peek().begin;
    if (!ReadConstant(&constant, &parameter)) return false;
    constant.range = {begin, last_end(), begin};
    list->items.push_back(std::move(constant));
    list->item_parameters.push_back(std::move(parameter));
    return true;
  }

  // ---- Arithmetic ----
  NodePtr Sum() {
    NodePtr left = Term();
    while (left && (IsSymbol("+") || IsSymbol("-"))) left = Operation(std::move(left), &Parser::Term);
    return left;
  }
  NodePtr Term() {
    NodePtr left = Factor();
    while (left && (IsSymbol("*") || IsSymbol("/") || IsSymbol("%"))) left = Operation(std::move(left), &Parser::Factor);
    return left;
  }
  NodePtr Operation(NodePtr left, NodePtr (Parser::*operand)()) {
    const Token& at = Take();
    char symbol = TextOf(at)[0];
    NodePtr right = (this->*operand)();
    if (!right) return nullptr;
    Op op = symbol == '+'   ? Op::kAdd
            : symbol == '-' ? Op::kSubtract
            : symbol == '*' ? Op::kMultiply
            : symbol == '/' ? Op::kDivide
                            : Op::kModulo;
    return Wrap(op, left->range.begin, {left, right}, at.begin);
  }
  NodePtr Factor() {
    if (!IsSymbol("-") || StartsNumber(1)) return Value();
    const Token& token = Take();
    Level level(this, token);
    if (!level) return nullptr;
    NodePtr inner = Factor();
    return inner ? Wrap(Op::kNegate, token.begin, {inner}) : nullptr;
  }

  // ---- Values ----
  NodePtr Value() {
    if (StartsConstant()) return ConstantValue();
    if (IsSymbol("(")) return Parenthesised();
    if (IsWord("in")) return InSegment();
    if (IsWord("did")) return Sequence();
    if (Peek().kind == TokenKind::kName && IsSymbol("(", 1) && !IsReserved(TextOf(Peek()))) return CallOrAggregate();
    if (IsName()) return Name();
    if (IsWord("not")) return Syntax(Peek(), "expected a value, found 'not'; put what it negates in parentheses: (not …)");
    return Expected("a value");
  }

  NodePtr Parenthesised() {
    const Token& open = Take();
    Level level(this, open);
    if (!level) return nullptr;
    NodePtr inner = Or();
    if (!inner) return nullptr;
    if (!TakeSymbol(")")) return ExpectedClose();
    return inner;
  }
  NodePtr ExpectedClose() {
    if (Peek().kind == TokenKind::kEnd || IsSymbol("(")) return Expected("')'");
    return Unexpected();
  }

  NodePtr InSegment() {
    const Token& in = Take();
    if (!TakeWord("segment")) return Expected("'segment' and a name in single quotes after 'in'");
    if (Peek().kind != TokenKind::kString) return Expected("the name of a segment in single quotes");
    const Token& name = Take();
    NodePtr node = New(Op::kInSegment, in.begin);
    if (!node) return nullptr;
    node->text = Unquoted(TextOf(name));
    node->range.at = name.begin;
    return Done(node);
  }

  NodePtr Name() {
    const Token& first = Take();
    bool quoted = first.kind == TokenKind::kQuotedName;
    if (!IsSymbol(".")) {
      NodePtr node = New(Op::kAttribute, first.begin);
      if (!node) return nullptr;
      node->text = NameText(first);
      node->quoted = quoted;
      return Done(node);
    }
    Take();
    if (!IsName()) return Expected("a name after '.'; a reserved word stands in double quotes");
    const Token& second = Take();
    std::string space = quoted ? "" : LowerAscii(TextOf(first));
    Op op = space == "context" ? Op::kContext : space == "offer" ? Op::kOffer : space == "population" ? Op::kPopulation : Op::kProperty;
    NodePtr node = New(op, first.begin);
    if (!node) return nullptr;
    node->text = NameText(second);
    node->quoted = quoted;
    if (op == Op::kProperty) node->event_text = NameText(first);
    return Done(node);
  }

  // ---- Calls and aggregates ----
  NodePtr CallOrAggregate() {
    const Token& name = Take();
    std::string word = LowerAscii(TextOf(name));
    Function function = FunctionNamed(word);
    Aggregate aggregate = AggregateNamed(word);
    const Token& open = Take();
    Level level(this, open);
    if (!level) return nullptr;
    if (aggregate == Aggregate::kNone) return Call(name, function);
    if (IsSymbol(")")) {
      Take();
      return Aggregated(name, aggregate, nullptr);
    }
    NodePtr argument = Or();
    if (!argument) return nullptr;
    if (function != Function::kNone && IsSymbol(",")) return Call(name, function, argument);
    return Aggregated(name, aggregate, std::move(argument));
  }

  NodePtr Call(const Token& name, Function function, NodePtr first = nullptr) {
    NodePtr node = New(Op::kCall, name.begin);
    if (!node) return nullptr;
    node->function = function;
    node->text = LowerAscii(TextOf(name));
    if (function == Function::kNone) {
      Problem unknown = UnknownName("function", TextOf(name), RangeOf(name), FunctionAndAggregateNames());
      Later(unknown.reason, RangeOf(name), unknown.message, unknown.suggestions);
    }
    if (first) node->inputs.push_back(std::move(first));
    if (!first && node->inputs.empty() && TakeSymbol(")")) return Arguments(name, Done(node));
    if (!node->inputs.empty()) Take();  // the comma behind the first argument
    do {
      NodePtr argument = Or();
      if (!argument) return nullptr;
      node->inputs.push_back(std::move(argument));
    } while (TakeSymbol(","));
    if (IsWord("where")) return Syntax(Peek(), fmt::format("'where' stands in an aggregate; '{}' is none here", node->text));
    if (!TakeSymbol(")")) return Expected("',' or ')'");
    return Arguments(name, Done(node));
  }

  // The unit of age_in is part of the grammar of that call: it leaves the arguments and becomes part of the node.
  NodePtr Arguments(const Token& name, NodePtr node) {
    if (!node || node->function != Function::kAgeIn) {
      if (node && node->function != Function::kNone) node->text.clear();
      return node;
    }
    node->text = "day";
    if (node->inputs.size() < 2) {
      Later("ARGUMENTS", RangeOf(name), "age_in needs a timestamp and a unit, as in age_in(birth_date, 'year')");
      return node;
    }
    NodeRef unit = node->inputs[1];
    node->inputs.erase(node->inputs.begin() + 1);
    const auto* word = unit->op == Op::kConstant ? std::get_if<std::string>(&unit->constant.value) : nullptr;
    auto known = word ? AgeUnitNamed(*word) : std::nullopt;
    if (!known) {
      std::string message = "the unit of age_in is one of 'second' 'minute' 'hour' 'day' 'week' 'month' 'year'";
      auto nearest = word ? Nearest(*word, AgeUnitNames()) : std::nullopt;
      Later("ARGUMENTS", unit->range, message, nearest ? std::vector{*nearest} : std::vector<std::string>{});
      return node;
    }
    node->text = *word;
    node->age_unit = *known;
    return node;
  }

  static bool CountsEvents(Aggregate aggregate) {
    return aggregate == Aggregate::kCount || aggregate == Aggregate::kFirstSeen || aggregate == Aggregate::kLastSeen ||
           aggregate == Aggregate::kDaysActive || aggregate == Aggregate::kSessions || aggregate == Aggregate::kDecayedCount;
  }

  // `any` is a word of the grammar where an event type stands, in any letter case; in quotes it is a name.
  static std::string EventName(const std::string& text, bool quoted) { return !quoted && LowerAscii(text) == "any" ? "any" : text; }

  // `argument` is null for empty parentheses, which are closed already.
  NodePtr Aggregated(const Token& name, Aggregate aggregate, NodePtr argument) {
    NodePtr node = New(Op::kAggregate, name.begin);
    if (!node) return nullptr;
    node->aggregate = aggregate;
    std::string word(NameOf(aggregate));
    if (!argument) {
      Later("ARGUMENTS", RangeOf(name), fmt::format("{} needs {}", word, CountsEvents(aggregate) ? "an event type" : "a property"));
      return WithWindow(node);
    }
    node->range.at = argument->range.begin;
    if (CountsEvents(aggregate) && argument->op == Op::kAttribute) {
      node->aggregate_counts_events = true;
      node->event_text = EventName(argument->text, argument->quoted);
      node->quoted = argument->quoted;
    } else {
      node->inputs.push_back(std::move(argument));
    }
    if (TakeWord("where") && !(node->where = Or())) return nullptr;
    while (TakeSymbol(",")) {
      if (!Option(node.get())) return nullptr;
    }
    if (IsWord("where")) return Syntax(Peek(), "'where' stands before the options of an aggregate");
    if (!TakeSymbol(")")) return Expected("')'");
    if (aggregate == Aggregate::kSessions && !node->gap_us)
      Later("ARGUMENTS", RangeOf(name), "sessions needs a gap, as in sessions(visit, gap 30m)");
    bool decays = aggregate == Aggregate::kDecayedCount || aggregate == Aggregate::kDecayedSum;
    if (decays && !node->half_life_us) Later("ARGUMENTS", RangeOf(name), fmt::format("{} needs a half-life, as in half_life 30d", word));
    return WithWindow(node);
  }

  bool Option(Node* node) {
    const Token& at = Peek();
    std::string word(NameOf(node->aggregate));
    bool is_gap = IsWord("gap"), is_half_life = IsWord("half_life");
    if ((is_gap || is_half_life) && Peek(1).kind == TokenKind::kDuration) {
      Take();
      const Token& length = Take();
      int64_t us = 0;
      ReadDuration(TextOf(length), &us);
      if (us == 0) Later("WINDOW", RangeOf(length), fmt::format("a {} must be longer than zero", is_gap ? "gap" : "half-life"));
      bool fits = is_gap ? node->aggregate == Aggregate::kSessions
                         : node->aggregate == Aggregate::kDecayedCount || node->aggregate == Aggregate::kDecayedSum;
      auto& option = is_gap ? node->gap_us : node->half_life_us;
      if (!fits) Later("ARGUMENTS", RangeOf(at), fmt::format("{} has no {}", word, LowerAscii(TextOf(at))));
      else if (option) Later("ARGUMENTS", RangeOf(at), fmt::format("{} is given twice", LowerAscii(TextOf(at))));
      option = us;
      return true;
    }
    NodePtr value = Or();
    if (!value) return false;
    if (node->aggregate == Aggregate::kDaysActive && !node->zone) node->zone = value;
    else Later("ARGUMENTS", value->range, fmt::format("{} has no such argument", word));
    return true;
  }

  // ---- Windows ----
  NodePtr WithWindow(NodePtr node) {
    if (!node) return nullptr;
    Done(node);
    if (IsWord("where")) return Syntax(Peek(), std::string(kWhereHint));
    if (!ReadWindow(&node->window)) return nullptr;
    if (IsWord("where")) return Syntax(Peek(), std::string(kWhereHint));
    return Done(node);
  }

  bool ReadWindow(Window* window) {
    uint32_t begin = Peek().begin;
    if (IsWord("between") && Peek(1).kind == TokenKind::kDuration) {
      Take();
      return SlidingWindow(begin, window);
    }
    if (!TakeWord("over")) return true;
    uint32_t at = Peek().begin;
    if (Peek().kind == TokenKind::kDuration) {
      window->kind = Window::Kind::kSliding;
      ReadDuration(TextOf(Take()), &window->from_us);
    } else if (!CalendarWindow(window)) {
      return false;
    }
    window->range = {begin, last_end(), at};
    return true;
  }

  bool SlidingWindow(uint32_t begin, Window* window) {
    window->kind = Window::Kind::kSliding;
    uint32_t at = Peek().begin;
    ReadDuration(TextOf(Take()), &window->from_us);
    if (!TakeWord("and")) return Expected("'and' and the end of the window, as in between 90d and 30d ago") != nullptr;
    if (Peek().kind != TokenKind::kDuration) return Expected("a duration, as in between 90d and 30d ago") != nullptr;
    ReadDuration(TextOf(Take()), &window->to_us);
    if (!TakeWord("ago")) return Expected("'ago' after a window between two durations") != nullptr;
    window->range = {begin, last_end(), at};
    return true;
  }

  bool CalendarWindow(Window* window) {
    window->kind = Window::Kind::kThis;
    if (TakeWord("today")) {
      window->unit = CalendarUnit::kDay;
    } else if (TakeWord("yesterday")) {
      window->kind = Window::Kind::kLast;
      window->unit = CalendarUnit::kDay;
    } else if (IsWord("this") || IsWord("last")) {
      if (IsWord("last")) window->kind = Window::Kind::kLast;
      Take();
      auto unit = Peek().kind == TokenKind::kName ? CalendarUnitNamed(TextOf(Peek())) : std::nullopt;
      if (!unit) return Expected("day, week, month, quarter or year; a sliding window is a duration, as in over 30d") != nullptr;
      window->unit = *unit;
      Take();
    } else {
      return Expected("a duration, 'this', 'last', 'today' or 'yesterday' after 'over'") != nullptr;
    }
    if (!IsWord("at")) return true;
    const Token& at = Take();
    Level level(this, at);
    if (!level) return false;
    window->zone = Value();
    return window->zone != nullptr;
  }

  // ---- Sequences ----
  NodePtr Sequence() {
    const Token& did = Take();
    NodePtr node = New(Op::kSequence, did.begin);
    if (!node) return nullptr;
    if (BeginsWithout()) return Syntax(Peek(), "a sequence begins with what was done; 'without' stands behind a step");
    if (!Step(node.get(), false)) return nullptr;
    while (IsWord("then") || IsWord("without")) {
      bool without = IsWord("without");
      const Token& word = Take();
      if (node->steps.size() == kSequenceStepsMax) {
        return Fail("LIMIT", word.begin, word.end, fmt::format("a sequence has at most {} steps", kSequenceStepsMax));
      }
      if (!Step(node.get(), without)) return nullptr;
    }
    if (TakeWord("within")) {
      if (Peek().kind != TokenKind::kDuration) return Expected("a duration after 'within'");
      const Token& length = Take();
      int64_t us = 0;
      ReadDuration(TextOf(length), &us);
      if (us == 0) Later("WINDOW", RangeOf(length), "'within' must be longer than zero");
      node->within_us = us;
    }
    return ReadWindow(&node->window) ? Done(node) : nullptr;
  }

  // Whether what stands where the first step should is a `without` and its event; an event type may have that name, too.
  bool BeginsWithout() const {
    if (!IsWord("without")) return false;
    return IsSymbol("(", 1) || (IsName(1) && !IsWord("then", 1) && !IsWord("without", 1) && !IsWord("within", 1));
  }

  bool Step(Node* sequence, bool without) {
    SequenceStep step;
    step.without = without;
    bool open = IsSymbol("(");
    std::optional<Level> level;
    if (open) {
      level.emplace(this, Take());
      if (!*level) return false;
    }
    if (!IsName()) return Expected("an event type") != nullptr;
    const Token& name = Take();
    step.quoted = name.kind == TokenKind::kQuotedName;
    step.range = RangeOf(name);
    step.event_text = EventName(NameText(name), step.quoted);
    if (open) {
      if (!TakeWord("where")) return Expected("'where' after the event type in parentheses") != nullptr;
      if (!(step.where = Or())) return false;
      if (!TakeSymbol(")")) return ExpectedClose() != nullptr;
    }
    sequence->steps.push_back(std::move(step));
    return true;
  }
};

}  // namespace

ParsedText ParseText(std::string_view text, std::string_view time_zone) {
  Problem problem;
  auto tokens = Tokenize(text, &problem);
  if (!tokens) return {nullptr, std::move(problem)};
  return Parser(text, time_zone, std::move(*tokens)).Run();
}

}  // namespace korrel
