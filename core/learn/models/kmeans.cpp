// k-means by Lloyd's iteration (Lloyd 1982) over sums that sites make of their rows.
//
// The start is found the same way: Var-Part (Su and Dy 2007) splits the clusters of the largest squared error along the
// axis of the largest variance, at the mean. It draws nothing, and asks for no row of any site. Here several clusters
// are split at a time, with an iteration between, so that the number of exchanges grows with the logarithm of k.
//
// What travels is measured from the present centroids and divided by a power of two for each feature, which a first
// exchange finds from the exponents of the values: sums are exact to float32 wherever the data lies.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "core/learn/models/list.h"
#include "core/learn/onnx/graph.h"

namespace ote::learn {
namespace {

constexpr std::size_t kExponents = 256;
// Iterations with a number of centroids before some of them are split.
constexpr std::int64_t kSettle = 2;
constexpr std::int64_t kMost = std::int64_t{1} << 28;

// How many there are after some of `count` centroids are split.
std::int64_t AfterSplit(std::int64_t count, std::int64_t wanted) noexcept {
  return std::min(wanted, count + (count + 3) / 4);
}

struct Nearest {
  std::size_t centroid = 0;
  double square = 0;
};

class KmeansModel final : public Model {
 public:
  KmeansModel(std::int64_t features, std::int64_t centroids, float input_scale)
      : features_(static_cast<std::size_t>(features)),
        centroids_(static_cast<std::size_t>(centroids)),
        input_scale_(input_scale),
        layout_{{"centroids", {centroids, features}}, {"scale", {features}}, {"progress", {2}}} {}

  const Layout& GetLayout() const noexcept override { return layout_; }
  std::vector<float> Init(std::uint64_t) const override {
    return std::vector<float>(static_cast<std::size_t>(TotalCount(layout_)));
  }

  bool Statistical() const noexcept override { return true; }
  std::int64_t ContributionCount(std::span<const float> parameters) const override;
  Result<void> Contribute(std::span<const float> parameters, const Table& rows, std::span<float> out,
                          std::uint64_t seed, std::stop_token stop) const override;
  Result<void> Advance(std::span<float> parameters, std::span<const double> mean, std::int64_t rows) const override;
  bool Complete(std::span<const float> parameters) const override;
  std::int64_t Rounds(std::int64_t asked) const noexcept override;

  Result<api::Metrics> Evaluate(std::span<const float> parameters, const Table& rows) const override;
  Result<std::vector<float>> Predict(std::span<const float> parameters, const Table& rows) const override;

 private:
  // `count` centroids are there; 0 before the scales are known. `settled` iterations were done with them.
  struct Progress {
    std::size_t count = 0;
    std::int64_t settled = 0;
  };
  Result<Progress> Check(std::span<const float> parameters) const;
  Result<void> CheckRows(const Table& rows) const;
  // Values of a centroid in a contribution: its share of the rows, their mean, and their mean square to split by.
  std::size_t OfCentroid(const Progress& progress) const noexcept {
    return 1 + features_ * (progress.count < centroids_ ? 2 : 1);
  }
  std::size_t Count(const Progress& progress) const noexcept {
    return progress.count == 0 ? features_ * kExponents : progress.count * OfCentroid(progress);
  }
  Nearest Find(std::span<const float> parameters, std::size_t count, std::span<const float> row) const noexcept;
  void UseExponents(std::span<float> parameters, std::span<const double> mean) const;
  void Split(std::span<float> parameters, std::size_t count, std::span<const double> mean) const;

