#include "core/learn/descent.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/learn/metrics.h"
#include "core/learn/random.h"

namespace ote::learn {
namespace {

// Row numbers are kept in 32 bits: half the memory of the shuffle.
Result<std::vector<std::uint32_t>> RowNumbers(const Table& rows) {
  if (rows.rows > std::int64_t{std::numeric_limits<std::uint32_t>::max()}) {
    return Fail(ErrorId::kUnsupported, "training: more than 4294967295 rows");
  }
  std::vector<std::uint32_t> order(static_cast<std::size_t>(rows.rows));
  std::iota(order.begin(), order.end(), 0U);
  return order;
}

// Beside the streams of the passes.
constexpr std::uint64_t kNoiseStream = ~std::uint64_t{0};

std::uint64_t PassSeed(std::uint64_t seed, std::int64_t pass) {
  return DeriveSeed(seed, static_cast<std::uint64_t>(pass));
}

// What a strategy adds to each step.
class Terms {
 public:
  Terms(const TrainTerms& terms, std::span<const float> given)
      : terms_(terms), anchor_(terms.anchor.begin(), terms.anchor.end()) {
    const bool keeps = !terms.frozen.empty() || terms.proximal > 0;
    if (keeps) given_.assign(given.begin(), given.end());
    if (anchor_.empty() && terms.proximal > 0) anchor_ = given_;
  }

  void AddTo(float* gradient, std::span<const float> parameters) const {
    if (terms_.proximal > 0) {
      const auto mu = static_cast<float>(terms_.proximal);
      for (std::size_t i = 0; i < parameters.size(); ++i) gradient[i] += mu * (parameters[i] - anchor_[i]);
    }
    for (std::size_t i = 0; i < terms_.correction.size(); ++i) gradient[i] += terms_.correction[i];
  }
  void Restore(std::span<float> parameters) const {
    for (const auto& [begin, end] : terms_.frozen) {
      std::copy(given_.begin() + begin, given_.begin() + end, parameters.begin() + begin);
    }
  }

 private:
  const TrainTerms& terms_;
  std::vector<float> anchor_;
  std::vector<float> given_;
};

// See Trained::steps.
double StepWeight(const api::TrainSpec& spec, std::int64_t steps) {
  const auto n = static_cast<double>(steps);
  if (spec.optimizer == api::OptimizerKind::kAdam || spec.momentum == 0) return n;
  const double rho = spec.momentum;
  return (n - rho * (1 - std::pow(rho, n)) / (1 - rho)) / (1 - rho);
}

}  // namespace

Result<void> GradientModel::Check(std::size_t parameters, const Table& rows, Targets targets) const {
  if (parameters != static_cast<std::size_t>(TotalCount(outline_.layout))) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("model: {} parameters where its layout has {}", parameters, TotalCount(outline_.layout)));
  }
  if (rows.columns != outline_.inputs) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("model: takes {} features, the data has {}", outline_.inputs, rows.columns));
  }
  if (rows.features.size() != static_cast<std::size_t>(rows.rows * rows.columns) ||
      (targets == Targets::kNeeded && rows.targets.size() != static_cast<std::size_t>(rows.rows))) {
    return Fail(ErrorId::kInternal, "model: a table whose buffers do not fit its extents");
  }
  if (targets == Targets::kUnused || outline_.loss == Loss::kSquare) return {};
  const auto classes = static_cast<float>(outline_.outputs);
  for (const float target : rows.targets) {
    if (!(target >= 0 && target < classes && target == std::floor(target))) {
      return Fail(ErrorId::kModelDataMismatch,
                  fmt::format("model: has {} classes, the data has one numbered {}", outline_.outputs, target));
    }
  }
  return {};
}

