#include "core/federate/accumulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

#include "core/federate/fold_kernel.h"

namespace ote::federate {
namespace {

constexpr std::int64_t kMaxWeight = std::int64_t{1} << 40;
constexpr int kBoundLog2 = 10;
constexpr int kSumLog2 = 62;
constexpr int kNarrowLog2 = 51;
constexpr auto kLimit = static_cast<float>(kBound);
static_assert(kBound == 1 << kBoundLog2);

constexpr char kTag[8] = {'O', 'T', 'E', 'A', 'C', 'C', '1', '\0'};
constexpr std::size_t kHeader = 40;

int CeilLog2(std::int64_t value) noexcept {
  return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(value) - 1));
}

// The largest sum that updates of this weight can make, in units of the grid.
std::int64_t LargestSum(const Grid& grid, std::int64_t weight) noexcept {
  return weight << (grid.exponent + kBoundLog2);
}

bool Sound(const Grid& grid) noexcept {
  return grid.capacity >= 1 && grid.capacity <= kMaxWeight && grid.exponent >= 0 &&
         grid.exponent + kBoundLog2 + CeilLog2(grid.capacity) <= kSumLog2;
}

void Put64(Bytes& out, std::size_t at, std::int64_t value) noexcept {
  std::memcpy(out.data() + at, &value, sizeof value);
}

std::int64_t Get64(ByteView bytes, std::size_t at) noexcept {
  std::int64_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

tl::unexpected<Error> WrongShape(std::size_t bytes, std::size_t count) {
  return Fail(ErrorId::kUpdateShape,
              fmt::format("the update has {} bytes, and the model needs {}", bytes, count * sizeof(float)));
}

}  // namespace

Result<Grid> ChooseGrid(std::int64_t total_weight) {
  if (total_weight < 1 || total_weight > kMaxWeight) {
    return Fail(ErrorId::kRunInvalid, fmt::format("the rows of all clusters together are {}: they must be 1 to {}",
                                                  total_weight, kMaxWeight));
  }
  return Grid{kSumLog2 - kBoundLog2 - CeilLog2(total_weight), total_weight};
}

Result<void> CheckUpdate(ByteView update, std::size_t count) {
  if (update.size() != count * sizeof(float)) return WrongShape(update.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    float value = 0;
    std::memcpy(&value, update.data() + i * sizeof value, sizeof value);
    if (!std::isfinite(value)) {
      return Fail(ErrorId::kUpdateNotFinite, fmt::format("value {} of the update is {}", i, value));
    }
    if (std::abs(static_cast<double>(value)) > kBound) {
      return Fail(ErrorId::kUpdateOutOfRange,
                  fmt::format("value {} of the update is {}, and the bound is {}", i, value, kBound));
    }
  }
  return {};
}

Accumulator::Accumulator(std::size_t count, Grid grid) : grid_(grid), sums_(count) { assert(Sound(grid)); }

Result<void> Accumulator::Fold(std::span<const float> update, std::int64_t weight) {
  return FoldBytes({reinterpret_cast<const std::uint8_t*>(update.data()), update.size_bytes()}, weight);
}

Result<Accumulator::Units> Accumulator::UnitsOf(std::int64_t weight) const {
  if (weight < 1 || weight > grid_.capacity - weight_) {
    return Fail(ErrorId::kUpdateOutOfRange, fmt::format("the update stands for {} examples, and 1 to {} are possible",
                                                        weight, grid_.capacity - weight_));
  }
  return Units{std::ldexp(static_cast<double>(weight), grid_.exponent),
               LargestSum(grid_, weight) < (std::int64_t{1} << kNarrowLog2)};
}

Result<void> Accumulator::FoldBytes(ByteView update, std::int64_t weight) {
  if (update.size() != sums_.size() * sizeof(float)) return WrongShape(update.size(), sums_.size());
  OTE_TRY(const Units units, UnitsOf(weight));
  const auto [scale, narrow] = units;
  if (!FoldAll(sums_.data(), update.data(), sums_.size(), scale, narrow, FoldSign::kAdd, kLimit)) {
    FoldAll(sums_.data(), update.data(), sums_.size(), scale, narrow, FoldSign::kSubtract, kLimit);
    OTE_CHECK(CheckUpdate(update, sums_.size()));
    return Fail(ErrorId::kInternal, "an update failed its check, and passes it value by value");
  }
  weight_ += weight;
  return {};
}

Result<void> Accumulator::FoldPieces(const std::function<void(const PieceTaker&)>& each, std::int64_t weight) {
  OTE_TRY(const Units units, UnitsOf(weight));
  bool good = true;
  const auto fold = [&](FoldSign sign) {
    each([&](std::size_t begin, std::span<const float> values) {
      assert(begin <= sums_.size() && values.size() <= sums_.size() - begin);
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
      good &= FoldAll(sums_.data() + begin, bytes, values.size(), units.scale, units.narrow, sign, kLimit);
    });
  };
  fold(FoldSign::kAdd);
  if (!good) {
    fold(FoldSign::kSubtract);
    return Fail(ErrorId::kUpdateOutOfRange, fmt::format("a value of the update is NaN, infinite or beyond {}", kBound));
  }
  weight_ += weight;
  return {};
}

