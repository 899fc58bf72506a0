// The convolutional network against a naive one in double, and against PyTorch (test/vectors/make_cnn_vectors.py).
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/learn/convolution.h"
#include "learn_fixture.h"

using namespace ote;
using namespace ote::learn;
using api::DataTask;

namespace {

using Doubles = std::vector<double>;

api::ModelSpec Cnn(std::vector<std::int64_t> image, std::vector<std::int64_t> filters,
                   std::vector<std::int64_t> hidden) {
  api::ModelSpec spec;
  spec.kind = api::ModelKind::kCnn;
  spec.image = std::move(image);
  spec.filters = std::move(filters);
  spec.hidden = std::move(hidden);
  spec.groups = 2;
  return spec;
}

std::unique_ptr<Model> Make(const api::ModelSpec& spec, std::int64_t outputs) {
  const Shape shape{spec.image[0] * spec.image[1] * spec.image[2], outputs};
  auto model = MakeModel(spec, shape, outputs > 1 ? DataTask::kClassification : DataTask::kRegression);
  REQUIRE(model);
  return std::move(*model);
}

double& At(Doubles& values, std::int64_t i) { return values[static_cast<std::size_t>(i)]; }
double At(const Doubles& values, std::int64_t i) { return values[static_cast<std::size_t>(i)]; }

// One image by loops, as the definitions say: convolution with zeros around, group normalisation, activation, pooling.
Doubles NaiveStage(const Stage& stage, api::Activation activation, const Doubles& p, const Doubles& in) {
  const ConvShape& s = stage.shape;
  Doubles z(static_cast<std::size_t>(s.filters * s.height * s.width));
  const auto pixel = [&](std::int64_t c, std::int64_t y, std::int64_t x) {
    const bool inside = y >= 0 && y < s.height && x >= 0 && x < s.width;
    return inside ? At(in, (c * s.height + y) * s.width + x) : 0.0;
  };
  const std::int64_t margin = s.side / 2;
  for (std::int64_t f = 0; f < s.filters; ++f) {
    for (std::int64_t y = 0; y < s.height; ++y) {
      for (std::int64_t x = 0; x < s.width; ++x) {
        double sum = At(p, stage.bias + f);
        for (std::int64_t c = 0; c < s.channels; ++c) {
          for (std::int64_t dy = 0; dy < s.side; ++dy) {
            for (std::int64_t dx = 0; dx < s.side; ++dx) {
              sum += At(p, stage.weight + ((f * s.channels + c) * s.side + dy) * s.side + dx) *
                     pixel(c, y + dy - margin, x + dx - margin);
            }
          }
        }
        At(z, (f * s.height + y) * s.width + x) = sum;
      }
    }
  }
  const std::int64_t area = s.height * s.width;
  if (stage.groups > 0) {
    const std::int64_t count = s.filters / stage.groups * area;
    for (std::int64_t g = 0; g < stage.groups; ++g) {
      double mean = 0;
      double variance = 0;
      for (std::int64_t i = g * count; i < (g + 1) * count; ++i) mean += At(z, i) / static_cast<double>(count);
      for (std::int64_t i = g * count; i < (g + 1) * count; ++i) {
        variance += std::pow(At(z, i) - mean, 2) / static_cast<double>(count);
      }
      for (std::int64_t i = g * count; i < (g + 1) * count; ++i) {
        At(z, i) = At(p, stage.gamma + i / area) * (At(z, i) - mean) / std::sqrt(variance + 1e-5) +
                   At(p, stage.beta + i / area);
      }
    }
  }
  Doubles out;
  for (std::int64_t f = 0; f < s.filters; ++f) {
    for (std::int64_t y = 0; y < s.height / stage.pool; ++y) {
      for (std::int64_t x = 0; x < s.width / stage.pool; ++x) {
        double best = -1e300;
        for (std::int64_t k = 0; k < stage.pool * stage.pool; ++k) {
          const std::int64_t row = y * stage.pool + k / stage.pool;
          const double v = At(z, (f * s.height + row) * s.width + x * stage.pool + k % stage.pool);
          best = std::max(best, activation == api::Activation::kRelu ? std::max(v, 0.0) : std::tanh(v));
        }
        out.push_back(best);
      }
    }
  }
  return out;
}

// Logits or values of one row.
Doubles NaiveRow(const ConvNetwork& network, const Doubles& p, std::span<const float> row) {
  Doubles a;
  for (const float x : row) a.push_back(static_cast<double>(network.head.input_scale * x));
  for (const Stage& stage : network.stages) a = NaiveStage(stage, network.head.activation, p, a);
  for (std::size_t l = 0; l < network.head.layers.size(); ++l) {
    const Layer& layer = network.head.layers[l];
    Doubles z;
    for (std::int64_t o = 0; o < layer.outputs; ++o) {
      double sum = At(p, layer.bias + o);
      for (std::int64_t i = 0; i < layer.inputs; ++i) sum += At(p, layer.weight + o * layer.inputs + i) * At(a, i);
      if (l + 1 < network.head.layers.size()) {
        sum = network.head.activation == api::Activation::kRelu ? std::max(sum, 0.0) : std::tanh(sum);
      }
      z.push_back(sum);
    }
    a = z;
  }
  return a;
}

double NaiveLoss(const ConvNetwork& network, const Doubles& p, const Table& table) {
  double loss = 0;
  for (std::int64_t r = 0; r < table.rows; ++r) {
    const Doubles a = NaiveRow(network, p, table.Row(r));
    const float target = table.targets[static_cast<std::size_t>(r)];
    if (network.head.loss == Loss::kSquare) {
      loss += std::pow(a[0] - static_cast<double>(target), 2);
    } else {
      double sum = 0;
      for (const double z : a) sum += std::exp(z);
      loss += std::log(sum) - a[static_cast<std::size_t>(target)];
    }
  }
  return loss / static_cast<double>(table.rows);
}

struct Extents {
  std::vector<std::int64_t> image;
  std::vector<std::int64_t> filters;
  std::int64_t side, pool, groups;
  std::vector<std::int64_t> hidden;
  std::int64_t outputs;
  api::Activation activation;
};
const Extents kExtents[] = {
    {{1, 6, 6}, {4}, 3, 2, 2, {}, 3, api::Activation::kTanh},
    {{2, 6, 7}, {4, 6}, 3, 2, 2, {5}, 3, api::Activation::kTanh},
    {{2, 9, 5}, {8, 3}, 3, 1, 1, {4}, 2, api::Activation::kRelu},
    {{3, 8, 8}, {13, 5}, 5, 2, 0, {}, 1, api::Activation::kTanh},
    {{1, 20, 30}, {15}, 7, 4, 3, {3}, 1, api::Activation::kRelu},
    {{5, 4, 3}, {2}, 1, 3, 1, {}, 4, api::Activation::kTanh},
    {{1, 1, 1}, {1, 2}, 3, 1, 0, {2}, 2, api::Activation::kTanh},
};

ConvNetwork NetworkOf(const Extents& e) {
  ConvNetwork network;
  std::int64_t at = 0;
  std::int64_t channels = e.image[0];
  std::int64_t height = e.image[1];
  std::int64_t width = e.image[2];
  for (const std::int64_t filters : e.filters) {
    Stage stage;
    stage.shape = MakeConvShape(channels, filters, height, width, e.side);
    stage.pool = e.pool;
    stage.groups = e.groups;
    stage.weight = at;
    stage.bias = at + filters * channels * e.side * e.side;
    stage.gamma = stage.bias + filters;
    stage.beta = stage.gamma + (e.groups > 0 ? filters : 0);
    at = stage.beta + (e.groups > 0 ? filters : 0);
    network.stages.push_back(stage);
    channels = filters;
    height /= e.pool;
    width /= e.pool;
  }
  std::vector<std::int64_t> units = {channels * height * width};
  units.insert(units.end(), e.hidden.begin(), e.hidden.end());
  units.push_back(e.outputs);
  network.head = MakeNetwork(units, at);
  network.head.activation = e.activation;
  network.head.loss = e.outputs == 1 ? Loss::kSquare : Loss::kCrossEntropy;
  network.head.input_scale = 0.5f;
  return network;
}

std::vector<float> ParametersOf(const ConvNetwork& network) {
  auto p = Noise(network.head.Parameters(), 6, 0.4);
  for (const Stage& stage : network.stages) {
    for (std::int64_t f = 0; stage.groups > 0 && f < stage.shape.filters; ++f) {
      p[static_cast<std::size_t>(stage.gamma + f)] += 1;
    }
  }
  return p;
}

}  // namespace

