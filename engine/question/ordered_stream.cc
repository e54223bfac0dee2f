#include "engine/question/query_stream.h"
#include "engine/question/ranked_scan.h"

namespace korrel {
namespace {

Status ResumeChanged() {
  return MakeError(absl::StatusCode::kAborted, "RESUME_CHANGED", "", "the types of the fields changed while the query ran; ask again");
}

class OrderedStream final : public QueryStream {
 public:
  OrderedStream(Core& core, QueryRequest request, CompiledQuery query, const AnswerContext& context)
      : core_(core),
        request_(std::move(request)),
        query_(std::move(query)),
        context_(context),
        identifiers_(IdentifierFilter::Make(request_.identifier_types)),
        builder_(query_.schema, identifiers_.has_value()) {}

  const std::vector<FieldSchema>& fields() const override { return query_.schema; }

  StatusOr<std::optional<Chunk>> Next(size_t bytes_max) override {
    const bool first = !rows_;
    if (first) {
      KORREL_ASSIGN_OR_RETURN(rows_,
                              UntilFresh<Rows>(
                                  core_, [&](const CatalogRef& catalog) { return Run(catalog); }, request_.selection.read.deadline_ns));
    }
    if (!first && next_ == rows_->size()) return std::nullopt;
    while (next_ < rows_->size() && (builder_.size() == 0 || builder_.bytes() < bytes_max)) {
      builder_.Append((*rows_)[next_].row);
      (*rows_)[next_++] = RankedRow();  // its memory is not needed twice
    }
    return Chunk{builder_.Release(), "", context_};
  }

 private:
  using Rows = std::vector<RankedRow>;

  // nullopt: a plan was stale, or the deadline has passed. The fields' types were told already, so they must not change any more.
  StatusOr<std::optional<Rows>> Run(const CatalogRef& catalog) {
    if (catalog != query_.compiled.catalog) {
      KORREL_ASSIGN_OR_RETURN(CompiledQuery again, CompileQuery(core_, catalog, request_));
      for (size_t i = 0; i < again.schema.size(); ++i) {
        if (again.schema[i].type != query_.schema[i].type) return ResumeChanged();
      }
      query_ = std::move(again);
    }
    RankedQuestion question{query_.compiled, query_.fields, query_.order, request_.order_by.descending, 0, identifiers_};
    TopRows top(request_.limit);
    uint64_t match_count = 0;
    KORREL_ASSIGN_OR_RETURN(const TurnEnd end,
                            RunRanked(core_, question, request_.selection.read.deadline_ns, &top, &context_, &match_count));
    if (IsCut(end)) return std::nullopt;
    builder_.SetFillingFields(query_.compiled.filling_fields);
    return top.Release();
  }

  Core& core_;
  const QueryRequest request_;
  CompiledQuery query_;
  AnswerContext context_;
  const std::optional<IdentifierFilter> identifiers_;
  ResultBuilder builder_;
  std::optional<Rows> rows_;  // in order; nullopt before the first Next
  size_t next_ = 0;
};

}  // namespace

std::unique_ptr<QueryStream> MakeOrderedStream(Core& core, QueryRequest request, CompiledQuery query, const AnswerContext& context) {
  return std::make_unique<OrderedStream>(core, std::move(request), std::move(query), context);
}

}  // namespace korrel