Result<Trained> GradientModel::Train(std::span<float> parameters, const Table& rows, const api::TrainSpec& spec,
                                     const TrainTerms& terms, std::uint64_t seed, std::stop_token stop) const {
  OTE_CHECK(Check(parameters.size(), rows, Targets::kNeeded));
  if (spec.batch_size < 1 || spec.epochs < 1) {
    return Fail(ErrorId::kRunInvalid, "training: batchSize and epochs must be at least 1");
  }
  if (rows.rows < 1) return Fail(ErrorId::kDataTooSmall, "training: no rows");
  const Terms more(terms, parameters);
  const std::int64_t batch = std::min(spec.batch_size, rows.rows);
  const Kernels& kernels = ActiveKernels();
  OTE_TRY(const std::unique_ptr<Pass> network, MakePass(kernels, batch, Purpose::kTraining));
  Optimizer optimizer(parameters, outline_.decayed, kernels, spec);
  OTE_TRY(std::vector<std::uint32_t> order, RowNumbers(rows));

  Trained trained;
  const std::uint64_t noise = DeriveSeed(seed, kNoiseStream);
  std::int64_t steps = 0;
  for (std::int64_t pass = 0; pass < spec.epochs; ++pass) {
    Random random(PassSeed(seed, pass));
    random.Shuffle(std::span(order));
    double loss = 0;
    for (std::int64_t at = 0; at < rows.rows; at += batch) {
      if (stop.stop_requested()) return Fail(ErrorId::kInterrupted, "training: stopped before it was done");
      const auto size = static_cast<std::size_t>(std::min(batch, rows.rows - at));
      network->Load(rows, std::span(order).subspan(static_cast<std::size_t>(at), size),
                    DeriveSeed(noise, static_cast<std::uint64_t>(steps)));
      network->Forward(parameters.data());
      loss += network->Slope(terms.class_weights);
      if (!std::isfinite(loss)) {
        return Fail(ErrorId::kTrainingFailed, fmt::format("training: the loss is not finite in pass {}", pass + 1),
                    "try a smaller learningRate, or an inputScale that brings the features near 1");
      }
      network->Backward(parameters.data(), optimizer.Gradient());
      more.AddTo(optimizer.Gradient(), parameters);
      optimizer.Step(parameters.data());
      more.Restore(parameters);
      ++steps;
    }
    trained.loss = loss / static_cast<double>(rows.rows);
  }
  for (const float value : parameters) {
    if (!std::isfinite(value)) {
      return Fail(ErrorId::kTrainingFailed, "training: a parameter is not finite after the last step",
                  "try a smaller learningRate, or an inputScale that brings the features near 1");
    }
  }
  trained.steps = StepWeight(spec, steps);
  return trained;
}

Result<std::vector<float>> GradientModel::Predict(std::span<const float> parameters, const Table& rows) const {
  OTE_CHECK(Check(parameters.size(), rows, Targets::kUnused));
  std::vector<float> predictions(static_cast<std::size_t>(rows.rows * outline_.outputs));
  if (rows.rows == 0) return predictions;
  OTE_TRY(const std::vector<std::uint32_t> order, RowNumbers(rows));
  const Kernels& kernels = ActiveKernels();
  const std::int64_t batch = std::min(outline_.evaluation_batch, rows.rows);
  OTE_TRY(const std::unique_ptr<Pass> network, MakePass(kernels, batch, Purpose::kForward));
  for (std::int64_t at = 0; at < rows.rows; at += batch) {
    const auto size = static_cast<std::size_t>(std::min(batch, rows.rows - at));
    network->Load(rows, std::span(order).subspan(static_cast<std::size_t>(at), size), 0);
    const std::span<float> out = network->Forward(parameters.data());
    if (outline_.loss == Loss::kCrossEntropy) {
      kernels.softmax(out.data(), static_cast<std::int64_t>(size), outline_.outputs);
    }
    std::copy(out.begin(), out.end(), predictions.begin() + at * outline_.outputs);
  }
  return predictions;
}

Result<api::Metrics> GradientModel::Evaluate(std::span<const float> parameters, const Table& rows) const {
  OTE_CHECK(Check(parameters.size(), rows, Targets::kNeeded));
  api::Metrics metrics;
  metrics.rows = rows.rows;
  if (rows.rows == 0) return metrics;
  OTE_TRY(const std::vector<std::uint32_t> order, RowNumbers(rows));
  const Kernels& kernels = ActiveKernels();
  const std::int64_t batch = std::min(outline_.evaluation_batch, rows.rows);
  const auto outputs = static_cast<std::size_t>(outline_.outputs);
  const bool classifies = outline_.loss == Loss::kCrossEntropy;
  OTE_TRY(const std::unique_ptr<Pass> network, MakePass(kernels, batch, Purpose::kForward));
  double loss = 0;
  std::int64_t hits = 0;
  std::vector<float> scores;  // of class 1, when there are two
  for (std::int64_t at = 0; at < rows.rows; at += batch) {
    const auto begin = static_cast<std::size_t>(at);
    const auto size = static_cast<std::size_t>(std::min(batch, rows.rows - at));
    network->Load(rows, std::span(order).subspan(begin, size), 0);
    const std::span<const float> out = network->Forward(parameters.data());
    for (std::size_t i = 0; classifies && i < size; ++i) {
      const std::span<const float> row = out.subspan(i * outputs, outputs);
      hits += ArgMax(row) == static_cast<std::int64_t>(rows.targets[begin + i]) ? 1 : 0;
      // The odds order the rows as the probability does, without its rounding near 0 and 1.
      if (outputs == 2) scores.push_back(row[1] - row[0]);
    }
    loss += network->Slope({});
  }
  const auto count = static_cast<double>(rows.rows);
  metrics.loss = loss / count;
  if (classifies) {
    metrics.accuracy = static_cast<double>(hits) / count;
  } else {
    metrics.rmse = std::sqrt(loss / count);
  }
  if (!std::isfinite(loss)) {
    return Fail(ErrorId::kTrainingFailed, "evaluation: the loss is not finite",
                "the model has diverged: train it anew with a smaller learningRate");
  }
  if (classifies && outputs == 2) metrics.auc = Auc(scores, rows.targets);
  return metrics;
}

}  // namespace ote::learn
