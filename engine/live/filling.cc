#include "engine/live/filling.h"

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
  for (const std::string& used : expression.uses()) {
    if (!seen_.insert(used).second) continue;
    if (IsFilling(used)) names_.insert(used);
    if (const Expression* definition = CompiledExpression(*catalog_, used)) AddUsed(*definition);
  }
}

}  // namespace korrel
