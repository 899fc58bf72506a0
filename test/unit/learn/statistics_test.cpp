#include "core/learn/statistics.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "learn_fixture.h"

using namespace ote;
using namespace ote::learn;
using Catch::Matchers::Contains;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Table Column(std::vector<float> values) {
  Table table;
  table.rows = static_cast<std::int64_t>(values.size());
  table.columns = 1;
  table.targets.assign(values.size(), 0);
  table.features = std::move(values);
  table.feature_names = {"x"};
  return table;
}

Table Colours(std::vector<float> values) {
  Table table = Column(std::move(values));
  table.feature_names = {"colour"};
  table.categories[0] = {"blue", "green", "red"};
  return table;
}

api::DataStatistics Merged(const std::vector<api::DataStatistics>& sites) {
  auto merged = MergeStatistics(sites);
  if (!merged) FAIL(merged.error().message);
  return *merged;
}

// In long double and two passes over the values in their own order.
struct Reference {
  long double mean = 0;
  long double variance = 0;
  explicit Reference(const std::vector<float>& values) {
    long double count = 0;
    for (const float v : values) count += std::isnan(v) ? 0 : 1;
    for (const float v : values) mean += std::isnan(v) ? 0 : static_cast<long double>(v) / count;
    for (const float v : values) {
      const long double off = static_cast<long double>(v) - mean;
      variance += std::isnan(v) ? 0 : off * off / count;
    }
  }
};

// The part of `sorted` that is below `value`, and that is not above it: a rank in between is right.
std::pair<double, double> Ranks(const std::vector<float>& sorted, double value) {
  const auto count = static_cast<double>(sorted.size());
  const auto below =
      std::count_if(sorted.begin(), sorted.end(), [value](float v) { return static_cast<double>(v) < value; });
  const auto not_above =
      std::count_if(sorted.begin(), sorted.end(), [value](float v) { return static_cast<double>(v) <= value; });
  return {static_cast<double>(below) / count, static_cast<double>(not_above) / count};
}

}  // namespace

TEST_CASE("a column is summarised as by hand") {
  const auto found = Summarise(Column({4, 1, kNan, 2, 3, 5}));
  REQUIRE(found.columns.size() == 1);
  const auto& x = found.columns[0];
  CHECK(found.rows == 6);
  CHECK(x.name == "x");
  CHECK(x.count == 5);
  CHECK(x.missing == 1);
  CHECK(x.mean == 3);
  CHECK(x.variance == 2);
  CHECK(x.min == 1);
  CHECK(x.max == 5);
  CHECK(x.quantiles == std::vector<double>{1, 3, 5});
  CHECK(x.categories.empty());
  CHECK(CheckStatistics(found));
}

TEST_CASE("a mean far from zero costs the variance nothing") {
  std::vector<float> values;
  for (int i = 0; i < 5000; ++i) values.push_back(1e7F + static_cast<float>(i % 3));
  const Reference reference(values);
  const auto x = Summarise(Column(values)).columns[0];
  CHECK(x.mean == Approx(static_cast<double>(reference.mean)).epsilon(1e-15));
  CHECK(x.variance == Approx(static_cast<double>(reference.variance)).epsilon(1e-12));
}

TEST_CASE("quantiles are those of the sorted values, interpolated") {
  std::vector<float> values(1000);
  std::iota(values.begin(), values.end(), 0.0F);
  std::rotate(values.begin(), values.begin() + 333, values.end());
  const auto x = Summarise(Column(values)).columns[0];
  REQUIRE(x.quantiles.size() == 65);
  for (std::size_t k = 0; k <= 64; ++k) CHECK(x.quantiles[k] == Approx(999.0 * static_cast<double>(k) / 64));
}

