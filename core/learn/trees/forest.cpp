#include "core/learn/trees/forest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ote::learn::trees {
namespace {

// Floats: one gibibyte, both of the model and of what a site sends.
constexpr std::int64_t kMost = std::int64_t{1} << 28;
constexpr std::int64_t kFewestEdges = 256;
constexpr std::int64_t kMostEdges = 1024;

tl::unexpected<Error> Invalid(std::string why) {
  return Fail(ErrorId::kModelInvalid, "model: " + std::move(why), "the file is damaged or was not made by ote");
}

bool WholeWithin(float value, std::int64_t low, std::int64_t high) noexcept {
  return value >= static_cast<float>(low) && value <= static_cast<float>(high) && value == std::floor(value);
}

std::size_t Size(std::int64_t count) noexcept { return static_cast<std::size_t>(count); }

Result<void> CheckSplits(const Plan& plan, const Forest<const float>& forest, const Progress& progress) {
  const std::int64_t of_tree = plan.series * plan.Splits();
  const std::int64_t first = (std::int64_t{1} << progress.level) - 1;
  const std::int64_t last = 2 * first;
  bool open = false;
  for (std::size_t i = 0; i < forest.feature.size(); ++i) {
    const float feature = forest.feature[i];
    if (WholeWithin(feature, 0, plan.features)) continue;
    const auto place = static_cast<std::int64_t>(i);
    const std::int64_t node = place % plan.Splits();
    const bool may =
        progress.sketches == kSketches && place / of_tree == progress.trees && node >= first && node <= last;
    if (feature != kOpen || !may) {
      return Invalid(fmt::format("node {} of tree {} splits by feature {}", node, place / of_tree, feature));
    }
    open = true;
  }
  if (!open && progress.sketches == kSketches && progress.trees < plan.trees) {
    return Invalid("a tree grows, and none of its nodes does");
  }
  return {};
}

}  // namespace

Result<Plan> MakePlan(const api::ModelSpec& spec, const Shape& shape, api::DataTask task) {
  OTE_CHECK(api::Validate(spec));
  Plan plan;
  plan.features = shape.features;
  plan.classes = task == api::DataTask::kClassification ? shape.outputs : 0;
  plan.objective = plan.classes == 0   ? Objective::kSquare
                   : plan.classes == 2 ? Objective::kLogistic
                                       : Objective::kSoftmax;
  plan.series = plan.objective == Objective::kSoftmax ? plan.classes : 1;
  plan.trees = spec.trees;
  plan.depth = spec.depth;
  plan.bins = spec.bins;
  plan.edges = std::clamp(4 * spec.bins, kFewestEdges, kMostEdges);
  plan.shrinkage = spec.shrinkage;
  plan.lambda = spec.lambda;
  plan.gamma = spec.gamma;
  plan.min_child_weight = spec.min_child_weight;
  plan.input_scale = static_cast<float>(spec.input_scale);
  // Exact in a double, or so large that it does not matter.
  const double nodes = static_cast<double>(plan.series) * static_cast<double>(plan.Leaves());
  const double model = nodes * static_cast<double>(plan.trees) * 4 +
                       static_cast<double>(plan.features) * static_cast<double>(plan.edges + 1);
  const double message =
      std::max(nodes / 2 * static_cast<double>(plan.features) * static_cast<double>(plan.bins + 1) * 2,
               static_cast<double>(plan.features) * 4097.0);
  if (model > static_cast<double>(kMost)) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("model: its trees have {:.0f} numbers, and {} is the most", model, kMost),
                "fewer trees, or a smaller depth");
  }
  if (message > static_cast<double>(kMost)) {
    return Fail(
        ErrorId::kRunInvalid,
        fmt::format("model: the histograms of one level have {:.0f} numbers, and {} is the most", message, kMost),
        "fewer bins, or a smaller depth");
  }
  return plan;
}

Layout LayoutOf(const Plan& plan) {
  return {{"cuts.values", {plan.features, plan.edges}},
          {"cuts.count", {plan.features}},
          {"base", {plan.series}},
          {"scale", {1}},
          {"progress", {3}},
          {"trees.feature", {plan.trees, plan.series, plan.Splits()}},
          {"trees.threshold", {plan.trees, plan.series, plan.Splits()}},
          {"trees.missing", {plan.trees, plan.series, plan.Splits()}},
          {"trees.value", {plan.trees, plan.series, plan.Leaves()}}};
}

