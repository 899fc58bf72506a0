#include "core/federate/compress/sparse.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

#include "core/federate/accumulator.h"

namespace ote::federate {
namespace {

std::size_t LowBits(std::size_t count, std::size_t kept) noexcept {
  return static_cast<std::size_t>(std::bit_width(count / kept)) - 1;
}
std::size_t HighBits(std::size_t count, std::size_t kept) noexcept {
  return kept + ((count - 1) >> LowBits(count, kept)) + 1;
}
std::size_t BytesOf(std::size_t bits) noexcept { return (bits + 7) / 8; }

bool BitAt(ByteView bytes, std::size_t at) noexcept { return (bytes[at / 8] >> (at % 8) & 1U) != 0; }
void SetBit(std::span<std::uint8_t> bytes, std::size_t at) noexcept {
  bytes[at / 8] = static_cast<std::uint8_t>(bytes[at / 8] | (1U << (at % 8)));
}

// Of values without their signs, which order as floats do.
std::uint32_t Magnitude(float value) noexcept { return std::bit_cast<std::uint32_t>(value) & 0x7fffffffU; }

// The smallest magnitude that is kept, and how many of just that magnitude are.
struct Threshold {
  std::uint32_t magnitude = 0;
  std::size_t equal = 0;
};
Threshold ThresholdOf(std::span<const float> values, std::size_t kept) {
  std::vector<std::uint32_t> all(values.size());
  std::transform(values.begin(), values.end(), all.begin(), Magnitude);
  const auto last = all.begin() + static_cast<std::ptrdiff_t>(kept) - 1;
  std::nth_element(all.begin(), last, all.end(), std::greater<>());
  const std::uint32_t magnitude = *last;
  const auto above = std::count_if(all.begin(), last, [magnitude](std::uint32_t one) { return one > magnitude; });
  return {magnitude, kept - static_cast<std::size_t>(above)};
}

}  // namespace

std::size_t SparseSize(std::size_t count, std::size_t kept) noexcept {
  if (count == 0) return 0;
  return kept * sizeof(float) + BytesOf(HighBits(count, kept)) + BytesOf(kept * LowBits(count, kept));
}

void KeepLargest(std::span<float> values, std::size_t kept, std::span<std::uint8_t> out) {
  assert(out.size() == SparseSize(values.size(), kept));
  if (values.empty()) return;
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  const std::size_t low_bits = LowBits(values.size(), kept);
  const auto high = out.subspan(kept * sizeof(float), BytesOf(HighBits(values.size(), kept)));
  const auto low = out.subspan(kept * sizeof(float) + high.size());
  Threshold least = ThresholdOf(values, kept);
  std::size_t i = 0;
  for (std::size_t place = 0; place < values.size(); ++place) {
    const std::uint32_t magnitude = Magnitude(values[place]);
    if (magnitude < least.magnitude || (magnitude == least.magnitude && least.equal == 0)) {
      values[place] = 0;
      continue;
    }
    if (magnitude == least.magnitude) --least.equal;
    std::memcpy(out.data() + i * sizeof(float), &values[place], sizeof(float));
    SetBit(high, (place >> low_bits) + i);
    for (std::size_t bit = 0; bit < low_bits; ++bit) {
      if ((place >> bit & 1U) != 0) SetBit(low, i * low_bits + bit);
    }
    ++i;
  }
  assert(i == kept);
}

SparseReader::SparseReader(ByteView bytes, std::size_t count, std::size_t kept) noexcept
    : count_(count),
      kept_(kept),
      values_(bytes.first(kept * sizeof(float))),
      high_(bytes.subspan(values_.size(), count == 0 ? 0 : BytesOf(HighBits(count, kept)))),
      low_(bytes.subspan(values_.size() + high_.size())),
      low_bits_(count == 0 ? 0 : LowBits(count, kept)) {}

Result<SparseReader> SparseReader::Open(ByteView bytes, std::size_t count, std::size_t kept) {
  assert(kept <= count && (kept > 0 || count == 0));
  if (bytes.size() != SparseSize(count, kept)) {
    return Fail(ErrorId::kUpdateShape, fmt::format("{} of {} values are {} bytes, and not {}", kept, count,
                                                   SparseSize(count, kept), bytes.size()));
  }
  return SparseReader(bytes, count, kept);
}

Result<bool> SparseReader::Next(Entry& out) {
  const std::size_t bits = high_.size() * 8;
  while (at_ < bits && !BitAt(high_, at_)) at_ += at_ % 8 == 0 && high_[at_ / 8] == 0 ? std::size_t{8} : std::size_t{1};
  if (read_ == kept_) {
    if (at_ < bits) return Fail(ErrorId::kUpdateShape, fmt::format("there are more places than {} values", kept_));
    const std::size_t used = kept_ * low_bits_;
    for (std::size_t bit = used; bit < low_.size() * 8; ++bit) {
      if (BitAt(low_, bit)) return Fail(ErrorId::kUpdateShape, "its places do not end where they should");
    }
    return false;
  }
  if (at_ >= bits) return Fail(ErrorId::kUpdateShape, fmt::format("{} values have {} places", kept_, read_));
  std::size_t place = (at_ - read_) << low_bits_;
  for (std::size_t bit = 0; bit < low_bits_; ++bit) {
    if (BitAt(low_, read_ * low_bits_ + bit)) place |= std::size_t{1} << bit;
  }
  if (place >= count_ || (read_ > 0 && place <= last_)) {
    return Fail(ErrorId::kUpdateShape,
                fmt::format("place {} of its values is {}, after {} and of {}", read_, place, last_, count_));
  }
  std::memcpy(&out.value, values_.data() + read_ * sizeof(float), sizeof(float));
  if (!std::isfinite(out.value)) {
    return Fail(ErrorId::kUpdateNotFinite, fmt::format("value {} of the update is {}", place, out.value));
  }
  if (std::fabs(static_cast<double>(out.value)) > kBound) {
    return Fail(ErrorId::kUpdateOutOfRange,
                fmt::format("value {} of the update is {}, and the bound is {}", place, out.value, kBound));
  }
  out.place = last_ = place;
  ++at_;
  ++read_;
  return true;
}

}  // namespace ote::federate
