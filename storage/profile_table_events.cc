#include <algorithm>

#include "storage/profile_table_impl.h"

namespace korrel {
namespace {

unsigned __int128 Magnitude(int64_t value) { return value < 0 ? -static_cast<uint64_t>(value) : static_cast<uint64_t>(value); }

uint16_t KindBit(ValueKind kind) { return static_cast<uint16_t>(1u << static_cast<unsigned>(kind)); }

uint16_t KindBits(std::initializer_list<ValueKind> kinds) {
  uint16_t bits = 0;
  for (ValueKind kind : kinds) bits |= KindBit(kind);
  return bits;
}

}  // namespace

void PropertyBounds::Note(const Value& value) {
  Type type = TypeOf(value);
  kinds |= KindBit(type.kind);
  if (!IsExactNumber(type)) return;
  int64_t unscaled = type.kind == ValueKind::kInt ? std::get<int64_t>(value) : std::get<Decimal>(value).unscaled;
  if (type.scale > scale) {
    magnitude *= static_cast<uint64_t>(kPowersOf10[type.scale - scale]);
    scale = type.scale;
  }
  magnitude = std::max(magnitude, Magnitude(unscaled) * static_cast<uint64_t>(kPowersOf10[scale - type.scale]));
  all_exactly_double = all_exactly_double && IsExactlyDouble(unscaled, type.scale);
}

bool PropertyBounds::CanWiden(Type to) const {
  uint16_t exact = KindBits({ValueKind::kInt, ValueKind::kDecimal});
  if (to.kind == ValueKind::kDouble) return (kinds & ~(exact | KindBit(ValueKind::kDouble))) == 0 && all_exactly_double;
  if (to.kind != ValueKind::kDecimal) return (kinds & ~KindBit(to.kind)) == 0;
  if ((kinds & ~exact) != 0 || to.scale < scale) return false;
  bool rescaled = to.scale > scale || (kinds & KindBit(ValueKind::kInt));
  return !rescaled || magnitude * static_cast<uint64_t>(kPowersOf10[to.scale - scale]) <= static_cast<uint64_t>(INT64_MAX);
}

const EventHistory* ProfileTable::History(Row row, EventTypeId type) const { return impl_->Data(row).histories.Find(type); }

const PropertyDictionaries& ProfileTable::Properties(EventTypeId type) const {
  static const PropertyDictionaries none;
  const EventTypeState* state = impl_->Events(type);
  return state ? state->dictionaries : none;
}

std::vector<EventTypeId> ProfileTable::EventTypesOf(Row row) const {
  std::vector<EventTypeId> types;
  for (const HistoryList::Entry& entry : impl_->Data(row).histories.entries()) types.push_back(entry.type);
  return types;
}

ProfileTable::AddEventOutcome ProfileTable::AddEvent(Row row, const EventTypeSchema& type, const EventToAdd& event, uint32_t hard_max) {
  HistoryList& histories = impl_->Data(row).histories;
  if (event.message_hash != 0)
    for (const HistoryList::Entry& entry : histories.entries())
      if (entry.history.HasMessage(event.message_hash, event.time_us)) return {AddEventResult::kDuplicate, 0};
  if (type.id.value >= impl_->event_types.size()) impl_->event_types.resize(type.id.value + 1);
  auto& state = impl_->event_types[type.id.value];
  if (!state) state = std::make_unique<EventTypeState>();
  for (const auto& [property, value] : event.properties) {
    if (property.value >= state->bounds.size()) state->bounds.resize(property.value + 1);
    state->bounds[property.value].Note(value);
  }
  EventHistory* history = histories.FindOrAdd(type.id);
  history->Add(event, &state->dictionaries);
  uint32_t limit = std::min(hard_max, type.max_events.value_or(hard_max));
  AddEventOutcome outcome;
  if (history->size() > limit) {
    outcome.evicted = history->size() - limit;
    history->RemoveOldest(outcome.evicted);
    if (!type.max_events || hard_max < *type.max_events) state->truncated.Set(row);
    if (history->size() == 0) histories.Remove(type.id);
  }
  impl_->event_count += 1;
  impl_->event_count -= outcome.evicted;
  return outcome;
}

ProfileTable::AddEventPreview ProfileTable::PreviewEvent(Row row, const EventTypeSchema& type, int64_t time_us, uint32_t hard_max) const {
  const EventHistory* history = History(row, type.id);
  const uint32_t held = history ? history->size() : 0;
  const uint32_t limit = std::min(hard_max, type.max_events.value_or(hard_max));
  const uint32_t place = history ? history->UpperBound(time_us) : 0;  // of equal times the one that came later
  const uint32_t out = held + 1 > limit ? held + 1 - limit : 0;
  if (place < out) return {out - 1, std::nullopt};
  return {out, place - out};
}

bool ProfileTable::IsTruncated(Row row, EventTypeId type) const {
  const EventTypeState* state = impl_->Events(type);
  return state && state->truncated.Test(row);
}

const RowBits* ProfileTable::TruncatedRows(EventTypeId type) const {
  const EventTypeState* state = impl_->Events(type);
  return state && state->truncated.count() > 0 ? &state->truncated : nullptr;
}

bool ProfileTable::CanWidenProperty(EventTypeId type, PropertyId property, Type to) const {
  const EventTypeState* state = impl_->Events(type);
  if (!state || property.value >= state->bounds.size()) return true;
  return state->bounds[property.value].CanWiden(to);
}

namespace {

// The first event that is not out at now; those before it are only waiting to be freed.
uint32_t FirstHeld(const EventHistory& history, const EventTypeSchema& type, int64_t now_us) {
  uint32_t first = 0;
  int64_t oldest_gone;
  if (type.retention_us && !__builtin_sub_overflow(now_us, *type.retention_us, &oldest_gone)) first = history.UpperBound(oldest_gone);
  if (type.max_events && history.size() > *type.max_events) first = std::max(first, history.size() - *type.max_events);
  return first;
}

}  // namespace

bool ProfileTable::HoldsMessage(Row row, const EventToAdd& event, const Schema& schema, int64_t now_us) const {
  if (event.message_hash == 0) return false;
  for (const HistoryList::Entry& entry : impl_->Data(row).histories.entries()) {
    if (!entry.history.HasMessage(event.message_hash, event.time_us)) continue;
    uint32_t first = FirstHeld(entry.history, schema.event_types[entry.type.value], now_us);
    if (first == 0 || entry.history.HasMessageFrom(first, event.message_hash)) return true;
  }
  return false;
}

void ProfileTable::Impl::RemoveOldestEvents(Row row, EventTypeId type, uint32_t count) {
  HistoryList& histories = Data(row).histories;
  EventHistory* history = histories.Find(type);
  event_count -= count;
  if (count == history->size()) histories.Remove(type);
  else if (count > 0) history->RemoveOldest(count);
}

void ProfileTable::FreeEventsThatAreOut(Row row, const EventTypeSchema& type, int64_t now_us) {
  const EventHistory* history = History(row, type.id);
  if (history) impl_->RemoveOldestEvents(row, type.id, FirstHeld(*history, type, now_us));
}

void ProfileTable::RemoveEventsUpTo(Row row, EventTypeId type, int64_t time_us) {
  const EventHistory* history = History(row, type);
  if (history) impl_->RemoveOldestEvents(row, type, history->UpperBound(time_us));
}

uint64_t ProfileTable::event_count() const { return impl_->event_count; }

ProfileTable::VisibleRange ProfileTable::Visible(const EventHistory& history, const EventTypeSchema& type, int64_t now_us) {
  VisibleRange range{FirstHeld(history, type, now_us), history.UpperBound(now_us)};
  range.begin = std::min(range.begin, range.end);
  return range;
}

}  // namespace korrel
