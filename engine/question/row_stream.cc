#include "engine/question/query_stream.h"

namespace korrel {
namespace {

Status ResumeChanged(std::string_view what) { return MakeError(absl::StatusCode::kAborted, "RESUME_CHANGED", "resume_token", what); }

// One shard of a streamed query: rows that match go into the stream's builder until the chunk is full or the limit is reached.
class StreamScan final : public ShardScan {
 public:
  StreamScan(Core& core, size_t shard, const CompiledQuery& query, const std::optional<IdentifierFilter>& identifiers, Row from)
      : ShardScan(core, shard, query.compiled, true, from), identifiers_(identifiers), reader_(query.fields) {}

  // Where the rows of the coming turns go.
  void WriteTo(ResultBuilder* builder, size_t bytes_max, uint64_t row_max) {
    builder_ = builder;
    bytes_max_ = bytes_max;
    row_max_ = row_max;
  }
  bool schema_is_old() const { return schema_is_old_; }

 private:
  bool BeginTurn(const ShardView& view, WorkMeter* meter) override {
    meter_ = meter;
    return reader_.Bind(view, meter);
  }
  void EndTurn() override { reader_.Unbind(); }
  uint64_t WorkPerRow() const override { return kWorkPerRow + reader_.work_per_row(); }

  Taken Take(const ShardView& view, std::span<const Row> rows) override {
    const size_t read = reader_.field_count() == 0 ? rows.size() : reader_.Read(rows);
    for (size_t i = 0; i < read; ++i) {
      if (builder_->bytes() >= bytes_max_ || builder_->size() >= row_max_) return {i, true};
      std::vector<std::string> identifiers;
      if (identifiers_ && !identifiers_->Read(*view.table, *view.schema, rows[i], &identifiers)) {
        schema_is_old_ = true;
        return {i, true};
      }
      meter_->Add(identifiers.size() * kWorkPerIdentifier);
      builder_->Append(view.table->IdOf(rows[i]), reader_.columns(), i, std::move(identifiers));
    }
    return {read, builder_->bytes() >= bytes_max_ || builder_->size() >= row_max_};
  }

  const std::optional<IdentifierFilter>& identifiers_;
  RowReader reader_;
  WorkMeter* meter_ = nullptr;
  ResultBuilder* builder_ = nullptr;
  size_t bytes_max_ = 0;
  uint64_t row_max_ = 0;
  bool schema_is_old_ = false;
};

class RowStream final : public QueryStream {
 public:
  RowStream(Core& core, QueryRequest request, CompiledQuery query, const AnswerContext& context)
      : core_(core),
        request_(std::move(request)),
        query_(std::move(query)),
        context_(context),
        identifiers_(IdentifierFilter::Make(request_.identifier_types)),
        builder_(query_.schema, identifiers_.has_value()) {
    context_.normal_form = query_.compiled.plan->expression().normal_form();
    context_.filling = query_.compiled.filling;
    builder_.SetFillingFields(query_.compiled.filling_fields);
    begun_revision_ = query_.compiled.catalog->revision;
  }

  // Goes on where a token says.
  Status Resume() {
    if (request_.resume_token.empty()) return absl::OkStatus();
    KORREL_ASSIGN_OR_RETURN(const ResumeToken token, ResumeToken::Decode(request_.resume_token));
    if (token.request != RequestHash(request_)) {
      return InvalidArgument("FIELD", "resume_token", "this token belongs to another request");
    }
    if (token.incarnation != core_.incarnation || token.shard_count != core_.shards.size()) {
      return ResumeChanged("the database was started again since; ask from the beginning");
    }
    if (token.revision != begun_revision_ || token.meaning != query_.meaning) {
      return ResumeChanged("definitions have changed since; ask from the beginning");
    }
    shard_ = token.shard;
    mark_ = token.row;
    sent_ = token.sent;
    return absl::OkStatus();
  }

  const std::vector<FieldSchema>& fields() const override { return query_.schema; }

  StatusOr<std::optional<Chunk>> Next(size_t bytes_max) override {
    bytes_max = std::max<size_t>(bytes_max, 1);  // at least one row a chunk
    bool full = false;
    while (!full && !AtEnd()) {
      KORREL_ASSIGN_OR_RETURN(full, RunTurn(bytes_max));
    }
    if (builder_.size() == 0 && answered_) return std::nullopt;
    answered_ = true;
    sent_ += builder_.size();
    return Chunk{builder_.Release(), TokenHere().Encode(), context_};
  }

