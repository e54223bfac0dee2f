#include "engine/shard.h"

#include <fmt/format.h>

#include "engine/identity.h"

namespace korrel {
namespace {

// In about nanoseconds; bench/micro/write_path_bench.cc.
constexpr uint64_t kChangeWork = 400, kBirthWork = 600, kIdentifierWork = 200, kAttributeWork = 150, kEventWork = 700, kMemberWork = 100,
                   kByteWork16 = 4;

Status Contradiction(ProfileId profile, std::string_view what) {
  return MakeError(absl::StatusCode::kInternal, "RECORD", "", fmt::format("profile {:016x}: {}", profile.value, what));
}

const AttributeSchema* AttributeOf(const Schema& schema, AttributeId id) {
  return id.value < schema.attributes.size() ? &schema.attributes[id.value] : nullptr;
}
const EventTypeSchema* EventTypeOf(const Schema& schema, EventTypeId id) {
  return id.value < schema.event_types.size() ? &schema.event_types[id.value] : nullptr;
}

// Whether the value can be handed to the table as it is: a record of another catalog must not reach a column of another type.
bool Fits(const AttributeChange& change, Type type) {
  if (change.operation == AttributeOperation::kUnset) return true;
  Type given = TypeOf(change.value);
  if (change.operation == AttributeOperation::kAdd || change.operation == AttributeOperation::kRemove) {
    return type == kSetType && (given == kSetType || given == kStringType);
  }
  return given == type;
}

bool Fits(const EventToAdd& event, const EventTypeSchema& type) {
  for (size_t i = 0; i < event.properties.size(); ++i) {
    const auto& [property, value] = event.properties[i];
    if (property.value >= type.properties.size() || TypeOf(value) != type.properties[property.value].type) return false;
    if (i > 0 && !(event.properties[i - 1].first < property)) return false;
  }
  return true;
}

}  // namespace

// SplitMix64's finaliser (Steele, Lea, Flood 2014): ids are dense, shards want them spread.
uint32_t ShardOf(ProfileId id, uint32_t shard_count) {
  uint64_t h = id.value + 0x9e3779b97f4a7c15u;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return static_cast<uint32_t>((h ^ (h >> 31)) & (shard_count - 1));
}

uint64_t WorkOf(const ProfileChange& change) {
  uint64_t work = kChangeWork + (change.creates ? kBirthWork : 0) + change.identifiers.size() * kIdentifierWork +
                  change.attributes.size() * kAttributeWork + change.members.size() * kMemberWork;
  for (const AttributeChange& write : change.attributes) {
    if (const auto* text = std::get_if<std::string>(&write.value)) work += text->size() * kByteWork16 / 16;
    if (const auto* set = std::get_if<StringSet>(&write.value)) work += set->size() * kAttributeWork;
  }
  for (const EventChange& write : change.events) work += kEventWork + write.event.properties.size() * kAttributeWork;
  return work;
}

void Shard::FreeEventsThatAreOut(Row row, const Schema& schema, int64_t now_us) {
  for (EventTypeId type : table.EventTypesOf(row)) table.FreeEventsThatAreOut(row, schema.event_types[type.value], now_us);
}

void Shard::Adopt(const CatalogSnapshot& catalog) {
  if (live.plan() == catalog.live && adopted_schema_ == catalog.schema.get()) return;
  live.Adopt(catalog.live, catalog.schema);
  adopted_schema_ = catalog.schema.get();
}

void Shard::Prefetch(Row row, const ProfileChange& change) const {
  table.Prefetch(row);
  live.Prefetch(row);
  for (const AttributeChange& write : change.attributes) {
    if (const AttributeColumn* column = table.column(write.attribute)) column->Prefetch(row);
  }
}

Status Shard::ApplyAttributes(Row row, const ProfileChange& change, const Schema& schema) {
  for (const AttributeChange& write : change.attributes) {
    const AttributeSchema* attribute = AttributeOf(schema, write.attribute);
    if (!attribute || attribute->computed || !Fits(write, attribute->type)) {
      return Contradiction(change.profile, "a value that fits no attribute");
    }
    live.WillWrite(row, write.attribute);
    KORREL_RETURN_IF_ERROR(table.Write(row, *attribute, write.operation, write.value, write.event_time_us, write.source).status());
    if (write.event_time_us == change.event_time_us) continue;
    table.NoteActivity(row, write.event_time_us, change.now_us);
    live.DidNoteActivity(row);
  }
  return absl::OkStatus();
}

Status Shard::ApplyEvents(Row row, const ProfileChange& change, const Schema& schema, uint32_t events_hard_max) {
  if (!change.events.empty()) FreeEventsThatAreOut(row, schema, change.now_us);
  for (const EventChange& write : change.events) {
    const EventTypeSchema* type = EventTypeOf(schema, write.type);
    if (!type || !Fits(write.event, *type)) return Contradiction(change.profile, "an event that fits no type");
    const ProfileTable::AddEventPreview preview = table.PreviewEvent(row, *type, write.event.time_us, events_hard_max);
    if (preview.evicted > 0) live.WillEvict(row, write.type, preview.evicted);
    if (table.AddEvent(row, *type, write.event, events_hard_max).result == ProfileTable::AddEventResult::kDuplicate) {
      return Contradiction(change.profile, "an event that is held already");
    }
    if (preview.index) live.DidAdd(row, write.type, *preview.index);
    table.NoteActivity(row, write.event.time_us, change.now_us);
    live.DidNoteActivity(row);
  }
  return absl::OkStatus();
}

void Shard::ApplyMembers(Row row, const ProfileChange& change) {
  for (const MemberChange& member : change.members) {
    live.WillChangeList(row, member.segment);
    if (member.is_member) {
      table.AddMember(member.segment, row, member.expires_us);
    } else {
      table.RemoveMember(member.segment, row);
    }
  }
}

void Shard::End(Row row, const ProfileChange& change, Identity* identity, LiveState::Flips* flips) {
  live.BringUp(row, change.now_us, flips);
  live.End(row, change.now_us, flips);
  for (const Identifier& identifier : table.IdentifiersOf(row)) identity->Withdraw({identifier.type, identifier.text}, change.profile);
  table.RemoveRow(row);
}

StatusOr<Shard::Applied> Shard::Apply(const ProfileChange& change, const Schema& schema, uint32_t events_hard_max, Identity* identity) {
  Applied applied;
  const std::optional<Row> found = table.Find(change.profile);
  if (change.deletes) {
    if (!found) return Contradiction(change.profile, "ends and does not exist");
    End(*found, change, identity, &applied.flips);
    return applied;
  }
  if (found.has_value() == change.creates) return Contradiction(change.profile, change.creates ? "begins twice" : "does not exist");
  const Row row = found ? *found : table.AddRow(change.profile);
  applied.row = row;
  if (found) {
    live.BringUp(row, change.now_us, &applied.flips);
  } else {
    identity->Born(change.profile);
    live.Born(row, change.now_us);
  }
  for (const Identifier& identifier : change.identifiers) {
    table.AddIdentifier(row, identifier.type, identifier.text);
    live.DidAddIdentifier(row, identifier.type);
    identity->Confirm({identifier.type, identifier.text}, change.profile);
  }
  if (change.event_time_us) {
    table.NoteActivity(row, *change.event_time_us, change.now_us);
    live.DidNoteActivity(row);
  }
  KORREL_RETURN_IF_ERROR(ApplyAttributes(row, change, schema));
  KORREL_RETURN_IF_ERROR(ApplyEvents(row, change, schema, events_hard_max));
  ApplyMembers(row, change);
  live.Settle(row, change.now_us, ChangeCause::kWrite, &applied.flips);
  return applied;
}

}  // namespace korrel
