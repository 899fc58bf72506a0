#include "core/federate/masks/quantise.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

#include "core/base/cpu.h"

namespace ote::federate {
namespace {

constexpr double kLargest = 2147483647.0;
// Adding 1.5·2^52 to a double below 2^51 leaves its value, rounded half to even, in the low bits of the mantissa.
constexpr double kMagic = 0x1.8p52;
constexpr std::size_t kPiece = 2048;

struct Counted {
  std::int32_t cut = 0;
  std::int32_t largest = 0;  // of the bits without sign: NaN and infinity are above all else
};

// Every step rounds as written, so that all instruction sets give the same numbers.
inline __attribute__((always_inline)) Counted QuantiseLoop(const std::uint8_t* __restrict values,
                                                           const std::int16_t* __restrict random, std::size_t count,
                                                           double bound, double scale,
                                                           std::uint32_t* __restrict out) noexcept {
  std::int32_t cut = 0;
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    float single;
    std::memcpy(&single, values + i * sizeof single, sizeof single);
    largest = std::max(largest, std::bit_cast<std::int32_t>(single) & 0x7fffffff);
    const auto value = static_cast<double>(single);
    const double kept = std::min(bound, std::max(-bound, value));
    cut += static_cast<std::int32_t>(kept != value);
    const double part = (static_cast<double>(random[i]) + 0.5) * 0x1p-16;
    out[i] = static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(kept * scale + part + kMagic));
  }
  return {cut, largest};
}

using Kernel = Counted (*)(const std::uint8_t*, const std::int16_t*, std::size_t, double, double,
                           std::uint32_t*) noexcept;

#define OTE_QUANTISE_KERNEL(NAME, TARGET)                                                                  \
  TARGET Counted Quantise##NAME(const std::uint8_t* values, const std::int16_t* random, std::size_t count, \
                                double bound, double scale, std::uint32_t* out) noexcept {                 \
    return QuantiseLoop(values, random, count, bound, scale, out);                                         \
  }

OTE_QUANTISE_KERNEL(Generic, )
#if defined(__x86_64__)
OTE_QUANTISE_KERNEL(Avx2, __attribute__((target("avx2"))))
OTE_QUANTISE_KERNEL(Avx512, __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw"))))
#endif
#undef OTE_QUANTISE_KERNEL

Kernel ChooseKernel() noexcept {
#if defined(__x86_64__)
  const Vectors best = BestVectors();
  if (best == Vectors::kAvx512) return &QuantiseAvx512;
  if (best == Vectors::kAvx2) return &QuantiseAvx2;
#endif
  return &QuantiseGeneric;
}

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

Quantiser::Quantiser(const MaskGrain& grain, ByteView seed)
    : bound_(grain.bound), scale_(std::ldexp(static_cast<double>(grain.weight), grain.exponent)), stream_(seed) {}

Result<void> Quantiser::Next(ByteView values, std::span<std::uint32_t> out) {
  assert(values.size() == out.size_bytes());
  static const Kernel kernel = ChooseKernel();
  constexpr std::int32_t kInfinity = 0x7f800000;
  std::array<std::int16_t, kPiece> random;
  for (std::size_t at = 0; at < out.size(); at += kPiece) {
    const std::size_t count = std::min(kPiece, out.size() - at);
    stream_.Next({reinterpret_cast<std::uint8_t*>(random.data()), count * sizeof(std::int16_t)});
    const Counted counted =
        kernel(values.data() + at * sizeof(float), random.data(), count, bound_, scale_, out.data() + at);
    if (counted.largest >= kInfinity) return Fail(ErrorId::kUpdateNotFinite, "the update has NaN or infinity");
    cut_ += counted.cut;
  }
  return {};
}

Result<std::int64_t> Quantise(std::span<const float> values, const MaskGrain& grain, ByteView seed,
                              std::span<std::uint32_t> out) {
  Quantiser quantiser(grain, seed);
  OTE_CHECK(quantiser.Next({reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()}, out));
  return quantiser.cut();
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
