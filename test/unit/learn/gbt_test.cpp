#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

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
