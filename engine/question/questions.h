// engine/question/questions.h
//
// Questions over everybody: compiled once against one catalog snapshot, evaluated per shard and block in bounded turns of the lock,
// reduced, answered. Each profile is judged at one instant; totals and groups of one call come from one pass.
#pragma once

#include "engine/core.h"

namespace korrel {

StatusOr<CountAnswer> AnswerCount(Core& core, const Selection& selection);
StatusOr<std::unique_ptr<QueryStream>> AnswerQuery(Core& core, QueryRequest request);
StatusOr<SampleAnswer> AnswerSample(Core& core, const SampleRequest& request);
StatusOr<BreakdownAnswer> AnswerBreakdown(Core& core, const BreakdownRequest& request);
StatusOr<OverlapAnswer> AnswerOverlap(Core& core, std::span<const Selection> selections);
StatusOr<ExplainAnswer> AnswerExplain(Core& core, const Selection& selection, std::string_view profile);

// Everybody who matches now, as ids; for UpdateMembers. Ascending by id.
StatusOr<std::vector<ProfileId>> MatchingProfiles(Core& core, const Selection& selection);

}  // namespace korrel
