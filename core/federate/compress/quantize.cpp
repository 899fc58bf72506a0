#include "core/federate/compress/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>

#include "core/federate/accumulator.h"

namespace ote::federate {
namespace {

constexpr std::size_t kScale = sizeof(float);

std::size_t CodeBytes(std::size_t count, std::int64_t bits) noexcept { return bits == 8 ? count : (count + 1) / 2; }
std::size_t BlockBytes(std::size_t count, std::int64_t bits) noexcept { return kScale + CodeBytes(count, bits); }
double Levels(std::int64_t bits) noexcept { return bits == 8 ? 127 : 7; }

float ScaleAt(ByteView bytes) noexcept {
  float scale;
  std::memcpy(&scale, bytes.data(), sizeof scale);
  return scale;
}

// Of a half byte.
std::int32_t Signed(std::uint32_t half) noexcept { return static_cast<std::int32_t>((half ^ 8U) & 15U) - 8; }

using Codes = std::array<std::int32_t, kQuantizedBlock>;

// The whole numbers of a block, which has a scale above zero.
void Round(std::span<const float> values, float scale, double levels, learn::Random& random, Codes& out) noexcept {
  const auto divisor = static_cast<double>(scale);
  std::uint64_t drawn = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    drawn = i % 2 == 0 ? random.Next() : drawn >> 32;
    const double part = static_cast<double>(drawn & 0xffffffffU) * 0x1p-32;
    // The product is exact, so the largest value of the block comes to a whole number, which no part takes higher.
    out[i] = static_cast<std::int32_t>(std::floor(static_cast<double>(values[i]) * levels / divisor + part));
  }
}

void Pack(std::span<const std::int32_t> codes, std::int64_t bits, std::span<std::uint8_t> out) noexcept {
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto code = static_cast<std::uint32_t>(codes[i]);
    if (bits == 8) {
      out[i] = static_cast<std::uint8_t>(code & 255U);
    } else if (i % 2 == 0) {
      out[i / 2] = static_cast<std::uint8_t>(code & 15U);
    } else {
      out[i / 2] = static_cast<std::uint8_t>(out[i / 2] | ((code & 15U) << 4));
    }
  }
}

std::int32_t CodeAt(ByteView codes, std::int64_t bits, std::size_t i) noexcept {
  if (bits == 8) return static_cast<std::int8_t>(codes[i]);
  return Signed(static_cast<std::uint32_t>(codes[i / 2]) >> (i % 2 == 0 ? 0 : 4));
}

void Unpack(ByteView block, std::int64_t bits, std::span<float> out) noexcept {
  const double step = static_cast<double>(ScaleAt(block)) / Levels(bits);
  const ByteView codes = block.subspan(kScale);
  if (bits == 8) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(CodeAt(codes, 8, i) * step);
  } else {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(CodeAt(codes, 4, i) * step);
  }
}

Result<void> CheckBlock(ByteView block, std::size_t at, std::size_t count, std::int64_t bits) {
  const float scale = ScaleAt(block);
  if (!std::isfinite(scale)) {
    return Fail(ErrorId::kUpdateNotFinite, fmt::format("the scale of the values from {} on is {}", at, scale));
  }
  if (!(scale >= 0 && static_cast<double>(scale) <= kBound) || std::signbit(scale)) {
    return Fail(ErrorId::kUpdateOutOfRange,
                fmt::format("the scale of the values from {} on is {}, and the bound is {}", at, scale, kBound));
  }
  const ByteView codes = block.subspan(kScale);
  const auto levels = static_cast<std::int32_t>(Levels(bits));
  const std::int32_t lowest = scale > 0 ? -levels : 0;
  const std::int32_t highest = scale > 0 ? levels : 0;
  bool good = true;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t code = CodeAt(codes, bits, i);
    good &= code >= lowest && code <= highest;
  }
  if (bits == 4 && count % 2 == 1) good &= codes.back() < 16;
  if (good) return {};
  return Fail(ErrorId::kUpdateShape, fmt::format("one of the values from {} on is none", at));
}

}  // namespace

std::size_t QuantizedSize(std::size_t count, std::int64_t bits) noexcept {
  const std::size_t rest = count % kQuantizedBlock;
  return count / kQuantizedBlock * BlockBytes(kQuantizedBlock, bits) + (rest > 0 ? BlockBytes(rest, bits) : 0);
}

void QuantizeInto(std::span<float> values, std::int64_t bits, learn::Random& random, std::span<std::uint8_t> out) {
  assert(out.size() == QuantizedSize(values.size(), bits));
  Codes codes;
  while (!values.empty()) {
    const auto block = values.first(std::min(values.size(), kQuantizedBlock));
    const auto bytes = out.first(BlockBytes(block.size(), bits));
    float scale = 0;
    for (const float value : block) scale = std::max(scale, std::fabs(value));
    codes.fill(0);
    if (scale > 0) Round(block, scale, Levels(bits), random, codes);
    std::memcpy(bytes.data(), &scale, sizeof scale);
    Pack(std::span(codes).first(block.size()), bits, bytes.subspan(kScale));
    Unpack(bytes, bits, block);
    values = values.subspan(block.size());
    out = out.subspan(bytes.size());
  }
}

Result<void> CheckQuantized(ByteView bytes, std::size_t count, std::int64_t bits) {
  if (bytes.size() != QuantizedSize(count, bits)) {
    return Fail(ErrorId::kUpdateShape, fmt::format("{} values of {} bits are {} bytes, and not {}", count, bits,
                                                   QuantizedSize(count, bits), bytes.size()));
  }
  for (std::size_t at = 0; at < count; at += kQuantizedBlock) {
    const std::size_t here = std::min(kQuantizedBlock, count - at);
    OTE_CHECK(CheckBlock(bytes.first(BlockBytes(here, bits)), at, here, bits));
    bytes = bytes.subspan(BlockBytes(here, bits));
  }
  return {};
}

void Dequantize(ByteView bytes, std::int64_t bits, std::span<float> out) noexcept {
  while (!out.empty()) {
    const auto block = out.first(std::min(out.size(), kQuantizedBlock));
    Unpack(bytes, bits, block);
    out = out.subspan(block.size());
    // What is left of the bytes may be more than is asked for, and less than a whole block.
    if (!out.empty()) bytes = bytes.subspan(BlockBytes(kQuantizedBlock, bits));
  }
}

}  // namespace ote::federate
