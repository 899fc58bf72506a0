#include "core/learn/trees/histogram.h"

#include <algorithm>
#include <array>

#include "core/learn/trees/cuts.h"
#include "core/learn/trees/objective.h"
#include "core/learn/trees/walk.h"

namespace ote::learn::trees {
namespace {

constexpr std::size_t kBlock = 256;
constexpr std::size_t kTogether = 8;
constexpr std::int32_t kNone = -1;

// For each series and node of the level, which of the open ones it is; kNone for the others.
std::vector<std::int32_t> Slots(const Plan& plan, const Forest<const float>& forest, const Progress& progress) {
  const std::int64_t width = std::int64_t{1} << progress.level;
  std::vector<std::int32_t> slots(static_cast<std::size_t>(plan.series * width), kNone);
  const std::int64_t before = progress.trees * plan.series * plan.Splits();
  std::int32_t slot = 0;
  for (const std::int64_t place : OpenNodes(plan, forest, progress)) {
    const std::int64_t series = (place - before) / plan.Splits();
    const std::int64_t node = (place - before) % plan.Splits();
    slots[static_cast<std::size_t>(series * width + node - (width - 1))] = slot++;
  }
  return slots;
}

// The bin of each feature of the rows from `begin` to `end`, as an offset into the sums of a node.
void Place(const Plan& plan, const Forest<const float>& forest, std::span<const std::size_t> offsets, const Table& rows,
           std::size_t begin, std::size_t end, std::span<std::uint32_t> places) {
  const auto columns = static_cast<std::size_t>(rows.columns);
  for (std::size_t f = 0; f < columns; ++f) {
    const auto cuts = EdgesOf(plan, forest, static_cast<std::int64_t>(f));
    for (std::size_t first = begin; first < end; first += kTogether) {
      const std::size_t count = std::min(kTogether, end - first);
      std::array<float, kTogether> values{};
      for (std::size_t i = 0; i < count; ++i) values[i] = rows.features[(first + i) * columns + f] * plan.input_scale;
      const auto bins = PlacesOf<kTogether>(cuts, values);
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t bin = values[i] != values[i] ? cuts.size() + 1 : bins[i];
        places[(first + i - begin) * columns + f] = static_cast<std::uint32_t>(2 * (offsets[f] + bin));
      }
    }
  }
}

}  // namespace

std::vector<std::size_t> BinOffsets(const Plan& plan, const Forest<const float>& forest) {
  std::vector<std::size_t> offsets = {0};
  for (const float used : forest.used.first(static_cast<std::size_t>(plan.features))) {
    offsets.push_back(offsets.back() + static_cast<std::size_t>(used) + 2);
  }
  return offsets;
}

Result<void> Histograms(const Plan& plan, const Forest<const float>& forest, const Progress& progress,
                        const Table& rows, std::span<double> sums, std::stop_token stop) {
  const auto series = static_cast<std::size_t>(plan.series);
  const auto columns = static_cast<std::size_t>(rows.columns);
  const std::size_t width = std::size_t{1} << progress.level;
  OTE_TRY(const std::vector<double> margins, Margins(plan, forest, progress, rows, stop));
  const std::vector<std::int32_t> standing = Standing(plan, forest, progress, rows);
  const std::vector<std::int32_t> slots = Slots(plan, forest, progress);
  const std::vector<std::size_t> offsets = BinOffsets(plan, forest);
  const std::size_t of_node = 2 * offsets.back();
  const auto scale = static_cast<double>(forest.scale[0]);
  std::vector<std::uint32_t> places(kBlock * columns);
  std::vector<double> first(series);
  std::vector<double> second(series);
  const auto count = static_cast<std::size_t>(rows.rows);
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    if (stop.stop_requested()) return Fail(ErrorId::kInterrupted, "trees: stopped before it was done");
    const std::size_t end = std::min(begin + kBlock, count);
    Place(plan, forest, offsets, rows, begin, end, places);
    for (std::size_t r = begin; r < end; ++r) {
      Slopes(plan, std::span(margins).subspan(r * series, series), rows.targets[r], scale, first, second);
      const std::uint32_t* const place = places.data() + (r - begin) * columns;
      for (std::size_t s = 0; s < series; ++s) {
        const auto node = static_cast<std::size_t>(standing[r * series + s]);
        const std::int32_t slot = slots[s * width + node - (width - 1)];
        if (slot == kNone) continue;
        double* const sum = sums.data() + static_cast<std::size_t>(slot) * of_node;
        for (std::size_t f = 0; f < columns; ++f) {
          sum[place[f]] += first[s];
          sum[place[f] + 1] += second[s];
        }
      }
    }
  }
  return {};
}

}  // namespace ote::learn::trees
