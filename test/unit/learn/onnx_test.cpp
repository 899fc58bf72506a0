#include "core/learn/onnx.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/learn/data.h"
#include "core/learn/onnx/graph.h"

using namespace ote;

namespace {

learn::OnnxModel Sample(api::ModelKind kind, api::DataTask task, std::int64_t outputs) {
  learn::OnnxModel model;
  model.spec.kind = kind;
  model.spec.hidden = {5, 3};
  model.spec.activation = api::Activation::kTanh;
  model.task = task;
  model.shape = {4, outputs};
  const auto made = learn::MakeModel(model.spec, model.shape, task);
  REQUIRE(made);
  model.values = (*made)->Init(7);
  return model;
}

// Predictions for a few rows, of which `scale` and `shift` are the preparation that was not yet done.
std::vector<float> Predict(const learn::OnnxModel& model, const api::Preparation& preparation = {}) {
  learn::Table table;
  table.rows = 3;
  table.columns = model.shape.features;
  for (std::int64_t i = 0; i < table.rows * table.columns; ++i) {
    double x = 0.5 * static_cast<double>(i) - 2;
    if (!preparation.columns.empty()) {
      const auto& column = preparation.columns[static_cast<std::size_t>(i % table.columns)];
      x = (x - column.shift) * column.scale;
    }
    table.features.push_back(static_cast<float>(x));
  }
  const auto made = learn::MakeModel(model.spec, model.shape, model.task);
  REQUIRE(made);
  const auto predicted = (*made)->Predict(model.values, table);
  REQUIRE(predicted);
  return *predicted;
}

Bytes MustWrite(const learn::OnnxModel& model, const api::Preparation& preparation = {}) {
  const auto written = learn::WriteOnnx(model, preparation);
  INFO((written ? "" : written.error().message));
  REQUIRE(written);
  return *written;
}

learn::onnx::Graph GraphOf(const learn::OnnxModel& model) {
  const auto graph = learn::onnx::Decode(MustWrite(model));
  REQUIRE(graph);
  return *graph;
}

ErrorId WhyNot(const learn::onnx::Graph& graph) {
  const auto read = learn::ReadOnnx(learn::onnx::Encode(graph));
  REQUIRE_FALSE(read);
  return read.error().id;
}

}  // namespace

TEST_CASE("a model that is written as ONNX is read as the same model") {
  const auto kind = GENERATE(api::ModelKind::kLinear, api::ModelKind::kSoftmax, api::ModelKind::kMlp);
  const bool linear = kind == api::ModelKind::kLinear;
  auto model = Sample(kind, linear ? api::DataTask::kRegression : api::DataTask::kClassification, linear ? 1 : 3);
  model.spec.input_scale = GENERATE(1.0, 0.1);
  model.metadata["ote.classes"] = "[]";
  const auto read = learn::ReadOnnx(MustWrite(model));
  INFO((read ? "" : read.error().message));
  REQUIRE(read);
  CHECK(read->values == model.values);
  CHECK(read->task == model.task);
  CHECK(read->spec.kind == kind);
  CHECK(read->spec.input_scale == model.spec.input_scale);
  CHECK(read->metadata == model.metadata);
  if (kind == api::ModelKind::kMlp) {
    CHECK(read->spec.hidden == model.spec.hidden);
    CHECK(read->spec.activation == model.spec.activation);
  }
}

TEST_CASE("a perceptron for values is written and read") {
  const auto model = Sample(api::ModelKind::kMlp, api::DataTask::kRegression, 1);
  const auto read = learn::ReadOnnx(MustWrite(model));
  REQUIRE(read);
  CHECK(read->task == api::DataTask::kRegression);
  CHECK(read->values == model.values);
}

TEST_CASE("the preparation of a model becomes a part of the first layer when its ONNX file is read") {
  const auto model = Sample(api::ModelKind::kMlp, api::DataTask::kClassification, 3);
  api::Preparation preparation;
  for (int i = 0; i < 4; ++i) preparation.columns.push_back({"c", std::nullopt, 0.5 * i, 1.0 + i, {}});
  const auto read = learn::ReadOnnx(MustWrite(model, preparation));
  REQUIRE(read);
  const auto want = Predict(model, preparation);
  const auto got = Predict(*read);
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(std::abs(got[i] - want[i]) < 1e-5F);
}

