#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/learn/model.h"
#include "learn_fixture.h"
#include "statistics_fixture.h"

using namespace ote;
using namespace ote::learn;
using api::DataTask;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

api::ModelSpec Gbt(std::int64_t trees, std::int64_t depth) {
  api::ModelSpec spec;
  spec.kind = api::ModelKind::kGbt;
  spec.trees = trees;
  spec.depth = depth;
  return spec;
}

// One column; classes "0" and "1".
Table Line(std::vector<float> values, std::vector<float> targets, bool classes = true) {
  Table table;
  table.rows = static_cast<std::int64_t>(values.size());
  table.columns = 1;
  table.features = std::move(values);
  table.targets = std::move(targets);
  table.feature_names = {"x"};
  if (classes) table.class_names = {"0", "1"};
  return table;
}

// Two rings, which no line tells apart.
Table Rings(std::int64_t rows, std::uint64_t seed) {
  Table table = Clouds(rows, 4, 2, seed);
  const std::vector<float> noise = Noise(4 * rows, seed + 7);
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
    std::copy_n(noise.begin() + static_cast<std::ptrdiff_t>(4 * r), 4,
                table.features.begin() + static_cast<std::ptrdiff_t>(4 * r));
    const float radius = noise[4 * r] * noise[4 * r] + noise[4 * r + 1] * noise[4 * r + 1];
    table.targets[r] = radius > 1.4f ? 1.0f : 0.0f;
  }
  return table;
}

float TensorValue(const Model& model, const std::vector<float>& parameters, const std::string& name, std::int64_t at) {
  for (const TensorInfo& tensor : model.GetLayout()) {
    if (tensor.name == name) return parameters[static_cast<std::size_t>(at)];
    at += tensor.Count();
  }
  FAIL("no tensor " << name);
  return 0;
}

}  // namespace

TEST_CASE("trees learn what no linear model can, from sites whose rows are never together") {
  const Table train = Rings(2000, 1);
  const Table test = Rings(1000, 2);
  const auto model = MakeFor(Gbt(30, 4), train, DataTask::kClassification);
  CHECK(model->Statistical());
  const auto parameters = MakeOf(*model, Deal(train, 3));
  const auto metrics = model->Evaluate(parameters, test);
  REQUIRE(metrics);
  INFO("accuracy " << *metrics->accuracy << " auc " << *metrics->auc << " loss " << *metrics->loss);
  CHECK(*metrics->accuracy > 0.95);
  CHECK(*metrics->auc > 0.99);
  CHECK(*metrics->loss < 0.15);
}

TEST_CASE("sites together make the trees that all rows in one place make") {
  const auto task = GENERATE(DataTask::kClassification, DataTask::kRegression);
  const std::int64_t classes = task == DataTask::kRegression ? 0 : GENERATE(2, 4);
  const Table train = Clouds(1500, 6, classes, 3);
  const auto model = MakeFor(Gbt(10, 4), train, task);
  const auto together = MakeOf(*model, {train});
  std::vector<Table> sites = Deal(train, 4);
  const auto apart = MakeOf(*model, sites);
  // The same cuts and splits; leaves differ by the rounding of the contributions to float32.
  const auto a = model->Predict(together, train);
  const auto b = model->Predict(apart, train);
  REQUIRE(a);
  REQUIRE(b);
  for (std::size_t i = 0; i < a->size(); ++i) CHECK((*a)[i] == Approx((*b)[i]).epsilon(1e-4).margin(1e-5));

  std::reverse(sites.begin(), sites.end());
  const auto reversed = MakeOf(*model, sites);
  for (std::size_t i = 0; i < apart.size(); ++i) CHECK(apart[i] == Approx(reversed[i]).epsilon(1e-5).margin(1e-6));
}

