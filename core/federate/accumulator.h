// The exact sum of weighted updates.
//
// A float32 update x with weight n (its examples) contributes n·x, rounded once, half to even, to a multiple of
// 2^-exponent, and added as a 64-bit integer. Integer addition is associative, so the sum has the same bits in whatever
// order updates arrive and however a tree groups them. (For weights of 2^29 and above the product n·x is first rounded
// to the 53 bits of a double, which changes nothing of the above.)
//
// Range: |x| <= kBound and a sum of weights up to the capacity W give |sum| <= kBound·W·2^exponent <= 2^62, so nothing
// can overflow. Precision: exponent = 52 - ceil(log2 W), so after the division by the total weight w each contribution
// is off by at most 2^-(exponent+1)/w: between 2^-53 and 2^-52 (1.1e-16 and 2.2e-16) when w = W, and W/w times that
// when only a part of the capacity is used. These errors are independent: a mean of 1000 updates of all magnitudes
// below 1 was off by at most 9.6e-15, where a float64 sum was off by 8.3e-18 (accumulator_test), but by another amount
// in every order. Float32 models see neither: half their unit in the last place at 1e-6 is 5.7e-14.
//
// Memory: 8 bytes a parameter, however many updates are folded. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace ote::federate {

// The largest change of one weight that an update may hold.
inline constexpr double kBound = 1024.0;

struct Grid {
  int exponent = 0;           // values are multiples of 2^-exponent
  std::int64_t capacity = 0;  // the sum of weights that it can hold
  friend bool operator==(const Grid&, const Grid&) = default;
};

// The finest grid for updates whose weights add up to at most `total_weight` (at least 1, at most 2^40; kRunInvalid).
Result<Grid> ChooseGrid(std::int64_t total_weight);

// Whether an update of `count` values could be folded, looked at by itself: kUpdateShape, kUpdateNotFinite,
// kUpdateOutOfRange.
Result<void> CheckUpdate(ByteView update, std::size_t count);

// Takes the values of an update from place `begin` on.
using PieceTaker = std::function<void(std::size_t begin, std::span<const float> values)>;

class Accumulator {
 public:
  // `grid` as ChooseGrid gave it, or a coarser one.
  Accumulator(std::size_t count, Grid grid);

  // Adds `weight` · `update`: all of it or, with an error, nothing. kUpdateShape for another count, kUpdateNotFinite,
  // kUpdateOutOfRange for a value beyond kBound, a weight below 1 or beyond what the grid has left.
  Result<void> Fold(std::span<const float> update, std::int64_t weight);
  // The same from little-endian bytes of any alignment.
  Result<void> FoldBytes(ByteView update, std::int64_t weight);
  // The same of an update that comes in pieces, which `each` gives to the taker that it is called with, none over
  // another; values between them are zero. It is called again, and must give the same, when a value was none.
  Result<void> FoldPieces(const std::function<void(const PieceTaker&)>& each, std::int64_t weight);
  // Adds what another accumulator of the same count and grid holds (a relay's subtree). kUpdateShape,
  // kUpdateOutOfRange.
  Result<void> Merge(const Accumulator& other);

  // Adds a sum of `weight` examples in units of 2^-exponent, 32-bit in two's complement: a shift, exactly, for
  // exponents up to that of the grid. What its roundings took beyond ±kBound·weight is cut. kUpdateShape,
  // kUpdateOutOfRange.
  Result<void> FoldUnits(std::span<const std::uint32_t> units, int exponent, std::int64_t weight);

  std::size_t count() const noexcept { return sums_.size(); }
  const Grid& grid() const noexcept { return grid_; }
  std::int64_t weight() const noexcept { return weight_; }
  std::span<const std::int64_t> sums() const noexcept { return sums_; }
  // For noise, which is added last: after it the sum is neither folded into nor saved.
  std::span<std::int64_t> Values() noexcept { return sums_; }
  // What means are divided by, in place of the weights of the updates; at least 1.
  void SetWeight(std::int64_t weight) noexcept { weight_ = weight; }

  // out[i] = base[i] + mean[i], computed in float64 and rounded once. `out` may be `base`. The weight must not be 0.
  void AddMean(std::span<const float> base, std::span<float> out) const;
  // out[i] = the mean of value begin + i, in float64. The weight must not be 0.
  void Means(std::size_t begin, std::span<double> out) const;
  void Clear() noexcept;

  // For checkpoints: "OTEACC1\0", exponent, capacity, weight, count, sums, all little-endian; 64-bit. Restore trusts no
  // length and no sum that its weight cannot have made (kStoreCorrupt).
  Bytes Save() const;
  static std::size_t SavedSize(std::size_t count) noexcept;
  static Result<Accumulator> Restore(ByteView bytes);

 private:
  // How values of this weight go onto the grid.
  struct Units {
    double scale = 0;
    bool narrow = false;
  };
  Result<Units> UnitsOf(std::int64_t weight) const;

  Grid grid_;
  std::int64_t weight_ = 0;
  std::vector<std::int64_t> sums_;
};

}  // namespace ote::federate
