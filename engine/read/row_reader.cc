#include "engine/read/row_reader.h"

#include <algorithm>

namespace korrel {
namespace {

constexpr size_t kGroupMax = 4'096;

// Texts and sets are as long as somebody made them, so they are counted one by one, and the turn may end behind any of them.
size_t ReadTexts(const AttributeColumn* column, std::span<const Row> rows, WorkMeter* meter, ValueVector* out) {
  size_t i = 0;
  do {
    const bool present = column && column->Has(rows[i]);
    out->present[i] = present;
    out->texts[i] = present ? column->Text(rows[i]) : std::string_view();
    meter->Add(out->texts[i].size() / 8);  // read here, copied by whoever wants it
  } while (++i < rows.size() && !meter->exhausted());
  return i;
}

size_t ReadSets(const AttributeColumn* column, std::span<const Row> rows, WorkMeter* meter, ValueVector* out) {
  size_t i = 0;
  do {
    const bool present = column && column->Has(rows[i]);
    out->present[i] = present;
    out->sets[i] = present ? std::get<StringSet>(column->Get(rows[i])) : StringSet();
    meter->Add(out->sets[i].size() * kWorkPerIdentifier);
  } while (++i < rows.size() && !meter->exhausted());
  return i;
}

size_t ReadColumn(const AttributeColumn* column, Type type, std::span<const Row> rows, WorkMeter* meter, ValueVector* out) {
  out->type = type;
  ResizeVector(out, rows.size());
  if (type.kind == ValueKind::kString) return ReadTexts(column, rows, meter, out);
  if (type.kind == ValueKind::kSet) return ReadSets(column, rows, meter, out);
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool present = column && column->Has(rows[i]);
    out->present[i] = present;
    if (type.kind == ValueKind::kDouble) {
      out->doubles[i] = present ? column->RawDouble(rows[i]) : 0;
    } else {
      out->ints[i] = present ? column->RawInt(rows[i]) : 0;
    }
  }
  return rows.size();
}

}  // namespace

void ResizeVector(ValueVector* vector, size_t n) {
  vector->present.resize(n);
  switch (vector->type.kind) {
    case ValueKind::kNone:
      break;
    case ValueKind::kDouble:
      vector->doubles.resize(n);
      break;
    case ValueKind::kString:
      vector->texts.resize(n);
      break;
    case ValueKind::kSet:
      vector->sets.resize(n);
      break;
    default:
      vector->ints.resize(n);
      break;
  }
}

RowReader::RowReader(const std::vector<PlanRef>& plans) : columns_(plans.size()) {
  for (const PlanRef& plan : plans) {
    Field field;
    field.plan = plan;
    field.type = plan->expression().type();
    const Node& root = *plan->expression().root();
    if (root.op == Op::kAttribute && !root.definition && !root.unknown) field.attribute = &root;
    fields_.push_back(std::move(field));
  }
}

bool RowReader::Bind(const ShardView& view, WorkMeter* meter) {
  meter_ = meter;
  for (Field& field : fields_) {
    if (BindField(&field, view)) continue;
    Unbind();
    return false;
  }
  return true;
}

bool RowReader::BindField(Field* field, const ShardView& view) {
  if (field->attribute) {
    field->column = view.table->column(field->attribute->attribute);
    return !field->column || field->column->type() == field->type;
  }
  field->evaluator = std::make_unique<Evaluator>(*field->plan, view, meter_);
  return !field->evaluator->PlanIsStale();
}

void RowReader::Unbind() {
  for (Field& field : fields_) {
    field.column = nullptr;
    field.evaluator.reset();
  }
  meter_ = nullptr;
}

size_t RowReader::ReadField(const Field& field, std::span<const Row> rows, ValueVector* out) {
  if (field.attribute) return ReadColumn(field.column, field.type, rows, meter_, out);
  return field.evaluator->Read(rows, out);
}

size_t RowReader::Read(std::span<const Row> rows) {
  if (rows.empty()) return 0;
  const size_t asked = std::min(rows.size(), group_);
  size_t n = asked;
  for (size_t i = 0; i < fields_.size(); ++i) n = ReadField(fields_[i], rows.first(n), &columns_[i]);
  // A later field may have come less far than an earlier one: what counts is the rows of which everything was read.
  for (ValueVector& column : columns_) ResizeVector(&column, n);
  if (n < asked) {
    group_ = n;
  } else if (asked == group_) {
    group_ = std::min(group_ * 2, kGroupMax);
  }
  return n;
}

}  // namespace korrel
