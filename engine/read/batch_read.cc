// BatchGet: the same fields of many profiles, answered in the order asked. Shard by shard, so that each lock is taken once for a batch
// that fits into a turn.
#include <fmt/format.h>

#include <algorithm>

#include "engine/live/filling.h"
#include "engine/question/question_run.h"
#include "engine/question/result_batch.h"
#include "engine/read/projection.h"
#include "engine/read/reads.h"
#include "engine/read/row_reader.h"

namespace korrel {
namespace {

// A profile asked, and its place in the answer.
struct Asked {
  ProfileId id;
  uint32_t place;
};

// The profiles of one shard, read in as many turns as it takes. A profile is looked up again in every turn: rows may be freed between.
class ShardBatch {
 public:
  ShardBatch(Core& core, size_t shard, const CatalogSnapshot& catalog, RowReader* reader, Database::BatchGetAnswer* answer,
             TextStore* texts)
      : core_(core), shard_(shard), catalog_(catalog), reader_(*reader), answer_(*answer), texts_(*texts) {}

  // False: a plan is stale.
  bool Read(std::vector<Asked> asked) {
    while (!asked.empty()) {
      Turn turn(core_, shard_, catalog_);
      answer_.now_us = std::min(answer_.now_us, turn.now_us());
      WorkMeter meter(kTurnWorkUnits);
      if (!turn.fresh() || !reader_.Bind(turn.view(), &meter)) return false;
      asked = ReadTurn(turn, std::move(asked), &meter);
      reader_.Unbind();
      turn.AddWork(meter.used());
    }
    return true;
  }

 private:
  struct Found {
    Row row;
    Asked asked;
  };

  // Reads what the turn's budget allows; returns what is left.
  std::vector<Asked> ReadTurn(const Turn& turn, std::vector<Asked> asked, WorkMeter* meter) {
    std::vector<Found> found = Find(turn.table(), &asked, meter);
    std::ranges::sort(found, {}, &Found::row);
    size_t done = 0;
    while (done < found.size() && (done == 0 || !meter->exhausted())) done = ReadSome(found, done, meter);
    for (; done < found.size(); ++done) asked.push_back(found[done].asked);
    return asked;
  }

  // Takes profiles from the end of `asked` and looks them up; those not there are done with. Looks up no more than could be read.
  std::vector<Found> Find(const ProfileTable& table, std::vector<Asked>* asked, WorkMeter* meter) {
    constexpr uint64_t kWorkPerLookup = 50;
    const uint64_t per_row = kWorkPerLookup + reader_.work_per_row();
    const uint64_t looked_up = std::clamp<uint64_t>(meter->left() / per_row, 1, asked->size());
    std::vector<Found> found;
    for (uint64_t i = 0; i < looked_up; ++i) {
      const Asked one = asked->back();
      asked->pop_back();
      if (const std::optional<Row> row = table.Find(one.id)) found.push_back({*row, one});
    }
    meter->Add(looked_up * kWorkPerLookup);
    return found;
  }

  // Reads rows of one block from `begin` on and returns where it stopped. A profile asked twice is read once.
  size_t ReadSome(const std::vector<Found>& found, size_t begin, WorkMeter* meter) {
    rows_.clear();
    for (size_t i = begin; i < found.size() && found[i].row.value / kBlockRows == found[begin].row.value / kBlockRows; ++i) {
      if (rows_.empty() || rows_.back() != found[i].row) rows_.push_back(found[i].row);
    }
    const size_t read = reader_.field_count() == 0 ? rows_.size() : reader_.Read(rows_);
    meter->Add(read * reader_.work_per_row());
    size_t i = begin;
    for (size_t r = 0; r < read; ++r) {
      for (; i < found.size() && found[i].row == rows_[r]; ++i) Fill(found[i].asked, r);
    }
    return i;
  }

  void Fill(Asked asked, size_t read_row) {
    ResultBatch& batch = answer_.batch;
    answer_.found[asked.place] = true;
    batch.profile_ids[asked.place] = asked.id;
    for (size_t c = 0; c < batch.columns.size(); ++c) {
      CopyInVector(reader_.columns()[c], read_row, &batch.columns[c], asked.place, &texts_);
    }
  }

  Core& core_;
  const size_t shard_;
  const CatalogSnapshot& catalog_;
  RowReader& reader_;
  Database::BatchGetAnswer& answer_;
  TextStore& texts_;
  std::vector<Row> rows_;
};

// Everything absent, in the shape of the projection.
void Shape(const Projection& projection, size_t size, Database::BatchGetAnswer* answer) {
  ResultBatch& batch = answer->batch;
  batch.fields = projection.fields;
  batch.size = size;
  batch.profile_ids.resize(size);
  batch.columns.resize(batch.fields.size());
  for (size_t c = 0; c < batch.columns.size(); ++c) {
    batch.columns[c].type = batch.fields[c].type;
    ResizeVector(&batch.columns[c], size);
  }
  answer->found.resize(size);
}

}  // namespace

StatusOr<Database::BatchGetAnswer> ReadBatch(Core& core, std::span<const std::string> profiles, const ProjectionRef& projection,
                                             const ReadOptions& read) {
  using Answer = Database::BatchGetAnswer;
  KORREL_ASSIGN_OR_RETURN(const AnswerContext context, BeginAnswer(core, read));
  std::vector<std::vector<Asked>> by_shard(core.shards.size());
  std::vector<ItemError> errors;
  for (size_t i = 0; i < profiles.size(); ++i) {
    const uint32_t place = static_cast<uint32_t>(i);
    const auto id = core.Resolve(profiles[i], fmt::format("profiles[{}]", i));
    if (!id.ok()) {
      errors.push_back({place, id.status()});
    } else if (id->has_value()) {
      by_shard[ShardOf(**id, static_cast<uint32_t>(by_shard.size()))].push_back({**id, place});
    }
  }
  return UntilFresh<Answer>(core, [&](const CatalogRef& catalog) -> StatusOr<std::optional<Answer>> {
    KORREL_ASSIGN_OR_RETURN(const ProjectionRef current, Refreshed(catalog, projection));
    Answer answer;
    Shape(*current, profiles.size(), &answer);
    answer.now_us = context.now_us;
    RowReader reader(current->plans);
    TextStore texts;
    for (size_t shard = 0; shard < by_shard.size(); ++shard) {
      if (!ShardBatch(core, shard, *catalog, &reader, &answer, &texts).Read(by_shard[shard])) return std::nullopt;
    }
    answer.batch.text_store = texts.Release();
    answer.batch.filling_fields = Filling(core, catalog).Unfinished(current->plans);
    answer.errors = errors;
    answer.position = context.position;
    return answer;
  });
}

}  // namespace korrel
