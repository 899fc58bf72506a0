#include "core/learn/prepare.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/learn/statistics.h"
#include "learn_fixture.h"

using namespace ote;
using namespace ote::learn;
using Catch::Matchers::Contains;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Two numbers and a colour: age is missing once, the colour once.
Table People() {
  Table table;
  table.rows = 5;
  table.columns = 3;
  table.feature_names = {"age", "colour", "height"};
  table.class_names = {"no", "yes"};
  table.targets = {0, 0, 0, 1, 0};
  table.categories[1] = {"blue", "red"};
  table.features = {20, 1, 7, kNan, 0, 7, 40, 1, 7, 90, kNan, 7, 30, 1, 7};
  return table;
}

api::Preparation Plan(const api::PrepareSpec& spec, const Table& rows) {
  auto plan = PlanPreparation(spec, Summarise(rows), rows.class_names);
  if (!plan) FAIL(plan.error().message);
  return *plan;
}

Error Refused(const api::PrepareSpec& spec, const Table& rows) {
  const auto plan = PlanPreparation(spec, Summarise(rows), rows.class_names);
  REQUIRE_FALSE(plan);
  return plan.error();
}

Error NotPrepared(Table rows, const api::Preparation& preparation) {
  const std::vector<float> before = rows.features;
  const auto done = Prepare(rows, preparation);
  REQUIRE_FALSE(done);
  CHECK(rows.features.size() == before.size());
  return done.error();
}

api::PrepareSpec Everything(api::MissingPolicy missing = api::MissingPolicy::kMean) {
  return {true, true, missing, api::ClassWeights::kBalanced};
}

}  // namespace

TEST_CASE("columns are filled, standardised and spread out as planned") {
  Table rows = People();
  const auto plan = Plan(Everything(), rows);
  CHECK(PreparedColumns(plan, 3) == 4);
  const auto done = Prepare(rows, plan);
  REQUIRE(done);
  CHECK(rows.columns == 4);
  CHECK(rows.feature_names == std::vector<std::string>{"age", "colour=blue", "colour=red", "height"});
  CHECK(rows.categories.empty());
  // Ages 20 40 90 30: mean 45, variance 725.
  const auto scaled = [](double age) { return static_cast<float>((age - 45) * (1 / std::sqrt(725.0))); };
  const std::vector<float> expected = {scaled(20), 0, 1,          0, 0, 1, 0,          0, scaled(40), 0,
                                       1,          0, scaled(90), 0, 0, 0, scaled(30), 0, 1,          0};
  CHECK(rows.features == expected);
  // 5 rows, 2 classes: 4 no, 1 yes.
  CHECK(plan.class_weights == std::vector<double>{5.0 / 8, 5.0 / 2});
}

TEST_CASE("prepared rows have mean 0 and variance 1 over all sites") {
  Table rows = Clouds(800, 6, 3, 21);
  for (float& value : rows.features) value = value * 30 + 1000;
  std::vector<std::int64_t> a;
  std::vector<std::int64_t> b;
  for (std::int64_t i = 0; i < 800; ++i) (i % 5 == 0 ? a : b).push_back(i);
  const auto merged = MergeStatistics(std::vector{Summarise(Take(rows, a)), Summarise(Take(rows, b))});
  REQUIRE(merged);
  api::PrepareSpec spec;
  spec.standardize = true;
  const auto plan = PlanPreparation(spec, *merged, rows.class_names);
  REQUIRE(plan);
  REQUIRE(Prepare(rows, *plan));
  for (const auto& column : Summarise(rows).columns) {
    CHECK(column.mean == Approx(0).margin(1e-6));
    CHECK(column.variance == Approx(1).epsilon(1e-6));
  }
}

TEST_CASE("what is missing becomes the mean, the median or zero") {
  const auto filled = [](api::MissingPolicy policy) {
    Table rows = People();
    api::PrepareSpec spec;
    spec.one_hot = true;
    spec.missing = policy;
    REQUIRE(Prepare(rows, Plan(spec, rows)));
    return rows.Row(1)[0];
  };
  CHECK(filled(api::MissingPolicy::kMean) == 45);
  CHECK(filled(api::MissingPolicy::kMedian) == 35);
  CHECK(filled(api::MissingPolicy::kZero) == 0);
}

TEST_CASE("missing values with nothing to stand in for them are refused at the plan") {
  api::PrepareSpec spec;
  spec.one_hot = true;
  const auto error = Refused(spec, People());
  CHECK(error.id == ErrorId::kDataNeedsPrepare);
  CHECK_THAT(error.message, Contains("\"age\": 1 of 5 values are missing"));
  CHECK_THAT(error.hint, Contains("prepare.missing"));
}

