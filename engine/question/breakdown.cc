// Breakdown: groups of the profiles that match, with their measures, in one pass. A group is judged, and its measures read, at the
// same instant as the selection.
#include <fmt/format.h>

#include "engine/question/group_table.h"
#include "engine/question/question_run.h"
#include "engine/question/questions.h"
#include "engine/question/result_batch.h"
#include "engine/question/top_rows.h"
#include "engine/read/row_reader.h"

namespace korrel {
namespace {

constexpr uint32_t kLimitDefault = 1'000;
constexpr uint32_t kLimitMax = 100'000;
constexpr size_t kByMax = 16;
constexpr size_t kMeasuresMax = 100;
constexpr size_t kGroupsPerProfileMax = 10'000;
constexpr uint32_t kNoSlot = UINT32_MAX;

struct BreakdownQuestion {
  CompiledQuestion compiled;
  std::vector<PlanRef> by;
  std::vector<PlanRef> read;  // what is read of a row: the groups (unless by codes), then the measures
  std::vector<Type> key_types;
  std::vector<MeasurePlan> measures;
  size_t set_count = 0;  // group fields that are sets
  // One group field that is a stored string or bool: rows are grouped by code, and no text is looked at per row.
  std::optional<AttributeId> by_code;
};

class BreakdownScan final : public ShardScan {
 public:
  BreakdownScan(Core& core, size_t shard, const BreakdownQuestion& question)
      : ShardScan(core, shard, question.compiled, true),
        question_(question),
        first_measure_(question.by_code ? 0 : question.by.size()),
        reader_(question.read),
        groups(question.key_types, &question.measures) {}

 private:
  bool BeginTurn(const ShardView& view, WorkMeter* meter) override {
    meter_ = meter;
    if (question_.by_code) {
      column_ = view.table->column(*question_.by_code);
      if (column_ && column_->type() != question_.key_types[0]) return false;
    }
    return reader_.Bind(view, meter);
  }
  void EndTurn() override {
    reader_.Unbind();
    column_ = nullptr;
  }

  uint64_t WorkPerRow() const override {
    return kWorkPerRow + reader_.work_per_row() + question_.measures.size() * kWorkPerValue + (question_.by_code ? 0 : kWorkPerGroup);
  }

  Taken Take(const ShardView&, std::span<const Row> rows) override {
    // With several sets a row may cost as much as a turn; only reading it tells.
    if (question_.set_count > 1) rows = rows.first(1);
    const size_t read = reader_.field_count() == 0 ? rows.size() : reader_.Read(rows);
    for (size_t i = 0; i < read; ++i) {
      if (question_.by_code) {
        groups.Add(SlotByCode(rows[i]), reader_.columns(), first_measure_, i);
      } else {
        AddByValues(i);
      }
      if (groups.error()) return {i, true};
    }
    return {read, false};
  }

  uint32_t SlotByCode(Row row) {
    if (!column_ || !column_->Has(row)) {
      if (absent_slot_ == kNoSlot) {
        key_.clear();
        AppendAbsentToKey(&key_);
        absent_slot_ = groups.SlotOf(key_);
      }
      return absent_slot_;
    }
    const uint32_t code = static_cast<uint32_t>(column_->RawInt(row));
    if (code >= slots_.size()) slots_.resize(std::max<size_t>(code + 1, slots_.size() * 2), kNoSlot);
    if (slots_[code] == kNoSlot) {
      key_.clear();
      if (column_->type().kind == ValueKind::kBool) {
        AppendNumberToKey(code, &key_);
      } else {
        AppendTextToKey(column_->dictionary().Text(Code(code)), &key_);
      }
      slots_[code] = groups.SlotOf(key_);
    }
    return slots_[code];
  }

  // Puts row i of what was read into its group, or, where sets are grouped by, into one for each combination of their items.
  void AddByValues(size_t i) {
    keys_.assign(1, std::string());
    for (size_t c = 0; c < first_measure_; ++c) {
      const ValueVector& column = reader_.columns()[c];
      if (column.type.kind == ValueKind::kSet && column.present[i]) {
        if (!Multiply(column.sets[i])) return;
        continue;
      }
      for (std::string& key : keys_) AppendToKey(column, i, &key);
    }
    meter_->Add(keys_.size() * kWorkPerGroup);
    for (const std::string& key : keys_) groups.Add(groups.SlotOf(key), reader_.columns(), first_measure_, i);
  }

  static void AppendToKey(const ValueVector& column, size_t i, std::string* key) {
    if (!column.present[i]) return AppendAbsentToKey(key);
    switch (column.type.kind) {
      case ValueKind::kString:
        AppendTextToKey(column.texts[i], key);
        break;
      case ValueKind::kDouble:
        AppendNumberToKey(OrderedBits(column.doubles[i]), key);
        break;
      default:
        AppendNumberToKey(column.ints[i], key);
        break;
    }
  }

  bool Multiply(const StringSet& items) {
    if (items.size() * keys_.size() > kGroupsPerProfileMax) {
      groups.Fail("GROUPS", fmt::format("a profile falls into more than {} groups; group by fewer sets", kGroupsPerProfileMax));
      return false;
    }
    std::vector<std::string> multiplied;
    for (const std::string& key : keys_) {
      for (const std::string& item : items) {
        multiplied.push_back(key);
        AppendTextToKey(item, &multiplied.back());
      }
    }
    keys_ = std::move(multiplied);
    return true;
  }

  const BreakdownQuestion& question_;
  const size_t first_measure_;
  RowReader reader_;
  WorkMeter* meter_ = nullptr;
  const AttributeColumn* column_ = nullptr;  // of by_code, during a turn
  std::vector<uint32_t> slots_;              // per code
  uint32_t absent_slot_ = kNoSlot;
  std::string key_;
  std::vector<std::string> keys_;