template <class F>
Forest<F> View(const Plan& plan, std::span<F> parameters) noexcept {
  const auto take = [&parameters](std::int64_t count) {
    const std::span<F> part = parameters.first(Size(count));
    parameters = parameters.subspan(Size(count));
    return part;
  };
  const std::int64_t splits = plan.trees * plan.series * plan.Splits();
  Forest<F> forest;
  forest.edges = take(plan.features * plan.edges);
  forest.used = take(plan.features);
  forest.base = take(plan.series);
  forest.scale = take(1);
  forest.progress = take(3);
  forest.feature = take(splits);
  forest.threshold = take(splits);
  forest.missing = take(splits);
  forest.value = take(plan.trees * plan.series * plan.Leaves());
  return forest;
}
template Forest<float> View(const Plan&, std::span<float>) noexcept;
template Forest<const float> View(const Plan&, std::span<const float>) noexcept;

Result<Progress> Check(const Plan& plan, std::span<const float> parameters) {
  const std::int64_t wanted = TotalCount(LayoutOf(plan));
  if (static_cast<std::int64_t>(parameters.size()) != wanted) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("model: {} parameters where its layout has {}", parameters.size(), wanted));
  }
  for (const float value : parameters) {
    if (!std::isfinite(value)) return Invalid("a parameter is not finite");
  }
  const auto forest = View(plan, parameters);
  const auto& progress = forest.progress;
  if (!WholeWithin(progress[0], 0, kSketches) || !WholeWithin(progress[1], 0, plan.trees) ||
      !WholeWithin(progress[2], 0, plan.depth - 1)) {
    return Invalid("its progress is not that of a run");
  }
  const Progress out{static_cast<std::int64_t>(progress[0]), static_cast<std::int64_t>(progress[1]),
                     static_cast<std::int64_t>(progress[2])};
  const bool grows = out.sketches == kSketches && out.trees < plan.trees;
  if ((out.sketches < kSketches && out.trees > 0) || (!grows && out.level > 0)) {
    return Invalid("its progress is not that of a run");
  }
  // Until the first sketch is done the scale is 0.
  if (!(forest.scale[0] > 0) && out.sketches > 0) return Invalid("its scale is not above 0");
  const std::int64_t most = out.sketches == kSketches ? plan.bins - 1 : plan.edges;
  for (std::int64_t f = 0; f < plan.features; ++f) {
    if (!WholeWithin(forest.used[Size(f)], 0, most)) return Invalid(fmt::format("feature {} has no number of cuts", f));
    const auto edges = EdgesOf(plan, forest, f);
    if (std::adjacent_find(edges.begin(), edges.end(), [](float a, float b) { return !(a < b); }) != edges.end()) {
      return Invalid(fmt::format("the cuts of feature {} do not ascend", f));
    }
  }
  OTE_CHECK(CheckSplits(plan, forest, out));
  return out;
}

void Put(std::span<float> progress, const Progress& value) noexcept {
  progress[0] = static_cast<float>(value.sketches);
  progress[1] = static_cast<float>(value.trees);
  progress[2] = static_cast<float>(value.level);
}

std::span<const float> EdgesOf(const Plan& plan, const Forest<const float>& forest, std::int64_t feature) noexcept {
  return forest.edges.subspan(Size(feature * plan.edges), static_cast<std::size_t>(forest.used[Size(feature)]));
}

void PutEdges(const Plan& plan, const Forest<float>& forest, std::int64_t feature, std::span<const float> edges) {
  const std::span<float> all = forest.edges.subspan(Size(feature * plan.edges), Size(plan.edges));
  std::fill(all.begin(), all.end(), 0.0f);
  std::copy(edges.begin(), edges.end(), all.begin());
  forest.used[Size(feature)] = static_cast<float>(edges.size());
}

std::vector<std::int64_t> OpenNodes(const Plan& plan, const Forest<const float>& forest, const Progress& progress) {
  std::vector<std::int64_t> open;
  if (progress.sketches < kSketches || progress.trees == plan.trees) return open;
  const std::int64_t width = std::int64_t{1} << progress.level;
  for (std::int64_t s = 0; s < plan.series; ++s) {
    const std::int64_t first = (progress.trees * plan.series + s) * plan.Splits() + width - 1;
    for (std::int64_t i = first; i < first + width; ++i) {
      if (forest.feature[Size(i)] == kOpen) open.push_back(i);
    }
  }
  return open;
}

}  // namespace ote::learn::trees