TEST_CASE("a convolutional network agrees with loops in double, on every kernel") {
  for (const Extents& e : kExtents) {
    const ConvNetwork network = NetworkOf(e);
    const Table table = Clouds(9, e.image[0] * e.image[1] * e.image[2], e.outputs == 1 ? 0 : e.outputs, 5);
    const auto parameters = ParametersOf(network);
    const Doubles p(parameters.begin(), parameters.end());
    for (const Kernels* kernels : RunnableKernels()) {
      INFO(kernels->name << ", " << e.image[1] << " by " << e.image[2]);
      ConvWorkspace workspace(network, *kernels, 11, Purpose::kForward);
      const std::vector<std::uint32_t> index = {8, 1, 2, 3, 4, 5, 6, 7, 0};
      workspace.Load(table, index);
      const std::span<float> out = workspace.Forward(parameters.data());
      REQUIRE(out.size() == index.size() * static_cast<std::size_t>(e.outputs));
      for (std::size_t r = 0; r < index.size(); ++r) {
        const Doubles want = NaiveRow(network, p, table.Row(index[r]));
        for (std::size_t o = 0; o < want.size(); ++o) {
          CHECK(static_cast<double>(out[r * want.size() + o]) == Approx(want[o]).epsilon(2e-5).margin(2e-5));
        }
      }
    }
  }
}

