#include "core/federate/masks/side.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "core/federate/masks/quantise.h"

namespace ote::federate {
namespace {

constexpr double kUnit = 0x1p16;
constexpr double kLargestMeasure = 0x1p16;
constexpr std::int64_t kMostRows = std::int64_t{1} << 24;  // of one site that are counted

// sites, cut, training loss, and for each of the two: rows, and (rows, value·rows) of four measures.
constexpr std::size_t kOfMetrics = 9;
constexpr std::size_t kNumbers = 3 + 2 * kOfMetrics;

std::int64_t Fixed(double value) {
  if (!std::isfinite(value)) return 0;
  return std::llround(std::clamp(value, -kLargestMeasure, kLargestMeasure) * kUnit);
}

void Put(const api::Metrics& metrics, std::span<std::int64_t> out) {
  const std::int64_t rows = std::clamp<std::int64_t>(metrics.rows, 0, kMostRows);
  out[0] = rows;
  // Mean squares can be added up, their roots cannot.
  std::optional<double> square;
  if (metrics.rmse) square = *metrics.rmse * *metrics.rmse;
  std::size_t at = 1;
  for (const auto& value : {metrics.loss, metrics.accuracy, metrics.auc, square}) {
    out[at] = value ? rows : 0;
    // Rounded once for all rows: a share of correct answers stays exact.
    const double bounded = value && std::isfinite(*value) ? std::clamp(*value, -kLargestMeasure, kLargestMeasure) : 0;
    out[at + 1] = std::llround(bounded * static_cast<double>(rows) * kUnit);
    at += 2;
  }
}

api::Metrics Take(std::span<const std::int64_t> sums) {
  api::Metrics metrics;
  metrics.rows = sums[0];
  const auto mean = [&sums](std::size_t at) -> std::optional<double> {
    if (sums[at] <= 0) return std::nullopt;
    return static_cast<double>(sums[at + 1]) / kUnit / static_cast<double>(sums[at]);
  };
  metrics.loss = mean(1);
  metrics.accuracy = mean(3);
  metrics.auc = mean(5);
  if (const auto square = mean(7)) metrics.rmse = std::sqrt(std::max(0.0, *square));
  return metrics;
}

}  // namespace

std::size_t MaskSideWords() noexcept { return kNumbers * kSideWords; }

void PutMaskSide(const MaskSide& side, std::span<std::uint32_t> words) {
  std::array<std::int64_t, kNumbers> numbers{};
  numbers[0] = side.sites;
  numbers[1] = side.cut;
  numbers[2] = Fixed(side.train_loss);
  const std::span<std::int64_t> all(numbers);
  Put(side.metrics, all.subspan(3, kOfMetrics));
  Put(side.personal, all.subspan(3 + kOfMetrics));
  PutSide(numbers, words);
}

Result<MaskSide> TakeMaskSide(std::span<const std::uint32_t> words, std::int64_t sites) {
  std::array<std::int64_t, kNumbers> numbers{};
  TakeSide(words, numbers);
  if (numbers[0] != sites || sites < 1) {
    return Fail(ErrorId::kMaskForged,
                "the masks of the round do not cancel: a cluster sent, or a relay added, what is no masked update");
  }
  const std::span<const std::int64_t> all(numbers);
  MaskSide side;
  side.sites = numbers[0];
  side.cut = numbers[1];
  side.train_loss = static_cast<double>(numbers[2]) / kUnit / static_cast<double>(sites);
  side.metrics = Take(all.subspan(3, kOfMetrics));
  side.personal = Take(all.subspan(3 + kOfMetrics));
  return side;
}

}  // namespace ote::federate
