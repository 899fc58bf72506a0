#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "core/learn/model.h"
#include "learn_fixture.h"
#include "statistics_fixture.h"

using namespace ote;
using namespace ote::learn;
using api::DataTask;

namespace {

std::unique_ptr<Model> Kmeans(std::int64_t centroids, const Table& table, double input_scale = 1) {
  api::ModelSpec spec;
  spec.kind = api::ModelKind::kKmeans;
  spec.centroids = centroids;
  spec.input_scale = input_scale;
  return MakeFor(spec, table, DataTask::kClustering);
}

Table Points(std::vector<float> features, std::int64_t columns) {
  Table table;
  table.columns = columns;
  table.rows = static_cast<std::int64_t>(features.size()) / columns;
  table.features = std::move(features);
  table.targets.assign(static_cast<std::size_t>(table.rows), 0.0f);
  return table;
}

// Far apart: every cluster has its own centre.
Table Islands(std::int64_t rows, std::int64_t count, double scale) {
  Random random(5);
  std::vector<float> values;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto island = static_cast<double>(r % count);
    values.push_back(static_cast<float>(scale * (10 * island + random.Normal())));
    values.push_back(static_cast<float>(scale * (7 * std::fmod(island, 3) + random.Normal())));
  }
  return Points(std::move(values), 2);
}

}  // namespace

TEST_CASE("each island gets a centroid, whatever the scale of the data") {
  const double scale = GENERATE(1e-12, 1.0, 1e12);
  const Table table = Islands(600, 6, scale);
  const auto model = Kmeans(6, table);
  CHECK(model->Statistical());
  const auto parameters = MakeOf(*model, Deal(table, 3), 10);
  const auto metrics = model->Evaluate(parameters, table);
  REQUIRE(metrics);
  CHECK(*metrics->loss / (scale * scale) == Approx(2).epsilon(0.1));
  CHECK_FALSE(metrics->accuracy);
  const auto numbers = model->Predict(parameters, table);
  REQUIRE(numbers);
  REQUIRE(numbers->size() == 600);
  CHECK(std::set<float>(numbers->begin(), numbers->end()).size() == 6);
  for (std::size_t r = 6; r < 600; ++r) CHECK((*numbers)[r] == (*numbers)[r % 6]);
}

TEST_CASE("sites together find the centroids that all rows in one place find, in any order") {
  const Table table = Clouds(900, 5, 3, 4);
  const auto model = Kmeans(4, table);
  std::vector<Table> sites = Deal(table, 4);
  const auto apart = MakeOf(*model, sites, 15);
  const auto together = MakeOf(*model, {table}, 15);
  std::reverse(sites.begin(), sites.end());
  const auto reversed = MakeOf(*model, sites, 15);
  for (std::size_t i = 0; i < apart.size(); ++i) {
    CHECK(apart[i] == Approx(together[i]).epsilon(1e-5).margin(1e-5));
    CHECK(apart[i] == Approx(reversed[i]).epsilon(1e-6).margin(1e-6));
  }
}

TEST_CASE("an iteration moves a centroid to the mean of its rows, and leaves one without rows where it is") {
  const Table table = Points({0, 2, 10, 14}, 1);
  const auto model = Kmeans(3, table);
  // Centroids, scale, how many there are, iterations since the last split.
  std::vector<float> parameters = {1.5f, 11, 1000, 16, 3, 0};
  REQUIRE(model->Complete(parameters));
  REQUIRE(Exchange(*model, parameters, Deal(table, 2)));
  CHECK(parameters == std::vector<float>{1, 12, 1000, 16, 3, 0});
  // Squared distances 1, 1, 4, 4.
  CHECK(*model->Evaluate(parameters, table)->loss == Approx(2.5));
  CHECK(*model->Predict(parameters, table) == std::vector<float>{0, 0, 1, 1});
}

TEST_CASE("fewer different rows than centroids leave some empty") {
  const Table table = Points({1, 1, 1, 5, 5, 5}, 1);
  const auto model = Kmeans(5, table);
  const auto parameters = MakeOf(*model, {table}, 3);
  CHECK(*model->Evaluate(parameters, table)->loss == Approx(0).margin(1e-9));
}

