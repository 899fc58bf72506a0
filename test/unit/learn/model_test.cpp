#include "core/learn/model.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/learn/metrics.h"
#include "core/learn/network.h"
#include "learn_fixture.h"

using namespace ote;
using namespace ote::learn;
using api::DataTask;
using api::ModelKind;

namespace {

std::unique_ptr<Model> Make(const api::ModelSpec& spec, const Table& table) {
  const bool classes = !table.class_names.empty();
  const Shape shape{table.columns, classes ? static_cast<std::int64_t>(table.class_names.size()) : 1};
  auto model = MakeModel(spec, shape, classes ? DataTask::kClassification : DataTask::kRegression);
  REQUIRE(model);
  return std::move(*model);
}

api::ModelSpec Mlp(std::vector<std::int64_t> hidden, api::Activation activation = api::Activation::kRelu) {
  api::ModelSpec spec;
  spec.kind = ModelKind::kMlp;
  spec.hidden = std::move(hidden);
  spec.activation = activation;
  return spec;
}

// The loss in double, by loops: what the gradients are checked against.
double NaiveLoss(const Network& network, const std::vector<double>& p, const Table& table) {
  double loss = 0;
  for (std::int64_t r = 0; r < table.rows; ++r) {
    std::vector<double> a;
    for (const float x : table.Row(r)) a.push_back(static_cast<double>(network.input_scale * x));
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      const Layer& layer = network.layers[l];
      std::vector<double> z;
      for (std::int64_t o = 0; o < layer.outputs; ++o) {
        double sum = p[static_cast<std::size_t>(layer.bias + o)];
        for (std::int64_t i = 0; i < layer.inputs; ++i) {
          sum += p[static_cast<std::size_t>(layer.weight + o * layer.inputs + i)] * a[static_cast<std::size_t>(i)];
        }
        if (l + 1 < network.layers.size()) {
          sum = network.activation == api::Activation::kRelu ? std::max(sum, 0.0) : std::tanh(sum);
        }
        z.push_back(sum);
      }
      a = z;
    }
    const float target = table.targets[static_cast<std::size_t>(r)];
    if (network.loss == Loss::kSquare) {
      loss += std::pow(a[0] - static_cast<double>(target), 2);
    } else {
      double sum = 0;
      for (const double z : a) sum += std::exp(z);
      loss += std::log(sum) - a[static_cast<std::size_t>(target)];
    }
  }
  return loss / static_cast<double>(table.rows);
}

}  // namespace

TEST_CASE("gradients are the central differences of the loss") {
  struct Case {
    std::vector<std::int64_t> units;
    api::Activation activation;
    Loss loss;
  };
  const Case cases[] = {{{4, 3}, api::Activation::kRelu, Loss::kCrossEntropy},
                        {{4, 1}, api::Activation::kRelu, Loss::kSquare},
                        {{4, 6, 3}, api::Activation::kTanh, Loss::kCrossEntropy},
                        {{4, 5, 6, 3}, api::Activation::kRelu, Loss::kCrossEntropy},
                        {{4, 5, 1}, api::Activation::kTanh, Loss::kSquare}};
  for (const Case& c : cases) {
    for (const Kernels* kernels : RunnableKernels()) {
      INFO(kernels->name << ", " << c.units.size() << " layers");
      const Table table = Clouds(9, 4, c.loss == Loss::kSquare ? 0 : 3, 5);
      Network network = MakeNetwork(c.units);
      network.activation = c.activation;
      network.loss = c.loss;
      network.input_scale = 0.5f;
      const auto parameters = Noise(network.Parameters(), 6, 0.4);
      Workspace workspace(network, *kernels, 16, Purpose::kTraining);
      std::vector<std::uint32_t> index = {0, 1, 2, 3, 4, 5, 6, 7, 8};
      workspace.Load(table, index);
      workspace.Forward(parameters.data());
      std::vector<double> p(parameters.begin(), parameters.end());
      CHECK(workspace.Slope() / 9 == Approx(NaiveLoss(network, p, table)).epsilon(1e-5));
      std::vector<float> gradient(parameters.size());
      workspace.Backward(parameters.data(), gradient.data());
      for (std::size_t i = 0; i < p.size(); ++i) {
        constexpr double kStep = 1e-5;
        const double kept = p[i];
        p[i] = kept + kStep;
        const double above = NaiveLoss(network, p, table);
        p[i] = kept - kStep;
        const double below = NaiveLoss(network, p, table);
        p[i] = kept;
        CHECK(static_cast<double>(gradient[i]) == Approx((above - below) / (2 * kStep)).epsilon(1e-3).margin(2e-5));
      }
    }
  }
}

