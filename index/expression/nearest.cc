#include <algorithm>
#include <numeric>

#include "index/expression/expression.h"

namespace korrel {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

bool SameButCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return Lower(x) == Lower(y); });
}

// Levenshtein's distance, row by row, given up as soon as a whole row is over `most`.
size_t EditDistance(std::string_view a, std::string_view b, size_t most) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0], smallest = row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
      smallest = std::min(smallest, row[j]);
    }
    if (smallest > most) return most + 1;
  }
  return row[b.size()];
}

}  // namespace

std::optional<std::string> Nearest(std::string_view name, const std::vector<std::string>& known) {
  const std::string* best = nullptr;
  size_t best_distance = name.size() / 3 + 1;
  for (const std::string& candidate : known) {
    // A name that differs in letter case alone is what was meant, however many letters that is.
    size_t distance = 0;
    if (!SameButCase(name, candidate)) {
      size_t longer = std::max(name.size(), candidate.size()), shorter = std::min(name.size(), candidate.size());
      if (longer - shorter > best_distance) continue;
      distance = EditDistance(name, candidate, best_distance);
    }
    if (distance < best_distance || (best && distance == best_distance && candidate < *best)) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best ? std::optional(*best) : std::nullopt;
}

}  // namespace korrel
