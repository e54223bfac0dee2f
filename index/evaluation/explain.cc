#include "index/evaluation/explain.h"

#include <algorithm>
#include <bit>
#include <chrono>

#include "index/evaluation/edge.h"

namespace korrel {
namespace {

bool IsLogic(const Term& term) { return term.op == Op::kAnd || term.op == Op::kOr || term.op == Op::kNot; }

// A test without its left operand: "= 'NL'", "between 25 and 40", "is present".
std::string NeededBy(const Node& node) {
  const std::string text = PrintNode(node);
  if (node.inputs.empty() || node.op < Op::kEqual || node.op > Op::kIsAbsent) return "true";
  const std::string left = PrintNode(*node.inputs[0]);
  if (text.size() <= left.size() + 1 || text.compare(0, left.size(), left) != 0 || text[left.size()] != ' ') return text;
  return text.substr(left.size() + 1);
}

// The operands whose absence makes a test false: its inputs, or the term itself where it is a value used as a condition.
std::vector<const Term*> OperandsOf(const Term& term) {
  if (term.op >= Op::kEqual && term.op <= Op::kIsAbsent) return term.inputs;
  if (term.op == Op::kConstant || term.condition) return {};
  return {&term};
}

}  // namespace

ExplainNode Explainer::NodeOf(const Term& term) const {
  ExplainNode node;
  node.text = PrintNode(*term.node);
  node.type = term.type;
  return node;
}

ExplainNode Explainer::ExplainRows(uint32_t block, uint32_t first_row, uint32_t end_row, const WorkMeter& meter, uint32_t* end) {
  explained_.clear();
  found_.clear();
  meter_ = &meter;
  block_ = block;
  first_row_ = first_row;
  first_word_ = first_row / 64;
  end_row_ = kBlockRows;
  end_word_ = (end_row + 63) / 64;
  live_.assign(end_word_ - first_word_, 0);
  if (const uint64_t* live = view_.table->live().Block(block)) {
    std::copy(live + first_word_, live + end_word_, live_.begin());
    live_[0] &= ~uint64_t{0} << (first_row % 64);
  }
  EndAt(end_row);
  Found found;
  ExplainNode node = ExplainPart(form_.root(), &found);
  size_t next = 0;
  CountFound(&node, &next);
  *end = end_row_;
  return node;
}

void Explainer::EndAt(uint32_t row) {
  if (row >= end_row_) return;
  end_row_ = row;
  const uint32_t word = row / 64 - first_word_;
  if (word >= live_.size()) return;
  live_[word] &= (uint64_t{1} << (row % 64)) - 1;
  std::fill(live_.begin() + word + 1, live_.end(), 0);
}

void Explainer::KeepToBudget() {
  if (meter_->exhausted()) EndAt(first_row_ + 1);
}

// A part that is one definition, opened elsewhere already, is a leaf.
ExplainNode Explainer::ExplainPart(const Term& term, Found* found) {
  const auto start = std::chrono::steady_clock::now();
  ExplainNode node = NodeOf(term);
  found->holding.assign(live_.size(), 0);
  found->absent.assign(live_.size(), 0);
  const bool opens = term.definition && form_.ConditionOf(term) && explained_.insert(term.definition).second;
  if (opens) {
    node.access = "definition";
    node.inputs.push_back(ExplainPart(*term.definition, found));
  } else if (IsLogic(term)) {
    Combine(term, &node, found);
  } else {
    Leaf(term, &node, found);
  }
  found_.push_back(*found);
  if (first_row_ == 0) ++(view_.table->live().CountInBlock(block_) > 0 ? node.blocks_read : node.blocks_pruned);
  node.duration_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count();
  return node;
}

void Explainer::CountFound(ExplainNode* node, size_t* next) const {
  for (ExplainNode& input : node->inputs) CountFound(&input, next);
  const Found& found = found_[(*next)++];
  for (size_t i = 0; i < live_.size(); ++i) {
    node->profile_count += static_cast<uint64_t>(std::popcount(found.holding[i] & live_[i]));
    node->absent_count += static_cast<uint64_t>(std::popcount(found.absent[i] & live_[i]));
  }
}

void Explainer::Combine(const Term& term, ExplainNode* node, Found* found) {
  node->access = term.op == Op::kAnd ? "and" : term.op == Op::kOr ? "or" : "not";
  Words& bits = found->holding;
  if (term.op != Op::kOr) bits = live_;
  Found part;
  for (const Term* input : term.inputs) {
    node->inputs.push_back(ExplainPart(*input, &part));
    for (size_t i = 0; i < live_.size(); ++i) {
      if (term.op == Op::kAnd) bits[i] &= part.holding[i];
      if (term.op == Op::kOr) bits[i] |= part.holding[i];
      if (term.op == Op::kNot) bits[i] &= ~part.holding[i];
    }
  }
}

// A test that reads no row may have no condition of its own: the one it is part of was folded as a whole.
void Explainer::Leaf(const Term& term, ExplainNode* node, Found* found) {
  const Condition* condition = form_.ConditionOf(term);
  KeepToBudget();
  if (condition) {
    block_bits_.resize(kBlockWords);
    EndAt(bits_->MatchRows(*condition, block_, first_row_, end_row_, true, block_bits_.data()));
    std::copy(block_bits_.begin() + first_word_, block_bits_.begin() + (end_row_ + 63) / 64, found->holding.begin());
    node->access = condition->kind == Condition::Kind::kLeaf ? bits_->AccessOf(*condition) : "definition";
    CorrectDue(term, true, &found->holding);
  } else {
    found->holding = RowsWith(term, term.type.kind == ValueKind::kBool);
    node->access = !term.reads_row ? "constant" : term.has_aggregate ? "events" : "rows";
  }
  found->absent = AbsentRows(term);
}

Explainer::Words Explainer::RowsWith(const Term& term, bool must_hold) {
  KeepToBudget();
  Words result(live_.size(), 0);
  if (!term.reads_row) {
    machine_->NewBatch(false);
    Batch batch = Batch::Nothing();
    const Vector& value = machine_->Evaluate(term, &batch, nullptr);
    return (must_hold ? value.True(0) : value.present[0]) ? live_ : result;
  }
  if (term.IsColumn() && !must_hold) {
    const AttributeColumn* column = ColumnOf(term, view_);
    const uint64_t* presence = column ? column->presence().Block(block_) : nullptr;
    for (size_t i = 0; presence && i < live_.size(); ++i) result[i] = live_[i] & presence[first_word_ + i];
  } else {
    result = RowsRead(machine_, term, must_hold, live_);
  }
  CorrectDue(term, must_hold, &result);
  return result;
}

void Explainer::CorrectDue(const Term& term, bool must_hold, Words* rows) {
  if (!due_) return;
  KeepToBudget();
  Words overtaken = live_;
  for (size_t i = 0; i < overtaken.size(); ++i) overtaken[i] &= due_->rows[first_word_ + i];
  const Words right = RowsRead(due_->machine, due_->plan->PlainOf(term), must_hold, overtaken);
  for (size_t i = 0; i < overtaken.size(); ++i) (*rows)[i] = ((*rows)[i] & ~overtaken[i]) | right[i];
}

Explainer::Words Explainer::RowsRead(VectorMachine* machine, const Term& term, bool must_hold, const Words& among) {
  std::vector<Row> rows;
  for (size_t at = 0; at < among.size(); ++at) {
    for (uint64_t word = among[at]; word != 0; word &= word - 1)
      rows.emplace_back(block_ * kBlockRows + (first_word_ + static_cast<uint32_t>(at)) * 64 +
                        static_cast<uint32_t>(std::countr_zero(word)));
  }
  Words result(live_.size(), 0);
  for (size_t done = 0; done < rows.size();) {
    if (done > 0 && meter_->exhausted()) {
      EndAt(rows[done].value % kBlockRows);
      break;
    }
    machine->NewBatch(false);
    Batch batch = Batch::OfRows(std::span(rows).subspan(done, std::min<size_t>(form_.rows_per_batch(), rows.size() - done)), true);
    const Vector& value = machine->Evaluate(term, &batch, nullptr);
    for (size_t i = 0; i < batch.size; ++i) {
      const uint32_t row = rows[done + i].value % kBlockRows;
      if (must_hold ? value.True(i) : value.present[i]) result[row / 64 - first_word_] |= uint64_t{1} << (row % 64);
    }
    done += batch.size;
  }
  return result;
}

Explainer::Words Explainer::AbsentRows(const Term& term) {
  Words absent(live_.size(), 0);
  for (const Term* operand : OperandsOf(term)) {
    if (operand->op == Op::kConstant && operand->constant.present[0]) continue;
    const Words present = RowsWith(*operand, false);
    for (size_t i = 0; i < live_.size(); ++i) absent[i] |= live_[i] & ~present[i];
  }
  return absent;
}

ExplainNode Explainer::ExplainRow(Row row) {
  explained_.clear();
  return ExplainRowPart(form_.root(), row);
}

ExplainNode Explainer::ExplainRowPart(const Term& term, Row row) {
  ExplainNode node = NodeOf(term);
  auto value_of = [&](const Term& wanted) {
    machine_->NewBatch(false);
    Batch batch = Batch::OfRows({&row, 1}, false);
    return ValueAt(machine_->Evaluate(wanted, &batch, nullptr), wanted.type, 0);
  };
  const Value value = value_of(term);
  const bool* holds = std::get_if<bool>(&value);
  node.truth = holds && *holds;
  node.profile_count = term.type.kind == ValueKind::kBool ? node.truth : IsPresent(value);
  const int64_t edge = EdgeFinder(machine_, view_).EdgeOf(term, row);
  node.valid_until_us = edge == kNever ? 0 : edge;
  for (const Term* operand : OperandsOf(term)) {
    if (!IsPresent(value_of(*operand))) node.absent_count = 1;
  }
  if (IsLogic(term)) {
    node.access = term.op == Op::kAnd ? "and" : term.op == Op::kOr ? "or" : "not";
    node.actual = value;
    for (const Term* input : term.inputs) node.inputs.push_back(ExplainRowPart(*input, row));
    return node;
  }
  const Condition* condition = form_.ConditionOf(term);
  node.access = condition && condition->kind == Condition::Kind::kLeaf ? bits_->AccessOf(*condition)
                : term.definition                                      ? "definition"
                : term.has_aggregate                                   ? "events"
                                                                       : "rows";
  if (term.type.kind == ValueKind::kBool) node.needed = NeededBy(*term.node);
  const bool test = term.op >= Op::kEqual && term.op <= Op::kIsAbsent;
  node.actual = test ? value_of(*term.inputs[0]) : value;
  if (term.definition && explained_.insert(term.definition).second) node.inputs.push_back(ExplainRowPart(*term.definition, row));
  return node;
}

}  // namespace korrel
