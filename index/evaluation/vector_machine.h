// index/evaluation/vector_machine.h
//
// VectorMachine evaluates any term for a batch of items at once, by the language's rules and nothing else: it is the complete
// evaluator, and what the physical predicates of condition.h must agree with.
//
//   items   rows of one block · events of one history · codes of one dictionary · one nothing (constants)
//
// Lifetime  A result lives until the same term is evaluated for another batch; texts and sets that were computed live in the arena.
// Threads   One.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "index/evaluation/term.h"
#include "index/evaluation/vector.h"
#include "index/evaluator.h"

namespace korrel {

struct Batch {
  enum class Kind : uint8_t { kNothing, kRows, kEvents, kCodes } kind = Kind::kNothing;
  // Items that are evaluated. An aggregate that uses up the budget makes it smaller, never less than one: only the items before
  // it are valid then.
  size_t size = 1;
  std::span<const Row> rows;  // kRows: ascending, of one block
  bool may_stop = false;      // kRows: whether size may be made smaller
  // kEvents: events first_event … of one history
  const EventHistory* history = nullptr;
  const PropertyDictionaries* properties = nullptr;
  uint32_t first_event = 0;
  // kCodes: items are codes first_code … of the one stored attribute that the term reads (bools: 0 and 1), or absent
  const Dictionary* dictionary = nullptr;
  uint32_t first_code = 0;
  bool absent = false;

  static Batch Nothing() { return {}; }
  static Batch OfRows(std::span<const Row> rows, bool may_stop) {
    return {.kind = Kind::kRows, .size = rows.size(), .rows = rows, .may_stop = may_stop};
  }
};

// The column that a term stands for (Term::IsColumn, or a kept sequence) in a shard; nullptr: nobody has a value.
const AttributeColumn* ColumnOf(const Term& term, const ShardView& view);

struct TimeRange {
  int64_t from_us, to_us;  // [from, to)
};
// What a calendar window shows at an instant.
TimeRange CalendarRange(const Window& window, const Zone& zone, int64_t now_us);

// Whether a sequence was done, and the next instant at which that can be otherwise although nothing is written; the largest number:
// never.
struct SequenceAnswer {
  bool holds = false;
  int64_t edge_us = std::numeric_limits<int64_t>::max();
};

// What `year month day weekday hour` read off a local time.
int64_t CalendarPart(Function function, const Zone::Reading& reading);

class VectorMachine {
 public:
  // `view` may be null for terms that read nothing.
  VectorMachine(const ShardView* view, uint32_t slot_count, WorkMeter* meter);
  ~VectorMachine();

  // Items whose `active` byte is 0 may be left out (active null: none). A new batch is announced by NewBatch first, unless it is
  // one of events inside one of rows.
  const Vector& Evaluate(const Term& term, Batch* batch, const uint8_t* active);
  // Forgets what was remembered for the last batch, and its computed texts unless it was to keep them.
  void NewBatch(bool keep_texts);

  // What a decayed aggregate of a row is worth, kept or folded; nullopt: over nothing.
  std::optional<DecayState> DecayOf(const Term& aggregate, Row row);
  // Of a sequence that is not kept.
  SequenceAnswer SequenceOf(const Term& sequence, Row row, bool want_edge);
  // The window of an aggregate or sequence at now, for item i of its zone's vector (null: its zone is fixed); nothing where its zone is
  // not known.
  std::optional<TimeRange> WindowOf(const Term& term, const Vector* zone_names, size_t i);
  // The zone of a term for item i: the fixed one, or the one its zone operand names; nullptr: none known.
  const Zone* ZoneOf(const Zone* fixed, const Vector* names, size_t i);

  const ShardView& view() const { return *view_; }
  WorkMeter* meter() { return meter_; }
  TextArena& arena() { return arena_; }

 private:
  friend class AggregateFolder;
  friend class EdgeFinder;
  struct Slot {
    Vector vector;
    std::vector<uint8_t> mask;
    Vector converted[2];
    uint64_t batch_serial = 0;  // shared definitions: the batch that the vector is for
    bool edges_known = false;   // aggregates with a fixed window, at the instant edges_at_us
    int64_t edges_at_us = 0;
    TimeRange edges{0, 0};
  };
  Slot& SlotOf(const Term& term);

  void Dispatch(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void EvaluateDefinition(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void Constant(const Term& term, size_t n, Vector* out);
  void Population(const Term& term, size_t n, Vector* out);
  void Sequence(const Term& term, Batch* batch, const uint8_t* active, Vector* out);

  // logic.cc
  void AndOr(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void Not(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  void If(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void Coalesce(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void PresenceTest(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  // Operands whose value is needed, converted to `type` where theirs differs.
  const Vector& As(Type type, const Term& input, const Vector& vector, size_t n, Vector* scratch);

  // comparison.cc
  // An operand of a comparison: values, or the states of what decays.
  struct Side {
    const Term* term;
    const Term* decayed;  // DecayedIn(*term)
    const Vector* values = nullptr;
    std::vector<std::optional<DecayState>> states;
  };
  Side SideOf(const Term& term, Batch* batch, const uint8_t* active);
  void CompareSides(Op op, const Side& left, const Side& right, size_t n, Vector* out);
  void Compare(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void Between(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void In(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  void SetTest(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  void TextTest(const Term& term, Batch* batch, const uint8_t* active, Vector* out);

  // arithmetic.cc
  void Arithmetic(const Term& term, const Vector& left, const Term& left_term, Batch* batch, const uint8_t* active, Slot* slot);
  void ArithmeticChain(const Term& term, Batch* batch, const uint8_t* active);
  void Negate(const Term& term, Batch* batch, const uint8_t* active, Vector* out);

  // function.cc
  void Call(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void Rounding(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  void Absolute(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  void MinMax(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void TextFunction(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  void Calendar(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  void RowFunction(const Term& term, Batch* batch, const uint8_t* active, Vector* out);

  // leaf.cc
  void Column(const Term& term, Batch* batch, Vector* out);
  void ColumnOfRows(const AttributeColumn& column, Batch* batch, Vector* out);
  void ColumnOfCodes(const Term& term, Batch* batch, Vector* out);
  void KeptSequence(const Term& term, Batch* batch, Vector* out);
  void Members(const Term& term, Batch* batch, Vector* out);
  void Property(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  void ListMembership(const Term& term, Batch* batch, Vector* out);

  const ShardView* view_;
  WorkMeter* meter_;
  TextArena arena_;
  TextArena::Mark kept_{0, 0};
  bool keep_texts_ = false;
  uint64_t batch_serial_ = 1;
  std::vector<std::unique_ptr<Slot>> slots_;
  EventColumn event_column_;
  absl::flat_hash_map<std::string, const Zone*> zones_;
};

}  // namespace korrel
