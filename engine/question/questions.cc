#include "engine/question/questions.h"

#include <algorithm>

#include "engine/question/question_run.h"
#include "engine/question/ranked_scan.h"

namespace korrel {
namespace {

// Counts alone: the base class does it.
class CountScan final : public ShardScan {
 public:
  CountScan(Core& core, size_t shard, const CompiledQuestion& question) : ShardScan(core, shard, question, false) {}
};

class IdScan final : public ShardScan {
 public:
  IdScan(Core& core, size_t shard, const CompiledQuestion& question) : ShardScan(core, shard, question, true) {}
  std::vector<ProfileId> ids;

 private:
  Taken Take(const ShardView& view, std::span<const Row> rows) override {
    for (Row row : rows) ids.push_back(view.table->IdOf(row));
    return {rows.size(), false};
  }
};

}  // namespace

StatusOr<CountAnswer> AnswerCount(Core& core, const Selection& selection) {
  KORREL_ASSIGN_OR_RETURN(const AnswerContext context, BeginAnswer(core, selection.read));
  return UntilFresh<CountAnswer>(
      core,
      [&](const CatalogRef& catalog) -> StatusOr<std::optional<CountAnswer>> {
        KORREL_ASSIGN_OR_RETURN(const CompiledQuestion question, CompileQuestion(core, catalog, selection, {}));
        auto scans = MakeScans<CountScan>(core, [&](size_t shard) { return std::make_unique<CountScan>(core, shard, question); });
        if (IsCut(RunScans(core, selection.read.deadline_ns, scans))) return std::nullopt;
        CountAnswer answer{context};
        answer.count = SumScans(scans, question, &answer);
        return answer;
      },
      selection.read.deadline_ns);
}

StatusOr<std::vector<ProfileId>> MatchingProfiles(Core& core, const Selection& selection) {
  KORREL_RETURN_IF_ERROR(BeginAnswer(core, selection.read).status());
  using Ids = std::vector<ProfileId>;
  return UntilFresh<Ids>(
      core,
      [&](const CatalogRef& catalog) -> StatusOr<std::optional<Ids>> {
        KORREL_ASSIGN_OR_RETURN(const CompiledQuestion question, CompileQuestion(core, catalog, selection, {}));
        auto scans = MakeScans<IdScan>(core, [&](size_t shard) { return std::make_unique<IdScan>(core, shard, question); });
        if (IsCut(RunScans(core, selection.read.deadline_ns, scans))) return std::nullopt;
        Ids ids;
        for (const auto& scan : scans) ids.insert(ids.end(), scan->ids.begin(), scan->ids.end());
        std::sort(ids.begin(), ids.end());
        return ids;
      },
      selection.read.deadline_ns);
}

}  // namespace korrel
