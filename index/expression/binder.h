// index/expression/binder.h
//
// Binder gives an unbound tree its meaning: names become ids, every node gets its type, and what is not allowed where it stands is
// refused. It works in place, on a tree that only the compiler knows yet, from left to right, and stops at the first problem.
//
//   binder.cc             names, tests, logic, arithmetic
//   binder_calls.cc       functions
//   binder_aggregates.cc  aggregates and sequences, their scope, their windows
//   clock_rules.cc        what a definition that is kept current may say about now()
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "index/expression/expression.h"
#include "index/expression/problem.h"

namespace korrel {

class Binder {
 public:
  explicit Binder(const CompileOptions& options) : options_(options) {}

  // Binds the whole tree and checks it against its place. False: problem() says why.
  bool Bind(Node* root);
  Problem TakeProblem() { return std::move(*problem_); }

  // The expression of a tree that was bound, with all that was learnt on the way.
  ExpressionRef Finish(NodeRef root, std::string_view text) const;

 private:
  // What a name may mean where it stands.
  struct Scope {
    enum class Kind { kProfile, kArgument, kWhere } kind = Kind::kProfile;
    Aggregate aggregate = Aggregate::kNone;
    const EventTypeSchema* event = nullptr;  // kArgument: of the first property met
    std::string event_name;                  // as it is shown in messages; empty: not known yet
    bool any_event = false, unknown_event = false;
  };

  bool BindNode(Node* node);
  bool BindInputs(Node* node);
  bool BindConstant(Node* node);
  bool BindParameter(std::string_view name, const TextRange& range, Constant* constant);
  bool BindAttribute(Node* node);
  bool BindSegment(Node* node);
  bool BindProperty(Node* node);
  bool BindBareProperty(Node* node);
  bool PropertyFound(Node* node, const EventTypeSchema* event);
  bool UseDefinition(const Node& node, const Expression& definition);

  bool BindLogic(Node* node);
  bool BindEquality(Node* node);
  bool BindOrder(Node* node);
  bool BindIn(Node* node);
  bool BindItems(Node* node);
  bool BindHas(Node* node);
  bool BindTextTest(Node* node);
  bool BindPattern(Node* node);
  bool BindSum(Node* node);
  bool BindProduct(Node* node);
  bool BindNegate(Node* node);
  bool Comparable(const Node& subject, const Node& other, bool ordered);

  bool BindCall(Node* node);
  bool CheckCount(const Node& node, size_t least, size_t most, std::string_view example);
  bool BindNumeric(Node* node);
  bool BindRound(Node* node);
  bool BindIf(Node* node);
  bool BindPromoted(Node* node);
  bool BindText(Node* node);
  bool BindCalendar(Node* node);
  bool BindBucket(Node* node);
  bool BindHasIdentifier(Node* node);
  bool ProfileOnly(const Node& node);

  bool BindAggregate(Node* node);
  bool BindSequence(Node* node);
  bool BindStep(SequenceStep* step);
  bool BindPopulation(Node* node);
  // What an event type's name stands for; nullopt: `any`, or unknown.
  bool FindEvent(std::string_view name, bool quoted, const TextRange& range, std::optional<EventTypeId>* event_type, bool* unknown);
  bool BindArgument(Node* node);
  bool NeedsProperty(const Node& aggregate);
  bool BindArgumentType(Node* node);
  bool BindWhere(Node* node);
  bool BindZone(const NodeRef& zone);
  bool BindWindow(Node* node);
  bool CheckRetention(const Node& node);
  // Of the event types that the window of an aggregate or sequence looks at, the one that is kept shortest.
  const EventTypeSchema* KeptShortest(const Node& node) const;
  std::string PropertyExample(Aggregate aggregate, const EventTypeSchema* event) const;

  bool CheckPlace(Node* root);

  // Gives an unknown name the type its place wants; a node that has a type is left alone.
  void Settle(const NodeRef& node, Type wanted);
  void SettleTogether(const Node& node);

  bool Fail(std::string_view reason, const TextRange& range, std::string message, std::vector<std::string> suggestions = {});
  bool Fail(Problem problem);
  bool NotYet(const TextRange& range, std::string_view what);
  bool Condition(const NodeRef& node);  // binds, and asks for a bool
  std::vector<std::string> KnownAttributes() const;
  std::vector<std::string> KnownEvents() const;

  const CompileOptions& options_;
  Scope scope_;
  std::optional<Problem> problem_;
  std::set<std::string> uses_;
  bool own_aggregate_ = false, has_aggregate_ = false, reads_now_ = false;
  int depth_ = 0;
};

// The compiler's own trees are made mutable and handed on as const; only the binder, before anybody else sees them, writes to them.
inline Node* Mutable(const NodeRef& node) { return const_cast<Node*>(node.get()); }

// The type that both can be promoted to without loss: the larger of two numbers, otherwise the same; nullopt where there is none.
std::optional<Type> Promoted(Type a, Type b);
// "an int", "a decimal(2)".
std::string WithArticle(Type type);
// How a part of an expression is called in a message: 'age'.
std::string Shown(const Node& node);

}  // namespace korrel
