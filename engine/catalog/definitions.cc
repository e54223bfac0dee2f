#include "engine/catalog/definitions.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/catalog/catalog.h"
#include "engine/catalog/catalog_difference.h"
#include "engine/catalog/definition_compiler.h"
#include "engine/catalog/definition_preview.h"
#include "engine/catalog/definition_staging.h"

namespace korrel {
namespace {

using Users = std::map<std::string, std::vector<std::string>>;

// What answers fill in beside what was declared.
Definition Described(const CatalogSnapshot& catalog, const Users& users, Definition definition) {
  if (const Expression* expression = CompiledExpression(catalog, definition.name)) definition.normal_form = expression->normal_form();
  if (definition.kind == DefinitionKind::kAttribute) {
    const AttributeSchema* attribute = catalog.schema->FindAttribute(BareName(definition.name));
    if (attribute) definition.result_type = attribute->type;
  }
  if (auto figure = catalog.population.find(BareName(definition.name));
      definition.kind == DefinitionKind::kPopulation && figure != catalog.population.end()) {
    definition.normal_form = figure->second.normal_form();
    definition.result_type = figure->second.of->type();
  }
  auto used_by = users.find(definition.name);
  if (used_by != users.end()) definition.used_by = used_by->second;
  return definition;
}

// What is known from writes alone, as a definition.
std::optional<Definition> Undeclared(const CatalogSnapshot& catalog, const std::string& full_name) {
  Definition definition;
  definition.name = full_name;
  definition.state = DefinitionState::kUndeclared;
  if (full_name.starts_with("attributes/")) {
    const AttributeSchema* attribute = catalog.schema->FindAttribute(BareName(full_name));
    if (!attribute) return std::nullopt;
    definition.attribute.type = attribute->type;
    return definition;
  }
  if (!full_name.starts_with("events/")) return std::nullopt;
  const EventTypeSchema* type = catalog.schema->FindEventType(BareName(full_name));
  if (!type) return std::nullopt;
  definition.kind = DefinitionKind::kEvent;
  for (const PropertySchema& property : type->properties) definition.event.properties.push_back({property.name, property.type});
  return definition;
}

std::optional<Definition> Find(const CatalogSnapshot& catalog, const Users& users, const std::string& full_name) {
  auto it = catalog.declared.find(full_name);
  if (it != catalog.declared.end()) return Described(catalog, users, it->second);
  std::optional<Definition> undeclared = Undeclared(catalog, full_name);
  if (undeclared) return Described(catalog, users, *std::move(undeclared));
  return std::nullopt;
}

// A request worked out against one snapshot: the draft it leads to and what happens to each definition.
class ChangePlan {
 public:
  ChangePlan(Core& core, CatalogRef base, const ApplyRequest& request, std::set<std::string> deletions)
      : core_(core), base_(std::move(base)), base_users_(UsersOf(*base_)), request_(request), deletions_(std::move(deletions)) {
    for (const Definition& definition : request.definitions) given_.insert(definition.name);
    if (request.prune) {
      for (const auto& [name, definition] : base_->declared) {
        if (!given_.contains(name)) deletions_.insert(name);
      }
    }
  }

  // Cascading deletes what the change breaks, which may break more: again until nothing is broken. Each time starts afresh.
  void Make() {
    for (;;) {
      draft_ = std::make_unique<CatalogDraft>(base_);
      changes_.clear();
      if (!request_.time_zone.empty()) draft_->next.time_zone = request_.time_zone;
      for (const Definition& definition : request_.definitions) StageGiven(definition);
      for (const std::string& name : deletions_) StageDeleted(name);
      const DefinitionErrors broken = Blame(CompileDefinitions(&draft_->next, draft_->schema.get()));
      if (broken.empty()) break;
      if (!request_.cascade) {
        BlameUsers(broken);
        break;
      }
      for (const auto& [name, why] : broken) deletions_.insert(name);
    }
    FillAfter();
  }

  bool failed() const {
    return std::any_of(changes_.begin(), changes_.end(), [](const DefinitionChange& change) { return !change.error.ok(); });
  }
  CatalogDraft* draft() { return draft_.get(); }
  std::vector<DefinitionChange>& changes() { return changes_; }