TEST_CASE("a single split is the one computed by hand") {
  // p = 1/2 for all: first derivatives 1/2 and -1/2, second 1/4. At 2.5: G = 1 and -1, H = 1/2 a side.
  auto spec = Gbt(1, 1);
  spec.shrinkage = 0.5;
  spec.lambda = 1;
  spec.min_child_weight = 0.5;
  const Table table = Line({1, 2, 3, 4}, {0, 0, 1, 1});
  const auto model = MakeFor(spec, table, DataTask::kClassification);
  const auto parameters = MakeOf(*model, {table});
  CHECK(TensorValue(*model, parameters, "trees.feature", 0) == 1.0f);
  const float threshold = TensorValue(*model, parameters, "trees.threshold", 0);
  CHECK(threshold > 2.0f);
  CHECK(threshold <= 3.0f);
  CHECK(TensorValue(*model, parameters, "trees.value", 0) == Approx(-0.5 * 1 / 1.5));
  CHECK(TensorValue(*model, parameters, "trees.value", 1) == Approx(0.5 * 1 / 1.5));
  const auto p = model->Predict(parameters, Line({0, 9}, {0, 0}));
  REQUIRE(p);
  CHECK((*p)[1] == Approx(1 / (1 + std::exp(1.0 / 3))));
  CHECK((*p)[3] == Approx(1 / (1 + std::exp(-1.0 / 3))));

  spec.min_child_weight = 0.51;
  const auto heavier = MakeFor(spec, table, DataTask::kClassification);
  CHECK(TensorValue(*heavier, MakeOf(*heavier, {table}), "trees.feature", 0) == 0.0f);
  // The gain is 1/1.5 + 1/1.5 - 0.
  spec.min_child_weight = 0;
  spec.gamma = 1.34;
  const auto dearer = MakeFor(spec, table, DataTask::kClassification);
  CHECK(TensorValue(*dearer, MakeOf(*dearer, {table}), "trees.feature", 0) == 0.0f);
}

TEST_CASE("a missing value goes where it lowers the loss most") {
  auto spec = Gbt(5, 2);
  spec.min_child_weight = 0;
  spec.lambda = 0.1;
  const float side = GENERATE(0.0f, 1.0f);
  const Table table = Line({1, 2, 3, 4, kNaN, kNaN, kNaN}, {0, 0, 1, 1, side, side, side});
  const auto model = MakeFor(spec, table, DataTask::kClassification);
  const auto parameters = MakeOf(*model, Deal(table, 2));
  const auto p = model->Predict(parameters, Line({kNaN, 1, 4}, {0, 0, 0}));
  REQUIRE(p);
  CHECK(((*p)[1] > 0.5f) == (side == 1.0f));
  CHECK((*p)[3] < 0.5f);
  CHECK((*p)[5] > 0.5f);
}

TEST_CASE("a column that says something only by being missing splits") {
  auto spec = Gbt(3, 1);
  spec.min_child_weight = 0;
  const Table table = Line({7, 7, 7, kNaN, kNaN}, {0, 0, 0, 1, 1});
  const auto model = MakeFor(spec, table, DataTask::kClassification);
  const auto metrics = model->Evaluate(MakeOf(*model, {table}), table);
  REQUIRE(metrics);
  CHECK(*metrics->accuracy == 1.0);
}

TEST_CASE("trees are those of XGBoost") {
  std::ifstream in(OTE_SOURCE_DIR "/test/vectors/trees.json");
  REQUIRE(in);
  const auto vectors = nlohmann::json::parse(in);
  REQUIRE(vectors["trees"].size() == 5);
  for (const auto& vector : vectors["trees"]) {
    INFO(vector["name"]);
    const auto classes = vector["classes"].get<std::int64_t>();
    const auto& settings = vector["spec"];
    auto spec = Gbt(settings["trees"], settings["depth"]);
    spec.shrinkage = settings["shrinkage"];
    spec.lambda = settings["lambda"];
    spec.gamma = settings["gamma"];
    spec.min_child_weight = settings["minChildWeight"];
    Table table;
    table.columns = vector["columns"];
    for (const auto& x : vector["x"]) table.features.push_back(x.is_null() ? kNaN : x.get<float>());
    table.targets = vector["y"].get<std::vector<float>>();
    table.rows = static_cast<std::int64_t>(table.targets.size());
    for (std::int64_t c = 0; c < classes; ++c) table.class_names.push_back(std::to_string(c));
    const auto model = MakeFor(spec, table, classes == 0 ? DataTask::kRegression : DataTask::kClassification);
    const auto outputs = model->Predict(MakeOf(*model, Deal(table, 3)), table);
    REQUIRE(outputs);
    const auto want = vector["outputs"].get<std::vector<float>>();
    REQUIRE(outputs->size() == want.size());
    // XGBoost sums slopes of 32 bits.
    for (std::size_t i = 0; i < want.size(); ++i) CHECK((*outputs)[i] == Approx(want[i]).epsilon(2e-5).margin(2e-5));
  }
}