  std::size_t features_;
  std::size_t centroids_;
  float input_scale_;
  Layout layout_;
};

std::int64_t KmeansModel::Rounds(std::int64_t asked) const noexcept {
  std::int64_t rounds = 1 + asked;
  const auto wanted = static_cast<std::int64_t>(centroids_);
  for (std::int64_t count = 1; count < wanted; count = AfterSplit(count, wanted)) rounds += kSettle;
  return rounds;
}

Result<KmeansModel::Progress> KmeansModel::Check(std::span<const float> parameters) const {
  const std::int64_t wanted = TotalCount(layout_);
  if (static_cast<std::int64_t>(parameters.size()) != wanted) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("model: {} parameters where its layout has {}", parameters.size(), wanted));
  }
  const bool finite = std::all_of(parameters.begin(), parameters.end(), [](float v) { return std::isfinite(v); });
  const float count = parameters[parameters.size() - 2];
  const float settled = parameters.back();
  const auto whole = [](float value, float most) { return value >= 0 && value <= most && value == std::floor(value); };
  const auto scales = parameters.subspan(centroids_ * features_, features_);
  if (!finite || !whole(count, static_cast<float>(centroids_)) || !whole(settled, static_cast<float>(kSettle - 1)) ||
      (count > 0 && !std::all_of(scales.begin(), scales.end(), [](float scale) { return scale > 0; }))) {
    return Fail(ErrorId::kModelInvalid, "model: its centroids are not those of a run",
                "the file is damaged or was not made by ote");
  }
  return Progress{static_cast<std::size_t>(count), static_cast<std::int64_t>(settled)};
}

Result<void> KmeansModel::CheckRows(const Table& rows) const {
  if (rows.columns != static_cast<std::int64_t>(features_)) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("model: takes {} features, the data has {}", features_, rows.columns));
  }
  if (rows.features.size() != static_cast<std::size_t>(rows.rows * rows.columns)) {
    return Fail(ErrorId::kInternal, "model: a table whose buffers do not fit its extents");
  }
  const auto bad = std::find_if(rows.features.begin(), rows.features.end(),
                                [this](float value) { return !std::isfinite(value * input_scale_); });
  if (bad != rows.features.end()) {
    const auto at = static_cast<std::size_t>(bad - rows.features.begin());
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("model: feature {} of row {} is missing or not finite, and has no distance to a centroid",
                            at % features_ + 1, at / features_ + 1),
                "fill the missing values in, or leave such rows out");
  }
  return {};
}

Nearest KmeansModel::Find(std::span<const float> parameters, std::size_t count,
                          std::span<const float> row) const noexcept {
  Nearest best{0, std::numeric_limits<double>::infinity()};
  for (std::size_t c = 0; c < count; ++c) {
    const float* const centroid = parameters.data() + c * features_;
    // Four sums, always the same ones: the processor need not wait for each addition.
    double sums[4] = {};
    for (std::size_t f = 0; f < features_; ++f) {
      const double away = static_cast<double>(row[f] * input_scale_) - static_cast<double>(centroid[f]);
      sums[f % 4] += away * away;
    }
    const double square = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    if (square < best.square) best = {c, square};
  }
  return best;
}

std::int64_t KmeansModel::ContributionCount(std::span<const float> parameters) const {
  const auto progress = Check(parameters);
  return progress ? static_cast<std::int64_t>(Count(*progress)) : 0;
}

Result<void> KmeansModel::Contribute(std::span<const float> parameters, const Table& rows, std::span<float> out,
                                     std::uint64_t, std::stop_token stop) const {
  OTE_TRY(const Progress progress, Check(parameters));
  OTE_CHECK(CheckRows(rows));
  if (rows.rows < 1) return Fail(ErrorId::kDataTooSmall, "k-means: no rows");
  if (out.size() != Count(progress))
    return Fail(ErrorId::kInternal, "k-means: room for a contribution of another size");
  std::vector<double> sums(out.size());
  const bool squares = progress.count < centroids_;
  const auto scales = parameters.subspan(centroids_ * features_, features_);
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    if (r % 256 == 0 && stop.stop_requested())
      return Fail(ErrorId::kInterrupted, "k-means: stopped before it was done");
    const std::span<const float> row = rows.Row(r);
    if (progress.count == 0) {
      for (std::size_t f = 0; f < features_; ++f) {
        sums[f * kExponents + (std::bit_cast<std::uint32_t>(row[f] * input_scale_) >> 23 & 0xff)] += 1;
      }
      continue;
    }
    const std::size_t centroid = Find(parameters, progress.count, row).centroid;
    double* const sum = sums.data() + centroid * OfCentroid(progress);
    sum[0] += 1;
    for (std::size_t f = 0; f < features_; ++f) {
      const double away =
          (static_cast<double>(row[f] * input_scale_) - static_cast<double>(parameters[centroid * features_ + f])) /
          static_cast<double>(scales[f]);
      sum[1 + f] += away;
      if (squares) sum[1 + features_ + f] += away * away;
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const double mean = sums[i] / static_cast<double>(rows.rows);
    if (!(std::abs(mean) <= 1024)) {
      return Fail(ErrorId::kTrainingFailed, "k-means: a mean is out of range",
                  "the model was begun with other data, or its file is damaged");
    }
    out[i] = static_cast<float>(mean);
  }
  return {};
}

