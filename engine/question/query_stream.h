// engine/question/query_stream.h
//
// The two streams behind Query.
//
//   in row order   pulls: a chunk is evaluated when it is asked for, shard by shard, row by row; can be resumed
//   ordered        a top-k: everything is evaluated at the first Next, the chunks are cut from the k rows kept; cannot be resumed,
//                  since a row's place may have changed since: its chunks carry no token, and it is cheap to ask again
//
// Both answer at least one chunk, so that position and clock are told even where nothing matched.
//
// Threads  One thread at a time. The Core must outlive the stream.
#pragma once

#include "engine/question/question_run.h"
#include "engine/question/result_batch.h"
#include "engine/question/resume_token.h"
#include "engine/read/row_reader.h"

namespace korrel {

// A QueryRequest compiled against one catalog snapshot.
struct CompiledQuery {
  CompiledQuestion compiled;
  std::vector<PlanRef> fields;
  std::vector<PlanRef> order;  // at most one
  std::vector<FieldSchema> schema;
  uint64_t meaning = 0;  // see ResumeToken
};
StatusOr<CompiledQuery> CompileQuery(Core& core, const CatalogRef& catalog, const QueryRequest& request);
// Hash of the request as written, but for its resume token.
uint64_t RequestHash(const QueryRequest& request);

StatusOr<std::unique_ptr<QueryStream>> MakeRowStream(Core& core, QueryRequest request, CompiledQuery query, const AnswerContext& context);
std::unique_ptr<QueryStream> MakeOrderedStream(Core& core, QueryRequest request, CompiledQuery query, const AnswerContext& context);

}  // namespace korrel