TEST_CASE("categories without oneHot are refused at the plan") {
  api::PrepareSpec spec;
  spec.missing = api::MissingPolicy::kMean;
  const auto error = Refused(spec, People());
  CHECK(error.id == ErrorId::kDataNeedsPrepare);
  CHECK_THAT(error.message, Contains("\"colour\""));
  CHECK_THAT(error.hint, Contains("prepare.oneHot"));
}

TEST_CASE("a missing value that was not planned for is refused with its row of the file") {
  Table rows = Clouds(20, 2, 2, 1);
  api::PrepareSpec spec;
  spec.standardize = true;
  const auto plan = Plan(spec, rows);
  rows.features[2 * 11 + 1] = kNan;
  const std::vector<std::int64_t> some = {3, 11};
  const auto error = NotPrepared(Take(rows, some), plan);
  CHECK(error.id == ErrorId::kDataNeedsPrepare);
  CHECK_THAT(error.message, Contains("column \"x1\": row 12"));
  CHECK_THAT(NotPrepared(Take(rows, some), {}).message, Contains("column \"x1\": row 12"));
}

TEST_CASE("rows that need nothing stay as they are without a preparation") {
  Table rows = Clouds(20, 2, 2, 1);
  const Table before = rows;
  REQUIRE(Prepare(rows, {}));
  CHECK(rows.features == before.features);
  CHECK(PreparedColumns({}, 2) == 2);
  CHECK_THAT(NotPrepared(People(), {}).message, Contains("\"colour\": it holds categories"));
}

TEST_CASE("a category that no site had becomes all zeros") {
  const auto plan = Plan(Everything(), People());
  Table rows = People();
  rows.categories[1] = {"black", "red"};
  REQUIRE(Prepare(rows, plan));
  CHECK(rows.Row(1)[1] == 0);
  CHECK(rows.Row(1)[2] == 0);
  CHECK(rows.Row(0)[2] == 1);
}

TEST_CASE("a constant column becomes zeros") {
  Table rows = People();
  const auto plan = Plan(Everything(), rows);
  CHECK(plan.columns[2].shift == 7);
  CHECK(plan.columns[2].scale == 1);
}

TEST_CASE("a class without rows weighs 1") {
  Table rows = Clouds(20, 2, 2, 1);
  api::PrepareSpec spec;
  spec.class_weights = api::ClassWeights::kBalanced;
  const auto plan = PlanPreparation(spec, Summarise(rows), {"0", "1", "2"});
  REQUIRE(plan);
  CHECK(plan->columns.empty());
  CHECK(plan->class_weights == std::vector<double>{20.0 / 30, 20.0 / 30, 1});
}

TEST_CASE("a column of categories that is empty everywhere is refused") {
  Table rows = People();
  for (std::size_t i = 1; i < rows.features.size(); i += 3) rows.features[i] = kNan;
  rows.categories[1] = {};
  const auto error = Refused(Everything(), rows);
  CHECK_THAT(error.message, Contains("\"colour\": no site has a value"));
}

TEST_CASE("rows of other columns than those of the preparation are refused") {
  const auto plan = Plan(Everything(), People());
  Table rows = People();
  SECTION("another name") {
    rows.feature_names[0] = "years";
    CHECK_THAT(NotPrepared(rows, plan).message, Contains("\"years\"") && Contains("\"age\""));
  }
  SECTION("numbers in place of categories") {
    rows.categories.clear();
    const auto error = NotPrepared(rows, plan);
    CHECK(error.id == ErrorId::kModelDataMismatch);
    CHECK_THAT(error.hint, Contains("--categorical colour"));
  }
  SECTION("another number of columns") {
    CHECK_THAT(NotPrepared(Clouds(5, 2, 2, 1), plan).message, Contains("2 columns"));
  }
}

TEST_CASE("a value that gets out of range is refused with its row") {
  Table rows = Clouds(20, 1, 2, 1);
  api::Preparation plan;
  plan.columns = {{"x0", std::nullopt, 0, 1e38, {}}};
  rows.features[4] = 1e20F;
  const auto error = NotPrepared(rows, plan);
  CHECK(error.id == ErrorId::kDataBadRow);
  CHECK_THAT(error.message, Contains("row 5"));
}

TEST_CASE("a preparation that a peer made up is refused") {
  const auto refused = [](const api::Preparation& lie) {
    const auto checked = CheckPreparation(lie);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().id == ErrorId::kRunInvalid);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  refused({{{"x", nan, 0, 1, {}}}, {}});
  refused({{{"x", 0, inf, 1, {}}}, {}});
  refused({{{"x", 0, 0, nan, {}}}, {}});
  refused({{{"x", 0, 0, 1, {"b", "a"}}}, {}});
  refused({{{"x", 0, 0, 1, {"a", "a"}}}, {}});
  refused({{{"x", 0, 0, 1, std::vector<std::string>(2000, "a")}}, {}});
  refused({{}, {1, -1}});
  refused({{}, {nan}});
  CHECK(CheckPreparation(Plan(Everything(), People())));
}
