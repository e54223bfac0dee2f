// Explain: the plan of a selection with what each part of it finds, over everybody or for one profile.
#include "engine/question/question_run.h"
#include "engine/question/questions.h"

namespace korrel {
namespace {

// One shard.
class ExplainScan {
 public:
  ExplainScan(Core& core, size_t shard, const CompiledQuestion& question) : core_(core), shard_(shard), question_(question) {}

  TurnEnd RunTurn(uint64_t* work) {
    Turn turn(core_, shard_, *question_.catalog);
    if (!turn.fresh()) return TurnEnd::kStale;
    WorkMeter meter(kTurnWorkUnits);
    Evaluator evaluator(*question_.plan, turn.view(), &meter);
    if (evaluator.PlanIsStale()) return TurnEnd::kStale;
    const uint32_t row_end = turn.table().block_count() * kBlockRows;
    // Once also where the shard has no block: the plan has its shape whether or not anybody is there.
    do {
      const uint32_t block = mark_.value / kBlockRows;
      mark_ = Row(block * kBlockRows + evaluator.Explain(block, mark_.value % kBlockRows, &node));
    } while (mark_.value < row_end && !meter.exhausted());
    turn.AddWork(meter.used());
    *work = turn.work();
    return mark_.value < row_end ? TurnEnd::kMore : TurnEnd::kDone;
  }

  ExplainNode node;

 private:
  Core& core_;
  const size_t shard_;
  const CompiledQuestion& question_;
  Row mark_;
};

StatusOr<std::optional<ExplainAnswer>> ExplainEverybody(Core& core, const CompiledQuestion& question, const AnswerContext& context,
                                                        const Selection& selection) {
  auto scans = MakeScans<ExplainScan>(core, [&](size_t shard) { return std::make_unique<ExplainScan>(core, shard, question); });
  if (IsCut(RunScans(core, selection.read.deadline_ns, scans))) return std::nullopt;
  ExplainAnswer answer{context};
  answer.plan = std::move(scans[0]->node);
  for (size_t i = 1; i < scans.size(); ++i) answer.plan.Merge(scans[i]->node);
  if (!question.event_types.empty()) {
    Selection again = selection;
    again.read = {.deadline_ns = selection.read.deadline_ns};
    KORREL_ASSIGN_OR_RETURN(const CountAnswer counted, AnswerCount(core, again));
    answer.truncated_count = counted.truncated_count;
  }
  return answer;
}

StatusOr<std::optional<ExplainAnswer>> ExplainOne(Core& core, const CompiledQuestion& question, const AnswerContext& context, ProfileId id,
                                                  std::string_view profile) {
  Turn turn(core, ShardOf(id, static_cast<uint32_t>(core.shards.size())), *question.catalog);
  if (!turn.fresh()) return std::nullopt;
  const std::optional<Row> row = turn.table().Find(id);
  if (!row) return ProfileNotFound(profile, "profile");
  WorkMeter meter;
  Evaluator evaluator(*question.plan, turn.view(), &meter);
  if (evaluator.PlanIsStale()) return std::nullopt;
  ExplainAnswer answer{context};
  answer.now_us = turn.now_us();
  answer.plan = evaluator.ExplainRow(*row);
  turn.AddWork(meter.used());
  const bool cut = std::ranges::any_of(question.event_types, [&](EventTypeId type) { return turn.table().IsTruncated(*row, type); });
  answer.truncated_count = answer.plan.truth && cut ? 1 : 0;
  return answer;
}

}  // namespace

StatusOr<ExplainAnswer> AnswerExplain(Core& core, const Selection& selection, std::string_view profile) {
  KORREL_ASSIGN_OR_RETURN(AnswerContext context, BeginAnswer(core, selection.read));
  return UntilFresh<ExplainAnswer>(
      core,
      [&](const CatalogRef& catalog) -> StatusOr<std::optional<ExplainAnswer>> {
        KORREL_ASSIGN_OR_RETURN(const CompiledQuestion question, CompileQuestion(core, catalog, selection, {}));
        context.normal_form = question.plan->expression().normal_form();
        context.filling = question.filling;
        if (profile.empty()) return ExplainEverybody(core, question, context, selection);
        KORREL_ASSIGN_OR_RETURN(const std::optional<ProfileId> id, core.Resolve(profile, "profile"));
        if (!id) return ProfileNotFound(profile, "profile");
        return ExplainOne(core, question, context, *id, profile);
      },
      selection.read.deadline_ns);
}

}  // namespace korrel
