// Clipping, and noise on the integer grid that sums are made on.
//
// A round with noise has a grid on which the deviation of the noise is 2^23 to 2^24 units, where the range of the sum
// allows it: rounding a contribution to it changes nothing that anybody could see, and the draws are exact integers.
// Rounding may make a contribution longer than it was clipped to, by up to half a unit in each value; that much is left
// free, so that what is added is never longer than the clipping norm.
#pragma once

#include <cstdint>
#include <span>

#include "core/base/result.h"
#include "crypto/random_stream.h"

namespace ote::federate {

// What noise·clip norm may be: within it there is a grid for every round.
inline constexpr double kLeastDeviation = 1e-6;
inline constexpr double kMostDeviation = 1e4;
// More sites cannot be in one sum with noise.
inline constexpr std::int64_t kMostPrivateSites = std::int64_t{1} << 20;

struct NoiseGrid {
  int exponent = 0;        // values are multiples of 2^-exponent
  std::int64_t sigma = 1;  // the deviation of the noise in such units, rounded up
};
// For contributions of norm clip_norm and weight `unit` each; the noise is `noise`·clip_norm·unit.
NoiseGrid ChooseNoiseGrid(double noise, double clip_norm, std::int64_t unit);

// The norm to clip `count` values to, so that rounded to the grid they are no longer than clip_norm.
double ClipTarget(const NoiseGrid& grid, double clip_norm, std::int64_t unit, std::size_t count);

// The Euclidean norm; infinite or NaN when a value is.
double NormOf(std::span<const float> values);
// Scales the values down to `norm`, never up; whether they were within it. Values that are not finite stay as they are.
bool ClipToNorm(std::span<float> values, double norm);
// The same for whole numbers, rounded towards zero, so that they are within it to the unit.
bool ClipToNorm(std::span<std::int64_t> values, double norm);

// Adds an independent draw of the discrete Gaussian to each.
void AddNoise(std::span<std::int64_t> values, std::int64_t sigma, crypto::RandomStream& random);

// Local noise: clips `values` to `clip_norm` and adds all of the noise, on a grid, and back. What comes out is within
// ±`bound`. Whether it was within the norm before.
bool MakePrivate(std::span<float> values, double noise, double clip_norm, double bound, crypto::RandomStream& random);

// Distributed noise: each of the sites of a sum adds a part, so that the sum has all of it also when some have left and
// some tell the root theirs. Sums of discrete Gaussians are as good as one when each is many units wide (Kairouz, Liu
// and Steinke 2021, theorem 12: the difference is below exp(-19·σ²)).
struct NoiseShare {
  double noise = 0;        // of the sum, by the clipping norm
  double clip_norm = 0;    // of one contribution
  double step = 0;         // of the grid of the sum: what one unit stands for
  std::int64_t sites = 0;  // that were asked
  double leaving = 0;      // the part of them that may leave
  double colluding = 0;    // the part of them that may tell the root their noise
};
// The deviation of one site's part, in units. kRunInvalid when the grid is too coarse for it (below 16 units) or too
// fine (beyond kMostSigma).
Result<std::int64_t> SigmaOfShare(const NoiseShare& share);
// What a site does with its contribution before it is masked: clips it to the norm, in whole units, and adds its part.
// `values` are multiples of share.step. Errors as SigmaOfShare.
Result<void> AddDistributedNoise(std::span<std::int64_t> values, const NoiseShare& share, crypto::RandomStream& random);

}  // namespace ote::federate
