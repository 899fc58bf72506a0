// The step from a gradient to the next parameters.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/api/training.h"
#include "core/learn/kernels.h"

namespace ote::learn {

// [first, second) of a flat buffer of parameters.
using Range = std::pair<std::int64_t, std::int64_t>;

// Applies gradients that were added to Gradient() to the parameters, and leaves the buffer ready for the next batch.
// Weight decay is for the ranges `decayed` alone, which are sorted and apart. What is given by reference must outlive
// it.
class Optimizer {
 public:
  Optimizer(std::span<const float> parameters, std::span<const Range> decayed, const Kernels& kernels,
            const api::TrainSpec& spec);
  float* Gradient() noexcept { return gradient_.data(); }
  void Step(float* parameters);

 private:
  std::span<const Range> decayed_;
  const Kernels& kernels_;
  const api::TrainSpec& spec_;
  std::vector<float> gradient_;  // SGD: the velocity too
  std::vector<float> first_;     // Adam's moments
  std::vector<float> second_;
  double beta1_power_ = 1;
  double beta2_power_ = 1;
};

}  // namespace ote::learn
