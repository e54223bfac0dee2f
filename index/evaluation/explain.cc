#include "index/evaluation/explain.h"

#include <bit>
#include <chrono>

namespace korrel {
namespace {

constexpr size_t kRowsPerBatch = 128;

uint64_t CountBits(const std::vector<uint64_t>& words) {
  uint64_t count = 0;
  for (uint64_t word : words) count += static_cast<uint64_t>(std::popcount(word));
  return count;
}

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

ExplainNode Explainer::ExplainWords(uint32_t block, uint32_t first_word, uint32_t end_word, uint32_t first_row) {
  explained_.clear();
  block_ = block;
  first_word_ = first_word;
  end_word_ = end_word;
  live_.assign(kBlockWords, 0);
  if (const uint64_t* live = view_.table->live().Block(block)) {
    std::copy(live + first_word, live + end_word, live_.begin() + first_word);
    if (first_word < end_word) live_[first_word] &= ~uint64_t{0} << (first_row % 64);
  }
  Words bits;
  return ExplainPart(plan_.root(), &bits);
}

// A part that is one definition, opened elsewhere already, is a leaf.
ExplainNode Explainer::ExplainPart(const Term& term, Words* bits) {
  const auto start = std::chrono::steady_clock::now();
  ExplainNode node = NodeOf(term);
  bits->assign(kBlockWords, 0);
  const bool opens = term.definition && plan_.ConditionOf(term) && explained_.insert(term.definition).second;
  if (opens) {
    node.access = "definition";
    node.inputs.push_back(ExplainPart(*term.definition, bits));
    node.absent_count = node.inputs[0].absent_count;
  } else if (IsLogic(term) && plan_.ConditionOf(term)) {
    Combine(term, &node, bits);
  } else {
    Leaf(term, &node, bits);
  }
  node.profile_count = CountBits(*bits);
  if (first_word_ == 0) ++(view_.table->live().CountInBlock(block_) > 0 ? node.blocks_read : node.blocks_pruned);
  node.duration_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count();
  return node;
}

void Explainer::Combine(const Term& term, ExplainNode* node, Words* bits) {
  node->access = term.op == Op::kAnd ? "and" : term.op == Op::kOr ? "or" : "not";
  if (term.op != Op::kOr) *bits = live_;
  Words part;
  for (const Term* input : term.inputs) {
    node->inputs.push_back(ExplainPart(*input, &part));
    for (uint32_t i = first_word_; i < end_word_; ++i) {
      if (term.op == Op::kAnd) (*bits)[i] &= part[i];
      if (term.op == Op::kOr) (*bits)[i] |= part[i];
      if (term.op == Op::kNot) (*bits)[i] &= ~part[i];
    }
  }
}

void Explainer::Leaf(const Term& term, ExplainNode* node, Words* bits) {
  const Condition* condition = plan_.ConditionOf(term);
  if (condition) {
    bits_->MatchAll(*condition, block_, first_word_, end_word_, bits->data());
    for (uint32_t i = first_word_; i < end_word_; ++i) (*bits)[i] &= live_[i];
    node->access = condition->kind == Condition::Kind::kLeaf ? bits_->AccessOf(*condition) : "definition";
  } else {
    *bits = PresentRows(term);
    node->access = term.has_aggregate ? "events" : "rows";
  }
  node->absent_count = AbsentRows(term);
}

Explainer::Words Explainer::PresentRows(const Term& term) {
  Words result(kBlockWords, 0);
  if (term.op == Op::kAttribute && !term.definition) {
    const AttributeColumn* column = view_.table->column(term.node->attribute);
    const uint64_t* presence = column ? column->presence().Block(block_) : nullptr;
    for (uint32_t i = first_word_; presence && i < end_word_; ++i) result[i] = live_[i] & presence[i];
    return result;
  }
  std::vector<Row> rows;
  auto flush = [&] {
    if (rows.empty()) return;
    machine_->NewBatch(false);
    Batch batch = Batch::OfRows(rows, false);
    const Vector& value = machine_->Evaluate(term, &batch, nullptr);
    for (size_t i = 0; i < rows.size(); ++i) {
      const uint32_t row = rows[i].value % kBlockRows;
      if (value.present[i]) result[row / 64] |= uint64_t{1} << (row % 64);
    }
    rows.clear();
  };
  for (uint32_t at = first_word_; at < end_word_; ++at) {
    for (uint64_t word = live_[at]; word != 0; word &= word - 1) {
      rows.emplace_back(block_ * kBlockRows + at * 64 + static_cast<uint32_t>(std::countr_zero(word)));
      if (rows.size() == kRowsPerBatch) flush();
    }
  }
  flush();
  return result;
}

uint64_t Explainer::AbsentRows(const Term& term) {
  Words all_present = live_;
  for (const Term* operand : OperandsOf(term)) {
    if (operand->op == Op::kConstant && operand->constant.present[0]) continue;
    const Words present = PresentRows(*operand);
    for (uint32_t i = first_word_; i < end_word_; ++i) all_present[i] &= present[i];
  }
  return CountBits(live_) - CountBits(all_present);
}

ExplainNode Explainer::ExplainRow(Row row) {
  explained_.clear();
  return ExplainRowPart(plan_.root(), row);
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
  for (const Term* operand : OperandsOf(term)) {
    if (!IsPresent(value_of(*operand))) node.absent_count = 1;
  }
  if (IsLogic(term)) {
    node.access = term.op == Op::kAnd ? "and" : term.op == Op::kOr ? "or" : "not";
    for (const Term* input : term.inputs) node.inputs.push_back(ExplainRowPart(*input, row));
    return node;
  }
  const Condition* condition = plan_.ConditionOf(term);
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