TEST_CASE("training is the same bit for bit at every call, and another with another seed") {
  const Table table = Clouds(300, 8, 3, 1);
  const auto model = Make(Mlp({16, 8}), table);
  for (const auto optimizer : {api::OptimizerKind::kSgd, api::OptimizerKind::kAdam}) {
    api::TrainSpec spec;
    spec.optimizer = optimizer;
    spec.l2 = 1e-3;
    spec.epochs = 3;
    spec.batch_size = 37;
    std::vector<std::vector<float>> results;
    for (std::size_t shift = 0; shift < 3; ++shift) {
      const auto start = model->Init(4);
      std::vector<float> buffer(start.size() + 3);  // elsewhere in memory
      const std::span<float> parameters = std::span(buffer).subspan(shift, start.size());
      std::copy(start.begin(), start.end(), parameters.begin());
      REQUIRE(model->Train(parameters, table, spec, {}, 7, {}));
      results.emplace_back(parameters.begin(), parameters.end());
    }
    CHECK(results[0] == results[1]);
    CHECK(results[0] == results[2]);
    auto other = model->Init(4);
    REQUIRE(model->Train(other, table, spec, {}, 8, {}));
    CHECK(other != results[0]);
  }
}

TEST_CASE("the last batch of a pass may have any size") {
  // The kernels' blocking may want more room for a smaller batch: a sanitizer sees it when it does not get it.
  for (const std::int64_t batch : {16, 37, 64}) {
    for (const Kernels* kernels : RunnableKernels()) {
      for (std::int64_t rows = 1; rows < batch; ++rows)
        CHECK(kernels->scratch(rows, 64, 10) <= kernels->scratch(batch, 64, 10));
    }
    api::TrainSpec spec;
    spec.batch_size = batch;
    for (std::int64_t rest = 0; rest < batch; ++rest) {
      const Table table = Clouds(batch + rest, 64, 10, 3);
      const auto model = Make(Mlp({64}), table);
      auto parameters = model->Init(1);
      CHECK(model->Train(parameters, table, spec, {}, 2, {}));
    }
  }
}

