// Federated averaging: the next model is the mean of what the sites trained, weighted by their examples (McMahan,
// Moore, Ramage, Hampson and Agüera y Arcas 2017, algorithm 1).
#pragma once

#include "core/federate/strategy.h"

namespace ote::federate {

class FedAvg final : public Strategy {
 public:
  void Apply(const Accumulator& sum, std::span<float> model) override { sum.AddMean(model, model); }
};

}  // namespace ote::federate
