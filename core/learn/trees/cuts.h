// Cut points of a feature, from counts of rows that sites make: no value of a row is ever asked for.
//
// A radix search for all quantiles at once. The first counts are over a fixed grid that suits any float32, whatever its
// scale: sign, exponent and three bits of the mantissa. Each Refine then spends a budget of edges where the rows are,
// so that three exchanges find the quantiles to a few thousandths of the rows, and tell apart the few values that a
// category has. Everything is whole numbers, so that sites together give the same cuts as all rows in one place.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace ote::learn::trees {

inline constexpr std::size_t kGridBuckets = 4096;
// The place of `value` in the grid. -0 is 0, infinities are the largest finite numbers; not NaN.
std::size_t GridBucket(float value) noexcept;

// Rows whose values lie from `begin` to below `end`, which are keys: whole numbers in the order of the floats.
struct Bucket {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::int64_t rows = 0;
};
// The float32 of a key, finite.
float ValueOf(std::uint32_t key) noexcept;

// The buckets that hold rows, in order. `counts` has one number for each bucket of the grid.
std::vector<Bucket> OfGrid(std::span<const std::int64_t> counts);
// The same between ascending edges: `counts` has one number more than there are edges.
std::vector<Bucket> Between(std::span<const float> edges, std::span<const std::int64_t> counts);

// Ascending edges, at most `limit` (which is at least 64), close where there are many rows.
std::vector<float> Refine(std::span<const Bucket> buckets, std::size_t limit);
// At most bins - 1 ascending cuts: between all buckets when there are so few, near the quantiles otherwise. A value
// goes to the bin whose number is that of the cuts at or below it.
std::vector<float> Cut(std::span<const Bucket> buckets, std::int64_t bins);

// For each value the number of `edges` at or below it; 0 for NaN. Several together, because each step of a search waits
// for the one before it; and without branches on the values, which nothing could predict.
template <std::size_t kValues>
std::array<std::uint32_t, kValues> PlacesOf(std::span<const float> edges,
                                            const std::array<float, kValues>& values) noexcept {
  std::array<std::uint32_t, kValues> at{};
  if (edges.empty()) return at;
  auto length = static_cast<std::uint32_t>(edges.size());
  while (length > 1) {
    const std::uint32_t half = length / 2;
    for (std::size_t i = 0; i < kValues; ++i) at[i] += edges[at[i] + half - 1] <= values[i] ? half : 0;
    length -= half;
  }
  for (std::size_t i = 0; i < kValues; ++i) at[i] += edges[at[i]] <= values[i] ? 1U : 0U;
  return at;
}
inline std::size_t PlaceOf(std::span<const float> edges, float value) noexcept {
  return PlacesOf<1>(edges, {value})[0];
}

}  // namespace ote::learn::trees
