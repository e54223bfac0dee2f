// index/live/compiled_rules.h
//
// CompiledRules is the inside of a RuleTable: conjunctions in the order of their rules, each a list of literals; cells and vectors per
// variable.
//
//   rules         0            1        2
//   conjunctions  0    1    2  3        4        numbered through: a stage is one range of them, and so is a rule
//   literals      a b  a d  c  b f      a
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "index/live/cells.h"
#include "index/live/rule_compiler.h"
#include "index/live/rule_table.h"
#include "index/live/rule_vectors.h"

namespace korrel {

struct CompiledRules final : public RuleTable {
  static constexpr uint32_t kNone = UINT32_MAX;

  // The variable's cell is one of those allowed.
  struct Literal {
    static constexpr uint32_t kLowCells = 64;
    uint64_t low;  // bit i: cell i is allowed
    uint32_t variable;
    uint32_t first_range;  // in `ranges`: all cells that are allowed, up to the next literal's
  };
  struct Variable {
    CellMap cells;
    RuleVectors vectors;
    const Term* code_test = nullptr;
    uint32_t rule = kNone;  // kSegment: whose
    uint32_t slot = kNone;  // where its cell stands in a row of RowCells
  };

  std::span<const RuleVariable> variables() const override { return variable_list; }
  uint32_t rule_count() const override { return static_cast<uint32_t>(first_conjunction.size() - 1); }
  size_t MemoryBytes() const override;

  bool Allows(const Literal& literal, uint32_t cell) const {
    return cell < Literal::kLowCells ? literal.low >> cell & 1 : AllowsHigh(literal, cell);
  }
  bool AllowsHigh(const Literal& literal, uint32_t cell) const;
  std::span<const Literal> LiteralsOf(uint32_t conjunction) const {
    return std::span(literals).subspan(first_literal[conjunction], first_literal[conjunction + 1] - first_literal[conjunction]);
  }
  uint32_t conjunction_count() const { return first_conjunction.back(); }

  std::vector<RuleVariable> variable_list;
  std::vector<Variable> inside;   // beside variable_list
  std::vector<Literal> literals;  // one more at the end, for its first_range
  std::vector<CellRange> ranges;
  std::vector<uint32_t> first_literal;      // by conjunction; one more at the end
  std::vector<uint32_t> rule_of;            // by conjunction
  std::vector<uint32_t> first_conjunction;  // by rule; one more at the end
  std::vector<uint32_t> variable_of_rule;   // the kSegment variable, or kNone
  std::vector<uint32_t> first_rule;         // by stage; one more at the end
  std::vector<uint32_t> with_vectors;       // variables, most mentioned first
  std::vector<uint32_t> with_slots;         // variables, by slot
  // Conjunctions that are their whole rule and mention nothing but variables with vectors.
  std::vector<uint64_t> told_by_vectors;
  size_t word_count = 0;    // of a vector over all conjunctions
  uint32_t slot_count = 0;  // of the terms of code tests
};

}  // namespace korrel
