#include "engine/question/question_run.h"

#include <fmt/format.h>

#include "engine/live/filling.h"

namespace korrel {

StatusOr<AnswerContext> BeginAnswer(Core& core, const ReadOptions& read) {
  if (read.min_position.value != 0) KORREL_RETURN_IF_ERROR(core.WaitFor(read.min_position, read.deadline_ns));
  AnswerContext context;
  // A record's position is taken under the lock that its change happens under, so whoever takes the locks from now on sees it.
  context.position = core.log->Last();
  context.now_us = core.clock->NowUs();
  return context;
}

StatusOr<CompiledQuestion> CompileQuestion(Core& core, const CatalogRef& catalog, const Selection& selection,
                                           const std::vector<PlanRef>& fields) {
  CompiledQuestion question;
  question.catalog = catalog;
  KORREL_ASSIGN_OR_RETURN(question.plan, CompileSelection(*catalog, selection, "selection"));
  AddEventTypes(question.plan->expression(), *catalog->schema, &question.event_types);
  for (const PlanRef& field : fields) AddEventTypes(field->expression(), *catalog->schema, &question.event_types);
  Filling filling(core, catalog);
  filling.AddUsed(question.plan->expression());
  for (const PlanRef& field : fields) filling.AddUsed(field->expression());
  question.filling_fields = filling.Unfinished(fields);
  question.filling = std::move(filling).Names();
  return question;
}

Status ProfileNotFound(std::string_view profile, std::string_view field) {
  return MakeError(absl::StatusCode::kNotFound, "PROFILE", field, fmt::format("there is no profile '{}'", profile));
}

StatusOr<std::vector<PlanRef>> CompileFields(const CatalogSnapshot& catalog, const std::vector<std::string>& texts,
                                             const Selection& selection, std::string_view path) {
  KORREL_RETURN_IF_ERROR(CheckFieldCount(texts.size(), path));
  std::vector<PlanRef> plans;
  for (size_t i = 0; i < texts.size(); ++i) {
    const FieldText text{texts[i], fmt::format("{}[{}]", path, i), selection.allow_unknown_names, &selection.parameters};
    KORREL_ASSIGN_OR_RETURN(PlanRef plan, CompileField(catalog, text));
    plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace korrel
