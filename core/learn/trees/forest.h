// The parameters of boosted trees: the trees, and how far their making has come, in one flat buffer.
//
// All trees are stored as full binary trees of the greatest depth. A node's children are 2i + 1 and 2i + 2; one that
// does not split sends every row left, so that its value stands in the leftmost leaf below it. A buffer of zeros is a
// forest without splits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/api/dataset.h"
#include "core/api/model.h"
#include "core/base/result.h"
#include "core/learn/layout.h"
#include "core/learn/model.h"

namespace ote::learn::trees {

enum class Objective { kLogistic, kSoftmax, kSquare };

// What is fixed for a run.
struct Plan {
  Objective objective = Objective::kSquare;
  std::int64_t features = 0;
  std::int64_t classes = 0;  // 0 for regression
  std::int64_t series = 1;   // trees that grow side by side: one for each class, or one alone
  std::int64_t trees = 0;    // in a series
  std::int64_t depth = 0;
  std::int64_t bins = 0;  // of values; missing ones have one more
  std::int64_t edges = 0;
  double shrinkage = 0;
  double lambda = 0;
  double gamma = 0;
  double min_child_weight = 0;
  float input_scale = 1;

  std::int64_t Splits() const noexcept { return (std::int64_t{1} << depth) - 1; }
  std::int64_t Leaves() const noexcept { return std::int64_t{1} << depth; }
};
// kRunInvalid when the forest or what the sites would send for one level is too large.
Result<Plan> MakePlan(const api::ModelSpec& spec, const Shape& shape, api::DataTask task);
Layout LayoutOf(const Plan& plan);

// Exchanges before the first tree: counts on the grid, then twice between edges (see cuts.h).
inline constexpr std::int64_t kSketches = 3;

// How far the making has come.
struct Progress {
  std::int64_t sketches = 0;
  std::int64_t trees = 0;  // that every series has finished
  std::int64_t level = 0;  // of the trees that grow now, whose nodes are kOpen
};

// A split is 0 for none, the number of its feature counted from 1, or kOpen while it waits for its histogram.
inline constexpr float kOpen = -1;

// The tensors of a buffer. F is float or const float.
template <class F>
struct Forest {
  std::span<F> edges;      // features × plan.edges: first the edges of the sketch, then the cuts
  std::span<F> used;       // features: how many of them
  std::span<F> base;       // series: the prediction without trees
  std::span<F> scale;      // 1: what targets are divided by; a power of two
  std::span<F> progress;   // 3
  std::span<F> feature;    // trees × series × Splits()
  std::span<F> threshold;  // the same: a value below it goes left
  std::span<F> missing;    // the same: 1 when a missing value goes right
  std::span<F> value;      // trees × series × Leaves()
};
template <class F>
Forest<F> View(const Plan& plan, std::span<F> parameters) noexcept;
extern template Forest<float> View(const Plan&, std::span<float>) noexcept;
extern template Forest<const float> View(const Plan&, std::span<const float>) noexcept;

// Looks at everything that a later step would index or count by: kModelInvalid for what no run can have made,
// kModelDataMismatch for a buffer of another size.
Result<Progress> Check(const Plan& plan, std::span<const float> parameters);
void Put(std::span<float> progress, const Progress& value) noexcept;

// The edges or cuts of a feature.
std::span<const float> EdgesOf(const Plan& plan, const Forest<const float>& forest, std::int64_t feature) noexcept;
void PutEdges(const Plan& plan, const Forest<float>& forest, std::int64_t feature, std::span<const float> edges);

// The nodes that wait for a split, of all series: places in Forest::feature, ascending.
std::vector<std::int64_t> OpenNodes(const Plan& plan, const Forest<const float>& forest, const Progress& progress);

}  // namespace ote::learn::trees
