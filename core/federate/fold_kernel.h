// The inner loops of the exact sum, compiled for several instruction sets and chosen at run time. Every variant gives
// the same bits: each step is exact in binary64 or rounds once as IEEE 754 says.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ote::federate {

// sums[i] += sign · RoundHalfEven(values[i] · scale), with |values[i] · scale| <= 2^62, modulo 2^64; one pass over
// memory. `values` are float32 in native order, at any alignment. Whether all of them are finite and within ±`bound`:
// when not, what was added is of no use, and the same call with kSubtract takes all of it out again, to the bit.
// `narrow` may be set when every |values[i] · scale| of a good value is below 2^51: one step less.
enum class FoldSign { kAdd, kSubtract };
bool FoldAll(std::int64_t* sums, const std::uint8_t* values, std::size_t count, double scale, bool narrow,
             FoldSign sign, float bound) noexcept;

}  // namespace ote::federate