TEST_CASE("what is missing is filled in the graph, and categories are refused") {
  const auto model = Sample(api::ModelKind::kSoftmax, api::DataTask::kClassification, 3);
  api::Preparation preparation;
  for (int i = 0; i < 4; ++i) preparation.columns.push_back({"c", 1.5, 0, 1, {}});
  const auto graph = learn::onnx::Decode(MustWrite(model, preparation));
  REQUIRE(graph);
  CHECK(graph->nodes.at(0).op == "IsNaN");
  CHECK(graph->nodes.at(1).op == "Where");
  preparation.columns[2].categories = {"red", "green"};
  CHECK(learn::WriteOnnx(model, preparation).error().id == ErrorId::kExportUnsupported);
}

TEST_CASE("matrices of other programs are turned, and logits are classes when that is said") {
  learn::onnx::Graph graph;
  graph.inputs.push_back({"x", {-1, 2}});
  const std::vector<float> weight = {1, 2, 3, 4, 5, 6};  // 2 × 3
  const std::vector<float> bias = {7, 8, 9};
  const auto product = graph.Add("MatMul", {"x", graph.Constant("w", {2, 3}, std::span<const float>(weight))});
  const auto sum = graph.Add("Add", {graph.Constant("b", {3}, std::span<const float>(bias)), product});
  graph.outputs.push_back({sum, {-1, 3}});
  const auto bytes = learn::onnx::Encode(graph);
  CHECK(learn::ReadOnnx(bytes).error().id == ErrorId::kOnnxUnsupported);
  const auto read = learn::ReadOnnx(bytes, api::DataTask::kClassification);
  REQUIRE(read);
  CHECK(read->spec.kind == api::ModelKind::kSoftmax);
  CHECK(read->values == std::vector<float>{1, 4, 2, 5, 3, 6, 7, 8, 9});
}

TEST_CASE("a graph that is not understood is refused, with the operator that is not known") {
  const auto model = Sample(api::ModelKind::kMlp, api::DataTask::kClassification, 3);
  const auto good = GraphOf(model);
  auto graph = good;
  graph.nodes[1].op = "Sigmoid";
  const auto refused = learn::ReadOnnx(learn::onnx::Encode(graph));
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Catch::Contains("Sigmoid"));
  SECTION("an operator of another domain") {
    graph = good;
    graph.nodes[0].domain = "com.example";
    CHECK(WhyNot(graph) == ErrorId::kOnnxUnsupported);
  }
  SECTION("an attribute that changes the meaning") {
    graph = good;
    graph.nodes[0].attributes.push_back({"alpha", 2.0F});
    CHECK(WhyNot(graph) == ErrorId::kOnnxUnsupported);
  }
  SECTION("a value that another branch takes") {
    graph = good;
    graph.nodes[2].inputs[0] = "features";
    CHECK(WhyNot(graph) == ErrorId::kOnnxUnsupported);
  }
  SECTION("layers that do not fit") {
    graph = good;
    graph.inputs[0].shape[1] = 5;
    CHECK(WhyNot(graph) == ErrorId::kModelInvalid);
  }
  SECTION("a value that is not finite") {
    graph = good;
    std::get<std::vector<float>>(graph.tensors[0].values)[0] = NAN;
    CHECK(WhyNot(graph) == ErrorId::kModelInvalid);
  }
  SECTION("a tensor that very many layers take") {
    graph = {};
    graph.inputs.push_back({"x", {-1, 2}});
    const std::vector<float> weight(4, 1.0F);
    std::string at = "x";
    graph.Constant("w", {2, 2}, std::span<const float>(weight));
    for (int i = 0; i < 100; ++i) at = graph.Add("Relu", {graph.Add("MatMul", {at, "w"})});
    graph.outputs.push_back({at, {-1, 2}});
    CHECK(WhyNot(graph) == ErrorId::kOnnxUnsupported);
  }
  SECTION("no operator at all") {
    graph = good;
    graph.nodes.clear();
    CHECK(WhyNot(graph) == ErrorId::kOnnxUnsupported);
  }
}

TEST_CASE("an ONNX file that is cut short anywhere is refused") {
  const auto bytes = MustWrite(Sample(api::ModelKind::kMlp, api::DataTask::kClassification, 3));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto read = learn::ReadOnnx(ByteView(bytes).first(length));
    // Cut between two fields it is a graph that ends early, which only metadata and operator sets follow.
    if (read) CHECK(length > bytes.size() - 64);
  }
}
