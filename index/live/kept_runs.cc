// days_active and sessions: runs of neighbouring events. Taking one event in or out touches only its two neighbours, which are found by
// binary search and, where there is a `where`, by looking on from there.
#include <algorithm>

#include "index/live/kept_families.h"

namespace korrel {
namespace {

class RunsUnit final : public ColumnUnit {
 public:
  using ColumnUnit::ColumnUnit;

 private:
  using Pieces = std::span<const PieceMove>;
  struct Neighbours {
    std::optional<int64_t> earlier_us, later_us;
    void AddEarlier(std::optional<int64_t> time_us) {
      if (time_us) earlier_us = std::max(earlier_us.value_or(*time_us), *time_us);
    }
    void AddLater(std::optional<int64_t> time_us) {
      if (time_us) later_us = std::min(later_us.value_or(*time_us), *time_us);
    }
  };

  bool BringForward(const Move& move) override {
    if (!column_.get().Has(move.row)) return false;  // its zone is not known, for good
    present_.clear();
    for (const PieceMove& piece : move.pieces) {
      // A window that jumped over events: what stayed does not follow upon what left.
      if (!piece.left.empty() && piece.left.end != piece.window.begin) return FillAgain(move);
      const EventRange stayed = StayedOf(piece);
      present_.push_back({piece.left.empty() ? stayed.begin : piece.left.begin, stayed.end});
    }
    int64_t runs = column_.get().RawInt(move.row);
    for (size_t p = 0; p < move.pieces.size(); ++p) runs -= TakeOut(move.pieces, p);
    for (size_t p = 0; p < move.pieces.size(); ++p) runs += TakeIn(move.pieces, p);
    return column_.Put(move.row, runs);
  }
  // Those inside before and after; of a history that a late event came into, those before it.
  static EventRange StayedOf(const PieceMove& piece) {
    return {piece.window.begin, piece.entered.empty() ? piece.window.end : piece.entered.begin};
  }

  // How many runs end when the oldest of a piece leave.
  int64_t TakeOut(Pieces pieces, size_t p) {
    const std::vector<int64_t> leaving = TimesOf(pieces[p], pieces[p].left);
    present_[p].begin = StayedOf(pieces[p]).begin;
    if (leaving.empty()) return 0;
    const std::optional<int64_t> stayed_us = TimeAtEnd(pieces[p], StayedOf(pieces[p]), false);
    int64_t ended = 0;
    for (size_t i = 0; i < leaving.size(); ++i) {
      Neighbours neighbours = NeighboursIn(pieces, p, leaving[i]);
      neighbours.AddLater(i + 1 < leaving.size() ? leaving[i + 1] : stayed_us);
      ended += RunsOf(leaving[i], neighbours);
    }
    return ended;
  }
  // How many begin when events enter: the newest, or a late one.
  int64_t TakeIn(Pieces pieces, size_t p) {
    const PieceMove& piece = pieces[p];
    const std::vector<int64_t> entering = TimesOf(piece, piece.entered);
    present_[p] = piece.window;
    if (entering.empty()) return 0;
    std::optional<int64_t> earlier_us = TimeAtEnd(piece, {piece.window.begin, piece.entered.begin}, true);
    const std::optional<int64_t> later_us = TimeAtEnd(piece, {piece.entered.end, piece.window.end}, false);
    int64_t begun = 0;
    for (int64_t time_us : entering) {
      Neighbours neighbours = NeighboursIn(pieces, p, time_us);
      neighbours.AddEarlier(earlier_us);
      neighbours.AddLater(later_us);
      begun += RunsOf(time_us, neighbours);
      earlier_us = time_us;
    }
    return begun;
  }

  // Among the events that are present in the other histories.
  Neighbours NeighboursIn(Pieces pieces, size_t p, int64_t time_us) {
    Neighbours neighbours;
    for (size_t q = 0; q < pieces.size(); ++q) {
      if (q == p || present_[q].empty()) continue;
      const uint32_t at = std::clamp(pieces[q].history->UpperBound(time_us), present_[q].begin, present_[q].end);
      neighbours.AddEarlier(TimeAtEnd(pieces[q], {present_[q].begin, at}, true));
      neighbours.AddLater(TimeAtEnd(pieces[q], {at, present_[q].end}, false));
    }
    return neighbours;
  }
  // How many runs there are more with an event than without it.
  int64_t RunsOf(int64_t time_us, const Neighbours& neighbours) const {
    const auto& [earlier_us, later_us] = neighbours;
    if (!earlier_us && !later_us) return 1;
    int64_t runs = 0;
    if (earlier_us) runs += AreApart(*earlier_us, time_us);
    if (later_us) runs += AreApart(time_us, *later_us);
    if (earlier_us && later_us) runs -= AreApart(*earlier_us, *later_us);
    return runs;
  }
  bool AreApart(int64_t earlier_us, int64_t later_us) const {
    const Node& node = *term().node;
    if (node.aggregate == Aggregate::kSessions) return later_us - earlier_us > *node.gap_us;
    return term().zone->UnitStart(earlier_us, CalendarUnit::kDay, 1) <= later_us;
  }

  // Of the events that count, ascending.
  std::vector<int64_t> TimesOf(const PieceMove& piece, EventRange range) {
    std::vector<int64_t> times;
    ForEachTaken(piece, range, [&](const EventRun&, size_t, uint32_t index) {
      times.push_back(piece.history->TimeOf(index));
      return true;
    });
    return times;
  }
  // The first of them (backwards: the last).
  std::optional<int64_t> TimeAtEnd(const PieceMove& piece, EventRange range, bool backwards) {
    std::optional<uint32_t> at;
    ForEachTaken(
        piece, range, [&](const EventRun&, size_t, uint32_t index) { return !(at = index); }, backwards);
    const uint32_t looked_at = !at ? range.size() : backwards ? range.end - *at : *at - range.begin;
    if (looked_at > EventRuns::kRunEvents) ++shared_->passes;
    if (!at) return std::nullopt;
    return piece.history->TimeOf(*at);
  }

  std::vector<EventRange> present_;  // per piece, while a move is made
};

}  // namespace

std::unique_ptr<KeptUnit> MakeRunsUnit(const AggregateUnit& unit, KeptUnit::Shared* shared) {
  return std::make_unique<RunsUnit>(unit, shared);
}

}  // namespace korrel
