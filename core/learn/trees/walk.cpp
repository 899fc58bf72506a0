#include "core/learn/trees/walk.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace ote::learn::trees {
namespace {

// Rows that go through all trees together: their features stay in the cache.
constexpr std::int64_t kBlock = 256;

struct Node {
  float threshold;
  std::uint32_t feature;
  std::uint32_t missing_right;
};

// The splits of `count` trees from tree `first` on, of all series.
std::vector<Node> Splits(const Plan& plan, const Forest<const float>& forest, std::int64_t first, std::int64_t count) {
  const auto begin = static_cast<std::size_t>(first * plan.series * plan.Splits());
  std::vector<Node> nodes(static_cast<std::size_t>(count * plan.series * plan.Splits()));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const float feature = forest.feature[begin + i];
    // Nothing is at or above NaN: without a split all rows go left.
    nodes[i] = feature > 0 ? Node{forest.threshold[begin + i], static_cast<std::uint32_t>(feature) - 1,
                                  forest.missing[begin + i] != 0 ? 1U : 0U}
                           : Node{std::numeric_limits<float>::quiet_NaN(), 0, 0};
  }
  return nodes;
}

// Takes kRows rows, `columns` apart, down a tree. Together, because each step waits for the one before it.
template <std::size_t kRows>
std::array<std::uint32_t, kRows> Walk(const Node* tree, const float* rows, std::size_t columns, float scale,
                                      std::int64_t levels) noexcept {
  std::array<std::uint32_t, kRows> at{};
  for (std::int64_t level = 0; level < levels; ++level) {
    for (std::size_t i = 0; i < kRows; ++i) {
      const Node& node = tree[at[i]];
      const float x = rows[i * columns + node.feature] * scale;
      const std::uint32_t missing = x != x ? 1 : 0;
      const std::uint32_t above = x >= node.threshold ? 1 : 0;
      at[i] = 2 * at[i] + 1 + (above | (missing & node.missing_right));
    }
  }
  return at;
}

// Calls put(row, node) for the rows from `begin` to `end`.
template <class Put>
void WalkAll(const Node* tree, const Table& rows, std::size_t begin, std::size_t end, float scale, std::int64_t levels,
             const Put& put) {
  constexpr std::size_t kTogether = 4;
  const auto columns = static_cast<std::size_t>(rows.columns);
  std::size_t r = begin;
  for (; r + kTogether <= end; r += kTogether) {
    const auto at = Walk<kTogether>(tree, rows.features.data() + r * columns, columns, scale, levels);
    for (std::size_t i = 0; i < kTogether; ++i) put(r + i, at[i]);
  }
  for (; r < end; ++r) put(r, Walk<1>(tree, rows.features.data() + r * columns, columns, scale, levels)[0]);
}

}  // namespace

Result<std::vector<double>> Margins(const Plan& plan, const Forest<const float>& forest, const Progress& progress,
                                    const Table& rows, std::stop_token stop) {
  const auto series = static_cast<std::size_t>(plan.series);
  const auto splits = static_cast<std::size_t>(plan.Splits());
  const auto leaves = static_cast<std::size_t>(plan.Leaves());
  const std::vector<Node> nodes = Splits(plan, forest, 0, progress.trees);
  std::vector<double> margins(static_cast<std::size_t>(rows.rows) * series);
  for (std::int64_t first = 0; first < rows.rows; first += kBlock) {
    if (stop.stop_requested()) return Fail(ErrorId::kInterrupted, "trees: stopped before it was done");
    const auto begin = static_cast<std::size_t>(first);
    const auto end = static_cast<std::size_t>(std::min(first + kBlock, rows.rows));
    for (std::size_t s = 0; s < series; ++s) {
      for (std::size_t r = begin; r < end; ++r) margins[r * series + s] = static_cast<double>(forest.base[s]);
    }
    for (std::size_t t = 0; t < static_cast<std::size_t>(progress.trees) * series; ++t) {
      const Node* const tree = nodes.data() + t * splits;
      const float* const value = forest.value.data() + t * leaves;
      double* const margin = margins.data() + t % series;
      WalkAll(tree, rows, begin, end, plan.input_scale, plan.depth, [&](std::size_t r, std::uint32_t leaf) {
        margin[r * series] += static_cast<double>(value[leaf - splits]);
      });
    }
  }
  return margins;
}

std::vector<std::int32_t> Standing(const Plan& plan, const Forest<const float>& forest, const Progress& progress,
                                   const Table& rows) {
  const auto series = static_cast<std::size_t>(plan.series);
  const std::vector<Node> nodes = Splits(plan, forest, progress.trees, 1);
  std::vector<std::int32_t> standing(static_cast<std::size_t>(rows.rows) * series);
  for (std::size_t s = 0; s < series; ++s) {
    const Node* const tree = nodes.data() + s * static_cast<std::size_t>(plan.Splits());
    WalkAll(tree, rows, 0, static_cast<std::size_t>(rows.rows), plan.input_scale, progress.level,
            [&](std::size_t r, std::uint32_t node) { standing[r * series + s] = static_cast<std::int32_t>(node); });
  }
  return standing;
}

}  // namespace ote::learn::trees
