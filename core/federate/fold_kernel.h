// The inner loops of the exact sum, compiled for several instruction sets and chosen at run time. Every variant gives
// the same bits: each step is exact in binary64 or rounds once as IEEE 754 says.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ote::federate {

// Whether all of `count` float32 values at `values` (any alignment, native order) are finite and within ±`bound`.
bool AllWithin(const std::uint8_t* values, std::size_t count, float bound) noexcept;

// sums[i] += sign · RoundHalfEven(values[i] · scale), with |values[i] · scale| <= 2^62.
enum class FoldSign { kAdd, kSubtract };
void FoldBlock(std::int64_t* sums, const std::uint8_t* values, std::size_t count, double scale, bool narrow,
               FoldSign sign) noexcept;
// `narrow` may be set when every |values[i] · scale| is below 2^51: one step less.

}  // namespace ote::federate