// For each feature the power of two above all its values.
void KmeansModel::UseExponents(std::span<float> parameters, std::span<const double> mean) const {
  for (std::size_t f = 0; f < features_; ++f) {
    std::size_t top = 0;
    for (std::size_t e = 0; e < kExponents; ++e) {
      if (mean[f * kExponents + e] > 0) top = e;
    }
    parameters[centroids_ * features_ + f] = std::ldexp(1.0f, std::min(static_cast<int>(top) - 126, 127));
  }
}

// The clusters of the largest squared error become two each, a standard deviation to both sides of the mean.
void KmeansModel::Split(std::span<float> parameters, std::size_t count, std::span<const double> mean) const {
  struct Cluster {
    std::size_t at = 0;
    double error = 0;
    std::size_t axis = 0;
    double deviation = 0;
  };
  const auto scales = parameters.subspan(centroids_ * features_, features_);
  const std::size_t of_centroid = 1 + 2 * features_;
  std::vector<Cluster> clusters(count);
  for (std::size_t c = 0; c < count; ++c) {
    const std::span<const double> sums = mean.subspan(c * of_centroid, of_centroid);
    Cluster& cluster = clusters[c];
    cluster.at = c;
    for (std::size_t f = 0; sums[0] > 0 && f < features_; ++f) {
      const double away = sums[1 + f] / sums[0];
      const double variance = std::max(sums[1 + features_ + f] / sums[0] - away * away, 0.0);
      const double deviation = std::sqrt(variance) * static_cast<double>(scales[f]);
      cluster.error += sums[0] * deviation * deviation;
      if (deviation > cluster.deviation) {
        cluster.deviation = deviation;
        cluster.axis = f;
      }
    }
  }
  std::stable_sort(clusters.begin(), clusters.end(), [](const auto& a, const auto& b) { return a.error > b.error; });
  const auto after =
      static_cast<std::size_t>(AfterSplit(static_cast<std::int64_t>(count), static_cast<std::int64_t>(centroids_)));
  for (std::size_t c = count; c < after; ++c) {
    // With fewer different rows than centroids the two stay in one place, and the second is empty.
    const Cluster& cluster = clusters[c - count];
    float* const from = parameters.data() + cluster.at * features_;
    float* const to = parameters.data() + c * features_;
    std::copy_n(from, features_, to);
    const auto middle = static_cast<double>(from[cluster.axis]);
    from[cluster.axis] = static_cast<float>(middle - cluster.deviation);
    to[cluster.axis] = static_cast<float>(middle + cluster.deviation);
  }
}

