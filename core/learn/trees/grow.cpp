#include "core/learn/trees/grow.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/learn/trees/histogram.h"

namespace ote::learn::trees {
namespace {

// Gains that differ by less are equal, and the first stands: sites round their sums to float32, and two columns that
// say the same would otherwise be chosen by the rounding.
constexpr double kTie = 1e-5;

struct Sum {
  double first = 0;
  double second = 0;
  Sum operator+(const Sum& other) const noexcept { return {first + other.first, second + other.second}; }
  Sum operator-(const Sum& other) const noexcept { return {first - other.first, second - other.second}; }
};

struct Split {
  double gain = 0;
  std::size_t feature = 0;
  float threshold = 0;
  bool missing_right = false;
  Sum left;
  Sum right;
};

// The sums of a node, bin by bin.
using Node = std::vector<Sum>;

double Score(const Plan& plan, const Sum& sum) noexcept {
  const double divisor = sum.second + plan.lambda;
  return divisor > 0 ? sum.first * sum.first / divisor : 0;
}

class Search {
 public:
  Search(const Plan& plan, const Forest<float>& forest, const Node& node, std::span<const std::size_t> offsets)
      : plan_(plan), forest_(forest), node_(node), offsets_(offsets) {
    // Every row has one bin of the first feature.
    for (std::size_t bin = offsets[0]; bin < offsets[1]; ++bin) total_ = total_ + node[bin];
    parent_ = Score(plan, total_);
    const auto scale = static_cast<double>(forest.scale[0]);
    least_ = plan.gamma / (scale * scale);
  }

  const Sum& Total() const noexcept { return total_; }

  // A gain of 0 for no split.
  Split Best() {
    for (std::size_t f = 0; f + 1 < offsets_.size(); ++f) TryFeature(f);
    return best_;
  }

 private:
  void TryFeature(std::size_t feature) {
    const std::size_t begin = offsets_[feature];
    const std::size_t values = offsets_[feature + 1] - begin - 1;
    const float* const cuts = forest_.edges.data() + feature * static_cast<std::size_t>(plan_.edges);
    const Sum missing = node_[begin + values];
    const bool some_missing = missing.second > 0;
    Sum below;
    for (std::size_t bin = 0; bin < values; ++bin) {
      below = below + node_[begin + bin];
      const Sum above = total_ - below - missing;
      if (bin + 1 < values) {
        if (some_missing) {
          Try(feature, cuts[bin], false, below + missing, above);
          Try(feature, cuts[bin], true, below, above + missing);
        } else {
          // What was never missing here goes with most of the rows when it is.
          Try(feature, cuts[bin], above.second > below.second, below, above);
        }
      } else if (some_missing) {
        Try(feature, std::numeric_limits<float>::max(), true, below, missing);
      }
    }
  }

  void Try(std::size_t feature, float threshold, bool missing_right, const Sum& left, const Sum& right) {
    if (left.second <= 0 || right.second <= 0) return;
    // Rows are whole, and their sums are rounded: a weight of exactly the least one is enough.
    const double enough = plan_.min_child_weight * (1 - kTie);
    if (left.second < enough || right.second < enough) return;
    const double children = Score(plan_, left) + Score(plan_, right);
    const double gain = children - parent_;
    if (!(gain > least_) || gain <= kTie * children || gain <= best_.gain * (1 + kTie)) return;
    best_ = {gain, feature, threshold, missing_right, left, right};
  }

  const Plan& plan_;
  const Forest<float>& forest_;
  const Node& node_;
  std::span<const std::size_t> offsets_;
  Sum total_;
  double parent_ = 0;
  double least_ = 0;
  Split best_;
};

Forest<const float> ReadOnly(const Forest<float>& forest) noexcept {
  return {forest.edges,   forest.used,      forest.base,    forest.scale, forest.progress,
          forest.feature, forest.threshold, forest.missing, forest.value};
}

class Grower {
 public:
  Grower(const Plan& plan, const Forest<float>& forest, const Progress& progress)
      : plan_(plan), forest_(forest), level_(progress.level) {}