 public:
  GroupTable groups;
};

Status CheckBreakdown(const BreakdownRequest& request) {
  if (request.limit > kLimitMax) {
    return InvalidArgument("LIMIT", "limit", fmt::format("a breakdown answers at most {} groups, not {}", kLimitMax, request.limit));
  }
  if (request.by.size() > kByMax) return InvalidArgument("LIMIT", "by", fmt::format("at most {} fields to group by", kByMax));
  if (request.measures.size() > kMeasuresMax) return InvalidArgument("LIMIT", "measures", fmt::format("at most {} measures", kMeasuresMax));
  return absl::OkStatus();
}

Status CompileMeasures(const CatalogSnapshot& catalog, const BreakdownRequest& request, BreakdownQuestion* question) {
  for (size_t i = 0; i < request.measures.size(); ++i) {
    const std::string field = fmt::format("measures[{}]", i);
    const FieldText text{request.measures[i].of, fmt::format("{}.of", field), request.selection.allow_unknown_names,
                         &request.selection.parameters};
    KORREL_ASSIGN_OR_RETURN(PlanRef plan, CompileField(catalog, text));
    KORREL_ASSIGN_OR_RETURN(MeasurePlan measure, MeasurePlan::Make(request.measures[i], plan->expression().type(), field));
    question->measures.push_back(std::move(measure));
    question->read.push_back(std::move(plan));
  }
  return absl::OkStatus();
}

// The attribute to group by codes, where that will do.
std::optional<AttributeId> CodesOf(const std::vector<PlanRef>& by) {
  if (by.size() != 1) return std::nullopt;
  const Node& root = *by[0]->expression().root();
  const bool stored = root.op == Op::kAttribute && !root.definition && !root.unknown;
  if (!stored || (root.type != kStringType && root.type != kBoolType)) return std::nullopt;
  return root.attribute;
}

StatusOr<BreakdownQuestion> CompileBreakdown(Core& core, const CatalogRef& catalog, const BreakdownRequest& request) {
  BreakdownQuestion question;
  KORREL_ASSIGN_OR_RETURN(question.by, CompileFields(*catalog, request.by, request.selection, "by"));
  for (const PlanRef& plan : question.by) {
    question.key_types.push_back(plan->expression().type());
    question.set_count += plan->expression().type().kind == ValueKind::kSet;
  }
  question.by_code = CodesOf(question.by);
  if (!question.by_code) question.read = question.by;
  KORREL_RETURN_IF_ERROR(CompileMeasures(*catalog, request, &question));
  KORREL_ASSIGN_OR_RETURN(question.compiled, CompileQuestion(core, catalog, request.selection, question.read));
  return question;
}

std::vector<FieldSchema> FieldsOfAnswer(const BreakdownRequest& request, const BreakdownQuestion& question) {
  std::vector<FieldSchema> fields;
  for (size_t i = 0; i < request.by.size(); ++i) {
    // An item of a set is a string.
    const Type type = question.key_types[i].kind == ValueKind::kSet ? kStringType : question.key_types[i];
    fields.push_back({request.by[i], type});
  }
  fields.push_back({"count", kIntType});
  for (size_t m = 0; m < question.measures.size(); ++m) AppendMeasureFields(request.measures[m], question.measures[m], &fields);
  return fields;
}

void FillGroups(const BreakdownRequest& request, const BreakdownQuestion& question, std::vector<Group> groups, BreakdownAnswer* answer) {
  const size_t limit = request.limit == 0 ? kLimitDefault : request.limit;
  ResultBuilder builder(FieldsOfAnswer(request, question), false);
  for (size_t g = 0; g < groups.size(); ++g) {
    Group& group = groups[g];
    if (g >= limit) {
      answer->other_count += group.count;
      continue;
    }
    std::vector<Value> values = ValuesOfKey(group.key, question.key_types);
    values.emplace_back(static_cast<int64_t>(group.count));
    for (size_t m = 0; m < question.measures.size(); ++m) AppendMeasureValues(question.measures[m], &group.measures[m], &values);
    builder.AppendValues(values);
  }
  answer->groups = builder.Release();
}

}  // namespace

StatusOr<BreakdownAnswer> AnswerBreakdown(Core& core, const BreakdownRequest& request) {
  KORREL_RETURN_IF_ERROR(CheckBreakdown(request));
  KORREL_ASSIGN_OR_RETURN(const AnswerContext context, BeginAnswer(core, request.selection.read));
  return UntilFresh<BreakdownAnswer>(
      core,
      [&](const CatalogRef& catalog) -> StatusOr<std::optional<BreakdownAnswer>> {
        KORREL_ASSIGN_OR_RETURN(const BreakdownQuestion question, CompileBreakdown(core, catalog, request));
        auto scans = MakeScans<BreakdownScan>(core, [&](size_t shard) { return std::make_unique<BreakdownScan>(core, shard, question); });
        if (IsCut(RunScans(core, request.selection.read.deadline_ns, scans))) return std::nullopt;
        BreakdownAnswer answer{context};
        GroupTable groups(question.key_types, &question.measures);
        // Without `by` there is one group, everybody, also where nobody is in it.
        if (question.by.empty()) groups.SlotOf("");
        for (const auto& scan : scans) groups.Merge(std::move(scan->groups));
        if (groups.error()) return *groups.error();
        answer.total_count = SumScans(scans, question.compiled, &answer);
        answer.groups_overlap = question.set_count > 0;
        FillGroups(request, question, groups.Release(), &answer);
        return answer;
      },
      request.selection.read.deadline_ns);
}

}  // namespace korrel