TEST_CASE("each kind of model learns what it can") {
  api::TrainSpec spec;
  spec.epochs = 60;
  SECTION("softmax regression separates clouds") {
    const Table table = Clouds(400, 6, 4, 2);
    api::ModelSpec kind;
    kind.kind = ModelKind::kSoftmax;
    const auto model = Make(kind, table);
    auto p = model->Init(1);
    REQUIRE(model->Train(p, table, spec, {}, 1, {}));
    CHECK(*model->Evaluate(p, table)->accuracy > 0.9);
    CHECK_FALSE(model->Evaluate(p, table)->auc);
  }
  SECTION("linear regression finds the coefficients") {
    const Table table = Clouds(400, 6, 0, 3);
    api::ModelSpec kind;
    kind.kind = ModelKind::kLinear;
    const auto model = Make(kind, table);
    auto p = model->Init(1);
    REQUIRE(model->Train(p, table, spec, {}, 1, {}));
    const auto metrics = model->Evaluate(p, table);
    CHECK(*metrics->rmse < 0.03);
    CHECK(*metrics->loss == Approx(*metrics->rmse * *metrics->rmse));
    CHECK(static_cast<double>(p[6]) == Approx(0.5).margin(0.01));
    CHECK_FALSE(metrics->accuracy);
  }
  SECTION("a perceptron learns exclusive or, which no line does") {
    Table table;
    table.rows = 4;
    table.columns = 2;
    table.features = {0, 0, 0, 1, 1, 0, 1, 1};
    table.targets = {0, 1, 1, 0};
    table.class_names = {"0", "1"};
    spec.epochs = 800;
    spec.batch_size = 4;
    const auto model = Make(Mlp({8}, api::Activation::kTanh), table);
    auto p = model->Init(1);
    REQUIRE(model->Train(p, table, spec, {}, 1, {}));
    const auto metrics = model->Evaluate(p, table);
    CHECK(*metrics->accuracy == 1.0);
    CHECK(*metrics->auc == 1.0);
    const auto prediction = model->Predict(p, table);
    REQUIRE(prediction->size() == 8);
    for (std::size_t i = 0; i < 4; ++i)
      CHECK((*prediction)[2 * i] + (*prediction)[2 * i + 1] == Approx(1).epsilon(1e-6));
  }
  SECTION("Adam learns too, and L2 keeps the weights small") {
    const Table table = Clouds(400, 6, 4, 2);
    spec.optimizer = api::OptimizerKind::kAdam;
    spec.learning_rate = 0.01;
    const auto model = Make(Mlp({16}), table);
    const auto norm = [&](double l2) {
      spec.l2 = l2;
      auto p = model->Init(1);
      REQUIRE(model->Train(p, table, spec, {}, 1, {}));
      CHECK(*model->Evaluate(p, table)->accuracy > 0.85);
      double sum = 0;
      for (const float value : p) sum += static_cast<double>(value * value);
      return sum;
    };
    CHECK(norm(0.05) < 0.5 * norm(0));
  }
}

TEST_CASE("training tells why it cannot go on") {
  const Table table = Clouds(64, 4, 3, 1);
  const auto model = Make(Mlp({8}), table);
  auto p = model->Init(1);
  api::TrainSpec spec;
  const auto id = [&](const Table& rows, std::stop_token stop = {}) {
    const auto loss = model->Train(p, rows, spec, {}, 1, stop);
    REQUIRE_FALSE(loss);
    return loss.error().id;
  };
  SECTION("stopped") {
    std::stop_source source;
    source.request_stop();
    CHECK(id(table, source.get_token()) == ErrorId::kInterrupted);
  }
  SECTION("diverged") {
    spec.learning_rate = 1e30;
    CHECK(id(table) == ErrorId::kTrainingFailed);
  }
  SECTION("other features") { CHECK(id(Clouds(64, 5, 3, 1)) == ErrorId::kModelDataMismatch); }
  SECTION("more classes") { CHECK(id(Clouds(64, 4, 4, 1)) == ErrorId::kModelDataMismatch); }
  SECTION("no rows") { CHECK(id(Take(table, {})) == ErrorId::kDataTooSmall); }
  SECTION("other parameters") {
    p.pop_back();
    CHECK(id(table) == ErrorId::kModelDataMismatch);
  }
  SECTION("an empty batch") {
    spec.batch_size = 0;
    CHECK(id(table) == ErrorId::kRunInvalid);
  }
}

TEST_CASE("a model that cannot be is refused") {
  const auto id = [](ModelKind kind, Shape shape, DataTask task, std::vector<std::int64_t> hidden = {4}) {
    api::ModelSpec spec;
    spec.kind = kind;
    spec.hidden = std::move(hidden);
    const auto model = MakeModel(spec, shape, task);
    REQUIRE_FALSE(model);
    return model.error().id;
  };
  CHECK(id(ModelKind::kSoftmax, {4, 1}, DataTask::kClassification) == ErrorId::kRunInvalid);
  CHECK(id(ModelKind::kSoftmax, {4, 1}, DataTask::kRegression) == ErrorId::kRunInvalid);
  CHECK(id(ModelKind::kLinear, {4, 3}, DataTask::kClassification) == ErrorId::kRunInvalid);
  CHECK(id(ModelKind::kLinear, {0, 1}, DataTask::kRegression) == ErrorId::kRunInvalid);
  CHECK(id(ModelKind::kMlp, {4, 3}, DataTask::kRegression) == ErrorId::kRunInvalid);
  CHECK(id(ModelKind::kMlp, {4, 3}, DataTask::kClassification, {0}) == ErrorId::kRunInvalid);
  CHECK(id(ModelKind::kMlp, {4, 3}, DataTask::kClassification, {1 << 30, 1 << 30}) == ErrorId::kRunInvalid);
}

