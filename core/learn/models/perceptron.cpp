// The linear models and the perceptron: fully connected layers, trained by mini-batches.
#include <fmt/format.h>

#include "core/learn/descent.h"
#include "core/learn/models/list.h"
#include "core/learn/network.h"
#include "core/learn/onnx/graph.h"

namespace ote::learn {
namespace {

constexpr std::int64_t kMaxParameters = std::int64_t{1} << 31;

class NetworkModel final : public GradientModel {
 public:
  explicit NetworkModel(const Network& network)
      : GradientModel({.layout = LayoutOf(network),
                       .decayed = DecayedBy(network),
                       .inputs = network.Inputs(),
                       .outputs = network.Outputs(),
                       .loss = network.loss}),
        network_(network) {}

  std::vector<float> Init(std::uint64_t seed) const override {
    std::vector<float> parameters(static_cast<std::size_t>(network_.Parameters()));
    InitWeights(network_, seed, 0, parameters);
    return parameters;
  }

 private:
  Result<std::unique_ptr<Pass>> MakePass(const Kernels& kernels, std::int64_t rows, Purpose purpose) const override {
    return std::make_unique<Workspace>(network_, kernels, rows, purpose);
  }

  Network network_;
};

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
