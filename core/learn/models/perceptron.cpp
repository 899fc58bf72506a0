// The linear models and the perceptron: fully connected layers, trained by mini-batches.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/learn/kernels.h"
#include "core/learn/metrics.h"
#include "core/learn/models/list.h"
#include "core/learn/network.h"
#include "core/learn/onnx/graph.h"
#include "core/learn/random.h"

namespace ote::learn {
namespace {

constexpr std::int64_t kEvaluationBatch = 256;
constexpr std::int64_t kMaxParameters = std::int64_t{1} << 31;

// Row numbers are kept in 32 bits: half the memory of the shuffle.
Result<std::vector<std::uint32_t>> RowNumbers(const Table& rows) {
  if (rows.rows > std::int64_t{std::numeric_limits<std::uint32_t>::max()}) {
    return Fail(ErrorId::kUnsupported, "training: more than 4294967295 rows");
  }
  std::vector<std::uint32_t> order(static_cast<std::size_t>(rows.rows));
  std::iota(order.begin(), order.end(), 0U);
  return order;
}

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

class NetworkModel final : public Model {
 public:
  explicit NetworkModel(Network network) : network_(std::move(network)), layout_(LayoutOf(network_)) {}

  const Layout& GetLayout() const noexcept override { return layout_; }
  std::vector<float> Init(std::uint64_t seed) const override;
  Result<Trained> Train(std::span<float> parameters, const Table& rows, const api::TrainSpec& spec,
                        const TrainTerms& terms, std::uint64_t seed, std::stop_token stop) const override;
  Result<api::Metrics> Evaluate(std::span<const float> parameters, const Table& rows) const override;
  Result<std::vector<float>> Predict(std::span<const float> parameters, const Table& rows) const override;

 private:
  enum class Targets { kNeeded, kUnused };
  Result<void> Check(std::size_t parameters, const Table& rows, Targets targets) const;

  Network network_;
  Layout layout_;
};

std::vector<float> NetworkModel::Init(std::uint64_t seed) const {
  std::vector<float> parameters(static_cast<std::size_t>(network_.Parameters()));
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    const Layer& layer = network_.layers[i];
    const bool feeds_relu = i + 1 < network_.layers.size() && network_.activation == api::Activation::kRelu;
    const auto fan = static_cast<double>(feeds_relu ? layer.inputs : layer.inputs + layer.outputs);
    const double bound = std::sqrt(6.0 / fan);
    Random random(DeriveSeed(seed, i));
    for (std::int64_t at = layer.weight; at < layer.bias; ++at) {
      parameters[static_cast<std::size_t>(at)] = static_cast<float>(bound * (2 * random.Uniform() - 1));
    }
  }
  return parameters;
}

Result<void> NetworkModel::Check(std::size_t parameters, const Table& rows, Targets targets) const {
  if (parameters != static_cast<std::size_t>(network_.Parameters())) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("model: {} parameters where its layout has {}", parameters, network_.Parameters()));
  }
  if (rows.columns != network_.Inputs()) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("model: takes {} features, the data has {}", network_.Inputs(), rows.columns));
  }
  if (rows.features.size() != static_cast<std::size_t>(rows.rows * rows.columns) ||
      (targets == Targets::kNeeded && rows.targets.size() != static_cast<std::size_t>(rows.rows))) {
    return Fail(ErrorId::kInternal, "model: a table whose buffers do not fit its extents");
  }
  if (targets == Targets::kUnused || network_.loss == Loss::kSquare) return {};
  const auto classes = static_cast<float>(network_.Outputs());
  for (const float target : rows.targets) {
    if (!(target >= 0 && target < classes && target == std::floor(target))) {
      return Fail(ErrorId::kModelDataMismatch,
                  fmt::format("model: has {} classes, the data has one numbered {}", network_.Outputs(), target));
    }
  }
  return {};
}

