#include "core/federate/privacy/noise.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/federate/accumulator.h"
#include "core/federate/privacy/discrete_gaussian.h"

namespace ote::federate {
namespace {

constexpr int kSigmaLog2 = 24;
constexpr double kLeastShare = 16;
static_assert(kNarrowSigma == std::int64_t{1} << kSigmaLog2);

}  // namespace

NoiseGrid ChooseNoiseGrid(double noise, double clip_norm, std::int64_t unit) {
  const double deviation = noise * clip_norm * static_cast<double>(unit);
  int power = 0;
  std::frexp(deviation, &power);  // deviation < 2^power
  const int finest = ChooseGrid(kMostPrivateSites * unit)->exponent;
  NoiseGrid grid;
  grid.exponent = std::clamp(kSigmaLog2 - power, 0, finest);
  const double sigma = std::ceil(std::ldexp(deviation, grid.exponent));
  grid.sigma = static_cast<std::int64_t>(std::clamp(sigma, 1.0, static_cast<double>(kMostSigma)));
  return grid;
}

double ClipTarget(const NoiseGrid& grid, double clip_norm, std::int64_t unit, std::size_t count) {
  const double room = std::ldexp(std::sqrt(static_cast<double>(count)) / 2, -grid.exponent) / static_cast<double>(unit);
  // A part in a million more, for the rounding of the norm and of float32.
  return std::max(0.0, clip_norm - room) * (1 - 1e-6);
}

double NormOf(std::span<const float> values) {
  double square = 0;
  for (const float value : values) square += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(square);
}

bool ClipToNorm(std::span<float> values, double norm) {
  const double length = NormOf(values);
  if (!(length > norm) || !std::isfinite(length)) return true;
  // What float32 rounds up must not bring it past the norm.
  const double factor = norm / length * (1 - 1e-7);
  for (float& value : values) value = static_cast<float>(static_cast<double>(value) * factor);
  return false;
}

bool ClipToNorm(std::span<std::int64_t> values, double norm) {
  double square = 0;
  for (const std::int64_t value : values) square += static_cast<double>(value) * static_cast<double>(value);
  const double length = std::sqrt(square);
  if (!(length > norm)) return true;
  const double factor = norm / length * (1 - 1e-12);
  for (std::int64_t& value : values) value = static_cast<std::int64_t>(static_cast<double>(value) * factor);
  return false;
}

void AddNoise(std::span<std::int64_t> values, std::int64_t sigma, crypto::RandomStream& random) {
  for (std::int64_t& value : values) value += DrawDiscreteGaussian(sigma, random);
}

bool MakePrivate(std::span<float> values, double noise, double clip_norm, double bound, crypto::RandomStream& random) {
  const NoiseGrid grid = ChooseNoiseGrid(noise, clip_norm, 1);
  const bool within = ClipToNorm(values, ClipTarget(grid, clip_norm, 1, values.size()));
  std::array<std::int64_t, 1024> block{};
  for (std::size_t at = 0; at < values.size(); at += block.size()) {
    const auto some = values.subspan(at, std::min(block.size(), values.size() - at));
    const auto units = std::span(block).first(some.size());
    for (std::size_t i = 0; i < some.size(); ++i) {
      units[i] = std::llround(std::ldexp(static_cast<double>(some[i]), grid.exponent));
    }
    AddNoise(units, grid.sigma, random);
    for (std::size_t i = 0; i < some.size(); ++i) {
      const double value = std::ldexp(static_cast<double>(units[i]), -grid.exponent);
      some[i] = static_cast<float>(std::clamp(value, -bound, bound));
    }
  }
  return within;
}

Result<std::int64_t> SigmaOfShare(const NoiseShare& share) {
  const double stay = std::floor(static_cast<double>(share.sites) * (1 - share.leaving - share.colluding));
  const double sigma = share.noise * share.clip_norm / share.step / std::sqrt(std::max(1.0, stay));
  if (sigma >= kLeastShare && sigma <= static_cast<double>(kMostSigma)) {
    return static_cast<std::int64_t>(std::min(std::ceil(sigma), static_cast<double>(kMostSigma)));
  }
  return Fail(ErrorId::kRunInvalid,
              fmt::format("privacy.noiseMultiplier: a site's part of the noise is {:.3g} units of the grid of the sum, "
                          "and {} to 2^32 are possible",
                          sigma, kLeastShare),
              sigma < kLeastShare ? "a smaller secureAggregation.bound makes the grid finer"
                                  : "a greater secureAggregation.bound makes the grid coarser");
}

Result<void> AddDistributedNoise(std::span<std::int64_t> values, const NoiseShare& share,
                                 crypto::RandomStream& random) {
  OTE_TRY(const std::int64_t sigma, SigmaOfShare(share));
  ClipToNorm(values, share.clip_norm / share.step);
  AddNoise(values, sigma, random);
  return {};
}

}  // namespace ote::federate
