#include "index/live/aggregate_keeper.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "index/live/kept_sequence.h"
#include "index/live/kept_unit.h"
#include "index/live/kept_window.h"

namespace korrel {
namespace {

// Aggregates over the same events and window share the search for what moved.
struct Group {
  std::optional<EventTypeId> type;  // nullopt: any
  bool nothing = false;             // of a type that nobody knows: no events, ever
  KeptWindow window;
  std::vector<uint32_t> units;

  bool SameAs(const Group& o) const { return type == o.type && nothing == o.nothing && window.SameAs(o.window); }
};

}  // namespace

struct AggregateKeeper::Impl {
  ProfileTable* table;
  ShardView* view;
  KeptUnit::Shared shared;

  std::vector<std::unique_ptr<KeptUnit>> units;
  std::vector<uint64_t> serials;
  std::vector<Group> groups;
  std::vector<uint32_t> group_of;  // of aggregates
  struct Sequence {
    uint32_t unit;
    KeptSequence* kept;
  };
  std::vector<Sequence> sequences;

  // Of one call.
  std::vector<EventTypeId> types;
  std::vector<PieceMove> pieces;

  bool AnyFilled(const Group& group, Filled filled) const {
    return std::any_of(group.units.begin(), group.units.end(), [&](uint32_t unit) { return filled[unit] != 0; });
  }
  bool Reads(const Group& group, EventTypeId type) const {
    if (group.nothing) return false;
    return group.type ? *group.type == type : InAny(view->schema->event_types[type.value]);
  }
  const EventTypeSchema& TypeOf(EventTypeId type) const { return view->schema->event_types[type.value]; }

  // The histories of a row that a group reads: by event type.
  template <class Visit>
  void ForEachHistory(const Group& group, Row row, const Visit& visit) const {
    auto visit_type = [&](EventTypeId type) {
      const EventHistory* history = table->History(row, type);
      if (history) visit(type, *history);
    };
    if (group.nothing) return;
    if (group.type) return visit_type(*group.type);
    for (EventTypeId type : table->EventTypesOf(row)) {
      if (type.value >= view->schema->event_types.size()) break;
      if (InAny(TypeOf(type))) visit_type(type);
    }
  }
  PieceMove Still(EventTypeId type, const EventHistory& history, EventRange window) const {
    return {.history = &history, .properties = &table->Properties(type), .left = {}, .window = window, .entered = {}};
  }

  uint32_t AddToGroup(uint32_t unit, const Term& term) {
    Group group{.type = term.node->event_type, .nothing = term.node->unknown, .window = KeptWindow(term), .units = {}};
    auto it = std::find_if(groups.begin(), groups.end(), [&](const Group& other) { return other.SameAs(group); });
    if (it == groups.end()) it = groups.insert(groups.end(), std::move(group));
    it->units.push_back(unit);
    return static_cast<uint32_t>(it - groups.begin());
  }

  void AddUnit(const AggregateUnit& unit, std::unique_ptr<KeptUnit> kept) {
    const auto number = static_cast<uint32_t>(units.size());
    if (kept) kept->Rebind(unit.term);
    else if (unit.term->op == Op::kSequence) kept = std::make_unique<KeptSequence>(unit, &shared);
    else kept = MakeKeptUnit(unit, &shared);
    const bool sequence = unit.term->op == Op::kSequence;
    if (sequence) sequences.push_back({number, static_cast<KeptSequence*>(kept.get())});
    group_of.push_back(sequence ? UINT32_MAX : AddToGroup(number, *unit.term));
    serials.push_back(unit.serial);
    units.push_back(std::move(kept));
  }

