#include "core/learn/trees/cuts.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/learn/trees/objective.h"
#include "learn_fixture.h"

using namespace ote::learn;
using namespace ote::learn::trees;

namespace {

constexpr std::size_t kEdges = 1024;

std::vector<std::int64_t> Count(std::span<const float> edges, const std::vector<float>& values) {
  std::vector<std::int64_t> counts(edges.size() + 1);
  for (const float value : values) ++counts[PlaceOf(edges, value)];
  return counts;
}

// What three exchanges find.
std::vector<float> CutsOf(const std::vector<float>& values, std::int64_t bins) {
  std::vector<std::int64_t> grid(kGridBuckets);
  for (const float value : values) ++grid[GridBucket(value)];
  std::vector<float> edges = Refine(OfGrid(grid), kEdges);
  edges = Refine(Between(edges, Count(edges, values)), kEdges);
  REQUIRE(edges.size() <= kEdges);
  return Cut(Between(edges, Count(edges, values)), bins);
}

}  // namespace

TEST_CASE("the grid keeps the order of floats") {
  std::vector<float> values = Noise(2000, 1, 1e6);
  for (const float value : Noise(2000, 2, 1e-6)) values.push_back(value);
  for (const float value : {0.0f, std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()}) {
    values.push_back(value);
    values.push_back(-value);
  }
  std::sort(values.begin(), values.end());
  for (std::size_t i = 1; i < values.size(); ++i) CHECK(GridBucket(values[i - 1]) <= GridBucket(values[i]));
  CHECK(GridBucket(-0.0f) == GridBucket(0.0f));
  CHECK(GridBucket(std::numeric_limits<float>::infinity()) < kGridBuckets);
}

TEST_CASE("cuts come near the quantiles, whatever the scale and the place of the values") {
  const auto [width, middle] = GENERATE(std::pair{1.0, 0.0}, std::pair{1e-20, 0.0}, std::pair{1e20, 0.0},
                                        std::pair{1.0, 2000.0}, std::pair{1e6, 1.6e9});
  std::vector<float> values = Noise(20000, 3, width);
  for (float& value : values) value += static_cast<float>(middle);
  const std::int64_t bins = 64;
  const std::vector<float> cuts = CutsOf(values, bins);
  REQUIRE(cuts.size() == 63);
  const std::vector<std::int64_t> counts = Count(cuts, values);
  std::int64_t below = 0;
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    below += counts[i];
    // A thousandth of the rows beside the quantile, and twice that where the floats themselves are coarse.
    CHECK(static_cast<double>(below) / 20000 == Approx(static_cast<double>(i + 1) / 64).margin(0.0025));
  }
}

TEST_CASE("the few values of a category are told apart, however rare") {
  std::vector<float> values(100000, 0.0f);
  const std::vector<float> kinds = {-1.25f, 0, 1, 2, 3, 100, 101, 1e9f};
  for (std::size_t i = 0; i < kinds.size(); ++i) values[i] = kinds[i];
  const std::vector<float> cuts = CutsOf(values, 256);
  REQUIRE(cuts.size() == kinds.size() - 1);
  for (std::size_t i = 0; i < kinds.size(); ++i) CHECK(PlaceOf(cuts, kinds[i]) == i);
  CHECK(CutsOf({0, 1, 1, 0}, 2).size() == 1);
  CHECK(CutsOf({5, 5, 5}, 256).empty());
  CHECK(CutsOf({}, 256).empty());
}

TEST_CASE("a value is placed behind the edges at or below it") {
  for (std::size_t count = 0; count < 40; ++count) {
    std::vector<float> edges;
    for (std::size_t i = 0; i < count; ++i) edges.push_back(static_cast<float>(2 * i));
    for (float value = -1; value < 82; ++value) {
      const auto want = std::upper_bound(edges.begin(), edges.end(), value) - edges.begin();
      CHECK(PlaceOf(edges, value) == static_cast<std::size_t>(want));
    }
  }
}

TEST_CASE("the exponential is right to a few units in the last place") {
  for (double x = -700; x <= 700; x += 0.37) CHECK(Exp(x) == Approx(std::exp(x)).epsilon(1e-14));
  CHECK(Exp(0) == 1);
  CHECK(Exp(-701) == 0);
  CHECK(std::isfinite(Exp(1e300)));
}
