// Compiled without contraction of a·b+c, which would round differently from machine to machine.
#include "core/learn/random.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ote::learn {
namespace {

constexpr double kLn2 = 0.69314718055994530942;

// ln x for x > 0 and normal: x = m·2^e with m in [√½, √2), ln m = 2·artanh((m-1)/(m+1)). Error below 4 ulp.
double PortableLog(double x) noexcept {
  const auto bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<int>(bits >> 52) - 1022;
  double m = std::bit_cast<double>((bits & ((1ULL << 52) - 1)) | (1022ULL << 52));
  if (m < 0.70710678118654752440) {
    m *= 2;
    --exponent;
  }
  const double s = (m - 1) / (m + 1);
  const double square = s * s;
  double sum = 0;
  for (int k = 25; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
  return 2 * s * sum + exponent * kLn2;
}

// e^x for x ≤ 0; 0 below -700.
double PortableExp(double x) noexcept {
  if (x < -700) return 0;
  const int n = static_cast<int>(x / kLn2 - 0.5);
  const double r = x - n * kLn2;
  double sum = 1;
  for (int k = 18; k >= 1; --k) sum = 1 + r * sum / k;
  return sum * std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52);
}

}  // namespace

std::uint64_t Mix64(std::uint64_t x) noexcept {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::uint64_t DeriveSeed(std::uint64_t seed, std::uint64_t stream) noexcept { return Mix64(Mix64(seed) ^ stream); }

Random::Random(std::uint64_t seed) noexcept : state_{} {
  for (std::uint64_t& word : state_) {
    word = Mix64(seed);
    seed += 0x9e3779b97f4a7c15ULL;
  }
}

std::uint64_t Random::Next() noexcept {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::Below(std::uint64_t bound) noexcept {
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(Next()) * bound;
  auto low = static_cast<std::uint64_t>(product);
  if (low < bound) {
    const std::uint64_t threshold = (0 - bound) % bound;
    while (low < threshold) {
      product = static_cast<Wide>(Next()) * bound;
      low = static_cast<std::uint64_t>(product);
    }
  }
  return static_cast<std::uint64_t>(product >> 64);
}

double Random::Uniform() noexcept { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

double Random::Normal() noexcept {
  for (;;) {
    const double u = 2 * Uniform() - 1;
    const double v = 2 * Uniform() - 1;
    const double s = u * u + v * v;
    // The lower bound keeps the logarithm's argument a normal number.
    if (s < 1 && s > 1e-300) return u * std::sqrt(-2 * PortableLog(s) / s);
  }
}

double Random::LogGamma(double shape) noexcept {
  if (shape < 1) {
    // Gamma(a) = Gamma(a + 1) · U^(1/a).
    const double boosted = LogGamma(shape + 1);
    return boosted + PortableLog(1 - Uniform()) / shape;
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = Normal();
    const double t = 1 + c * x;
    if (t <= 0) continue;
    const double v = t * t * t;
    const double u = 1 - Uniform();
    const double log_v = PortableLog(v);
    if (PortableLog(u) < 0.5 * x * x + d - d * v + d * log_v) return PortableLog(d) + log_v;
  }
}

std::vector<double> Random::Dirichlet(std::size_t parts, double alpha) {
  std::vector<double> shares(parts);
  for (double& share : shares) share = LogGamma(alpha);
  const double top = *std::max_element(shares.begin(), shares.end());
  double sum = 0;
  for (double& share : shares) {
    share = PortableExp(share - top);
    sum += share;
  }
  for (double& share : shares) share /= sum;
  return shares;
}

}  // namespace ote::learn
