// What convolutional networks, trees and centroids are as ONNX. That other programs come to the same predictions, the
// functional test onnx_kinds tells.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/learn/data.h"
#include "core/learn/onnx.h"
#include "core/learn/onnx/graph.h"
#include "learn_fixture.h"
#include "statistics_fixture.h"

using namespace ote;
using namespace ote::learn;
using api::DataTask;
using api::ModelKind;
using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;
using Texts = std::vector<std::string>;

namespace {

OnnxModel Made(api::ModelSpec spec, DataTask task, const Table& table, Floats values) {
  OnnxModel model{std::move(spec), task, {}, std::move(values), {}};
  const bool classes = task == DataTask::kClassification;
  model.shape = {table.columns, classes ? static_cast<std::int64_t>(table.class_names.size()) : 1};
  return model;
}

onnx::Graph Written(const OnnxModel& model, const api::Preparation& preparation = {}) {
  const auto bytes = WriteOnnx(model, preparation);
  if (!bytes) FAIL(bytes.error().message);
  const auto graph = onnx::Decode(*bytes);
  if (!graph) FAIL(graph.error().message);
  const auto read = ReadOnnx(*bytes);
  CHECK((!read && read.error().id == ErrorId::kOnnxUnsupported));
  return *graph;
}

Texts Operators(const onnx::Graph& graph) {
  Texts names;
  for (const onnx::Node& node : graph.nodes) names.push_back(node.op);
  return names;
}

template <class T>
const T& Get(const onnx::Node& node, std::string_view attribute) {
  for (const auto& a : node.attributes) {
    if (a.name == attribute) return std::get<T>(a.value);
  }
  FAIL("no attribute " << attribute);
  return std::get<T>(node.attributes.front().value);
}

const onnx::Tensor& TensorOf(const onnx::Graph& graph, const std::string& name) {
  for (const auto& tensor : graph.tensors) {
    if (tensor.name == name) return tensor;
  }
  FAIL("no tensor " << name);
  return graph.tensors.front();
}

const Floats& FloatsOf(const onnx::Graph& graph, const std::string& name) {
  return std::get<Floats>(TensorOf(graph, name).values);
}

// TreeEnsembleRegressor, as its text in the standard says.
std::vector<double> Margins(const onnx::Node& node, std::span<const float> row) {
  const auto& base = Get<Floats>(node, "base_values");
  const auto& trees = Get<Ints>(node, "nodes_treeids");
  const auto& ids = Get<Ints>(node, "nodes_nodeids");
  const auto& modes = Get<Texts>(node, "nodes_modes");
  const auto& leaf_trees = Get<Ints>(node, "target_treeids");
  const auto& leaf_ids = Get<Ints>(node, "target_nodeids");
  std::vector<double> sums(base.begin(), base.end());
  REQUIRE(std::cmp_equal(sums.size(), Get<std::int64_t>(node, "n_targets")));
  for (std::size_t root = 0; root < ids.size(); ++root) {
    if (ids[root] != 0) continue;
    // The nodes of a tree stand side by side, by their number.
    std::size_t at = root;
    while (modes.at(at) != "LEAF") {
      REQUIRE((modes[at] == "BRANCH_LT" || modes[at] == "BRANCH_GT"));
      REQUIRE(trees[at] == trees[root]);
      REQUIRE(ids[at] == static_cast<std::int64_t>(at - root));
      const float x = row[static_cast<std::size_t>(Get<Ints>(node, "nodes_featureids").at(at))];
      const float value = Get<Floats>(node, "nodes_values").at(at);
      const bool left = (modes[at] == "BRANCH_LT" ? x < value : x > value) ||
                        (std::isnan(x) && Get<Ints>(node, "nodes_missing_value_tracks_true").at(at) == 1);
      at = root + static_cast<std::size_t>(Get<Ints>(node, left ? "nodes_truenodeids" : "nodes_falsenodeids").at(at));
    }
    for (std::size_t i = 0; i < leaf_ids.size(); ++i) {
      if (leaf_trees[i] != trees[root] || leaf_ids[i] != ids[at]) continue;
      sums[static_cast<std::size_t>(Get<Ints>(node, "target_ids").at(i))] +=
          static_cast<double>(Get<Floats>(node, "target_weights").at(i));
    }
  }
  return sums;
}

// Every fifth value is missing, and says something: the class of odd rows is the likelier.
Table WithHoles(std::int64_t classes) {
  Table table = Clouds(300, 4, classes, 3);
  for (std::size_t i = 0; i < table.features.size(); i += 5) {
    table.features[i] = std::numeric_limits<float>::quiet_NaN();
    if (classes > 0) table.targets[i / 4] = 1;
  }
  return table;
}

api::ModelSpec Gbt(std::int64_t trees) {
  api::ModelSpec spec;
  spec.kind = ModelKind::kGbt;
  spec.trees = trees;
  spec.depth = 4;
  spec.input_scale = 0.3;
  return spec;
}

// Gemm, with a step for each feature before it.
std::size_t NearestBy(const onnx::Graph& graph, std::span<const float> row) {
  const Floats& middle = FloatsOf(graph, "centroids.middle");
  const Floats& weight = FloatsOf(graph, "centroids.weight");
  const Floats& bias = FloatsOf(graph, "centroids.bias");
  const float unit = FloatsOf(graph, "centroids.unit").front();
  std::size_t best = 0;
  float least = std::numeric_limits<float>::infinity();
  for (std::size_t c = 0; c < bias.size(); ++c) {
    float sum = bias[c];
    for (std::size_t f = 0; f < row.size(); ++f) sum += (row[f] - middle[f]) * unit * weight[c * row.size() + f];
    if (sum < least) {
      least = sum;
      best = c;
    }
  }
  return best;
}

}  // namespace