  void Apply(const Group& group, Row row, bool newest, Filled filled, std::vector<uint32_t>* changed) {
    const Move move{.row = row, .pieces = pieces, .newest = newest};
    for (uint32_t unit : group.units) {
      if (filled[unit] && units[unit]->Apply(move)) changed->push_back(unit);
    }
  }
};

AggregateKeeper::AggregateKeeper(ProfileTable* table, ShardView* view)
    : impl_(std::make_unique<Impl>(Impl{.table = table, .view = view, .shared = {.table = table}})) {}
AggregateKeeper::~AggregateKeeper() = default;

void AggregateKeeper::Adopt(std::span<const AggregateUnit> units, VectorMachine* machine) {
  Impl& impl = *impl_;
  impl.shared.machine = machine;
  absl::flat_hash_map<uint64_t, std::unique_ptr<KeptUnit>> before;
  for (size_t i = 0; i < impl.units.size(); ++i) before.emplace(impl.serials[i], std::move(impl.units[i]));
  impl.units.clear();
  impl.serials.clear();
  impl.groups.clear();
  impl.group_of.clear();
  impl.sequences.clear();
  for (const AggregateUnit& unit : units) {
    auto it = before.find(unit.serial);
    impl.AddUnit(unit, it == before.end() ? nullptr : std::move(it->second));
  }
}

void AggregateKeeper::Fill(uint32_t unit, Row row) {
  Impl& impl = *impl_;
  impl.pieces.clear();
  if (impl.group_of[unit] == UINT32_MAX) {
    impl.units[unit]->Fill({.row = row, .pieces = {}, .newest = false});
    return;
  }
  const Group& group = impl.groups[impl.group_of[unit]];
  if (!group.window.known()) return impl.units[unit]->Forget(row);
  impl.ForEachHistory(group, row, [&](EventTypeId type, const EventHistory& history) {
    impl.pieces.push_back(impl.Still(type, history, group.window.RangeOf(history, impl.TypeOf(type), impl.view->now_us)));
  });
  impl.units[unit]->Fill({.row = row, .pieces = impl.pieces, .newest = false});
}

void AggregateKeeper::Slide(Row row, int64_t from_us, Filled filled, std::vector<uint32_t>* changed) {
  Impl& impl = *impl_;
  for (const Group& group : impl.groups) {
    if (!impl.AnyFilled(group, filled)) continue;
    bool moved = false;
    impl.pieces.clear();
    impl.ForEachHistory(group, row, [&](EventTypeId type, const EventHistory& history) {
      const EventRange before = group.window.RangeOf(history, impl.TypeOf(type), from_us);
      const EventRange after = group.window.RangeOf(history, impl.TypeOf(type), impl.view->now_us);
      PieceMove piece = impl.Still(type, history, after);
      piece.left = {before.begin, std::max(before.begin, std::min(before.end, after.begin))};
      piece.entered = {std::min(after.end, std::max(before.end, after.begin)), after.end};
      // Clocks were turned back over midnight: all of it is read again.
      if (after.begin < before.begin || after.end < before.end) piece.left = before, piece.entered = after;
      moved = moved || !piece.left.empty() || !piece.entered.empty();
      impl.pieces.push_back(piece);
    });
    if (moved) impl.Apply(group, row, true, filled, changed);
  }
  for (const auto& [unit, sequence] : impl.sequences) {
    const bool due = filled[unit] && sequence->EdgeOf(row) <= impl.view->now_us;
    if (due && sequence->AnswerAgain(row)) changed->push_back(unit);
  }
}

int64_t AggregateKeeper::NextEdge(Row row, Filled filled) const {
  const Impl& impl = *impl_;
  int64_t edge_us = kNever;
  for (const Group& group : impl.groups) {
    if (!impl.AnyFilled(group, filled)) continue;
    impl.ForEachHistory(group, row, [&](EventTypeId type, const EventHistory& history) {
      edge_us = std::min(edge_us, group.window.EdgeOf(history, impl.TypeOf(type), impl.view->now_us));
    });
  }
  for (const auto& [unit, sequence] : impl.sequences) {
    if (filled[unit]) edge_us = std::min(edge_us, sequence->EdgeOf(row));
  }
  return edge_us;
}

void AggregateKeeper::Evicting(Row row, EventTypeId type, uint32_t count, Filled filled, std::vector<uint32_t>* changed) {
  Impl& impl = *impl_;
  for (const Group& group : impl.groups) {
    if (!impl.Reads(group, type) || !impl.AnyFilled(group, filled)) continue;
    bool moved = false;
    impl.pieces.clear();
    impl.ForEachHistory(group, row, [&](EventTypeId each, const EventHistory& history) {
      const EventRange before = group.window.RangeOf(history, impl.TypeOf(each), impl.view->now_us);
      PieceMove piece = impl.Still(each, history, before);
      if (each == type) {
        piece.window.begin = std::clamp(count, before.begin, before.end);
        piece.left = {before.begin, piece.window.begin};
        moved = !piece.left.empty();
      }
      impl.pieces.push_back(piece);
    });
    if (moved) impl.Apply(group, row, true, filled, changed);
  }
  for (const auto& [unit, sequence] : impl.sequences) {
    const bool reads = filled[unit] && sequence->Reads(impl.TypeOf(type));
    if (reads && sequence->AnswerWithoutOldest(row, type, count)) changed->push_back(unit);
  }
}

int64_t AggregateKeeper::Added(Row row, EventTypeId type, uint32_t index, Filled filled, std::vector<uint32_t>* changed) {
  Impl& impl = *impl_;
  const int64_t time_us = impl.table->History(row, type)->TimeOf(index);
  int64_t edge_us = kNever;
  for (const Group& group : impl.groups) {
    if (!impl.Reads(group, type) || !impl.AnyFilled(group, filled)) continue;
    edge_us = std::min(edge_us, group.window.EdgeOfEvent(time_us, impl.TypeOf(type), impl.view->now_us));
    bool moved = false, newest = true;
    impl.pieces.clear();
    impl.ForEachHistory(group, row, [&](EventTypeId each, const EventHistory& history) {
      PieceMove piece = impl.Still(each, history, group.window.RangeOf(history, impl.TypeOf(each), impl.view->now_us));
      if (each == type) {
        moved = piece.window.Holds(index);
        if (moved) piece.entered = {index, index + 1};
        newest = newest && index + 1 == piece.window.end;
      } else if (!piece.window.empty()) {
        newest = newest && history.TimeOf(piece.window.end - 1) <= time_us;
      }
      impl.pieces.push_back(piece);
    });
    if (moved) impl.Apply(group, row, newest, filled, changed);
  }
  for (const auto& [unit, sequence] : impl.sequences) {
    if (!filled[unit] || !sequence->Reads(impl.TypeOf(type))) continue;
    if (sequence->AnswerAgain(row)) changed->push_back(unit);
    edge_us = std::min(edge_us, sequence->EdgeOf(row));
  }
  return edge_us;
}

void AggregateKeeper::Forget(Row row) {
  for (const auto& unit : impl_->units) unit->Forget(row);
}

const AttributeColumn* AggregateKeeper::Column(uint32_t unit) const { return impl_->units[unit]->column(); }
std::optional<DecayState> AggregateKeeper::Decay(uint32_t unit, Row row) const { return impl_->units[unit]->Decay(row); }

size_t AggregateKeeper::MemoryBytes() const {
  size_t bytes = 0;
  for (const auto& unit : impl_->units) bytes += unit->MemoryBytes();
  return bytes;
}

uint64_t AggregateKeeper::passes() const { return impl_->shared.passes; }

}  // namespace korrel
