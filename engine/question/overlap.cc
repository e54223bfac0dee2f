// Overlap: N selections judged together, each profile at one instant for all of them, in one pass; then counted in pairs.
#include <fmt/format.h>

#include <atomic>

#include "engine/live/filling.h"
#include "engine/question/question_run.h"
#include "engine/question/questions.h"
#include "index/kernel.h"

namespace korrel {
namespace {

constexpr size_t kSelectionsMax = 100;

struct OverlapQuestion {
  CatalogRef catalog;
  std::vector<PlanRef> plans;
  std::vector<EventTypeId> event_types;
  std::vector<std::string> filling;
};

// One shard. The lock is held for judging only; pairs are counted on the bits that were kept, when it is given back.
class OverlapScan {
 public:
  OverlapScan(Core& core, size_t shard, const OverlapQuestion& question)
      : core_(core),
        shard_(shard),
        question_(question),
        counts(question.plans.size() * question.plans.size()),
        bits_(question.plans.size(), std::vector<uint64_t>(kBlockWords)),
        live_(kBlockWords) {}

  TurnEnd RunTurn(uint64_t* work) {
    bool more = false;
    {
      Turn turn(core_, shard_, *question_.catalog);
      const uint32_t row_end = turn.table().block_count() * kBlockRows;
      if (!turn.fresh() || (mark_.value < row_end && !Judge(&turn))) return TurnEnd::kStale;
      now_us = std::min(now_us, turn.now_us());
      more = mark_.value < row_end;
      *work = turn.work();
    }
    CountPairs();
    return more ? TurnEnd::kMore : TurnEnd::kDone;
  }

 private:
  // Judges the rows from mark_ on, as far as the slowest selection comes within its share of the turn. At most one block a turn, so
  // that the bits of one turn fit into one buffer. False: a plan is stale.
  bool Judge(Turn* turn) {
    const uint32_t block = mark_.value / kBlockRows, begin = mark_.value % kBlockRows;
    uint32_t end = kBlockRows;
    for (size_t i = 0; i < question_.plans.size(); ++i) {
      WorkMeter meter(std::max<uint64_t>(kTurnWorkUnits / question_.plans.size(), 1));
      Evaluator evaluator(*question_.plans[i], turn->view(), &meter);
      if (evaluator.PlanIsStale()) return false;
      end = std::min(end, evaluator.Match(block, begin, bits_[i].data(), nullptr));
      turn->AddWork(meter.used());
    }
    const uint64_t* live = turn->table().live().Block(block);
    std::fill(live_.begin(), live_.end(), 0);
    if (live) std::copy(live, live + kBlockWords, live_.begin());
    KeepRange(begin, end, &live_);
    for (std::vector<uint64_t>& bits : bits_) KeepRange(begin, end, &bits);
    population_count += kernel::Count(live_.data(), kBlockWords);
    CountTruncated(turn->table(), block);
    mark_ = Row(block * kBlockRows + end);
    judged_ = true;
    return true;
  }

  static void KeepRange(uint32_t begin, uint32_t end, std::vector<uint64_t>* bits) {
    for (uint32_t word = 0; word < kBlockWords; ++word) {
      const uint32_t first = word * 64;
      if (first + 64 <= begin || first >= end) {
        (*bits)[word] = 0;
        continue;
      }
      if (begin > first) (*bits)[word] &= ~uint64_t{0} << (begin - first);
      if (end < first + 64) (*bits)[word] &= ~uint64_t{0} >> (first + 64 - end);
    }
  }

  // Profiles that match any of the selections and have a truncated history of a type that one of them reads.
  void CountTruncated(const ProfileTable& table, uint32_t block) {
    std::vector<const uint64_t*> cut;
    for (EventTypeId type : question_.event_types) {
      const RowBits* rows = table.TruncatedRows(type);
      if (rows && rows->Block(block)) cut.push_back(rows->Block(block));
    }
    if (cut.empty()) return;
    for (uint32_t word = 0; word < kBlockWords; ++word) {
      uint64_t truncated = 0, matching = 0;
      for (const uint64_t* words : cut) truncated |= words[word];
      for (const std::vector<uint64_t>& bits : bits_) matching |= bits[word];
      truncated_count += std::popcount(truncated & matching);
    }
  }

