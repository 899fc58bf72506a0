// Exact draws of the discrete Gaussian on the integers: P(x) is proportional to exp(-x² / 2σ²). Integer arithmetic
// only (Canonne, Kamath and Steinke 2020, algorithms 1 to 3), so that no rounding of floating-point numbers tells the
// value that the noise hides (Mironov 2012).
#pragma once

#include <cstdint>

#include "crypto/random_stream.h"

namespace ote::federate {

inline constexpr std::int64_t kMostSigma = std::int64_t{1} << 32;
// Up to here all products fit 64 bits, and a draw is quicker.
inline constexpr std::int64_t kNarrowSigma = std::int64_t{1} << 24;

// σ from 1 to kMostSigma. A draw takes about thirty numbers of the stream, whatever σ is.
std::int64_t DrawDiscreteGaussian(std::int64_t sigma, crypto::RandomStream& random);

}  // namespace ote::federate