TEST_CASE("gradients of a convolutional network are the central differences of the loss") {
  for (const Extents& e : kExtents) {
    const ConvNetwork network = NetworkOf(e);
    const Table table = Clouds(9, e.image[0] * e.image[1] * e.image[2], e.outputs == 1 ? 0 : e.outputs, 5);
    const auto parameters = ParametersOf(network);
    Doubles p(parameters.begin(), parameters.end());
    // Every parameter of small networks, some of each tensor of large ones.
    const std::size_t stride = p.size() > 200 ? 37 : 1;
    Doubles want(p.size());
    for (std::size_t i = 0; i < p.size(); i += stride) {
      constexpr double kStep = 1e-6;
      const double kept = p[i];
      p[i] = kept + kStep;
      const double above = NaiveLoss(network, p, table);
      p[i] = kept - kStep;
      want[i] = (above - NaiveLoss(network, p, table)) / (2 * kStep);
      p[i] = kept;
    }
    for (const Kernels* kernels : RunnableKernels()) {
      INFO(kernels->name << ", " << e.image[1] << " by " << e.image[2]);
      ConvWorkspace workspace(network, *kernels, 11, Purpose::kTraining);
      const std::vector<std::uint32_t> index = {0, 1, 2, 3, 4, 5, 6, 7, 8};
      // The first pass leaves what a second one might trip over.
      for (int pass = 0; pass < 2; ++pass) {
        workspace.Load(table, index);
        workspace.Forward(parameters.data());
        CHECK(workspace.Slope() / 9 == Approx(NaiveLoss(network, p, table)).epsilon(1e-5));
        std::vector<float> gradient(parameters.size());
        workspace.Backward(parameters.data(), gradient.data());
        for (std::size_t i = 0; i < p.size(); i += stride) {
          INFO("parameter " << i);
          CHECK(static_cast<double>(gradient[i]) == Approx(want[i]).epsilon(1e-3).margin(5e-5));
        }
      }
    }
  }
}