TEST_CASE("features are scaled before distances are taken") {
  const Table table = Points({0, 0, 100, 1, 0, 0, 100, 1}, 2);
  const auto model = Kmeans(2, table, 0.5);
  const auto parameters = MakeOf(*model, {table}, 5);
  CHECK(*model->Evaluate(parameters, table)->loss == Approx(0).margin(1e-9));
  std::set<float> firsts = {parameters[0], parameters[2]};
  CHECK(firsts == std::set<float>{0, 50});
}

TEST_CASE("centroids refuse what they cannot measure, and parameters that no run made") {
  Table table = Points({0, 1, 2, 3}, 2);
  const auto model = Kmeans(2, table);
  std::vector<float> parameters = MakeOf(*model, {table}, 1);
  SECTION("a missing value") {
    table.features[3] = std::numeric_limits<float>::quiet_NaN();
    const auto metrics = model->Evaluate(parameters, table);
    REQUIRE_FALSE(metrics);
    CHECK(metrics.error().id == ErrorId::kModelDataMismatch);
    CHECK(metrics.error().message.find("feature 2 of row 2") != std::string::npos);
  }
  SECTION("other columns") {
    CHECK(model->Predict(parameters, Points({1, 2, 3}, 3)).error().id == ErrorId::kModelDataMismatch);
  }
  SECTION("another length") {
    parameters.pop_back();
    CHECK(model->Predict(parameters, table).error().id == ErrorId::kModelDataMismatch);
  }
  SECTION("a count beyond the centroids") {
    parameters[parameters.size() - 2] = 3;
    CHECK(model->Predict(parameters, table).error().id == ErrorId::kModelInvalid);
    CHECK(model->ContributionCount(parameters) == 0);
    CHECK_FALSE(model->Complete(parameters));
  }
  SECTION("stopped") {
    std::stop_source source;
    source.request_stop();
    std::vector<float> out(static_cast<std::size_t>(model->ContributionCount(parameters)));
    CHECK(model->Contribute(parameters, table, out, 1, source.get_token()).error().id == ErrorId::kInterrupted);
  }
  SECTION("anything at all") {
    Random random(9);
    for (int turn = 0; turn < 2000; ++turn) {
      for (float& value : parameters) {
        const std::uint64_t kind = random.Below(8);
        value = kind == 0   ? std::numeric_limits<float>::quiet_NaN()
                : kind == 1 ? 3e38f
                : kind < 6  ? static_cast<float>(random.Below(4))
                            : static_cast<float>(random.Normal());
      }
      const std::int64_t count = model->ContributionCount(parameters);
      std::vector<float> out(static_cast<std::size_t>(count));
      const bool sent = model->Contribute(parameters, table, out, 1, {}).has_value();
      CHECK(sent <= (count > 0));
      const bool measured = model->Evaluate(parameters, table).has_value();
      CHECK(measured <= (count > 0));
      std::vector<double> mean(static_cast<std::size_t>(count));
      for (double& value : mean) value = random.Normal();
      const bool moved = model->Advance(parameters, mean, 2).has_value();
      CHECK(moved <= (count > 0));
    }
  }
}

TEST_CASE("iterations are those of scikit-learn, and the clusters as good as its best start") {
  std::ifstream in(OTE_SOURCE_DIR "/test/vectors/trees.json");
  REQUIRE(in);
  const auto vector = nlohmann::json::parse(in)["kmeans"];
  const Table table = Points(vector["x"].get<std::vector<float>>(), vector["columns"]);
  const auto model = Kmeans(6, table);
  std::vector<float> parameters = vector["start"].get<std::vector<float>>();
  parameters.insert(parameters.end(), {16, 16, 16, 6, 0});
  for (int step = 0; step < vector["steps"].get<int>(); ++step) {
    REQUIRE(Exchange(*model, parameters, Deal(table, 3)));
  }
  const auto want = vector["centroids"].get<std::vector<float>>();
  for (std::size_t i = 0; i < want.size(); ++i) CHECK(parameters[i] == Approx(want[i]).epsilon(1e-5).margin(1e-5));

  const auto own = model->Evaluate(MakeOf(*model, Deal(table, 3), 20), table);
  REQUIRE(own);
  CHECK(*own->loss < 1.02 * vector["bestLoss"].get<double>());
}
