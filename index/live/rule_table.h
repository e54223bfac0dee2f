// index/live/rule_table.h
//
// Rule tables answer which of many live segments a change of one profile touches, and which segments a profile is in.
//
// Every condition is taken apart into predicates. What predicates say about one column cuts the column's values into *cells*; a
// predicate that is no test of one column against constants is a *variable* of two cells, true and false; so are set elements, lists,
// identifiers and other segments. A condition is a disjunction of conjunctions of "variable v is in one of these cells". For variables
// that many conjunctions mention there is one bit vector over all conjunctions per cell (the conjunction allows the cell, or does not
// mention the variable): conjunctions true of a row are the AND of its cells' vectors, those that may have flipped by a change of cell are
// an XOR. Variables that few mention keep lists instead.
//
// A condition of more than 64 conjunctions stays whole: it is one predicate.
//
//   RuleTable   immutable, one per catalog version, shared by all shards
//   ShardRules  what one shard adds: cells of its dictionary codes, scratch
//
// Threads   RuleTable: any. ShardRules: SegmentsOf under the shared lock (it has no scratch of the object's own), the rest exclusive.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "index/evaluation/condition.h"
#include "index/evaluation/kept.h"
#include "storage/profile_table.h"

namespace korrel {

struct RuleVariable {
  enum class Kind : uint8_t {
    kColumn,      // value: a stored or kept attribute, or a kept aggregate with a column; cell 0 is absent. A column may have several
    kElement,     // a set attribute has `text`; 0 no, 1 yes
    kPredicate,   // a condition evaluated by the owner; 0 false, 1 true
    kList,        // member of a static list now; 0, 1
    kSegment,     // member of a live segment; 0, 1
    kIdentifier,  // has an identifier of the type; 0, 1
  };
  Kind kind = Kind::kColumn;
  const Term* value = nullptr;                 // kColumn, kElement
  std::string text;                            // kElement
  const Condition* condition = nullptr;        // kPredicate; its complement included
  SegmentId segment;                           // kList, kSegment
  std::optional<IdentifierTypeId> identifier;  // kIdentifier; nullopt: a type nobody has named yet, which nobody has
  uint32_t cell_count = 2;
};

class RuleTable {
 public:
  struct Rule {
    SegmentId segment;
    const Condition* condition;  // kept form; outlives the table
    uint32_t stage = 0;          // ascending over the rules given; within a stage a rule comes after those it uses
  };
  // time_zone: the catalog's, for sharing keys of predicates.
  static std::shared_ptr<const RuleTable> Make(std::span<const Rule> rules, std::string_view time_zone);
  virtual ~RuleTable() = default;

  virtual std::span<const RuleVariable> variables() const = 0;
  virtual uint32_t rule_count() const = 0;
  virtual size_t MemoryBytes() const = 0;
};

// How a shard reads what is not in its columns.
class RuleInputs {
 public:
  virtual ~RuleInputs() = default;
  // The truth of a kPredicate variable for the row, as last evaluated.
  virtual bool Truth(uint32_t variable, Row row) const = 0;
  virtual const AttributeColumn* ColumnOf(const Term& value) const = 0;  // nullptr: absent everywhere
  virtual bool IsListMember(SegmentId id, Row row) const = 0;
  virtual bool IsMember(uint32_t rule, Row row) const = 0;  // of a live segment, as last judged
  virtual bool HasIdentifier(IdentifierTypeId type, Row row) const = 0;
};

class ShardRules {
 public:
  // The table, inputs and columns must outlive it.
  ShardRules(std::shared_ptr<const RuleTable> table, const RuleInputs* inputs);
  ~ShardRules();

  uint32_t CellOf(uint32_t variable, Row row);

  struct Change {
    uint32_t variable;
    uint32_t old_cell;  // the new one is what CellOf says now
  };
  struct Flip {
    uint32_t rule;
    bool entered;
  };
  // Which rules of the stage differ between the cells before and those now, in the order of rules. `changes` names each variable at most
  // once; flips found here of segments that other rules of the stage use are followed. Flips are added to `flips`. Cost: conjunctions
  // that hold a test which turned over, and the others of their rules where a whole conjunction did.
  void FindFlips(Row row, uint32_t stage, std::span<const Change> changes, std::vector<Flip>* flips);

  // All rules that hold for the row by its cells as they are, ascending; no inputs of kind kSegment are asked of RuleInputs: they are
  // worked out in order. `rules` is cleared first. Thread-safe among readers.
  void RulesOf(Row row, std::vector<uint32_t>* rules) const;
  // Whether one rule holds for the row (its segments as RuleInputs says); for filling.
  bool Holds(uint32_t rule, Row row);

  // The row's cells are as they are now, and stay so but for changes that FindFlips and this are told of: kept beside the row, they are
  // not read from its columns again. What is kept is brought forward by `changes`; a row that is not is read whole.
  void KeepCells(Row row, std::span<const Change> changes);
  void ForgetCells(Row row);
  void Prefetch(Row row) const;  // what is kept, before it is needed

  // Codes of the column have new meanings (its dictionary was rebuilt).
  void ForgetCodes();
  uint64_t conjunctions_looked_at() const;  // by FindFlips so far; tests assert it
  size_t MemoryBytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace korrel