TEST_CASE("a convolutional network follows PyTorch step by step") {
  std::ifstream file(std::string(OTE_SOURCE_DIR) + "/test/vectors/cnn.json");
  REQUIRE(file);
  for (const auto& vector : nlohmann::json::parse(file)) {
    INFO(vector["name"].get<std::string>());
    api::ModelSpec spec = Cnn(vector["image"], vector["filters"], vector["hidden"]);
    spec.kernel = vector["kernel"];
    spec.pool = vector["pool"];
    spec.activation = vector["activation"] == "relu" ? api::Activation::kRelu : api::Activation::kTanh;
    if (vector["groups"] == 0) {
      spec.norm = api::Normalization::kNone;
    } else {
      spec.groups = vector["groups"];
    }
    const std::int64_t outputs = vector["outputs"];
    const auto model = Make(spec, outputs);
    Layout layout;
    for (const auto& tensor : vector["layout"]) {
      layout.push_back({tensor[0].get<std::string>(), tensor[1].get<std::vector<std::int64_t>>()});
    }
    CHECK(model->GetLayout() == layout);
    Table table;
    table.rows = vector["rows"];
    table.columns = spec.image[0] * spec.image[1] * spec.image[2];
    table.features = vector["features"].get<std::vector<float>>();
    table.targets = vector["targets"].get<std::vector<float>>();
    api::TrainSpec training;
    training.optimizer = vector["optimizer"] == "adam" ? api::OptimizerKind::kAdam : api::OptimizerKind::kSgd;
    training.learning_rate = vector["learning_rate"];
    training.l2 = vector["l2"];
    training.epochs = vector["epochs"];
    training.batch_size = table.rows;
    auto p = vector["start"].get<std::vector<float>>();
    const auto predictions = model->Predict(p, table);
    REQUIRE(predictions);
    const auto want = vector["predictions"].get<Doubles>();
    REQUIRE(predictions->size() == want.size());
    for (std::size_t i = 0; i < want.size(); ++i)
      CHECK(static_cast<double>((*predictions)[i]) == Approx(want[i]).epsilon(2e-5).margin(2e-6));
    const auto trained = model->Train(p, table, training, {}, 1, {});
    REQUIRE(trained);
    CHECK(trained->loss == Approx(vector["loss"].get<double>()).epsilon(1e-5));
    const auto end = vector["end"].get<Doubles>();
    for (std::size_t i = 0; i < end.size(); ++i) {
      INFO("parameter " << i);
      CHECK(static_cast<double>(p[i]) == Approx(end[i]).epsilon(1e-4).margin(1e-5));
    }
    CHECK(*model->Evaluate(p, table)->loss == Approx(vector["final_loss"].get<double>()).epsilon(1e-4));
  }
}

TEST_CASE("a convolutional network trains to the same bits at every call, with dropout too") {
  const Table table = Clouds(75, 2 * 8 * 8, 3, 1);
  api::ModelSpec spec = Cnn({2, 8, 8}, {4, 6}, {7});
  const auto trained = [&](double dropout, std::uint64_t seed) {
    spec.dropout = dropout;
    const auto model = Make(spec, 3);
    api::TrainSpec training;
    training.epochs = 3;
    training.batch_size = 16;
    auto p = model->Init(4);
    REQUIRE(model->Train(p, table, training, {}, seed, {}));
    return p;
  };
  for (const double dropout : {0.0, 0.4}) {
    CHECK(trained(dropout, 7) == trained(dropout, 7));
    CHECK(trained(dropout, 7) != trained(dropout, 8));
  }
  CHECK(trained(0.4, 7) != trained(0, 7));
}

