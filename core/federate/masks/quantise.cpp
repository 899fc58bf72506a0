#include "core/federate/masks/quantise.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "crypto/mask_stream.h"

namespace ote::federate {
namespace {

constexpr double kLargest = 2147483647.0;
// Adding and taking away 1.5·2^52 rounds a double below 2^51 to a whole number.
constexpr double kMagic = 0x1.8p52;
constexpr std::size_t kPiece = 4096;

struct Counted {
  std::int64_t cut = 0;
  bool finite = true;
};

// Every step rounds as written, so that all instruction sets give the same numbers.
inline __attribute__((always_inline)) Counted QuantiseLoop(const float* __restrict values,
                                                           const std::uint32_t* __restrict random, std::size_t count,
                                                           double bound, double scale,
                                                           std::uint32_t* __restrict out) noexcept {
  std::int32_t cut = 0;
  std::int32_t strange = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<double>(values[i]);
    strange |= static_cast<std::int32_t>(!(std::fabs(value) <= 3.5e38));
    const double kept = std::min(bound, std::max(-bound, value));
    cut += static_cast<std::int32_t>(kept != value);
    // Signed numbers are what processors turn into doubles; the upper half of the range comes out right again.
    const double part = static_cast<double>(static_cast<std::int32_t>(random[i] ^ 0x80000000U)) * 0x1p-32 + 0.5;
    const double wanted = kept * scale + part;
    double whole = (wanted + kMagic) - kMagic;
    whole = whole > wanted ? whole - 1 : whole;
    out[i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(whole));
  }
  return {cut, strange == 0};
}

using Kernel = Counted (*)(const float*, const std::uint32_t*, std::size_t, double, double, std::uint32_t*) noexcept;

Counted QuantiseBase(const float* values, const std::uint32_t* random, std::size_t count, double bound, double scale,
                     std::uint32_t* out) noexcept {
  return QuantiseLoop(values, random, count, bound, scale, out);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) Counted QuantiseAvx2(const float* values, const std::uint32_t* random,
                                                     std::size_t count, double bound, double scale,
                                                     std::uint32_t* out) noexcept {
  return QuantiseLoop(values, random, count, bound, scale, out);
}
Kernel ChooseKernel() noexcept { return __builtin_cpu_supports("avx2") ? QuantiseAvx2 : QuantiseBase; }
#else
Kernel ChooseKernel() noexcept { return QuantiseBase; }
#endif

}  // namespace

Result<int> ChooseMaskExponent(std::int64_t rows, std::int64_t sites, double bound, const Grid& grid) {
  const double room = kLargest - static_cast<double>(sites);
  const double most = bound * static_cast<double>(rows);
  if (rows < 1 || sites < 1 || !(most > 0) || room < 1) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("{} clusters with {} rows and a bound of {} have no masked sum", sites, rows, bound));
  }
  int exponent = std::ilogb(room / most);
  // The quotient was rounded, perhaps up to a power of two.
  if (std::ldexp(most, exponent) > room) --exponent;
  return std::min(exponent, grid.exponent);
}

Result<std::int64_t> Quantise(std::span<const float> values, const MaskGrain& grain, ByteView seed,
                              std::span<std::uint32_t> out) {
  assert(out.size() == values.size());
  const double scale = std::ldexp(static_cast<double>(grain.weight), grain.exponent);
  static const Kernel kernel = ChooseKernel();
  crypto::KeyStream stream(seed);
  std::array<std::uint32_t, kPiece> random;
  std::int64_t cut = 0;
  for (std::size_t at = 0; at < values.size(); at += kPiece) {
    const std::size_t count = std::min(kPiece, values.size() - at);
    stream.Next({reinterpret_cast<std::uint8_t*>(random.data()), count * sizeof(std::uint32_t)});
    const Counted counted = kernel(values.data() + at, random.data(), count, grain.bound, scale, out.data() + at);
    if (!counted.finite) return Fail(ErrorId::kUpdateNotFinite, "the update has NaN or infinity");
    cut += counted.cut;
  }
  return cut;
}

void PutSide(std::span<const std::int64_t> values, std::span<std::uint32_t> out) {
  assert(out.size() == values.size() * kSideWords);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto bits = static_cast<std::uint64_t>(values[i / kSideWords]);
    out[i] = static_cast<std::uint32_t>(bits >> (16 * (i % kSideWords))) & 0xffff;
  }
}

void TakeSide(std::span<const std::uint32_t> sums, std::span<std::int64_t> out) {
  assert(sums.size() == out.size() * kSideWords);
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint64_t sum = 0;
    for (std::size_t word = 0; word < kSideWords; ++word) {
      sum += static_cast<std::uint64_t>(sums[i * kSideWords + word]) << (16 * word);
    }
    out[i] = static_cast<std::int64_t>(sum);
  }
}

}  // namespace ote::federate
