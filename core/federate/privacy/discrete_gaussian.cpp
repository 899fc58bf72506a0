#include "core/federate/privacy/discrete_gaussian.h"

#include <cassert>

namespace ote::federate {
namespace {

using crypto::RandomStream;

__extension__ using Wide = unsigned __int128;

bool Chance(std::uint64_t numerator, std::uint64_t denominator, RandomStream& random) {
  return random.Chance(numerator, denominator);
}
// By rejection from the next power of two.
bool Chance(Wide numerator, Wide denominator, RandomStream& random) {
  Wide mask = denominator - 1;
  for (int shift = 1; shift < 128; shift *= 2) mask |= mask >> shift;
  for (;;) {
    const Wide high = random.Next();
    const Wide drawn = ((high << 64) | random.Next()) & mask;
    if (drawn < denominator) return drawn < numerator;
  }
}

// Whether an event of probability exp(-numerator / denominator) happens, for a quotient of at most 1 (algorithm 1): the
// first k at which a draw of probability quotient / k fails is odd with that probability.
template <class Number>
bool FractionOfE(Number numerator, Number denominator, RandomStream& random) {
  std::uint64_t k = 1;
  while (Chance(numerator, static_cast<Number>(denominator * k), random)) ++k;
  return k % 2 == 1;
}
bool OneInE(RandomStream& random) { return FractionOfE<std::uint64_t>(1, 1, random); }

template <class Number>
bool PowerOfE(Number numerator, Number denominator, RandomStream& random) {
  while (numerator > denominator) {
    if (!OneInE(random)) return false;
    numerator -= denominator;
  }
  return FractionOfE(numerator, denominator, random);
}

// P(x) is proportional to exp(-|x| / scale) (algorithm 2). The magnitude comes in two parts, so that each is small.
struct Laplace {
  std::uint64_t magnitude;
  bool negative;
};
Laplace DrawLaplace(std::uint64_t scale, RandomStream& random) {
  for (;;) {
    const std::uint64_t low = random.Below(scale);
    if (!FractionOfE(low, scale, random)) continue;
    std::uint64_t high = 0;
    while (OneInE(random)) ++high;
    const bool negative = (random.Next() & 1) != 0;
    const std::uint64_t magnitude = low + scale * high;
    if (negative && magnitude == 0) continue;  // zero would count twice
    return {magnitude, negative};
  }
}

}  // namespace

// Algorithm 3 with the scale σ in place of floor(σ) + 1, which changes how often a draw is thrown away and nothing
// else: with it the exponent is (|y| - σ)² / 2σ².
std::int64_t DrawDiscreteGaussian(std::int64_t sigma, RandomStream& random) {
  assert(sigma >= 1 && sigma <= kMostSigma);
  const auto scale = static_cast<std::uint64_t>(sigma);
  // Beyond, the exponent is 2,000 and more: no such draw would be taken in the life of the universe, and the square
  // below might not fit.
  const std::uint64_t most = 64 * scale;
  for (;;) {
    const Laplace y = DrawLaplace(scale, random);
    if (y.magnitude > most) continue;
    const std::uint64_t distance = y.magnitude > scale ? y.magnitude - scale : scale - y.magnitude;
    const bool taken = sigma <= kNarrowSigma ? PowerOfE(distance * distance, 2 * scale * scale, random)
                                             : PowerOfE(Wide{distance} * distance, Wide{2} * scale * scale, random);
    if (!taken) continue;
    const auto magnitude = static_cast<std::int64_t>(y.magnitude);
    return y.negative ? -magnitude : magnitude;
  }
}

}  // namespace ote::federate