Result<void> Accumulator::Merge(const Accumulator& other) {
  if (other.count() != count() || other.grid_ != grid_) {
    return Fail(ErrorId::kUpdateShape, "the two sums are of different models or grids");
  }
  if (other.weight_ > grid_.capacity - weight_) {
    return Fail(ErrorId::kUpdateOutOfRange, fmt::format("the sum stands for {} examples, and at most {} are possible",
                                                        other.weight_, grid_.capacity - weight_));
  }
  for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] += other.sums_[i];
  weight_ += other.weight_;
  return {};
}

Result<void> Accumulator::FoldUnits(std::span<const std::uint32_t> units, int exponent, std::int64_t weight) {
  if (units.size() != sums_.size()) return WrongShape(units.size_bytes(), sums_.size());
  const int shift = grid_.exponent - exponent;
  if (weight < 1 || weight > grid_.capacity - weight_ || shift < 0) {
    return Fail(ErrorId::kUpdateOutOfRange, fmt::format("the sum stands for {} examples, and 1 to {} are possible",
                                                        weight, grid_.capacity - weight_));
  }
  const std::int64_t largest = LargestSum(grid_, weight);
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    const std::int64_t value = static_cast<std::int32_t>(units[i]);
    // Compared before it is shifted, which may be too far for a sum that is too large.
    const std::int64_t most = shift < 63 ? largest >> shift : 0;
    sums_[i] += value > most ? largest : value < -most ? -largest : value * (std::int64_t{1} << std::min(shift, 62));
  }
  weight_ += weight;
  return {};
}

void Accumulator::AddMean(std::span<const float> base, std::span<float> out) const {
  assert(weight_ > 0 && base.size() == sums_.size() && out.size() == sums_.size());
  const double divisor = std::ldexp(static_cast<double>(weight_), grid_.exponent);
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    out[i] = static_cast<float>(static_cast<double>(base[i]) + static_cast<double>(sums_[i]) / divisor);
  }
}

void Accumulator::Means(std::size_t begin, std::span<double> out) const {
  assert(weight_ > 0 && begin <= sums_.size() && out.size() <= sums_.size() - begin);
  const double divisor = std::ldexp(static_cast<double>(weight_), grid_.exponent);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<double>(sums_[begin + i]) / divisor;
}

void Accumulator::Clear() noexcept {
  weight_ = 0;
  std::fill(sums_.begin(), sums_.end(), 0);
}

std::size_t Accumulator::SavedSize(std::size_t count) noexcept { return kHeader + count * sizeof(std::int64_t); }

Bytes Accumulator::Save() const {
  Bytes out(SavedSize(sums_.size()));
  std::memcpy(out.data(), kTag, sizeof kTag);
  Put64(out, 8, grid_.exponent);
  Put64(out, 16, grid_.capacity);
  Put64(out, 24, weight_);
  Put64(out, 32, static_cast<std::int64_t>(sums_.size()));
  if (!sums_.empty()) std::memcpy(out.data() + kHeader, sums_.data(), sums_.size() * sizeof(std::int64_t));
  return out;
}

Result<Accumulator> Accumulator::Restore(ByteView bytes) {
  const auto corrupt = [](std::string why) { return Fail(ErrorId::kStoreCorrupt, "the checkpoint of a sum: " + why); };
  if (bytes.size() < kHeader || std::memcmp(bytes.data(), kTag, sizeof kTag) != 0) return corrupt("it is not one");
  const std::int64_t exponent = Get64(bytes, 8);
  const std::int64_t capacity = Get64(bytes, 16);
  const std::int64_t weight = Get64(bytes, 24);
  const std::int64_t count = Get64(bytes, 32);
  if (exponent < 0 || exponent > kSumLog2) return corrupt("its exponent is out of range");
  const Grid grid{static_cast<int>(exponent), capacity};
  if (!Sound(grid) || weight < 0 || weight > capacity) return corrupt("its grid or weight is out of range");
  const std::size_t room = (bytes.size() - kHeader) / sizeof(std::int64_t);
  if (count < 0 || static_cast<std::uint64_t>(count) != room || kHeader + room * sizeof(std::int64_t) != bytes.size()) {
    return corrupt("its length is not what it says");
  }
  Accumulator out(room, grid);
  if (room > 0) std::memcpy(out.sums_.data(), bytes.data() + kHeader, room * sizeof(std::int64_t));
  out.weight_ = weight;
  const std::int64_t largest = LargestSum(grid, weight);
  for (const std::int64_t sum : out.sums_) {
    if (sum > largest || sum < -largest) return corrupt("a sum is larger than its weight allows");
  }
  return out;
}

}  // namespace ote::federate