Result<void> KmeansModel::Advance(std::span<float> parameters, std::span<const double> mean, std::int64_t) const {
  OTE_TRY(Progress progress, Check(parameters));
  if (mean.size() != Count(progress)) {
    return Fail(ErrorId::kUpdateShape,
                fmt::format("k-means: a mean of {} values is not of this exchange", mean.size()));
  }
  if (!std::all_of(mean.begin(), mean.end(), [](double value) { return std::isfinite(value); })) {
    return Fail(ErrorId::kUpdateNotFinite, "k-means: a mean is not finite");
  }
  if (progress.count == 0) {
    UseExponents(parameters, mean);
    progress.count = 1;
  } else {
    for (std::size_t c = 0; c < progress.count; ++c) {
      const std::span<const double> sums = mean.subspan(c * OfCentroid(progress), OfCentroid(progress));
      // A centroid without rows stays where it is.
      if (!(sums[0] > 0)) continue;
      for (std::size_t f = 0; f < features_; ++f) {
        float& value = parameters[c * features_ + f];
        const auto scale = static_cast<double>(parameters[centroids_ * features_ + f]);
        value = static_cast<float>(static_cast<double>(value) + sums[1 + f] / sums[0] * scale);
      }
    }
    if (progress.count < centroids_ && ++progress.settled == kSettle) {
      Split(parameters, progress.count, mean);
      progress.count = static_cast<std::size_t>(
          AfterSplit(static_cast<std::int64_t>(progress.count), static_cast<std::int64_t>(centroids_)));
      progress.settled = 0;
    }
  }
  parameters[parameters.size() - 2] = static_cast<float>(progress.count);
  parameters.back() = static_cast<float>(progress.settled);
  if (!std::all_of(parameters.begin(), parameters.end(), [](float value) { return std::isfinite(value); })) {
    return Fail(ErrorId::kTrainingFailed, "k-means: a centroid is not finite",
                "use an inputScale that brings the features near 1");
  }
  return {};
}

bool KmeansModel::Complete(std::span<const float> parameters) const {
  const auto progress = Check(parameters);
  return progress && progress->count == centroids_;
}

Result<api::Metrics> KmeansModel::Evaluate(std::span<const float> parameters, const Table& rows) const {
  OTE_TRY(const Progress progress, Check(parameters));
  OTE_CHECK(CheckRows(rows));
  api::Metrics metrics;
  metrics.rows = rows.rows;
  if (rows.rows == 0) return metrics;
  double loss = 0;
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    loss += Find(parameters, std::max<std::size_t>(progress.count, 1), rows.Row(r)).square;
  }
  metrics.loss = loss / static_cast<double>(rows.rows);
  return metrics;
}

Result<std::vector<float>> KmeansModel::Predict(std::span<const float> parameters, const Table& rows) const {
  OTE_TRY(const Progress progress, Check(parameters));
  OTE_CHECK(CheckRows(rows));
  std::vector<float> numbers;
  numbers.reserve(static_cast<std::size_t>(rows.rows));
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const Nearest nearest = Find(parameters, std::max<std::size_t>(progress.count, 1), rows.Row(r));
    numbers.push_back(static_cast<float>(nearest.centroid));
  }
  return numbers;
}

Result<std::unique_ptr<Model>> Make(const api::ModelSpec& spec, const Shape& shape, api::DataTask) {
  OTE_CHECK(api::Validate(spec));
  const double most =
      static_cast<double>(shape.features) * static_cast<double>(std::max<std::int64_t>(spec.centroids * 2, 256));
  if (most > static_cast<double>(kMost)) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("model: its centroids have {:.0f} numbers, and {} is the most", most / 2, kMost / 2),
                "fewer centroids");
  }
  return std::unique_ptr<Model>(
      std::make_unique<KmeansModel>(shape.features, spec.centroids, static_cast<float>(spec.input_scale)));
}

}  // namespace

const ModelInfo kKmeansInfo = {
    .kind = api::ModelKind::kKmeans,
    .summary = "centroids of clusters, by Lloyd's iteration",
    .paper = "Lloyd 1982; Su and Dy 2007",
    .tasks = {api::DataTask::kClustering},
    .settings = {{"centroids", "how many"}, {"inputScale", "every feature is multiplied by it"}},
    .statistical = true,
    .make = Make,
    .onnx = onnx::WriteCentroids};

}  // namespace ote::learn
