#include "engine/catalog/catalog.h"

#include <fmt/format.h>

#include <shared_mutex>

#include "engine/catalog/catalog_difference.h"
#include "engine/catalog/catalog_growth.h"
#include "engine/catalog/definition_compiler.h"
#include "engine/core.h"
#include "engine/live/fill_driver.h"
#include "engine/live/population.h"

namespace korrel {
namespace {

CatalogRef EmptyCatalog() {
  auto catalog = std::make_shared<CatalogSnapshot>();
  catalog->schema = std::make_shared<Schema>();
  catalog->live = LivePlan::Make(*catalog->schema, catalog->definitions, catalog->time_zone, nullptr);
  return catalog;
}

// Of a draft that was compiled: what shards keep current from it on.
void PlanLive(CatalogDraft* draft) {
  CatalogSnapshot& next = draft->next;
  next.live = LivePlan::Make(*next.schema, next.definitions, next.time_zone, draft->base->live.get());
}

Status NotExact(std::string_view what, std::string_view name, Type from, Type to) {
  return InvalidArgument("TYPE_CLASH", "",
                         fmt::format("{} '{}' holds values of type {} that are not exact as {}", what, name, TypeName(from), TypeName(to)));
}

bool IsUnfit(const AttributeColumn& column, Row row, Type type) {
  return column.presence().Test(row) && !ConvertExactly(column.Get(row), type);
}

}  // namespace

// The clang analysis cannot follow a number of locks known only at run time.
AllShards::AllShards(Core& core) ABSL_NO_THREAD_SAFETY_ANALYSIS : core_(core) {
  core_.all_shards_held.fetch_add(1, std::memory_order_relaxed);
  for (const auto& shard : core_.shards) shard->lock.lock();
}
AllShards::~AllShards() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (const auto& shard : core_.shards) shard->lock.unlock();
}

uint64_t HolderCount(const Core& core, AttributeId id) {
  uint64_t count = 0;
  for (const auto& shard : core.shards) {
    std::shared_lock<PhaseFairLock> hold(shard->lock);
    if (const AttributeColumn* column = shard->table.column(id)) count += column->presence().count();
  }
  return count;
}

Catalog::Catalog(Core* core) : core_(core), current_(EmptyCatalog()) {}

CatalogRef Catalog::Current() const {
  std::lock_guard<std::mutex> hold(current_mutex_);
  return current_;
}

void Catalog::Publish(CatalogRef next) {
  segment_names_.Note(*next);
  {
    std::lock_guard<std::mutex> hold(current_mutex_);
    current_.swap(next);
  }
  // `next` is the old one now; if nobody else holds it, it dies here, outside the mutex.
}

// Items that only add names share one commit; one that widens is a commit of its own, because its values may not fit.
Status Catalog::Grow(std::span<const Growth> items, std::vector<std::string>* notes) {
  std::lock_guard<std::mutex> hold(change_mutex_);
  std::unique_ptr<CatalogDraft> draft;
  for (const Growth& item : items) {
    if (CannotWiden(item, draft ? *draft->schema : *Current()->schema)) continue;
    if (!draft) draft = std::make_unique<CatalogDraft>(Current());
    if (OnlyAdds(item, *draft->schema)) {
      PutGrowth(item, draft.get(), notes);
      continue;
    }
    KORREL_RETURN_IF_ERROR(CommitAdded(draft.get()));
    draft = std::make_unique<CatalogDraft>(Current());
    std::vector<std::string> item_notes;
    if (PutGrowth(item, draft.get(), &item_notes) && CompileDefinitions(&draft->next, draft->schema.get()).empty()) {
      StatusOr<std::optional<Position>> done = Commit(draft.get());
      if (done.ok()) {
        notes->insert(notes->end(), item_notes.begin(), item_notes.end());
      } else if (ReasonOf(done.status()) != "TYPE_CLASH") {
        return done.status();
      }
    }
    draft = std::make_unique<CatalogDraft>(Current());
  }
  return draft ? CommitAdded(draft.get()) : absl::OkStatus();
}

// Whether the item is known to want a type that stored values do not fit, found out one shard after the other.
bool Catalog::CannotWiden(const Growth& item, const Schema& schema) {
  for (const auto& [id, type] : AttributesToWiden(item, schema)) {
    if (IsHeldBack(id, type)) return true;
  }
  for (const PropertyToWiden& property : PropertiesToWiden(item, schema)) {
    for (const auto& shard : core_->shards) {
      std::shared_lock<PhaseFairLock> turn(shard->lock);
      if (!shard->table.CanWidenProperty(property.event_type, property.id, property.type)) return true;
    }
  }
  return false;
}

bool Catalog::IsHeldBack(AttributeId id, Type type) {
  auto it = refused_.find({id.value, TypeName(type)});
  if (it == refused_.end()) return false;
  {
    const Shard& shard = *core_->shards[it->second.shard];
    std::shared_lock<PhaseFairLock> turn(shard.lock);
    const AttributeColumn* column = shard.table.column(id);
    if (column && IsUnfit(*column, it->second.row, type)) return true;
  }
  refused_.erase(it);
  return false;
}