TEST_CASE("the trees of an ONNX file give what the model predicts, and missing values go the same way") {
  const std::int64_t classes = GENERATE(0, 2, 3);
  const double input_scale = GENERATE(1.0, 0.3);
  const DataTask task = classes == 0 ? DataTask::kRegression : DataTask::kClassification;
  const Table table = WithHoles(classes);
  auto spec = Gbt(5);
  spec.input_scale = input_scale;
  const auto model = MakeFor(spec, table, task);
  const auto values = MakeOf(*model, {table});
  const auto graph = Written(Made(spec, task, table, values));
  CHECK(Operators(graph) == (classes == 0   ? Texts{"TreeEnsembleRegressor"}
                             : classes == 2 ? Texts{"TreeEnsembleRegressor", "Neg", "Concat", "Sigmoid"}
                                            : Texts{"TreeEnsembleRegressor", "Softmax"}));
  CHECK(graph.opsets.at("ai.onnx.ml") == 3);
  const onnx::Node& node = graph.nodes.at(0);
  CHECK(node.domain == "ai.onnx.ml");
  const auto& left = Get<Ints>(node, "nodes_missing_value_tracks_true");
  CHECK((std::count(left.begin(), left.end(), 1) > 0 && std::count(left.begin(), left.end(), 0) > 0));
  const auto predicted = model->Predict(values, table);
  REQUIRE(predicted);
  for (std::int64_t r = 0; r < table.rows; ++r) {
    std::vector<double> out = Margins(node, table.Row(r));
    if (classes == 2) out = {1 / (1 + std::exp(out[0])), 1 / (1 + std::exp(-out[0]))};
    if (classes > 2) {
      double sum = 0;
      for (double& value : out) sum += value = std::exp(value);
      for (double& value : out) value /= sum;
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      CHECK((*predicted)[static_cast<std::size_t>(r) * out.size() + i] == Approx(out[i]).epsilon(1e-5).margin(1e-6));
    }
  }
}

TEST_CASE("preparation is a part of the trees' thresholds, to the last bit of a feature") {
  const double sign = GENERATE(1.0, -1.0, 0.0);
  api::Preparation preparation;
  for (int c = 0; c < 4; ++c) preparation.columns.push_back({"c", 0.5 * c - 1, 0.1 * c + 1.0 / 3, sign / (3 + c), {}});
  const Table raw = WithHoles(0);
  const auto prepare = [&](Table table) {
    for (std::size_t i = 0; i < table.features.size(); ++i) {
      const auto& column = preparation.columns[i % 4];
      const double given = std::isnan(table.features[i]) ? *column.fill : static_cast<double>(table.features[i]);
      table.features[i] = static_cast<float>((given - column.shift) * column.scale);
    }
    return table;
  };
  auto spec = Gbt(5);
  const Table table = prepare(raw);
  const auto model = MakeFor(spec, table, DataTask::kRegression);
  const auto values = MakeOf(*model, {table});
  const auto graph = Written(Made(spec, DataTask::kRegression, table, values), preparation);
  CHECK(Operators(graph) == Texts{"TreeEnsembleRegressor"});
  const onnx::Node& node = graph.nodes.at(0);
  // The rows, and then each threshold, with the floats beside it, in place of its feature.
  Table probes = raw;
  const auto& modes = Get<Texts>(node, "nodes_modes");
  for (std::size_t i = 0; i < modes.size(); ++i) {
    const float value = Get<Floats>(node, "nodes_values")[i];
    if (modes[i] == "LEAF" || !std::isfinite(value)) continue;
    for (const float probe : {std::nextafter(value, -1e30F), value, std::nextafter(value, 1e30F)}) {
      const auto row = raw.Row(static_cast<std::int64_t>(i) % raw.rows);
      probes.features.insert(probes.features.end(), row.begin(), row.end());
      probes.features[probes.features.size() - 4 + static_cast<std::size_t>(Get<Ints>(node, "nodes_featureids")[i])] =
          probe;
      ++probes.rows;
    }
  }
  CHECK((sign == 0 || probes.rows > raw.rows + 100));
  const auto predicted = model->Predict(values, prepare(probes));
  REQUIRE(predicted);
  for (std::int64_t r = 0; r < probes.rows; ++r) {
    CHECK((*predicted)[static_cast<std::size_t>(r)] == Approx(Margins(node, probes.Row(r))[0]).epsilon(1e-6));
  }
}

