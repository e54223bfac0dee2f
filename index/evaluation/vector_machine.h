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

#include <memory>
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

  TextArena& arena() { return arena_; }

 private:
  friend class AggregateFolder;
  struct Slot {
    Vector vector;
    std::vector<uint8_t> mask;
    Vector converted[2];
    uint64_t batch_serial = 0;  // shared definitions: the batch that the vector is for
    bool edges_known = false;   // aggregates with a fixed window
    int64_t from_us = 0, to_us = 0;
  };
  Slot& SlotOf(const Term& term);

  void Dispatch(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void EvaluateDefinition(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void Constant(const Term& term, size_t n, Vector* out);

  // logic.cc
  void AndOr(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void Not(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  void If(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void Coalesce(const Term& term, Batch* batch, const uint8_t* active, Slot* slot);
  void PresenceTest(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  // Operands whose value is needed, converted to `type` where theirs differs.
  const Vector& As(Type type, const Term& input, const Vector& vector, size_t n, Vector* scratch);

  // comparison.cc
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
  void Attribute(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  void AttributeOfRows(const Term& term, const AttributeColumn& column, Batch* batch, Vector* out);
  void AttributeOfCodes(const Term& term, Batch* batch, Vector* out);
  void Property(const Term& term, Batch* batch, const uint8_t* active, Vector* out);
  void ListMembership(const Term& term, Batch* batch, Vector* out);

  // The zone of a term for item i: the fixed one, or the one its zone operand names; nullptr: none known.
  const Zone* ZoneOf(const Zone* fixed, const Vector* names, size_t i);

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
