// index/evaluation/term.h
//
// Term is a node of an expression made ready for evaluation: definitions of named attributes and segments put in place, patterns
// compiled, lists sorted, zones looked up, what is constant folded. TermBuilder makes all terms of a plan; a definition used
// twice is one term.
//
// After building, terms are immutable and shared by all threads that evaluate the plan. They point into the expression.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "index/calendar.h"
#include "index/evaluation/intervals.h"
#include "index/evaluation/kept.h"
#include "index/evaluation/text.h"
#include "index/evaluation/vector.h"
#include "index/expression/expression.h"
#include "re2/re2.h"

namespace korrel {

// The constants of a list, in the form the operand is compared in.
struct ItemList {
  IntervalSet points;                            // operand: bool int decimal timestamp duration
  std::vector<double> doubles;                   // operand: double; ascending
  absl::flat_hash_set<std::string_view> texts;   // operand: string, or set
  std::vector<std::string_view> distinct_texts;  // the same, ascending
};

struct Term {
  const Node* node = nullptr;
  Op op = Op::kConstant;
  Type type;
  uint32_t slot = 0;  // where an evaluator keeps this term's vector
  std::vector<const Term*> inputs;
  const Term* where = nullptr;           // aggregates
  std::vector<const Term*> step_wheres;  // kSequence: of each step; null without one
  const Term* definition = nullptr;      // kAttribute, kInSegment: what the name stands for
  // The zone of a calendar function, of days_active, of a calendar window: fixed, or per item where zone_term is set.
  const Zone* zone = nullptr;
  const Term* zone_term = nullptr;
  const Term* window_zone_term = nullptr;
  const Zone* window_zone = nullptr;

  Vector constant;  // kConstant: one item, possibly absent
  std::optional<text::LikePattern> like;
  std::unique_ptr<re2::RE2> regex;
  std::unique_ptr<ItemList> items;

  // Read from what the shard keeps (kept.h) instead of being evaluated: an attribute with a column of its own, an aggregate or sequence,
  // a live segment. `definition`, inputs and so on are not built then.
  bool kept = false;
  uint64_t unit = 0;  // its serial

  // Traits, over all that lies below.
  bool clock_bound = false;    // may change by time alone, beside what kept parts do
  bool constant_only = false;  // depends on nothing, not even now()
  bool reads_row = false;      // depends on the profile: attributes, events, identifiers, lists, its id
  bool reads_now = false;
  bool has_aggregate = false;
  bool condition = false;               // bool and never absent
  bool shared = false;                  // a definition that stands in more than one place: evaluated once for a batch
  uint32_t term_count = 1;              // an estimate of work for one item
  std::vector<AttributeId> attributes;  // stored and kept ones it reads, distinct, ascending
  bool only_attributes = false;         // reads the profile through those alone
  const Term* column = nullptr;         // the one column of the shard through which it reads the profile; null: none, or more than that

  bool Is(Function function) const { return op == Op::kCall && node->function == function; }
  // Its value is a column of the shard: a stored or kept attribute, a kept aggregate. (A decayed one is kept as something else; a kept
  // sequence is a column of those for which it was ever worked out, the others are false.)
  bool IsColumn() const;
};

// A present constant that is neither text nor set.
Scalar ScalarOf(const Constant& constant);

class TermBuilder {
 public:
  // What `kept` names (null: nothing; not needed after the last Build) becomes kept terms.
  explicit TermBuilder(std::string_view time_zone, const KeptNames* kept = nullptr);

  // The whole tree, with the definitions it names.
  const Term* Build(const Node& root);
  uint32_t slot_count() const { return slot_count_; }
  const std::deque<Term>& terms() const { return terms_; }

 private:
  const Term* Add(const Node& node);
  const Term* Definition(const NodeRef& definition);
  std::vector<NodeRef> DefinitionsIn(const Node& root) const;
  std::optional<KeptNames::Unit> UnitOf(const Node& node) const;
  bool AddKept(const Node& node, Term* term) const;
  void AddLeaf(const Node& node, Term* term);
  void AddList(const Node& node, Term* term);
  void AddCall(const Node& node, Term* term);
  void AddAggregate(const Node& node, Term* term);
  void AddSequence(const Node& node, Term* term);
  void SetZone(const Term* zone_term, const Zone** fixed, const Term** per_item);
  void SetTraits(Term* term);
  void TakeTraitsFrom(const Term& input, Term* term);
  void Fold(Term* term);
  Term* NewTerm(const Node& node);

  const Zone* const default_zone_;
  std::string time_zone_;
  const KeptNames* kept_;
  std::deque<Term> terms_;
  absl::flat_hash_map<const Node*, const Term*> definitions_;
  absl::flat_hash_map<const Term*, int> definition_uses_;
  TextArena texts_;  // of folded constants
  uint32_t slot_count_ = 0;
};

}  // namespace korrel