TEST_CASE("a short column is not told value by value") {
  CHECK(QuantileParts(0) == 2);
  CHECK(QuantileParts(10) == 2);
  CHECK(QuantileParts(16) == 4);
  CHECK(QuantileParts(255) == 32);
  CHECK(QuantileParts(256) == 64);
  CHECK(QuantileParts(1'000'000'000) == 64);
}

TEST_CASE("categories and classes are counted") {
  Table table = Colours({2, 0, 2, kNan});
  table.class_names = {"no", "yes", "perhaps"};
  table.targets = {1, 1, 0, 1};
  const auto found = Summarise(table);
  const auto& colour = found.columns[0];
  CHECK(colour.categorical);
  CHECK(colour.count == 3);
  CHECK(colour.missing == 1);
  CHECK(colour.categories == std::map<std::string, std::int64_t>{{"blue", 1}, {"red", 2}});
  CHECK(colour.quantiles.empty());
  CHECK(found.classes == std::map<std::string, std::int64_t>{{"no", 1}, {"yes", 3}});
  CHECK(CheckStatistics(found));
}

TEST_CASE("the order of the rows changes no bit of a summary") {
  const Table table = Clouds(500, 20, 3, 7);
  std::vector<std::int64_t> order(500);
  std::iota(order.begin(), order.end(), 0);
  Random(3).Shuffle(std::span(order));
  CHECK(Summarise(Take(table, order)) == Summarise(table));
}

TEST_CASE("sites together are as all rows together") {
  Table all = Clouds(3000, 5, 3, 11);
  for (std::size_t i = 0; i < all.features.size(); i += 17) all.features[i] = kNan;
  // Uneven and sorted: the sites do not have the same distribution.
  std::vector<std::int64_t> order(3000);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return all.Row(a)[1] < all.Row(b)[1]; });
  std::vector<api::DataStatistics> sites;
  const std::vector<std::int64_t> ends = {300, 340, 1500, 3000};
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    const std::span<const std::int64_t> part(order.data() + begin, static_cast<std::size_t>(end - begin));
    sites.push_back(Summarise(Take(all, part)));
    begin = end;
  }
  const auto merged = Merged(sites);
  const auto whole = Summarise(all);
  CHECK(merged.rows == 3000);
  CHECK(merged.classes == whole.classes);
  for (std::size_t c = 0; c < 5; ++c) {
    const auto& a = merged.columns[c];
    const auto& b = whole.columns[c];
    CHECK(a.count == b.count);
    CHECK(a.missing == b.missing);
    CHECK(a.min == b.min);
    CHECK(a.max == b.max);
    CHECK(a.mean == Approx(b.mean).epsilon(1e-12).margin(1e-12));
    CHECK(a.variance == Approx(b.variance).epsilon(1e-12));
  }
}

TEST_CASE("the quantiles of sites together stand within a part of their ranks") {
  Random random(5);
  std::vector<float> all;
  std::vector<api::DataStatistics> sites;
  for (int site = 0; site < 7; ++site) {
    std::vector<float> values;
    for (int i = 0; i < 300 + 100 * site; ++i) {
      const double drawn = random.Normal() * (site + 1) + site * site;
      // A third of one site is one value: a step in the distribution.
      values.push_back(site == 3 && i % 3 == 0 ? 4.0F : static_cast<float>(drawn));
    }
    all.insert(all.end(), values.begin(), values.end());
    sites.push_back(Summarise(Column(values)));
  }
  const auto x = Merged(sites).columns[0];
  REQUIRE(x.quantiles.size() == 65);
  for (std::size_t k = 0; k <= 64; ++k) {
    const auto [low, high] = Ranks(all, x.quantiles[k]);
    const double wanted = static_cast<double>(k) / 64;
    INFO(k << ": " << x.quantiles[k] << " from " << low << " to " << high);
    CHECK(low <= wanted + 1.0 / 64);
    CHECK(high >= wanted - 1.0 / 64);
  }
}

TEST_CASE("a value that most rows have is the quantile of their ranks") {
  std::vector<float> values(1000, 0.0F);
  for (std::size_t i = 0; i < 200; ++i) values[i] = static_cast<float>(i + 1);
  const std::vector<api::DataStatistics> sites(3, Summarise(Column(values)));
  const auto x = Merged(sites).columns[0];
  CHECK(x.quantiles[32] == 0);
  CHECK(x.quantiles[48] == 0);
  CHECK(x.quantiles[64] == 200);
}

TEST_CASE("one site alone is told as it is") {
  const auto site = Summarise(Clouds(400, 6, 2, 9));
  CHECK(Merged({site}) == site);
}

TEST_CASE("the order of the sites changes no bit") {
  std::vector<api::DataStatistics> sites;
  for (std::uint64_t i = 0; i < 9; ++i) sites.push_back(Summarise(Clouds(50 + 31 * static_cast<int>(i % 4), 4, 2, i)));
  const auto merged = Merged(sites);
  for (int turn = 0; turn < 20; ++turn) {
    Random(static_cast<std::uint64_t>(turn)).Shuffle(std::span(sites));
    CHECK(DumpCbor(ToJson(Merged(sites))) == DumpCbor(ToJson(merged)));
  }
}

TEST_CASE("a site without a value in a column takes nothing from the others") {
  const auto merged = Merged({Summarise(Column({kNan, kNan})), Summarise(Column({3, 5}))});
  CHECK(merged.columns[0].missing == 2);
  CHECK(merged.columns[0].mean == 4);
  CHECK(merged.columns[0].min == 3);
  const auto none = Merged({Summarise(Column({kNan}))});
  CHECK(none.columns[0].count == 0);
  CHECK(none.columns[0].quantiles.empty());
}

TEST_CASE("categories of sites are put together") {
  Table other = Colours({0, 1});
  other.categories[0] = {"red", "white"};
  const auto merged = Merged({Summarise(Colours({2, 0, 2})), Summarise(other)});
  CHECK(merged.columns[0].categories == std::map<std::string, std::int64_t>{{"blue", 1}, {"red", 3}, {"white", 1}});
}

