// The numbers of masks: who shares with whom, and what becomes of values.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "core/federate/masks/graph.h"
#include "core/federate/masks/quantise.h"

namespace ote::federate {
namespace {

api::MasksSpec Spec(double leaving, double colluding) {
  api::MasksSpec spec;
  spec.leaving = leaving;
  spec.colluding = colluding;
  return spec;
}

TEST_CASE("as many may leave as was set, and no two lists of survivors can both have a quorum") {
  for (std::int64_t n = 3; n <= 2000; n += n < 60 ? 1 : 97) {
    const auto plan = PlanMasks(n, Spec(0.3, 0.1));
    REQUIRE(plan.has_value());
    const auto gone = static_cast<std::size_t>(0.3 * static_cast<double>(n) + 1e-9);
    const auto colluding = static_cast<std::size_t>(0.1 * static_cast<double>(n) + 1e-9);
    CHECK(plan->quorum <= plan->sites - gone);
    CHECK(2 * plan->quorum > plan->sites + colluding);
    CHECK(plan->needed > 2 * (colluding * plan->group / plan->sites));
    CHECK(plan->needed <= plan->group);
    CHECK(plan->group <= 255);
    CHECK(plan->Complete() == (n < 114));
  }
}

TEST_CASE("groups grow with the logarithm of the cohort, not with it") {
  const auto thousand = PlanMasks(1000, Spec(0.3, 0.1)).value();
  const auto all = PlanMasks(kMostMasked, Spec(0.3, 0.1)).value();
  CHECK(thousand.group == 99);
  CHECK(thousand.needed == 44);
  CHECK(all.group < 200);
  CHECK(PlanMasks(1000, Spec(0.05, 0.05)).value().group < 60);
}

TEST_CASE("so many signatures are looked at that a list without a quorum of good ones passes as good as never") {
  for (const std::int64_t n : {3, 10, 63, 100, 300, 1000, 8000}) {
    const auto plan = PlanMasks(n, Spec(0.3, 0.1)).value();
    for (std::size_t shown = plan.quorum; shown <= plan.sites; shown += 1 + plan.sites / 50) {
      const std::size_t checked = SignaturesToCheck(plan, shown);
      CHECK(checked <= plan.quorum);
      const auto pass = [&](std::size_t k) {
        double bits = std::log2(static_cast<double>(n));
        for (std::size_t i = 0; i < k && i < plan.quorum; ++i) {
          if (i == plan.quorum - 1) return -HUGE_VAL;  // there are no more good ones
          bits += std::log2(static_cast<double>(plan.quorum - 1 - i)) - std::log2(static_cast<double>(shown - i));
        }
        return bits;
      };
      CHECK(pass(checked) <= -60);
      CHECK(pass(checked - 1) > -60.0001);
    }
  }
  const auto thousand = PlanMasks(1000, Spec(0.3, 0.1)).value();
  CHECK(SignaturesToCheck(thousand, 1000) == 77);
  CHECK(SignaturesToCheck(thousand, 700) == 172);
  CHECK(SignaturesToCheck(thousand, 551) == 551);
}

TEST_CASE("cohorts that cannot be masked are refused with what would do") {
  const auto refused = [](std::int64_t n, double leaving, double colluding) {
    const auto plan = PlanMasks(n, Spec(leaving, colluding));
    return !plan && plan.error().id == ErrorId::kMaskTooFew;
  };
  CHECK(refused(2, 0, 0));
  CHECK(refused(0, 0, 0));
  CHECK(refused(-1, 0, 0));
  CHECK(refused(kMostMasked + 1, 0.1, 0.1));
  CHECK(refused(10, 0.45, 0.2));
  for (const double nonsense : {-0.1, 1.0, 1.67e176, std::nan(""), HUGE_VAL}) {
    CHECK(refused(10, nonsense, 0.1));
    CHECK(refused(10, 0.1, nonsense));
  }
  CHECK_FALSE(refused(3, 0.3, 0.1));
}

TEST_CASE("neighbours are mutual, distinct, as many for each, and others for other keys") {
  const auto plan = PlanMasks(500, Spec(0.2, 0.05)).value();
  REQUIRE_FALSE(plan.Complete());
  crypto::Digest seed;
  const MaskGraph graph(plan, seed);
  seed.bytes[0] = 1;
  const MaskGraph other(plan, seed);
  std::size_t same = 0;
  for (std::size_t site = 0; site < plan.sites; ++site) {
    const auto group = graph.Group(site);
    CHECK(std::is_sorted(group.begin(), group.end()));
    CHECK(std::set<std::size_t>(group.begin(), group.end()).size() == plan.group);
    CHECK(std::binary_search(group.begin(), group.end(), site));
    for (const std::size_t member : group) {
      const auto theirs = graph.Group(member);
      CHECK(std::binary_search(theirs.begin(), theirs.end(), site));
    }
    same += group == other.Group(site) ? 1U : 0U;
  }
  CHECK(same == 0);
}

TEST_CASE("no sum of the cohort overflows, at the edges of bound, rows and sites") {
  for (const double bound : {1e-9, 0x1p-21, 1e-3, 0.999, 1.0, 1.001, 1024.0}) {
    for (const std::int64_t rows :
         {std::int64_t{3}, std::int64_t{4096}, std::int64_t{1'000'003}, std::int64_t{1} << 40}) {
      for (const std::int64_t sites : {std::int64_t{3}, std::int64_t{1000}, std::int64_t{8000}}) {
        if (sites > rows) continue;
        const Grid grid = ChooseGrid(rows).value();
        const int exponent = ChooseMaskExponent(rows, sites, bound, grid).value();
        CHECK(exponent <= grid.exponent);
        const double largest = std::ldexp(bound * static_cast<double>(rows), exponent) + static_cast<double>(sites);
        CHECK(largest <= 2147483647.0);
        // And no coarser than needed.
        if (exponent < grid.exponent) CHECK(2 * largest > 2147483647.0 - 2 * static_cast<double>(sites));
      }
    }
  }
  CHECK_FALSE(ChooseMaskExponent(0, 3, 1, ChooseGrid(1).value()).has_value());
  CHECK_FALSE(ChooseMaskExponent(3, 3, 0, ChooseGrid(3).value()).has_value());
}

TEST_CASE("all sites at the bound give the largest sum, to the last bit") {
  const std::int64_t rows = 1000;
  const std::int64_t sites = 10;
  const Grid grid = ChooseGrid(rows).value();
  const int exponent = ChooseMaskExponent(rows, sites, 0.7, grid).value();
  for (const float value : {0.7F, -0.7F, 5.0F, -1024.0F}) {
    std::uint32_t sum = 0;
    for (int site = 0; site < sites; ++site) {
      std::uint32_t word = 0;
      const float one[] = {value};
      CHECK(Quantise(one, {exponent, 0.7, 100}, Bytes(32, static_cast<std::uint8_t>(site)), {&word, 1}).value() ==
            (std::abs(value) > 0.7F || static_cast<double>(std::abs(value)) > 0.7 ? 1 : 0));
      sum += word;
    }
    const double mean = std::ldexp(static_cast<double>(static_cast<std::int32_t>(sum)), -exponent) / rows;
    CHECK(mean == Approx(value > 0 ? 0.7 : -0.7).margin(std::ldexp(10.0, -exponent) / rows));
  }
}

TEST_CASE("the mean of quantised updates is within the stated error of that of the updates") {
  constexpr std::size_t kValues = 20'000;
  constexpr int kSites = 10;
  std::mt19937_64 random(7);
  std::normal_distribution<float> normal(0, 0.2F);
  const double bound = 1.0;
  std::int64_t rows = 0;
  std::vector<std::int64_t> weights;
  for (int site = 0; site < kSites; ++site) weights.push_back(50 + 37 * site);
  for (const auto weight : weights) rows += weight;
  const Grid grid = ChooseGrid(rows).value();
  const int exponent = ChooseMaskExponent(rows, kSites, bound, grid).value();
  std::vector<double> exact(kValues);
  std::vector<std::uint32_t> sums(kValues);
  for (int site = 0; site < kSites; ++site) {
    std::vector<float> values(kValues);
    std::vector<std::uint32_t> words(kValues);
    for (float& value : values) value = normal(random);
    CHECK(Quantise(values, {exponent, bound, weights[static_cast<std::size_t>(site)]},
                   Bytes(32, static_cast<std::uint8_t>(site)), words)
              .has_value());
    for (std::size_t i = 0; i < kValues; ++i) {
      sums[i] += words[i];
      exact[i] += std::clamp(static_cast<double>(values[i]), -bound, bound) *
                  static_cast<double>(weights[static_cast<std::size_t>(site)]) / static_cast<double>(rows);
    }
  }
  Accumulator sum(kValues, grid);
  REQUIRE(sum.FoldUnits(sums, exponent, rows).has_value());
  std::vector<double> means(kValues);
  sum.Means(0, means);
  const double unit = std::ldexp(1.0, -exponent) / static_cast<double>(rows);
  double worst = 0;
  double square = 0;
  double bias = 0;
  for (std::size_t i = 0; i < kValues; ++i) {
    const double error = means[i] - exact[i];
    worst = std::max(worst, std::abs(error));
    square += error * error / kValues;
    bias += error / kValues;
  }
  CHECK(worst < kSites * unit);
  CHECK(worst <= 2e-8);
  CHECK(std::sqrt(square) <= std::sqrt(static_cast<double>(kSites)) / 2 * unit);
  CHECK(std::abs(bias) < 5 * std::sqrt(square / kValues));
}

TEST_CASE("a value is rounded up as often as it is near the number above, and the same task rounds alike") {
  constexpr std::size_t kValues = 200'000;
  for (const float value : {0.25F, -0.25F, 0.9F, 3.0F, -7.0F, 0.0F}) {
    const std::vector<float> values(kValues, value);
    std::vector<std::uint32_t> words(kValues);
    REQUIRE(Quantise(values, {0, 100, 1}, Bytes(32, 3), words).value() == 0);
    double mean = 0;
    for (const std::uint32_t word : words) {
      const auto number = static_cast<double>(static_cast<std::int32_t>(word));
      CHECK(std::abs(number - static_cast<double>(value)) < 1);
      mean += number / kValues;
    }
    CHECK(mean == Approx(static_cast<double>(value)).margin(0.006));
    std::vector<std::uint32_t> again(kValues);
    REQUIRE(Quantise(values, {0, 100, 1}, Bytes(32, 3), again).has_value());
    CHECK(again == words);
  }
}

TEST_CASE("a value becomes the number that the protocol says, in pieces of any length") {
  std::mt19937_64 random(11);
  std::normal_distribution<float> normal(0, 0.4F);
  constexpr std::size_t kValues = 10'007;
  std::vector<float> values(kValues);
  for (float& value : values) value = normal(random);
  values[3] = 1e-30F;
  values[4] = -0.0F;
  const MaskGrain grain{17, 0.9, 321};
  const Bytes seed(32, 5);
  std::vector<std::int16_t> drawn(kValues);
  crypto::KeyStream(seed).Next({reinterpret_cast<std::uint8_t*>(drawn.data()), drawn.size() * 2});
  std::vector<std::uint32_t> words(kValues);
  const auto cut = Quantise(values, grain, seed, words);
  REQUIRE(cut.has_value());
  std::int64_t beyond = 0;
  bool all = true;
  for (std::size_t i = 0; i < kValues; ++i) {
    const auto value = static_cast<double>(values[i]);
    beyond += std::abs(value) > grain.bound ? 1 : 0;
    const double scaled = std::clamp(value, -grain.bound, grain.bound) * (321.0 * 0x1p17);
    const double whole = std::nearbyint(scaled + (static_cast<double>(drawn[i]) + 0.5) * 0x1p-16);
    all = all && static_cast<std::int32_t>(words[i]) == static_cast<std::int32_t>(whole);
  }
  CHECK(all);
  CHECK(*cut == beyond);
  CHECK(words[4] == 0);
  Quantiser quantiser(grain, seed);
  std::vector<std::uint32_t> pieces(kValues);
  const ByteView bytes(reinterpret_cast<const std::uint8_t*>(values.data()), kValues * 4);
  for (std::size_t at = 0; at < kValues;) {
    const std::size_t some = std::min(kValues - at, std::size_t{1} + at % 3000);
    REQUIRE(quantiser.Next(bytes.subspan(at * 4, some * 4), std::span(pieces).subspan(at, some)).has_value());
    at += some;
  }
  CHECK(pieces == words);
  CHECK(quantiser.cut() == beyond);
}

TEST_CASE("an update with NaN or infinity is not quantised") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(5000, 0.5F);
    values[4999] = bad;
    std::vector<std::uint32_t> words(values.size());
    const auto done = Quantise(values, {10, 1, 3}, Bytes(32, 1), words);
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().id == ErrorId::kUpdateNotFinite);
  }
}

