#include "tests/twin/naive_sequence.h"

#include <cstddef>
#include <set>

#include "storage/value.h"

namespace korrel::twin {
namespace {

// A step that must be there, with all that must be missing between it and the next one (or, behind the last, afterwards).
struct Link {
  std::vector<bool> fits;
  std::vector<std::vector<bool>> missing_after;
};

std::vector<Link> LinksOf(const std::vector<NaiveStep>& steps) {
  std::vector<Link> links;
  for (const NaiveStep& step : steps) {
    if (step.without) {
      links.back().missing_after.push_back(step.fits);
    } else {
      links.push_back({step.fits, {}});
    }
  }
  return links;
}

// Whether one of `unwanted` is among the events (after, before), both ends left out.
bool AnyBetween(const std::vector<std::vector<bool>>& unwanted, size_t after, size_t before) {
  for (const std::vector<bool>& fits : unwanted) {
    for (size_t i = after + 1; i < before; ++i) {
      if (fits[i]) return true;
    }
  }
  return false;
}

// What may not follow the last step did not follow it, and can no longer do so.
bool EndsWell(const std::vector<int64_t>& times, const Link& link, size_t end, std::optional<int64_t> within_us, int64_t now_us) {
  if (link.missing_after.empty()) return true;
  if (!within_us.has_value()) return !AnyBetween(link.missing_after, end, times.size());
  int128 deadline = static_cast<int128>(times[end]) + *within_us;
  size_t behind = end + 1;
  while (behind < times.size() && times[behind] <= deadline) ++behind;
  return now_us >= deadline && !AnyBetween(link.missing_after, end, behind);
}

}  // namespace

bool SequenceHolds(const std::vector<int64_t>& times, const std::vector<bool>& in_window, const std::vector<NaiveStep>& steps,
                   std::optional<int64_t> within_us, int64_t now_us) {
  std::vector<Link> links = LinksOf(steps);
  for (size_t start = 0; start < times.size(); ++start) {
    if (!links[0].fits[start] || !in_window[start]) continue;
    std::set<size_t> reached = {start};
    for (size_t step = 1; step < links.size(); ++step) {
      std::set<size_t> next;
      for (size_t from : reached) {
        for (size_t to = from + 1; to < times.size(); ++to) {
          if (links[step].fits[to] && in_window[to] && !AnyBetween(links[step - 1].missing_after, from, to)) next.insert(to);
        }
      }
      reached = next;
    }
    for (size_t end : reached) {
      bool in_time = !within_us.has_value() || static_cast<int128>(times[end]) - times[start] <= *within_us;
      if (in_time && EndsWell(times, links.back(), end, within_us, now_us)) return true;
    }
  }
  return false;
}

}  // namespace korrel::twin