  // `place` as OpenNodes says.
  Result<void> Decide(std::int64_t place, const Node& node, std::span<const std::size_t> offsets) {
    const std::int64_t tree = place / plan_.Splits();
    const std::int64_t in_level = place % plan_.Splits() - ((std::int64_t{1} << level_) - 1);
    Search search(plan_, forest_, node, offsets);
    if (level_ == 0) OTE_CHECK(PutLeaf(tree, 0, 0, search.Total()));
    const Split split = search.Best();
    const auto at = static_cast<std::size_t>(place);
    forest_.feature[at] = 0;
    if (!(split.gain > 0)) return {};
    forest_.feature[at] = static_cast<float>(split.feature + 1);
    forest_.threshold[at] = split.threshold;
    forest_.missing[at] = split.missing_right ? 1.0f : 0.0f;
    OTE_CHECK(PutLeaf(tree, level_ + 1, 2 * in_level, split.left));
    OTE_CHECK(PutLeaf(tree, level_ + 1, 2 * in_level + 1, split.right));
    if (level_ + 1 < plan_.depth) {
      const std::int64_t first = tree * plan_.Splits() + (std::int64_t{1} << (level_ + 1)) - 1;
      Open(first + 2 * in_level, split.left);
      Open(first + 2 * in_level + 1, split.right);
    }
    return {};
  }

 private:
  // What a node stands for as long as it has no children: the leftmost leaf below it.
  Result<void> PutLeaf(std::int64_t tree, std::int64_t level, std::int64_t in_level, const Sum& sum) {
    const double divisor = sum.second + plan_.lambda;
    const double weight = divisor > 0 ? -sum.first / divisor : 0;
    const double value = plan_.shrinkage * weight * static_cast<double>(forest_.scale[0]);
    if (!(std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max()))) {
      return Fail(ErrorId::kTrainingFailed, "trees: a leaf is not finite",
                  "use a smaller shrinkage, or a lambda above 0");
    }
    forest_.value[static_cast<std::size_t>(tree * plan_.Leaves() + (in_level << (plan_.depth - level)))] =
        static_cast<float>(value);
    return {};
  }

  // Too light to give two children: its histogram need not travel.
  void Open(std::int64_t place, const Sum& sum) noexcept {
    if (sum.second >= 2 * plan_.min_child_weight * (1 - kTie)) forest_.feature[static_cast<std::size_t>(place)] = kOpen;
  }

  const Plan& plan_;
  const Forest<float>& forest_;
  std::int64_t level_;
};

}  // namespace

void Plant(const Plan& plan, const Forest<float>& forest, std::int64_t tree) noexcept {
  for (std::int64_t s = 0; tree < plan.trees && s < plan.series; ++s) {
    forest.feature[static_cast<std::size_t>((tree * plan.series + s) * plan.Splits())] = kOpen;
  }
}

Result<void> Grow(const Plan& plan, const Forest<float>& forest, Progress& progress, std::span<const double> mean,
                  std::int64_t rows) {
  const std::vector<std::size_t> offsets = BinOffsets(plan, ReadOnly(forest));
  Grower grower(plan, forest, progress);
  Node node(offsets.back());
  for (const std::int64_t place : OpenNodes(plan, ReadOnly(forest), progress)) {
    for (std::size_t bin = 0; bin < node.size(); ++bin) {
      node[bin] = {mean[2 * bin] * static_cast<double>(rows), mean[2 * bin + 1] * static_cast<double>(rows)};
    }
    mean = mean.subspan(2 * node.size());
    OTE_CHECK(grower.Decide(place, node, offsets));
  }
  ++progress.level;
  if (progress.level < plan.depth && !OpenNodes(plan, ReadOnly(forest), progress).empty()) return {};
  progress.level = 0;
  ++progress.trees;
  Plant(plan, forest, progress.trees);
  return {};
}

}  // namespace ote::learn::trees
