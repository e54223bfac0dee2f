// Query: what a request asks for, checked and compiled, and which stream answers it.
#include <fmt/format.h>

#include "engine/question/query_stream.h"
#include "engine/question/questions.h"
#include "engine/read/projection.h"

namespace korrel {
namespace {

Status CheckQuery(const QueryRequest& request) {
  if (request.projection && !request.select.empty()) {
    return InvalidArgument("FIELD", "select", "a query has a projection or a list of fields, not both");
  }
  if (request.order_by.by.empty()) return absl::OkStatus();
  if (request.limit == 0 || request.limit > kTopMax) {
    return InvalidArgument("LIMIT", "limit", fmt::format("order_by wants a limit from 1 to {}, not {}", kTopMax, request.limit));
  }
  if (!request.resume_token.empty()) {
    return InvalidArgument("FIELD", "resume_token", "an ordered query cannot be resumed, since places change; ask it again");
  }
  return absl::OkStatus();
}

Status CompileOrder(const CatalogSnapshot& catalog, const QueryRequest& request, CompiledQuery* query) {
  if (request.order_by.by.empty()) return absl::OkStatus();
  const FieldText text{request.order_by.by, "order_by.by", request.selection.allow_unknown_names, &request.selection.parameters};
  KORREL_ASSIGN_OR_RETURN(PlanRef plan, CompileFieldOfAnyType(catalog, text));
  if (plan->expression().type().kind == ValueKind::kSet) {
    return InvalidArgument("TYPE", "order_by.by", fmt::format("'{}' is a set; sets have no order", request.order_by.by));
  }
  query->order.push_back(std::move(plan));
  return absl::OkStatus();
}

Status CompileColumns(const CatalogRef& catalog, const QueryRequest& request, CompiledQuery* query) {
  if (request.projection) {
    KORREL_ASSIGN_OR_RETURN(const ProjectionRef projection, Refreshed(catalog, request.projection));
    query->fields = projection->plans;
    query->schema = projection->fields;
    return absl::OkStatus();
  }
  KORREL_ASSIGN_OR_RETURN(query->fields, CompileFields(*catalog, request.select, request.selection, "select"));
  query->schema = FieldsOf(request.select, query->fields);
  return absl::OkStatus();
}

uint64_t MeaningOf(const CompiledQuery& query) {
  TextHash hash;
  hash.Add(query.compiled.plan->expression().sharing_key());
  for (const FieldSchema& field : query.schema) hash.Add(TypeName(field.type));
  return hash.Sum64();
}

}  // namespace

uint64_t RequestHash(const QueryRequest& request) {
  TextHash hash;
  hash.Add(request.selection.expression).Add(request.selection.allow_unknown_names ? 1 : 0);
  for (const auto& [name, value] : request.selection.parameters) hash.Add(name).Add(TypeName(TypeOf(value))).Add(DisplayValue(value));
  hash.Add(request.projection ? request.projection->handle : std::string());
  hash.Add(request.select.size());
  for (const std::string& text : request.select) hash.Add(text);
  for (const std::string& type : request.identifier_types) hash.Add(type);
  hash.Add(request.limit);
  return hash.Sum64();
}

StatusOr<CompiledQuery> CompileQuery(Core& core, const CatalogRef& catalog, const QueryRequest& request) {
  CompiledQuery query;
  KORREL_RETURN_IF_ERROR(CompileColumns(catalog, request, &query));
  KORREL_RETURN_IF_ERROR(CompileOrder(*catalog, request, &query));
  std::vector<PlanRef> read = query.fields;
  read.insert(read.end(), query.order.begin(), query.order.end());
  KORREL_ASSIGN_OR_RETURN(query.compiled, CompileQuestion(core, catalog, request.selection, read));
  std::erase_if(query.compiled.filling_fields,
                [&](uint32_t field) { return field >= query.fields.size(); });  // what orders is not answered
  query.meaning = MeaningOf(query);
  return query;
}

StatusOr<std::unique_ptr<QueryStream>> AnswerQuery(Core& core, QueryRequest request) {
  KORREL_RETURN_IF_ERROR(CheckQuery(request));
  KORREL_ASSIGN_OR_RETURN(const AnswerContext context, BeginAnswer(core, request.selection.read));
  KORREL_ASSIGN_OR_RETURN(CompiledQuery query, CompileQuery(core, core.CurrentCatalog(), request));
  if (!query.order.empty()) return MakeOrderedStream(core, std::move(request), std::move(query), context);
  return MakeRowStream(core, std::move(request), std::move(query), context);
}

}  // namespace korrel
