// Blocks of values as small whole numbers with a scale, update_form.h.
//
// The error of one value is below scale / L, and zero in the mean (stochastic rounding): of an update of normally
// distributed values, 8 bits are off by about 1 % of a value's deviation, 4 bits by 20 %, each way at random, so that
// the mean of many sites is nearer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/learn/random.h"

namespace ote::federate {

inline constexpr std::size_t kQuantizedBlock = 256;

// Bytes of `count` values.
std::size_t QuantizedSize(std::size_t count, std::int64_t bits) noexcept;
// Fills `out`, which has that size, and turns `values`, all of them finite, into what is read from it. Draws one number
// for two values.
void QuantizeInto(std::span<float> values, std::int64_t bits, learn::Random& random, std::span<std::uint8_t> out);
// Whether `bytes` are `count` values as QuantizeInto leaves them, within ±kBound: kUpdateNotFinite, kUpdateOutOfRange,
// kUpdateShape.
Result<void> CheckQuantized(ByteView bytes, std::size_t count, std::int64_t bits);
// Fills `out` with values that begin with a block. `bytes` begin with that block, and have all that is asked for.
void Dequantize(ByteView bytes, std::int64_t bits, std::span<float> out) noexcept;

}  // namespace ote::federate