// Under the shard's lock.
void Catalog::RememberRefused(size_t shard, AttributeId id, Type type) {
  const ProfileTable& table = core_->shards[shard]->table;
  const AttributeColumn* column = table.column(id);
  for (uint32_t row = 0; column && row < table.row_end(); ++row) {
    if (!IsUnfit(*column, Row(row), type)) continue;
    refused_[{id.value, TypeName(type)}] = {shard, Row(row)};
    return;
  }
}

// has_identifier('x') was compiled as "nobody has one" while the type was unknown; no other new name means anything to a definition.
Status Catalog::CommitAdded(CatalogDraft* draft) {
  if (draft->schema->identifier_types.size() > draft->base->schema->identifier_types.size()) {
    CompileDefinitions(&draft->next, draft->schema.get());
  }
  return Commit(draft).status();
}

StatusOr<std::optional<Position>> Catalog::Commit(CatalogDraft* draft) {
  CatalogDifference difference = DifferenceOf(*draft, core_->clock->NowUs());
  if (difference.empty) return std::optional<Position>();
  std::string record = EncodeMutation(difference.mutation);
  KORREL_ASSIGN_OR_RETURN(Log::Reservation reserved, core_->log->Reserve(record.size()));
  if (difference.recompile) PlanLive(draft);
  std::optional<AllShards> all;
  if (difference.touches_data) {
    all.emplace(*core_);
    KORREL_RETURN_IF_ERROR(CheckStoredValues(*draft));
  }
  Position position = core_->log->Append(std::move(record));
  KORREL_RETURN_IF_ERROR(ApplyAndPublish(difference.mutation, draft, difference.touches_data, position));
  return std::optional<Position>(position);
}

Status Catalog::Apply(const CatalogMutation& mutation, Position position) {
  std::lock_guard<std::mutex> hold(change_mutex_);
  CatalogDraft draft(Current());
  KORREL_RETURN_IF_ERROR(PutIn(mutation, &draft));
  draft.data = mutation.data;
  CatalogDifference difference = DifferenceOf(draft, mutation.now_us);
  if (difference.recompile) {
    DefinitionErrors errors = CompileDefinitions(&draft.next, draft.schema.get());
    if (!errors.empty()) return errors.begin()->second;
    PlanLive(&draft);
  }
  std::optional<AllShards> all;
  if (difference.touches_data) all.emplace(*core_);
  core_->clock->Restore(mutation.now_us);
  return ApplyAndPublish(mutation, &draft, difference.touches_data, position);
}

// `draft` is the base with the mutation put in, compiled. Its revision stamps are set here, the same live and at replay.
Status Catalog::ApplyAndPublish(const CatalogMutation& mutation, CatalogDraft* draft, bool touches_data, Position position) {
  CatalogSnapshot& next = draft->next;
  next.revision = mutation.revision;
  for (const Definition& definition : mutation.definitions) next.declared[definition.name].revision = mutation.revision;
  if (touches_data) {
    ++next.layout;
    ApplyData(mutation.data);
  }
  auto published = std::make_shared<const CatalogSnapshot>(std::move(next));
  for (size_t i = 0; touches_data && i < core_->shards.size(); ++i) {
    Shard& shard = *core_->shards[i];
    shard.Adopt(*published);  // before anybody looks for a column that is gone
    shard.applied = position;
    shard.NoteDue();
  }
  if (touches_data) core_->population->Adopt(*published);
  Publish(published);
  if (core_->fill_driver) core_->fill_driver->Wake();
  return absl::OkStatus();
}

CatalogRef Catalog::ForgetDropped(const CatalogRef& base) {
  auto next = std::make_shared<CatalogSnapshot>(*base);
  next->live = LivePlan::Make(*next->schema, next->definitions, next->time_zone, base->live.get(), true);
  Publish(next);
  return next;
}

void Catalog::ApplyData(const std::vector<DataAction>& actions) {
  for (const auto& shard : core_->shards) {
    ProfileTable& table = shard->table;
    for (const DataAction& action : actions) {
      switch (action.kind) {
        case DataAction::Kind::kWidenColumn:
          table.WidenColumn(AttributeId(action.id), action.type);
          break;
        case DataAction::Kind::kRetypeColumn:
          table.RetypeColumn(AttributeId(action.id), action.type, false);
          break;
        case DataAction::Kind::kDropColumn:
          table.DropColumn(AttributeId(action.id));
          break;
        case DataAction::Kind::kDropList:
          table.DropList(SegmentId(action.id));
          break;
        case DataAction::Kind::kDropEvents:
          for (uint32_t row = 0; row < table.row_end(); ++row) {
            if (table.live().Test(Row(row))) table.RemoveEventsUpTo(Row(row), EventTypeId(action.id), INT64_MAX);
          }
      }
    }
  }
}