TEST_CASE("a model in the middle of being made is not written as ONNX") {
  const Table table = WithHoles(2);
  const auto model = MakeFor(Gbt(2), table, DataTask::kClassification);
  Floats values = model->Init(1);
  std::size_t written = 0;
  for (std::int64_t round = 0; round < model->Rounds(1); ++round) {
    const auto bytes = WriteOnnx(Made(Gbt(2), DataTask::kClassification, table, values), {});
    written += bytes ? 1U : 0U;
    if (!bytes) CHECK(bytes.error().id == ErrorId::kExportUnsupported);
    REQUIRE(Exchange(*model, values, {table}));
  }
  CHECK(written == 1);  // between the two trees
}

TEST_CASE("a convolutional network is written operator by operator") {
  api::ModelSpec spec;
  spec.kind = ModelKind::kCnn;
  spec.image = {2, 6, 5};
  spec.filters = {4, 6};
  spec.groups = 2;
  spec.hidden = {7};
  spec.dropout = 0.5;
  const Table table = Clouds(2, 60, 3, 1);
  const auto model = MakeFor(spec, table, DataTask::kClassification);
  const auto graph = Written(Made(spec, DataTask::kClassification, table, model->Init(3)));
  const Texts stage = {"Conv", "Reshape", "InstanceNormalization", "Reshape", "Mul", "Add", "Relu", "MaxPool"};
  Texts wanted = {"Reshape"};
  wanted.insert(wanted.end(), stage.begin(), stage.end());
  wanted.insert(wanted.end(), stage.begin(), stage.end());
  for (const auto* const op : {"Flatten", "Gemm", "Relu", "Gemm", "Softmax"}) wanted.emplace_back(op);
  CHECK(Operators(graph) == wanted);
  CHECK(Get<Ints>(graph.nodes[1], "pads") == Ints{1, 1, 1, 1});
  CHECK(TensorOf(graph, "conv.1.weight").shape == Ints{6, 4, 3, 3});
  CHECK(TensorOf(graph, "norm.1.weight").shape == Ints{1, 6, 1, 1});
  CHECK(std::get<Ints>(TensorOf(graph, "norm.1.weight.planes").values) == Ints{0, 6, 3, 2});
  CHECK(TensorOf(graph, "layers.0.weight").shape == Ints{7, 6});

  spec.norm = api::Normalization::kNone;
  spec.pool = 1;
  spec.kernel = 5;
  spec.hidden = {};
  spec.activation = api::Activation::kTanh;
  spec.input_scale = 0.5;
  const Table values = Clouds(2, 60, 0, 1);
  const auto plain = MakeFor(spec, values, DataTask::kRegression);
  const auto other = Written(Made(spec, DataTask::kRegression, values, plain->Init(3)));
  CHECK(Operators(other) == Texts{"Mul", "Reshape", "Conv", "Tanh", "Conv", "Tanh", "Flatten", "Gemm"});
  CHECK(Get<Ints>(other.nodes[2], "pads") == Ints{2, 2, 2, 2});
}

TEST_CASE("the nearest centroid is the same in ONNX, whatever the scale of the data and wherever it lies") {
  const double scale = GENERATE(1e-25, 1.0, 1e25);
  const double shift = GENERATE(0.0, 1e4);
  api::ModelSpec spec;
  spec.kind = ModelKind::kKmeans;
  spec.centroids = 5;
  Table table = Clouds(400, 3, 5, 9);
  for (float& value : table.features) value = static_cast<float>(scale * (static_cast<double>(value) + shift));
  const auto model = MakeFor(spec, table, DataTask::kClustering);
  const auto values = MakeOf(*model, {table}, 5);
  const auto graph = Written(Made(spec, DataTask::kClustering, table, values));
  CHECK(Operators(graph) == Texts{"Sub", "Mul", "Gemm", "ArgMin", "Cast"});
  const auto predicted = model->Predict(values, table);
  REQUIRE(predicted);
  std::size_t same = 0;
  for (std::int64_t r = 0; r < table.rows; ++r) {
    same += (*predicted)[static_cast<std::size_t>(r)] == static_cast<float>(NearestBy(graph, table.Row(r))) ? 1U : 0U;
  }
  CHECK(same == 400);
}