TEST_CASE("dropout leaves out its part, keeps the mean, and is for training only") {
  for (const Kernels* kernels : RunnableKernels()) {
    constexpr std::int64_t kCount = 20'000;
    const std::vector<float> x(kCount, 1.0f);
    std::vector<float> out(kCount);
    kernels->dropout(x.data(), out.data(), kCount, 5, static_cast<std::uint32_t>(0.25 * 4294967296.0), 1 / 0.75f);
    const auto gone = std::count(out.begin(), out.end(), 0.0f);
    CHECK(static_cast<double>(gone) / kCount == Approx(0.25).margin(0.01));
    CHECK(std::count(out.begin(), out.end(), 1 / 0.75f) == kCount - gone);
    auto again = x;
    kernels->dropout(again.data(), again.data(), kCount, 5, static_cast<std::uint32_t>(0.25 * 4294967296.0), 1 / 0.75f);
    CHECK(again == out);
  }
  const Table table = Clouds(20, 36, 3, 1);
  api::ModelSpec spec = Cnn({1, 6, 6}, {4}, {});
  const auto without = Make(spec, 3);
  spec.dropout = 0.5;
  const auto with = Make(spec, 3);
  const auto p = without->Init(1);
  CHECK(*with->Predict(p, table) == *without->Predict(p, table));
  CHECK(*with->Evaluate(p, table)->loss == *without->Evaluate(p, table)->loss);
}

TEST_CASE("what dropout left out has no gradient, and the rest has that of the loss with the rest alone") {
  Network network = MakeNetwork(std::vector<std::int64_t>{4, 8, 3});
  network.activation = api::Activation::kTanh;
  network.dropout = 0.5;
  const Table table = Clouds(5, 4, 3, 2);
  const auto parameters = Noise(network.Parameters(), 3, 0.5);
  const std::vector<std::uint32_t> index = {0, 1, 2, 3, 4};
  const Kernels& kernels = *RunnableKernels().back();
  Workspace workspace(network, kernels, 5, Purpose::kTraining);
  const auto loss = [&](const std::vector<float>& p) {
    workspace.Load(table, index, 99);
    workspace.Forward(p.data());
    return workspace.Slope() / 5;
  };
  loss(parameters);
  std::vector<float> gradient(parameters.size());
  workspace.Backward(parameters.data(), gradient.data());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    auto p = parameters;
    constexpr float kStep = 1e-2f;
    p[i] += kStep;
    const double above = loss(p);
    p[i] = parameters[i] - kStep;
    CHECK(static_cast<double>(gradient[i]) == Approx((above - loss(p)) / 0.02).margin(2e-3));
  }
}

TEST_CASE("frozen convolutions stay, and weight decay spares biases and normalisation") {
  const Table table = Clouds(40, 36, 2, 3);
  const auto model = Make(Cnn({1, 6, 6}, {4}, {5}), 2);
  const Layout& layout = model->GetLayout();
  const std::int64_t conv = layout[0].Count() + layout[1].Count();
  const auto start = model->Init(2);
  api::TrainSpec training;
  TrainTerms terms;
  terms.frozen = {{0, conv}};
  auto p = start;
  REQUIRE(model->Train(p, table, training, terms, 1, {}));
  CHECK(std::equal(p.begin(), p.begin() + conv, start.begin()));
  CHECK_FALSE(std::equal(p.begin() + conv, p.end(), start.begin() + conv));

  // With a learning rate that all but vanishes, one step of one batch moves by the decay alone where there is any.
  training.l2 = 1000;
  training.learning_rate = 1e-6;
  training.batch_size = 40;
  p = start;
  REQUIRE(model->Train(p, table, training, {}, 1, {}));
  std::size_t at = 0;
  for (const TensorInfo& tensor : layout) {
    const bool decays = tensor.name.ends_with("weight") && !tensor.name.starts_with("norm");
    for (std::int64_t i = 0; i < tensor.Count(); ++i, ++at) {
      const double want = static_cast<double>(start[at]) * (decays ? 1 - 1e-3 : 1);
      CHECK(static_cast<double>(p[at]) == Approx(want).margin(2e-5));
    }
  }
}

