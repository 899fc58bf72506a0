#include "core/federate/privacy/noise.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <numeric>

#include "core/federate/accumulator.h"
#include "core/federate/privacy/discrete_gaussian.h"

namespace ote::federate {
namespace {

crypto::RandomStream Stream(const std::string& context) {
  static const std::vector<std::uint8_t> secret(32, 7);
  return crypto::RandomStream(secret, context);
}

TEST_CASE("draws are the discrete Gaussian") {
  for (const std::int64_t sigma : {1, 2, 7}) {
    crypto::RandomStream random = Stream("chi" + std::to_string(sigma));
    constexpr int kDraws = 200'000;
    std::map<std::int64_t, int> seen;
    for (int i = 0; i < kDraws; ++i) ++seen[DrawDiscreteGaussian(sigma, random)];
    const auto weight = [sigma](std::int64_t x) {
      return std::exp(-static_cast<double>(x * x) / (2.0 * static_cast<double>(sigma * sigma)));
    };
    double all = 0;
    for (std::int64_t x = -20 * sigma; x <= 20 * sigma; ++x) all += weight(x);
    double chi = 0;
    int cells = 0;
    for (std::int64_t x = -20 * sigma; x <= 20 * sigma; ++x) {
      const double expected = kDraws * weight(x) / all;
      if (expected < 10) continue;
      chi += (seen[x] - expected) * (seen[x] - expected) / expected;
      ++cells;
    }
    INFO("sigma " << sigma << ": chi² " << chi << " of " << cells << " cells");
    // Five deviations of a chi² of so many degrees of freedom.
    CHECK(chi < cells + 5 * std::sqrt(2.0 * cells));
  }
}

TEST_CASE("wide draws have the moments and the tails of a Gaussian") {
  for (const std::int64_t sigma : {kNarrowSigma, kNarrowSigma * 4, kMostSigma}) {
    crypto::RandomStream random = Stream("wide");
    constexpr int kDraws = 20'000;
    double sum = 0;
    double square = 0;
    int beyond_one = 0;
    int beyond_two = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double x = static_cast<double>(DrawDiscreteGaussian(sigma, random)) / static_cast<double>(sigma);
      sum += x;
      square += x * x;
      beyond_one += std::abs(x) > 1 ? 1 : 0;
      beyond_two += std::abs(x) > 2 ? 1 : 0;
    }
    CHECK(std::abs(sum / kDraws) < 5 / std::sqrt(kDraws));
    CHECK(square / kDraws == Approx(1).margin(5 * std::sqrt(2.0 / kDraws)));
    CHECK(beyond_one / static_cast<double>(kDraws) == Approx(0.3173).margin(0.017));
    CHECK(beyond_two / static_cast<double>(kDraws) == Approx(0.0455).margin(0.008));
  }
}

TEST_CASE("the same secret and context draw the same, another of either something else") {
  const auto draw = [](crypto::RandomStream random) {
    std::vector<std::int64_t> out(8);
    AddNoise(out, 1000, random);
    return out;
  };
  const std::vector<std::uint8_t> other(32, 8);
  CHECK(draw(Stream("a")) == draw(Stream("a")));
  CHECK(draw(Stream("a")) != draw(Stream("b")));
  CHECK(draw(Stream("a")) != draw(crypto::RandomStream(other, "a")));
  CHECK(draw(crypto::RandomStream::Fresh()) != draw(crypto::RandomStream::Fresh()));
}

TEST_CASE("on its grid an update is never longer than the clipping norm, whatever it was") {
  crypto::RandomStream random = Stream("updates");
  for (const double clip : {1e-3, 0.1, 1.0, 37.0}) {
    for (const double noise : {0.02, 1.0, 20.0}) {
      for (const std::int64_t unit : {1, 256}) {
        const NoiseGrid grid = ChooseNoiseGrid(noise, clip, unit);
        INFO(clip << " " << noise << " " << unit << ": exponent " << grid.exponent << ", sigma " << grid.sigma);
        CHECK(static_cast<double>(grid.sigma) >= std::ldexp(noise * clip * static_cast<double>(unit), grid.exponent));
        CHECK(grid.sigma >= 4096);
        CHECK(grid.sigma <= kNarrowSigma);
        std::vector<float> values(5000);
        for (float& v : values) v = static_cast<float>(random.Below(2'000'001)) / 1e6F - 1.0F;
        ClipToNorm(values, ClipTarget(grid, clip, unit, values.size()));
        Accumulator sum(values.size(), {grid.exponent, kMostPrivateSites * unit});
        REQUIRE(sum.Fold(values, unit));
        double square = 0;
        for (const std::int64_t k : sum.sums()) square += static_cast<double>(k) * static_cast<double>(k);
        const double most = std::ldexp(clip * static_cast<double>(unit), grid.exponent);
        CHECK(std::sqrt(square) <= most);
        CHECK(std::sqrt(square) >= 0.99 * most);
      }
    }
  }
}

TEST_CASE("what is short enough is not touched by clipping") {
  std::vector<float> values = {0.3F, -0.4F};
  CHECK(ClipToNorm(values, 0.6));
  CHECK(values == std::vector<float>{0.3F, -0.4F});
  CHECK_FALSE(ClipToNorm(values, 0.25));
  CHECK(NormOf(values) == Approx(0.25).epsilon(1e-5));
  CHECK(NormOf(values) <= 0.25);
  CHECK(values[1] / values[0] == Approx(-4.0 / 3));
  std::vector<std::int64_t> whole = {300, -400, 1};
  CHECK_FALSE(ClipToNorm(whole, 50));
  CHECK(whole == std::vector<std::int64_t>{29, -39, 0});
}

TEST_CASE("local noise has its whole deviation, and stays in range") {
  crypto::RandomStream random = Stream("local");
  std::vector<float> values(20'000, 0.0F);
  values[0] = 3;  // clipped to 2
  CHECK_FALSE(MakePrivate(values, 1.5, 2.0, kBound, random));
  double square = 0;
  for (const float v : values) square += static_cast<double>(v) * static_cast<double>(v);
  CHECK(std::sqrt(square / 20'000) == Approx(3.0).epsilon(0.03));
  CHECK(MakePrivate(values, 1000, 1e-3, 0.5, random) == false);
  CHECK(std::all_of(values.begin(), values.end(), [](float v) { return std::abs(v) <= 0.5F; }));
}

TEST_CASE("parts of a noise make the whole of it when as many as may have left and lie") {
  const NoiseShare share{1.0, 1.0, 1.0 / 65536, 20, 0.3, 0.1};
  const auto sigma = SigmaOfShare(share);
  REQUIRE(sigma);
  // 12 of 20 are left.
  CHECK(static_cast<double>(*sigma) * std::sqrt(12) >= 65536);
  CHECK(static_cast<double>(*sigma) * std::sqrt(12) < 65536 + 4);
  constexpr std::size_t kCount = 5000;
  std::vector<std::int64_t> sum(kCount);
  for (int site = 0; site < 12; ++site) {
    crypto::RandomStream random = Stream("site" + std::to_string(site));
    std::vector<std::int64_t> values(kCount, 0);
    values[0] = 1 << 20;  // sixteen times too long
    REQUIRE(AddDistributedNoise(values, share, random));
    for (std::size_t i = 0; i < kCount; ++i) sum[i] += values[i];
  }
  double square = 0;
  for (std::size_t i = 1; i < kCount; ++i) square += static_cast<double>(sum[i]) * static_cast<double>(sum[i]);
  CHECK(std::sqrt(square / (kCount - 1)) / 65536 == Approx(1).epsilon(0.05));
  CHECK(static_cast<double>(sum[0]) / 65536 == Approx(12).margin(5));

  CHECK_FALSE(SigmaOfShare({1.0, 1e-3, 1e-3, 20, 0, 0}));
  CHECK_FALSE(SigmaOfShare({1.0, 1e3, 1e-8, 20, 0, 0}));
}

}  // namespace
}  // namespace ote::federate
