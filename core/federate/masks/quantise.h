// Updates as whole numbers, so that masks cancel to the bit.
//
// A value x of a site with `weight` examples becomes the number n·x·2^exponent, x cut to [-bound, bound] first, rounded
// up or down at random so that it is right in the mean (stochastic rounding), as a 32-bit number modulo 2^32:
// RoundHalfEven(n·x·2^exponent + (r + 1/2)/2^16), r the next 16 bits of a ChaCha20 stream, signed; the mean is right to
// 2^-17 of a unit, and whole numbers stay as they are. The exponent is the largest for which no sum can reach 2^31:
// bound·W·2^exponent + N <= 2^31 - 1 for N sites with W examples together. A run takes the capacity of its grid for W
// and 8000 for N, so that the exponent, and with it the model, does not depend on who was asked and left. It is never
// finer than the grid of the exact sum, which it goes onto by a shift: exactly.
//
// Error: every rounding is off by less than one unit, so the mean of the sites that are left, w examples together, is
// off by less than N·2^-exponent / w a value, that is N·2^-30·bound·W/w (and a part in 2^18 more, for the roundings
// themselves); its standard deviation is at most sqrt(N)/2·2^-exponent / w. A run's capacity is below four times its
// rows: ten sites that all stay and a bound of 1 are off by 4e-8 at worst and by 6e-9 as a rule. Where the exact sum's
// grid is the coarser one (bounds below 2^-21), its unit counts.
//
// The random part comes from the task's seed: the same task gives the same numbers. It hides nothing.
#pragma once

#include <cstdint>
#include <span>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/federate/accumulator.h"
#include "crypto/mask_stream.h"

namespace ote::federate {

// `grid` is that of the exact sum. kRunInvalid when no exponent fits.
Result<int> ChooseMaskExponent(std::int64_t rows, std::int64_t sites, double bound, const Grid& grid);

struct MaskGrain {
  int exponent = 0;
  double bound = 1;
  std::int64_t weight = 1;
};
// The values of one update, piece by piece. One thread.
class Quantiser {
 public:
  // `seed`, 32 bytes, is used for this alone.
  Quantiser(const MaskGrain& grain, ByteView seed);
  // The next values, float32 in native order at any alignment, into `out`, which has as many. kUpdateNotFinite.
  Result<void> Next(ByteView values, std::span<std::uint32_t> out);
  // How many were cut to the bound.
  std::int64_t cut() const noexcept { return cut_; }

 private:
  double bound_;
  double scale_;
  crypto::KeyStream stream_;
  std::int64_t cut_ = 0;
};
// All of them at once; gives how many were cut.
Result<std::int64_t> Quantise(std::span<const float> values, const MaskGrain& grain, ByteView seed,
                              std::span<std::uint32_t> out);

// Whole numbers beside the update, whose sum is as exact: each in four words of 16 bits, which no sum of up to 2^16
// sites can overflow. Numbers are modulo 2^64.
inline constexpr std::size_t kSideWords = 4;
void PutSide(std::span<const std::int64_t> values, std::span<std::uint32_t> out);
void TakeSide(std::span<const std::uint32_t> sums, std::span<std::int64_t> out);

}  // namespace ote::federate