  void CountPairs() {
    if (!std::exchange(judged_, false)) return;
    const size_t n = bits_.size();
    for (size_t i = 0; i < n; ++i) {
      const uint32_t own = kernel::Count(bits_[i].data(), kBlockWords);
      counts[i * n + i] += own;
      for (size_t j = i + 1; own > 0 && j < n; ++j) {
        const kernel::BitOperand pair[] = {{bits_[i].data(), false}, {bits_[j].data(), false}};
        counts[i * n + j] += kernel::AndCount(pair, kBlockWords, nullptr);
      }
    }
  }

  Core& core_;
  const size_t shard_;
  const OverlapQuestion& question_;

 public:
  std::vector<uint64_t> counts;  // N × N; the diagonal and what is right of it
  uint64_t population_count = 0, truncated_count = 0;
  int64_t now_us = INT64_MAX;

 private:
  std::vector<std::vector<uint64_t>> bits_;  // per selection, of the rows judged in the last turn
  std::vector<uint64_t> live_;
  Row mark_;
  bool judged_ = false;
};

StatusOr<OverlapQuestion> CompileOverlap(Core& core, const CatalogRef& catalog, std::span<const Selection> selections) {
  OverlapQuestion question;
  question.catalog = catalog;
  Filling filling(core, catalog);
  for (size_t i = 0; i < selections.size(); ++i) {
    KORREL_ASSIGN_OR_RETURN(PlanRef plan, CompileSelection(*catalog, selections[i], fmt::format("selections[{}]", i)));
    AddEventTypes(plan->expression(), *catalog->schema, &question.event_types);
    filling.AddUsed(plan->expression());
    question.plans.push_back(std::move(plan));
  }
  question.filling = std::move(filling).Names();
  return question;
}

// Jaccard = |A ∩ B| / |A ∪ B|; lift = |A ∩ B| · N / (|A| · |B|), N everybody. Both rounded once from exact numbers.
void Relate(OverlapAnswer* answer, size_t n) {
  answer->jaccard.resize(n * n);
  answer->lift.resize(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      const int128 a = answer->counts[i * n + i], b = answer->counts[j * n + j], both = answer->counts[i * n + j];
      if (a + b - both > 0) answer->jaccard[i * n + j] = ExactQuotient(both, 0, a + b - both, 0);
      if (a > 0 && b > 0) answer->lift[i * n + j] = ExactQuotient(both * answer->population_count, 0, a * b, 0);
    }
  }
}

OverlapAnswer AnswerOf(const AnswerContext& context, const OverlapQuestion& question,
                       const std::vector<std::unique_ptr<OverlapScan>>& scans) {
  const size_t n = question.plans.size();
  OverlapAnswer answer{context};
  answer.filling = question.filling;
  answer.counts.resize(n * n);
  int64_t now_us = INT64_MAX;
  for (const auto& scan : scans) {
    for (size_t i = 0; i < n * n; ++i) answer.counts[i] += scan->counts[i];
    answer.population_count += scan->population_count;
    answer.truncated_count += scan->truncated_count;
    now_us = std::min(now_us, scan->now_us);
  }
  answer.now_us = now_us;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) answer.counts[i * n + j] = answer.counts[j * n + i];
    answer.normal_form += (i == 0 ? "" : "; ") + question.plans[i]->expression().normal_form();
  }
  Relate(&answer, n);
  return answer;
}

}  // namespace

StatusOr<OverlapAnswer> AnswerOverlap(Core& core, std::span<const Selection> selections) {
  if (selections.empty() || selections.size() > kSelectionsMax) {
    return InvalidArgument("LIMIT", "selections",
                           fmt::format("overlap takes 1 to {} selections, not {}", kSelectionsMax, selections.size()));
  }
  AnswerContext context;
  for (const Selection& selection : selections) {
    KORREL_ASSIGN_OR_RETURN(context, BeginAnswer(core, selection.read));
  }
  const int64_t deadline_ns = selections[0].read.deadline_ns;  // of the call, hence of each
  return UntilFresh<OverlapAnswer>(
      core,
      [&](const CatalogRef& catalog) -> StatusOr<std::optional<OverlapAnswer>> {
        KORREL_ASSIGN_OR_RETURN(const OverlapQuestion question, CompileOverlap(core, catalog, selections));
        auto scans = MakeScans<OverlapScan>(core, [&](size_t shard) { return std::make_unique<OverlapScan>(core, shard, question); });
        if (IsCut(RunScans(core, deadline_ns, scans))) return std::nullopt;
        return AnswerOf(context, question, scans);
      },
      deadline_ns);
}

}  // namespace korrel
