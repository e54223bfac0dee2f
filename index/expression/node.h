// index/expression/node.h
//
// Node is the one tree of an expression: the parser builds it, the binder resolves names and annotates types in place, the
// printer, the sharing key, the plan and every evaluator read it. It keeps the shape and order of what was written.
//
// After binding a tree is immutable and shared; nothing in it points outside (names are ids and copies).
//
// What an evaluator may rely on in a bound tree:
//   (1) Every node has a type. There are no promotion nodes: operands keep their own types and the evaluator promotes them
//       (int < decimal(larger scale) < double). `if`, `coalesce` and scalar min/max carry the promoted type.
//   (2) Nothing is folded: the tree prints as it was written. A kParameter has its value in `constant` and reads like a kConstant.
//   (3) `x not in …` is kNot over the test; `is not present` is kIsAbsent.
//   (4) kAggregate: event_type is nullopt for `any`, or where `unknown` says that there are no such events.
//       aggregate_counts_events: no inputs; otherwise inputs[0] is an expression over properties of that one event type.
//   (5) kCall: year month day weekday hour {ts [, zone]}; age_in {ts [, zone]} and age_unit; round {x [, n]}; bucket {salt};
//       has_identifier {type} and identifier_type; if {condition, a, b}. A zone that is not there is the catalog's.
//   (6) kSequence: the first step is no `without`; a `without` belongs to the step before it. Its steps are bound like aggregates.
//   (7) `unknown` (only with allow_unknown_names): an attribute or property that is absent everywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/schema.h"
#include "storage/value.h"

namespace korrel {

// Where in the text a node stands, in bytes; `at` is where an error about it points (an operator's own place for `=`).
struct TextRange {
  uint32_t begin = 0, end = 0, at = 0;
};

enum class Op : uint8_t {
  // leaves
  kConstant,   // constant
  kParameter,  // text: its name; bound: constant holds the value as well
  kAttribute,  // text: name; bound: attribute, or definition for one with `is:`
  kProperty,   // text, event_text; bound: event_type, property — inside an aggregate or step
  kEventTime,  // inside `where`
  kInSegment,  // text: name; bound: segment, definition for a named expression (nullptr: static list)
  // logic: two or more inputs for and/or, as written
  kAnd,
  kOr,
  kNot,
  // tests
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kBetween,  // inputs: value, low, high
  kIn,
  kHasAny,
  kHasAll,
  kHasNone,  // inputs: value; items: the list
  kHas,
  kContains,  // inputs: value, value
  kLike,
  kMatches,  // inputs: value; text: the pattern
  kIsPresent,
  kIsAbsent,  // inputs: value
  // arithmetic
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kNegate,
  kCall,        // function; inputs: arguments
  kAggregate,   // aggregate, event_type, inputs: {argument}?, where, window, gap/half_life/zone
  kPopulation,  // text: the name behind the point
  kSequence,    // steps, within_us, window
  // parsed, refused with NOT_YET when bound
  kContext,
  kOffer,
};

// a <op> b as b <mirrored op> a.
inline Op Mirrored(Op op) {
  switch (op) {
    case Op::kLess:
      return Op::kGreater;
    case Op::kLessEqual:
      return Op::kGreaterEqual;
    case Op::kGreater:
      return Op::kLess;
    case Op::kGreaterEqual:
      return Op::kLessEqual;
    default:
      return op;
  }
}

enum class Function : uint8_t {
  kNone,
  kAbs,
  kRound,
  kFloor,
  kCeil,
  kCoalesce,
  kIf,
  kLower,
  kUpper,
  kLength,
  kMin,
  kMax,
  kNow,
  kYear,
  kMonth,
  kDay,
  kWeekday,
  kHour,
  kAgeIn,
  kBucket,
  kConsent,
  kConsentState,
  kHasIdentifier,
  kCreatedAt,
  kUpdatedAt,
};

enum class Aggregate : uint8_t {
  kNone,
  kCount,
  kSum,
  kAvg,
  kMin,
  kMax,
  kFirst,
  kLast,
  kFirstSeen,
  kLastSeen,
  kUniqueCount,
  kMostFrequent,
  kDaysActive,
  kSessions,
  kDecayedCount,
  kDecayedSum,
};

enum class CalendarUnit : uint8_t { kDay = 1, kWeek, kMonth, kQuarter, kYear };
enum class AgeUnit : uint8_t { kSecond = 1, kMinute, kHour, kDay, kWeek, kMonth, kYear };

struct Node;
using NodeRef = std::shared_ptr<const Node>;

struct Window {
  enum class Kind : uint8_t {
    kLifetime,  // no window written
    kSliding,   // (now - from_us, now - to_us]; `over D` is from D to 0
    kThis,      // [start of the unit, now]
    kLast,      // [start of the unit before, start of this one)
  };
  Kind kind = Kind::kLifetime;
  int64_t from_us = 0, to_us = 0;
  CalendarUnit unit = CalendarUnit::kDay;
  NodeRef zone;  // of a calendar window: a string expression; null: the catalog's
  TextRange range;
};

struct SequenceStep {
  std::string event_text;
  bool quoted = false;  // the event type's name was written in double quotes
  NodeRef where;
  bool without = false;
  TextRange range;  // of the name

  // ---- Set by the binder ----
  std::optional<EventTypeId> event_type;  // nullopt: `any`, or where `unknown` says that there are no such events
  bool unknown = false;
};

// A constant of an expression: a Value (timestamps included), or a duration.
struct Constant {
  Value value;  // monostate for a duration
  std::optional<int64_t> duration_us;
  bool is_date = false;  // written as date '…'; only printing asks
  bool is_double = false;
  std::string date_text;  // of a date: 2017-03-01, since its instant depends on the catalog's time zone
  TextRange range;        // of an item in a list; otherwise the node's
};
// The type of a constant; {kNone} for an absent value.
Type TypeOfConstant(const Constant& constant);

struct Node {
  Op op = Op::kConstant;
  TextRange range;
  std::string text;  // see Op
  std::string event_text;
  bool quoted = false;  // the name was written in double quotes
  Constant constant;
  std::vector<NodeRef> inputs;
  std::vector<Constant> items;               // kIn, kHasAny, …; a parameter in a list is replaced when bound
  std::vector<std::string> item_parameters;  // beside items: the parameter's name, or empty
  Function function = Function::kNone;
  Aggregate aggregate = Aggregate::kNone;
  NodeRef where;
  Window window;
  std::optional<int64_t> gap_us, half_life_us;
  NodeRef zone;  // days_active(e, zone); calendar functions keep theirs in inputs
  std::vector<SequenceStep> steps;
  std::optional<int64_t> within_us;

  // ---- Set by the binder ----
  Type type;  // kBoolType for tests
  AttributeId attribute;
  std::optional<EventTypeId> event_type;  // nullopt in an aggregate: `any`
  PropertyId property;
  std::optional<SegmentId> segment;
  NodeRef definition;    // what a computed attribute or named segment stands for, bound
  bool unknown = false;  // a name allowed to be unknown: absent everywhere
  AgeUnit age_unit = AgeUnit::kDay;
  std::optional<IdentifierTypeId> identifier_type;  // has_identifier; nullopt: no profile has one
  bool aggregate_counts_events = false;             // the argument is an event type, not a property or expression
};

}  // namespace korrel
