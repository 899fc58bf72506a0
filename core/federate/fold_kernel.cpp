#include "core/federate/fold_kernel.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/base/cpu.h"

namespace ote::federate {
namespace {

static_assert(std::endian::native == std::endian::little, "updates are little-endian, and so are the machines of ote");

// Adding 1.5·2^52 to a double below 2^51 leaves its value, rounded half to even, in the low bits of the mantissa.
constexpr double kMagic = 0x1.8p52;
constexpr std::uint64_t kMagicBits = std::bit_cast<std::uint64_t>(kMagic);
// Wide values are cut in two: a multiple of 2^24, which is even, and a rest that is rounded by itself.
constexpr double kSplit = 0x1p24;
constexpr double kUnsplit = 0x1p-24;

inline __attribute__((always_inline)) float LoadFloat(const std::uint8_t* at) noexcept {
  float value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

inline __attribute__((always_inline)) std::uint64_t RoundNarrow(double value) noexcept {
  return std::bit_cast<std::uint64_t>(value + kMagic) - kMagicBits;
}

inline __attribute__((always_inline)) std::uint64_t RoundWide(double value) noexcept {
  const double high = value * kUnsplit + kMagic;
  const double rest = value - (high - kMagic) * kSplit;
  // (high - magic)·2^24 + (low - magic), with the two constants in one; all modulo 2^64.
  constexpr std::uint64_t kBoth = (kMagicBits << 24) + kMagicBits;
  return (std::bit_cast<std::uint64_t>(high) << 24) + std::bit_cast<std::uint64_t>(rest + kMagic) - kBoth;
}

// Returns the largest of the values' bits without their signs: floats order like these, NaN and infinity above
// everything, so one integer maximum tells whether all are good.
template <bool kNarrow, FoldSign kSign>
inline __attribute__((always_inline)) std::int32_t FoldLoop(std::int64_t* __restrict sums,
                                                            const std::uint8_t* __restrict values, std::size_t count,
                                                            double scale) noexcept {
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float single = LoadFloat(values + i * sizeof(float));
    largest = std::max(largest, std::bit_cast<std::int32_t>(single) & 0x7fffffff);
    const double value = static_cast<double>(single) * scale;
    const std::uint64_t units = kNarrow ? RoundNarrow(value) : RoundWide(value);
    const auto sum = static_cast<std::uint64_t>(sums[i]);
    sums[i] = static_cast<std::int64_t>(kSign == FoldSign::kAdd ? sum + units : sum - units);
  }
  return largest;
}

using Kernel = std::int32_t (*)(std::int64_t*, const std::uint8_t*, std::size_t, double) noexcept;
struct Kernels {
  Kernel fold[2][2];  // [narrow][subtract]
};

#define OTE_FOLD_KERNELS(NAME, TARGET)                                                                      \
  template <bool kNarrow, FoldSign kSign>                                                                   \
  TARGET std::int32_t Fold##NAME(std::int64_t* sums, const std::uint8_t* values, std::size_t count,         \
                                 double scale) noexcept {                                                   \
    return FoldLoop<kNarrow, kSign>(sums, values, count, scale);                                            \
  }                                                                                                         \
  constexpr Kernels k##NAME{{{&Fold##NAME<false, FoldSign::kAdd>, &Fold##NAME<false, FoldSign::kSubtract>}, \
                             {&Fold##NAME<true, FoldSign::kAdd>, &Fold##NAME<true, FoldSign::kSubtract>}}};

OTE_FOLD_KERNELS(Generic, )
#if defined(__x86_64__)
OTE_FOLD_KERNELS(Avx2, __attribute__((target("avx2"))))
OTE_FOLD_KERNELS(Avx512, __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw"))))
#endif
#undef OTE_FOLD_KERNELS

const Kernels& Choose() noexcept {
#if defined(__x86_64__)
  const Vectors best = BestVectors();
  if (best == Vectors::kAvx512) return kAvx512;
  if (best == Vectors::kAvx2) return kAvx2;
#endif
  return kGeneric;
}

const Kernels& Best() noexcept {
  static const Kernels& best = Choose();
  return best;
}

}  // namespace

bool FoldAll(std::int64_t* sums, const std::uint8_t* values, std::size_t count, double scale, bool narrow,
             FoldSign sign, float bound) noexcept {
  const Kernel fold = Best().fold[narrow ? 1 : 0][sign == FoldSign::kSubtract ? 1 : 0];
  return fold(sums, values, count, scale) <= std::bit_cast<std::int32_t>(bound);
}

}  // namespace ote::federate
