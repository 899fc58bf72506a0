#include "core/learn/metrics.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace ote::learn {

std::optional<double> Auc(std::span<const float> scores, std::span<const float> targets) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double positives = 0;
  double rank_sum = 0;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    double positives_here = 0;
    while (end < order.size() && scores[order[end]] == scores[order[i]]) {
      positives_here += targets[order[end]] == 1.0f ? 1 : 0;
      ++end;
    }
    // Ranks count from 1; equals share their mean rank.
    const double rank = (static_cast<double>(i) + 1 + static_cast<double>(end)) / 2;
    rank_sum += rank * positives_here;
    positives += positives_here;
    i = end;
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0 || negatives == 0) return std::nullopt;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

std::int64_t ArgMax(std::span<const float> row) noexcept {
  return std::max_element(row.begin(), row.end()) - row.begin();
}

}  // namespace ote::learn