TEST_CASE("whole numbers beside the update add up exactly, negative ones too") {
  std::vector<std::uint32_t> sums(3 * kSideWords);
  std::int64_t expected[3] = {0, 0, 0};
  std::mt19937_64 random(3);
  for (int site = 0; site < 1000; ++site) {
    const std::int64_t values[] = {static_cast<std::int64_t>(random() >> 12),
                                   -static_cast<std::int64_t>(random() >> 14), 1};
    std::vector<std::uint32_t> words(sums.size());
    PutSide(values, words);
    for (std::size_t i = 0; i < words.size(); ++i) sums[i] += words[i];
    for (int i = 0; i < 3; ++i) expected[i] += values[i];
  }
  std::int64_t got[3] = {};
  TakeSide(sums, got);
  CHECK(got[0] == expected[0]);
  CHECK(got[1] == expected[1]);
  CHECK(got[2] == 1000);
}

TEST_CASE("a sum in whole numbers goes onto the grid of the exact sum by a shift") {
  const Grid grid = ChooseGrid(100).value();
  Accumulator sum(3, grid);
  const std::uint32_t units[] = {5, static_cast<std::uint32_t>(-3), 0x7fffffff};
  REQUIRE(sum.FoldUnits(units, 20, 50).has_value());
  CHECK(sum.sums()[0] == std::int64_t{5} << (grid.exponent - 20));
  CHECK(sum.sums()[1] == -(std::int64_t{3} << (grid.exponent - 20)));
  CHECK(sum.weight() == 50);
  CHECK_FALSE(sum.FoldUnits(units, 20, 51).has_value());                // beyond the capacity
  CHECK_FALSE(sum.FoldUnits(units, grid.exponent + 1, 1).has_value());  // finer than the grid
  Accumulator edge(3, grid);
  REQUIRE(edge.FoldUnits(units, -9, 100).has_value());
  CHECK(edge.sums()[2] == std::int64_t{100} << (grid.exponent + 10));  // cut to what the weight allows
}

}  // namespace
}  // namespace ote::federate
