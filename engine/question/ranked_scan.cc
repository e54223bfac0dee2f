#include "engine/question/ranked_scan.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "engine/question/question_run.h"

namespace korrel {

int64_t SampleRank(ProfileId id, uint64_t seed) {
  unsigned char bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(id.value >> (8 * i));
  return static_cast<int64_t>(XXH3_64bits_withSeed(bytes, sizeof(bytes), seed));
}

RankedScan::RankedScan(Core& core, size_t shard, const RankedQuestion& question, TopRows* top)
    : ShardScan(core, shard, question.compiled, true), ranked_(question), top_(top), order_(question.order), fields_(question.fields) {}

bool RankedScan::BeginTurn(const ShardView& view, WorkMeter* meter) {
  meter_ = meter;
  last_ = top_->Last();
  if (!order_.Bind(view, meter)) return false;
  if (fields_.Bind(view, meter)) return true;
  order_.Unbind();
  return false;
}

void RankedScan::EndTurn() {
  order_.Unbind();
  fields_.Unbind();
}

// As if every row were kept: counting too much only makes turns shorter.
uint64_t RankedScan::WorkPerRow() const { return kWorkPerRow + order_.work_per_row() + fields_.work_per_row(); }

void RankedScan::AfterTurn() {
  if (!offered_.empty() && !top_->Offer(&offered_)) out_of_memory_ = true;
}

RankKey RankedScan::KeyOf(size_t i, ProfileId id) const {
  if (!ranked_.order.empty()) return RankOf(order_.columns()[0], i, ranked_.descending, id);
  RankKey key;
  key.number = SampleRank(id, ranked_.seed);
  key.id = id;
  return key;
}

ShardScan::Taken RankedScan::Take(const ShardView& view, std::span<const Row> rows) {
  if (out_of_memory_) return {0, true};
  const size_t ranked = ranked_.order.empty() ? rows.size() : order_.Read(rows);
  candidates_.clear();
  candidate_keys_.clear();
  std::vector<size_t> places;
  for (size_t i = 0; i < ranked; ++i) {
    RankKey key = KeyOf(i, view.table->IdOf(rows[i]));
    if (last_ && !(key < *last_)) continue;
    candidates_.push_back(rows[i]);
    candidate_keys_.push_back(std::move(key));
    places.push_back(i);
  }
  // Rows before the first candidate that was not read are done.
  size_t kept = 0;
  while (kept < candidates_.size() && (kept == 0 || !meter_->exhausted())) {
    const size_t read = fields_.field_count() == 0 ? candidates_.size() : fields_.Read(std::span(candidates_).subspan(kept));
    const size_t first = kept;
    for (; kept < first + read; ++kept) {
      if (!Keep(view, candidates_[kept], kept - first, std::move(candidate_keys_[kept]))) return {places[kept], true};
    }
  }
  return {kept < candidates_.size() ? places[kept] : ranked, false};
}

// False where the schema at hand is older than the row.
bool RankedScan::Keep(const ShardView& view, Row row, size_t i, RankKey key) {
  RankedRow kept;
  kept.row.id = key.id;
  kept.key = std::move(key);
  for (const ValueVector& column : fields_.columns()) PackValue(column, i, &kept.row.values);
  if (ranked_.identifiers && !ranked_.identifiers->Read(*view.table, *view.schema, row, &kept.row.identifiers)) {
    schema_is_old_ = true;
    return false;
  }
  meter_->Add(kept.row.identifiers.size() * kWorkPerIdentifier);
  offered_.push_back(std::move(kept));
  return true;
}

StatusOr<TurnEnd> RunRanked(Core& core, const RankedQuestion& question, int64_t deadline_ns, TopRows* top, AnswerContext* context,
                            uint64_t* match_count) {
  auto scans = MakeScans<RankedScan>(core, [&](size_t shard) { return std::make_unique<RankedScan>(core, shard, question, top); });
  const TurnEnd end = RunScans(core, deadline_ns, scans);
  for (const auto& scan : scans) {
    if (scan->schema_is_old()) return TurnEnd::kStale;
    if (!scan->out_of_memory()) continue;
    return MakeError(
        absl::StatusCode::kResourceExhausted, "ANSWER_BYTES", "limit",
        fmt::format("the rows to be ordered take more than {} MiB; ask for fewer of them or fewer fields", kTopBytesMax >> 20));
  }
  *match_count = SumScans(scans, question.compiled, context);
  return end;
}

}  // namespace korrel
