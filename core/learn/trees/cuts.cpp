#include "core/learn/trees/cuts.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>
#include <numeric>

namespace ote::learn::trees {
namespace {

constexpr int kGridShift = 20;
constexpr double kAlike = 0.25;
constexpr float kLargest = std::numeric_limits<float>::max();

// Positive floats order as their bits do, negative ones the other way round.
std::uint32_t KeyOf(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(std::clamp(value, -kLargest, kLargest) + 0.0f);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
}

std::int64_t RowsOf(std::span<const Bucket> buckets) {
  return std::accumulate(buckets.begin(), buckets.end(), std::int64_t{0},
                         [](std::int64_t sum, const Bucket& bucket) { return sum + bucket.rows; });
}

// How many numbers it takes to say where the buckets begin and end.
std::size_t EdgesOf(std::span<const Bucket> buckets) {
  std::size_t edges = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    edges += i > 0 && buckets[i - 1].end == buckets[i].begin ? std::size_t{1} : 2;
  }
  return edges;
}

// Puts light neighbours together, so that fewer than `count` are left.
std::vector<Bucket> Merge(std::span<const Bucket> buckets, std::size_t count) {
  // Two neighbours of the outcome hold more than this together, which bounds their number.
  const double most = static_cast<double>(RowsOf(buckets)) / (static_cast<double>(count) / 2 - 1);
  std::vector<Bucket> out;
  for (const Bucket& bucket : buckets) {
    if (!out.empty() && static_cast<double>(out.back().rows + bucket.rows) <= most) {
      out.back().end = bucket.end;
      out.back().rows += bucket.rows;
    } else {
      out.push_back(bucket);
    }
  }
  return out;
}

// Where the rows of `left` end and those of `right` begin; the middle of the gap when there is one.
float CutBetween(const Bucket& left, const Bucket& right) noexcept {
  const float end = ValueOf(left.end);
  const float begin = ValueOf(right.begin);
  if (!(end < begin)) return begin;
  return static_cast<float>(static_cast<double>(end) / 2 + static_cast<double>(begin) / 2);
}

}  // namespace

float ValueOf(std::uint32_t key) noexcept {
  const auto value = std::bit_cast<float>((key >> 31) != 0 ? key & 0x7fffffffU : ~key);
  // Beyond the largest numbers lie infinity and NaN, and just below 0 lies -0.
  if (key >= KeyOf(kLargest)) return kLargest;
  if (key <= KeyOf(-kLargest)) return -kLargest;
  return value + 0.0f;
}

std::size_t GridBucket(float value) noexcept { return KeyOf(value) >> kGridShift; }

std::vector<Bucket> OfGrid(std::span<const std::int64_t> counts) {
  std::vector<Bucket> out;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] <= 0) continue;
    const auto begin = static_cast<std::uint32_t>(i << kGridShift);
    out.push_back({begin, begin + (std::uint32_t{1} << kGridShift) - (i + 1 == kGridBuckets ? 1 : 0), counts[i]});
  }
  return out;
}

std::vector<Bucket> Between(std::span<const float> edges, std::span<const std::int64_t> counts) {
  std::vector<Bucket> out;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] <= 0) continue;
    out.push_back({i == 0 ? KeyOf(-kLargest) : KeyOf(edges[i - 1]),
                   i == edges.size() ? KeyOf(kLargest) : KeyOf(edges[i]), counts[i]});
  }
  return out;
}

std::vector<float> Refine(std::span<const Bucket> buckets, std::size_t limit) {
  std::vector<Bucket> groups(buckets.begin(), buckets.end());
  if (EdgesOf(groups) > limit / 2) groups = Merge(groups, limit / 2);
  const std::size_t needed = EdgesOf(groups);
  const std::size_t spare = limit > needed ? limit - needed : 0;
  const auto total = static_cast<double>(RowsOf(groups));
  std::vector<float> edges;
  for (const Bucket& group : groups) {
    const std::uint64_t width = group.end - group.begin;
    // A part goes to all alike: it tells rare values apart, which have next to no share of their own.
    const double part =
        (1 - kAlike) * static_cast<double>(group.rows) / total + kAlike / static_cast<double>(groups.size());
    const auto share = static_cast<std::uint64_t>(static_cast<double>(spare) * part);
    const std::uint64_t parts = std::min(share + 1, std::max<std::uint64_t>(width, 1));
    for (std::uint64_t j = 0; j <= parts; ++j) {
      edges.push_back(ValueOf(static_cast<std::uint32_t>(group.begin + width * j / parts)));
    }
  }
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  return edges;
}

std::vector<float> Cut(std::span<const Bucket> buckets, std::int64_t bins) {
  std::vector<float> cuts;
  if (buckets.size() <= static_cast<std::size_t>(bins)) {
    for (std::size_t i = 1; i < buckets.size(); ++i) cuts.push_back(CutBetween(buckets[i - 1], buckets[i]));
  } else {
    const std::int64_t total = RowsOf(buckets);
    std::int64_t below = 0;
    std::size_t at = 0;  // `below` rows lie in the buckets before it
    for (std::int64_t i = 1; i < bins; ++i) {
      const auto off = [&](std::int64_t rows) { return std::abs(rows * bins - total * i); };
      while (at + 1 < buckets.size() && (at == 0 || off(below + buckets[at].rows) <= off(below))) {
        below += buckets[at].rows;
        ++at;
      }
      cuts.push_back(CutBetween(buckets[at - 1], buckets[at]));
    }
  }
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  return cuts;
}

}  // namespace ote::learn::trees
