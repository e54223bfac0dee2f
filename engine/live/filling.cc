#include "engine/live/filling.h"

#include <algorithm>
#include <shared_mutex>

#include "engine/catalog/definition_compiler.h"
#include "engine/live/fill_driver.h"

namespace korrel {

Filling::Filling(Core& core, CatalogRef catalog)
    : core_(core), catalog_(std::move(catalog)), all_filled_(core.fill_driver->IsFilled(*catalog_)) {}

// What has no unit of its own is evaluated when it is read, filled or not.
std::optional<KeptNames::Unit> Filling::UnitOf(std::string_view full_name) const {
  const std::string bare(BareName(full_name));
  if (full_name.starts_with("attributes/")) {
    const AttributeSchema* attribute = catalog_->schema->FindAttribute(bare);
    return attribute ? catalog_->live->Attribute(attribute->id) : std::nullopt;
  }
  if (!full_name.starts_with("segments/")) return std::nullopt;
  auto it = catalog_->definitions.segments.find(bare);
  return it == catalog_->definitions.segments.end() ? std::nullopt : catalog_->live->Segment(it->second.id);
}

bool Filling::IsFilling(std::string_view full_name) const {
  if (all_filled_) return false;
  const std::optional<KeptNames::Unit> unit = UnitOf(full_name);
  if (!unit) return false;
  for (const auto& shard : core_.shards) {
    std::shared_lock<PhaseFairLock> hold(shard->lock);
    if (!shard->live.IsReady(unit->serial)) return true;
  }
  return false;
}

void Filling::Describe(Definition* definition) {
  if (!IsFilling(definition->name)) return;
  definition->state = DefinitionState::kFilling;
  definition->fill_ratio = std::min(core_.fill_driver->Ratio(), 0.999);
}

void Filling::AddUsed(const Expression& expression) {
  if (all_filled_) return;
  for (const std::string& used : expression.uses()) AddNamed(used);
}

void Filling::AddNamed(const std::string& full_name) {
  if (all_filled_ || !seen_.insert(full_name).second) return;
  if (IsFilling(full_name)) names_.insert(full_name);
  if (const Expression* definition = CompiledExpression(*catalog_, full_name)) AddUsed(*definition);
}

bool Filling::IsUnfinished(const std::string& full_name) {
  if (all_filled_) return false;
  if (auto known = unfinished_.find(full_name); known != unfinished_.end()) return known->second;
  const Expression* definition = CompiledExpression(*catalog_, full_name);
  const bool unfinished =
      IsFilling(full_name) ||
      (definition && std::ranges::any_of(definition->uses(), [this](const std::string& used) { return IsUnfinished(used); }));
  unfinished_.emplace(full_name, unfinished);
  return unfinished;
}

std::vector<uint32_t> Filling::Unfinished(std::span<const PlanRef> fields) {
  std::vector<uint32_t> indexes;
  for (uint32_t i = 0; i < fields.size() && !all_filled_; ++i) {
    const auto& uses = fields[i]->expression().uses();
    if (std::ranges::any_of(uses, [this](const std::string& used) { return IsUnfinished(used); })) indexes.push_back(i);
  }
  return indexes;
}

}  // namespace korrel
