// The convolutional network.
#include <fmt/format.h>

#include <algorithm>

#include "core/learn/convolution.h"
#include "core/learn/models/list.h"
#include "core/learn/onnx/graph.h"

namespace ote::learn {
namespace {

constexpr std::int64_t kMaxParameters = std::int64_t{1} << 31;
// Of the buffers while rows are measured: what stays in a cache. One row may take more.
constexpr std::int64_t kEvaluationFloats = std::int64_t{1} << 20;
constexpr std::int64_t kEvaluationRows = 256;
// Of the buffers of one batch: 16 GiB.
constexpr std::int64_t kMaxFloats = std::int64_t{1} << 32;

class CnnModel final : public GradientModel {
 public:
  explicit CnnModel(const ConvNetwork& network, std::int64_t inputs)
      : GradientModel({.layout = LayoutOf(network),
                       .decayed = DecayedBy(network),
                       .inputs = inputs,
                       .outputs = network.head.Outputs(),
                       .loss = network.head.loss,
                       .evaluation_batch = std::clamp<std::int64_t>(
                           kEvaluationFloats / WorkingFloats(network, 1, Purpose::kForward), 1, kEvaluationRows)}),
        network_(network) {}

  std::vector<float> Init(std::uint64_t seed) const override { return InitParameters(network_, seed); }

 private:
  Result<std::unique_ptr<Pass>> MakePass(const Kernels& kernels, std::int64_t rows, Purpose purpose) const override {
    const std::int64_t floats = WorkingFloats(network_, rows, purpose);
    if (floats > kMaxFloats) {
      return Fail(ErrorId::kUnsupported,
                  fmt::format("training: a batch of {} rows would take {} GiB", rows, floats >> 28),
                  "set a smaller training.batchSize, or fewer model.filters");
    }
    return std::make_unique<ConvWorkspace>(network_, kernels, rows, purpose);
  }

  ConvNetwork network_;
};

Result<std::unique_ptr<Model>> Make(const api::ModelSpec& spec, const Shape& shape, api::DataTask task) {
  OTE_CHECK(api::Validate(spec));
  const std::int64_t pixels = spec.image[0] * spec.image[1] * spec.image[2];
  if (pixels != shape.features) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("model.image: {} x {} x {} is {} features, the data has {}", spec.image[0], spec.image[1],
                            spec.image[2], pixels, shape.features),
                "set model.image to the channels, height and width of a row");
  }
  ConvNetwork network;
  std::int64_t at = 0;
  std::int64_t channels = spec.image[0];
  std::int64_t height = spec.image[1];
  std::int64_t width = spec.image[2];
  for (const std::int64_t filters : spec.filters) {
    Stage stage;
    stage.shape = MakeConvShape(channels, filters, height, width, spec.kernel);
    stage.pool = spec.pool;
    stage.groups = spec.norm == api::Normalization::kGroup ? spec.groups : 0;
    stage.weight = at;
    stage.bias = at + filters * channels * spec.kernel * spec.kernel;
    stage.gamma = stage.bias + filters;
    stage.beta = stage.gamma + (stage.groups > 0 ? filters : 0);
    at = stage.beta + (stage.groups > 0 ? filters : 0);
    network.stages.push_back(stage);
    channels = filters;
    height /= spec.pool;
    width /= spec.pool;
  }
  std::vector<std::int64_t> units = {channels * height * width};
  units.insert(units.end(), spec.hidden.begin(), spec.hidden.end());
  units.push_back(shape.outputs);
  std::int64_t total = at;
  for (std::size_t i = 0; i + 1 < units.size(); ++i) {
    std::int64_t layer = 0;
    if (__builtin_mul_overflow(units[i] + 1, units[i + 1], &layer) || layer > kMaxParameters - total) {
      return Fail(ErrorId::kRunInvalid, fmt::format("model: more than {} parameters", kMaxParameters));
    }
    total += layer;
  }
  network.head = MakeNetwork(units, at);
  network.head.activation = spec.activation;
  network.head.loss = task == api::DataTask::kClassification ? Loss::kCrossEntropy : Loss::kSquare;
  network.head.input_scale = static_cast<float>(spec.input_scale);
  network.head.dropout = spec.dropout;
  return std::unique_ptr<Model>(std::make_unique<CnnModel>(network, shape.features));
}

}  // namespace

const ModelInfo kCnnInfo = {
    .kind = api::ModelKind::kCnn,
    .summary = "a convolutional network, for images",
    .paper = "Wu and He 2018",
    .tasks = {api::DataTask::kClassification, api::DataTask::kRegression},
    .settings = {{"inputScale", "every feature is multiplied by it"},
                 {"image", "channels, height and width; a row holds them channel by channel, row by row"},
                 {"filters", "of each convolution"},
                 {"kernel", "side of a filter, odd"},
                 {"norm", "what follows each convolution: group or none"},
                 {"groups", "of channels that are normalised together"},
                 {"activation", "what follows: relu or tanh"},
                 {"pool", "side of the max pooling that follows; 1 for none"},
                 {"hidden", "units of each fully connected layer before the last; may be empty"},
                 {"dropout", "part of the last layer's inputs that a training step leaves out"}},
    .make = Make,
    .onnx = onnx::WriteConvolution};

}  // namespace ote::learn