TEST_CASE("fresh convolutions have the width of He, and normalisation begins as the identity") {
  api::ModelSpec spec = Cnn({3, 8, 8}, {64, 64}, {10});
  const auto model = Make(spec, 4);
  const auto p = model->Init(3);
  CHECK(p != model->Init(4));
  std::size_t at = 0;
  for (const TensorInfo& tensor : model->GetLayout()) {
    const auto count = static_cast<std::size_t>(tensor.Count());
    const std::span<const float> values = std::span(p).subspan(at, count);
    at += count;
    if (tensor.name.ends_with("bias") || tensor.name.starts_with("norm")) {
      const float want = tensor.name.ends_with("bias") ? 0.0f : 1.0f;
      CHECK(std::all_of(values.begin(), values.end(), [&](float v) { return v == want; }));
    } else if (tensor.name.starts_with("conv")) {
      double square = 0;
      for (const float v : values) square += static_cast<double>(v * v);
      const auto fan = static_cast<double>(tensor.shape[1] * 9);
      CHECK(square / static_cast<double>(count) == Approx(2 / fan).epsilon(0.1));
    }
  }
}

TEST_CASE("a convolutional network learns where a bar lies, for any size of the last batch") {
  Random random(1);
  Table table;
  table.rows = 240;
  table.columns = 64;
  for (std::int64_t r = 0; r < table.rows; ++r) {
    const bool upright = r % 2 == 0;
    const auto place = static_cast<std::int64_t>(random.Below(8));
    for (std::int64_t i = 0; i < 64; ++i) {
      const bool on = (upright ? i % 8 : i / 8) == place;
      table.features.push_back(static_cast<float>((on ? 1 : 0) + 0.3 * random.Normal()));
    }
    table.targets.push_back(upright ? 1 : 0);
  }
  table.class_names = {"0", "1"};
  const auto model = Make(Cnn({1, 8, 8}, {4, 8}, {}), 2);
  for (const std::int64_t batch : {16, 17, 100}) {
    api::TrainSpec training;
    training.batch_size = batch;
    training.learning_rate = 0.02;
    training.epochs = batch == 100 ? 40 : 6;
    auto p = model->Init(1);
    REQUIRE(model->Train(p, table, training, {}, 1, {}));
    CHECK(*model->Evaluate(p, table)->accuracy > 0.97);
  }
}

TEST_CASE("a convolutional network that cannot be is refused with what to change") {
  const auto refused = [](const api::ModelSpec& spec, std::int64_t features) {
    const auto model = MakeModel(spec, {features, 3}, DataTask::kClassification);
    REQUIRE_FALSE(model);
    CHECK(model.error().id == ErrorId::kRunInvalid);
    return model.error().message;
  };
  api::ModelSpec spec = Cnn({3, 8, 8}, {4}, {});
  CHECK(refused(spec, 100) == "model.image: 3 x 8 x 8 is 192 features, the data has 100");
  spec.norm = api::Normalization::kBatch;
  CHECK_THAT(refused(spec, 192), Catch::Contains("batch normalisation does not federate"));
  spec.norm = api::Normalization::kGroup;
  spec.groups = 3;
  CHECK_THAT(refused(spec, 192), Catch::Contains("3 does not divide the 4 filters"));
  spec.groups = 2;
  spec.kernel = 4;
  CHECK_THAT(refused(spec, 192), Catch::Contains("an odd number, not 4"));
  spec.kernel = 3;
  spec.filters = {4, 4, 4, 4};
  CHECK_THAT(refused(spec, 192), Catch::Contains("nothing is left"));
  spec.filters = {4};
  spec.hidden = {65536, 65536};
  CHECK_THAT(refused(spec, 192), Catch::Contains("more than 2147483648 parameters"));

  // A batch for which there is no memory is refused before any is asked for.
  api::ModelSpec large = Cnn({1, 64, 64}, {4096}, {});
  large.pool = 8;
  const Table table = Clouds(256, 64 * 64, 2, 1);
  const auto model = Make(large, 2);
  auto p = model->Init(1);
  api::TrainSpec training;
  training.batch_size = 256;
  const auto trained = model->Train(p, table, training, {}, 1, {});
  REQUIRE_FALSE(trained);
  CHECK(trained.error().id == ErrorId::kUnsupported);
  CHECK_THAT(trained.error().message, Catch::Contains("a batch of 256 rows"));
}