TEST_CASE("statistics that no rows can have are refused") {
  const auto honest = Summarise(Column({1, 2, 3, 4, 5, 6}));
  const auto refused = [](const api::DataStatistics& lie) {
    const auto checked = CheckStatistics(lie);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().id == ErrorId::kStatisticsInvalid);
    CHECK_FALSE(MergeStatistics(std::vector{lie}));
    return checked.error().message;
  };
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  auto lie = honest;
  SECTION("negative rows") {
    lie.rows = -1;
    CHECK_THAT(refused(lie), Contains("-1 rows"));
  }
  SECTION("rows without end") {
    lie.rows = std::numeric_limits<std::int64_t>::max();
    refused(lie);
  }
  SECTION("counts that do not add up") {
    lie.columns[0].missing = 1;
    CHECK_THAT(refused(lie), Contains("column \"x\""));
    lie.columns[0].count = std::numeric_limits<std::int64_t>::min();
    refused(lie);
  }
  SECTION("values that are not finite") {
    for (const double value : {inf, -inf, nan, 1e300}) {
      for (double api::ColumnStatistics::*field : {&api::ColumnStatistics::mean, &api::ColumnStatistics::variance,
                                                   &api::ColumnStatistics::min, &api::ColumnStatistics::max}) {
        lie = honest;
        lie.columns[0].*field = value;
        refused(lie);
      }
      lie = honest;
      lie.columns[0].quantiles[1] = value;
      refused(lie);
    }
  }
  SECTION("a mean outside of the range") {
    lie.columns[0].mean = 7;
    refused(lie);
  }
  SECTION("a variance that the range does not allow") {
    lie.columns[0].variance = -1e-9;
    refused(lie);
    lie.columns[0].variance = 100;
    refused(lie);
  }
  SECTION("quantiles that are too many or descend") {
    lie.columns[0].quantiles = {1, 5, 4, 6, 6};
    refused(lie);
    lie.columns[0].quantiles = {1, 6, 6};
    lie.columns[0].max = 7;
    refused(lie);
  }
  SECTION("classes and categories that are not as many as the rows") {
    lie.classes = {{"a", 5}};
    refused(lie);
    lie.classes = {{"a", 9}, {"b", -3}};
    refused(lie);
    lie.classes.clear();
    lie.columns[0].categories = {{"a", 6}};
    refused(lie);
  }
}

TEST_CASE("statistics of other columns are refused") {
  const auto x = Summarise(Column({1, 2}));
  auto y = x;
  y.columns[0].name = "y";
  const auto named = MergeStatistics(std::vector{x, y});
  REQUIRE_FALSE(named);
  CHECK_THAT(named.error().message, Contains("\"x\"") && Contains("\"y\""));
  y.columns.clear();
  CHECK_FALSE(MergeStatistics(std::vector{x, y}));
  auto colours = Summarise(Colours({1, 2}));
  colours.columns[0].name = "x";
  CHECK_FALSE(MergeStatistics(std::vector{x, colours}));
  CHECK_FALSE(MergeStatistics({}));
}

TEST_CASE("too many categories at all sites together are refused") {
  std::vector<api::DataStatistics> sites;
  for (int site = 0; site < 3; ++site) {
    api::DataStatistics one;
    one.columns.resize(1);
    auto& column = one.columns[0];
    column.name = "street";
    column.categorical = true;
    for (int i = 0; i < 400; ++i) column.categories["s" + std::to_string(site) + "-" + std::to_string(i)] = 1;
    column.count = one.rows = 400;
    sites.push_back(std::move(one));
  }
  const auto merged = MergeStatistics(sites);
  REQUIRE_FALSE(merged);
  CHECK(merged.error().id == ErrorId::kTooManyCategories);
  CHECK_THAT(merged.error().message, Contains("street"));
}

TEST_CASE("both parts of a split are told as the whole") {
  const Table table = Clouds(300, 20, 3, 4);
  const auto split = SplitTable(table, 0.3, 9);
  REQUIRE(split);
  CHECK(Summarise(split->train, split->test) == Summarise(table));
}

TEST_CASE("a survey tells what its purpose needs and no more") {
  Table rows = Clouds(300, 2, 3, 4);
  api::PrepareSpec purpose;
  purpose.standardize = true;
  auto told = Survey(rows, purpose);
  REQUIRE(told);
  CHECK(told->classes.empty());
  CHECK(told->columns[0].quantiles.empty());
  CHECK(told->columns[0].variance > 0);
  CHECK(CheckStatistics(*told));
  CHECK(Merged({*told, *told}).columns[0].quantiles.empty());
  purpose.missing = api::MissingPolicy::kMedian;
  purpose.class_weights = api::ClassWeights::kBalanced;
  told = Survey(rows, purpose);
  REQUIRE(told);
  CHECK(told->classes.size() == 3);
  CHECK(told->columns[0].quantiles.size() == 65);
}

TEST_CASE("statistics of very many columns go without quantiles, or not at all") {
  api::DataStatistics wide = Summarise(Clouds(300, 2500, 2, 4));
  REQUIRE(FitInMessage(wide));
  CHECK(wide.columns[0].quantiles.empty());
  CHECK(CheckStatistics(wide));
  api::DataStatistics wider = Summarise(Clouds(10, 20'000, 2, 4));
  const auto refused = FitInMessage(wider);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().id == ErrorId::kUnsupported);
}
