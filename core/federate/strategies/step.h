// What the strategies have in common: a walk over the means of a round.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "core/federate/accumulator.h"
#include "core/federate/strategy.h"

namespace ote::federate {

// Calls step(i, mean) for each of the values [begin, begin + count) of the sum, i counted from `begin`; the mean is in
// float64.
template <class Step>
void ForEachMean(const Accumulator& sum, std::size_t begin, std::size_t count, Step step) {
  std::array<double, 1024> block;
  for (std::size_t at = 0; at < count; at += block.size()) {
    const auto some = std::span(block).first(std::min(block.size(), count - at));
    sum.Means(begin + at, some);
    for (std::size_t i = 0; i < some.size(); ++i) step(at + i, some[i]);
  }
}

// model += factor · mean, rounded once.
inline void AddMeans(const Accumulator& sum, double factor, std::span<float> model) {
  ForEachMean(sum, 0, model.size(), [&](std::size_t i, double mean) {
    model[i] = static_cast<float>(static_cast<double>(model[i]) + factor * mean);
  });
}

// The settings that every strategy of sums has.
inline constexpr StrategySetting kServerRate = {"serverLearningRate", "1",
                                                "the mean of the updates is multiplied by it"};
inline constexpr StrategySetting kClipNorm = {"clipNorm", "none",
                                              "an update whose L2 norm is greater is scaled down to it"};

}  // namespace ote::federate
