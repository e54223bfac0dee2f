// engine/question/question_run.h
//
// What every question does around its scans: wait for the position asked, note position and clock, run one scan per shard, add up.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/question/selection.h"
#include "engine/question/shard_scan.h"

namespace korrel {

// Waits for read.min_position, then says what an answer begun now reflects at least.
StatusOr<AnswerContext> BeginAnswer(Core& core, const ReadOptions& read);

// The selection compiled, with the event types it and `fields` read.
StatusOr<CompiledQuestion> CompileQuestion(Core& core, const CatalogRef& catalog, const Selection& selection,
                                           const std::vector<PlanRef>& fields);

// kNotFound PROFILE.
Status ProfileNotFound(std::string_view profile, std::string_view field);

// The selected fields of a question, compiled; `path` is the list's name in the request.
StatusOr<std::vector<PlanRef>> CompileFields(const CatalogSnapshot& catalog, const std::vector<std::string>& texts,
                                             const Selection& selection, std::string_view path);

// One scan per shard, made by `make(shard)`.
template <class Scan, class Make>
std::vector<std::unique_ptr<Scan>> MakeScans(const Core& core, Make make) {
  std::vector<std::unique_ptr<Scan>> scans;
  for (size_t shard = 0; shard < core.shards.size(); ++shard) scans.push_back(make(shard));
  return scans;
}

// Runs all to the end or to the deadline; kDone, or what ended it.
template <class Scan>
TurnEnd RunScans(Core& core, int64_t deadline_ns, std::vector<std::unique_ptr<Scan>>& scans) {
  return RunShards(core, scans.size(), deadline_ns, [&](size_t shard, uint64_t* work) { return scans[shard]->RunTurn(work); });
}

// Adds what the scans counted to the context of an answer; returns the number of profiles that matched.
template <class Scan>
uint64_t SumScans(const std::vector<std::unique_ptr<Scan>>& scans, const CompiledQuestion& question, AnswerContext* context) {
  uint64_t matches = 0;
  int64_t now_us = INT64_MAX;
  context->truncated_count = 0;
  for (const auto& scan : scans) {
    matches += scan->match_count();
    context->truncated_count += scan->truncated_count();
    now_us = std::min(now_us, scan->now_us());
  }
  if (now_us != INT64_MAX) context->now_us = now_us;
  context->normal_form = question.plan->expression().normal_form();
  context->filling = question.filling;
  return matches;
}

}  // namespace korrel
