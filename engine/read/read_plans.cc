#include "engine/read/read_plans.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

namespace korrel {

class ReadPlanCache {
 public:
  ReadPlansRef Get(const CatalogRef& catalog) {
    std::lock_guard lock(mutex_);
    if (!current_ || current_->catalog != catalog) current_ = Make(catalog);
    return current_;
  }

 private:
  using PlanByExpression = std::unordered_map<const Expression*, PlanRef>;

  // Definitions are shared between snapshots as long as they stay the same; so are their plans.
  PlanByExpression Known(const LivePlanRef& live) const {
    PlanByExpression known;
    if (!current_ || current_->catalog->live != live) return known;  // what is kept stands in the plans
    for (const auto& computed : current_->computed) known.emplace(&computed.plan->expression(), computed.plan);
    for (const auto& segment : current_->segments) {
      if (segment.plan) known.emplace(&segment.plan->expression(), segment.plan);
    }
    return known;
  }

  ReadPlansRef Make(const CatalogRef& catalog) const {
    const PlanByExpression known = Known(catalog->live);
    auto plan_of = [&](const ExpressionRef& expression) {
      auto it = known.find(expression.get());
      return it != known.end() ? it->second : Plan::Make(expression, catalog->live.get());
    };
    auto plans = std::make_shared<ReadPlans>();
    plans->catalog = catalog;
    for (const auto& [name, expression] : catalog->definitions.attributes) plans->computed.push_back({name, plan_of(expression)});
    for (const auto& [name, segment] : catalog->definitions.segments) {
      plans->segments.push_back({name, segment.id, segment.is_static ? nullptr : plan_of(segment.expression)});
    }
    return plans;
  }

  std::mutex mutex_;
  ReadPlansRef current_;
};

const ReadPlans::Computed* ReadPlans::FindComputed(std::string_view name) const {
  auto it = std::lower_bound(computed.begin(), computed.end(), name, [](const Computed& c, std::string_view n) { return c.name < n; });
  return it != computed.end() && it->name == name ? &*it : nullptr;
}

std::shared_ptr<ReadPlanCache> MakeReadPlanCache() { return std::make_shared<ReadPlanCache>(); }

ReadPlansRef PlansFor(ReadPlanCache& cache, const CatalogRef& catalog) { return cache.Get(catalog); }

}  // namespace korrel
