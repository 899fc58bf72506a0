// Random numbers that are the same on every machine, compiler and standard library for the same seed. Not for secrets.
//
// Generator: xoshiro256** (Blackman and Vigna 2021), seeded by SplitMix64. Distributions use IEEE basic operations and
// square roots only, which round alike everywhere; logarithm and exponential are computed from them.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace ote::learn {

// One step of SplitMix64: a good 64-bit mixing function of `x`.
std::uint64_t Mix64(std::uint64_t x) noexcept;
// A seed for the `stream`-th use of `seed`.
std::uint64_t DeriveSeed(std::uint64_t seed, std::uint64_t stream) noexcept;

class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept;

  std::uint64_t Next() noexcept;
  // 0 ≤ x < bound, without bias (Lemire 2019); bound > 0.
  std::uint64_t Below(std::uint64_t bound) noexcept;
  // 0 ≤ x < 1, a multiple of 2^-53.
  double Uniform() noexcept;
  // Standard normal, by Marsaglia's polar method.
  double Normal() noexcept;
  // The logarithm of a Gamma(shape, 1) draw (Marsaglia and Tsang 2000); shape > 0. As a logarithm, because a draw for a
  // small shape is often too small for a double.
  double LogGamma(double shape) noexcept;
  // Shares that sum to 1: Dirichlet(alpha, …, alpha) over `parts`; alpha > 0, parts ≥ 1.
  std::vector<double> Dirichlet(std::size_t parts, double alpha);
  // Fisher and Yates.
  template <class T>
  void Shuffle(std::span<T> items) noexcept {
    for (std::size_t i = items.size(); i > 1; --i) {
      const auto j = static_cast<std::size_t>(Below(i));
      const T held = items[i - 1];
      items[i - 1] = items[j];
      items[j] = held;
    }
  }

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace ote::learn
