// SPDX-License-Identifier: MIT
// Optimal string alignment distance with a threshold that grows with the length of the name. Lowest layer.
#include "base/nearest.hpp"

#include <algorithm>
#include <numeric>

#include "base/error.hpp"

namespace kdhost {
namespace {

// Longer names are hostile input rather than slips of the hand, and the distance costs the product of the lengths.
constexpr std::size_t kLongestName = 256;

char folded(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == '-' ? '_' : c;
}

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table suffice: the swap of neighbours looks two rows back.
  std::vector<int> before(b.size() + 1);
  std::vector<int> last(b.size() + 1);
  std::vector<int> now(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int replace = folded(a[i - 1]) == folded(b[j - 1]) ? 0 : 1;
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + replace});
      const bool swapped =
          i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1]);
      if (swapped) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

std::string nearest(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.empty() || name.size() > kLongestName) return {};
  std::string best;
  int best_distance = 1 + std::max(1, static_cast<int>(name.size()) / 3);
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestName) continue;
    // Lengths alone may rule a candidate out, which spares the table.
    const auto gap = candidate.size() > name.size() ? candidate.size() - name.size() : name.size() - candidate.size();
    if (static_cast<int>(gap) < best_distance) {
      const int distance = edit_distance(name, candidate);
      // A distance as long as the shorter name means that nothing is left of it.
      const bool related = distance < static_cast<int>(std::min(name.size(), candidate.size()));
      if (distance < best_distance && (related || distance == 0)) {
        best = candidate;
        best_distance = distance;
      }
    }
  }
  if (!best.empty()) return best;
  const std::string tail = "." + std::string(name);
  for (const std::string& candidate : candidates) {
    if (candidate.ends_with(tail)) return candidate;
  }
  return {};
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string found = nearest(name, candidates);
  return found.empty() ? std::string{} : "Did you mean " + quoted(found) + "?";
}

}  // namespace kdhost
