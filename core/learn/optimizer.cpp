#include "core/learn/optimizer.h"

namespace ote::learn {

Optimizer::Optimizer(std::span<const float> parameters, std::span<const Range> decayed, const Kernels& kernels,
                     const api::TrainSpec& spec)
    : decayed_(decayed), kernels_(kernels), spec_(spec) {
  gradient_.resize(parameters.size());
  if (spec.optimizer == api::OptimizerKind::kAdam) {
    first_.resize(parameters.size());
    second_.resize(parameters.size());
  }
  const auto l2 = static_cast<float>(spec.l2);
  for (const auto& [begin, end] : decayed) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      gradient_[i] = l2 * parameters[i];
    }
  }
}

void Optimizer::Step(float* parameters) {
  AdamStep adam{};
  if (spec_.optimizer == api::OptimizerKind::kAdam) {
    beta1_power_ *= spec_.beta1;
    beta2_power_ *= spec_.beta2;
    adam.rate = static_cast<float>(spec_.learning_rate / (1 - beta1_power_));
    adam.second_bias = static_cast<float>(1 / (1 - beta2_power_));
    adam.beta1 = static_cast<float>(spec_.beta1);
    adam.beta2 = static_cast<float>(spec_.beta2);
    adam.epsilon = static_cast<float>(spec_.epsilon);
  }
  const auto step = [&](std::int64_t begin, std::int64_t end, float l2) {
    float* const w = parameters + begin;
    float* const g = gradient_.data() + begin;
    if (spec_.optimizer == api::OptimizerKind::kAdam) {
      kernels_.adam(w, g, first_.data() + begin, second_.data() + begin, end - begin, l2, adam);
    } else {
      kernels_.sgd(w, g, end - begin, static_cast<float>(spec_.learning_rate), static_cast<float>(spec_.momentum), l2);
    }
  };
  std::int64_t at = 0;
  if (spec_.l2 != 0) {
    for (const auto& [begin, end] : decayed_) {
      step(at, begin, 0);
      step(begin, end, static_cast<float>(spec_.l2));
      at = end;
    }
  }
  step(at, static_cast<std::int64_t>(gradient_.size()), 0);
}

}  // namespace ote::learn