 private:
  bool AtEnd() const { return shard_ >= core_.shards.size() || (request_.limit != 0 && sent_ + builder_.size() >= request_.limit); }

  // One turn of the shard at hand; whether the chunk is full.
  StatusOr<bool> RunTurn(size_t bytes_max) {
    if (IsPast(request_.selection.read.deadline_ns)) return DeadlinePassed();
    if (!scan_) scan_ = std::make_unique<StreamScan>(core_, shard_, query_, identifiers_, mark_);
    scan_->WriteTo(&builder_, bytes_max, request_.limit == 0 ? UINT64_MAX : request_.limit - sent_);
    uint64_t work = 0;
    const uint64_t truncated_before = scan_->truncated_count();
    TurnEnd end = scan_->RunTurn(&work);
    if (scan_->schema_is_old()) end = TurnEnd::kStale;
    context_.truncated_count += scan_->truncated_count() - truncated_before;
    if (scan_->now_us() != INT64_MAX && !clock_read_) {
      context_.now_us = scan_->now_us();
      clock_read_ = true;
    }
    mark_ = scan_->mark();
    if (end == TurnEnd::kStale) return CompileAgain();
    stale_turns_ = 0;
    if (end == TurnEnd::kDone) {
      scan_.reset();
      ++shard_;
      mark_ = Row(0);
    }
    return end == TurnEnd::kStopped;
  }

  // A type was widened under the plans. What was sent stays right as long as the question means the same.
  StatusOr<bool> CompileAgain() {
    constexpr int kStaleTurnsMax = 64;
    if (++stale_turns_ > kStaleTurnsMax) return ResumeChanged("types kept changing while the query ran; ask again");
    if (stale_turns_ > 1) std::this_thread::sleep_for(std::chrono::milliseconds(stale_turns_ < 5 ? 1 << stale_turns_ : 16));
    scan_.reset();  // it refers to the old plans
    auto again = CompileQuery(core_, core_.CurrentCatalog(), request_);
    const bool nothing_sent = sent_ == 0 && builder_.size() == 0;
    if (!again.ok() || again->compiled.catalog->revision != begun_revision_ || (again->meaning != query_.meaning && !nothing_sent)) {
      return ResumeChanged("definitions or types changed while the query ran; ask from the beginning");
    }
    for (size_t i = 0; i < query_.schema.size(); ++i) {
      if (again->schema[i].type != query_.schema[i].type) {
        return ResumeChanged("the types of the fields changed while the query ran; ask from the beginning");
      }
    }
    query_ = std::move(*again);
    return false;
  }

  ResumeToken TokenHere() const {
    ResumeToken token;
    token.request = RequestHash(request_);
    token.meaning = query_.meaning;
    token.revision = begun_revision_;
    token.incarnation = core_.incarnation;
    token.shard_count = static_cast<uint32_t>(core_.shards.size());
    token.shard = static_cast<uint32_t>(shard_);
    token.row = mark_;
    token.sent = sent_;
    return token;
  }

  Core& core_;
  const QueryRequest request_;
  CompiledQuery query_;
  AnswerContext context_;
  const std::optional<IdentifierFilter> identifiers_;
  ResultBuilder builder_;
  uint64_t begun_revision_ = 0;
  // Where the next row to judge is.
  size_t shard_ = 0;
  Row mark_;
  std::unique_ptr<StreamScan> scan_;  // of shard_; null before its first turn
  uint64_t sent_ = 0;                 // profiles in chunks so far, those before a resume token included
  bool answered_ = false, clock_read_ = false;
  int stale_turns_ = 0;
};

}  // namespace

StatusOr<std::unique_ptr<QueryStream>> MakeRowStream(Core& core, QueryRequest request, CompiledQuery query, const AnswerContext& context) {
  auto stream = std::make_unique<RowStream>(core, std::move(request), std::move(query), context);
  KORREL_RETURN_IF_ERROR(stream->Resume());
  return std::unique_ptr<QueryStream>(std::move(stream));
}

}  // namespace korrel
