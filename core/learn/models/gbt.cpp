// Gradient-boosted trees from histograms that sites make of their rows (Chen and Guestrin 2016; for the federation, the
// histogram method of horizontal SecureBoost, Cheng et al. 2021, without its encryption).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/learn/metrics.h"
#include "core/learn/models/list.h"
#include "core/learn/onnx/graph.h"
#include "core/learn/trees/grow.h"
#include "core/learn/trees/histogram.h"
#include "core/learn/trees/objective.h"
#include "core/learn/trees/sketch.h"
#include "core/learn/trees/walk.h"

namespace ote::learn {
namespace {

using trees::Forest;
using trees::Objective;
using trees::Plan;
using trees::Progress;

class GbtModel final : public Model {
 public:
  explicit GbtModel(Plan plan) : plan_(plan), layout_(trees::LayoutOf(plan_)) {}

  const Layout& GetLayout() const noexcept override { return layout_; }
  // Nothing is drawn: the making begins with no cuts and no trees.
  std::vector<float> Init(std::uint64_t) const override {
    return std::vector<float>(static_cast<std::size_t>(TotalCount(layout_)));
  }

  bool Statistical() const noexcept override { return true; }
  std::int64_t ContributionCount(std::span<const float> parameters) const override;
  Result<void> Contribute(std::span<const float> parameters, const Table& rows, std::span<float> out,
                          std::uint64_t seed, std::stop_token stop) const override;
  Result<void> Advance(std::span<float> parameters, std::span<const double> mean, std::int64_t rows) const override;
  bool Complete(std::span<const float> parameters) const override;
  // Trees that stop growing early leave rounds over, in which nothing happens.
  std::int64_t Rounds(std::int64_t) const noexcept override { return trees::kSketches + plan_.trees * plan_.depth; }

  Result<api::Metrics> Evaluate(std::span<const float> parameters, const Table& rows) const override;
  Result<std::vector<float>> Predict(std::span<const float> parameters, const Table& rows) const override;

 private:
  enum class Targets { kNeeded, kUnused };
  Result<void> CheckRows(const Table& rows, Targets targets) const;
  std::int64_t Count(const Forest<const float>& forest, const Progress& progress) const;

  Plan plan_;
  Layout layout_;
};

Result<void> GbtModel::CheckRows(const Table& rows, Targets targets) const {
  if (rows.columns != plan_.features) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("model: takes {} features, the data has {}", plan_.features, rows.columns));
  }
  if (rows.features.size() != static_cast<std::size_t>(rows.rows * rows.columns) ||
      (targets == Targets::kNeeded && rows.targets.size() != static_cast<std::size_t>(rows.rows))) {
    return Fail(ErrorId::kInternal, "model: a table whose buffers do not fit its extents");
  }
  if (targets == Targets::kUnused) return {};
  const auto classes = static_cast<float>(plan_.classes);
  for (const float target : rows.targets) {
    if (plan_.classes == 0 ? !std::isfinite(target)
                           : !(target >= 0 && target < classes && target == std::floor(target))) {
      return Fail(ErrorId::kModelDataMismatch,
                  plan_.classes == 0
                      ? fmt::format("model: the data has a target of {}", target)
                      : fmt::format("model: has {} classes, the data has one numbered {}", plan_.classes, target));
    }
  }
  return {};
}

std::int64_t GbtModel::Count(const Forest<const float>& forest, const Progress& progress) const {
  if (progress.sketches < trees::kSketches) return trees::SketchCount(plan_, forest, progress);
  const auto open = static_cast<std::int64_t>(trees::OpenNodes(plan_, forest, progress).size());
  // With all trees there, one number that means nothing: a contribution is never empty.
  if (open == 0) return 1;
  return open * static_cast<std::int64_t>(2 * trees::BinOffsets(plan_, forest).back());
}

std::int64_t GbtModel::ContributionCount(std::span<const float> parameters) const {
  const auto progress = trees::Check(plan_, parameters);
  return progress ? Count(View(plan_, parameters), *progress) : 0;
}

Result<void> GbtModel::Contribute(std::span<const float> parameters, const Table& rows, std::span<float> out,
                                  std::uint64_t, std::stop_token stop) const {
  OTE_TRY(const Progress progress, trees::Check(plan_, parameters));
  OTE_CHECK(CheckRows(rows, Targets::kNeeded));
  if (rows.rows < 1) return Fail(ErrorId::kDataTooSmall, "trees: no rows");
  const Forest<const float> forest = View(plan_, parameters);
  if (static_cast<std::int64_t>(out.size()) != Count(forest, progress)) {
    return Fail(ErrorId::kInternal, "trees: room for a contribution of another size");
  }
  std::vector<double> sums(out.size());
  if (progress.sketches < trees::kSketches) {
    trees::Sketch(plan_, forest, progress, rows, sums);
    if (stop.stop_requested()) return Fail(ErrorId::kInterrupted, "trees: stopped before it was done");
  } else if (progress.trees < plan_.trees) {
    OTE_CHECK(trees::Histograms(plan_, forest, progress, rows, sums, std::move(stop)));
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const double mean = sums[i] / static_cast<double>(rows.rows);
    // Means of slopes are near 1 at most, unless base and leaves are not those of these targets.
    if (!(std::abs(mean) <= 1024)) {
      return Fail(ErrorId::kTrainingFailed, "trees: a mean of slopes is out of range",
                  "the model was begun with other targets, or its file is damaged");
    }
    out[i] = static_cast<float>(mean);
  }
  return {};
}