  // Of the live segments that are given or dropped, and of all others that change with what they use. Errors: kDeadlineExceeded.
  Status FillPreviews() {
    const std::set<std::string> means_another = MeaningAnother();
    for (DefinitionChange& change : changes_) {
      if (change.kind == ChangeKind::kNone || !change.error.ok()) continue;
      KORREL_ASSIGN_OR_RETURN(change.segment, Preview(change.name));
    }
    if (failed()) return absl::OkStatus();  // what does not compile with the change has no members then, and that is not what is meant
    std::map<std::string, size_t> place_of;
    for (size_t i = 0; i < changes_.size(); ++i) place_of[changes_[i].name] = i;
    for (const auto& [bare, segment] : draft_->next.definitions.segments) {
      const std::string name = "segments/" + bare;
      const auto place = place_of.find(name);
      const bool listed = place != place_of.end();
      if (listed && changes_[place->second].kind != ChangeKind::kNone) continue;
      if (!MayChange(name, means_another)) continue;
      KORREL_ASSIGN_OR_RETURN(std::optional<SegmentPreview> preview, Preview(name));
      if (!preview || preview->added_count + preview->removed_count == 0) continue;
      DefinitionChange& change = listed ? changes_[place->second] : changes_.emplace_back(Unchanged(name));
      change.segment = std::move(preview);
    }
    return absl::OkStatus();
  }

 private:
  // nullopt: it is no live segment, or its new definition cannot be evaluated yet.
  StatusOr<std::optional<SegmentPreview>> Preview(const std::string& name) const {
    if (!name.starts_with("segments/")) return std::optional<SegmentPreview>();
    const PreviewSide before{SegmentExpression(*base_, name), base_->schema.get()};
    const PreviewSide after{SegmentExpression(draft_->next, name), draft_->schema.get()};
    if (!before.expression && !after.expression) return std::optional<SegmentPreview>();
    return PreviewSegment(core_, before, after, request_.preview_sample_size, request_.deadline_ns);
  }

  // Changed in more than what people read of it.
  std::set<std::string> MeaningAnother() const {
    const auto meaning = [](std::optional<Definition> definition) {
      if (definition) definition->attribute.description = definition->attribute.unit = definition->attribute.sensitivity = "";
      if (definition) definition->event.description = definition->segment.description = definition->population.description = "";
      if (definition) definition->event.properties.clear();  // a new one is read by nobody yet, and a wider type is the same values
      return definition;
    };
    std::set<std::string> names;
    for (const DefinitionChange& change : changes_) {
      if (change.kind == ChangeKind::kNone) continue;
      const auto before = meaning(change.before), after = meaning(change.after);
      if (!before || !after || !SameDeclaration(*before, *after)) names.insert(change.name);
    }
    return names;
  }

  // Whether it uses, directly or through others, something of another meaning. An event type is also used by what reads all events, and the
  // time zone by what reads a calendar: then nobody is left out.
  bool MayChange(const std::string& name, const std::set<std::string>& means_another) const {
    if (draft_->next.time_zone != base_->time_zone) return true;
    if (means_another.empty()) return false;
    if (std::ranges::any_of(means_another, [](const std::string& changed) { return changed.starts_with("events/"); })) return true;
    const std::set<std::string> used = Reaches(draft_->next, name);
    return std::ranges::any_of(used, [&](const std::string& one) { return means_another.contains(one); });
  }

  DefinitionChange Unchanged(const std::string& name) const {
    DefinitionChange change;
    change.name = name;
    change.before = Find(*base_, base_users_, name);
    change.after = Find(draft_->next, draft_users_, name);
    return change;
  }

