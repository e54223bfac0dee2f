// Sample: the profiles with the smallest hashes of (seed, ProfileId) among those that match. Ids depend on no layout, so neither does
// the sample, and each set of `size` members is equally likely over seeds.
#include <fmt/format.h>

#include <algorithm>

#include "engine/question/question_run.h"
#include "engine/question/questions.h"
#include "engine/question/ranked_scan.h"

namespace korrel {
namespace {

constexpr uint32_t kSampleSizeMax = 10'000;

SampleAnswer AnswerOf(const RankedQuestion& question, const SampleRequest& request, const AnswerContext& context, TopRows* top) {
  SampleAnswer answer{context};
  std::vector<RankedRow> rows = top->Release();
  std::ranges::sort(rows, {}, [](const RankedRow& row) { return row.row.id; });
  ResultBuilder builder(FieldsOf(request.select, question.fields), question.identifiers.has_value());
  builder.SetFillingFields(question.compiled.filling_fields);
  for (const RankedRow& row : rows) builder.Append(row.row);
  answer.batch = builder.Release();
  return answer;
}

}  // namespace

StatusOr<SampleAnswer> AnswerSample(Core& core, const SampleRequest& request) {
  if (request.size == 0 || request.size > kSampleSizeMax) {
    return InvalidArgument("LIMIT", "size", fmt::format("a sample has 1 to {} profiles, not {}", kSampleSizeMax, request.size));
  }
  KORREL_ASSIGN_OR_RETURN(AnswerContext context, BeginAnswer(core, request.selection.read));
  return UntilFresh<SampleAnswer>(
      core,
      [&](const CatalogRef& catalog) -> StatusOr<std::optional<SampleAnswer>> {
        RankedQuestion question;
        KORREL_ASSIGN_OR_RETURN(question.fields, CompileFields(*catalog, request.select, request.selection, "select"));
        KORREL_ASSIGN_OR_RETURN(question.compiled, CompileQuestion(core, catalog, request.selection, question.fields));
        question.seed = request.seed;
        question.identifiers = IdentifierFilter::Make(request.identifier_types);
        TopRows top(request.size);
        uint64_t member_count = 0;
        KORREL_ASSIGN_OR_RETURN(const TurnEnd end,
                                RunRanked(core, question, request.selection.read.deadline_ns, &top, &context, &member_count));
        if (IsCut(end)) return std::nullopt;
        SampleAnswer answer = AnswerOf(question, request, context, &top);
        answer.member_count = member_count;
        return answer;
      },
      request.selection.read.deadline_ns);
}

}  // namespace korrel