// Under the locks of all shards.
Status Catalog::CheckStoredValues(const CatalogDraft& draft) {
  const Schema& base = *draft.base->schema;
  for (size_t shard = 0; shard < core_->shards.size(); ++shard) {
    ProfileTable& table = core_->shards[shard]->table;
    for (AttributeId id : draft.must_be_empty) {
      const AttributeColumn* column = table.column(id);
      if (column && column->presence().count() > 0) {
        return MakeError(absl::StatusCode::kFailedPrecondition, "IN_USE", "",
                         fmt::format("attribute '{}' holds values; delete it first", base.attributes[id.value].name));
      }
    }
    for (const DataAction& action : draft.data) {
      bool widens = action.kind == DataAction::Kind::kWidenColumn, retypes = action.kind == DataAction::Kind::kRetypeColumn;
      AttributeId id(action.id);
      if ((widens && !table.CanWidenColumn(id, action.type)) || (retypes && table.RetypeColumn(id, action.type, true).failed > 0)) {
        if (widens) RememberRefused(shard, id, action.type);
        return NotExact("attribute", base.attributes[action.id].name, base.attributes[action.id].type, action.type);
      }
    }
    for (const EventTypeSchema& before : base.event_types) {
      const EventTypeSchema& after = draft.schema->event_types[before.id.value];
      for (const PropertySchema& property : before.properties) {
        Type to = after.properties[property.id.value].type;
        if (to != property.type && !table.CanWidenProperty(before.id, property.id, to)) {
          return NotExact("property", property.name, property.type, to);
        }
      }
    }
  }
  return absl::OkStatus();
}

namespace {

// The failing rows of one shard as item errors, up to ten in all. Under the shard's lock.
void AddFailures(const Shard& shard, const ProfileTable::RetypeResult& result, const AttributeSchema& attribute, Type type,
                 RetypeAnswer* answer) {
  answer->converted_count += result.converted;
  answer->failed_count += result.failed;
  for (Row row : result.failing_sample) {
    if (answer->errors.size() >= 10) return;
    Value value = shard.table.column(attribute.id)->Get(row);
    answer->errors.push_back({static_cast<uint32_t>(answer->errors.size()),
                              InvalidArgument("TYPE_CLASH", FormatProfileId(shard.table.IdOf(row)),
                                              fmt::format("{} of {} has no {} form", DisplayValue(value),
                                                          FormatProfileId(shard.table.IdOf(row)), TypeName(type)))});
  }
}

// An attribute that values are stored of, for retyping.
StatusOr<const AttributeSchema*> StoredAttribute(const Schema& schema, std::string_view full_name) {
  std::string_view name = full_name.starts_with("attributes/") ? BareName(full_name) : full_name;
  const AttributeSchema* attribute = schema.FindAttribute(name);
  if (!attribute) {
    return MakeError(absl::StatusCode::kNotFound, "DEFINITION", "attribute", fmt::format("there is no attribute '{}'", name));
  }
  if (attribute->computed) {
    return InvalidArgument("FIELD", "attribute", fmt::format("attribute '{}' is computed; change its expression instead", name));
  }
  return attribute;
}

}  // namespace

// Values are converted when all of them can be, else nothing changes and the answer says which cannot.
StatusOr<RetypeAnswer> Catalog::Retype(std::string_view full_name, Type type, bool validate_only) {
  if (type.kind == ValueKind::kNone || type.kind == ValueKind::kDuration || type.scale > 18) {
    return InvalidArgument("FIELD", "type", "an attribute is bool, int, decimal(0–18), double, string, timestamp or set");
  }
  std::lock_guard<std::mutex> hold(change_mutex_);
  CatalogDraft draft(Current());
  KORREL_ASSIGN_OR_RETURN(const AttributeSchema* attribute, StoredAttribute(*draft.base->schema, full_name));
  RetypeAnswer answer;
  answer.position = core_->log->Last();
  if (attribute->type == type) return answer;
  draft.schema->attributes[attribute->id.value].type = type;
  draft.data.push_back({DataAction::Kind::kRetypeColumn, attribute->id.value, type});
  auto declared = draft.next.declared.find("attributes/" + attribute->name);
  if (declared != draft.next.declared.end() && declared->second.attribute.type) declared->second.attribute.type = type;
  DefinitionErrors errors = CompileDefinitions(&draft.next, draft.schema.get());
  if (!errors.empty()) return InUse(errors);

  for (const auto& shard : core_->shards) {
    std::lock_guard<PhaseFairLock> turn(shard->lock);
    AddFailures(*shard, shard->table.RetypeColumn(attribute->id, type, true), *attribute, type, &answer);
  }
  if (validate_only || answer.failed_count > 0) return answer;
  KORREL_ASSIGN_OR_RETURN(std::optional<Position> position, Commit(&draft));
  if (position) answer.position = *position;
  return answer;
}

}  // namespace korrel