  void StageGiven(const Definition& definition) {
    DefinitionChange& change = changes_.emplace_back();
    change.name = definition.name;
    change.before = Find(*base_, base_users_, definition.name);
    auto declared = base_->declared.find(definition.name);
    bool same = declared != base_->declared.end() && SameDeclaration(declared->second, definition);
    change.kind = same ? ChangeKind::kNone : declared != base_->declared.end() ? ChangeKind::kUpdate : ChangeKind::kCreate;
    bool twice = std::count_if(changes_.begin(), changes_.end(), [&](const auto& c) { return c.name == definition.name; }) > 1;
    if (twice) {
      change.error = InvalidArgument("FIELD", "name", fmt::format("{} stands twice in the request", definition.name));
    } else if (!same) {
      change.error = CheckDefinition(definition);
      if (change.error.ok()) change.error = StageDefinition(core_, definition, draft_.get());
    }
  }

  void StageDeleted(const std::string& name) {
    if (given_.contains(name)) return;  // a given definition that a cascade would take has an error of its own
    DefinitionChange& change = changes_.emplace_back();
    change.name = name;
    change.kind = ChangeKind::kDelete;
    change.before = Find(*base_, base_users_, name);
    change.error = StageDeletion(core_, name, draft_.get());
  }

  // Puts errors of given definitions to their changes; returns the other definitions that do not compile any more.
  DefinitionErrors Blame(const DefinitionErrors& errors) {
    DefinitionErrors broken;
    for (const auto& [name, status] : errors) {
      auto change = std::find_if(changes_.begin(), changes_.end(), [&](const DefinitionChange& c) { return c.name == name; });
      if (change == changes_.end()) {
        broken.emplace(name, status);
      } else if (change->error.ok()) {
        change->error = status;
      }
    }
    return broken;
  }

  // Every change that something broken used, directly or through others, is refused with the list of those it breaks.
  void BlameUsers(const DefinitionErrors& broken) {
    std::map<std::string, DefinitionErrors> users_of;
    for (const auto& [name, why] : broken) {
      for (const std::string& used : Reaches(*base_, name)) users_of[used].emplace(name, why);
    }
    for (DefinitionChange& change : changes_) {
      auto users = users_of.find(change.name);
      if (change.kind != ChangeKind::kNone && change.error.ok() && users != users_of.end()) change.error = InUse(users->second);
    }
    if (!failed() && !changes_.empty()) changes_.front().error = InUse(broken);
  }

  // What a definition uses, directly and through others.
  static std::set<std::string> Reaches(const CatalogSnapshot& catalog, const std::string& name) {
    std::set<std::string> reached;
    std::vector<std::string> open = {name};
    while (!open.empty()) {
      const Expression* expression = CompiledExpression(catalog, open.back());
      open.pop_back();
      if (!expression) continue;
      for (const std::string& used : expression->uses()) {
        if (reached.insert(used).second) open.push_back(used);
      }
    }
    return reached;
  }

  void FillAfter() {
    draft_users_ = UsersOf(draft_->next);
    for (DefinitionChange& change : changes_) {
      if (change.error.ok()) change.after = Find(draft_->next, draft_users_, change.name);
    }
  }

  static ExpressionRef SegmentExpression(const CatalogSnapshot& catalog, std::string_view full_name) {
    auto it = catalog.definitions.segments.find(BareName(full_name));
    return it == catalog.definitions.segments.end() ? nullptr : it->second.expression;
  }