TEST_CASE("a layout names its tensors in the order of the buffer, and fresh weights have the width of He and Glorot") {
  Table table = Clouds(10, 200, 3, 1);
  const auto model = Make(Mlp({50}), table);
  const Layout want = {
      {"layers.0.weight", {50, 200}}, {"layers.0.bias", {50}}, {"layers.1.weight", {3, 50}}, {"layers.1.bias", {3}}};
  CHECK(model->GetLayout() == want);
  const auto p = model->Init(3);
  REQUIRE(static_cast<std::int64_t>(p.size()) == TotalCount(want));
  CHECK(p == model->Init(3));
  CHECK(p != model->Init(4));
  double square = 0;
  for (std::size_t i = 0; i < 10000; ++i) square += static_cast<double>(p[i] * p[i]);
  CHECK(square / 10000 == Approx(2.0 / 200).epsilon(0.05));
  CHECK(std::all_of(p.begin() + 10000, p.begin() + 10050, [](float b) { return b == 0; }));
}

TEST_CASE("AUC counts ties as half and needs both classes") {
  CHECK(*Auc(std::vector<float>{0.1f, 0.4f, 0.35f, 0.8f}, std::vector<float>{0, 0, 1, 1}) == Approx(0.75));
  CHECK(*Auc(std::vector<float>{1, 1, 1, 1}, std::vector<float>{0, 1, 0, 1}) == Approx(0.5));
  CHECK(*Auc(std::vector<float>{2, 1}, std::vector<float>{0, 1}) == 0.0);
  CHECK_FALSE(Auc(std::vector<float>{1, 2}, std::vector<float>{1, 1}));
}

TEST_CASE("logistic regression, Adam and momentum follow numpy step by step") {
  std::ifstream file(std::string(OTE_SOURCE_DIR) + "/test/vectors/learn.json");
  REQUIRE(file);
  const auto vectors = nlohmann::json::parse(file);
  for (const auto& vector : vectors) {
    INFO(vector["name"].get<std::string>());
    Table table;
    table.rows = vector["rows"];
    table.columns = vector["columns"];
    table.features = vector["features"].get<std::vector<float>>();
    table.targets = vector["targets"].get<std::vector<float>>();
    const std::int64_t outputs = vector["outputs"];
    for (std::int64_t c = 0; outputs > 1 && c < outputs; ++c) table.class_names.push_back(std::to_string(c));
    api::ModelSpec kind = Mlp(vector["hidden"].get<std::vector<std::int64_t>>(), api::Activation::kTanh);
    if (kind.hidden.empty()) kind.kind = outputs > 1 ? ModelKind::kSoftmax : ModelKind::kLinear;
    const auto model = Make(kind, table);
    api::TrainSpec spec;
    spec.optimizer = vector["optimizer"] == "adam" ? api::OptimizerKind::kAdam : api::OptimizerKind::kSgd;
    spec.learning_rate = vector["learning_rate"];
    spec.l2 = vector["l2"];
    spec.epochs = vector["epochs"];
    spec.batch_size = table.rows;  // all rows at once: the order of the shuffle does not matter
    auto p = vector["start"].get<std::vector<float>>();
    const auto loss = model->Train(p, table, spec, {}, 1, {});
    REQUIRE(loss);
    CHECK(loss->loss == Approx(vector["loss"].get<double>()).epsilon(1e-4));
    const auto want = vector["end"].get<std::vector<double>>();
    for (std::size_t i = 0; i < want.size(); ++i)
      CHECK(static_cast<double>(p[i]) == Approx(want[i]).epsilon(2e-4).margin(2e-5));
    const auto metrics = model->Evaluate(p, table);
    CHECK(*metrics->loss == Approx(vector["final_loss"].get<double>()).epsilon(1e-4));
    if (vector.contains("auc")) CHECK(*metrics->auc == Approx(vector["auc"].get<double>()).margin(1e-9));
  }
}