Result<void> GbtModel::Advance(std::span<float> parameters, std::span<const double> mean, std::int64_t rows) const {
  OTE_TRY(Progress progress, trees::Check(plan_, parameters));
  const Forest<float> forest = View(plan_, parameters);
  if (static_cast<std::int64_t>(mean.size()) != Count(View(plan_, std::span<const float>(parameters)), progress)) {
    return Fail(ErrorId::kUpdateShape, fmt::format("trees: a mean of {} values is not of this exchange", mean.size()));
  }
  if (rows < 1) return Fail(ErrorId::kDataTooSmall, "trees: no rows");
  if (!std::all_of(mean.begin(), mean.end(), [](double value) { return std::isfinite(value); })) {
    return Fail(ErrorId::kUpdateNotFinite, "trees: a mean is not finite");
  }
  if (progress.sketches < trees::kSketches) {
    trees::UseSketch(plan_, forest, progress, mean, rows);
    if (++progress.sketches == trees::kSketches) trees::Plant(plan_, forest, 0);
  } else if (progress.trees < plan_.trees) {
    OTE_CHECK(trees::Grow(plan_, forest, progress, mean, rows));
  }
  trees::Put(forest.progress, progress);
  return {};
}

bool GbtModel::Complete(std::span<const float> parameters) const {
  const auto progress = trees::Check(plan_, parameters);
  return progress && progress->sketches == trees::kSketches && progress->level == 0;
}

Result<std::vector<float>> GbtModel::Predict(std::span<const float> parameters, const Table& rows) const {
  OTE_TRY(const Progress progress, trees::Check(plan_, parameters));
  OTE_CHECK(CheckRows(rows, Targets::kUnused));
  OTE_TRY(const std::vector<double> margins, trees::Margins(plan_, View(plan_, parameters), progress, rows));
  const auto series = static_cast<std::size_t>(plan_.series);
  std::vector<double> outputs(plan_.classes == 0 ? 1 : static_cast<std::size_t>(plan_.classes));
  std::vector<float> predictions;
  predictions.reserve(static_cast<std::size_t>(rows.rows) * outputs.size());
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows.rows); ++r) {
    trees::Outputs(plan_, std::span(margins).subspan(r * series, series), outputs);
    for (const double output : outputs) predictions.push_back(static_cast<float>(output));
  }
  return predictions;
}

// The loss of one row, and whether its class is the likeliest.
struct RowLoss {
  double loss = 0;
  bool hit = false;
};
RowLoss LossOf(const Plan& plan, std::span<const double> margins, float target) {
  if (plan.objective == Objective::kSquare) {
    const double error = margins[0] - static_cast<double>(target);
    return {error * error, false};
  }
  const auto label = static_cast<std::size_t>(target);
  if (plan.objective == Objective::kLogistic) {
    const double away = label == 1 ? -margins[0] : margins[0];
    return {std::max(away, 0.0) + std::log1p(std::exp(-std::abs(away))), (margins[0] > 0) == (label == 1)};
  }
  const auto top = std::max_element(margins.begin(), margins.end());
  double sum = 0;
  for (const double margin : margins) sum += std::exp(margin - *top);
  return {std::log(sum) + *top - margins[label], static_cast<std::size_t>(top - margins.begin()) == label};
}

Result<api::Metrics> GbtModel::Evaluate(std::span<const float> parameters, const Table& rows) const {
  OTE_TRY(const Progress progress, trees::Check(plan_, parameters));
  OTE_CHECK(CheckRows(rows, Targets::kNeeded));
  api::Metrics metrics;
  metrics.rows = rows.rows;
  if (rows.rows == 0) return metrics;
  OTE_TRY(const std::vector<double> margins, trees::Margins(plan_, View(plan_, parameters), progress, rows));
  const auto series = static_cast<std::size_t>(plan_.series);
  const auto count = static_cast<double>(rows.rows);
  double loss = 0;
  std::int64_t hits = 0;
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows.rows); ++r) {
    const RowLoss row = LossOf(plan_, std::span(margins).subspan(r * series, series), rows.targets[r]);
    loss += row.loss;
    hits += row.hit ? 1 : 0;
  }
  if (!std::isfinite(loss)) {
    return Fail(ErrorId::kTrainingFailed, "evaluation: the loss is not finite", "use a smaller shrinkage");
  }
  metrics.loss = loss / count;
  if (plan_.classes == 0) {
    metrics.rmse = std::sqrt(loss / count);
    return metrics;
  }
  metrics.accuracy = static_cast<double>(hits) / count;
  if (plan_.objective == Objective::kLogistic) {
    std::vector<float> scores(margins.begin(), margins.end());
    metrics.auc = Auc(scores, rows.targets);
  }
  return metrics;
}

Result<std::unique_ptr<Model>> Make(const api::ModelSpec& spec, const Shape& shape, api::DataTask task) {
  OTE_TRY(const Plan plan, trees::MakePlan(spec, shape, task));
  return std::unique_ptr<Model>(std::make_unique<GbtModel>(plan));
}

}  // namespace

const ModelInfo kGbtInfo = {.kind = api::ModelKind::kGbt,
                            .summary = "gradient-boosted trees, from histograms of the sites",
                            .paper = "Chen and Guestrin 2016",
                            .tasks = {api::DataTask::kClassification, api::DataTask::kRegression},
                            .settings = {{"trees", "how many; with three classes or more, for each class"},
                                         {"depth", "levels of splits in a tree"},
                                         {"bins", "of a feature, beside the one of missing values"},
                                         {"shrinkage", "part of each leaf that is used"},
                                         {"lambda", "l2 on the leaves"},
                                         {"gamma", "the least gain of a split"},
                                         {"minChildWeight", "the least sum of second derivatives on a side of a split"},
                                         {"inputScale", "every feature is multiplied by it"}},
                            .statistical = true,
                            .make = Make,
                            .onnx = onnx::WriteTrees};

}  // namespace ote::learn