Result<Trained> NetworkModel::Train(std::span<float> parameters, const Table& rows, const api::TrainSpec& spec,
                                    const TrainTerms& terms, std::uint64_t seed, std::stop_token stop) const {
  OTE_CHECK(Check(parameters.size(), rows, Targets::kNeeded));
  if (spec.batch_size < 1 || spec.epochs < 1) {
    return Fail(ErrorId::kRunInvalid, "training: batchSize and epochs must be at least 1");
  }
  if (rows.rows < 1) return Fail(ErrorId::kDataTooSmall, "training: no rows");
  const Terms more(terms, parameters);
  const std::int64_t batch = std::min(spec.batch_size, rows.rows);
  const Kernels& kernels = ActiveKernels();
  Workspace workspace(network_, kernels, batch, Purpose::kTraining);
  Optimizer optimizer(network_, kernels, spec, parameters.data());
  OTE_TRY(std::vector<std::uint32_t> order, RowNumbers(rows));

  Trained trained;
  std::int64_t steps = 0;
  for (std::int64_t pass = 0; pass < spec.epochs; ++pass) {
    Random random(PassSeed(seed, pass));
    random.Shuffle(std::span(order));
    double loss = 0;
    for (std::int64_t at = 0; at < rows.rows; at += batch) {
      if (stop.stop_requested()) return Fail(ErrorId::kInterrupted, "training: stopped before it was done");
      const auto size = static_cast<std::size_t>(std::min(batch, rows.rows - at));
      workspace.Load(rows, std::span(order).subspan(static_cast<std::size_t>(at), size));
      workspace.Forward(parameters.data());
      loss += workspace.Slope(terms.class_weights);
      if (!std::isfinite(loss)) {
        return Fail(ErrorId::kTrainingFailed, fmt::format("training: the loss is not finite in pass {}", pass + 1),
                    "try a smaller learningRate, or an inputScale that brings the features near 1");
      }
      workspace.Backward(parameters.data(), optimizer.Gradient());
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

Result<std::vector<float>> NetworkModel::Predict(std::span<const float> parameters, const Table& rows) const {
  OTE_CHECK(Check(parameters.size(), rows, Targets::kUnused));
  std::vector<float> predictions(static_cast<std::size_t>(rows.rows * network_.Outputs()));
  if (rows.rows == 0) return predictions;
  OTE_TRY(const std::vector<std::uint32_t> order, RowNumbers(rows));
  const Kernels& kernels = ActiveKernels();
  const std::int64_t batch = std::min(kEvaluationBatch, rows.rows);
  Workspace workspace(network_, kernels, batch, Purpose::kForward);
  for (std::int64_t at = 0; at < rows.rows; at += batch) {
    const auto size = static_cast<std::size_t>(std::min(batch, rows.rows - at));
    workspace.Load(rows, std::span(order).subspan(static_cast<std::size_t>(at), size));
    const std::span<float> out = workspace.Forward(parameters.data());
    if (network_.loss == Loss::kCrossEntropy) {
      kernels.softmax(out.data(), static_cast<std::int64_t>(size), network_.Outputs());
    }
    std::copy(out.begin(), out.end(), predictions.begin() + at * network_.Outputs());
  }
  return predictions;
}

Result<api::Metrics> NetworkModel::Evaluate(std::span<const float> parameters, const Table& rows) const {
  OTE_CHECK(Check(parameters.size(), rows, Targets::kNeeded));
  api::Metrics metrics;
  metrics.rows = rows.rows;
  if (rows.rows == 0) return metrics;
  OTE_TRY(const std::vector<std::uint32_t> order, RowNumbers(rows));
  const Kernels& kernels = ActiveKernels();
  const std::int64_t batch = std::min(kEvaluationBatch, rows.rows);
  const auto outputs = static_cast<std::size_t>(network_.Outputs());
  const bool classifies = network_.loss == Loss::kCrossEntropy;
  Workspace workspace(network_, kernels, batch, Purpose::kForward);
  double loss = 0;
  std::int64_t hits = 0;
  std::vector<float> scores;  // of class 1, when there are two
  for (std::int64_t at = 0; at < rows.rows; at += batch) {
    const auto begin = static_cast<std::size_t>(at);
    const auto size = static_cast<std::size_t>(std::min(batch, rows.rows - at));
    workspace.Load(rows, std::span(order).subspan(begin, size));
    const std::span<const float> out = workspace.Forward(parameters.data());
    for (std::size_t i = 0; classifies && i < size; ++i) {
      const std::span<const float> row = out.subspan(i * outputs, outputs);
      hits += ArgMax(row) == static_cast<std::int64_t>(rows.targets[begin + i]) ? 1 : 0;
      // The odds order the rows as the probability does, without its rounding near 0 and 1.
      if (outputs == 2) scores.push_back(row[1] - row[0]);
    }
    loss += workspace.Slope();
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

Result<std::unique_ptr<Model>> Make(const api::ModelSpec& spec, const Shape& shape, api::DataTask task) {
  std::vector<std::int64_t> units = {shape.features};
  if (spec.kind == api::ModelKind::kMlp) units.insert(units.end(), spec.hidden.begin(), spec.hidden.end());
  units.push_back(shape.outputs);
  std::int64_t total = 0;
  for (std::size_t i = 0; i + 1 < units.size(); ++i) {
    std::int64_t layer = 0;
    if (units[i + 1] < 1) return Fail(ErrorId::kRunInvalid, "model: hidden must hold numbers above 0");
    if (__builtin_mul_overflow(units[i] + 1, units[i + 1], &layer) || layer > kMaxParameters - total) {
      return Fail(ErrorId::kRunInvalid, fmt::format("model: more than {} parameters", kMaxParameters));
    }
    total += layer;
  }
  Network network = MakeNetwork(units);
  network.activation = spec.activation;
  network.loss = task == api::DataTask::kClassification ? Loss::kCrossEntropy : Loss::kSquare;
  network.input_scale = static_cast<float>(spec.input_scale);
  return std::unique_ptr<Model>(std::make_unique<NetworkModel>(std::move(network)));
}

constexpr ModelSetting kScale = {"inputScale", "every feature is multiplied by it"};

}  // namespace

const ModelInfo kLinearInfo = {.kind = api::ModelKind::kLinear,
                               .summary = "linear regression",
                               .paper = "",
                               .tasks = {api::DataTask::kRegression},
                               .settings = {kScale},
                               .make = Make,
                               .onnx = onnx::WriteNetwork};
const ModelInfo kSoftmaxInfo = {.kind = api::ModelKind::kSoftmax,
                                .summary = "multinomial logistic regression",
                                .paper = "",
                                .tasks = {api::DataTask::kClassification},
                                .settings = {kScale},
                                .make = Make,
                                .onnx = onnx::WriteNetwork};
const ModelInfo kMlpInfo = {.kind = api::ModelKind::kMlp,
                            .summary = "a perceptron with hidden layers",
                            .paper = "",
                            .tasks = {api::DataTask::kClassification, api::DataTask::kRegression},
                            .settings = {kScale,
                                         {"hidden", "units of each hidden layer"},
                                         {"activation", "what follows each hidden layer: relu or tanh"}},
                            .make = Make,
                            .onnx = onnx::WriteNetwork};

}  // namespace ote::learn
