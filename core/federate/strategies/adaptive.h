// The adaptive server optimisers of Reddi et al. 2021, algorithm 2: with the mean update d of a round,
//
//   m = beta1·m + (1 − beta1)·d,   v = Next(v, d²),   w += rate·m / (sqrt(v) + tau),
//
// m from 0 and v from tau². They differ in how v grows.
#pragma once

#include <cmath>

#include "core/federate/strategies/step.h"

namespace ote::federate {

inline constexpr double kAdaptiveRate = 0.1;
inline constexpr StrategySetting kAdaptivity = {"adaptivity", "0.001", "tau: the least that a step is divided by"};
inline constexpr StrategySetting kAdaptiveServerRate = {"serverLearningRate", "0.1", "the size of the root's step"};

// `Next` is double(double v, double square).
template <class Next>
class Adaptive final : public Strategy {
 public:
  Adaptive(double rate, double beta1, double tau, Next next) : rate_(rate), beta1_(beta1), tau_(tau), next_(next) {}
  std::int64_t StateVectors() const noexcept override { return 2; }
  void Begin(std::span<float> state) const override {
    const std::size_t half = state.size() / 2;
    std::fill(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(half), 0.0f);
    std::fill(state.begin() + static_cast<std::ptrdiff_t>(half), state.end(), static_cast<float>(tau_ * tau_));
  }
  Result<void> Apply(const Accumulator& sum, const RoundFacts&, std::span<float> model,
                     std::span<float> state) const override {
    float* const first = state.data();
    float* const second = state.data() + model.size();
    ForEachMean(sum, 0, model.size(), [&](std::size_t i, double mean) {
      const double m = beta1_ * static_cast<double>(first[i]) + (1 - beta1_) * mean;
      const double v = next_(static_cast<double>(second[i]), mean * mean);
      first[i] = static_cast<float>(m);
      second[i] = static_cast<float>(v);
      model[i] = static_cast<float>(static_cast<double>(model[i]) + rate_ * m / (std::sqrt(v) + tau_));
    });
    return {};
  }

 private:
  double rate_;
  double beta1_;
  double tau_;
  Next next_;
};

template <class Next>
std::unique_ptr<Strategy> MakeAdaptive(const api::StrategySpec& spec, double beta1, Next next) {
  return std::make_unique<Adaptive<Next>>(spec.server_learning_rate.value_or(kAdaptiveRate), beta1, spec.adaptivity,
                                          next);
}

}  // namespace ote::federate