  Core& core_;
  const CatalogRef base_;
  const Users base_users_;
  const ApplyRequest& request_;
  std::set<std::string> given_, deletions_;
  std::unique_ptr<CatalogDraft> draft_;
  Users draft_users_;
  std::vector<DefinitionChange> changes_;
};

Status CheckRequest(const ApplyRequest& request, const CatalogSnapshot& base) {
  if (request.base_revision != 0 && request.base_revision != base.revision) {
    return MakeError(absl::StatusCode::kAborted, "REVISION_CHANGED", "base_revision",
                     fmt::format("the catalog is at revision {}, not {}", base.revision, request.base_revision));
  }
  if (!request.time_zone.empty() && !IsTimeZone(request.time_zone)) {
    return InvalidArgument("FIELD", "time_zone",
                           fmt::format("'{}' is not a time zone; write a name such as Europe/Amsterdam", request.time_zone));
  }
  return absl::OkStatus();
}

StatusOr<ApplyAnswer> RunPlan(Core& core, const CatalogRef& base, const ApplyRequest& request, const std::set<std::string>& deletions) {
  KORREL_RETURN_IF_ERROR(CheckRequest(request, *base));
  ChangePlan plan(core, base, request, deletions);
  plan.Make();
  ApplyAnswer answer;
  answer.revision = base->revision;
  answer.position = core.log->Last();
  bool commit = !plan.failed() && !request.validate_only;
  if (request.validate_only && request.preview_sample_size > 0) KORREL_RETURN_IF_ERROR(plan.FillPreviews());
  if (commit) {
    KORREL_ASSIGN_OR_RETURN(std::optional<Position> position, core.catalog->Commit(plan.draft()));
    if (position) answer.position = *position;
    answer.revision = core.CurrentCatalog()->revision;
    for (DefinitionChange& change : plan.changes()) {
      if (change.after && change.kind != ChangeKind::kNone) change.after->revision = answer.revision;
    }
  }
  answer.changes = std::move(plan.changes());
  return answer;
}

}  // namespace

StatusOr<ApplyAnswer> ApplyDefinitionsTo(Core& core, const ApplyRequest& request) {
  if (request.validate_only) return RunPlan(core, core.CurrentCatalog(), request, {});
  return core.catalog->Exclusively([&](const CatalogRef& base) { return RunPlan(core, base, request, {}); });
}

StatusOr<ApplyAnswer> DeleteDefinitionFrom(Core& core, std::string_view name, bool cascade, uint64_t base_revision) {
  ApplyRequest request;
  request.cascade = cascade;
  request.base_revision = base_revision;
  auto run = [&](const CatalogRef& base) { return RunPlan(core, base, request, {std::string(name)}); };
  KORREL_ASSIGN_OR_RETURN(ApplyAnswer answer, core.catalog->Exclusively(run));
  for (const DefinitionChange& change : answer.changes) KORREL_RETURN_IF_ERROR(change.error);
  return answer;
}

StatusOr<Definition> DescribeDefinition(const CatalogSnapshot& catalog, std::string_view name) {
  std::optional<Definition> definition = Find(catalog, UsersOf(catalog), std::string(name));
  if (definition) return *std::move(definition);
  return MakeError(absl::StatusCode::kNotFound, "DEFINITION", "name", fmt::format("there is no {}", name));
}

StatusOr<Database::DefinitionPage> ListDefinitionsOf(const CatalogSnapshot& catalog, std::string_view parent, int32_t page_size,
                                                     std::string_view page_token) {
  if (!parent.empty() && parent != "attributes" && parent != "events" && parent != "segments" && parent != "population") {
    return InvalidArgument("FIELD", "parent", "the parent is attributes, events, segments, population or empty");
  }
  if (page_size < 0) return InvalidArgument("FIELD", "page_size", "a page has at least one definition");
  size_t size = page_size == 0 ? 100 : std::min(page_size, 1'000);
  // A token is the parent it was made for, a colon and the last name of the page before.
  std::string prefix = std::string(parent) + ":", after;
  if (!page_token.empty()) {
    if (!page_token.starts_with(prefix)) return InvalidArgument("FIELD", "page_token", "the token belongs to another request");
    after = page_token.substr(prefix.size());
  }
  std::set<std::string> names;
  for (const auto& [name, definition] : catalog.declared) names.insert(name);
  for (const auto& [name, id] : catalog.schema->attribute_by_name) names.insert("attributes/" + name);
  for (const auto& [name, id] : catalog.schema->event_type_by_name) names.insert("events/" + name);
  std::erase_if(names, [&](const std::string& name) { return !parent.empty() && !name.starts_with(std::string(parent) + "/"); });

  Users users = UsersOf(catalog);
  Database::DefinitionPage page;
  page.revision = catalog.revision;
  for (auto it = after.empty() ? names.begin() : names.upper_bound(after); it != names.end(); ++it) {
    if (page.definitions.size() == size) {
      page.next_page_token = prefix + page.definitions.back().name;
      break;
    }
    if (std::optional<Definition> definition = Find(catalog, users, *it)) page.definitions.push_back(*std::move(definition));
  }
  return page;
}

}  // namespace korrel