TEST_CASE("trees refuse rows and means that do not fit") {
  const Table table = Rings(200, 1);
  const auto model = MakeFor(Gbt(2, 2), table, DataTask::kClassification);
  std::vector<float> parameters = model->Init(1);
  CHECK_FALSE(model->Complete(parameters));
  const auto sent = [&](const Table& rows, std::stop_token stop = {}) {
    std::vector<float> out(static_cast<std::size_t>(model->ContributionCount(parameters)));
    const auto done = model->Contribute(parameters, rows, out, 1, std::move(stop));
    REQUIRE_FALSE(done);
    return done.error().id;
  };
  CHECK(sent(Take(table, {})) == ErrorId::kDataTooSmall);
  CHECK(sent(Clouds(9, 5, 2, 1)) == ErrorId::kModelDataMismatch);
  CHECK(sent(Clouds(9, 4, 3, 1)) == ErrorId::kModelDataMismatch);
  std::stop_source source;
  source.request_stop();
  CHECK(sent(table, source.get_token()) == ErrorId::kInterrupted);
  for (int i = 0; i < 3; ++i) REQUIRE(Exchange(*model, parameters, {table}));
  CHECK(model->Complete(parameters));
  CHECK(sent(table, source.get_token()) == ErrorId::kInterrupted);
  std::vector<double> mean(static_cast<std::size_t>(model->ContributionCount(parameters)) + 1);
  CHECK(model->Advance(parameters, mean, 200).error().id == ErrorId::kUpdateShape);
  mean.pop_back();
  mean[3] = std::numeric_limits<double>::infinity();
  CHECK(model->Advance(parameters, mean, 200).error().id == ErrorId::kUpdateNotFinite);
  parameters.pop_back();
  CHECK(model->Predict(parameters, table).error().id == ErrorId::kModelDataMismatch);
}

TEST_CASE("trees that are too large to send are refused with what to change") {
  auto spec = Gbt(10000, 8);
  const auto large = MakeModel(spec, {10, 100}, DataTask::kClassification);
  REQUIRE_FALSE(large);
  CHECK(large.error().id == ErrorId::kRunInvalid);
  CHECK(large.error().hint.find("fewer trees") != std::string::npos);
  spec.trees = 1;
  const auto wide = MakeModel(spec, {1000, 10}, DataTask::kClassification);
  REQUIRE_FALSE(wide);
  CHECK(wide.error().hint.find("fewer bins") != std::string::npos);
}

TEST_CASE("a damaged buffer of trees is refused or used, and never followed out of bounds") {
  const Table table = Rings(60, 1);
  auto spec = Gbt(3, 3);
  spec.bins = 8;
  const auto model = MakeFor(spec, table, DataTask::kClassification);
  std::vector<std::vector<float>> stages = {model->Init(1)};
  for (int i = 0; i < 9; ++i) {
    stages.push_back(stages.back());
    REQUIRE(Exchange(*model, stages.back(), {table}));
  }
  Random random(3);
  int refused = 0;
  for (int turn = 0; turn < 4000; ++turn) {
    std::vector<float> parameters = stages[random.Below(stages.size())];
    // The trees and the progress are at the end, behind the many cuts.
    const std::size_t tail = random.Below(2) == 0 ? 90 : parameters.size();
    for (std::uint64_t n = random.Below(4); n < 4; ++n) {
      float& value = parameters[parameters.size() - 1 - random.Below(tail)];
      const std::uint64_t kind = random.Below(8);
      value = kind == 0   ? kNaN
              : kind == 1 ? -3e38f
              : kind == 2 ? 1e9f
              : kind < 6  ? static_cast<float>(random.Below(6)) - 1
                          : static_cast<float>(random.Normal());
    }
    const std::int64_t count = model->ContributionCount(parameters);
    refused += count == 0 ? 1 : 0;
    std::vector<float> out(static_cast<std::size_t>(count));
    const bool sent = model->Contribute(parameters, table, out, 1, {}).has_value();
    CHECK(sent <= (count > 0));
    CHECK(model->Predict(parameters, table).has_value() == (count > 0));
    CHECK(model->Evaluate(parameters, table).has_value() <= (count > 0));
    std::vector<double> mean(static_cast<std::size_t>(count));
    for (double& value : mean) value = random.Normal();
    if (model->Advance(parameters, mean, 60)) CHECK(model->ContributionCount(parameters) > 0);
  }
  CHECK(refused > 500);
  CHECK(refused < 3900);
}
