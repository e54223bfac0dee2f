// What terms read: columns by row or by code, properties of events, static lists, members of live segments.

#include <algorithm>

#include "index/evaluation/promotion.h"
#include "index/evaluation/vector_machine.h"
#include "index/evaluation/work.h"

namespace korrel {

const AttributeColumn* ColumnOf(const Term& term, const ShardView& view) {
  if (term.op == Op::kAttribute) return view.table->column(term.node->attribute);
  return view.kept ? view.kept->Aggregate(term.unit) : nullptr;
}

void VectorMachine::Column(const Term& term, Batch* batch, Vector* out) {
  if (batch->kind == Batch::Kind::kCodes) return ColumnOfCodes(term, batch, out);
  const AttributeColumn* column = batch->kind == Batch::Kind::kRows && batch->size > 0 ? ColumnOf(term, *view_) : nullptr;
  if (!column) {
    out->Reset(term.type.kind, batch->size);
  } else if (column->type() == term.type) {
    ColumnOfRows(*column, batch, out);
  } else {
    // The schema is ahead of this shard's column: its narrower values convert exactly.
    Vector narrow;
    ColumnOfRows(*column, batch, &narrow);
    Promote(narrow, column->type(), term.type, batch->size, out);
  }
}

void VectorMachine::ColumnOfRows(const AttributeColumn& column, Batch* batch, Vector* out) {
  const ValueKind kind = column.type().kind;
  out->Reset(kind, batch->size);
  const uint32_t block = batch->rows[0].value / kBlockRows;
  const uint64_t* presence = column.presence().Block(block);
  if (!presence) return;
  const NarrowColumn::BlockView narrow = column.narrow().Block(block);
  const double* doubles = kind == ValueKind::kDouble ? column.DoubleBlock(block) : nullptr;
  for (size_t i = 0; i < batch->size; ++i) {
    const uint32_t at = batch->rows[i].value % kBlockRows;
    if (!(presence[at / 64] >> (at % 64) & 1)) continue;
    switch (kind) {
      case ValueKind::kDouble:
        out->PutDouble(i, doubles[at]);
        break;
      case ValueKind::kString:
        out->PutText(i, column.dictionary().Text(Code(static_cast<uint32_t>(narrow.Get(at)))));
        break;
      case ValueKind::kSet:
        out->present[i] = 1;
        out->sets[i] = SetView{.dictionary = &column.dictionary(), .codes = column.SetCodes(batch->rows[i])};
        break;
      default:
        out->Put(i, narrow.Get(at));
    }
  }
}

void VectorMachine::ColumnOfCodes(const Term& term, Batch* batch, Vector* out) {
  out->Reset(term.type.kind, batch->size);
  if (batch->absent) return;
  for (size_t i = 0; i < batch->size; ++i) {
    const uint32_t code = batch->first_code + static_cast<uint32_t>(i);
    if (term.type.kind == ValueKind::kString) {
      out->PutText(i, batch->dictionary->Text(Code(code)));
    } else {
      out->Put(i, code);
    }
  }
}

void VectorMachine::KeptSequence(const Term& term, Batch* batch, Vector* out) {
  Column(term, batch, out);
  for (size_t i = 0; i < batch->size; ++i) {
    if (!out->present[i]) out->Put(i, false);
  }
}

void VectorMachine::Property(const Term& term, Batch* batch, const uint8_t* active, Vector* out) {
  const size_t n = batch->size;
  out->Reset(term.type.kind, n);
  if (batch->kind != Batch::Kind::kEvents) return;
  meter_->Add(n * work::kEvent);
  const uint32_t begin = batch->first_event, end = begin + static_cast<uint32_t>(n);
  if (term.op == Op::kEventTime) {
    batch->history->ReadTimes(begin, end, &out->ints);
    std::fill(out->present.begin(), out->present.end(), 1);
    return;
  }
  const PropertyId property = term.node->property;
  if (term.type.kind == ValueKind::kSet) {
    for (size_t i = 0; i < n; ++i) {
      if (active && !active[i]) continue;
      Value value = batch->history->ValueOf(begin + static_cast<uint32_t>(i), property, term.type, *batch->properties);
      if (!IsPresent(value)) continue;
      out->present[i] = 1;
      out->sets[i] = SetView{.strings = arena_.Add(std::get<StringSet>(std::move(value)))};
    }
    return;
  }
  batch->history->ReadColumn(property, term.type, begin, end, *batch->properties, &event_column_);
  out->present.swap(event_column_.present);
  switch (term.type.kind) {
    case ValueKind::kDouble:
      out->doubles.swap(event_column_.doubles);
      break;
    case ValueKind::kString:
      out->texts.swap(event_column_.texts);
      break;
    default:
      out->ints.swap(event_column_.ints);
  }
}

void VectorMachine::Members(const Term& term, Batch* batch, Vector* out) {
  out->Reset(ValueKind::kBool, batch->size);
  const RowBits* members = batch->kind == Batch::Kind::kRows && view_->kept ? view_->kept->Members(*term.node->segment) : nullptr;
  for (size_t i = 0; i < batch->size; ++i) out->Put(i, members && members->Test(batch->rows[i]));
}

void VectorMachine::ListMembership(const Term& term, Batch* batch, Vector* out) {
  out->Reset(ValueKind::kBool, batch->size);
  const StaticList* list = nullptr;
  if (batch->kind == Batch::Kind::kRows && term.node->segment) list = view_->table->List(*term.node->segment);
  for (size_t i = 0; i < batch->size; ++i) out->Put(i, list && list->Contains(batch->rows[i], view_->now_us));
}

}  // namespace korrel
