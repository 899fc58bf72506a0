#include "core/learn/trees/sketch.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/learn/trees/cuts.h"

namespace ote::learn::trees {
namespace {

// A class that no row has is given half a row.
double ShareOf(double mean, std::int64_t rows) noexcept { return std::max(mean, 0.5 / static_cast<double>(rows)); }

// Whole rows: a site's share is off by its rounding to float32, which this takes back.
std::vector<std::int64_t> Counts(std::span<const double> shares, std::int64_t rows) {
  std::vector<std::int64_t> counts(shares.size());
  for (std::size_t i = 0; i < shares.size(); ++i) {
    counts[i] = std::llround(std::clamp(shares[i], 0.0, 1.0) * static_cast<double>(rows));
  }
  return counts;
}

std::size_t TargetCount(const Plan& plan, const Progress& progress) noexcept {
  if (progress.sketches == 0) return plan.classes == 0 ? kGridBuckets : static_cast<std::size_t>(plan.classes);
  return progress.sketches == 1 && plan.classes == 0 ? 1 : 0;
}

// The least power of two that no target exceeds, within what keeps all later quotients normal.
float ScaleOf(std::span<const Bucket> targets) {
  double largest = 0;
  for (const Bucket& bucket : targets) {
    largest = std::max({largest, std::abs(static_cast<double>(ValueOf(bucket.begin))),
                        std::abs(static_cast<double>(ValueOf(bucket.end)))});
  }
  float scale = 0x1p-60f;
  while (static_cast<double>(scale) < largest && scale < 0x1p126f) scale *= 2;
  return scale;
}

void UseTargets(const Plan& plan, const Forest<float>& forest, const Progress& progress, std::span<const double> mean,
                std::int64_t rows) {
  if (progress.sketches == 0 && plan.classes == 0) {
    forest.scale[0] = ScaleOf(OfGrid(Counts(mean, rows)));
  } else if (progress.sketches == 0) {
    forest.scale[0] = 1;
    for (std::size_t s = 0; s < forest.base.size(); ++s) {
      const double odds = plan.objective == Objective::kLogistic ? ShareOf(mean[1], rows) / ShareOf(mean[0], rows)
                                                                 : ShareOf(mean[s], rows);
      forest.base[s] = static_cast<float>(std::log(odds));
    }
  } else if (progress.sketches == 1 && plan.classes == 0) {
    forest.base[0] = static_cast<float>(std::clamp(mean[0], -1.0, 1.0) * static_cast<double>(forest.scale[0]));
  }
}

}  // namespace

std::int64_t SketchCount(const Plan& plan, const Forest<const float>& forest, const Progress& progress) {
  auto count = static_cast<std::int64_t>(TargetCount(plan, progress));
  for (std::int64_t f = 0; f < plan.features; ++f) {
    count += progress.sketches == 0 ? static_cast<std::int64_t>(kGridBuckets)
                                    : static_cast<std::int64_t>(EdgesOf(plan, forest, f).size()) + 1;
  }
  return count;
}

void Sketch(const Plan& plan, const Forest<const float>& forest, const Progress& progress, const Table& rows,
            std::span<double> sums) {
  const auto columns = static_cast<std::size_t>(rows.columns);
  std::size_t at = 0;
  for (std::size_t f = 0; f < columns; ++f) {
    const auto edges = EdgesOf(plan, forest, static_cast<std::int64_t>(f));
    const std::size_t buckets = progress.sketches == 0 ? kGridBuckets : edges.size() + 1;
    for (std::size_t r = 0; r < static_cast<std::size_t>(rows.rows); ++r) {
      const float x = rows.features[r * columns + f] * plan.input_scale;
      if (x != x) continue;
      sums[at + (progress.sketches == 0 ? GridBucket(x) : PlaceOf(edges, x))] += 1;
    }
    at += buckets;
  }
  if (TargetCount(plan, progress) == 0) return;
  for (const float target : rows.targets) {
    if (progress.sketches > 0) {
      sums[at] += static_cast<double>(target) / static_cast<double>(forest.scale[0]);
    } else {
      sums[at + (plan.classes == 0 ? GridBucket(target) : static_cast<std::size_t>(target))] += 1;
    }
  }
}

void UseSketch(const Plan& plan, const Forest<float>& forest, const Progress& progress, std::span<const double> mean,
               std::int64_t rows) {
  for (std::size_t f = 0; f < static_cast<std::size_t>(plan.features); ++f) {
    const auto used = static_cast<std::size_t>(forest.used[f]);
    const std::span<const float> edges = forest.edges.subspan(f * static_cast<std::size_t>(plan.edges), used);
    const std::size_t buckets = progress.sketches == 0 ? kGridBuckets : used + 1;
    const std::vector<std::int64_t> counts = Counts(mean.first(buckets), rows);
    mean = mean.subspan(buckets);
    const std::vector<Bucket> occupied = progress.sketches == 0 ? OfGrid(counts) : Between(edges, counts);
    const bool last = progress.sketches + 1 == kSketches;
    PutEdges(plan, forest, static_cast<std::int64_t>(f),
             last ? Cut(occupied, plan.bins) : Refine(occupied, static_cast<std::size_t>(plan.edges)));
  }
  UseTargets(plan, forest, progress, mean, rows);
}

}  // namespace ote::learn::trees
